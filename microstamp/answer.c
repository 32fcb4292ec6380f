// SPDX-License-Identifier: Apache-2.0
/* From scored candidates to posteriors, chance matches and the state of a group's answer. */

#include "microstamp/exam.h"

#include <math.h>
#include <stdlib.h>

#define NEAR_MATTERS 0.9 /* from this probability of not being registered on */

static int compare_ranked(const void *a, const void *b)
{
    const struct microstamp_ranked *x = a, *y = b;

    if (x->ratio != y->ratio)
        return x->ratio > y->ratio ? -1 : 1;
    return x->candidate < y->candidate ? -1 : x->candidate > y->candidate;
}

static double characters(double ratio)
{
    return log(ratio) / log(SIZE);
}

/* ---- chance matches ---------------------------------------------------------------------- */

/* The share of all valid codes that explain a line at least as well: those that were looked up,
 * counted. Where such codes may be unlisted, there are at most left divided by the likelihood;
 * counting that many never understates. */
static double chance_r29(const struct microstamp_examination *exam, const struct exam_line *line,
                         double limit)
{
    double count = 0.0;

    for (size_t n = 0; n < exam->lookup_count; n++) {
        const struct microstamp_lookup *lookup = &exam->lookup[n];
        double likelihood = lookup->likelihood * line->best;

        if (lookup->alphabet != MICROSTAMP_R29)
            continue;
        if (!exam->one_line) {
            struct exam_code code;

            microstamp_exam_code(MICROSTAMP_R29, lookup->text, &code);
            likelihood = microstamp_line_likelihood(&line->r29, code.symbol) * line->scale_r29;
        }
        count += likelihood >= limit;
    }
    if (limit < line->last_r29)
        count += floor(line->left_r29 / limit);
    return fmin(count / MICROSTAMP_R29_WORDS, 1.0);
}

static double chance_of_line(const struct microstamp_examination *exam,
                             const struct exam_line *line, double likelihood)
{
    double frequency[MICROSTAMP_LENGTH_MAX][MICROSTAMP_OPAQUE_SIZE], chance = 0.0;
    double limit = likelihood * EXAM_SAME;

    if (line->has_r29)
        chance += line->share_r29 * chance_r29(exam, line, limit);
    if (line->has_opaque) {
        microstamp_exam_frequency(&exam->registry, line->opaque.length, frequency);
        chance += line->share_opaque *
                  microstamp_opaque_chance(&line->opaque, frequency, limit / line->scale_opaque);
    }
    return chance;
}

/* The probability that an issued code (one for each line) explains the group as well as the best
 * candidate, records aside. One line: counted. Several: Markov's inequality, P(L >= l) <= E(L) / l,
 * with E the product of the lines' means over issued codes; it never understates. */
static double chance_of(const struct microstamp_examination *exam, const struct exam_set *set,
                        const struct microstamp_ranked *best)
{
    double bound = 1.0;

    for (unsigned l = 0; l < set->count; l++) {
        const struct exam_line *line = set->line[l];
        double likelihood = line->best;

        if (best != NULL) {
            const struct microstamp_candidate *candidate = &exam->candidate[best->candidate];
            size_t recorded;

            likelihood = microstamp_exam_line_score(exam, line, best->candidate, &recorded);
            if (recorded == SIZE_MAX)
                continue;
            if (line->placement != MICROSTAMP_PLACEMENT_UNKNOWN)
                likelihood /= candidate->mark[recorded].factor;
        }
        if (set->count == 1)
            return chance_of_line(exam, line, likelihood);
        bound *= line->mean / likelihood;
    }
    return fmin(bound, 1.0);
}

/* ---- near -------------------------------------------------------------------------------- */

static bool candidate_is_near(const struct microstamp_examination *exam, const struct exam_set *set,
                              size_t candidate)
{
    const struct microstamp_candidate *c = &exam->candidate[candidate];

    for (size_t m = 0; m < c->mark_count; m++) {
        const struct exam_code *code = &exam->code[exam->first_code[candidate] + m];

        for (unsigned l = 0; l < set->count; l++) {
            const struct exam_line *line = set->line[l];

            if ((line->placement == MICROSTAMP_PLACEMENT_UNKNOWN ||
                 line->placement == c->mark[m].placement) &&
                microstamp_exam_line_near(line, c->mark[m].alphabet, code))
                return true;
        }
    }
    return false;
}

static bool any_is_near(const struct microstamp_examination *exam, const struct exam_set *set)
{
    for (size_t c = 0; c < exam->candidate_count; c++) {
        if (candidate_is_near(exam, set, c))
            return true;
    }
    return false;
}

/* ---- the answer -------------------------------------------------------------------------- */

void microstamp_exam_rank(const struct microstamp_examination *exam, const struct exam_set *set,
                          const struct exam_score *score, struct microstamp_ranked *ranked,
                          struct microstamp_ranking *ret_ranking)
{
    const size_t count = exam->candidate_count;
    struct microstamp_ranking ranking = {0};
    double best = 1.0;

    for (size_t c = 0; c < count; c++)
        ranked[c].posterior = score->unit * ranked[c].ratio;
    if (count > 1)
        qsort(ranked, count, sizeof(*ranked), compare_ranked);
    for (unsigned l = 0; l < set->count; l++)
        best *= set->line[l]->best / set->line[l]->nobody;
    ranking.not_registered = score->nobody;
    ranking.unlisted = score->unlisted;
    ranking.reading_characters = characters(best);
    ranking.likelihood_ratio = count > 0 ? ranked[0].ratio : best;
    ranking.effective_characters = characters(ranking.likelihood_ratio);
    ranking.expected_chance_matches =
        score->registered * chance_of(exam, set, count > 0 ? &ranked[0] : NULL);
    ranking.state = microstamp_state_decide(
        &ranking, ranking.not_registered >= NEAR_MATTERS && any_is_near(exam, set),
        count > 0 ? ranked[0].posterior : 0.0);
    *ret_ranking = ranking;
}
