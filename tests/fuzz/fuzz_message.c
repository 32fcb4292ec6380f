// SPDX-License-Identifier: Apache-2.0
#include "keeper/message.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What one process may read from the other when that one is not what it should be. What decodes is
 * encoded again and must give the same bytes. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct ct_buf *out, const uint8_t *payload, size_t length)
{
    assert(out->length == length + 5);
    assert(memcmp(out->data + 5, payload, length) == 0);
}

static void take_request(const uint8_t *payload, size_t length)
{
    struct message_request request;
    struct ct_buf out;
    if (message_request_decode(payload, length, &request) != CT_OK)
        return;
    ct_buf_init(&out, MESSAGE_FRAME_MAX);
    /* A key that is there may be marked by any number but zero. */
    if (message_request_encode(&out, &request) == CT_OK && request.idempotency_key == NULL)
        same(&out, payload, length);
    ct_buf_free(&out);
}

static void take_answer(const uint8_t *payload, size_t length)
{
    struct message_answer answer;
    struct ct_buf out;
    if (message_answer_decode(payload, length, &answer) != CT_OK)
        return;
    ct_buf_init(&out, MESSAGE_FRAME_MAX);
    if (message_answer_encode(&out, &answer) == CT_OK)
        same(&out, payload, length);
    ct_buf_free(&out);
}

static void take_taken(const uint8_t *payload, size_t length)
{
    uint64_t ids[64];
    uint8_t boot[MESSAGE_BOOT_BYTES];
    size_t count;
    struct ct_buf out;
    if (message_taken_decode(payload, length, boot, ids, 64, &count) != CT_OK)
        return;
    ct_buf_init(&out, MESSAGE_FRAME_MAX);
    if (message_taken_encode(&out, boot, ids, count) == CT_OK)
        same(&out, payload, length);
    ct_buf_free(&out);
}

/* Frames as they come in one stream. */
static void take_stream(const uint8_t *data, size_t size)
{
    struct message_reader reader;
    uint8_t type;
    const uint8_t *payload;
    size_t length;
    message_reader_init(&reader);
    if (ct_buf_append(&reader.buf, data, size) == CT_OK) {
        while (message_reader_next(&reader, &type, &payload, &length) == CT_OK) {
            if (type == MESSAGE_REQUEST)
                take_request(payload, length);
            else if (type == MESSAGE_ANSWER)
                take_answer(payload, length);
            else if (type == MESSAGE_TAKEN)
                take_taken(payload, length);
        }
    }
    message_reader_free(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    /* Payloads in an allocation of their own size, so that a read behind the end is seen. */
    uint8_t *copy = malloc(size - 1 > 0 ? size - 1 : 1);
    if (copy == NULL)
        return 0;
    memcpy(copy, data + 1, size - 1);
    switch (data[0] % 4) {
    case 0:
        take_request(copy, size - 1);
        break;
    case 1:
        take_answer(copy, size - 1);
        break;
    case 2:
        take_taken(copy, size - 1);
        break;
    default:
        take_stream(copy, size - 1);
        break;
    }
    free(copy);
    return 0;
}
