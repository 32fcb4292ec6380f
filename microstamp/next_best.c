// SPDX-License-Identifier: Apache-2.0
/* Which position, read better, would narrow an answer most.
 *
 * For each hypothesis h (the likeliest candidates; not registered and unlisted together) and each
 * character x that a closer look might show, P(x | h) follows from the mark's likelihood with x in
 * that place. What the look is expected to tell, in bits, is the mutual information
 * I = H(X) - sum over h of P(h) H(X | h) (D. V. Lindley, On a measure of the information provided
 * by an experiment, 1956). */

#include "microstamp/exam.h"

#include <math.h>
#include <string.h>

#define HYPOTHESES_MAX 20 /* candidates; those behind them count as not registered */
#define BITS_MIN 0.01     /* less is not worth another look */

struct hypotheses {
    unsigned count;
    double probability[HYPOTHESES_MAX];
    struct exam_code code[HYPOTHESES_MAX]; /* length 0: says nothing of this mark */
    double other;                          /* probability of everything else */
    enum microstamp_alphabet alphabet;
};

static double entropy(const double *p, unsigned count)
{
    double sum = 0.0;

    for (unsigned x = 0; x < count; x++) {
        if (p[x] > 0.0)
            sum -= p[x] * log2(p[x]);
    }
    return sum;
}

/* The line of a group that a mark belongs to. */
static const struct exam_line *line_of(const struct exam_set *set, unsigned mark)
{
    for (unsigned l = 0; l < set->count; l++) {
        if ((set->line[l]->marks >> mark & 1u) != 0)
            return set->line[l];
    }
    return NULL;
}

/* The code of each candidate that the mark would show. */
static void suppose(const struct microstamp_examination *exam, const struct microstamp_group *group,
                    const struct exam_line *line, struct hypotheses *ret)
{
    bool known = false;

    ret->count = 0;
    ret->other = 1.0;
    ret->alphabet = line->has_r29 ? MICROSTAMP_R29 : MICROSTAMP_OPAQUE;
    for (size_t r = 0; r < group->ranked_count && ret->count < HYPOTHESES_MAX; r++) {
        const struct microstamp_ranked *ranked = &group->ranked[r];
        const struct microstamp_candidate *candidate = &exam->candidate[ranked->candidate];
        struct exam_code *code = &ret->code[ret->count];
        size_t recorded;

        (void)microstamp_exam_line_score(exam, line, ranked->candidate, &recorded);
        code->length = 0;
        if (recorded != SIZE_MAX) {
            /* One alphabet can be compared with itself only: the best candidate's. */
            if (!known)
                ret->alphabet = candidate->mark[recorded].alphabet;
            known = true;
            if (candidate->mark[recorded].alphabet == ret->alphabet)
                *code = exam->code[exam->first_code[ranked->candidate] + recorded];
        }
        ret->probability[ret->count++] = ranked->posterior;
        ret->other -= ranked->posterior;
    }
    ret->other = fmax(ret->other, 0.0);
}

/* p[h][x]: the likelihood of the mark with character x read at the position. */
static bool look_closer(const struct microstamp_examination *exam,
                        const struct microstamp_observation *observation, unsigned position,
                        const struct hypotheses *hypotheses,
                        double p[HYPOTHESES_MAX][MICROSTAMP_SYMBOLS_MAX])
{
    struct microstamp_observation closer = *observation;
    const struct microstamp_observation *one = &closer;
    unsigned size = microstamp_alphabet_size(hypotheses->alphabet);

    closer.position[position].read = true;
    closer.position[position].weighed = false;
    for (unsigned x = 0; x < size; x++) {
        closer.position[position].set = UINT64_C(1) << x;
        if (microstamp_line_fuse(exam->matrix, &one, 1, exam->scratch) != MICROSTAMP_OK)
            return false;
        for (unsigned h = 0; h < hypotheses->count; h++) {
            if (hypotheses->code[h].length != 0)
                p[h][x] = microstamp_line_likelihood(exam->scratch, hypotheses->code[h].symbol);
        }
    }
    return true;
}

/* What is neither a candidate nor says anything of this mark is spread over the alphabet. */
static double bits_of(const struct hypotheses *hypotheses,
                      double p[HYPOTHESES_MAX][MICROSTAMP_SYMBOLS_MAX])
{
    unsigned size = microstamp_alphabet_size(hypotheses->alphabet);
    double mixed[MICROSTAMP_SYMBOLS_MAX], even = hypotheses->other, given = 0.0;

    memset(mixed, 0, sizeof(mixed));
    for (unsigned h = 0; h < hypotheses->count; h++) {
        double sum = 0.0;

        if (hypotheses->code[h].length == 0) {
            even += hypotheses->probability[h];
            continue;
        }
        for (unsigned x = 0; x < size; x++)
            sum += p[h][x];
        for (unsigned x = 0; x < size; x++) {
            p[h][x] /= sum;
            mixed[x] += hypotheses->probability[h] * p[h][x];
        }
        given += hypotheses->probability[h] * entropy(p[h], size);
    }
    for (unsigned x = 0; x < size; x++)
        mixed[x] += even / size;
    return fmax(entropy(mixed, size) - given - even * log2(size), 0.0);
}

static bool is_clear(const struct microstamp_observation *observation, unsigned position)
{
    const struct microstamp_position *at = &observation->position[position];

    return at->read && (at->set & (at->set - 1)) == 0 &&
           (!at->weighed || at->weight[__builtin_ctzll(at->set)] > 0.99);
}

/* Whether another mark of the line shows the position clearly: then a closer look at this one would
 * tell little. Only where the parts were held the same way. */
static bool is_clear_elsewhere(const struct microstamp_examination *exam,
                               const struct exam_line *line, enum microstamp_alphabet alphabet,
                               unsigned position)
{
    for (uint32_t rest = line->marks; rest != 0; rest &= rest - 1) {
        const struct microstamp_mark *mark = &exam->mark[__builtin_ctz(rest)];
        const struct microstamp_observation *other =
            alphabet == MICROSTAMP_R29 ? mark->r29 : mark->opaque;

        if (!other->orientation_unknown && !other->rows_unknown && is_clear(other, position))
            return true;
    }
    return false;
}

/* Keeps the list in order, the best first, and at most max long. */
static size_t keep(struct microstamp_next *list, size_t count, size_t max,
                   struct microstamp_next next)
{
    size_t at = count < max ? count++ : max;

    if (at == max) {
        if (max == 0 || list[max - 1].bits >= next.bits)
            return count;
        at = max - 1;
    }
    for (; at > 0 && list[at - 1].bits < next.bits; at--)
        list[at] = list[at - 1];
    list[at] = next;
    return count;
}

size_t microstamp_examination_next_best(const struct microstamp_examination *exam, size_t group,
                                        struct microstamp_next *ret_next, size_t max)
{
    const struct microstamp_group *g = &exam->group[group];
    size_t count = 0;

    if (g->ranking.state != MICROSTAMP_CANDIDATES)
        return 0;
    for (unsigned m = 0; m < exam->mark_count; m++) {
        const struct exam_line *line = line_of(exam->group_set[group], m);
        const struct microstamp_observation *observation;
        double p[HYPOTHESES_MAX][MICROSTAMP_SYMBOLS_MAX];
        struct hypotheses hypotheses;

        if (line == NULL)
            continue;
        suppose(exam, g, line, &hypotheses);
        observation =
            hypotheses.alphabet == MICROSTAMP_R29 ? exam->mark[m].r29 : exam->mark[m].opaque;
        for (unsigned i = 0; i < observation->length; i++) {
            double bits;

            if (is_clear(observation, i) ||
                is_clear_elsewhere(exam, line, hypotheses.alphabet, i) ||
                !look_closer(exam, observation, i, &hypotheses, p))
                continue;
            bits = bits_of(&hypotheses, p);
            if (bits >= BITS_MIN)
                count = keep(ret_next, count, max,
                             (struct microstamp_next){exam->mark[m].specimen, m, i, bits});
        }
    }
    return count;
}
