// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_KNOWLEDGE_H
#define KEEPER_KNOWLEDGE_H

/* What batches know of the registry as a whole: counts, frequencies of characters, the confusion
 * matrix in force. It is of one moment and never changes; what changes is which one is the newest.
 * A batch takes the newest when it begins and gives it back when it has ended, so that all its
 * answers rest on the same, and whoever brings a newer one waits for nobody. */

#include "api/api.h"

#include <pthread.h>

struct knowledge {
    struct microstamp_registry registry; /* its frequencies point to those below; pi0 is not set */
    const struct microstamp_matrix *matrix;
    float frequency[MICROSTAMP_LENGTH_MAX + 1][MICROSTAMP_LENGTH_MAX][MICROSTAMP_OPAQUE_SIZE];
    struct knowledge_matrix *held; /* private, as the next */
    unsigned users;
};

/* How many codes have a character at a position: [length][position from 0][character]. */
struct knowledge_counts {
    int64_t firearms;
    int64_t r29;
    int64_t opaque[MICROSTAMP_LENGTH_MAX + 1];
    int64_t character[MICROSTAMP_LENGTH_MAX + 1][MICROSTAMP_LENGTH_MAX][MICROSTAMP_OPAQUE_SIZE];
};

struct knowledge_box {
    pthread_mutex_t mutex;
    struct knowledge *newest;
};

/* An empty registry and that matrix, which the box frees when nothing uses it any more.
 * Errors: CT_NO_MEMORY; the matrix is freed. */
enum ct_status knowledge_init(struct knowledge_box *box,
                              struct microstamp_matrix *matrix_take) CT_MUST_CHECK;

/* The newest. Give it back with knowledge_done(), on any thread. */
const struct knowledge *knowledge_use(struct knowledge_box *box);
void knowledge_done(struct knowledge_box *box, const struct knowledge *knowledge);

/* Makes what was counted the newest; matrix_take: with that matrix, NULL: with the one before.
 * Threads: one at a time, beside any that use it.
 * Errors:  CT_NO_MEMORY; nothing has changed and the matrix is freed. */
enum ct_status knowledge_renew(struct knowledge_box *box, const struct knowledge_counts *counts,
                               struct microstamp_matrix *matrix_take) CT_MUST_CHECK;

/* All that was used must have been given back. A box of zeros is safe. */
void knowledge_free(struct knowledge_box *box);

#endif
