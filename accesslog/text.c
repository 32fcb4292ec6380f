// SPDX-License-Identifier: Apache-2.0
/* The small pieces that all text formats are made of. */
#include "accesslog/internal.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <string.h>

/* ---- writing ---- */

void text_begin(struct text_writer *w, char *data, size_t capacity)
{
    *w = (struct text_writer){.data = data, .capacity = capacity, .failed = capacity == 0};
}

static bool has_room(struct text_writer *w, size_t length)
{
    if (!w->failed && length >= w->capacity - w->length)
        w->failed = true;
    return !w->failed;
}

void text_put(struct text_writer *w, const void *bytes, size_t length)
{
    if (length == 0 || !has_room(w, length))
        return;
    memcpy(w->data + w->length, bytes, length);
    w->length += length;
}

void text_put_string(struct text_writer *w, const char *string)
{
    text_put(w, string, strlen(string));
}

void text_put_char(struct text_writer *w, char c)
{
    text_put(w, &c, 1);
}

void text_put_decimal(struct text_writer *w, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    text_put(w, digits + at, sizeof digits - at);
}

void text_put_base64(struct text_writer *w, const void *bytes, size_t count)
{
    /* OpenSSL's encoder, eight times as fast as libsodium's constant-time one: nothing that is
     * encoded here is a secret. Decoding stays with libsodium, which is the strict one. */
    if (count > ACCESSLOG_NOTE_BYTES_MAX) {
        w->failed = true;
        return;
    }
    if (!has_room(w, ACCESSLOG_BASE64_BYTES(count)))
        return;
    int length = EVP_EncodeBlock((unsigned char *)w->data + w->length, bytes, (int)count);
    w->length += (size_t)length;
}

size_t text_end(struct text_writer *w)
{
    if (w->failed)
        return 0;
    w->data[w->length] = '\0';
    return w->length;
}

/* ---- reading ---- */

bool text_take_line(struct text_reader *r, const char **ret_line, size_t *ret_length)
{
    if (r->at == r->end)
        return false;
    const char *lf = memchr(r->at, '\n', (size_t)(r->end - r->at));
    if (lf == NULL)
        return false;
    *ret_line = r->at;
    *ret_length = (size_t)(lf - r->at);
    r->at = lf + 1;
    return true;
}

bool text_take_word(struct text_reader *r, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(r->end - r->at) < length || memcmp(r->at, word, length) != 0)
        return false;
    r->at += length;
    return true;
}

bool text_decimal(const char *text, size_t length, uint64_t max, uint64_t *ret_value)
{
    if (length == 0 || length > 20 || (length > 1 && text[0] == '0'))
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (digit > max || value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return true;
}

bool text_base64(const char *text, size_t length, uint8_t *bytes, size_t capacity,
                 size_t *ret_count)
{
    /* libsodium refuses missing padding, stray characters and bits that are not zero behind the
     * last byte, but only says so with b64_end == NULL; and 1.0.18 takes every byte from 0x80 on
     * for a '/', where char is signed. */
    for (size_t i = 0; i < length; i++) {
        if ((text[i] & 0x80) != 0)
            return false;
    }
    return sodium_base642bin(bytes, capacity, text, length, NULL, ret_count, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0;
}

bool text_base64_hash(const char *text, size_t length, struct accesslog_hash *ret_hash)
{
    struct accesslog_hash hash;
    size_t count;
    if (length != ACCESSLOG_BASE64_BYTES(sizeof hash.bytes) ||
        !text_base64(text, length, hash.bytes, sizeof hash.bytes, &count) ||
        count != sizeof hash.bytes)
        return false;
    *ret_hash = hash;
    return true;
}

/* ---- UTF-8 ---- */

/* Decodes one code point, strictly: shortest form, no surrogate. Returns its length, 0 if bad. */
static size_t utf8_next(const uint8_t *at, size_t left, uint32_t *ret_point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t lead = at[0];
    size_t length = lead < 0x80 ? 1 : lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (length == 0 || length > left || lead > 0xf4)
        return 0;
    uint32_t point = length == 1 ? lead : lead & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (at[i] & 0x3fu);
    }
    if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    *ret_point = point;
    return length;
}

static bool is_control(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0);
}

static bool is_space(uint32_t point)
{
    return point == 0x20 || point == 0xa0 || point == 0x1680 ||
           (point >= 0x2000 && point <= 0x200a) || point == 0x2028 || point == 0x2029 ||
           point == 0x202f || point == 0x205f || point == 0x3000;
}

bool text_is_clean(const char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        uint32_t point;
        size_t step = utf8_next((const uint8_t *)text + at, length - at, &point);
        if (step == 0 || (is_control(point) && point != '\n'))
            return false;
        at += step;
    }
    return true;
}

bool text_is_name(const char *text, size_t length)
{
    if (length == 0 || length > ACCESSLOG_NAME_MAX)
        return false;
    for (size_t at = 0; at < length;) {
        uint32_t point;
        size_t step = utf8_next((const uint8_t *)text + at, length - at, &point);
        if (step == 0 || is_control(point) || is_space(point) || point == '+')
            return false;
        at += step;
    }
    return true;
}
