// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_COURIER_H
#define KEEPER_COURIER_H

/* What the keeper and its courier tell each other. The courier has neither keys nor database: it is
 * given an URL and a body, sends them, and returns the answer as it came. So what parses the HTTP
 * of strangers is not where the keys are. One packet of a SOCK_SEQPACKET socket each way:
 *
 *   keeper to courier:  u32 id, u16 length of the URL, URL, body
 *   courier to keeper:  u32 id, u16 HTTP status (0: no answer), body, or why there is none */

#include "base/base.h"

#define COURIER_URL_MAX 1200u
#define COURIER_REQUEST_MAX (24u << 10)
#define COURIER_BODY_MAX (16u << 10) /* of an answer; a longer one is none */
#define COURIER_ANSWER_MAX (COURIER_BODY_MAX + 6u)
#define COURIER_EXCHANGES_MAX 64u /* under way at once */

struct courier_request {
    uint32_t id;
    char url[COURIER_URL_MAX + 1];
    const uint8_t *body; /* in the packet */
    size_t body_length;
};

struct courier_answer {
    uint32_t id;
    unsigned status;
    const uint8_t *body; /* in the packet */
    size_t body_length;
};

/* Errors: CT_LIMIT (URL or body too long), CT_IO (the other side has gone, or its queue is full).
 */
enum ct_status courier_send_request(int fd, uint32_t id, const char *url, const void *body,
                                    size_t length) CT_MUST_CHECK;
enum ct_status courier_send_answer(int fd, uint32_t id, unsigned status, const void *body,
                                   size_t length) CT_MUST_CHECK;

/* Takes one packet off a non-blocking socket.
 * packet: room for COURIER_REQUEST_MAX or COURIER_ANSWER_MAX bytes; *ret points into it.
 * Errors: CT_NOT_FOUND (none is there), CT_IO (the other side has gone), CT_BAD_INPUT (not such a
 *         packet; it is gone). */
enum ct_status courier_receive_request(int fd, uint8_t packet[COURIER_REQUEST_MAX],
                                       struct courier_request *ret) CT_MUST_CHECK;
enum ct_status courier_receive_answer(int fd, uint8_t packet[COURIER_ANSWER_MAX],
                                      struct courier_answer *ret) CT_MUST_CHECK;

#endif
