// SPDX-License-Identifier: Apache-2.0
#ifndef TESTS_UNIT_TEST_HTTP_LENIENT_H
#define TESTS_UNIT_TEST_HTTP_LENIENT_H

/* A model of how libmicrohttpd 0.9.75 takes a head apart, in place and leniently, so that the
 * checks over its result can be tested and fuzzed without it. tests/api/test_http.py sends the same
 * things through the real one. */

#include "server/http_check.h"

#include <stdlib.h>
#include <string.h>

struct lenient {
    char *at; /* the rest of the input */
    size_t left;
    char folded[4][256]; /* where it puts names that it has glued a folded line to */
    unsigned folded_count;
};

/* The next line, ended with a NUL in place of LF or CRLF. NULL: there is no whole line. */
static char *lenient_line(struct lenient *in, size_t *ret_length)
{
    char *line = in->at;
    for (size_t i = 0; i < in->left; i++) {
        bool crlf = line[i] == '\r' && i + 1 < in->left && line[i + 1] == '\n';
        if (!crlf && line[i] != '\n')
            continue;
        size_t used = crlf ? i + 2 : i + 1;
        memset(line + i, 0, used - i);
        in->at += used;
        in->left -= used;
        *ret_length = i;
        return line;
    }
    return NULL;
}

static bool lenient_request_line(char *line, size_t length, struct http_head *head)
{
    char *space = memchr(line, ' ', length);
    if (space == NULL || space == line)
        return false;
    *space = '\0';
    head->method = line;
    char *target = space + 1;
    while (target < line + length && *target == ' ')
        target++;
    if (target >= line + length)
        return false;
    char *version = line + length - 1;
    while (version > target && *version == ' ')
        version--;
    while (version > target && *version != ' ')
        version--;
    if (version == target)
        return false;
    *version++ = '\0';
    if (line + length - version != HTTP_VERSION_LENGTH || memcmp(version, "HTTP/1.", 7) != 0 ||
        version[7] < '0' || version[7] > '9')
        return false;
    head->target = target;
    head->target_length = strlen(target);
    head->version = version;
    return true;
}

static bool lenient_add(struct http_head *head, const char *name, const char *value)
{
    if (head->header_count == HTTP_HEADERS_MAX)
        return false;
    head->headers[head->header_count++] = (struct http_header){
        .name = name, .name_length = strlen(name), .value = value, .value_length = strlen(value)};
    return true;
}

/* A line that goes on with the one before is glued to that one's name, of all things. */
static char *lenient_fold(struct lenient *in, const char *name, const char *line)
{
    while (*line == ' ' || *line == '\t')
        line++;
    if (in->folded_count == 4 || strlen(name) + strlen(line) >= sizeof in->folded[0])
        return NULL;
    char *glued = in->folded[in->folded_count++];
    memcpy(glued, name, strlen(name));
    memcpy(glued + strlen(name), line, strlen(line) + 1);
    return glued;
}

/* false: the library itself refuses, or waits for more. The head points into bytes and in. */
static bool lenient_parse(struct lenient *in, char *bytes, size_t length, struct http_head *head)
{
    char *line;
    size_t line_length;
    char *name = NULL;
    char *value = NULL;
    *in = (struct lenient){.at = bytes, .left = length};
    head->header_count = 0;
    do {
        line = lenient_line(in, &line_length);
        if (line == NULL)
            return false;
    } while (line[0] == '\0');
    if (!lenient_request_line(line, line_length, head))
        return false;
    for (;;) {
        line = lenient_line(in, &line_length);
        if (line == NULL)
            return false;
        if (name != NULL && (line[0] == ' ' || line[0] == '\t')) {
            name = lenient_fold(in, name, line);
            if (name == NULL)
                return false;
            continue;
        }
        if (name != NULL && !lenient_add(head, name, value))
            return false;
        if (line[0] == '\0')
            break;
        char *colon = strchr(line, ':');
        if (colon == NULL)
            return false;
        *colon = '\0';
        name = line;
        value = colon + 1 + strspn(colon + 1, " \t");
    }
    head->size = (size_t)(in->at - head->method);
    return true;
}

#endif
