// SPDX-License-Identifier: Apache-2.0
#include "keeper/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint8_t boot[MESSAGE_BOOT_BYTES] = {0xab, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};

static struct message_request sample_request(void)
{
    static const uint8_t body[] = {'{', 0, 0xff, '}'};
    struct message_request request = {
        .id = 0x1122334455667788,
        .listener = MESSAGE_MACHINES,
        .accepts = MESSAGE_ACCEPTS_GZIP,
        .operation = 9,
        .deadline_ms = 123456789012,
        .peer = "2001:db8::1",
        .thumbprint = "00ff",
        .authorization = "Bearer ctk_x",
        .idempotency_key = "k",
        .path_count = 2,
        .path = {"acc_1", "key_2"},
        .query_count = 2,
        .query = {{"limit", "5"}, {"serial", "Ü 1"}},
        .body = body,
        .body_length = sizeof body,
    };
    memcpy(request.boot, boot, sizeof boot);
    return request;
}

/* The payload of the one frame in buf. */
static const uint8_t *payload_of(const struct ct_buf *buf, uint8_t type, size_t *ret_length)
{
    struct ct_cursor in = {.at = buf->data, .left = buf->length};
    uint32_t length;
    uint8_t found;
    assert_true(ct_cursor_u32(&in, &length));
    assert_int_equal(length, in.left);
    assert_true(ct_cursor_u8(&in, &found));
    assert_int_equal(found, type);
    *ret_length = in.left;
    return in.at;
}

static void test_request(void **state)
{
    (void)state;
    struct ct_buf out;
    struct message_request request = sample_request();
    struct message_request back;
    size_t length;
    ct_buf_init(&out, MESSAGE_FRAME_MAX);
    assert_int_equal(message_request_encode(&out, &request), CT_OK);
    const uint8_t *payload = payload_of(&out, MESSAGE_REQUEST, &length);
    assert_int_equal(message_request_decode(payload, length, &back), CT_OK);
    assert_true(back.id == request.id);
    assert_memory_equal(back.boot, boot, sizeof boot);
    assert_int_equal(back.listener, MESSAGE_MACHINES);
    assert_int_equal(back.accepts, MESSAGE_ACCEPTS_GZIP);
    assert_int_equal(back.operation, 9);
    assert_true(back.deadline_ms == request.deadline_ms);
    assert_string_equal(back.peer, request.peer);
    assert_string_equal(back.thumbprint, request.thumbprint);
    assert_string_equal(back.authorization, request.authorization);
    assert_string_equal(back.idempotency_key, "k");
    assert_int_equal(back.path_count, 2);
    assert_string_equal(back.path[1], "key_2");
    assert_int_equal(back.query_count, 2);
    assert_string_equal(back.query[1].name, "serial");
    assert_string_equal(back.query[1].value, "Ü 1");
    assert_int_equal(back.body_length, request.body_length);
    assert_memory_equal(back.body, request.body, request.body_length);
    ct_buf_free(&out);
}

static void test_absent_is_not_empty(void **state)
{
    (void)state;
    struct ct_buf out;
    struct message_request request = sample_request();
    struct message_request back;
    size_t length;
    ct_buf_init(&out, MESSAGE_FRAME_MAX);
    request.idempotency_key = NULL;
    request.body = NULL;
    request.body_length = 0;
    request.path_count = 0;
    request.query_count = 0;
    assert_int_equal(message_request_encode(&out, &request), CT_OK);
    const uint8_t *payload = payload_of(&out, MESSAGE_REQUEST, &length);
    assert_int_equal(message_request_decode(payload, length, &back), CT_OK);
    assert_null(back.idempotency_key);
    ct_buf_reset(&out);
    request.idempotency_key = "";
    assert_int_equal(message_request_encode(&out, &request), CT_OK);
    payload = payload_of(&out, MESSAGE_REQUEST, &length);
    assert_int_equal(message_request_decode(payload, length, &back), CT_OK);
    assert_string_equal(back.idempotency_key, "");
    assert_int_equal(back.body_length, 0);
    ct_buf_free(&out);
}

static void test_answer_and_taken(void **state)
{
    (void)state;
    struct ct_buf out;
    struct message_answer answer = {.id = 7,
                                    .status = 201,
                                    .header_count = 2,
                                    .headers = {{"Retry-After", "1"}, {"Link", ""}},
                                    .body = (const uint8_t *)"{}",
                                    .body_length = 2};
    struct message_answer back;
    size_t length;
    memcpy(answer.boot, boot, sizeof boot);
    ct_buf_init(&out, MESSAGE_FRAME_MAX);
    assert_int_equal(message_answer_encode(&out, &answer), CT_OK);
    const uint8_t *payload = payload_of(&out, MESSAGE_ANSWER, &length);
    assert_int_equal(message_answer_decode(payload, length, &back), CT_OK);
    assert_int_equal(back.status, 201);
    assert_string_equal(back.headers[0].value, "1");
    assert_string_equal(back.headers[1].name, "Link");
    assert_memory_equal(back.body, "{}", 2);

    const uint64_t ids[] = {1, UINT64_MAX, 3};
    uint64_t ids_back[3];
    uint8_t boot_back[MESSAGE_BOOT_BYTES];
    size_t count;
    ct_buf_reset(&out);
    assert_int_equal(message_taken_encode(&out, boot, ids, 3), CT_OK);
    payload = payload_of(&out, MESSAGE_TAKEN, &length);
    assert_int_equal(message_taken_decode(payload, length, boot_back, ids_back, 3, &count), CT_OK);
    assert_int_equal(count, 3);
    assert_memory_equal(ids_back, ids, sizeof ids);
    assert_int_equal(message_taken_decode(payload, length, boot_back, ids_back, 2, &count),
                     CT_BAD_INPUT);
    assert_int_equal(message_taken_decode(payload, length - 1, boot_back, ids_back, 3, &count),
                     CT_BAD_INPUT);
    ct_buf_free(&out);
}

/* Every shortened payload is refused, and so is one with something after it. Each is copied to its
 * own allocation, so that a sanitizer sees a read behind its end. */
static void test_truncated(void **state)
{
    (void)state;
    struct ct_buf out;
    struct message_request request = sample_request();
    size_t length;
    ct_buf_init(&out, MESSAGE_FRAME_MAX);
    assert_int_equal(message_request_encode(&out, &request), CT_OK);
    const uint8_t *payload = payload_of(&out, MESSAGE_REQUEST, &length);
    for (size_t cut = 0; cut < length; cut++) {
        struct message_request back;
        uint8_t *copy = malloc(cut + 1);
        assert_non_null(copy);
        memcpy(copy, payload, cut);
        copy = realloc(copy, cut > 0 ? cut : 1);
        assert_int_equal(message_request_decode(copy, cut, &back), CT_BAD_INPUT);
        free(copy);
    }
    struct message_request back;
    uint8_t *longer = malloc(length + 1);
    assert_non_null(longer);
    memcpy(longer, payload, length);
    longer[length] = 0;
    assert_int_equal(message_request_decode(longer, length + 1, &back), CT_BAD_INPUT);
    free(longer);
    ct_buf_free(&out);
}

static void test_nul_in_text(void **state)
{
    (void)state;
    struct ct_buf out;
    struct message_request request = sample_request();
    struct message_request back;
    size_t length;
    ct_buf_init(&out, MESSAGE_FRAME_MAX);
    assert_int_equal(message_request_encode(&out, &request), CT_OK);
    const uint8_t *payload = payload_of(&out, MESSAGE_REQUEST, &length);
    uint8_t *peer = memmem(out.data, out.length, "2001:db8", 8);
    assert_non_null(peer);
    peer[3] = 0;
    assert_int_equal(message_request_decode(payload, length, &back), CT_BAD_INPUT);
    ct_buf_free(&out);
}

static void test_too_large(void **state)
{
    (void)state;
    struct ct_buf out;
    struct message_request request = sample_request();
    uint8_t *body = calloc(1, MESSAGE_FRAME_MAX);
    assert_non_null(body);
    ct_buf_init(&out, 2 * (size_t)MESSAGE_FRAME_MAX);
    request.body = body;
    request.body_length = MESSAGE_FRAME_MAX;
    assert_int_equal(message_request_encode(&out, &request), CT_LIMIT);
    assert_int_equal(out.length, 0); /* no half frame */
    free(body);
    ct_buf_free(&out);
}

/* Frames come in pieces of any size, several in one read. */
static void test_reader(void **state)
{
    (void)state;
    struct ct_buf out;
    struct message_request request = sample_request();
    int ends[2];
    ct_buf_init(&out, MESSAGE_FRAME_MAX);
    for (uint64_t id = 1; id <= 3; id++) {
        request.id = id;
        assert_int_equal(message_request_encode(&out, &request), CT_OK);
    }
    for (size_t piece = 1; piece <= out.length; piece += piece < 8 ? 1 : 61) {
        struct message_reader reader;
        uint64_t expected = 1;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        message_reader_init(&reader);
        for (size_t sent = 0; sent < out.length;) {
            size_t now = out.length - sent < piece ? out.length - sent : piece;
            assert_int_equal(message_write(ends[0], out.data + sent, now, ct_mono_ms() + 1000),
                             CT_OK);
            sent += now;
            assert_int_equal(message_reader_fill(&reader, ends[1]), CT_OK);
            uint8_t type;
            const uint8_t *payload;
            size_t length;
            while (message_reader_next(&reader, &type, &payload, &length) == CT_OK) {
                struct message_request back;
                assert_int_equal(type, MESSAGE_REQUEST);
                assert_int_equal(message_request_decode(payload, length, &back), CT_OK);
                assert_int_equal(back.id, expected);
                expected++;
            }
        }
        assert_int_equal(expected, 4);
        (void)close(ends[0]);
        assert_int_equal(message_reader_fill(&reader, ends[1]), CT_NOT_FOUND);
        (void)close(ends[1]);
        message_reader_free(&reader);
    }
    ct_buf_free(&out);
}

static void test_reader_refuses(void **state)
{
    (void)state;
    static const uint8_t bad[2][5] = {{0, 0, 0, 0, 1}, {0xff, 0xff, 0xff, 0xff, 1}};
    for (size_t i = 0; i < 2; i++) {
        struct message_reader reader;
        uint8_t type;
        const uint8_t *payload;
        size_t length;
        int ends[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        message_reader_init(&reader);
        assert_int_equal(message_reader_next(&reader, &type, &payload, &length), CT_NOT_FOUND);
        assert_int_equal(message_write(ends[0], bad[i], 5, ct_mono_ms() + 1000), CT_OK);
        assert_int_equal(message_reader_fill(&reader, ends[1]), CT_OK);
        assert_int_equal(message_reader_next(&reader, &type, &payload, &length), CT_BAD_INPUT);
        message_reader_free(&reader);
        (void)close(ends[0]);
        (void)close(ends[1]);
    }
}

/* A reader that does not read: the write ends at its deadline. */
static void test_write_deadline(void **state)
{
    (void)state;
    int ends[2];
    size_t size = 4u << 20;
    uint8_t *bytes = calloc(1, size);
    assert_non_null(bytes);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    int64_t start = ct_mono_ms();
    assert_int_equal(message_write(ends[0], bytes, size, start + 50), CT_IO);
    assert_true(ct_mono_ms() - start >= 49);
    (void)close(ends[1]);
    assert_int_equal(message_write(ends[0], bytes, 1, ct_mono_ms() + 1000), CT_IO);
    (void)close(ends[0]);
    free(bytes);
}

static void test_request_id(void **state)
{
    (void)state;
    char name[MESSAGE_REQUEST_ID_TEXT];
    message_request_id(boot, 0x0123456789abcdef, name);
    assert_string_equal(name, "req_ab010203040506070123456789abcdef");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),          cmocka_unit_test(test_absent_is_not_empty),
        cmocka_unit_test(test_answer_and_taken), cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_nul_in_text),      cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_reader),           cmocka_unit_test(test_reader_refuses),
        cmocka_unit_test(test_write_deadline),   cmocka_unit_test(test_request_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
