// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_STRANGERS_H
#define KEEPER_STRANGERS_H

/* Requests without a live credential are answered 401 and are no entries of their own: they are
 * counted by network (/24 or /48) and minute, and the counts become one entry a minute. What a
 * kill -9 loses is at most that minute. */

#include "base/base.h"

#include <pthread.h>

#define STRANGERS_MAX 64
#define STRANGERS_NETWORK_TEXT 48

struct strangers {
    pthread_mutex_t mutex;
    int64_t since_ms;       /* wall clock, of the first one counted; 0: none */
    int64_t taken_since_ms; /* since_ms of what was taken last */
    size_t count;
    struct {
        char network[STRANGERS_NETWORK_TEXT];
        uint64_t count;
    } networks[STRANGERS_MAX];
    uint64_t others; /* of networks beyond those */
};

void strangers_init(struct strangers *strangers);
/* Counts one. address: text of an IPv4 or IPv6 address. Threads: any. */
void strangers_note(struct strangers *strangers, const char *address);
/* Takes the counts out, as the subject of an entry, when a minute has passed since the first one
 * or at_once. NULL when there is nothing to write. Owner: the caller's, json_decref(). */
json_t *strangers_take(struct strangers *strangers, bool at_once);
/* Counts again what was taken and could not be written, as of its own time. */
void strangers_put_back(struct strangers *strangers, const json_t *subject);

#endif
