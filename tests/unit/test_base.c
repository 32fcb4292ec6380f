// SPDX-License-Identifier: Apache-2.0
#include "base/base.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static const struct ct_json_limits limits = {.depth = 4, .values = 20};

static enum ct_status decode(const char *text, struct ct_error *err)
{
    json_t *json = NULL;
    enum ct_status status = ct_json_decode(text, strlen(text), limits, &json, err);
    json_decref(json);
    return status;
}

static void test_json_limits(void **state)
{
    (void)state;
    struct ct_error err = {0};
    assert_int_equal(decode("{\"a\":[1,2,{\"b\":\"}]\"}]}", &err), CT_OK);
    assert_int_equal(decode("{\"a\":[[[1]]]}", &err), CT_OK);
    assert_int_equal(decode("{\"a\":[[[[1]]]]}", &err), CT_LIMIT);
    assert_int_equal(decode("{\"a\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}", &err), CT_LIMIT);
    assert_int_equal(decode("{\"a\":[{},{},{},{},{},{},{},{},{},{},{}]}", &err), CT_LIMIT);
}

static void test_json_refusals(void **state)
{
    (void)state;
    struct ct_error err = {0};
    assert_int_equal(decode("[1]", &err), CT_BAD_INPUT);
    assert_int_equal(decode("", &err), CT_BAD_INPUT);
    assert_int_equal(decode("{\"a\":1,\"a\":2}", &err), CT_BAD_INPUT);
    assert_int_equal(decode("{\"a\":\"\\u0000\"}", &err), CT_BAD_INPUT);
    assert_int_equal(decode("{\"a\":\"\xff\"}", &err), CT_BAD_INPUT);
    assert_int_equal(decode("{\"a\":1} x", &err), CT_BAD_INPUT);
    assert_non_null(strstr(err.text, "line 1"));
}

static void test_buffer_bounds(void **state)
{
    (void)state;
    struct ct_buf buf;
    ct_buf_init(&buf, 10);
    assert_int_equal(ct_buf_append(&buf, "12345678", 8), CT_OK);
    assert_int_equal(ct_buf_append_u16(&buf, 0x3930), CT_OK);
    assert_int_equal(ct_buf_append_u8(&buf, 1), CT_LIMIT);
    assert_true(buf.failed);
    assert_int_equal(ct_buf_append(&buf, "", 0), CT_LIMIT);
    assert_memory_equal(buf.data, "1234567890", 10);
    ct_buf_reset(&buf);
    assert_int_equal(ct_buf_append_u64(&buf, 0x0102030405060708), CT_OK);
    struct ct_cursor cursor = {.at = buf.data, .left = buf.length};
    uint32_t high;
    uint64_t more;
    assert_true(ct_cursor_u32(&cursor, &high));
    assert_int_equal(high, 0x01020304);
    assert_false(ct_cursor_u64(&cursor, &more));
    assert_int_equal(cursor.left, 4);
    ct_buf_free(&buf);
}

static void test_json_strings(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "plain", "a\nb\"c\\d", "\x01\x1f\t", "Guðrún — 東京"};
    for (size_t i = 0; i < CT_ARRAY_LENGTH(texts); i++) {
        struct ct_buf buf;
        ct_buf_init(&buf, 1000);
        ct_json_append_string(&buf, texts[i]);
        json_t *json = json_loadb((const char *)buf.data, buf.length, JSON_DECODE_ANY, NULL);
        assert_string_equal(json_string_value(json), texts[i]);
        char *form = ct_json_text(json);
        assert_int_equal(strlen(form), buf.length);
        assert_memory_equal(form, buf.data, buf.length);
        free(form);
        json_decref(json);
        ct_buf_free(&buf);
    }
}

/* Every byte at every place of a long text, among bytes of all kinds. */
static void test_json_strings_bytes(void **state)
{
    (void)state;
    for (int byte = 1; byte < 0x80; byte++) {
        for (size_t place = 0; place < 24; place++) {
            char text[] = "\x7f!#[]~ x\xc3\xa9@^`ab\xe2\x82\xac!!##[[]]~~  ";
            struct ct_buf buf;
            size_t length = strlen(text);
            /* Bytes that are part of a longer character stay. */
            if ((unsigned char)text[place] >= 0x80)
                continue;
            text[place] = (char)byte;
            ct_buf_init(&buf, 1000);
            ct_json_append_string(&buf, text);
            json_t *json = json_stringn(text, length);
            char *form = ct_json_text(json);
            assert_int_equal(strlen(form), buf.length);
            assert_memory_equal(form, buf.data, buf.length);
            free(form);
            json_decref(json);
            ct_buf_free(&buf);
        }
    }
}

/* What the writers write, jansson reads and writes again byte for byte. */
static void test_json_writers(void **state)
{
    (void)state;
    static const double reals[] = {
        0, 1, -2.5, 0.1, 1.0 / 3, 1e21, 1.5e-7, 1e300, 5e-324, 123456789, 0.99999999999999989};
    struct ct_buf out;
    ct_buf_init(&out, 4096);
    ct_json_write_open(&out, NULL, '{');
    ct_json_write_open(&out, "none", '{');
    ct_json_write_close(&out, '}');
    ct_json_write_text(&out, "text", "ends with {");
    ct_json_write_text(&out, "nothing", NULL);
    ct_json_write_open(&out, "numbers", '[');
    ct_json_write_int(&out, NULL, 0);
    ct_json_write_int(&out, NULL, INT64_MIN);
    ct_json_write_int(&out, NULL, INT64_MAX);
    for (size_t i = 0; i < CT_ARRAY_LENGTH(reals); i++)
        ct_json_write_real(&out, NULL, reals[i]);
    ct_json_write_real(&out, NULL, (double)INFINITY);
    ct_json_write_close(&out, ']');
    ct_json_write_bool(&out, "yes", true);
    ct_json_write_raw(&out, "raw", "[]");
    json_t *inner = json_pack("{s:[i,s]}", "a", 1, "b");
    ct_json_write_json(&out, "inner", inner);
    json_decref(inner);
    ct_json_write_close(&out, '}');
    char *text = ct_json_write_end(&out);
    assert_non_null(text);
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    for (size_t i = 0; i < CT_ARRAY_LENGTH(reals); i++)
        assert_true(json_real_value(json_array_get(json_object_get(json, "numbers"), i + 3)) ==
                    reals[i]);
    char *again = ct_json_text(json);
    assert_string_equal(text, again);
    free(again);
    free(text);
    json_decref(json);
}

static void test_json_writers_bound(void **state)
{
    (void)state;
    struct ct_buf out;
    ct_buf_init(&out, 300);
    json_t *large = json_stringn_nocheck("0123456789012345678901234567890123456789", 40);
    ct_json_write_open(&out, NULL, '[');
    for (int i = 0; i < 6; i++)
        ct_json_write_json(&out, NULL, large);
    assert_false(out.failed);
    ct_json_write_json(&out, NULL, large);
    assert_true(out.failed);
    ct_json_write_text(&out, "more", "text");
    assert_null(ct_json_write_end(&out));
    assert_null(out.data);
    json_decref(large);
}

static void test_ids(void **state)
{
    (void)state;
    uint8_t uuid[CT_UUID_BYTES];
    char id[CT_ID_TEXT];
    char text[CT_UUID_TEXT];
    assert_int_equal(ct_uuid_parse("frm_00112233445566778899aabbccddeeff", uuid), CT_OK);
    ct_id_format("sal", uuid, id);
    ct_uuid_format(uuid, text);
    assert_string_equal(id, "sal_00112233445566778899aabbccddeeff");
    assert_string_equal(text, "00112233-4455-6677-8899-aabbccddeeff");
    assert_int_equal(ct_uuid_parse(text, uuid), CT_OK);
    assert_int_equal(ct_uuid_parse("frm_0011", uuid), CT_BAD_INPUT);
    assert_int_equal(ct_uuid_parse("frm_00112233445566778899aabbccddeeff00", uuid), CT_BAD_INPUT);
    assert_int_equal(ct_uuid_parse("frm_0011223344556677889xaabbccddeeff", uuid), CT_BAD_INPUT);
}

static void test_time(void **state)
{
    (void)state;
    char text[CT_TIME_TEXT];
    ct_time_format(1772366400007, text);
    assert_string_equal(text, "2026-03-01T12:00:00.007Z");
}

/* No text of a client's forges a line of the operational log. */
static void test_log_escapes(void **state)
{
    (void)state;
    int ends[2];
    char line[512] = {0};
    int saved = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    ct_log(CT_LOG_ERROR, "a\r\nb\x1b[2J");
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    ssize_t length = read(ends[0], line, sizeof line - 1);
    (void)close(saved);
    (void)close(ends[0]);
    (void)close(ends[1]);
    assert_true(length > 0);
    assert_non_null(strstr(line, "a\\x0d\\x0ab\\x1b[2J"));
    assert_ptr_equal(strchr(line, '\n'), line + length - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_limits),
        cmocka_unit_test(test_json_refusals),
        cmocka_unit_test(test_buffer_bounds),
        cmocka_unit_test(test_json_strings),
        cmocka_unit_test(test_json_strings_bytes),
        cmocka_unit_test(test_json_writers),
        cmocka_unit_test(test_json_writers_bound),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_log_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
