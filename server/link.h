// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_LINK_H
#define SERVER_LINK_H

/* The front's end of the link to the keeper: sends requests, matches answers, keeps the deadlines
 * and tells the truth about what was lost. Every request that is submitted is finished exactly
 * once: answered, or not attempted, or with an outcome that nobody here knows. */

#include "keeper/message.h"

struct front_link;

enum link_outcome {
    LINK_ANSWERED,
    LINK_NOT_ATTEMPTED,   /* the keeper never took it, and will not */
    LINK_OUTCOME_UNKNOWN, /* the keeper took it and did not answer */
};

/* One request in flight, part of its owner's state. */
struct link_entry {
    /* Set by the owner. Called once, in any thread, without locks held, perhaps before
     * front_link_submit() returns; the entry is the owner's again from then on. */
    void (*finished)(struct link_entry *entry);

    /* Set by front_link_submit(). */
    uint64_t id;
    uint8_t boot[MESSAGE_BOOT_BYTES];

    /* Set when finished. */
    enum link_outcome outcome;
    struct message_answer answer; /* if answered; points into memory */
    uint8_t *memory;              /* free() */

    /* The link's own. */
    struct link_entry *next_in_bucket;
    struct link_entry *previous;
    struct link_entry *next;
    int64_t sent_ms;
    bool taken;
};

/* What to tell of the link's life. */
struct link_counts {
    uint64_t dropped; /* answers for another boot id, or that came too late */
    unsigned pending;
    bool up;
};

/* The bounds, so that a test need not wait as long as a client may have to. Milliseconds. */
struct link_limits {
    int64_t queue_ms;
    int64_t grace_ms;
    int64_t answer_ms;
};

/* Starts the link's thread, without a connection yet.
 * pending_max: entries in flight, for the size of the table; more make it slower, not wrong.
 * Owner:  *ret is the caller's, front_link_stop() and then front_link_free().
 * Errors: CT_NO_MEMORY, CT_IO. */
enum ct_status front_link_start(unsigned pending_max, struct link_limits limits,
                                struct front_link **ret) CT_MUST_CHECK;

/* Uses fd from now on. What is pending on the one before is finished as lost. Takes fd.
 * Threads: one at a time. */
void front_link_connect(struct front_link *link, int fd_take,
                        const uint8_t boot[MESSAGE_BOOT_BYTES]);

/* Sends a request; never waits. id, boot and deadline_ms of request are filled in here, id from the
 * argument.
 * Errors: CT_REFUSED (no keeper), CT_LIMIT (it does not read fast enough), CT_NO_MEMORY: nothing
 *         was sent, and finished() will not be called. */
enum ct_status front_link_submit(struct front_link *link, struct link_entry *entry, uint64_t id,
                                 struct message_request *request) CT_MUST_CHECK;

void front_link_count(struct front_link *link, struct link_counts *ret);

/* Finishes what is pending, refuses what comes later and ends the thread. */
void front_link_stop(struct front_link *link);
/* After front_link_stop(), when nobody submits any more. NULL is safe. */
void front_link_free(struct front_link *link);

#endif
