// SPDX-License-Identifier: Apache-2.0
/* What to look up for an opaque line.
 *
 * Whole codes, best first, would take hundreds of look-ups even if every character was read, since
 * each may have been misread as any other. A code by its first half or by its second half is one
 * index look-up too, and finds every code whose errors are all in the other half: with r1, r2 the
 * shares of the halves' likelihood that are not listed, r1 * r2 is what neither finds. */

#include "microstamp/exam.h"

#include <math.h>
#include <string.h>

#define CHARACTERS MICROSTAMP_OPAQUE_SIZE
#define LEFT_SHARE (1.0 / 101.0) /* not found, to found: 1 to 100 */
#define FIRST_LISTED 8           /* strings of a half, to begin with */
#define INSUFFICIENT_MAX 256     /* look-ups of a mark that cannot become an answer by itself */

/* Of a listed half: what is not listed, and the rows that the registry is expected to return. */
struct course {
    const struct exam_strings *strings;
    unsigned first, count;
    double frequency[MICROSTAMP_LENGTH_MAX][CHARACTERS];
    double codes; /* registered, of the length */
};

static double expected_rows(const struct course *course, size_t n)
{
    double rows = course->codes;

    for (unsigned i = 0; i < course->count; i++)
        rows *= course->frequency[course->first + i][course->strings->string[n].symbol[i]];
    return rows;
}

struct choice {
    size_t first, second; /* how many of each half */
    double cost;          /* look-ups, and rows expected of them */
    double left;          /* share of the likelihood that they leave */
};

/* Walks along one half's list from its end; the other's grows as far as it must. Both shares fall,
 * so each list is gone through once. */
static struct choice choose(const struct course course[2], const double total[2], size_t max)
{
    struct choice best = {0, 0, INFINITY, 1.0}, fallback = best;
    const struct exam_strings *a = course[0].strings, *b = course[1].strings;
    double left_a = a->left, left_b = 1.0, rows_a = 0.0, rows_b = 0.0;
    size_t n = a->count, m = 0;

    for (size_t i = 0; i < a->count; i++)
        rows_a += expected_rows(&course[0], i);
    left_a /= total[0];
    for (;;) {
        struct choice choice;

        while (left_a * left_b > LEFT_SHARE && m < b->count) {
            left_b = fmax(left_b - b->string[m].likelihood / total[1], 0.0);
            rows_b += expected_rows(&course[1], m++);
        }
        choice = (struct choice){n, m, (double)(n + m) + rows_a + rows_b, left_a * left_b};
        if (n + m <= max && choice.left <= LEFT_SHARE && choice.cost < best.cost)
            best = choice;
        if (n + m <= max && choice.left < fallback.left)
            fallback = choice;
        if (n == 0)
            break;
        n--;
        left_a += a->string[n].likelihood / total[0];
        rows_a -= expected_rows(&course[0], n);
    }
    return best.cost < INFINITY ? best : fallback;
}

static enum microstamp_status ask_half(struct microstamp_examination *exam,
                                       const struct course *course, enum microstamp_part part,
                                       unsigned length, size_t count, double scale)
{
    enum microstamp_status status = MICROSTAMP_OK;

    for (size_t n = 0; n < count && status == MICROSTAMP_OK; n++) {
        const struct exam_string *string = &course->strings->string[n];

        status = microstamp_exam_ask(exam, MICROSTAMP_OPAQUE, part, length, string->symbol,
                                     course->count, string->likelihood * scale,
                                     expected_rows(course, n));
    }
    return status;
}

static enum microstamp_status ask_whole(struct microstamp_examination *exam, unsigned length,
                                        double scale)
{
    enum microstamp_status status = MICROSTAMP_OK;

    for (size_t n = 0; n < exam->whole.count && status == MICROSTAMP_OK; n++) {
        const struct exam_string *string = &exam->whole.string[n];

        status = microstamp_exam_ask(exam, MICROSTAMP_OPAQUE, MICROSTAMP_WHOLE, length,
                                     string->symbol, length, string->likelihood * scale, 1.0);
    }
    return status;
}

/* The best code itself is asked for too if all of it was read: it must not be missed because a half
 * is so common that not all of its codes come back. */
static enum microstamp_status ask_best(struct microstamp_examination *exam,
                                       const struct microstamp_pattern *pattern,
                                       const struct exam_order *order, double scale)
{
    uint32_t all = (1u << pattern->length) - 1u;
    enum microstamp_status status;

    if ((pattern->read & all) != all)
        return MICROSTAMP_OK;
    status = microstamp_opaque_list(order, 0, pattern->length, 0.0, 0.0, 1, &exam->whole);
    return status == MICROSTAMP_OK ? ask_whole(exam, pattern->length, scale) : status;
}

static double total_of(const struct exam_order *order, unsigned first, unsigned count)
{
    double product = 1.0;

    for (unsigned i = first; i < first + count; i++)
        product *= order->sum[i];
    return product;
}

/* How many of a list's strings to bother with: the best alone if max of them would not even come to
 * half of all, as when little was read there. */
static size_t worth(const struct exam_order *order, unsigned first, unsigned count, size_t max)
{
    double best = 1.0;

    for (unsigned i = first; i < first + count; i++)
        best *= order->p[i][0];
    return best * (double)max < 0.5 * total_of(order, first, count) ? 1 : max;
}

/* The cheapest choice of both halves. Lists no longer than its cost are long enough to know that it
 * is: they begin short and grow until they are. */
static enum microstamp_status choose_halves(struct microstamp_examination *exam,
                                            const struct exam_order *order,
                                            const struct course course[2], size_t max,
                                            struct choice *ret_choice)
{
    const double total[2] = {total_of(order, course[0].first, course[0].count),
                             total_of(order, course[1].first, course[1].count)};
    size_t worth_max[2], bound = FIRST_LISTED;
    enum microstamp_status status;

    for (unsigned k = 0; k < 2; k++)
        worth_max[k] = worth(order, course[k].first, course[k].count, max);
    for (;;) {
        bool last = bound >= max;

        for (unsigned k = 0; k < 2; k++) {
            status = microstamp_opaque_list(order, course[k].first, course[k].count, LEFT_SHARE,
                                            0.0, bound < worth_max[k] ? bound : worth_max[k],
                                            k == 0 ? &exam->first : &exam->second);
            if (status != MICROSTAMP_OK)
                return status;
        }
        *ret_choice = choose(course, total, max - 1);
        if (last || (ret_choice->left <= LEFT_SHARE && ret_choice->cost <= (double)bound))
            return MICROSTAMP_OK;
        bound *= 6;
        if (ret_choice->left <= LEFT_SHARE)
            bound = (size_t)fmin(ret_choice->cost + 1.0, (double)max);
    }
}

/* scale: likelihood of a whole code -> share of the line's best. max: at least 2. */
static enum microstamp_status plan_view(struct microstamp_examination *exam,
                                        const struct microstamp_pattern *pattern, double scale,
                                        size_t max)
{
    unsigned length = pattern->length, half = length / 2;
    struct course course[2] = {{.strings = &exam->first, .first = 0, .count = half},
                               {.strings = &exam->second, .first = half, .count = length - half}};
    struct choice choice;
    struct exam_order order;
    enum microstamp_status status;
    size_t whole_max;

    for (unsigned k = 0; k < 2; k++) {
        microstamp_exam_frequency(&exam->registry, length, course[k].frequency);
        course[k].codes = exam->registry.opaque[length];
    }
    microstamp_opaque_order(pattern, &order);
    status = choose_halves(exam, &order, course, max, &choice);
    if (status != MICROSTAMP_OK)
        return status;
    whole_max = choice.cost >= (double)max || choice.left > LEFT_SHARE ? max : (size_t)choice.cost;
    whole_max = worth(&order, 0, length, whole_max);
    status = microstamp_opaque_list(&order, 0, length, 0.0, 0.01, whole_max, &exam->whole);
    if (status != MICROSTAMP_OK)
        return status;
    if (exam->whole.left <= 0.01 * exam->whole.string[0].likelihood)
        return ask_whole(exam, length, scale);
    status = ask_half(exam, &course[0], MICROSTAMP_FIRST_HALF, length, choice.first,
                      scale * exam->second.string[0].likelihood);
    if (status == MICROSTAMP_OK)
        status = ask_half(exam, &course[1], MICROSTAMP_SECOND_HALF, length, choice.second,
                          scale * exam->first.string[0].likelihood);
    return status == MICROSTAMP_OK ? ask_best(exam, pattern, &order, scale) : status;
}

static double sum_of(const struct microstamp_pattern *pattern)
{
    double product = 1.0;

    for (unsigned i = 0; i < pattern->length; i++) {
        double sum = 0.0;

        for (unsigned t = 0; t < CHARACTERS; t++)
            sum += pattern->p[i][t];
        product *= sum;
    }
    return product;
}

enum microstamp_status microstamp_opaque_plan(struct microstamp_examination *exam,
                                              const struct exam_line *line, size_t max)
{
    const struct microstamp_line *opaque = &line->opaque;
    double sum[MICROSTAMP_VIEWS_MAX], all = 0.0, best = microstamp_opaque_best(opaque), rest;
    enum microstamp_status status = MICROSTAMP_OK;
    size_t before = exam->lookup_count;

    if (max > MICROSTAMP_PATTERN_MAX)
        max = MICROSTAMP_PATTERN_MAX;
    if (max > INSUFFICIENT_MAX &&
        best < line->nobody_opaque / line->scale_opaque * 29.0 * 29.0 * 29.0)
        max = INSUFFICIENT_MAX;
    for (unsigned v = 0; v < opaque->count; v++) {
        sum[v] = opaque->weight[v] * sum_of(&opaque->pattern[v]);
        all += sum[v];
    }
    rest = all;
    /* Views that explain less than 1/100 together are not worth a look-up. */
    for (unsigned v = 0; v < opaque->count && status == MICROSTAMP_OK && rest > 0.01 * all; v++) {
        size_t asked = exam->lookup_count - before;

        rest -= sum[v];
        if (asked + 1 < max)
            status = plan_view(exam, &opaque->pattern[v], opaque->weight[v] / best, max - asked);
    }
    return status;
}

/* With independent positions the sum over codes with neither half listed is a product:
 * (all first halves - listed) * (all second halves - listed); then whole codes that were listed. */
static double left_of(const struct microstamp_examination *exam,
                      const struct microstamp_pattern *pattern, double frequency[][CHARACTERS])
{
    unsigned length = pattern->length, half = length / 2;
    double first = 1.0, second = 1.0, whole = 0.0;

    for (unsigned i = 0; i < length; i++) {
        double sum = 0.0;

        for (unsigned t = 0; t < CHARACTERS; t++)
            sum += frequency[i][t] * pattern->p[i][t];
        *(i < half ? &first : &second) *= sum;
    }
    for (size_t n = 0; n < exam->lookup_count; n++) {
        const struct microstamp_lookup *lookup = &exam->lookup[n];
        unsigned from = lookup->part == MICROSTAMP_SECOND_HALF ? half : 0;
        double share = 1.0;

        if (lookup->alphabet != MICROSTAMP_OPAQUE || lookup->length != length || exam->cut[n])
            continue;
        if (lookup->part == MICROSTAMP_WHOLE &&
            (microstamp_exam_asked(exam, MICROSTAMP_FIRST_HALF, length, lookup->text, half) ||
             microstamp_exam_asked(exam, MICROSTAMP_SECOND_HALF, length, lookup->text + half,
                                   length - half)))
            continue;
        for (unsigned i = 0; lookup->text[i] != '\0'; i++) {
            int t = microstamp_symbol(MICROSTAMP_OPAQUE, lookup->text[i]);

            share *= frequency[from + i][t] * pattern->p[from + i][t];
        }
        if (lookup->part == MICROSTAMP_WHOLE)
            whole += share;
        else if (lookup->part == MICROSTAMP_FIRST_HALF)
            first -= share;
        else
            second -= share;
    }
    return fmax(fmax(first, 0.0) * fmax(second, 0.0) - whole, 0.0);
}

double microstamp_opaque_left(const struct microstamp_examination *exam,
                              const struct microstamp_line *line, double frequency[][CHARACTERS])
{
    double left = 0.0;

    for (unsigned v = 0; v < line->count; v++)
        left += line->weight[v] * left_of(exam, &line->pattern[v], frequency);
    return left;
}
