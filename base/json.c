// SPDX-License-Identifier: Apache-2.0
#include "base/base.h"

#include <stdlib.h>
#include <string.h>

/* Counts nesting and values in the raw bytes. It need not understand malformed JSON, which the
 * decoder refuses afterwards; it only must never count less than jansson would allocate. */
static enum ct_status scan(const char *bytes, size_t length, struct ct_json_limits limits,
                           struct ct_error *err)
{
    unsigned depth = 0;
    unsigned values = 1;
    bool in_string = false;
    for (size_t i = 0; i < length; i++) {
        char c = bytes[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
            continue;
        }
        switch (c) {
        case '"':
            in_string = true;
            break;
        case '{':
        case '[':
            values++;
            if (++depth > limits.depth) {
                ct_error_set(err, "nested deeper than %u levels", limits.depth);
                return CT_LIMIT;
            }
            break;
        case '}':
        case ']':
            if (depth > 0)
                depth--;
            break;
        case ',':
            values++;
            break;
        default:
            break;
        }
        if (values > limits.values) {
            ct_error_set(err, "more than %u values", limits.values);
            return CT_LIMIT;
        }
    }
    return CT_OK;
}

enum ct_status ct_json_decode(const void *bytes, size_t length, struct ct_json_limits limits,
                              json_t **ret, struct ct_error *err)
{
    enum ct_status status = scan(bytes, length, limits, err);
    if (status != CT_OK)
        return status;
    json_error_t where;
    json_t *json = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &where);
    if (json == NULL) {
        ct_error_set(err, "not JSON at line %d, column %d", where.line, where.column);
        return json_error_code(&where) == json_error_out_of_memory ? CT_NO_MEMORY : CT_BAD_INPUT;
    }
    if (!json_is_object(json)) {
        json_decref(json);
        ct_error_set(err, "the top of the document must be an object");
        return CT_BAD_INPUT;
    }
    *ret = json;
    return CT_OK;
}

/* Most documents fit the first buffer, which saves jansson's growing of its own from 16 bytes. */
#define FIRST_BUFFER_BYTES 16384

char *ct_json_text(const json_t *json)
{
    char first[FIRST_BUFFER_BYTES];
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    size_t length = json_dumpb(json, first, sizeof first, flags);
    char *text = length == 0 ? NULL : malloc(length + 1);
    if (text == NULL)
        return NULL;
    if (length <= sizeof first) {
        memcpy(text, first, length);
        explicit_bzero(first, length); /* keys and purchasers pass through here */
    } else if (json_dumpb(json, text, length, flags) != length) {
        free(text);
        return NULL;
    }
    text[length] = '\0';
    return text;
}

const char *ct_json_string(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

/* The bytes are those of ct_json_text(): a text has one form here, whoever writes it. The escape of
 * one byte; RFC 8259, section 7: only the quotation mark, the reverse solidus and controls need
 * one. */
static void append_escape(struct ct_buf *out, char c)
{
    static const char digits[] = "0123456789ABCDEF";
    static const char plain[] = "\"\\\b\f\n\r\t";
    static const char named[] = "\"\\bfnrt";
    const char *at = strchr(plain, c);
    if (at != NULL) {
        const char escape[2] = {'\\', named[at - plain]};
        (void)ct_buf_append(out, escape, sizeof escape);
    } else {
        const char escape[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
        (void)ct_buf_append(out, escape, sizeof escape);
    }
}

#define EIGHT(byte) (0x0101010101010101ull * (byte))

/* Whether one of eight bytes needs an escape: a byte is less than n if taking n from it borrows
 * from a high bit that it does not have itself. A borrow out of an earlier byte can only say yes
 * too often, and then the bytes are looked at one by one. */
static bool needs_escape(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    uint64_t quote = word ^ EIGHT((uint64_t)'"');
    uint64_t solidus = word ^ EIGHT((uint64_t)'\\');
    uint64_t low = (word - EIGHT(0x20)) & ~word;
    low |= (quote - EIGHT(1)) & ~quote;
    low |= (solidus - EIGHT(1)) & ~solidus;
    return (low & EIGHT(0x80)) != 0;
}

/* The longest run that needs no escape goes out at once. */
void ct_json_append_string(struct ct_buf *out, const char *text)
{
    const char *end = text + strlen(text);
    (void)ct_buf_append_u8(out, '"');
    while (text < end) {
        const char *run = text;
        while (end - text >= 8 && !needs_escape(text))
            text += 8;
        while (text < end && (unsigned char)*text >= 0x20 && *text != '"' && *text != '\\')
            text++;
        (void)ct_buf_append(out, run, (size_t)(text - run));
        if (text < end)
            append_escape(out, *text++);
    }
    (void)ct_buf_append_u8(out, '"');
}

bool ct_json_set(json_t *object, const char *name, json_t *value_take)
{
    return json_object_set_new_nocheck(object, name, value_take) == 0;
}

bool ct_json_set_text(json_t *object, const char *name, const char *text)
{
    return json_object_set_new_nocheck(object, name, json_string_nocheck(text)) == 0;
}
