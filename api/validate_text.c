// SPDX-License-Identifier: Apache-2.0
#include "api/validate_text.h"

#include <stdio.h>
#include <string.h>

bool api_text_size(const char *text, size_t length, size_t min, size_t max)
{
    /* A code point is one to four bytes, so most texts need not be counted. */
    if (length <= max && length >= 4 * min)
        return true;
    if (length < min || length > 4 * max)
        return false;
    size_t points = 0;
    for (size_t i = 0; i < length; i++)
        points += ((unsigned char)text[i] & 0xc0) != 0x80;
    return points >= min && points <= max;
}

bool api_text_matches(const struct api_pattern *pattern, const char *text, size_t length)
{
    size_t state = 0;
    for (size_t i = 0; i < length; i++) {
        size_t column = pattern->classes[(unsigned char)text[i]];
        size_t next = pattern->steps[state * pattern->columns + column];
        if (next == 0)
            return false;
        state = next - 1;
    }
    return pattern->accepting[state] != 0;
}

bool api_text_listed(const char *const *words, size_t count, const char *text, size_t length)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(words[i]) == length && memcmp(words[i], text, length) == 0)
            return true;
    }
    return false;
}

/* Reads exactly count digits. */
static bool read_digits(const char *text, size_t count, unsigned *ret)
{
    unsigned value = 0;
    for (size_t i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *ret = value;
    return true;
}

bool api_text_is_date(const char *text, size_t length)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year;
    unsigned month;
    unsigned day;
    if (length != 10 || text[4] != '-' || text[7] != '-' || !read_digits(text, 4, &year) ||
        !read_digits(text + 5, 2, &month) || !read_digits(text + 8, 2, &day))
        return false;
    if (year < 1 || month < 1 || month > 12 || day < 1)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= (unsigned)days[month - 1] + (month == 2 && leap);
}

bool api_text_is_time(const char *text, size_t length)
{
    unsigned hour;
    unsigned minute;
    unsigned second;
    if (length < 20 || text[length - 1] != 'Z' || !api_text_is_date(text, 10) || text[10] != 'T' ||
        text[13] != ':' || text[16] != ':' || !read_digits(text + 11, 2, &hour) ||
        !read_digits(text + 14, 2, &minute) || !read_digits(text + 17, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 59)
        return false;
    if (length == 20)
        return true;
    unsigned fraction;
    return text[19] == '.' && length >= 22 && length <= 30 &&
           read_digits(text + 20, length - 21, &fraction);
}

/* Bytes of the character that starts here; 0 if it is not well formed. */
static size_t utf8_character(const unsigned char *at, size_t left)
{
    if (at[0] < 0x80)
        return at[0] != 0;
    size_t size = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || size > left)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    /* Overlong forms, surrogates, and what lies beyond U+10FFFF show in the second byte. */
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return size;
}

bool api_text_is_utf8(const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        size_t size = utf8_character((const unsigned char *)text + i, length - i);
        if (size == 0)
            return false;
        i += size;
    }
    return true;
}

bool api_text_integer(const char *text, size_t length, int64_t *ret)
{
    bool negative = length > 0 && text[0] == '-';
    size_t first = negative ? 1 : 0;
    int64_t value = 0;
    if (length == first || (text[first] == '0' && (negative || length > 1)))
        return false;
    for (size_t i = first; i < length; i++) {
        int digit = text[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value))
            return false;
    }
    *ret = value;
    return true;
}

static void append(struct api_pointer *pointer, const char *bytes, size_t count)
{
    if (pointer->full || count >= API_POINTER_TEXT - pointer->length) {
        pointer->full = true;
        return;
    }
    memcpy(pointer->text + pointer->length, bytes, count);
    pointer->length += count;
    pointer->text[pointer->length] = '\0';
}

void api_pointer_member(struct api_pointer *pointer, const char *name)
{
    size_t left = strlen(name);
    bool is_utf8 = api_text_is_utf8(name, left);
    append(pointer, "/", 1);
    while (left > 0 && !pointer->full) {
        size_t size = is_utf8 ? utf8_character((const unsigned char *)name, left) : 1;
        if (*name == '~')
            append(pointer, "~0", 2);
        else if (*name == '/')
            append(pointer, "~1", 2);
        else if (!is_utf8 && (unsigned char)*name >= 0x80)
            append(pointer, "?", 1);
        else
            append(pointer, name, size);
        name += size;
        left -= size;
    }
}

void api_pointer_index(struct api_pointer *pointer, size_t index)
{
    char text[24];
    int length = snprintf(text, sizeof text, "/%zu", index);
    append(pointer, text, (size_t)length);
}
