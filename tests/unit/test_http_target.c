// SPDX-License-Identifier: Apache-2.0
#include "server/http_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static struct http_target target;
static struct http_refusal refusal;
static char *copy;

/* Each target in an allocation of its exact size, so that a sanitizer sees a step over its end. */
static enum http_verdict parse(const char *text)
{
    size_t length = strlen(text);
    free(copy);
    copy = malloc(length + 1);
    assert_non_null(copy);
    memcpy(copy, text, length + 1);
    refusal = (struct http_refusal){.detail = NULL};
    return http_parse_target(copy, length, &target, &refusal);
}

static void accepted(const char *text, size_t path_length, unsigned query_count)
{
    assert_int_equal(parse(text), HTTP_ACCEPTED);
    assert_int_equal(target.path_length, path_length);
    assert_memory_equal(target.path, text, path_length);
    assert_int_equal(target.query_count, query_count);
}

static void refused(enum http_verdict verdict, const char *text)
{
    assert_int_equal(parse(text), verdict);
    assert_non_null(refusal.detail);
}

static void test_paths(void **state)
{
    (void)state;
    accepted("/", 1, 0);
    accepted("/v1/me", 6, 0);
    accepted("/v1/me/", 7, 0);
    accepted("/v1/a.b/..c/.d-_~!$&'()*+,;=:@", 30, 0);
    accepted("/v1/%C3%9C", 10, 0);
    accepted("/v1/%20", 7, 0);
    refused(HTTP_MALFORMED, "");
    refused(HTTP_MALFORMED, "*");
    refused(HTTP_MALFORMED, "v1/me");
    refused(HTTP_MALFORMED, "https://a.example/v1/me");
    refused(HTTP_MALFORMED, "//v1/me");
    refused(HTTP_MALFORMED, "/v1//me");
    refused(HTTP_MALFORMED, "/v1/./me");
    refused(HTTP_MALFORMED, "/v1/../me");
    refused(HTTP_MALFORMED, "/v1/..");
    refused(HTTP_MALFORMED, "/v1/%2e%2E/me");
    refused(HTTP_MALFORMED, "/v1/.%2e?x=y");
    refused(HTTP_MALFORMED, "/v1%2fme");
    refused(HTTP_MALFORMED, "/v1%2Fme");
    refused(HTTP_MALFORMED, "/v1/me%00");
    refused(HTTP_MALFORMED, "/v1/me%0a");
    refused(HTTP_MALFORMED, "/v1/me%7f");
    refused(HTTP_MALFORMED, "/v1/me%");
    refused(HTTP_MALFORMED, "/v1/me%4");
    refused(HTTP_MALFORMED, "/v1/me%4g");
    refused(HTTP_MALFORMED, "/v1/me%%34");
    refused(HTTP_MALFORMED, "/v1/m e");
    refused(HTTP_MALFORMED, "/v1/m\x7f");
    refused(HTTP_MALFORMED, "/v1/m\xc3\x9c");
    refused(HTTP_MALFORMED, "/v1/m\\e");
    refused(HTTP_MALFORMED, "/v1/me#x");
    refused(HTTP_MALFORMED, "/v1/m\"e");
    refused(HTTP_MALFORMED, "/v1/<me>");
    refused(HTTP_MALFORMED, "/v1/[me]");
}

static void test_utf8(void **state)
{
    (void)state;
    static const char *const good[] = {"%C2%A0",    "%DF%BF",    "%E0%A0%80",    "%ED%9F%BF",
                                       "%EE%80%80", "%EF%BF%BF", "%F0%90%80%80", "%F4%8F%BF%BF"};
    static const char *const bad[] = {
        "%80",    "%BF",       "%C0%80",       "%C1%BF",       "%C2",          "%C2%41",
        "%C2%80", "%C2%9F",    "%E0%80%80",    "%E0%9F%BF",    "%ED%A0%80",    "%ED%BF%BF",
        "%E1%80", "%E1%80%41", "%F0%80%80%80", "%F0%8F%BF%BF", "%F4%90%80%80", "%F5%80%80%80",
        "%FF",    "%F0%90%80", "%F0%90%80%C0"};
    char text[64];
    for (size_t i = 0; i < CT_ARRAY_LENGTH(good); i++) {
        memcpy(text, "/?q=", 4);
        memcpy(text + 4, good[i], strlen(good[i]) + 1);
        accepted(text, 1, 1);
    }
    for (size_t i = 0; i < CT_ARRAY_LENGTH(bad); i++) {
        memcpy(text, "/?q=", 4);
        memcpy(text + 4, bad[i], strlen(bad[i]) + 1);
        refused(HTTP_MALFORMED, text);
        memcpy(text, "/v1/", 4);
        refused(HTTP_MALFORMED, text);
    }
}

static void test_queries(void **state)
{
    (void)state;
    accepted("/a?x=1&y=%C3%9C%20+b&z=", 2, 3);
    assert_string_equal(target.query[0].name, "x");
    assert_string_equal(target.query[0].value, "1");
    assert_string_equal(target.query[1].value, "Ü +b"); /* a plus sign is a plus sign */
    assert_string_equal(target.query[2].name, "z");
    assert_string_equal(target.query[2].value, "");
    accepted("/a?x==1?/", 2, 1);
    assert_string_equal(target.query[0].value, "=1?/");
    accepted("/a?%78%3d=%26%2F", 2, 1);
    assert_string_equal(target.query[0].name, "x=");
    assert_string_equal(target.query[0].value, "&/");
    refused(HTTP_INVALID, "/a?");
    refused(HTTP_INVALID, "/a?x");
    refused(HTTP_INVALID, "/a?=1");
    refused(HTTP_INVALID, "/a?x=1&");
    refused(HTTP_INVALID, "/a?&x=1");
    refused(HTTP_INVALID, "/a?x=1&&y=2");
    refused(HTTP_MALFORMED, "/a?x=%00");
    refused(HTTP_MALFORMED, "/a?x%00=1");
    refused(HTTP_MALFORMED, "/a?x=%1b");
    refused(HTTP_MALFORMED, "/a?x=%");
    refused(HTTP_MALFORMED, "/a?x=1#f");
}

static void test_repeated(void **state)
{
    (void)state;
    refused(HTTP_INVALID, "/a?limit=1&limit=2");
    assert_string_equal(refusal.pointer, "/query/limit");
    refused(HTTP_INVALID, "/a?limit=1&x=2&%6cimit=2");
    assert_string_equal(refusal.pointer, "/query/limit");
    refused(HTTP_INVALID, "/a?a/b=1&a/b=2");
    assert_string_equal(refusal.pointer, ""); /* it would need escaping */
    /* As many parameters as there is room for, and one more. */
    char text[256] = "/a?";
    size_t used = 3;
    for (unsigned i = 0; i <= MESSAGE_QUERY_MAX; i++) {
        if (i == MESSAGE_QUERY_MAX) {
            text[used - 1] = '\0';
            accepted(text, 2, MESSAGE_QUERY_MAX);
            text[used - 1] = '&';
        }
        text[used++] = "abcdefghijklmnopqrstuvwxyz"[i];
        text[used++] = '=';
        text[used++] = '&';
    }
    text[used - 1] = '\0';
    refused(HTTP_INVALID, text);
}

static void test_length(void **state)
{
    (void)state;
    char text[HTTP_TARGET_MAX + 2];
    memset(text, 'a', sizeof text);
    text[0] = '/';
    text[HTTP_TARGET_MAX] = '\0';
    accepted(text, HTTP_TARGET_MAX, 0);
    text[1] = '%';
    text[2] = '4';
    text[3] = '1';
    accepted(text, HTTP_TARGET_MAX, 0);
    text[HTTP_TARGET_MAX] = 'a';
    text[HTTP_TARGET_MAX + 1] = '\0';
    refused(HTTP_MALFORMED, text);
}

static void test_segment(void **state)
{
    (void)state;
    char text[] = "/v1/a%20b%C3%9C/c";
    http_decode_segment(text + 4, 11);
    assert_string_equal(text + 4, "a bÜ");
    assert_true(http_is_plain_utf8("a\xc3\x9c", 3));
    assert_false(http_is_plain_utf8("a\xc3\x9c", 2));
    assert_true(http_is_plain_utf8("", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),   cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_queries), cmocka_unit_test(test_repeated),
        cmocka_unit_test(test_length),  cmocka_unit_test(test_segment),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(copy);
    return failed;
}
