// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/test_http_lenient.h"

#include "api/generated.h"

#include <assert.h>

/* The head and the target of a request. Bytes go through a model of the lenient library; whatever
 * our checks then take must be a head as RFC 9112 has it, byte for byte, and lead to an operation
 * or to none without a step outside of its memory. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_field(const char *start, const char *end)
{
    const char *colon = memchr(start, ':', (size_t)(end - start));
    assert(colon != NULL && colon > start);
    for (const char *c = start; c < colon; c++)
        assert(*c > ' ' && *c < 0x7f);
    for (const char *c = colon; c < end; c++)
        assert(((unsigned char)*c >= 0x20 && *c != 0x7f) || *c == '\t');
}

/* From the method to the end of the empty line. Where http_check_layout() cannot tell a NUL from a
 * CR, neither does this. */
static void must_be_strict(const char *head, const char *end, unsigned header_count)
{
    const char *start = head;
    for (unsigned line = 0; line <= header_count; line++) {
        const char *stop = start;
        while (stop < end && *stop != '\r' && *stop != '\n' && *stop != '\0')
            stop++;
        if (line > 0)
            must_be_field(start, stop);
        assert(end - stop >= 4);
        if (line < header_count)
            assert(stop[0] != '\n' && stop[1] == '\n');
        start = stop + 2;
    }
    assert(end - start == 2);
    for (const char *c = start - 2; c < end; c++)
        assert(*c == '\r' || *c == '\n' || *c == '\0');
}

static void must_be_decoded(const struct http_target *target)
{
    for (unsigned i = 0; i < target->query_count; i++) {
        assert(http_is_plain_utf8(target->query[i].name, strlen(target->query[i].name)));
        assert(http_is_plain_utf8(target->query[i].value, strlen(target->query[i].value)));
        assert(target->query[i].name[0] != '\0');
        for (unsigned j = 0; j < i; j++)
            assert(strcmp(target->query[i].name, target->query[j].name) != 0);
    }
    assert(target->path_length > 0 && target->path[0] == '/');
    assert(memmem(target->path, target->path_length, "//", 2) == NULL);
    assert(memmem(target->path, target->path_length, "/../", 4) == NULL);
    assert(memmem(target->path, target->path_length, "/./", 3) == NULL);
}

static void route(char *text, const char *method, const struct http_target *target)
{
    struct api_route_match match;
    if (api_route_find(API_LISTENER_PUBLIC, method, target->path, target->path_length, &match) !=
        API_ROUTE_FOUND)
        return;
    for (size_t i = 0; i < match.parameter_count; i++) {
        char *parameter = text + (match.parameters[i].text - text);
        http_decode_segment(parameter, match.parameters[i].length);
        assert(strlen(parameter) > 0 && strlen(parameter) <= match.parameters[i].length);
        assert(http_is_plain_utf8(parameter, strlen(parameter)));
        assert(strchr(parameter, '/') == NULL);
    }
}

static void take_target(const char *text, size_t length, const char *method)
{
    struct http_target target;
    struct http_refusal refusal;
    char *copy = malloc(length + 1);
    if (copy == NULL)
        return;
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (http_parse_target(copy, length, &target, &refusal) == HTTP_ACCEPTED) {
        must_be_decoded(&target);
        route(copy, method, &target);
    } else {
        assert(refusal.detail != NULL);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lenient in;
    struct http_head head;
    struct http_facts facts;
    struct http_refusal refusal;
    char *bytes = malloc(size + 1);
    if (bytes == NULL)
        return 0;
    memcpy(bytes, data, size);
    if (!lenient_parse(&in, bytes, size, &head)) {
        if (memchr(data, 0, size) == NULL)
            take_target((const char *)data, size, "GET");
        free(bytes);
        return 0;
    }
    enum http_verdict verdict = http_check_head(&head, &facts, &refusal);
    bool layout = http_check_layout(&head);
    if (verdict != HTTP_ACCEPTED)
        assert(refusal.detail != NULL);
    if (verdict != HTTP_MALFORMED && layout) {
        const char *raw = (const char *)data;
        struct http_target target;
        const char *method_end = memchr(raw + (head.method - bytes), ' ', size);
        assert(method_end != NULL);
        assert(!(facts.chunked && facts.has_length));
        take_target(head.target, head.target_length, head.method);
        char *text = bytes + (head.target - bytes);
        if (http_parse_target(text, head.target_length, &target, &refusal) != HTTP_MALFORMED)
            must_be_strict(raw + (head.method - bytes), raw + (in.at - bytes), head.header_count);
    }
    free(bytes);
    return 0;
}
