// SPDX-License-Identifier: Apache-2.0
#include "server/http_check.h"

#include <stdio.h>
#include <string.h>

bool http_is_plain_utf8(const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text;
    const unsigned char *end = at + length;
    while (at < end) {
        if (*at < 0x80) {
            if (*at < 0x20 || *at == 0x7f)
                return false;
            at++;
            continue;
        }
        unsigned more = *at >= 0xc2 && *at <= 0xdf   ? 1
                        : *at >= 0xe0 && *at <= 0xef ? 2
                        : *at >= 0xf0 && *at <= 0xf4 ? 3
                                                     : 0;
        if (more == 0 || (size_t)(end - at) <= more)
            return false;
        /* Overlong forms, surrogates and what lies behind U+10FFFF show in the second byte;
         * U+0080 to U+009F are control characters too. */
        unsigned char low = *at == 0xe0 ? 0xa0 : *at == 0xf0 ? 0x90 : *at == 0xc2 ? 0xa0 : 0x80;
        unsigned char high = *at == 0xed ? 0x9f : *at == 0xf4 ? 0x8f : 0xbf;
        if (at[1] < low || at[1] > high)
            return false;
        for (unsigned i = 2; i <= more; i++) {
            if (at[i] < 0x80 || at[i] > 0xbf)
                return false;
        }
        at += more + 1;
    }
    return true;
}

static enum http_verdict refuse(struct http_refusal *refusal, enum http_verdict verdict,
                                const char *detail)
{
    *refusal = (struct http_refusal){.detail = detail};
    return verdict;
}

/* Characters that stand for themselves in a target: pchar of RFC 3986, and / and ? . */
static bool is_target_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~!$&'()*+,;=:@/?%", c) != NULL);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes %XX in place from start to end, ends it with a NUL. NULL: fine, else what is wrong. */
static const char *decode(char *start, char *end)
{
    char *to = start;
    for (const char *from = start; from < end; from++) {
        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        int high = end - from < 3 ? -1 : hex_digit(from[1]);
        int low = high < 0 ? -1 : hex_digit(from[2]);
        if (low < 0)
            return "% is followed by two hexadecimal digits";
        *to++ = (char)(high << 4 | low);
        from += 2;
    }
    if (!http_is_plain_utf8(start, (size_t)(to - start)))
        return "the target is not UTF-8, or has a control character";
    *to = '\0';
    return NULL;
}

/* NULL: fine, else what is wrong with the segment. */
static const char *check_segment(const char *start, size_t length, bool last)
{
    char decoded[HTTP_TARGET_MAX + 1];
    if (length == 0)
        return last ? NULL : "the path has an empty segment";
    bool escaped = memchr(start, '%', length) != NULL;
    if (escaped) {
        for (size_t i = 0; i + 3 <= length; i++) {
            if (start[i] == '%' && start[i + 1] == '2' &&
                (start[i + 2] == 'f' || start[i + 2] == 'F'))
                return "the path hides a slash";
        }
        memcpy(decoded, start, length);
        const char *wrong = decode(decoded, decoded + length);
        if (wrong != NULL)
            return wrong;
        start = decoded;
        length = strlen(decoded);
    }
    if ((length == 1 && start[0] == '.') || (length == 2 && start[0] == '.' && start[1] == '.'))
        return "the path has a dot segment";
    return NULL;
}

void http_decode_segment(char *text, size_t length)
{
    const char *wrong = decode(text, text + length);
    if (wrong != NULL)
        text[0] = '\0';
}

static enum http_verdict take_parameter(char *start, char *end, struct http_target *target,
                                        struct http_refusal *refusal)
{
    char *equals = memchr(start, '=', (size_t)(end - start));
    if (equals == NULL || equals == start)
        return refuse(refusal, HTTP_INVALID, "a query parameter is written name=value");
    const char *wrong = decode(start, equals);
    if (wrong == NULL)
        wrong = decode(equals + 1, end);
    if (wrong != NULL)
        return refuse(refusal, HTTP_MALFORMED, wrong);
    for (unsigned i = 0; i < target->query_count; i++) {
        if (strcmp(target->query[i].name, start) == 0) {
            *refusal = (struct http_refusal){.detail = "given twice"};
            /* Only a name that needs no escaping in JSON Pointer is shown. */
            if (strlen(start) < 64 && strpbrk(start, "~/") == NULL)
                (void)snprintf(refusal->pointer, sizeof refusal->pointer, "/query/%s", start);
            return HTTP_INVALID;
        }
    }
    if (target->query_count == MESSAGE_QUERY_MAX)
        return refuse(refusal, HTTP_INVALID, "too many query parameters");
    target->query[target->query_count++] = (struct message_pair){start, equals + 1};
    return HTTP_ACCEPTED;
}

enum http_verdict http_parse_target(char *text, size_t length, struct http_target *ret,
                                    struct http_refusal *ret_refusal)
{
    char *end = text + length;
    ret->query_count = 0;
    if (length == 0 || text[0] != '/')
        return refuse(ret_refusal, HTTP_MALFORMED, "the target is a path, as in /v1/me");
    if (length > HTTP_TARGET_MAX)
        return refuse(ret_refusal, HTTP_MALFORMED, "the target is too long");
    for (const char *c = text; c < end; c++) {
        if (!is_target_char(*c))
            return refuse(ret_refusal, HTTP_MALFORMED,
                          "the target has a character that is to be percent-encoded");
    }
    char *question = memchr(text, '?', length);
    char *path_end = question == NULL ? end : question;
    ret->path = text;
    ret->path_length = (size_t)(path_end - text);
    for (char *start = text + 1; start <= path_end;) {
        char *slash = memchr(start, '/', (size_t)(path_end - start));
        char *segment_end = slash == NULL ? path_end : slash;
        const char *wrong = check_segment(start, (size_t)(segment_end - start), slash == NULL);
        if (wrong != NULL)
            return refuse(ret_refusal, HTTP_MALFORMED, wrong);
        start = segment_end + 1;
    }
    if (question == NULL)
        return HTTP_ACCEPTED;
    for (char *start = question + 1; start <= end;) {
        char *ampersand = memchr(start, '&', (size_t)(end - start));
        char *parameter_end = ampersand == NULL ? end : ampersand;
        enum http_verdict verdict = take_parameter(start, parameter_end, ret, ret_refusal);
        if (verdict != HTTP_ACCEPTED)
            return verdict;
        start = parameter_end + 1;
    }
    return HTTP_ACCEPTED;
}
