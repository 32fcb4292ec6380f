// SPDX-License-Identifier: Apache-2.0
/* The most likely valid codes of several views, whose likelihood is the weighted sum over the
 * views.
 *
 * Each view gives its words best first. The next word taken is the one with the greatest share
 * under a single view; it counts with its likelihood under all. What was not taken has under each
 * view no more than that view's next word has, so no more than the sum of those (the threshold of
 * R. Fagin, A. Lotem, M. Naor, Optimal aggregation algorithms for middleware, 2003): words above
 * it are the best of all, in order. A view's search is begun only when its share of Z, which no
 * word of it can exceed, comes up. */

#include "microstamp/internal.h"

#include <stdlib.h>
#include <string.h>

/* Searches whose memory is kept for the next line; each takes 100 KB and more. */
#define KEPT 4

/* Words that views have in common come up once for each. Beyond this many times max, it is enough.
 */
#define TAKEN_FACTOR 4

struct microstamp_merge {
    struct microstamp_search *search[MICROSTAMP_VIEWS_MAX]; /* in order of the views' shares */
    uint32_t *slot; /* open addressing: index of a word and 1, or 0; never more than half full */
    size_t slot_count;
};

void microstamp_merge_free(struct microstamp_merge *merge)
{
    if (merge == NULL)
        return;
    for (unsigned i = 0; i < MICROSTAMP_VIEWS_MAX; i++)
        microstamp_search_free(merge->search[i]);
    free(merge->slot);
    free(merge);
}

static size_t slot_of(const struct microstamp_merge *merge, const struct microstamp_words *words,
                      const struct microstamp_code *code)
{
    uint64_t key;
    size_t slot;

    memcpy(&key, code->symbol, sizeof(key));
    slot = (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (merge->slot_count - 1);
    while (merge->slot[slot] != 0 &&
           memcmp(&words->word[merge->slot[slot] - 1].code, code, sizeof(*code)) != 0)
        slot = (slot + 1) & (merge->slot_count - 1);
    return slot;
}

/* Makes the table twice as large and enters the words anew. */
static enum microstamp_status grow(struct microstamp_merge *merge,
                                   const struct microstamp_words *words)
{
    size_t count = merge->slot_count == 0 ? 1024 : merge->slot_count * 2;
    uint32_t *slot = calloc(count, sizeof(*slot));

    if (slot == NULL)
        return MICROSTAMP_NO_MEMORY;
    free(merge->slot);
    merge->slot = slot;
    merge->slot_count = count;
    for (size_t i = 0; i < words->count; i++)
        merge->slot[slot_of(merge, words, &words->word[i].code)] = (uint32_t)(i + 1);
    return MICROSTAMP_OK;
}

/* Enters a word, unless it is there already. */
static enum microstamp_status enter(const struct microstamp_views *views,
                                    const struct microstamp_code *code,
                                    struct microstamp_words *words)
{
    struct microstamp_merge *merge = words->merge;
    enum microstamp_status status = MICROSTAMP_OK;
    struct microstamp_word *word;
    size_t slot;

    if (2 * (words->count + 1) > merge->slot_count)
        status = grow(merge, words);
    if (status == MICROSTAMP_OK)
        status = microstamp_words_reserve(words, 1);
    if (status != MICROSTAMP_OK)
        return status;
    slot = slot_of(merge, words, code);
    if (merge->slot[slot] != 0)
        return MICROSTAMP_OK;
    word = &words->word[words->count++];
    word->code = *code;
    word->near = false;
    word->likelihood = microstamp_views_likelihood(views, code);
    words->left -= word->likelihood;
    merge->slot[slot] = (uint32_t)words->count;
    return MICROSTAMP_OK;
}

/* The next word's share under the view of that rank. */
static double peek(const struct microstamp_views *views, const struct microstamp_merge *merge,
                   unsigned rank)
{
    return views->weight[views->order[rank]] * microstamp_search_peek(merge->search[rank]);
}

/* The opened view whose next word has the greatest share; opens those that may have a greater one.
 */
static enum microstamp_status best_view(const struct microstamp_views *views,
                                        struct microstamp_merge *merge, unsigned *opened,
                                        unsigned *ret_rank, double *ret_share)
{
    double best = 0.0;
    unsigned found = 0;

    for (unsigned rank = 0; rank < *opened; rank++) {
        double share = peek(views, merge, rank);

        if (share > best) {
            best = share;
            found = rank;
        }
    }
    while (*opened < views->count && views->z[views->order[*opened]] >= best) {
        unsigned rank = (*opened)++;
        enum microstamp_status status =
            microstamp_search_open(&merge->search[rank], &views->evidence[views->order[rank]]);
        double share;

        if (status != MICROSTAMP_OK)
            return status;
        share = peek(views, merge, rank);
        if (share > best) {
            best = share;
            found = rank;
        }
    }
    *ret_rank = found;
    *ret_share = best;
    return MICROSTAMP_OK;
}

static int compare_words(const void *a, const void *b)
{
    const struct microstamp_word *x = a, *y = b;

    if (x->likelihood != y->likelihood)
        return x->likelihood > y->likelihood ? -1 : 1;
    return memcmp(&x->code, &y->code, sizeof(x->code));
}

/* Sorts the words, and says how many are certainly the best of all. */
static void settle(const struct microstamp_views *views, unsigned opened,
                   struct microstamp_words *words)
{
    double bound = 0.0;

    for (unsigned rank = 0; rank < views->count; rank++)
        bound += rank < opened ? peek(views, words->merge, rank) : views->z[views->order[rank]];
    /* No word left can have more than all of them together. */
    bound = words->left < bound ? words->left : bound;
    qsort(words->word, words->count, sizeof(*words->word), compare_words);
    words->best_count = words->count > 0;
    while (words->best_count < words->count && words->word[words->best_count].likelihood >= bound)
        words->best_count++;
}

enum microstamp_status microstamp_merge_run(const struct microstamp_views *views, size_t max,
                                            struct microstamp_words *words)
{
    enum microstamp_status status = MICROSTAMP_OK;
    struct microstamp_merge *merge = words->merge;
    unsigned opened = 0;
    double best = 0.0;

    if (merge == NULL)
        merge = words->merge = calloc(1, sizeof(*merge));
    if (merge == NULL)
        return MICROSTAMP_NO_MEMORY;
    if (merge->slot_count > 0)
        memset(merge->slot, 0, merge->slot_count * sizeof(*merge->slot));
    for (size_t taken = 0; words->count < max && taken < TAKEN_FACTOR * max; taken++) {
        struct microstamp_code code;
        unsigned rank;
        double share;

        status = best_view(views, merge, &opened, &rank, &share);
        if (status != MICROSTAMP_OK || !(share > 0.0))
            break;
        status = microstamp_search_next(merge->search[rank], &code);
        if (status == MICROSTAMP_OK)
            status = enter(views, &code, words);
        if (status != MICROSTAMP_OK)
            break;
        share = words->word[words->count - 1].likelihood;
        best = share > best ? share : best;
        if (words->left < best / 100.0) {
            words->complete = true;
            break;
        }
    }
    if (status == MICROSTAMP_OK)
        settle(views, opened, words);
    for (unsigned i = KEPT; i < MICROSTAMP_VIEWS_MAX; i++) {
        microstamp_search_free(merge->search[i]);
        merge->search[i] = NULL;
    }
    return status;
}
