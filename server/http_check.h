// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_HTTP_CHECK_H
#define SERVER_HTTP_CHECK_H

/* Strict HTTP/1.1 over what a lenient library has parsed. Pure functions on the caller's memory:
 * no allocation, no state, any thread. */

#include "keeper/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEADERS_MAX 64  /* lines of one head */
#define HTTP_TARGET_MAX 4096 /* bytes of one request target */
#define HTTP_VERSION_LENGTH 8

struct http_header {
    const char *name;
    size_t name_length;
    const char *value;
    size_t value_length;
};

/* One head as the library shows it. target is as sent, before anything was decoded. */
struct http_head {
    const char *method;
    const char *target;
    size_t target_length;
    const char *version;
    unsigned header_count;
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t size; /* bytes from the method to the end of the empty line */
};

enum http_verdict {
    HTTP_ACCEPTED,
    HTTP_MALFORMED,  /* 400, and the connection ends: what follows cannot be trusted */
    HTTP_INVALID,    /* 400: a field that is understood and wrong; pointer names it */
    HTTP_MEDIA_TYPE, /* 415 */
};

/* Why something is refused. Constant text for the client, without anything of the request. */
struct http_refusal {
    const char *detail;
    char pointer[96];
};

/* What a head says, as far as anybody here needs it. Strings are the head's. */
struct http_facts {
    bool is_1_1;
    bool has_length;
    bool chunked;
    bool expects_continue;
    bool has_type;
    bool type_is_json;           /* application/json, in UTF-8 if it says so */
    uint64_t content_length;     /* 0 unless has_length */
    const char *authorization;   /* "" if none */
    const char *idempotency_key; /* NULL if none */
    uint8_t accepts;             /* bits of enum message_accepts */
};

/* Refuses everything about a head that two programs could read in two ways, and what this API has
 * no use for. *ret_refusal is filled unless the verdict is HTTP_ACCEPTED. */
enum http_verdict http_check_head(const struct http_head *head, struct http_facts *ret,
                                  struct http_refusal *ret_refusal);

/* Whether the head stood in memory as it should: every line ended by CRLF, nothing folded, nothing
 * hidden behind a NUL or between two lines. Only for a library that parses in place as
 * libmicrohttpd 0.9 does: it writes NULs over separators and moves nothing, so that where its
 * strings begin shows what it skipped. What cannot be told apart any more is a NUL in place of
 * the CR of a line's end, and NULs among the CRs and LFs that end the head. */
bool http_check_layout(const struct http_head *head);

/* A path as sent, and decoded query parameters in the order sent. */
struct http_target {
    char *path;
    size_t path_length; /* up to the question mark */
    unsigned query_count;
    struct message_pair query[MESSAGE_QUERY_MAX];
};

/* Takes a target in origin form apart. %XX must give UTF-8 without control characters and may not
 * hide a slash; "+" is a plus sign; no empty or dot segments other than an empty last one; no
 * parameter twice. The path is checked and left as it is, the query is decoded in place.
 * text: length bytes and a NUL; *ret points into it. */
enum http_verdict http_parse_target(char *text, size_t length, struct http_target *ret,
                                    struct http_refusal *ret_refusal);

/* Decodes one segment of a path that http_parse_target() accepted, in place, and ends it with a
 * NUL: its end must be writable (the slash or question mark after it, or the final NUL). */
void http_decode_segment(char *text, size_t length);

/* Whether these bytes are well-formed UTF-8 without control characters. */
bool http_is_plain_utf8(const char *text, size_t length);

#endif
