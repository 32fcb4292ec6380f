// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_REQUEST_IDS_H
#define SERVER_REQUEST_IDS_H

/* Ids of requests that never repeat and show no order: a counter behind a keyed permutation. Two
 * ids of one client, seen by themselves, do not tell how many requests others made in between. */

#include <stdatomic.h>
#include <stdint.h>

struct request_ids {
    uint64_t key[2];
    _Atomic uint64_t counter;
};

/* Takes a key from the kernel. Returns 0, or -1 with errno set. */
int request_ids_init(struct request_ids *ids);
/* Threads: any. */
uint64_t request_ids_next(struct request_ids *ids);
/* The permutation itself: no two counters give the same id under one key. */
uint64_t request_ids_permute(const uint64_t key[2], uint64_t counter);

#endif
