// SPDX-License-Identifier: Apache-2.0
#ifndef MICROSTAMP_INTERNAL_H
#define MICROSTAMP_INTERNAL_H

/* What the files of microstamp/ share and nobody else needs. */

#include "microstamp/words.h"

#define LENGTH MICROSTAMP_R29_LENGTH
#define SIZE MICROSTAMP_R29_SIZE
#define ALL_SYMBOLS ((1u << SIZE) - 1u)
#define WAYS_MAX                                                                                   \
    32 /* in which one part may have been held: 2 orientations, 2 orders, 8 rotations */

/* Weights of the second check sum: powers of 2 mod 29. They differ from each other at every
 * position, and with the weights 1 of the first sum that makes a Reed-Solomon code [8,6,3]. */
extern const uint8_t microstamp_r29_weight[LENGTH];

/* The value of an input byte after folding, or -1 if it is none of the alphabet. */
int microstamp_r29_symbol(unsigned char byte);

/* Bits of all symbols of an alphabet. */
static inline uint64_t microstamp_all_symbols(enum microstamp_alphabet alphabet)
{
    return (UINT64_C(1) << microstamp_alphabet_size(alphabet)) - 1;
}

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

/* ---- matrix.c ---- */

struct microstamp_matrix {
    char name[64];
    struct microstamp_rates rates;
    /* [true], bits of read: more often than its even share */
    uint64_t confusable[SIZE], opaque_confusable[MICROSTAMP_OPAQUE_SIZE];
    struct microstamp_row row[SIZE + 1]; /* by what was read; the last is unread */
    double opaque_p[MICROSTAMP_OPAQUE_SIZE][MICROSTAMP_OPAQUE_SIZE]; /* [read][true] */
    /* [alphabet][presented][true]: how often the pin shows one for the other. See fuse.c */
    double present[2][MICROSTAMP_SYMBOLS_MAX][MICROSTAMP_SYMBOLS_MAX];
    double cosine[SIZE / 2 + 1][32], sine[SIZE / 2 + 1][32]; /* [h][t]; of 2 pi h t / 29 */
};

/* How well each true symbol explains that symbol r was read. */
static inline const double *microstamp_matrix_read(const struct microstamp_matrix *matrix,
                                                   enum microstamp_alphabet alphabet, unsigned r)
{
    return alphabet == MICROSTAMP_R29 ? matrix->row[r].p : matrix->opaque_p[r];
}

/* Bits of the symbols that t is often read as, without t. */
static inline uint64_t microstamp_matrix_confusable(const struct microstamp_matrix *matrix,
                                                    enum microstamp_alphabet alphabet, unsigned t)
{
    return alphabet == MICROSTAMP_R29 ? matrix->confusable[t] : matrix->opaque_confusable[t];
}

/* Fills in the transform of row->p; the cells that must be zero are set. */
void microstamp_row_transform(const struct microstamp_matrix *matrix, struct microstamp_row *row);

/* ---- reading.c ---- */

/* Bits of the symbols that weigh at least their even share, of weights that sum to 1. */
uint64_t microstamp_heavy_set(const double *weight, unsigned size);

/* ---- gear.c ---- */

/* The likelihood of one sector's teeth for each R29 symbol, and the symbols that explain them best.
 * false: no tooth was seen, and nothing is set. */
bool microstamp_gear_sector(const struct microstamp_observation *observation, unsigned sector,
                            double ret_p[SIZE], uint64_t *ret_best);

/* ---- views.c: one observation, held one way ---- */

struct microstamp_way {
    uint8_t turned;   /* 1: read upside down */
    uint8_t swapped;  /* 1: rows of four in the wrong order */
    uint8_t rotation; /* sector i of the gear is position i + rotation, mod 8 */
};

/* The ways in which an observation may have been made, all as probable. */
unsigned microstamp_ways(const struct microstamp_observation *observation,
                         struct microstamp_way ret_ways[WAYS_MAX]);

/* The position of the code that the laboratory wrote at `written`, if it held the part that way. */
unsigned microstamp_way_position(struct microstamp_way way, unsigned length, unsigned written);

/* What one observation says of the code's positions, held one way. */
struct microstamp_view {
    double scale;  /* the likelihood of what was written and says nothing of the code, held so */
    uint32_t read; /* bit i: position i of the code says something */
    uint8_t symbol[MICROSTAMP_LENGTH_MAX]; /* the position is just this one, read, or NO_SYMBOL */
    uint64_t set[MICROSTAMP_LENGTH_MAX];
    double p[MICROSTAMP_LENGTH_MAX][MICROSTAMP_SYMBOLS_MAX]; /* where read; else not set */
};
#define NO_SYMBOL 255

void microstamp_view_of(const struct microstamp_matrix *matrix,
                        const struct microstamp_observation *observation, struct microstamp_way way,
                        struct microstamp_view *ret_view);

/* ---- evidence ---- */

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

/* ---- words ---- */

/* The views of a line of R29 while its words are sought. */
struct microstamp_views {
    const struct microstamp_evidence *evidence;
    const double *weight;
    unsigned count;
    double z[MICROSTAMP_VIEWS_MAX];      /* weight times Z of each */
    uint8_t order[MICROSTAMP_VIEWS_MAX]; /* indexes of the views by z, falling */
};

double microstamp_views_likelihood(const struct microstamp_views *views,
                                   const struct microstamp_code *code);

/* Room for so many more words; they are not counted yet. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_words_reserve(struct microstamp_words *words, size_t more);

/* One search of one view. open: prepares for the view's evidence, which must outlive it; makes
 * *search if NULL. peek: the likelihood of the next word, 0 if there is none. next: takes it. */
struct microstamp_search;
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_search_open(struct microstamp_search **search,
                       const struct microstamp_evidence *evidence);
double microstamp_search_peek(const struct microstamp_search *search);
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_search_next(struct microstamp_search *search, struct microstamp_code *ret_code);
void microstamp_search_free(struct microstamp_search *search);

/* Fills words with the best of one view. words->left is kept up to date. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_search_run(const struct microstamp_evidence *evidence, size_t max,
                      struct microstamp_words *words);

/* The same for several views. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_merge_run(const struct microstamp_views *views, size_t max,
                     struct microstamp_words *words);
void microstamp_merge_free(struct microstamp_merge *merge);

/* The positions of a reading that count as unread for near words, as bits: those that are, and the
 * widest choices while near words would be too many. */
unsigned microstamp_near_open(const uint32_t set[LENGTH]);

/* Appends the near words that are not in words yet and marks the others. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_near_add(const struct microstamp_views *views, struct microstamp_words *words);

#endif
