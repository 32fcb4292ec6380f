// SPDX-License-Identifier: Apache-2.0
/* Codes of manufacturers' own: no structure, so positions are independent, sums are products, and
 * strings come out best first without a table. */

#include "microstamp/exam.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHARACTERS MICROSTAMP_OPAQUE_SIZE

/* Branches that a probability is counted over, exactly; beyond it is bounded. */
#define CHANCE_STEPS 20000

/* Many strings: those whose character at position i ranks rank[i]-th there. Its children raise one
 * rank, at position `from` or later, so each string has one parent. */
struct exam_node {
    double value;
    uint8_t rank[MICROSTAMP_LENGTH_MAX];
    uint8_t from;
};

/* ---- sums -------------------------------------------------------------------------------- */

/* sum over t of q(t) p(t) at positions first .. first+count-1, multiplied: the mean likelihood of
 * strings whose characters are drawn by the frequencies, each position for itself. */
static double mean_of(const struct microstamp_pattern *pattern, unsigned first, unsigned count,
                      double frequency[][CHARACTERS])
{
    double product = 1.0;

    for (unsigned i = first; i < first + count; i++) {
        double sum = 0.0;

        if ((pattern->read >> i & 1u) == 0)
            continue;
        for (unsigned t = 0; t < CHARACTERS; t++)
            sum += frequency[i][t] * pattern->p[i][t];
        product *= sum;
    }
    return product;
}

double microstamp_opaque_mean(const struct microstamp_line *line, double frequency[][CHARACTERS])
{
    double mean = 0.0;

    for (unsigned v = 0; v < line->count; v++)
        mean += line->weight[v] * mean_of(&line->pattern[v], 0, line->length, frequency);
    return mean;
}

/* Per view the best string is the best character everywhere; the best of the whole mixture is the
 * best of those unless views are nearly alike, when it makes no difference. */
double microstamp_opaque_best(const struct microstamp_line *line)
{
    double best = 0.0;

    for (unsigned v = 0; v < line->count; v++) {
        const struct microstamp_pattern *pattern = &line->pattern[v];
        uint8_t symbol[MICROSTAMP_LENGTH_MAX] = {0};

        for (unsigned i = 0; i < line->length; i++) {
            for (uint8_t t = 1; t < CHARACTERS; t++) {
                if (pattern->p[i][t] > pattern->p[i][symbol[i]])
                    symbol[i] = t;
            }
        }
        best = fmax(best, microstamp_line_likelihood(line, symbol));
    }
    return best;
}

/* ---- how probable it is to score as high by chance ------------------------------------------- */

/* Characters of one position that explain it equally well count as one. */
struct levels {
    unsigned count[MICROSTAMP_LENGTH_MAX];
    double p[MICROSTAMP_LENGTH_MAX][CHARACTERS]; /* falling */
    double share[MICROSTAMP_LENGTH_MAX][CHARACTERS];
    double most[MICROSTAMP_LENGTH_MAX + 1], least[MICROSTAMP_LENGTH_MAX + 1]; /* from there on */
    unsigned length, steps;
};

static void add_level(struct levels *levels, unsigned i, double p, double share)
{
    unsigned at = levels->count[i];

    for (unsigned k = 0; k < levels->count[i]; k++) {
        if (levels->p[i][k] == p) {
            levels->share[i][k] += share;
            return;
        }
    }
    for (; at > 0 && levels->p[i][at - 1] < p; at--) {
        levels->p[i][at] = levels->p[i][at - 1];
        levels->share[i][at] = levels->share[i][at - 1];
    }
    levels->p[i][at] = p;
    levels->share[i][at] = share;
    levels->count[i]++;
}

static void fill_levels(struct levels *levels, const struct microstamp_pattern *pattern,
                        double frequency[][CHARACTERS])
{
    memset(levels->count, 0, sizeof(levels->count));
    levels->length = pattern->length;
    levels->steps = 0;
    levels->most[pattern->length] = levels->least[pattern->length] = 1.0;
    for (unsigned i = pattern->length; i-- > 0;) {
        for (unsigned t = 0; t < CHARACTERS; t++)
            add_level(levels, i, pattern->p[i][t], frequency[i][t]);
        levels->most[i] = levels->most[i + 1] * levels->p[i][0];
        levels->least[i] = levels->least[i + 1] * levels->p[i][levels->count[i] - 1];
    }
}

/* The probability that positions from i on bring what is there to the limit. */
static double chance_from(struct levels *levels, unsigned i, double so_far, double limit)
{
    double sum = 0.0;

    if (so_far * levels->least[i] >= limit)
        return 1.0;
    if (so_far * levels->most[i] < limit || ++levels->steps > CHANCE_STEPS)
        return 0.0;
    for (unsigned k = 0; k < levels->count[i]; k++)
        sum += levels->share[i][k] * chance_from(levels, i + 1, so_far * levels->p[i][k], limit);
    return sum;
}

/* Exactly, by counting branches, for one view. For several views, and where there are too many
 * branches, Markov's inequality: P(L >= limit) <= E(L) / limit, which never understates. */
double microstamp_opaque_chance(const struct microstamp_line *line, double frequency[][CHARACTERS],
                                double limit)
{
    if (line->count == 1) {
        struct levels levels;
        double chance;

        fill_levels(&levels, &line->pattern[0], frequency);
        chance = chance_from(&levels, 0, line->weight[0], limit);
        if (levels.steps <= CHANCE_STEPS)
            return fmin(chance, 1.0);
    }
    return fmin(microstamp_opaque_mean(line, frequency) / limit, 1.0);
}

/* ---- strings, the best first ----------------------------------------------------------------- */

void microstamp_opaque_order(const struct microstamp_pattern *pattern, struct exam_order *ret_order)
{
    for (unsigned i = 0; i < pattern->length; i++) {
        double *p = ret_order->p[i];

        ret_order->sum[i] = 0.0;
        for (unsigned t = 0; t < CHARACTERS; t++) {
            double one = pattern->p[i][t];
            unsigned at = t;

            for (; at > 0 && p[at - 1] < one; at--) {
                p[at] = p[at - 1];
                ret_order->symbol[i][at] = ret_order->symbol[i][at - 1];
            }
            p[at] = one;
            ret_order->symbol[i][at] = (uint8_t)t;
            ret_order->sum[i] += one;
        }
    }
}

static bool node_before(const struct exam_node *a, const struct exam_node *b)
{
    if (a->value != b->value)
        return a->value > b->value;
    return memcmp(a->rank, b->rank, sizeof(a->rank)) < 0;
}

/* p: the characters' likelihoods at the node's positions, the best first. */
static enum microstamp_status push(struct exam_strings *strings, struct exam_node *node,
                                   const double (*p)[CHARACTERS], unsigned count)
{
    enum microstamp_status status =
        microstamp_exam_grow((void **)&strings->heap, &strings->heap_capacity,
                             strings->heap_count + 1, sizeof(*strings->heap));
    size_t at = strings->heap_count;

    if (status != MICROSTAMP_OK)
        return status;
    node->value = 1.0;
    for (unsigned i = 0; i < count; i++)
        node->value *= p[i][node->rank[i]];
    for (; at > 0 && node_before(node, &strings->heap[(at - 1) / 2]); at = (at - 1) / 2)
        strings->heap[at] = strings->heap[(at - 1) / 2];
    strings->heap[at] = *node;
    strings->heap_count++;
    return MICROSTAMP_OK;
}

static struct exam_node pop(struct exam_strings *strings)
{
    struct exam_node top = strings->heap[0], last = strings->heap[--strings->heap_count];
    size_t at = 0;

    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= strings->heap_count)
            break;
        if (child + 1 < strings->heap_count &&
            node_before(&strings->heap[child + 1], &strings->heap[child]))
            child++;
        if (!node_before(&strings->heap[child], &last))
            break;
        strings->heap[at] = strings->heap[child];
        at = child;
    }
    if (strings->heap_count > 0)
        strings->heap[at] = last;
    return top;
}

enum microstamp_status microstamp_opaque_list(const struct exam_order *order, unsigned first,
                                              unsigned count, double stop, double stop_best,
                                              size_t max, struct exam_strings *ret_strings)
{
    const double(*p)[CHARACTERS] = order->p + first;
    struct exam_node root = {.from = 0};
    double total = 1.0, enough;
    enum microstamp_status status;

    for (unsigned i = 0; i < count; i++)
        total *= order->sum[first + i];
    enough = stop * total;
    ret_strings->count = ret_strings->heap_count = 0;
    ret_strings->left = total;
    status = push(ret_strings, &root, p, count);
    while (status == MICROSTAMP_OK && ret_strings->heap_count > 0 && ret_strings->count < max &&
           ret_strings->left > enough) {
        struct exam_node node = pop(ret_strings);
        struct exam_string *string;

        status = microstamp_exam_grow((void **)&ret_strings->string, &ret_strings->capacity,
                                      ret_strings->count + 1, sizeof(*ret_strings->string));
        if (status != MICROSTAMP_OK)
            break;
        string = &ret_strings->string[ret_strings->count++];
        string->likelihood = node.value;
        for (unsigned i = 0; i < count; i++)
            string->symbol[i] = order->symbol[first + i][node.rank[i]];
        enough = fmax(enough, stop_best * ret_strings->string[0].likelihood);
        ret_strings->left -= node.value;
        for (unsigned i = node.from; i < count && status == MICROSTAMP_OK; i++) {
            struct exam_node child = node;

            if (++child.rank[i] == CHARACTERS)
                continue;
            child.from = (uint8_t)i;
            status = push(ret_strings, &child, p, count);
        }
    }
    ret_strings->left = fmax(ret_strings->left, 0.0);
    return status;
}
