// SPDX-License-Identifier: Apache-2.0
#ifndef BASE_BASE_H
#define BASE_BASE_H

/* What every part shares: status codes, error details, bounded buffers, clocks, ids, the
 * operational log and the one JSON decoder. base/ knows nothing of the rest. */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CT_MUST_CHECK __attribute__((warn_unused_result))
#define CT_PRINTF(format_index, first_index)                                                       \
    __attribute__((format(printf, format_index, first_index)))
#define CT_CLEANUP(function) __attribute__((cleanup(function)))
#define CT_ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

enum ct_status {
    CT_OK = 0,
    CT_BAD_INPUT, /* the caller's data is wrong; struct ct_error says where */
    CT_NOT_FOUND,
    CT_REFUSED, /* understood and not allowed */
    CT_NO_MEMORY,
    CT_IO,
    CT_DB,       /* a statement failed; struct ct_error has the SQLSTATE */
    CT_DB_LOST,  /* the connection is gone; what was in flight is unknown */
    CT_DB_RETRY, /* serialization failure or deadlock: the same again may succeed */
    CT_CRYPTO,
    CT_LIMIT, /* a bound of ours was reached */
    CT_STALE, /* the schema or the log head is not the one that this process knows */
};

/* Details of a failure, filled by the place that knows. pointer is a JSON Pointer (or ""),
 * sqlstate five characters (or ""). Text is for people and holds no secret. */
struct ct_error {
    char text[256];
    char pointer[160];
    char sqlstate[6];
};

/* Fills err->text; err may be NULL. Leaves pointer and sqlstate as they are. */
void ct_error_set(struct ct_error *err, const char *format, ...) CT_PRINTF(2, 3);

/* ---- bounded buffer ------------------------------------------------------------------- */

/* A growing byte buffer with a maximum fixed at its initialisation. After a failure it is
 * marked failed, and every later append fails too, so that a caller may check once. */
struct ct_buf {
    uint8_t *data;
    size_t length;
    size_t capacity;
    size_t max;
    bool failed;
};

/* Prepares an empty buffer that never grows over max bytes. Allocates nothing yet. */
void ct_buf_init(struct ct_buf *buf, size_t max);
/* Frees the memory; the buffer is empty and usable again. NULL is safe. */
void ct_buf_free(struct ct_buf *buf);
/* Forgets the content and a failure, keeps the memory. */
void ct_buf_reset(struct ct_buf *buf);
/* Makes room for count more bytes. Errors: CT_LIMIT over max, CT_NO_MEMORY. */
enum ct_status ct_buf_reserve(struct ct_buf *buf, size_t count) CT_MUST_CHECK;
/* Appends. These may be left unchecked if buf->failed is checked at the end. */
enum ct_status ct_buf_append(struct ct_buf *buf, const void *bytes, size_t count);
enum ct_status ct_buf_append_u8(struct ct_buf *buf, uint8_t value);
enum ct_status ct_buf_append_u16(struct ct_buf *buf, uint16_t value); /* big-endian */
enum ct_status ct_buf_append_u32(struct ct_buf *buf, uint32_t value);
enum ct_status ct_buf_append_u64(struct ct_buf *buf, uint64_t value);

/* Reads from bytes that somebody else owns; every read checks the bound. */
struct ct_cursor {
    const uint8_t *at;
    size_t left;
};
bool ct_cursor_u8(struct ct_cursor *cursor, uint8_t *ret);
bool ct_cursor_u16(struct ct_cursor *cursor, uint16_t *ret);
bool ct_cursor_u32(struct ct_cursor *cursor, uint32_t *ret);
bool ct_cursor_u64(struct ct_cursor *cursor, uint64_t *ret);
bool ct_cursor_bytes(struct ct_cursor *cursor, size_t count, const uint8_t **ret);

/* ---- text ------------------------------------------------------------------------------ */

/* Writes 2*count lower-case hex digits and a NUL. */
void ct_hex_encode(const uint8_t *bytes, size_t count, char *ret_text);
/* Reads exactly 2*count hex digits. Errors: CT_BAD_INPUT. */
enum ct_status ct_hex_decode(const char *text, size_t length, uint8_t *ret_bytes,
                             size_t count) CT_MUST_CHECK;

#define CT_UUID_BYTES 16
#define CT_UUID_TEXT 37 /* 8-4-4-4-12 and a NUL */
#define CT_ID_TEXT 37   /* "frm_" and 32 hex digits and a NUL */

/* "frm_" + 32 hex digits. prefix is three letters without the underscore. */
void ct_id_format(const char *prefix, const uint8_t uuid[CT_UUID_BYTES], char ret[CT_ID_TEXT]);
void ct_uuid_format(const uint8_t uuid[CT_UUID_BYTES], char ret[CT_UUID_TEXT]);
/* Text of either form, with or without dashes and prefix "xxx_". Errors: CT_BAD_INPUT. */
enum ct_status ct_uuid_parse(const char *text, uint8_t ret[CT_UUID_BYTES]) CT_MUST_CHECK;

/* ---- clocks ---------------------------------------------------------------------------- */

int64_t ct_now_ms(void);  /* milliseconds since 1970, UTC; can jump */
int64_t ct_mono_ms(void); /* milliseconds; never jumps; the same in all processes of a host */
#define CT_TIME_TEXT 25   /* 2026-11-01T12:34:56.789Z and a NUL */
void ct_time_format(int64_t ms, char ret[CT_TIME_TEXT]);

/* ---- operational log ------------------------------------------------------------------- */

enum ct_log_level { CT_LOG_ERROR, CT_LOG_WARNING, CT_LOG_NOTICE, CT_LOG_DEBUG };

/* The name that starts each line ("front", "keeper"). The string must live on. */
void ct_log_name(const char *name);
void ct_log_threshold(enum ct_log_level most);
/* One line to standard error; control characters are escaped, so that no text forges a line.
 * Never pass a code, token, password or purchaser. Threads: any. */
void ct_log(enum ct_log_level level, const char *format, ...) CT_PRINTF(2, 3);

/* ---- JSON ------------------------------------------------------------------------------ */

struct ct_json_limits {
    unsigned depth;  /* nesting of arrays and objects */
    unsigned values; /* all values counted, containers too */
};

/* Decodes one JSON document whose top is an object. Depth and number of values are counted in
 * the bytes first, since jansson turns 1 MiB of "{}" into 80 MB of heap; duplicate members and
 * \u0000 are refused.
 * Owner:  *ret is the caller's, json_decref().
 * Errors: CT_BAD_INPUT (malformed), CT_LIMIT (too deep, too many), err->text says which. */
enum ct_status ct_json_decode(const void *bytes, size_t length, struct ct_json_limits limits,
                              json_t **ret, struct ct_error *err) CT_MUST_CHECK;
/* Compact text, members in the order set. Owner: the caller's, free(). NULL when out of memory. */
char *ct_json_text(const json_t *json);
/* Sets a member whose name is a literal of ours; value_take may be NULL. False when out of memory.
 * jansson's own calls would check the name's UTF-8 every time. */
bool ct_json_set(json_t *object, const char *name, json_t *value_take);
/* The same with a string of ours that is ASCII or comes from a decoder, so is not checked again. */
bool ct_json_set_text(json_t *object, const char *name, const char *text);
/* Appends text as a JSON string, with its quotes. text: valid UTF-8. For long strings that would be
 * escaped character by character otherwise (a receipt: 0.4 us instead of 9). */
void ct_json_append_string(struct ct_buf *out, const char *text);
/* json_object_get, and the member's string or NULL. */
const char *ct_json_string(const json_t *object, const char *member);

/* Writers: the values of a compact document one after another, straight into a buffer, for texts
 * that are made of every request; with json_t between they take several times as long. Commas come
 * by themselves; the caller closes what he opened. name: a literal of ours that needs no escape;
 * NULL: an element of an array, or the top. All may be left unchecked until ct_json_write_end(). */
void ct_json_write_open(struct ct_buf *out, const char *name, char bracket);     /* '{' or '[' */
void ct_json_write_close(struct ct_buf *out, char bracket);                      /* '}' or ']' */
void ct_json_write_text(struct ct_buf *out, const char *name, const char *text); /* NULL: null */
void ct_json_write_int(struct ct_buf *out, const char *name, int64_t value);
/* All digits, so that it reads back as the same number; what is not finite is null. */
void ct_json_write_real(struct ct_buf *out, const char *name, double value);
void ct_json_write_bool(struct ct_buf *out, const char *name, bool value);
void ct_json_write_null(struct ct_buf *out, const char *name);
/* A whole value that is JSON text already; the caller answers for it. */
void ct_json_write_raw(struct ct_buf *out, const char *name, const char *json);
void ct_json_write_json(struct ct_buf *out, const char *name, const json_t *value);
/* The text, and the buffer empty without its memory. Owner: the caller's, free(). NULL, and the
 * memory freed, if anything failed since ct_buf_init(). */
char *ct_json_write_end(struct ct_buf *out) CT_MUST_CHECK;

/* ---- named injection points, compiled in with --enable-injection only ------------------ */

#ifdef CT_INJECTION
/* Acts on CASETRACE_INJECT="name=kill" or "name=stop" or "name=fail": kills or stops this
 * process here, or returns true so that the caller fails. */
bool ct_injection_point(const char *name);
#else
#define ct_injection_point(name) (false)
#endif

#endif
