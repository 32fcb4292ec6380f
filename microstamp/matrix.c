// SPDX-License-Identifier: Apache-2.0
/* How often a character is read as another, and what is precomputed of it. */

#include "microstamp/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OPAQUE_SIZE MICROSTAMP_OPAQUE_SIZE

/* Chance that the pin itself presents the character that was engraved on it; else it presents, on
 * every casing alike, one of those that it is taken for. See fuse.c. */
#define PRESENTED 0.99

/* Characters that look alike on a worn or smeared mark. Written with the whole set of letters and
 * digits; those outside of the alphabet drop out. */
static const char *const groups[] = {"0D", "0OQD", "1IL7T", "2Z", "5S", "6G", "8B3", "UV",
                                     "CG", "MN",   "HN",    "KX", "EF", "PR", "7TY"};

#define GROUP_COUNT (sizeof(groups) / sizeof(groups[0]))

/* The symbol of exactly this character, without folding, or -1. */
static int symbol_exact(enum microstamp_alphabet alphabet, char character)
{
    int symbol = microstamp_symbol(alphabet, character);

    return symbol >= 0 && microstamp_character(alphabet, (unsigned)symbol) == character ? symbol
                                                                                        : -1;
}

/* conf(t): the union of all groups that contain t, within the alphabet, without t. */
static uint64_t confusable_set(enum microstamp_alphabet alphabet, unsigned t)
{
    uint64_t set = 0;

    for (size_t i = 0; i < GROUP_COUNT; i++) {
        if (strchr(groups[i], microstamp_character(alphabet, t)) == NULL)
            continue;
        for (const char *c = groups[i]; *c != '\0'; c++) {
            int symbol = symbol_exact(alphabet, *c);

            if (symbol >= 0)
                set |= UINT64_C(1) << symbol;
        }
    }
    return set & ~(UINT64_C(1) << t);
}

/* With e the error rate, A the alphabet's size and m the size of conf(t):
 *     P(r|t) = 1 - e                r = t
 *            = 0.8 e / m            r in conf(t)
 *            = 0.2 e / (A-1-m)      otherwise;   e / (A-1) for all of them if m = 0.
 * Sum over r: (1 - e) + m * 0.8 e / m + (A-1-m) * 0.2 e / (A-1-m) = 1. */
static void fill_default_row(enum microstamp_alphabet alphabet, unsigned t, double e,
                             double *ret_row)
{
    const unsigned size = microstamp_alphabet_size(alphabet);
    uint64_t confusable = confusable_set(alphabet, t);
    unsigned m = (unsigned)__builtin_popcountll(confusable);

    for (unsigned r = 0; r < size; r++) {
        if (r == t)
            ret_row[r] = 1.0 - e;
        else if (m == 0)
            ret_row[r] = e / (size - 1);
        else if ((confusable >> r & 1u) != 0)
            ret_row[r] = 0.8 * e / m;
        else
            ret_row[r] = 0.2 * e / (size - 1 - m);
    }
}

void microstamp_rates_default(double error_rate, struct microstamp_rates *ret_rates)
{
    for (unsigned t = 0; t < SIZE; t++)
        fill_default_row(MICROSTAMP_R29, t, error_rate, ret_rates->r29[t]);
    for (unsigned t = 0; t < OPAQUE_SIZE; t++)
        fill_default_row(MICROSTAMP_OPAQUE, t, error_rate, ret_rates->opaque[t]);
}

/* Posterior mean of a row under the Dirichlet prior whose mean is the default row and whose weight
 * is `strength` readings (A. Gelman et al., Bayesian Data Analysis, 3rd ed., section 3.4):
 *     P(r|t) = (n(t,r) + strength * default(r|t)) / (n(t) + strength).
 * Mixing in the least probability keeps the sum: (1 - A min) * 1 + A * min = 1. */
static void learn_row(double *row, const double *counts, unsigned size)
{
    const double least = MICROSTAMP_PROBABILITY_MIN, strength = MICROSTAMP_LEARN_STRENGTH;
    double total = 0.0;

    for (unsigned r = 0; r < size; r++)
        total += counts[r];
    for (unsigned r = 0; r < size; r++) {
        double mean = (counts[r] + strength * row[r]) / (total + strength);

        row[r] = (1.0 - size * least) * mean + least;
    }
}

void microstamp_rates_learn(const struct microstamp_counts *counts,
                            struct microstamp_rates *ret_rates)
{
    microstamp_rates_default(MICROSTAMP_DEFAULT_ERROR_RATE, ret_rates);
    for (unsigned t = 0; t < OPAQUE_SIZE; t++) {
        double raw[OPAQUE_SIZE], folded[SIZE] = {0.0};
        int exact = symbol_exact(MICROSTAMP_R29, microstamp_character(MICROSTAMP_OPAQUE, t));

        for (unsigned r = 0; r < OPAQUE_SIZE; r++) {
            raw[r] = counts->count[t][r];
            folded[microstamp_symbol(MICROSTAMP_R29, microstamp_character(MICROSTAMP_OPAQUE, r))] +=
                raw[r];
        }
        learn_row(ret_rates->opaque[t], raw, OPAQUE_SIZE);
        /* B, I, L, O, Q, S, Z are on no R29 pin. */
        if (exact >= 0)
            learn_row(ret_rates->r29[exact], folded, SIZE);
    }
}

/* F(h) = sum over t of p(t) w^(h t), w = exp(2 pi i / 29), for h = 0 .. 28, then once more, so that
 * F(s), F(s+1), .. F(s+28) lie side by side for every shift s. As p is real, F(29 - h) is the
 * conjugate of F(h). */
void microstamp_row_transform(const struct microstamp_matrix *matrix, struct microstamp_row *row)
{
    for (unsigned h = 0; h <= SIZE / 2; h++) {
        double re[4] = {0.0}, im[4] = {0.0};

        /* Four sums, so that the additions need not wait for each other. */
        for (unsigned t = 0; t < 32; t += 4) {
            for (unsigned k = 0; k < 4; k++) {
                re[k] += row->p[t + k] * matrix->cosine[h][t + k];
                im[k] += row->p[t + k] * matrix->sine[h][t + k];
            }
        }
        row->re[h] = row->re[h + SIZE] = (re[0] + re[1]) + (re[2] + re[3]);
        row->im[h] = row->im[h + SIZE] = (im[0] + im[1]) + (im[2] + im[3]);
        if (h > 0) {
            row->re[SIZE - h] = row->re[2 * SIZE - h] = row->re[h];
            row->im[SIZE - h] = row->im[2 * SIZE - h] = -row->im[h];
        }
    }
    for (unsigned i = 2 * SIZE; i < 64; i++)
        row->re[i] = row->im[i] = 0.0;
}

static void fill_angles(struct microstamp_matrix *matrix)
{
    const double turn = 2.0 * acos(-1.0) / SIZE;

    for (unsigned h = 0; h <= SIZE / 2; h++) {
        for (unsigned t = 0; t < SIZE; t++) {
            matrix->cosine[h][t] = cos(turn * (double)(h * t % SIZE));
            matrix->sine[h][t] = sin(turn * (double)(h * t % SIZE));
        }
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
static uint64_t often_read(const double *row, unsigned size, unsigned t)
{
    uint64_t set = 0;

    for (unsigned r = 0; r < size; r++) {
        if (r != t && row[r] >= 2.0 * (1.0 - row[t]) / (size - 1))
            set |= UINT64_C(1) << r;
    }
    return set;
}

/* T(s|t): PRESENTED for s = t, the rest along t's row of what it is taken for. */
static void fill_present(const double *row, unsigned size, unsigned t,
                         double ret_present[][MICROSTAMP_SYMBOLS_MAX])
{
    double others = 0.0;

    /* Not 1 - row[t], which may be all rounding. */
    for (unsigned s = 0; s < size; s++)
        others += s == t ? 0.0 : row[s];
    for (unsigned s = 0; s < size; s++)
        ret_present[s][t] = s == t ? PRESENTED : (1.0 - PRESENTED) * row[s] / others;
}

static bool row_is_sound(const double *row, unsigned size)
{
    double sum = 0.0;

    for (unsigned r = 0; r < size; r++) {
        /* Written so that NaN fails too. */
        if (!(row[r] >= MICROSTAMP_PROBABILITY_MIN))
            return false;
        sum += row[r];
    }
    return fabs(sum - 1.0) <= 1e-9;
}

static enum microstamp_status check(const char *name, const struct microstamp_rates *rates,
                                    struct microstamp_error *err)
{
    size_t length = strnlen(name, sizeof(((struct microstamp_matrix *)NULL)->name));

    for (unsigned t = 0; t < SIZE + OPAQUE_SIZE; t++) {
        enum microstamp_alphabet alphabet = t < SIZE ? MICROSTAMP_R29 : MICROSTAMP_OPAQUE;
        unsigned symbol = t < SIZE ? t : t - SIZE;

        if (row_is_sound(t < SIZE ? rates->r29[symbol] : rates->opaque[symbol],
                         microstamp_alphabet_size(alphabet)))
            continue;
        microstamp_error_set(err, t,
                             "expected the row of %c in %s to be at least 1e-9 and sum to 1",
                             microstamp_character(alphabet, symbol), t < SIZE ? "R29-8" : "opaque");
        return MICROSTAMP_BAD_INPUT;
    }
    if (length == 0 || length == sizeof(((struct microstamp_matrix *)NULL)->name)) {
        microstamp_error_set(err, SIZE + OPAQUE_SIZE, "expected a name of 1 to 63 bytes");
        return MICROSTAMP_BAD_INPUT;
    }
    return MICROSTAMP_OK;
}

enum microstamp_status microstamp_matrix_make(const char *name,
                                              const struct microstamp_rates *rates,
                                              struct microstamp_matrix **ret_matrix,
                                              struct microstamp_error *err)
{
    enum microstamp_status status = check(name, rates, err);
    struct microstamp_matrix *matrix;

    if (status != MICROSTAMP_OK)
        return status;
    matrix = calloc(1, sizeof(*matrix));
    if (matrix == NULL)
        return MICROSTAMP_NO_MEMORY;
    memcpy(matrix->name, name, strlen(name));
    matrix->rates = *rates;
    fill_angles(matrix);
    for (unsigned r = 0; r < SIZE; r++) {
        for (unsigned t = 0; t < SIZE; t++)
            matrix->row[r].p[t] = rates->r29[t][r];
        microstamp_row_transform(matrix, &matrix->row[r]);
        matrix->confusable[r] = often_read(rates->r29[r], SIZE, r);
        fill_present(rates->r29[r], SIZE, r, matrix->present[MICROSTAMP_R29]);
    }
    fill_unread(&matrix->row[MICROSTAMP_ROW_UNREAD]);
    for (unsigned r = 0; r < OPAQUE_SIZE; r++) {
        for (unsigned t = 0; t < OPAQUE_SIZE; t++)
            matrix->opaque_p[r][t] = rates->opaque[t][r];
        matrix->opaque_confusable[r] = often_read(rates->opaque[r], OPAQUE_SIZE, r);
        fill_present(rates->opaque[r], OPAQUE_SIZE, r, matrix->present[MICROSTAMP_OPAQUE]);
    }
    *ret_matrix = matrix;
    return MICROSTAMP_OK;
}

enum microstamp_status microstamp_matrix_make_default(struct microstamp_matrix **ret_matrix)
{
    struct microstamp_rates rates;

    microstamp_rates_default(MICROSTAMP_DEFAULT_ERROR_RATE, &rates);
    return microstamp_matrix_make(MICROSTAMP_DEFAULT_NAME, &rates, ret_matrix, NULL);
}

void microstamp_matrix_free(struct microstamp_matrix *matrix)
{
    free(matrix);
}

const char *microstamp_matrix_name(const struct microstamp_matrix *matrix)
{
    return matrix->name;
}

double microstamp_matrix_probability(const struct microstamp_matrix *matrix,
                                     enum microstamp_alphabet alphabet, unsigned t, unsigned r)
{
    return alphabet == MICROSTAMP_R29 ? matrix->rates.r29[t][r] : matrix->rates.opaque[t][r];
}
