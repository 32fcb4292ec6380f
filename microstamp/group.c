// SPDX-License-Identifier: Apache-2.0
/* Which casings come from one gun.
 *
 * M(g) = sum over candidates of prior * L + pi0 * L(not registered) + unlisted is the probability
 * of what is read on the specimens of g if one gun made them. Merging a and b is favoured by the
 * Bayes factor M(a + b) / (M(a) M(b)). Beginning with one group per casing, the pair with the
 * largest factor is merged while that is over 1 (Bayesian hierarchical clustering: K. A. Heller,
 * Z. Ghahramani, 2005). */

#include "microstamp/exam.h"

#include <math.h>

#define SPLIT_RATIO 100.0 /* that several guns must explain the casings better than one */

struct grouping {
    size_t count;
    uint32_t specimens[MICROSTAMP_SPECIMENS_MAX];
    double log_total[MICROSTAMP_SPECIMENS_MAX];
    double pair[MICROSTAMP_SPECIMENS_MAX][MICROSTAMP_SPECIMENS_MAX]; /* [a < b] log M(a + b) */
};

/* log M. A set that was not there before is forgotten, its memory serves for the next. */
static enum microstamp_status log_total(struct microstamp_examination *exam, uint32_t specimens,
                                        double *ret_log_total)
{
    unsigned before = exam->set_count;
    struct exam_score score;
    struct exam_set *set;
    enum microstamp_status status = microstamp_exam_set_closed(exam, specimens, &set);

    if (status != MICROSTAMP_OK)
        return status;
    microstamp_exam_score(exam, set, NULL, &score);
    exam->set_count = before;
    *ret_log_total = score.log_total;
    return MICROSTAMP_OK;
}

static enum microstamp_status fill_pair(struct microstamp_examination *exam,
                                        struct grouping *grouping, size_t a, size_t b)
{
    return log_total(exam, grouping->specimens[a] | grouping->specimens[b], &grouping->pair[a][b]);
}

static enum microstamp_status begin(struct microstamp_examination *exam, struct grouping *grouping)
{
    enum microstamp_status status = MICROSTAMP_OK;

    for (size_t a = 0; a < grouping->count && status == MICROSTAMP_OK; a++)
        status = log_total(exam, grouping->specimens[a], &grouping->log_total[a]);
    for (size_t a = 0; a < grouping->count; a++) {
        for (size_t b = a + 1; b < grouping->count && status == MICROSTAMP_OK; b++)
            status = fill_pair(exam, grouping, a, b);
    }
    return status;
}

/* Finds the pair that most favours one gun; false if none does. */
static bool best_pair(const struct grouping *grouping, size_t *ret_a, size_t *ret_b)
{
    double most = 0.0;

    for (size_t a = 0; a < grouping->count; a++) {
        for (size_t b = a + 1; b < grouping->count; b++) {
            double log_factor =
                grouping->pair[a][b] - grouping->log_total[a] - grouping->log_total[b];

            if (log_factor > most) {
                most = log_factor;
                *ret_a = a;
                *ret_b = b;
            }
        }
    }
    return most > 0.0;
}

/* b goes into a; the last takes b's place. */
static enum microstamp_status merge(struct microstamp_examination *exam, struct grouping *grouping,
                                    size_t a, size_t b)
{
    size_t last = --grouping->count;
    enum microstamp_status status = MICROSTAMP_OK;

    grouping->specimens[a] |= grouping->specimens[b];
    grouping->log_total[a] = grouping->pair[a][b];
    for (size_t c = 0; c < last && b != last; c++) {
        if (c < b)
            grouping->pair[c][b] = grouping->pair[c][last];
        else if (c > b)
            grouping->pair[b][c] = grouping->pair[c][last];
    }
    grouping->specimens[b] = grouping->specimens[last];
    grouping->log_total[b] = grouping->log_total[last];
    for (size_t c = 0; c < grouping->count && status == MICROSTAMP_OK; c++) {
        if (c != a)
            status = fill_pair(exam, grouping, c < a ? c : a, c < a ? a : c);
    }
    return status;
}

/* In the order of their first specimens. */
static void put_in_order(uint32_t *specimens, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint32_t one = specimens[i];
        size_t at = i;

        for (; at > 0 && __builtin_ctz(specimens[at - 1]) > __builtin_ctz(one); at--)
            specimens[at] = specimens[at - 1];
        specimens[at] = one;
    }
}

enum microstamp_status microstamp_exam_group(struct microstamp_examination *exam,
                                             uint32_t ret_specimens[MICROSTAMP_SPECIMENS_MAX],
                                             size_t *ret_count, bool *ret_more_than_one)
{
    struct grouping grouping;
    uint32_t all = 0;
    double together, apart = 0.0;
    size_t a = 0, b = 0;
    enum microstamp_status status;

    *ret_more_than_one = false;
    grouping.count = microstamp_exam_units(exam, grouping.specimens);
    for (size_t g = 0; g < grouping.count; g++) {
        ret_specimens[g] = grouping.specimens[g];
        all |= grouping.specimens[g];
    }
    *ret_count = grouping.count;
    if (grouping.count <= 1)
        return MICROSTAMP_OK;
    status = log_total(exam, all, &together);
    if (status == MICROSTAMP_OK)
        status = begin(exam, &grouping);
    while (status == MICROSTAMP_OK && best_pair(&grouping, &a, &b))
        status = merge(exam, &grouping, a, b);
    if (status != MICROSTAMP_OK)
        return status;
    for (size_t g = 0; g < grouping.count; g++)
        apart += grouping.log_total[g];
    if (grouping.count == 1 || apart - together < log(SPLIT_RATIO)) {
        *ret_count = 1;
        ret_specimens[0] = all;
        return MICROSTAMP_OK;
    }
    put_in_order(grouping.specimens, grouping.count);
    for (size_t g = 0; g < grouping.count; g++)
        ret_specimens[g] = grouping.specimens[g];
    *ret_count = grouping.count;
    *ret_more_than_one = true;
    return MICROSTAMP_OK;
}
