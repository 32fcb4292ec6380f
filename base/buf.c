// SPDX-License-Identifier: Apache-2.0
#include "base/base.h"

#include <stdlib.h>
#include <string.h>

void ct_buf_init(struct ct_buf *buf, size_t max)
{
    *buf = (struct ct_buf){.max = max};
}

void ct_buf_free(struct ct_buf *buf)
{
    if (buf == NULL)
        return;
    free(buf->data);
    *buf = (struct ct_buf){.max = buf->max};
}

void ct_buf_reset(struct ct_buf *buf)
{
    buf->length = 0;
    buf->failed = false;
}

enum ct_status ct_buf_reserve(struct ct_buf *buf, size_t count)
{
    if (buf->failed || count > buf->max - buf->length) {
        buf->failed = true;
        return CT_LIMIT;
    }
    if (buf->capacity - buf->length >= count)
        return CT_OK;
    size_t wanted = buf->capacity == 0 ? 256 : buf->capacity;
    while (wanted - buf->length < count)
        wanted = wanted > buf->max / 2 ? buf->max : 2 * wanted;
    uint8_t *grown = realloc(buf->data, wanted);
    if (grown == NULL) {
        buf->failed = true;
        return CT_NO_MEMORY;
    }
    buf->data = grown;
    buf->capacity = wanted;
    return CT_OK;
}

enum ct_status ct_buf_append(struct ct_buf *buf, const void *bytes, size_t count)
{
    enum ct_status status = ct_buf_reserve(buf, count);
    if (status != CT_OK)
        return status;
    if (count > 0)
        memcpy(buf->data + buf->length, bytes, count);
    buf->length += count;
    return CT_OK;
}

static enum ct_status append_number(struct ct_buf *buf, uint64_t value, unsigned width)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < width; i++)
        bytes[i] = (uint8_t)(value >> (8 * (width - 1 - i)));
    return ct_buf_append(buf, bytes, width);
}

enum ct_status ct_buf_append_u8(struct ct_buf *buf, uint8_t value)
{
    return append_number(buf, value, 1);
}

enum ct_status ct_buf_append_u16(struct ct_buf *buf, uint16_t value)
{
    return append_number(buf, value, 2);
}

enum ct_status ct_buf_append_u32(struct ct_buf *buf, uint32_t value)
{
    return append_number(buf, value, 4);
}

enum ct_status ct_buf_append_u64(struct ct_buf *buf, uint64_t value)
{
    return append_number(buf, value, 8);
}

static bool read_number(struct ct_cursor *cursor, unsigned width, uint64_t *ret)
{
    const uint8_t *bytes;
    if (!ct_cursor_bytes(cursor, width, &bytes))
        return false;
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++)
        value = value << 8 | bytes[i];
    *ret = value;
    return true;
}

bool ct_cursor_bytes(struct ct_cursor *cursor, size_t count, const uint8_t **ret)
{
    if (count > cursor->left)
        return false;
    *ret = cursor->at;
    cursor->at += count;
    cursor->left -= count;
    return true;
}

bool ct_cursor_u8(struct ct_cursor *cursor, uint8_t *ret)
{
    uint64_t value;
    if (!read_number(cursor, 1, &value))
        return false;
    *ret = (uint8_t)value;
    return true;
}

bool ct_cursor_u16(struct ct_cursor *cursor, uint16_t *ret)
{
    uint64_t value;
    if (!read_number(cursor, 2, &value))
        return false;
    *ret = (uint16_t)value;
    return true;
}

bool ct_cursor_u32(struct ct_cursor *cursor, uint32_t *ret)
{
    uint64_t value;
    if (!read_number(cursor, 4, &value))
        return false;
    *ret = (uint32_t)value;
    return true;
}

bool ct_cursor_u64(struct ct_cursor *cursor, uint64_t *ret)
{
    return read_number(cursor, 8, ret);
}
