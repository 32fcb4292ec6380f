// SPDX-License-Identifier: Apache-2.0
/* Evidence of one view, and what a line of views says of one code and of all together. */

#include "microstamp/internal.h"

#include <string.h>

/* The mean over the members' rows. The transform is linear, so its mean is the mean's transform. */
static void mean_row(const struct microstamp_matrix *matrix, uint32_t set,
                     struct microstamp_row *ret_row)
{
    const double share = 1.0 / (double)__builtin_popcount(set);

    memset(ret_row, 0, sizeof(*ret_row));
    for (; set != 0; set &= set - 1) {
        const struct microstamp_row *row = &matrix->row[__builtin_ctz(set)];

        for (unsigned i = 0; i < 32; i++)
            ret_row->p[i] += share * row->p[i];
        for (unsigned i = 0; i < 64; i++) {
            ret_row->re[i] += share * row->re[i];
            ret_row->im[i] += share * row->im[i];
        }
    }
}

void microstamp_evidence_init(const struct microstamp_matrix *matrix,
                              const struct microstamp_reading *reading,
                              struct microstamp_evidence *ret_evidence)
{
    ret_evidence->matrix = matrix;
    ret_evidence->reading = *reading;
    for (unsigned i = 0; i < LENGTH; i++) {
        uint32_t set = reading->set[i];

        if (set == ALL_SYMBOLS) {
            ret_evidence->row[i] = MICROSTAMP_ROW_UNREAD;
        } else if ((set & (set - 1)) == 0) {
            ret_evidence->row[i] = (uint8_t)__builtin_ctz(set);
        } else {
            ret_evidence->row[i] = MICROSTAMP_ROW_OWN;
            mean_row(matrix, set, &ret_evidence->own[i]);
        }
    }
}

double microstamp_evidence_likelihood(const struct microstamp_evidence *evidence,
                                      const struct microstamp_code *code)
{
    double likelihood = 1.0;

    for (unsigned i = 0; i < LENGTH; i++)
        likelihood *= microstamp_evidence_row(evidence, i)->p[code->symbol[i]];
    return likelihood;
}

/* The likelihood of a code under one view, without the view's weight. */
static double view_likelihood(const struct microstamp_line *line, unsigned view,
                              const uint8_t *symbols)
{
    double likelihood = 1.0;

    for (unsigned i = 0; i < line->length; i++) {
        if (line->alphabet == MICROSTAMP_R29)
            likelihood *= microstamp_evidence_row(&line->evidence[view], i)->p[symbols[i]];
        else
            likelihood *= line->pattern[view].p[i][symbols[i]];
    }
    return likelihood;
}

double microstamp_line_likelihood(const struct microstamp_line *line, const uint8_t *symbols)
{
    double likelihood = 0.0;

    for (unsigned v = 0; v < line->count; v++)
        likelihood += line->weight[v] * view_likelihood(line, v, symbols);
    return likelihood;
}

/* Sums over codes of weighted sums over views are weighted sums over views of their sums. */
double microstamp_line_z(const struct microstamp_line *line, double *ret_random_mean)
{
    double z = 0.0, total = 0.0;

    for (unsigned v = 0; v < line->count; v++) {
        double total_of_view;

        z += line->weight[v] * microstamp_sum(&line->evidence[v], &total_of_view);
        total += line->weight[v] * total_of_view;
    }
    *ret_random_mean = total / (MICROSTAMP_R29_WORDS * SIZE * SIZE);
    return z;
}

static char compare(const struct microstamp_matrix *matrix, enum microstamp_alphabet alphabet,
                    uint64_t set, unsigned symbol)
{
    if (set == microstamp_all_symbols(alphabet))
        return '.';
    if (set == UINT64_C(1) << symbol)
        return '=';
    if ((set >> symbol & 1u) != 0 ||
        (set & microstamp_matrix_confusable(matrix, alphabet, symbol)) != 0)
        return '~';
    return 'x';
}

void microstamp_line_agreement(const struct microstamp_line *line, const uint8_t *symbols,
                               char *ret_text)
{
    double best = -1.0;
    unsigned view = 0;

    for (unsigned v = 0; v < line->count; v++) {
        double likelihood = line->weight[v] * view_likelihood(line, v, symbols);

        if (likelihood > best) {
            best = likelihood;
            view = v;
        }
    }
    for (unsigned i = 0; i < line->length; i++)
        ret_text[i] = compare(line->matrix, line->alphabet,
                              line->alphabet == MICROSTAMP_R29 ? line->evidence[view].reading.set[i]
                                                               : line->pattern[view].set[i],
                              symbols[i]);
    ret_text[line->length] = '\0';
}

void microstamp_agreement(const struct microstamp_evidence *evidence,
                          const struct microstamp_code *code, char ret_text[9])
{
    for (unsigned i = 0; i < LENGTH; i++)
        ret_text[i] =
            compare(evidence->matrix, MICROSTAMP_R29, evidence->reading.set[i], code->symbol[i]);
    ret_text[LENGTH] = '\0';
}
