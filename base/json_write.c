// SPDX-License-Identifier: Apache-2.0
#include "base/base.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Whether a value needs a comma before it can be seen from the byte before: a text ends with its
 * quotation mark, so a bracket there was opened and nothing is in it yet. */
static bool is_first(const struct ct_buf *out)
{
    uint8_t last = out->length == 0 ? '[' : out->data[out->length - 1];
    return last == '{' || last == '[';
}

static void write_name(struct ct_buf *out, const char *name)
{
    size_t length = name == NULL ? 0 : strlen(name);
    if (ct_buf_reserve(out, length + 4) != CT_OK)
        return;
    uint8_t *at = out->data + out->length;
    if (!is_first(out))
        *at++ = ',';
    if (name != NULL) {
        *at++ = '"';
        memcpy(at, name, length);
        at += length;
        *at++ = '"';
        *at++ = ':';
    }
    out->length = (size_t)(at - out->data);
}

void ct_json_write_open(struct ct_buf *out, const char *name, char bracket)
{
    write_name(out, name);
    (void)ct_buf_append(out, &bracket, 1);
}

void ct_json_write_close(struct ct_buf *out, char bracket)
{
    (void)ct_buf_append(out, &bracket, 1);
}

void ct_json_write_raw(struct ct_buf *out, const char *name, const char *json)
{
    write_name(out, name);
    (void)ct_buf_append(out, json, strlen(json));
}

void ct_json_write_null(struct ct_buf *out, const char *name)
{
    ct_json_write_raw(out, name, "null");
}

void ct_json_write_bool(struct ct_buf *out, const char *name, bool value)
{
    ct_json_write_raw(out, name, value ? "true" : "false");
}

void ct_json_write_text(struct ct_buf *out, const char *name, const char *text)
{
    if (text == NULL) {
        ct_json_write_null(out, name);
        return;
    }
    write_name(out, name);
    ct_json_append_string(out, text);
}

void ct_json_write_int(struct ct_buf *out, const char *name, int64_t value)
{
    char digits[24];
    char *at = digits + sizeof digits;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    *--at = '\0';
    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0)
        *--at = '-';
    ct_json_write_raw(out, name, at);
}

/* 1e+21 is written 1e21, and 1e-07 is 1e-7, as jansson does. */
static void shorten_exponent(char *text)
{
    char *to = strchr(text, 'e');
    if (to == NULL)
        return;
    const char *from = ++to;
    if (*from == '-')
        to++;
    if (*from == '-' || *from == '+')
        from++;
    from += strspn(from, "0");
    memmove(to, from, strlen(from) + 1);
}

void ct_json_write_real(struct ct_buf *out, const char *name, double value)
{
    char text[32];
    if (!isfinite(value)) {
        ct_json_write_null(out, name);
        return;
    }
    (void)snprintf(text, sizeof text, "%.17g", value);
    if (strpbrk(text, ".e") == NULL) /* shall not be read as an integer */
        (void)snprintf(text, sizeof text, "%.17g.0", value);
    shorten_exponent(text);
    ct_json_write_raw(out, name, text);
}

void ct_json_write_json(struct ct_buf *out, const char *name, const json_t *value)
{
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    write_name(out, name);
    if (out->failed)
        return;
    size_t room = out->capacity - out->length;
    size_t length = json_dumpb(value, (char *)out->data + out->length, room, flags);
    if (length > room && ct_buf_reserve(out, length) == CT_OK)
        length = json_dumpb(value, (char *)out->data + out->length, length, flags);
    if (length == 0)
        out->failed = true;
    if (!out->failed)
        out->length += length;
}

char *ct_json_write_end(struct ct_buf *out)
{
    (void)ct_buf_append_u8(out, '\0');
    char *text = (char *)out->data;
    size_t max = out->max;
    if (out->failed) {
        ct_buf_free(out);
        ct_buf_init(out, max);
        return NULL;
    }
    ct_buf_init(out, max);
    return text;
}
