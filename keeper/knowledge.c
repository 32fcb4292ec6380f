// SPDX-License-Identifier: Apache-2.0
#include "keeper/knowledge.h"

#include <stdlib.h>

/* Counts change every second, matrices a few times a year: many of the first share one of the
 * second. */
struct knowledge_matrix {
    struct microstamp_matrix *matrix;
    unsigned users; /* under the box's mutex, as all users */
};

/* As if each character had been seen once more everywhere: what was never seen is rare, not
 * impossible. */
static void smooth(const struct knowledge_counts *counts, struct knowledge *knowledge)
{
    for (unsigned length = 0; length <= MICROSTAMP_LENGTH_MAX; length++) {
        if (counts->opaque[length] == 0)
            continue;
        for (unsigned position = 0; position < length; position++) {
            const int64_t *counted = counts->character[length][position];
            double total = MICROSTAMP_OPAQUE_SIZE;
            for (unsigned c = 0; c < MICROSTAMP_OPAQUE_SIZE; c++)
                total += (double)counted[c];
            for (unsigned c = 0; c < MICROSTAMP_OPAQUE_SIZE; c++)
                knowledge->frequency[length][position][c] =
                    (float)(((double)counted[c] + 1.0) / total);
        }
        knowledge->registry.frequency[length] =
            (const float(*)[MICROSTAMP_OPAQUE_SIZE])knowledge->frequency[length];
    }
}

static struct knowledge *make(const struct knowledge_counts *counts, struct knowledge_matrix *held)
{
    struct knowledge *knowledge = calloc(1, sizeof *knowledge);
    if (knowledge == NULL)
        return NULL;
    knowledge->registry.firearms = (double)counts->firearms;
    knowledge->registry.r29 = (double)counts->r29;
    for (unsigned length = 0; length <= MICROSTAMP_LENGTH_MAX; length++)
        knowledge->registry.opaque[length] = (double)counts->opaque[length];
    smooth(counts, knowledge);
    knowledge->held = held;
    knowledge->matrix = held->matrix;
    knowledge->users = 1; /* being the newest */
    return knowledge;
}

static struct knowledge_matrix *hold(struct microstamp_matrix *matrix_take)
{
    struct knowledge_matrix *held = calloc(1, sizeof *held);
    if (held == NULL)
        microstamp_matrix_free(matrix_take);
    else
        held->matrix = matrix_take;
    return held;
}

/* With the mutex held, or when nobody else is there. */
static void leave(struct knowledge *knowledge)
{
    if (knowledge == NULL || --knowledge->users > 0)
        return;
    if (--knowledge->held->users == 0) {
        microstamp_matrix_free(knowledge->held->matrix);
        free(knowledge->held);
    }
    free(knowledge);
}

enum ct_status knowledge_init(struct knowledge_box *box, struct microstamp_matrix *matrix_take)
{
    struct knowledge_counts *nothing = calloc(1, sizeof *nothing);
    struct knowledge_matrix *held = hold(matrix_take);
    if (nothing != NULL && held != NULL)
        box->newest = make(nothing, held);
    free(nothing);
    if (box->newest == NULL) {
        if (held != NULL)
            microstamp_matrix_free(held->matrix);
        free(held);
        return CT_NO_MEMORY;
    }
    held->users = 1;
    (void)pthread_mutex_init(&box->mutex, NULL);
    return CT_OK;
}

const struct knowledge *knowledge_use(struct knowledge_box *box)
{
    (void)pthread_mutex_lock(&box->mutex);
    struct knowledge *knowledge = box->newest;
    knowledge->users++;
    (void)pthread_mutex_unlock(&box->mutex);
    return knowledge;
}

void knowledge_done(struct knowledge_box *box, const struct knowledge *knowledge)
{
    (void)pthread_mutex_lock(&box->mutex);
    leave((struct knowledge *)(uintptr_t)knowledge);
    (void)pthread_mutex_unlock(&box->mutex);
}

enum ct_status knowledge_renew(struct knowledge_box *box, const struct knowledge_counts *counts,
                               struct microstamp_matrix *matrix_take)
{
    /* Only this thread changes which is the newest, so it may look without the mutex. */
    struct knowledge_matrix *held = matrix_take == NULL ? box->newest->held : hold(matrix_take);
    if (held == NULL)
        return CT_NO_MEMORY;
    struct knowledge *fresh = make(counts, held);
    if (fresh == NULL) {
        if (matrix_take != NULL) {
            microstamp_matrix_free(matrix_take);
            free(held);
        }
        return CT_NO_MEMORY;
    }
    (void)pthread_mutex_lock(&box->mutex);
    struct knowledge *old = box->newest;
    held->users++;
    box->newest = fresh;
    leave(old);
    (void)pthread_mutex_unlock(&box->mutex);
    return CT_OK;
}

void knowledge_free(struct knowledge_box *box)
{
    if (box->newest == NULL)
        return;
    leave(box->newest);
    box->newest = NULL;
    (void)pthread_mutex_destroy(&box->mutex);
}
