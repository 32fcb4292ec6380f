// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_TILES_H
#define KEEPER_TILES_H

/* The thread that answers requests for tiles: with a queue, a connection and a cache of its own, so
 * that however many ask for tiles, nothing else waits for them. */

#include "keeper/message.h"
#include "keeper/tile_cache.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>

struct keeper;

/* A request for a tile that the published tree has. */
struct tile_job {
    uint8_t boot[MESSAGE_BOOT_BYTES];
    uint64_t id;
    int64_t deadline_ms; /* monotonic: not to be begun after it */
    struct tile_key key;
    bool has_entry; /* the log has an entry of this request */
    uint64_t entry;
};

struct tiles {
    pthread_mutex_t mutex; /* of the five that follow */
    pthread_cond_t work;
    struct tile_job *ring;
    size_t first;
    size_t count;
    bool stopping;
    size_t room;
    struct tile_cache cache; /* the thread's, as the two that follow */
    struct store *store;     /* NULL: not connected */
    int64_t no_connect_before_ms;
    pthread_t thread;
    bool runs;
    /* For the metrics. */
    _Atomic uint64_t answered;
    _Atomic uint64_t read;   /* from the database */
    _Atomic uint64_t turned; /* away, because the queue was full */
    _Atomic uint64_t cache_bytes;
};

/* Starts the thread. queue_count: requests that may wait. Errors: CT_NO_MEMORY. */
enum ct_status tiles_start(struct keeper *keeper, unsigned queue_count,
                           size_t cache_bytes) CT_MUST_CHECK;
/* Ends the thread; what waits is answered 503 and so is what comes later. While there is a link. */
void tiles_stop(struct keeper *keeper);
/* After tiles_stop(), when nobody puts any more. */
void tiles_free(struct keeper *keeper);

/* Queues a request. False: there is no room, and the caller answers it. Threads: any. */
bool tiles_put(struct keeper *keeper, const struct tile_job *job) CT_MUST_CHECK;

#endif
