// SPDX-License-Identifier: Apache-2.0
/* Which codes to look up for a line: usually one that is plain, else a search. */

#include "microstamp/internal.h"

#include <stdlib.h>
#include <string.h>

enum microstamp_status microstamp_words_reserve(struct microstamp_words *words, size_t more)
{
    size_t capacity = words->capacity == 0 ? 64 : words->capacity;
    struct microstamp_word *word;

    while (capacity < words->count + more)
        capacity *= 2;
    if (capacity == words->capacity)
        return MICROSTAMP_OK;
    word = reallocarray(words->word, capacity, sizeof(*word));
    if (word == NULL)
        return MICROSTAMP_NO_MEMORY;
    words->word = word;
    words->capacity = capacity;
    return MICROSTAMP_OK;
}

/* The character that explains a position best. */
static uint8_t top_symbol(const struct microstamp_evidence *evidence, unsigned position)
{
    const double *p = evidence->own[position].p;
    unsigned top = 0;

    if (evidence->row[position] != MICROSTAMP_ROW_OWN)
        return evidence->row[position] % SIZE;
    for (unsigned t = 1; t < SIZE; t++) {
        if (p[t] > p[top])
            top = t;
    }
    return (uint8_t)top;
}

/* A valid code that probably explains the reading: the characters as read, with one error
 * corrected if all were read, else with the two least certain ones solved from the other six. */
static void guess_code(const struct microstamp_evidence *evidence, struct microstamp_code *ret_code)
{
    unsigned last = 0, before_last = 1;
    int size[LENGTH], position;

    for (unsigned i = 0; i < LENGTH; i++) {
        ret_code->symbol[i] = top_symbol(evidence, i);
        size[i] = __builtin_popcount(evidence->reading.set[i]);
    }
    for (unsigned i = 1; i < LENGTH; i++) {
        if (size[i] > size[last]) {
            before_last = last;
            last = i;
        } else if (i > 1 && size[i] > size[before_last]) {
            before_last = i;
        }
    }
    if (size[last] == 1 && microstamp_r29_correct(ret_code, ret_code, &position) == MICROSTAMP_OK)
        return;
    microstamp_r29_solve(ret_code, before_last, last);
}

double microstamp_views_likelihood(const struct microstamp_views *views,
                                   const struct microstamp_code *code)
{
    double likelihood = 0.0;

    for (unsigned v = 0; v < views->count; v++)
        likelihood += views->weight[v] * microstamp_evidence_likelihood(&views->evidence[v], code);
    return likelihood;
}

/* If all other codes together have less than 1/100 of the guessed code's likelihood, then it is
 * the best, and the search would stop after it. */
static bool guess_suffices(const struct microstamp_views *views, struct microstamp_words *words)
{
    struct microstamp_word *word = &words->word[0];

    guess_code(&views->evidence[views->order[0]], &word->code);
    word->likelihood = microstamp_views_likelihood(views, &word->code);
    word->near = false;
    if (words->z - word->likelihood >= word->likelihood / 100.0)
        return false;
    words->count = 1;
    words->left = words->z - word->likelihood;
    words->complete = true;
    return true;
}

/* Z and the mean over all strings are sums, so they are weighted means over the views too. */
static void sum_views(struct microstamp_views *views, struct microstamp_words *words)
{
    words->z = words->random_mean = 0.0;
    views->order[0] = 0; /* there is at least one */
    for (unsigned v = 0; v < views->count; v++) {
        double total;
        unsigned at = v;

        views->z[v] = views->weight[v] * microstamp_sum(&views->evidence[v], &total);
        words->z += views->z[v];
        words->random_mean += views->weight[v] * total / (MICROSTAMP_R29_WORDS * SIZE * SIZE);
        for (; at > 0 && views->z[views->order[at - 1]] < views->z[v]; at--)
            views->order[at] = views->order[at - 1];
        views->order[at] = (uint8_t)v;
    }
}

static enum microstamp_status find(struct microstamp_views *views, size_t max,
                                   struct microstamp_words *words)
{
    enum microstamp_status status;

    if (max == 0 || max > MICROSTAMP_WORDS_MAX)
        max = MICROSTAMP_WORDS_MAX;
    words->count = words->best_count = 0;
    words->complete = false;
    sum_views(views, words);
    words->left = words->z;
    status = microstamp_words_reserve(words, 1);
    if (status == MICROSTAMP_OK) {
        if (guess_suffices(views, words)) {
            words->best_count = 1;
        } else if (views->count == 1) {
            status = microstamp_search_run(views->evidence, max, words);
            words->best_count = words->count;
        } else {
            status = microstamp_merge_run(views, max, words);
        }
    }
    if (status == MICROSTAMP_OK)
        status = microstamp_near_add(views, words);
    if (status != MICROSTAMP_OK)
        words->count = words->best_count = 0;
    /* Both are sums of the same terms in another order: below zero is rounding. */
    if (words->left < 0.0)
        words->left = 0.0;
    return status;
}

enum microstamp_status microstamp_words_find(const struct microstamp_evidence *evidence, size_t max,
                                             struct microstamp_words *words)
{
    static const double one = 1.0;
    struct microstamp_views views;

    /* Not initialised as a whole: the room for many views is not for one to pay. */
    views.evidence = evidence;
    views.weight = &one;
    views.count = 1;
    return find(&views, max, words);
}

enum microstamp_status microstamp_line_find(const struct microstamp_line *line, size_t max,
                                            struct microstamp_words *words)
{
    struct microstamp_views views;

    views.evidence = line->evidence;
    views.weight = line->weight;
    views.count = line->count;
    return find(&views, max, words);
}

void microstamp_words_free(struct microstamp_words *words)
{
    if (words == NULL)
        return;
    free(words->word);
    microstamp_search_free(words->search);
    microstamp_merge_free(words->merge);
    *words = (struct microstamp_words){0};
}
