// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_MESSAGE_H
#define KEEPER_MESSAGE_H

/* The messages between front and keeper: the only thing that both know. A frame is a uint32
 * length of what follows, a type byte and fields, all big-endian; strings carry a length and a
 * NUL that the length does not count, so that a decoded message points into its frame. */

#include "base/base.h"

#define MESSAGE_FRAME_MAX (9u << 20) /* the largest body and room for the rest */
#define MESSAGE_BOOT_BYTES 16
#define MESSAGE_PATH_MAX 4
#define MESSAGE_QUERY_MAX 16
#define MESSAGE_HEADERS_MAX 8

enum message_type {
    MESSAGE_REQUEST = 1, /* front to keeper */
    MESSAGE_TAKEN = 2,   /* keeper to front: in a batch from now on, the outcome may be unknown */
    MESSAGE_ANSWER = 3,  /* keeper to front */
};

enum message_listener {
    MESSAGE_PEOPLE = 0,   /* no client certificate */
    MESSAGE_MACHINES = 1, /* client certificate required */
    MESSAGE_OPERATOR = 2, /* loopback, health and metrics only */
};

/* What the headers of a request say of the form of its answer, bits. */
enum message_accepts {
    MESSAGE_ACCEPTS_GZIP = 1,
    MESSAGE_ACCEPTS_PLAIN = 2, /* text/plain rather than JSON */
    MESSAGE_ACCEPTS_ALL = 3,
};

struct message_pair {
    const char *name;
    const char *value;
};

/* One request that is acceptable HTTP and JSON. Strings are UTF-8 without NUL. */
struct message_request {
    uint64_t id;                      /* unique within a boot id */
    uint8_t boot[MESSAGE_BOOT_BYTES]; /* of the link on which it was sent */
    uint8_t listener;                 /* enum message_listener */
    uint8_t accepts;                  /* bits of enum message_accepts */
    uint16_t operation;               /* enum api_operation */
    int64_t deadline_ms;              /* CLOCK_MONOTONIC; not to be taken into a batch after it */
    const char *peer;                 /* address as the front states it, without port */
    const char *thumbprint;           /* SHA-256 of the client certificate, hex; "" if none */
    const char *authorization;        /* header as sent; "" if none */
    const char *idempotency_key;      /* header as sent; NULL if none */
    unsigned path_count;
    const char *path[MESSAGE_PATH_MAX]; /* values of the template's parameters, in order */
    unsigned query_count;
    struct message_pair query[MESSAGE_QUERY_MAX]; /* decoded, in the order sent */
    const uint8_t *body;
    size_t body_length;
};

struct message_answer {
    uint64_t id;
    uint8_t boot[MESSAGE_BOOT_BYTES];
    uint16_t status; /* HTTP */
    unsigned header_count;
    struct message_pair headers[MESSAGE_HEADERS_MAX];
    const uint8_t *body;
    size_t body_length;
};

/* Append one whole frame to out. Errors: CT_LIMIT, CT_NO_MEMORY; out->failed is then set. */
enum ct_status message_request_encode(struct ct_buf *out,
                                      const struct message_request *request) CT_MUST_CHECK;
enum ct_status message_answer_encode(struct ct_buf *out,
                                     const struct message_answer *answer) CT_MUST_CHECK;
enum ct_status message_taken_encode(struct ct_buf *out, const uint8_t boot[MESSAGE_BOOT_BYTES],
                                    const uint64_t *ids, size_t count) CT_MUST_CHECK;

/* Decode the payload of a frame (what follows the type byte). The result points into payload.
 * Errors: CT_BAD_INPUT; the link is to be given up, the other side is not what it should be. */
enum ct_status message_request_decode(const uint8_t *payload, size_t length,
                                      struct message_request *ret) CT_MUST_CHECK;
enum ct_status message_answer_decode(const uint8_t *payload, size_t length,
                                     struct message_answer *ret) CT_MUST_CHECK;
/* ids: at least max places. */
enum ct_status message_taken_decode(const uint8_t *payload, size_t length,
                                    uint8_t ret_boot[MESSAGE_BOOT_BYTES], uint64_t *ids, size_t max,
                                    size_t *ret_count) CT_MUST_CHECK;

#define MESSAGE_REQUEST_ID_TEXT 37 /* "req_", 32 hex digits and a NUL */

/* The name by which clients and the log know a request: "req_" and the first half of the boot id
 * and the id, in hex. Both processes make it, so it need not travel. The front gives out ids in an
 * order that nobody can guess: else two of them would tell how many requests lay between. */
void message_request_id(const uint8_t boot[MESSAGE_BOOT_BYTES], uint64_t id,
                        char ret[MESSAGE_REQUEST_ID_TEXT]);

/* Collects frames from a stream socket. */
struct message_reader {
    struct ct_buf buf;
    size_t start; /* of the first byte not yet given out */
};

void message_reader_init(struct message_reader *reader);
void message_reader_free(struct message_reader *reader);
/* One read(2) from fd, blocking or not as fd is.
 * Errors: CT_NOT_FOUND at end of file, CT_IO, CT_NO_MEMORY, CT_LIMIT. */
enum ct_status message_reader_fill(struct message_reader *reader, int fd) CT_MUST_CHECK;
/* The next whole frame. *ret_payload is good until the next call of message_reader_fill().
 * Errors: CT_NOT_FOUND (fill more), CT_BAD_INPUT (give up the link). */
enum ct_status message_reader_next(struct message_reader *reader, uint8_t *ret_type,
                                   const uint8_t **ret_payload, size_t *ret_length) CT_MUST_CHECK;

/* Writes all of it to a stream socket, waiting for room until deadline_ms (monotonic).
 * Errors: CT_IO (closed, or the deadline passed: the link is to be given up). */
enum ct_status message_write(int fd, const void *bytes, size_t length,
                             int64_t deadline_ms) CT_MUST_CHECK;

#endif
