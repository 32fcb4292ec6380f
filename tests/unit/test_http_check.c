// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/test_http_lenient.h"

#include <stdio.h>

struct parsed {
    struct lenient in;
    struct http_head head;
    struct http_facts facts;
    struct http_refusal refusal;
    enum http_verdict verdict;
    bool layout;
    char bytes[8192];
};

static struct parsed parsed;

/* Everything that is done with a head. false: the lenient library does not take it itself. */
static bool take(const char *head, size_t length)
{
    memset(&parsed, 0, sizeof parsed);
    assert_true(length < sizeof parsed.bytes);
    memcpy(parsed.bytes, head, length);
    if (!lenient_parse(&parsed.in, parsed.bytes, length, &parsed.head))
        return false;
    parsed.verdict = http_check_head(&parsed.head, &parsed.facts, &parsed.refusal);
    parsed.layout = http_check_layout(&parsed.head);
    return true;
}

static void check(const char *head, size_t length)
{
    assert_true(take(head, length));
}

#define CHECK(text) check(text, sizeof(text) - 1)

#define ACCEPTED(text)                                                                             \
    do {                                                                                           \
        CHECK(text);                                                                               \
        assert_int_equal(parsed.verdict, HTTP_ACCEPTED);                                           \
        assert_true(parsed.layout);                                                                \
    } while (0)

#define REFUSED(expected, text)                                                                    \
    do {                                                                                           \
        CHECK(text);                                                                               \
        assert_int_equal(parsed.verdict, expected);                                                \
        assert_non_null(parsed.refusal.detail);                                                    \
    } while (0)

/* Refused by the content, by the layout or by both, or by the library; never taken. */
#define NOT_TAKEN(text)                                                                            \
    assert_false(take(text, sizeof(text) - 1) && parsed.verdict == HTTP_ACCEPTED && parsed.layout)

#define GET "GET /v1/me HTTP/1.1\r\nHost: a.example\r\n"
#define POST "POST /v1/sales HTTP/1.1\r\nHost: a.example\r\n"

static void test_facts(void **state)
{
    (void)state;
    ACCEPTED(GET "\r\n");
    assert_true(parsed.facts.is_1_1);
    assert_false(parsed.facts.has_length || parsed.facts.chunked || parsed.facts.has_type);
    assert_string_equal(parsed.facts.authorization, "");
    assert_null(parsed.facts.idempotency_key);
    ACCEPTED("GET / HTTP/1.0\r\n\r\n");
    assert_false(parsed.facts.is_1_1);
    ACCEPTED("GET / HTTP/1.0\r\nAccept:\r\nX:   \t y\t \r\n\r\n");
    ACCEPTED(POST "Authorization: Bearer ctk_x\r\nIDEMPOTENCY-KEY:k 1\r\ncontent-length:12\r\n"
                  "Content-Type: application/json\r\nExpect: 100-Continue\r\n\r\n");
    assert_string_equal(parsed.facts.authorization, "Bearer ctk_x");
    assert_string_equal(parsed.facts.idempotency_key, "k 1");
    assert_true(parsed.facts.has_length && parsed.facts.expects_continue);
    assert_true(parsed.facts.content_length == 12);
    assert_true(parsed.facts.type_is_json);
    ACCEPTED(POST "Transfer-Encoding: Chunked\r\nX-Real-Ip: \xff\r\n\r\n");
    assert_true(parsed.facts.chunked);
    /* Empty lines before a request are skipped, as RFC 9112 allows. */
    ACCEPTED("\r\n" GET "\r\n");
}

static void test_hosts(void **state)
{
    (void)state;
    ACCEPTED("GET / HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n");
    ACCEPTED("GET / HTTP/1.1\r\nhOST:a-b_c.example:1\r\n\r\n");
    REFUSED(HTTP_MALFORMED, "GET / HTTP/1.1\r\n\r\n");
    assert_string_equal(parsed.refusal.pointer, "/header/Host");
    REFUSED(HTTP_MALFORMED, "GET / HTTP/1.1\r\nHost:\r\n\r\n");
    REFUSED(HTTP_MALFORMED, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n");
    REFUSED(HTTP_MALFORMED, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n");
    REFUSED(HTTP_MALFORMED, "GET / HTTP/1.1\r\nHost: user@a\r\n\r\n");
    REFUSED(HTTP_MALFORMED, GET "Host: a.example\r\n\r\n");
    REFUSED(HTTP_MALFORMED, GET "hosT: b.example\r\n\r\n");
}

static void test_framing(void **state)
{
    (void)state;
    REFUSED(HTTP_MALFORMED, POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n");
    REFUSED(HTTP_MALFORMED, POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n");
    REFUSED(HTTP_MALFORMED, POST "Content-Length: 5, 5\r\n\r\n");
    REFUSED(HTTP_MALFORMED, POST "Content-Length: +5\r\n\r\n");
    REFUSED(HTTP_MALFORMED, POST "Content-Length: -5\r\n\r\n");
    REFUSED(HTTP_MALFORMED, POST "Content-Length: 0x5\r\n\r\n");
    REFUSED(HTTP_MALFORMED, POST "Content-Length:\r\n\r\n");
    REFUSED(HTTP_MALFORMED, POST "Content-Length: 99999999999999999999\r\n\r\n");
    REFUSED(HTTP_MALFORMED, POST "Transfer-Encoding: gzip, chunked\r\n\r\n");
    REFUSED(HTTP_MALFORMED,
            POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n");
    REFUSED(HTTP_MALFORMED, POST "Transfer-Encoding: identity\r\n\r\n");
    REFUSED(HTTP_MALFORMED, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
    REFUSED(HTTP_MALFORMED, POST "Expect: 200-ok\r\n\r\n");
    REFUSED(HTTP_MALFORMED, "GET / HTTP/1.2\r\nHost: a\r\n\r\n");
    REFUSED(HTTP_MALFORMED, "G(T / HTTP/1.1\r\nHost: a\r\n\r\n");
    /* A framing fault wins over a fault of a field that comes before it. */
    REFUSED(HTTP_MALFORMED, POST "Authorization: \xff\r\nContent-Length: x\r\n\r\n");
    REFUSED(HTTP_MALFORMED, POST "Content-Encoding: gzip\r\nHost: b\r\n\r\n");
}

static void test_fields(void **state)
{
    (void)state;
    REFUSED(HTTP_INVALID, GET "Authorization: \xc3\xbc\r\n\r\n");
    assert_string_equal(parsed.refusal.pointer, "/header/Authorization");
    REFUSED(HTTP_INVALID, GET "Authorization: a\tb\r\n\r\n");
    REFUSED(HTTP_INVALID, GET "Authorization: a \r\n\r\n");
    REFUSED(HTTP_INVALID, GET "Idempotency-Key:\r\n\r\n");
    assert_string_equal(parsed.refusal.pointer, "/header/Idempotency-Key");
    REFUSED(HTTP_MALFORMED, GET "Authorization: a\r\nAuthorization: b\r\n\r\n");
    REFUSED(HTTP_MEDIA_TYPE, POST "Content-Encoding: gzip\r\n\r\n");
    ACCEPTED(POST "Content-Encoding: identity\r\n\r\n");
    REFUSED(HTTP_MALFORMED, GET "X: a\x01\r\n\r\n");
    REFUSED(HTTP_MALFORMED, GET "X: a\x7f\r\n\r\n");
    REFUSED(HTTP_MALFORMED, GET "X: a\rb\r\n\r\n");
    REFUSED(HTTP_MALFORMED, GET "X\xc3\xbc: a\r\n\r\n");
    REFUSED(HTTP_MALFORMED, GET ": a\r\n\r\n");
}

/* Lists that may be spread over lines; what is not understood is no wish, and never a refusal. */
static void test_wishes(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        unsigned accepts;
    } cases[] = {
        {"Accept: */*\r\n", 0},
        {"Accept-Encoding: gzip\r\n", MESSAGE_ACCEPTS_GZIP},
        {"accept-encoding:deflate , GZip;q=0.001,br\r\n", MESSAGE_ACCEPTS_GZIP},
        {"Accept-Encoding: gzip;q=0\r\n", 0},
        {"Accept-Encoding: gzip ; q=0.000\r\n", 0},
        {"Accept-Encoding: gzip;q=x\r\n", 0},
        {"Accept-Encoding: gzipped, x-gzip2\r\n", 0},
        {"Accept-Encoding: identity, *\r\n", 0},
        {"Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n", MESSAGE_ACCEPTS_GZIP},
        {"Accept-Encoding: ,,;;,gzip,\r\n", MESSAGE_ACCEPTS_GZIP},
        {"Accept-Encoding:\r\n", 0},
        {"Accept: text/plain\r\n", MESSAGE_ACCEPTS_PLAIN},
        {"Accept: TEXT/plain;charset=utf-8, */*;q=0.8\r\n", MESSAGE_ACCEPTS_PLAIN},
        {"Accept: text/plain;q=0.5, application/json\r\n", 0},
        {"Accept: text/plain, application/json\r\n", 0},
        {"Accept: application/json;q=0.5\r\nAccept: text/plain;v=1;q=0.51\r\n",
         MESSAGE_ACCEPTS_PLAIN},
        {"Accept: text/plain;q=0\r\n", 0},
        {"Accept: text/plain;q=0.\r\n", 0},
        {"Accept: text/*\r\n", 0},
        {"Accept: text/plain;q=0.9, application/*;q=0.95\r\n", 0},
        {"Accept: text/plain;\r\n", MESSAGE_ACCEPTS_PLAIN},
        {"Accept: text/plain\r\nAccept-Encoding: gzip\r\n",
         MESSAGE_ACCEPTS_PLAIN | MESSAGE_ACCEPTS_GZIP},
    };
    for (size_t i = 0; i < CT_ARRAY_LENGTH(cases); i++) {
        char head[512];
        int length = snprintf(head, sizeof head, GET "%s\r\n", cases[i].lines);
        check(head, (size_t)length);
        assert_int_equal(parsed.verdict, HTTP_ACCEPTED);
        if (parsed.facts.accepts != cases[i].accepts)
            fail_msg("%s gives %u", cases[i].lines, parsed.facts.accepts);
    }
}

static void test_types(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool json;
    } types[] = {
        {"application/json", true},
        {"Application/JSON", true},
        {"application/json; charset=utf-8", true},
        {"application/json ;\tcharset=UTF-8  ", true},
        {"application/json;charset=\"utf-8\"", true},
        {"application/json; charset=latin-1", false},
        {"application/json; charset=utf-8; x=y", false},
        {"application/json;", false},
        {"application/jsonx", false},
        {"application/problem+json", false},
        {"text/json", false},
        {"", false},
    };
    for (size_t i = 0; i < CT_ARRAY_LENGTH(types); i++) {
        char head[256];
        int length = snprintf(head, sizeof head, POST "Content-Type: %s\r\n\r\n", types[i].value);
        check(head, (size_t)length);
        assert_int_equal(parsed.verdict, HTTP_ACCEPTED);
        assert_true(parsed.facts.has_type);
        assert_int_equal(parsed.facts.type_is_json, types[i].json);
    }
}

/* What the lenient library hides: only where its strings lie shows it. */
static void test_layout(void **state)
{
    (void)state;
    NOT_TAKEN("GET /v1/me HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n");
    NOT_TAKEN("GET /v1/me HTTP/1.1\r\nHost : a\r\n\r\n");
    NOT_TAKEN("GET /v1/me HTTP/1.1\r\n Host: a\r\n\r\n");
    NOT_TAKEN(GET "X: y\r\n folded\r\n\r\n");
    NOT_TAKEN(GET "Conten: 5\r\n t-Length\r\n\r\n");
    NOT_TAKEN(GET "X: y\n\r\n");
    NOT_TAKEN("GET /v1/me HTTP/1.1\nHost: a\r\n\r\n");
    NOT_TAKEN(GET "\n");
    NOT_TAKEN(GET "X: a\0b\r\n\r\n");
    NOT_TAKEN(GET "X\0: a\r\nY: b\r\n\r\n");
    NOT_TAKEN(GET "\0X: a\r\nContent-Length: 5\r\n\r\n");
    NOT_TAKEN(GET "X: a\r\n\0\r\n\r\n");
    NOT_TAKEN(GET "X: a\n\0b\n");
    NOT_TAKEN(GET "X: a\0b\n\n");
    NOT_TAKEN("GET /v1/me\0x HTTP/1.1\r\nHost: a\r\n\r\n");
    NOT_TAKEN("GET  /v1/me HTTP/1.1\r\nHost: a\r\n\r\n");
    NOT_TAKEN("GET\0 /v1/me HTTP/1.1\r\nHost: a\r\n\r\n");
    /* Spaces inside the target stay in it, for http_parse_target() to refuse. */
    CHECK("GET /v1/me  HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_string_equal(parsed.head.target, "/v1/me ");
}

/* Every byte of a good head changed to every value that means something to a parser: what is still
 * taken must read the same to a parser that knows nothing but RFC 9112, but for a NUL in place of
 * a CR, see http_check_layout(). */
static void test_changed_bytes(void **state)
{
    (void)state;
    static const char good[] = GET "X: y\r\nZ:\tw\r\n\r\n";
    static const char values[] = {0, '\t', '\n', '\r', ' ', ':', 'a', '\x7f', '\xff'};
    for (size_t i = 0; i < sizeof good - 1; i++) {
        for (size_t v = 0; v < sizeof values; v++) {
            char head[sizeof good];
            memcpy(head, good, sizeof good);
            head[i] = values[v];
            struct http_target target;
            if (!take(head, sizeof good - 1) || parsed.verdict == HTTP_MALFORMED ||
                !parsed.layout ||
                http_parse_target(parsed.bytes + (parsed.head.target - parsed.bytes),
                                  parsed.head.target_length, &target,
                                  &parsed.refusal) == HTTP_MALFORMED)
                continue;
            /* It was taken: as many lines as line ends, and no control character but in those. */
            size_t lines = 0;
            const char *end = head + (parsed.in.at - parsed.bytes);
            for (const char *c = head + (parsed.head.method - parsed.bytes); c < end; c++) {
                if ((c[0] == '\r' || c[0] == '\0') && c[1] == '\n') {
                    lines++;
                    c++;
                    continue;
                }
                assert_true((unsigned char)*c >= 0x20 || *c == '\t');
                assert_true(*c != 0x7f);
            }
            assert_int_equal(lines, parsed.head.header_count + 2);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),   cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_framing), cmocka_unit_test(test_fields),
        cmocka_unit_test(test_types),   cmocka_unit_test(test_wishes),
        cmocka_unit_test(test_layout),  cmocka_unit_test(test_changed_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
