// SPDX-License-Identifier: Apache-2.0
#include "keeper/message.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_CHUNK (256u << 10)

/* ---- encoding -------------------------------------------------------------------------- */

static void put_bytes(struct ct_buf *out, const void *bytes, size_t length)
{
    (void)ct_buf_append_u32(out, (uint32_t)length);
    (void)ct_buf_append(out, bytes, length);
}

static void put_text(struct ct_buf *out, const char *text)
{
    size_t length = strlen(text);
    put_bytes(out, text, length);
    (void)ct_buf_append_u8(out, 0);
}

/* Leaves room for the length and writes the type; frame_close() fills in the length. */
static size_t frame_open(struct ct_buf *out, enum message_type type)
{
    size_t start = out->length;
    (void)ct_buf_append_u32(out, 0);
    (void)ct_buf_append_u8(out, (uint8_t)type);
    return start;
}

static enum ct_status frame_close(struct ct_buf *out, size_t start)
{
    /* What does not fit leaves nothing behind, so that others' frames in the buffer stay whole. */
    if (out->failed) {
        out->length = start;
        out->failed = false;
        return CT_LIMIT;
    }
    size_t length = out->length - start - 4;
    if (length > MESSAGE_FRAME_MAX) {
        out->length = start;
        return CT_LIMIT;
    }
    for (unsigned i = 0; i < 4; i++)
        out->data[start + i] = (uint8_t)(length >> (8 * (3 - i)));
    return CT_OK;
}

enum ct_status message_request_encode(struct ct_buf *out, const struct message_request *request)
{
    size_t start = frame_open(out, MESSAGE_REQUEST);
    (void)ct_buf_append_u64(out, request->id);
    (void)ct_buf_append(out, request->boot, MESSAGE_BOOT_BYTES);
    (void)ct_buf_append_u8(out, request->listener);
    (void)ct_buf_append_u8(out, request->accepts);
    (void)ct_buf_append_u16(out, request->operation);
    (void)ct_buf_append_u64(out, (uint64_t)request->deadline_ms);
    put_text(out, request->peer);
    put_text(out, request->thumbprint);
    put_text(out, request->authorization);
    (void)ct_buf_append_u8(out, request->idempotency_key != NULL);
    if (request->idempotency_key != NULL)
        put_text(out, request->idempotency_key);
    (void)ct_buf_append_u8(out, (uint8_t)request->path_count);
    for (unsigned i = 0; i < request->path_count; i++)
        put_text(out, request->path[i]);
    (void)ct_buf_append_u8(out, (uint8_t)request->query_count);
    for (unsigned i = 0; i < request->query_count; i++) {
        put_text(out, request->query[i].name);
        put_text(out, request->query[i].value);
    }
    put_bytes(out, request->body, request->body_length);
    return frame_close(out, start);
}

enum ct_status message_answer_encode(struct ct_buf *out, const struct message_answer *answer)
{
    size_t start = frame_open(out, MESSAGE_ANSWER);
    (void)ct_buf_append_u64(out, answer->id);
    (void)ct_buf_append(out, answer->boot, MESSAGE_BOOT_BYTES);
    (void)ct_buf_append_u16(out, answer->status);
    (void)ct_buf_append_u8(out, (uint8_t)answer->header_count);
    for (unsigned i = 0; i < answer->header_count; i++) {
        put_text(out, answer->headers[i].name);
        put_text(out, answer->headers[i].value);
    }
    put_bytes(out, answer->body, answer->body_length);
    return frame_close(out, start);
}

enum ct_status message_taken_encode(struct ct_buf *out, const uint8_t boot[MESSAGE_BOOT_BYTES],
                                    const uint64_t *ids, size_t count)
{
    size_t start = frame_open(out, MESSAGE_TAKEN);
    (void)ct_buf_append(out, boot, MESSAGE_BOOT_BYTES);
    for (size_t i = 0; i < count; i++)
        (void)ct_buf_append_u64(out, ids[i]);
    return frame_close(out, start);
}

/* ---- decoding -------------------------------------------------------------------------- */

static bool get_bytes(struct ct_cursor *in, const uint8_t **ret, size_t *ret_length)
{
    uint32_t length;
    if (!ct_cursor_u32(in, &length) || !ct_cursor_bytes(in, length, ret))
        return false;
    *ret_length = length;
    return true;
}

static bool get_text(struct ct_cursor *in, const char **ret)
{
    const uint8_t *bytes;
    size_t length;
    uint8_t end;
    if (!get_bytes(in, &bytes, &length) || !ct_cursor_u8(in, &end) || end != 0 ||
        memchr(bytes, 0, length) != NULL)
        return false;
    *ret = (const char *)bytes;
    return true;
}

static bool get_pairs(struct ct_cursor *in, struct message_pair *pairs, size_t max,
                      unsigned *ret_count)
{
    uint8_t count;
    if (!ct_cursor_u8(in, &count) || count > max)
        return false;
    for (unsigned i = 0; i < count; i++) {
        if (!get_text(in, &pairs[i].name) || !get_text(in, &pairs[i].value))
            return false;
    }
    *ret_count = count;
    return true;
}

static bool get_boot(struct ct_cursor *in, uint8_t ret[MESSAGE_BOOT_BYTES])
{
    const uint8_t *bytes;
    if (!ct_cursor_bytes(in, MESSAGE_BOOT_BYTES, &bytes))
        return false;
    memcpy(ret, bytes, MESSAGE_BOOT_BYTES);
    return true;
}

enum ct_status message_request_decode(const uint8_t *payload, size_t length,
                                      struct message_request *ret)
{
    struct ct_cursor in = {.at = payload, .left = length};
    struct message_request request = {0};
    uint64_t deadline;
    uint8_t has_key;
    uint8_t path_count;
    if (!ct_cursor_u64(&in, &request.id) || !get_boot(&in, request.boot) ||
        !ct_cursor_u8(&in, &request.listener) || !ct_cursor_u8(&in, &request.accepts) ||
        request.accepts > MESSAGE_ACCEPTS_ALL || !ct_cursor_u16(&in, &request.operation) ||
        !ct_cursor_u64(&in, &deadline) || !get_text(&in, &request.peer) ||
        !get_text(&in, &request.thumbprint) || !get_text(&in, &request.authorization) ||
        !ct_cursor_u8(&in, &has_key))
        return CT_BAD_INPUT;
    request.deadline_ms = (int64_t)deadline;
    if (has_key != 0 && !get_text(&in, &request.idempotency_key))
        return CT_BAD_INPUT;
    if (!ct_cursor_u8(&in, &path_count) || path_count > MESSAGE_PATH_MAX)
        return CT_BAD_INPUT;
    request.path_count = path_count;
    for (unsigned i = 0; i < path_count; i++) {
        if (!get_text(&in, &request.path[i]))
            return CT_BAD_INPUT;
    }
    if (!get_pairs(&in, request.query, MESSAGE_QUERY_MAX, &request.query_count) ||
        !get_bytes(&in, &request.body, &request.body_length) || in.left != 0)
        return CT_BAD_INPUT;
    *ret = request;
    return CT_OK;
}

enum ct_status message_answer_decode(const uint8_t *payload, size_t length,
                                     struct message_answer *ret)
{
    struct ct_cursor in = {.at = payload, .left = length};
    struct message_answer answer = {0};
    if (!ct_cursor_u64(&in, &answer.id) || !get_boot(&in, answer.boot) ||
        !ct_cursor_u16(&in, &answer.status) ||
        !get_pairs(&in, answer.headers, MESSAGE_HEADERS_MAX, &answer.header_count) ||
        !get_bytes(&in, &answer.body, &answer.body_length) || in.left != 0)
        return CT_BAD_INPUT;
    *ret = answer;
    return CT_OK;
}

enum ct_status message_taken_decode(const uint8_t *payload, size_t length,
                                    uint8_t ret_boot[MESSAGE_BOOT_BYTES], uint64_t *ids, size_t max,
                                    size_t *ret_count)
{
    struct ct_cursor in = {.at = payload, .left = length};
    size_t count = 0;
    if (!get_boot(&in, ret_boot) || in.left % 8 != 0 || in.left / 8 > max)
        return CT_BAD_INPUT;
    while (ct_cursor_u64(&in, &ids[count]))
        count++;
    *ret_count = count;
    return CT_OK;
}

/* ---- names ----------------------------------------------------------------------------- */

void message_request_id(const uint8_t boot[MESSAGE_BOOT_BYTES], uint64_t id,
                        char ret[MESSAGE_REQUEST_ID_TEXT])
{
    uint8_t name[16];
    memcpy(name, boot, 8);
    for (unsigned i = 0; i < 8; i++)
        name[8 + i] = (uint8_t)(id >> (8 * (7 - i)));
    memcpy(ret, "req_", 4);
    ct_hex_encode(name, sizeof name, ret + 4);
}

/* ---- streams --------------------------------------------------------------------------- */

void message_reader_init(struct message_reader *reader)
{
    *reader = (struct message_reader){0};
    ct_buf_init(&reader->buf, 2 * (size_t)MESSAGE_FRAME_MAX);
}

void message_reader_free(struct message_reader *reader)
{
    ct_buf_free(&reader->buf);
    reader->start = 0;
}

enum ct_status message_reader_fill(struct message_reader *reader, int fd)
{
    struct ct_buf *buf = &reader->buf;
    if (reader->start > 0) {
        memmove(buf->data, buf->data + reader->start, buf->length - reader->start);
        buf->length -= reader->start;
        reader->start = 0;
    }
    enum ct_status status = ct_buf_reserve(buf, READ_CHUNK);
    if (status != CT_OK)
        return status;
    ssize_t count;
    do {
        count = read(fd, buf->data + buf->length, READ_CHUNK);
    } while (count < 0 && errno == EINTR);
    if (count == 0)
        return CT_NOT_FOUND;
    if (count < 0)
        return errno == EAGAIN ? CT_OK : CT_IO;
    buf->length += (size_t)count;
    return CT_OK;
}

enum ct_status message_reader_next(struct message_reader *reader, uint8_t *ret_type,
                                   const uint8_t **ret_payload, size_t *ret_length)
{
    if (reader->buf.data == NULL)
        return CT_NOT_FOUND;
    struct ct_cursor in = {.at = reader->buf.data + reader->start,
                           .left = reader->buf.length - reader->start};
    uint32_t length;
    if (!ct_cursor_u32(&in, &length))
        return CT_NOT_FOUND;
    if (length < 1 || length > MESSAGE_FRAME_MAX)
        return CT_BAD_INPUT;
    if (in.left < length)
        return CT_NOT_FOUND;
    *ret_type = in.at[0];
    *ret_payload = in.at + 1;
    *ret_length = length - 1;
    reader->start += 4 + (size_t)length;
    return CT_OK;
}

enum ct_status message_write(int fd, const void *bytes, size_t length, int64_t deadline_ms)
{
    const uint8_t *at = bytes;
    while (length > 0) {
        ssize_t count = send(fd, at, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count >= 0) {
            at += count;
            length -= (size_t)count;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            return CT_IO;
        int64_t left_ms = deadline_ms - ct_mono_ms();
        struct pollfd wait = {.fd = fd, .events = POLLOUT};
        if (left_ms <= 0 || (poll(&wait, 1, (int)left_ms) < 0 && errno != EINTR))
            return CT_IO;
    }
    return CT_OK;
}
