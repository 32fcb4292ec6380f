// SPDX-License-Identifier: Apache-2.0
#ifndef MICROSTAMP_WORDS_H
#define MICROSTAMP_WORDS_H

/* The steps inside of an examination, one at a time: observations of one placement of one gun ->
 * a line of views -> the code words of R29-8 to look up, or the likelihood of an opaque code. What
 * asks for less than all of it uses this beside microstamp.h; traces use the examination. */

#include "microstamp/microstamp.h"

/* ---- evidence: what was seen, held one way, under a matrix ------------------------------- */

/* A plain reading of R29-8: per position the characters that it may be, bit s for symbol s. One
 * bit: the character was read. All 29: illegible. Never empty. */
struct microstamp_reading {
    uint32_t set[MICROSTAMP_R29_LENGTH];
};

/* Reads "4H7? 2[MN]9X" as microstamp_observation_parse() does. Owner, errors, threads: as there. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_reading_parse(const char *text, size_t length, struct microstamp_reading *ret_reading,
                         struct microstamp_error *err);

/* One position's likelihoods p[t] and their Fourier transform of length 29, written out twice
 * so that any 29 in a row are a cyclic shift; the rest is zero. */
struct microstamp_row {
    double p[32];
    double re[64];
    double im[64];
};

/* How well each character of R29 explains what was seen at each position. The matrix must outlive
 * it; it may be copied. row[i] is a character that was read (0 to 28), MICROSTAMP_ROW_UNREAD, or
 * MICROSTAMP_ROW_OWN when own[i] holds the position's likelihoods. */
#define MICROSTAMP_ROW_UNREAD 29
#define MICROSTAMP_ROW_OWN 30
struct microstamp_evidence {
    const struct microstamp_matrix *matrix;
    struct microstamp_reading reading; /* what counts as read, for near words and agreement */
    uint8_t row[MICROSTAMP_R29_LENGTH];
    struct microstamp_row own[MICROSTAMP_R29_LENGTH];
};

/* Turns a reading into evidence. '?' says nothing (1 for every character), a choice counts as the
 * mean over its members. Threads: any. */
void microstamp_evidence_init(const struct microstamp_matrix *matrix,
                              const struct microstamp_reading *reading,
                              struct microstamp_evidence *ret_evidence);

/* The probability of the evidence if code is what the pin bears. Threads: any. */
double microstamp_evidence_likelihood(const struct microstamp_evidence *evidence,
                                      const struct microstamp_code *code);

/* Compares a code with what was read: see microstamp_examination_agreement(). Threads: any. */
void microstamp_agreement(const struct microstamp_evidence *evidence,
                          const struct microstamp_code *code, char ret_text[9]);

/* The same for OPAQUE, whose codes need no search by transform. Positions from length on are
 * undefined. */
struct microstamp_pattern {
    unsigned length;
    uint32_t read; /* bit i: position i says something; else p[i] is 1 throughout */
    uint64_t set[MICROSTAMP_LENGTH_MAX]; /* as in struct microstamp_position; all bits: illegible */
    double p[MICROSTAMP_LENGTH_MAX][MICROSTAMP_SYMBOLS_MAX]; /* [position][true symbol] */
};

/* ---- lines: all observations of one placement of one gun --------------------------------- */

#define MICROSTAMP_VIEWS_MAX 64

/* Observations of one placement, fused, as a weighted mean over views: the ways in which the parts
 * may have been held. The likelihood of a code is
 *
 *     exp(log_scale) * sum over views of weight[v] * likelihood of the code under view v.
 *
 * weight is the view's prior times what is common to all codes under it. Views of several parts
 * combine; of more than MICROSTAMP_VIEWS_MAX combinations those are kept that explain most: weight
 * times Z (OPAQUE: times the mean over all strings), part by part. log_scale is 0 for one
 * observation; it keeps many casings from running out of double's range, and cancels wherever
 * likelihoods of one line are compared. z and random_mean of struct microstamp_words leave it out.
 * Set to zero before its first use; may be used again, and then keeps its memory. */
struct microstamp_line {
    const struct microstamp_matrix *matrix;
    enum microstamp_alphabet alphabet;
    unsigned length;
    unsigned count; /* of views: 1 to MICROSTAMP_VIEWS_MAX */
    double log_scale;
    double weight[MICROSTAMP_VIEWS_MAX];
    struct microstamp_evidence *evidence; /* R29: one for each view */
    struct microstamp_pattern *pattern;   /* OPAQUE: one for each view */
    unsigned evidence_capacity;           /* private, as the next */
    unsigned pattern_capacity;
};

/* Fuses observations of one alphabet and length through what the pin presents.
 * observations: count of them, at least 1 and at most MICROSTAMP_MARKS_MAX.
 * Cost:    well under a microsecond for one plain observation.
 * Owner:   the memory in *line is the caller's, free with microstamp_line_free().
 * Errors:  MICROSTAMP_NO_MEMORY; *line then may be used again or freed.
 * Threads: any, each with its own line. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_line_fuse(const struct microstamp_matrix *matrix,
                     const struct microstamp_observation *const *observations, size_t count,
                     struct microstamp_line *line);

/* Frees the memory and sets everything to zero. NULL is safe. */
void microstamp_line_free(struct microstamp_line *line);

/* The likelihood of a code, given by its symbols, without exp(log_scale). Threads: any. */
double microstamp_line_likelihood(const struct microstamp_line *line, const uint8_t *symbols);

/* Compares a code with what was read, held as explains it best: see
 * microstamp_examination_agreement(). ret_text: room for length characters and a NUL. */
void microstamp_line_agreement(const struct microstamp_line *line, const uint8_t *symbols,
                               char *ret_text);

/* The sum of the likelihood over all valid codes of R29-8, exactly, and its mean over all 29^8
 * strings, both without exp(log_scale). line must be of R29. Threads: any. */
double microstamp_line_z(const struct microstamp_line *line, double *ret_random_mean);

/* ---- candidate words of R29-8 ------------------------------------------------------------ */

#define MICROSTAMP_WORDS_NEAR_MAX 2048 /* the most that are added as near */

struct microstamp_word {
    struct microstamp_code code;
    double likelihood;
    bool near; /* within two substitutions of the reading: speaks against no_match */
};

/* The valid codes to look up for one line. Set to zero before its first use; may be used again for
 * the next one, and then keeps its memory. */
struct microstamp_words {
    struct microstamp_word *word;
    size_t count;
    size_t best_count;  /* word[0 .. best_count-1] are the most likely valid codes of all, in
                           order; others that are less likely follow, in no order */
    double z;           /* the sum of the likelihood over all valid codes, exact */
    double left;        /* what is left of z outside of word[] */
    double random_mean; /* the mean likelihood over all 29^8 strings */
    bool complete;      /* left was below 1/100 of the best word's likelihood before max was met */

    size_t capacity; /* private, as the next two */
    struct microstamp_search *search;
    struct microstamp_merge *merge;
};

/* Finds the most likely valid codes, best first, until what is left of Z is below 1/100 of the
 * best, and adds those within two substitutions of the reading. A substitution is a position
 * whose character is outside of what was read there; an unread position uses one up, for it could
 * be anything. Among single characters and '?' at most 28 codes are that near. Wide choices can
 * make them many: while there are more than MICROSTAMP_WORDS_NEAR_MAX, the widest choice is taken
 * as unread. Of several views, those that explain less than 1/100 of Z have no near words.
 * max: at most this many by likelihood, at most MICROSTAMP_WORDS_MAX (0 means that).
 * Cost:    some microseconds when one code explains the reading, else some tens and more.
 * Owner:   the memory in *words is the caller's, free with microstamp_words_free().
 * Errors:  MICROSTAMP_NO_MEMORY; *words then holds nothing and may be used again or freed.
 * Threads: any, each with its own words. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_line_find(const struct microstamp_line *line, size_t max,
                     struct microstamp_words *words);

/* The same for one view alone. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_words_find(const struct microstamp_evidence *evidence, size_t max,
                      struct microstamp_words *words);

/* Frees the memory and sets everything to zero. NULL is safe. */
void microstamp_words_free(struct microstamp_words *words);

/* ---- ranking under one line of R29-8 ----------------------------------------------------- */

/* A registered firearm that the look-up of a word found. */
struct microstamp_hit {
    size_t word;   /* index into words->word */
    double factor; /* product of the factors for what disagrees, 1 if nothing does; over 0 */
};

struct microstamp_ranked_hit {
    size_t hit;        /* index into the hits as given */
    double likelihood; /* of the word, times the factor */
    double posterior;
};

/* Ranks what the registry holds under the words that were looked up.
 * hits: hit_count firearms (0 is allowed), in any order; several may share a word.
 * registered: N, all registered firearms or the marked pistols in circulation if those are more.
 * pi0: prior probability that the firearm is not registered, over 0 and under 1.
 * ret_ranked: room for hit_count, filled with the best first; ties keep the order of hits.
 * Posteriors, not_registered and unlisted together sum to 1.
 * Threads: any. */
void microstamp_rank(const struct microstamp_words *words, const struct microstamp_hit *hits,
                     size_t hit_count, double registered, double pi0,
                     struct microstamp_ranked_hit *ret_ranked,
                     struct microstamp_ranking *ret_ranking);

#endif
