// SPDX-License-Identifier: Apache-2.0
#ifndef MICROSTAMP_INTERNAL_H
#define MICROSTAMP_INTERNAL_H

/* What the files of microstamp/ share and nobody else needs. */

#include "microstamp/microstamp.h"

#define LENGTH MICROSTAMP_R29_LENGTH
#define SIZE MICROSTAMP_R29_SIZE
#define ALL_SYMBOLS ((1u << SIZE) - 1u)

/* Weights of the second check sum: powers of 2 mod 29. They differ from each other at every
 * position, and with the weights 1 of the first sum that makes a Reed-Solomon code [8,6,3]. */
extern const uint8_t microstamp_r29_weight[LENGTH];

/* The value of an input byte after folding, or -1 if it is none of the alphabet. */
int microstamp_r29_symbol(unsigned char byte);

/* The character of a symbol. */
char microstamp_r29_character(unsigned symbol);

/* Spaces and '-' may stand between characters. */
static inline bool microstamp_is_separator(char c)
{
    return c == ' ' || c == '-';
}

/* Fills err, if there is one, from a printf format. */
void microstamp_error_set(struct microstamp_error *err, size_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Describes the byte at offset for a message: the character in quotes, or that it is not printable.
 */
void microstamp_error_found(struct microstamp_error *err, size_t offset, char found,
                            const char *expected);

/* Sets the symbols at positions i and j (different) so that the code is valid. */
void microstamp_r29_solve(struct microstamp_code *code, unsigned i, unsigned j);

struct microstamp_matrix {
    char name[64];
    double probability[SIZE][SIZE];      /* [true][read] */
    uint32_t confusable[SIZE];           /* [true], bits of read: more often than its even share */
    struct microstamp_row row[SIZE + 1]; /* by what was read; the last is unread */
};

/* The likelihoods and transform of one position. */
static inline const struct microstamp_row *
microstamp_evidence_row(const struct microstamp_evidence *evidence, unsigned position)
{
    unsigned row = evidence->row[position];

    return row == MICROSTAMP_ROW_OWN ? &evidence->own[position] : &evidence->matrix->row[row];
}

/* Z, the likelihood summed over all valid codes: by transform (fast, loses digits when Z is small
 * beside what all strings sum to), by dynamic programming (slow, never does), and whichever of the
 * two is exact enough. ret_total: the likelihood summed over all 29^8 strings. */
double microstamp_sum_transform(const struct microstamp_evidence *evidence, double *ret_total);
double microstamp_sum_table(const struct microstamp_evidence *evidence);
double microstamp_sum(const struct microstamp_evidence *evidence, double *ret_total);

/* Room for one more word; the new word is not counted yet. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_words_reserve(struct microstamp_words *words, size_t more);

/* Fills words with the best by exact search. words->z is set, words->left is kept up to date. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_search_run(const struct microstamp_evidence *evidence, size_t max,
                      struct microstamp_words *words);
void microstamp_search_free(struct microstamp_search *search);

/* Appends the near words that are not in words yet and marks the others. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_near_add(const struct microstamp_evidence *evidence, struct microstamp_words *words);

#endif
