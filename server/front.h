// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_FRONT_H
#define SERVER_FRONT_H

/* What the parts of the front share. The front speaks TLS and HTTP, refuses what is not acceptable
 * HTTP or JSON, and passes the rest to the keeper. It has no database and no key but its own. */

#include "api/generated.h"
#include "server/checker.h"
#include "server/connections.h"
#include "server/link.h"
#include "server/request_ids.h"

#include <microhttpd.h>
#include <stdatomic.h>

#define FRONT_SMALL_BODY (64u << 10)   /* checked in passing; larger ones by the checker */
#define FRONT_LARGE_BODIES (64u << 20) /* bytes of bodies over that size, all together */
#define FRONT_DISCARD_MAX (64u << 10)  /* bytes read after a refusal to keep a connection open */
#define FRONT_JSON_DEPTH 32

struct front {
    struct front_link *link;
    struct checker *checker;
    struct connections *connections;
    struct request_ids ids;
    uint8_t own_boot[MESSAGE_BOOT_BYTES]; /* names requests that never reached a link */
    bool parses_in_place; /* the HTTP library's layout is known, see http_check_layout() */
    atomic_bool stopping;
    atomic_uint active;         /* requests between their last byte and the end of their answer */
    atomic_size_t large_bodies; /* bytes */
    _Atomic uint64_t requests;
    _Atomic uint64_t refusals[API_ERRORS]; /* by the front itself */
};

/* Appends the front's own numbers to those of the keeper. */
void front_metrics(struct front *front, struct ct_buf *out);

/* One listener, the closure of its callbacks. */
struct front_listener {
    struct front *front;
    enum api_listener listener;
    enum message_listener message_listener;
    char allow[64]; /* every method that some operation here has */
};

#endif
