// SPDX-License-Identifier: Apache-2.0
/* Shared by the files of this folder; nobody else includes it. */
#ifndef ACCESSLOG_INTERNAL_H
#define ACCESSLOG_INTERNAL_H

#include "accesslog/accesslog.h"

/* ---- hash.c ---- */

/* One piece of what is hashed. */
struct hash_part {
    const void *data;
    size_t bytes;
};

/* SHA-256 over the parts one after the other. */
void hash_parts(const struct hash_part *parts, size_t count, struct accesslog_hash *ret_hash);

/* ---- proof geometry (tree.c) ---- */

/* True when a tree of this size has a frontier node at this level. */
static inline bool tree_bit(uint64_t size, unsigned level)
{
    return (size >> level & 1) != 0;
}

/* Where the sibling of node (level, index) stands in a tree of `size` leaves. */
enum sibling_kind {
    SIBLING_NONE,     /* beyond the right edge: this level adds nothing to the path */
    SIBLING_COMPLETE, /* the complete node (level, index ^ 1) */
    SIBLING_EDGE,     /* the incomplete rest [ (index ^ 1) << level, size ) */
};

enum sibling_kind tree_sibling(unsigned level, uint64_t index, uint64_t size);

/* True when node (level, 0) covers the whole tree, so that a path ends there. */
bool tree_covered(unsigned level, uint64_t size);

/* ---- text.c ---- */

/* Writes text into a caller's buffer; once something did not fit, nothing more is written. */
struct text_writer {
    char *data;
    size_t capacity; /* with room for the ending NUL */
    size_t length;
    bool failed;
};

void text_begin(struct text_writer *w, char *data, size_t capacity);
void text_put(struct text_writer *w, const void *bytes, size_t length);
void text_put_string(struct text_writer *w, const char *string);
void text_put_char(struct text_writer *w, char c);
void text_put_decimal(struct text_writer *w, uint64_t value);
void text_put_base64(struct text_writer *w, const void *bytes, size_t count);
/* Ends with a NUL; the length, or 0 when anything did not fit. */
size_t text_end(struct text_writer *w);

/* Reads text from left to right; a function that fails leaves the position where it was. */
struct text_reader {
    const char *at;
    const char *end;
};

/* A reader of the whole text, which may be NULL if it is empty. */
static inline struct text_reader text_read(const char *text, size_t length)
{
    return (struct text_reader){text, length == 0 ? text : text + length};
}

/* Takes the next line without its LF. False when there is no LF left. */
bool text_take_line(struct text_reader *r, const char **ret_line, size_t *ret_length);
/* Takes `word` if the text goes on with it. */
bool text_take_word(struct text_reader *r, const char *word);

/* A decimal number without sign or leading zero, the whole of the text, at most `max`. */
bool text_decimal(const char *text, size_t length, uint64_t max, uint64_t *ret_value);
/* Standard base64, padded, canonical, the whole of the text. */
bool text_base64(const char *text, size_t length, uint8_t *bytes, size_t capacity,
                 size_t *ret_count);
bool text_base64_hash(const char *text, size_t length, struct accesslog_hash *ret_hash);
/* Valid UTF-8 without control characters other than LF. */
bool text_is_clean(const char *text, size_t length);
/* Acceptable as a key's name. */
bool text_is_name(const char *text, size_t length);

/* ---- note.c ---- */

/* The bounds and form of a note's two halves. */
enum accesslog_status note_check_form(const struct accesslog_note *note);

#endif
