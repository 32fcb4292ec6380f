// SPDX-License-Identifier: Apache-2.0
#ifndef API_VALIDATE_TEXT_H
#define API_VALIDATE_TEXT_H

/* What the validator asks of a piece of text. Pure; any number of threads. Text is length bytes,
 * UTF-8 where nothing else is said. */

#include "api/validate.h"

/* Whether it has min to max code points. */
bool api_text_size(const char *text, size_t length, size_t min, size_t max);
/* Whether all of it matches. */
bool api_text_matches(const struct api_pattern *pattern, const char *text, size_t length);
/* Whether it is one of the words. */
bool api_text_listed(const char *const *words, size_t count, const char *text, size_t length);
/* YYYY-MM-DD, a day that the Gregorian calendar has, year 1 or later. */
bool api_text_is_date(const char *text, size_t length);
/* YYYY-MM-DDThh:mm:ss[.1 to 9 digits]Z, no leap second. */
bool api_text_is_time(const char *text, size_t length);
/* Whether any bytes are UTF-8 without NUL, overlong forms and surrogates. */
bool api_text_is_utf8(const char *text, size_t length);
/* Decimal, as JSON writes integers: no sign but "-", no leading zero. *ret is set when true. */
bool api_text_integer(const char *text, size_t length, int64_t *ret);

/* A JSON Pointer in the making: room for API_POINTER_TEXT bytes; what has no room is left out, at
 * the boundary of a character, and the text always ends in NUL. */
struct api_pointer {
    char *text;
    size_t length;
    bool full;
};

/* Appends "/name", escaped. A name that is not UTF-8 gets ? for what is not ASCII. */
void api_pointer_member(struct api_pointer *pointer, const char *name);
/* Appends "/17". */
void api_pointer_index(struct api_pointer *pointer, size_t index);

#endif
