// SPDX-License-Identifier: Apache-2.0
/* Several observations of one placement of one gun.
 *
 * A worn or damaged pin shows the same wrong character on every casing, so casings are independent
 * only given what the pin presents, s, in place of what was engraved, t:
 *
 *     P(r_1 .. r_K | t) = sum over s of T(s|t) * prod over k of P(r_k | s),
 *
 * with T(t|t) = 0.99 and the rest along t's confusion row (microstamp.md, Likelihood). Only
 * observations that say something at the position take part. Where that is one, plain P(r|t) is
 * used: its error rate was measured on single casings and has worn pins in it already. */

#include "microstamp/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One view of each observation so far. The products are over the observations that say something,
 * and scaled to a greatest factor of 1 from the second one on. */
struct combination {
    double weight; /* prior times scale of a single observation */
    double log_weight;
    uint8_t spoken[MICROSTAMP_LENGTH_MAX]; /* how many observations say something */
    uint8_t symbol[MICROSTAMP_LENGTH_MAX]; /* of the only one, as in struct microstamp_view */
    uint64_t set[MICROSTAMP_LENGTH_MAX];   /* of any of them */
    double product[MICROSTAMP_LENGTH_MAX][MICROSTAMP_SYMBOLS_MAX]; /* by what is presented */
};

/* A combination that may be made. */
struct pair {
    double score;
    unsigned combination, view;
};

/* Of more pairs than this, only so many are scored by Z: those with the greatest mean over all
 * strings, which is quick. */
#define SCORED_MAX (2 * MICROSTAMP_VIEWS_MAX)

/* Combinations that explain less than this share of the best one are not kept. */
#define LEAST_SHARE 1e-12

/* What a fusion needs while it runs. */
struct fusion {
    const struct microstamp_matrix *matrix;
    enum microstamp_alphabet alphabet;
    unsigned length;
    unsigned count; /* of current */
    struct combination *current, *next;
    struct pair *pairs;
    struct microstamp_evidence *evidence; /* of R29, for the scores */
    struct microstamp_view view[WAYS_MAX];
    double presented[MICROSTAMP_SYMBOLS_MAX]; /* sum over t of T(s|t) */
};

static bool views_equal(const struct microstamp_view *a, const struct microstamp_view *b,
                        unsigned length)
{
    if (a->read != b->read)
        return false;
    for (unsigned i = 0; i < length; i++) {
        if ((a->read >> i & 1u) != 0 && (a->symbol[i] == NO_SYMBOL || a->symbol[i] != b->symbol[i]))
            return false;
    }
    return true;
}

/* The views of one observation, each with its prior in its scale; those that say the same are one.
 */
static unsigned views_of(struct fusion *fusion, const struct microstamp_observation *observation)
{
    struct microstamp_way ways[WAYS_MAX];
    unsigned way_count = microstamp_ways(observation, ways), count = 0;

    for (unsigned w = 0; w < way_count; w++) {
        struct microstamp_view *view = &fusion->view[count];
        unsigned same = 0;

        microstamp_view_of(fusion->matrix, observation, ways[w], view);
        view->scale /= way_count;
        while (same < count && !views_equal(&fusion->view[same], view, fusion->length))
            same++;
        if (same < count)
            fusion->view[same].scale += view->scale;
        else
            count++;
    }
    return count;
}

static void combination_start(const struct fusion *fusion, const struct microstamp_view *view,
                              struct combination *ret)
{
    ret->weight = view->scale;
    ret->log_weight = log(view->scale);
    memcpy(ret->set, view->set, sizeof(ret->set));
    memcpy(ret->symbol, view->symbol, sizeof(ret->symbol));
    for (unsigned i = 0; i < fusion->length; i++) {
        ret->spoken[i] = view->read >> i & 1u;
        if (ret->spoken[i] != 0)
            memcpy(ret->product[i], view->p[i], sizeof(ret->product[i]));
    }
}

/* Scaling keeps the product of many observations in double's range. */
static double scale_to_one(double *p, unsigned size)
{
    double most = 0.0;

    for (unsigned s = 0; s < size; s++)
        most = p[s] > most ? p[s] : most;
    for (unsigned s = 0; s < size; s++)
        p[s] /= most;
    return log(most);
}

static void combination_add(const struct fusion *fusion, const struct combination *before,
                            const struct microstamp_view *view, struct combination *ret)
{
    const unsigned size = microstamp_alphabet_size(fusion->alphabet);

    *ret = *before;
    ret->log_weight += log(view->scale);
    for (unsigned i = 0; i < fusion->length; i++) {
        if ((view->read >> i & 1u) == 0)
            continue;
        if (ret->spoken[i]++ == 0) {
            memcpy(ret->product[i], view->p[i], sizeof(ret->product[i]));
            ret->symbol[i] = view->symbol[i];
            ret->set[i] = view->set[i];
            continue;
        }
        for (unsigned s = 0; s < size; s++)
            ret->product[i][s] *= view->p[i][s];
        ret->log_weight += scale_to_one(ret->product[i], size);
        ret->set[i] |= view->set[i];
        ret->symbol[i] = NO_SYMBOL;
    }
}

/* The likelihoods of a position by what was engraved. */
static void through_pin(const struct fusion *fusion, const struct combination *combination,
                        unsigned at, double *ret_p)
{
    const unsigned size = microstamp_alphabet_size(fusion->alphabet);
    const double *product = combination->product[at];

    if (combination->spoken[at] == 1) {
        memcpy(ret_p, product, size * sizeof(*ret_p));
        return;
    }
    memset(ret_p, 0, size * sizeof(*ret_p));
    for (unsigned s = 0; s < size; s++) {
        const double *present = fusion->matrix->present[fusion->alphabet][s];

        for (unsigned t = 0; t < size; t++)
            ret_p[t] += present[t] * product[s];
    }
}

static void fill_evidence(const struct fusion *fusion, const struct combination *combination,
                          struct microstamp_evidence *ret)
{
    ret->matrix = fusion->matrix;
    for (unsigned i = 0; i < LENGTH; i++) {
        ret->reading.set[i] = (uint32_t)combination->set[i];
        if (combination->spoken[i] == 0) {
            ret->row[i] = MICROSTAMP_ROW_UNREAD;
        } else if (combination->symbol[i] != NO_SYMBOL) {
            ret->row[i] = combination->symbol[i];
        } else {
            ret->row[i] = MICROSTAMP_ROW_OWN;
            memset(ret->own[i].p, 0, sizeof(ret->own[i].p));
            through_pin(fusion, combination, i, ret->own[i].p);
            microstamp_row_transform(fusion->matrix, &ret->own[i]);
        }
    }
}

static void fill_pattern(const struct fusion *fusion, const struct combination *combination,
                         struct microstamp_pattern *ret)
{
    ret->length = fusion->length;
    ret->read = 0;
    for (unsigned i = 0; i < fusion->length; i++) {
        ret->set[i] = combination->set[i];
        if (combination->spoken[i] != 0) {
            ret->read |= 1u << i;
            through_pin(fusion, combination, i, ret->p[i]);
        } else {
            for (unsigned t = 0; t < MICROSTAMP_SYMBOLS_MAX; t++)
                ret->p[i][t] = 1.0;
        }
    }
}

/* How much a combination explains: its weight times the sum over valid codes, or for OPAQUE times
 * the mean over all strings. As a logarithm. */
static double score(const struct fusion *fusion, const struct combination *combination)
{
    struct microstamp_pattern pattern;
    double sum = 0.0, total = combination->log_weight;

    if (fusion->alphabet == MICROSTAMP_R29) {
        fill_evidence(fusion, combination, fusion->evidence);
        return combination->log_weight + log(microstamp_sum(fusion->evidence, &sum));
    }
    fill_pattern(fusion, combination, &pattern);
    for (unsigned i = 0; i < fusion->length; i++) {
        sum = 0.0;
        for (unsigned t = 0; t < MICROSTAMP_OPAQUE_SIZE; t++)
            sum += pattern.p[i][t];
        total += log(sum / MICROSTAMP_OPAQUE_SIZE);
    }
    return total;
}

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->combination != y->combination)
        return x->combination < y->combination ? -1 : 1;
    return x->view < y->view ? -1 : x->view > y->view;
}

/* The sum of one position's likelihoods over what was engraved, if a view is added there:
 *     sum over t, s of T(s|t) product(s) p(s) = sum over s of presented(s) product(s) p(s). */
static double sum_of_position(const struct fusion *fusion, const struct combination *combination,
                              const struct microstamp_view *view, unsigned at)
{
    const unsigned size = microstamp_alphabet_size(fusion->alphabet);
    const bool spoken = combination->spoken[at] != 0, speaks = (view->read >> at & 1u) != 0;
    const bool through = combination->spoken[at] + (speaks ? 1 : 0) > 1;
    double sum[4] = {0.0};

    if (!spoken && !speaks)
        return size;
    for (unsigned s = 0; s < size; s++)
        sum[s % 4] += (spoken ? combination->product[at][s] : 1.0) *
                      (speaks ? view->p[at][s] : 1.0) * (through ? fusion->presented[s] : 1.0);
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* As score(), but by the mean over all strings. */
static double quick_score(const struct fusion *fusion, const struct pair *pair)
{
    const struct combination *combination = &fusion->current[pair->combination];
    const struct microstamp_view *view = &fusion->view[pair->view];
    double product = view->scale;

    for (unsigned i = 0; i < fusion->length; i++)
        product *= sum_of_position(fusion, combination, view, i);
    return combination->log_weight + log(product);
}

/* Leaves the pairs that explain most, and returns how many those are. */
static unsigned choose_pairs(struct fusion *fusion, unsigned pair_count)
{
    unsigned kept = 0;

    if (pair_count > SCORED_MAX) {
        for (unsigned i = 0; i < pair_count; i++)
            fusion->pairs[i].score = quick_score(fusion, &fusion->pairs[i]);
        qsort(fusion->pairs, pair_count, sizeof(*fusion->pairs), compare_pairs);
        pair_count = SCORED_MAX;
    }
    for (unsigned i = 0; i < pair_count; i++) {
        struct pair *pair = &fusion->pairs[i];

        combination_add(fusion, &fusion->current[pair->combination], &fusion->view[pair->view],
                        &fusion->next[0]);
        pair->score = score(fusion, &fusion->next[0]);
    }
    qsort(fusion->pairs, pair_count, sizeof(*fusion->pairs), compare_pairs);
    while (kept < pair_count && kept < MICROSTAMP_VIEWS_MAX &&
           fusion->pairs[kept].score >= fusion->pairs[0].score + log(LEAST_SHARE))
        kept++;
    return kept;
}

/* Combines what there is with each view of one more observation. */
static void add_views(struct fusion *fusion, unsigned view_count)
{
    unsigned pair_count = 0;
    struct combination *swap;

    for (unsigned c = 0; c < fusion->count; c++) {
        for (unsigned v = 0; v < view_count; v++)
            fusion->pairs[pair_count++] = (struct pair){0.0, c, v};
    }
    if (pair_count > MICROSTAMP_VIEWS_MAX)
        pair_count = choose_pairs(fusion, pair_count);
    for (unsigned i = 0; i < pair_count; i++)
        combination_add(fusion, &fusion->current[fusion->pairs[i].combination],
                        &fusion->view[fusion->pairs[i].view], &fusion->next[i]);
    swap = fusion->current;
    fusion->current = fusion->next;
    fusion->next = swap;
    fusion->count = pair_count;
}

static void fill_presented(struct fusion *fusion)
{
    const unsigned size = microstamp_alphabet_size(fusion->alphabet);

    for (unsigned s = 0; s < size; s++) {
        fusion->presented[s] = 0.0;
        for (unsigned t = 0; t < size; t++)
            fusion->presented[s] += fusion->matrix->present[fusion->alphabet][s][t];
    }
}

/* Room for so many views of the line's alphabet. */
static enum microstamp_status reserve(struct microstamp_line *line, unsigned count)
{
    void *grown;

    if (line->alphabet == MICROSTAMP_R29 && count > line->evidence_capacity) {
        grown = reallocarray(line->evidence, count, sizeof(*line->evidence));
        if (grown == NULL)
            return MICROSTAMP_NO_MEMORY;
        line->evidence = grown;
        line->evidence_capacity = count;
    } else if (line->alphabet == MICROSTAMP_OPAQUE && count > line->pattern_capacity) {
        grown = reallocarray(line->pattern, count, sizeof(*line->pattern));
        if (grown == NULL)
            return MICROSTAMP_NO_MEMORY;
        line->pattern = grown;
        line->pattern_capacity = count;
    }
    return MICROSTAMP_OK;
}

/* Weights beside the greatest one, whose logarithm is the line's scale. */
static void fill_line(const struct fusion *fusion, bool single, struct microstamp_line *line)
{
    double most = -INFINITY;

    line->count = fusion->count;
    for (unsigned c = 0; c < fusion->count; c++)
        most = fmax(most, fusion->current[c].log_weight);
    line->log_scale = single ? 0.0 : most;
    for (unsigned c = 0; c < fusion->count; c++) {
        const struct combination *combination = &fusion->current[c];

        line->weight[c] = single ? combination->weight : exp(combination->log_weight - most);
        if (line->alphabet == MICROSTAMP_R29)
            fill_evidence(fusion, combination, &line->evidence[c]);
        else
            fill_pattern(fusion, combination, &line->pattern[c]);
    }
}

static enum microstamp_status fuse(const struct microstamp_matrix *matrix,
                                   const struct microstamp_observation *const *observations,
                                   size_t count, struct microstamp_line *line)
{
    struct fusion *fusion = malloc(sizeof(*fusion));
    enum microstamp_status status = MICROSTAMP_NO_MEMORY;
    unsigned most = 1, pairs = 1, at_once = 1, view_count;
    struct microstamp_way ways[WAYS_MAX];

    if (fusion == NULL)
        return MICROSTAMP_NO_MEMORY;
    for (size_t k = 0; k < count; k++) {
        at_once *= microstamp_ways(observations[k], ways);
        pairs = at_once > pairs ? at_once : pairs;
        at_once = at_once > MICROSTAMP_VIEWS_MAX ? MICROSTAMP_VIEWS_MAX : at_once;
        most = at_once > most ? at_once : most;
    }
    fusion->matrix = matrix;
    fusion->alphabet = line->alphabet;
    fusion->length = line->length;
    fill_presented(fusion);
    fusion->current = calloc(most, sizeof(*fusion->current));
    fusion->next = calloc(most, sizeof(*fusion->next));
    fusion->pairs = calloc(pairs, sizeof(*fusion->pairs));
    fusion->evidence = pairs > MICROSTAMP_VIEWS_MAX ? malloc(sizeof(*fusion->evidence)) : NULL;
    if (fusion->current == NULL || fusion->next == NULL || fusion->pairs == NULL ||
        (pairs > MICROSTAMP_VIEWS_MAX && fusion->evidence == NULL))
        goto out;
    fusion->count = views_of(fusion, observations[0]);
    for (unsigned v = 0; v < fusion->count; v++)
        combination_start(fusion, &fusion->view[v], &fusion->current[v]);
    for (size_t k = 1; k < count; k++) {
        view_count = views_of(fusion, observations[k]);
        add_views(fusion, view_count);
    }
    status = reserve(line, fusion->count);
    if (status == MICROSTAMP_OK)
        fill_line(fusion, count == 1, line);
out:
    free(fusion->current);
    free(fusion->next);
    free(fusion->pairs);
    free(fusion->evidence);
    free(fusion);
    return status;
}

/* A reading without weights, gear or doubt how it was held: one view, and nothing to fuse. */
static bool is_plain(const struct microstamp_observation *observation,
                     struct microstamp_reading *ret_reading)
{
    if (observation->alphabet != MICROSTAMP_R29 || observation->has_gear ||
        observation->orientation_unknown || observation->rows_unknown)
        return false;
    for (unsigned i = 0; i < LENGTH; i++) {
        if (observation->position[i].read && observation->position[i].weighed)
            return false;
        ret_reading->set[i] =
            observation->position[i].read ? (uint32_t)observation->position[i].set : ALL_SYMBOLS;
    }
    return true;
}

enum microstamp_status
microstamp_line_fuse(const struct microstamp_matrix *matrix,
                     const struct microstamp_observation *const *observations, size_t count,
                     struct microstamp_line *line)
{
    struct microstamp_reading reading;
    enum microstamp_status status;

    line->matrix = matrix;
    line->alphabet = observations[0]->alphabet;
    line->length = observations[0]->length;
    line->count = 0;
    if (count > 1 || !is_plain(observations[0], &reading))
        return fuse(matrix, observations, count, line);
    status = reserve(line, 1);
    if (status != MICROSTAMP_OK)
        return status;
    line->count = 1;
    line->log_scale = 0.0;
    line->weight[0] = 1.0;
    microstamp_evidence_init(matrix, &reading, &line->evidence[0]);
    return MICROSTAMP_OK;
}

void microstamp_line_free(struct microstamp_line *line)
{
    if (line == NULL)
        return;
    free(line->evidence);
    free(line->pattern);
    *line = (struct microstamp_line){0};
}
