// SPDX-License-Identifier: Apache-2.0
/* How often a character is read as another, and what is precomputed of it. */

#include "microstamp/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Characters that look alike on a worn or smeared mark. Written with the whole set of letters and
 * digits; those outside of the alphabet drop out. */
static const char *const groups[] = {"0D", "0OQD", "1IL7T", "2Z", "5S", "6G", "8B3", "UV",
                                     "CG", "MN",   "HN",    "KX", "EF", "PR", "7TY"};

#define GROUP_COUNT (sizeof(groups) / sizeof(groups[0]))

/* The symbol of exactly this character, without folding, or -1. */
static int symbol_exact(char character)
{
    int symbol = microstamp_r29_symbol((unsigned char)character);

    return symbol >= 0 && microstamp_r29_character((unsigned)symbol) == character ? symbol : -1;
}

/* conf(t): the union of all groups that contain t, within the alphabet, without t. */
static uint32_t confusable_set(unsigned t)
{
    uint32_t set = 0;

    for (size_t i = 0; i < GROUP_COUNT; i++) {
        if (strchr(groups[i], microstamp_r29_character(t)) == NULL)
            continue;
        for (const char *c = groups[i]; *c != '\0'; c++) {
            int symbol = symbol_exact(*c);

            if (symbol >= 0)
                set |= 1u << symbol;
        }
    }
    return set & ~(1u << t);
}

/* With e the error rate, A = 29 and m the size of conf(t):
 *     P(r|t) = 1 - e                r = t
 *            = 0.8 e / m            r in conf(t)
 *            = 0.2 e / (A-1-m)      otherwise;   e / (A-1) for all of them if m = 0.
 * Sum over r: (1 - e) + m * 0.8 e / m + (A-1-m) * 0.2 e / (A-1-m) = 1. */
static void fill_default_row(unsigned t, double ret_probability[SIZE])
{
    const double e = MICROSTAMP_DEFAULT_ERROR_RATE;
    uint32_t confusable = confusable_set(t);
    int m = __builtin_popcount(confusable);

    for (unsigned r = 0; r < SIZE; r++) {
        if (r == t)
            ret_probability[r] = 1.0 - e;
        else if (m == 0)
            ret_probability[r] = e / (SIZE - 1);
        else if ((confusable >> r & 1u) != 0)
            ret_probability[r] = 0.8 * e / m;
        else
            ret_probability[r] = 0.2 * e / (SIZE - 1 - m);
    }
}

/* F(h) = sum over t of p(t) w^(h t), w = exp(2 pi i / 29), for h = 0 .. 28, then once more, so that
 * F(s), F(s+1), .. F(s+28) lie side by side for every shift s. */
static void fill_transform(struct microstamp_row *row)
{
    const double turn = 2.0 * acos(-1.0) / SIZE;

    for (unsigned h = 0; h < SIZE; h++) {
        double re = 0.0, im = 0.0;

        for (unsigned t = 0; t < SIZE; t++) {
            double angle = turn * (double)(h * t % SIZE);

            re += row->p[t] * cos(angle);
            im += row->p[t] * sin(angle);
        }
        row->re[h] = row->re[h + SIZE] = re;
        row->im[h] = row->im[h + SIZE] = im;
    }
}

/* The transform of "all 1" is 29 at h = 0 and nothing else; written down, not computed, because
 * rounding errors beside an exact zero would be all that is left elsewhere. */
static void fill_unread(struct microstamp_row *row)
{
    for (unsigned t = 0; t < SIZE; t++)
        row->p[t] = 1.0;
    row->re[0] = row->re[SIZE] = SIZE;
}

/* A character counts as easily confused when it is read at least twice as often as if all errors
 * were equally likely. */
static uint32_t often_read(const double probability[SIZE], unsigned t)
{
    uint32_t set = 0;

    for (unsigned r = 0; r < SIZE; r++) {
        if (r != t && probability[r] >= 2.0 * (1.0 - probability[t]) / (SIZE - 1))
            set |= 1u << r;
    }
    return set;
}

static bool row_is_sound(const double probability[SIZE])
{
    double sum = 0.0;

    for (unsigned r = 0; r < SIZE; r++) {
        /* Written so that NaN fails too. */
        if (!(probability[r] >= 1e-9))
            return false;
        sum += probability[r];
    }
    return fabs(sum - 1.0) <= 1e-9;
}

enum microstamp_status microstamp_matrix_make(const char *name,
                                              const double probability[SIZE][SIZE],
                                              struct microstamp_matrix **ret_matrix)
{
    struct microstamp_matrix *matrix;
    size_t name_length = strnlen(name, sizeof(matrix->name));

    if (name_length == 0 || name_length == sizeof(matrix->name))
        return MICROSTAMP_BAD_INPUT;
    for (unsigned t = 0; t < SIZE; t++) {
        if (!row_is_sound(probability[t]))
            return MICROSTAMP_BAD_INPUT;
    }
    matrix = calloc(1, sizeof(*matrix));
    if (matrix == NULL)
        return MICROSTAMP_NO_MEMORY;
    memcpy(matrix->name, name, name_length);
    memcpy(matrix->probability, probability, sizeof(matrix->probability));
    for (unsigned r = 0; r < SIZE; r++) {
        for (unsigned t = 0; t < SIZE; t++)
            matrix->row[r].p[t] = probability[t][r];
        fill_transform(&matrix->row[r]);
        matrix->confusable[r] = often_read(probability[r], r);
    }
    fill_unread(&matrix->row[MICROSTAMP_ROW_UNREAD]);
    *ret_matrix = matrix;
    return MICROSTAMP_OK;
}

enum microstamp_status microstamp_matrix_make_default(struct microstamp_matrix **ret_matrix)
{
    double probability[SIZE][SIZE];

    for (unsigned t = 0; t < SIZE; t++)
        fill_default_row(t, probability[t]);
    return microstamp_matrix_make("default-1", probability, ret_matrix);
}

void microstamp_matrix_free(struct microstamp_matrix *matrix)
{
    free(matrix);
}

const char *microstamp_matrix_name(const struct microstamp_matrix *matrix)
{
    return matrix->name;
}

double microstamp_matrix_probability(const struct microstamp_matrix *matrix, unsigned t, unsigned r)
{
    return matrix->probability[t][r];
}
