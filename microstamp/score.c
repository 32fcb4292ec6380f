// SPDX-License-Identifier: Apache-2.0
/* What all candidates together make of a set of specimens. */

#include "microstamp/exam.h"

#include <math.h>

/* Ratios stay where double can multiply and add them up. */
#define RATIO_MOST 1e280
#define RATIO_LEAST 1e-280

static double bounded(double ratio)
{
    return fmin(fmax(ratio, RATIO_LEAST), RATIO_MOST);
}

/* Factors of several specimens: what supports multiplies, of what disagrees only the worst counts,
 * and once, since one wrong record (of the caliber, say) disagrees with all casings alike. */
static double factor_of(const struct microstamp_candidate *candidate, uint32_t specimens)
{
    double supports = 1.0, disagrees = 1.0;

    for (uint32_t rest = specimens; rest != 0; rest &= rest - 1) {
        double factor = candidate->factor[__builtin_ctz(rest)];

        supports *= fmax(factor, 1.0);
        disagrees = fmin(disagrees, factor);
    }
    return supports * disagrees;
}

/* L(candidate) / L(not registered): marks at different placements say what they say independently,
 * given the gun. */
static double ratio_of(const struct microstamp_examination *exam, const struct exam_set *set,
                       size_t candidate, struct microstamp_ranked *ret_ranked)
{
    double ratio = factor_of(&exam->candidate[candidate], set->specimens), most = 0.0;

    ret_ranked->candidate = candidate;
    ret_ranked->recorded = SIZE_MAX;
    ret_ranked->mark = 0;
    for (unsigned l = 0; l < set->count; l++) {
        size_t recorded;
        double one = bounded(microstamp_exam_line_score(exam, set->line[l], candidate, &recorded) /
                             set->line[l]->nobody);

        if (recorded != SIZE_MAX && one > most) {
            most = one;
            ret_ranked->recorded = recorded;
            ret_ranked->mark = (unsigned)__builtin_ctz(set->line[l]->marks);
        }
        ratio = bounded(ratio * one);
    }
    ret_ranked->ratio = ratio;
    return ratio;
}

/* Bayes, everything divided by L(not registered): each registered firearm has the prior
 * (1 - pi0) / N, not being registered pi0. A firearm that no look-up found has an unlisted code at
 * every placement; codes at different placements have nothing to do with each other, so the
 * expected likelihood is the product of the lines'. For one line of R29-8 that is
 * N * left/29^6 registered codes with that prior: (1 - pi0) * left/29^6, whatever N. For several
 * lines it takes registered firearms to have a code at each of the placements. */
void microstamp_exam_score(const struct microstamp_examination *exam, const struct exam_set *set,
                           struct microstamp_ranked *ret_ranked, struct exam_score *ret_score)
{
    const double pi0 = exam->registry.pi0;
    const double n = fmax(exam->registry.firearms, (double)exam->candidate_count);
    double unlisted = n > 0.0 ? 1.0 - pi0 : 0.0, prior = n > 0.0 ? (1.0 - pi0) / n : 0.0;
    double sum = 0.0, total, log_nobody = 0.0;
    struct microstamp_ranked unwanted;

    for (unsigned l = 0; l < set->count; l++) {
        const struct exam_line *line = set->line[l];

        unlisted *= line->unlisted / line->nobody;
        log_nobody += log(line->nobody) + line->log_scale;
    }
    for (size_t c = 0; c < exam->candidate_count; c++)
        sum += ratio_of(exam, set, c, ret_ranked == NULL ? &unwanted : &ret_ranked[c]);
    total = pi0 + unlisted + prior * sum;
    ret_score->log_total = log(total) + log_nobody;
    ret_score->nobody = pi0 / total;
    ret_score->unlisted = unlisted / total;
    ret_score->unit = prior / total;
    ret_score->registered = n;
}
