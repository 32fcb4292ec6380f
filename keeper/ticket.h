// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_TICKET_H
#define KEEPER_TICKET_H

/* A request from its arrival to its answer, and the queue in which it waits. */

#include "api/api.h"
#include "keeper/message.h"

#include <pthread.h>

enum lane_kind {
    LANE_INTERACTIVE, /* two committers: traces, sales, reads */
    LANE_BULK,        /* one committer: registrations of many rows, heavy readings, jobs */
    LANE_KINDS,
};

#define TICKET_KEYS_MAX 20 /* an Idempotency-Key and the exhibits of a trace; more run alone */

struct ticket {
    struct ticket *next;
    uint8_t *frame; /* what message and request point into; owned */
    size_t frame_length;
    struct message_request message;
    struct api_request request;
    int64_t arrived_ms; /* monotonic */
    unsigned weight;    /* rows and look-ups that it may cost */
    enum api_sql sql;   /* the function of its operation */
    enum lane_kind lane;
    bool solo;                      /* must be the only one in its batch */
    uint64_t credential;            /* hash of the Authorization header; 0 if none */
    uint64_t keys[TICKET_KEYS_MAX]; /* hashes of what no other request of the batch may touch */
    unsigned key_count;
    int64_t budget_day; /* one unit of the budget is put aside for it, of that day; 0: none */
    bool repeats;       /* keys[0] is its Idempotency-Key, and another request with it runs */
    bool in_flight;     /* has waited for that as long as it may: to be refused, with an entry */
};

/* Decodes a frame into a ticket. Takes nothing: frame is copied.
 * Errors: CT_BAD_INPUT (not a request: give up the link), CT_NO_MEMORY. */
enum ct_status ticket_new(const uint8_t *payload, size_t length, struct ticket **ret) CT_MUST_CHECK;
void ticket_free(struct ticket *ticket);
/* Decodes the body into request.body, unless that is done. The front checked it already; its word
 * is not taken for it. Bodies of the bulk lane are decoded by the lane, since millions of values
 * would hold up the reader. Errors: CT_BAD_INPUT, CT_LIMIT, CT_NO_MEMORY. */
enum ct_status ticket_decode_body(struct ticket *ticket) CT_MUST_CHECK;

/* ---- scheduler ------------------------------------------------------------------------- */

/* Queues by lane. A request whose key is in a running batch, or in the batch being gathered,
 * waits; nothing overtakes a request with the same key. */
struct scheduler {
    pthread_mutex_t mutex;
    pthread_cond_t work[LANE_KINDS];
    struct ticket *first[LANE_KINDS];
    struct ticket **last[LANE_KINDS];
    unsigned waiting[LANE_KINDS];
    unsigned max_waiting;
    unsigned running_lanes[LANE_KINDS]; /* lanes with a batch in work */
    unsigned long taken[LANE_KINDS];    /* batches so far */
    int64_t bulk_since_ms;              /* when the bulk lane took its batch */
    unsigned long interactive_before;   /* batches of the interactive lanes by then */
    int64_t bulk_rests_until_ms;
    size_t waiting_bytes; /* of frames; their number alone bounds nothing */
    bool stopping;
    /* Keys of the batches that run; few requests have any, so a list will do. */
    uint64_t *running;
    size_t running_count;
    size_t running_room;
    /* Credentials that run alone because a batch with them failed for no declared reason. */
    struct {
        uint64_t credential;
        int64_t until_ms;
    } suspects[64];
};

struct scheduler_limits {
    unsigned count;  /* requests in a batch */
    unsigned weight; /* rows and look-ups in a batch */
};

enum ct_status scheduler_init(struct scheduler *scheduler, unsigned max_waiting) CT_MUST_CHECK;
void scheduler_free(struct scheduler *scheduler); /* and the tickets that still wait */
/* Puts a list of tickets, waking as many lanes as there is work for. Those that find no room come
 * back as the result. Threads: any. */
struct ticket *scheduler_put(struct scheduler *scheduler, struct ticket *list);
/* Waits for work and gathers one batch; a little longer while another lane of the kind works.
 * ret_batch:   limits.count places. ret_expired: a list of tickets to be answered "not attempted".
 * Returns the number in the batch; 0 with or without expired ones: call again, or stop when
 * scheduler->stopping. Threads: any, one per lane. */
size_t scheduler_take(struct scheduler *scheduler, enum lane_kind lane,
                      struct scheduler_limits limits, struct ticket **ret_batch,
                      struct ticket **ret_expired);
/* Gives the keys of a finished batch free; once for every batch taken. count > 0. */
void scheduler_done(struct scheduler *scheduler, struct ticket *const *batch, size_t count);
/* Lets this credential's requests run alone for ten minutes. */
void scheduler_suspect(struct scheduler *scheduler, uint64_t credential);
unsigned scheduler_waiting(struct scheduler *scheduler);
/* From now on nothing is put or taken. Returns the tickets that still wait, as a list that is the
 * caller's. */
struct ticket *scheduler_stop(struct scheduler *scheduler) CT_MUST_CHECK;

#endif
