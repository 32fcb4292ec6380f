// SPDX-License-Identifier: Apache-2.0
#ifndef MICROSTAMP_MICROSTAMP_H
#define MICROSTAMP_MICROSTAMP_H

/* The code that is stamped on a casing, how it is read, and which registered code a reading
 * means. Pure functions: no I/O, no clock, no state of their own. The usual way through:
 *
 *   once:        microstamp_matrix_make_default()
 *   per trace:   microstamp_reading_parse()   text -> what was seen at each position
 *                microstamp_evidence_init()   -> how well each character explains each position
 *                microstamp_words_find()      -> the code words to look up in the registry
 *                microstamp_rank()            what the registry holds -> posteriors and the state
 *                microstamp_agreement()       per candidate, for the answer
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MICROSTAMP_MUST_CHECK __attribute__((warn_unused_result))

enum microstamp_status {
    MICROSTAMP_OK = 0,
    MICROSTAMP_BAD_INPUT,     /* the text is wrong; struct microstamp_error says where */
    MICROSTAMP_NOT_VALID,     /* well formed, but no code word of the scheme */
    MICROSTAMP_UNCORRECTABLE, /* more is wrong or unread than the scheme can restore */
    MICROSTAMP_NO_MEMORY,
};

/* Where a text is wrong and what was expected there. offset counts bytes from 0 and equals the
 * text's length when something is missing at its end. text is lower case, printable ASCII. */
struct microstamp_error {
    size_t offset;
    char text[120];
};

/* ---- scheme R29-8 ------------------------------------------------------------------------ */

#define MICROSTAMP_R29_NAME "R29-8"
#define MICROSTAMP_R29_LENGTH 8          /* characters in a code */
#define MICROSTAMP_R29_SIZE 29           /* characters in the alphabet */
#define MICROSTAMP_R29_RANDOM 6          /* characters that are free; the other two check them */
#define MICROSTAMP_R29_WORDS 594823321.0 /* 29 to the 6th: how many valid codes there are */

/* Eight characters by value, each 0 to 28. Not every such string is a valid code. */
struct microstamp_code {
    uint8_t symbol[MICROSTAMP_R29_LENGTH];
};

/* Reads eight characters: lower case and look-alikes (B I L O Q S Z) are folded, spaces and '-'
 * ignored. Does not ask for validity: see microstamp_r29_is_valid().
 * text: length bytes, need not end in NUL, may hold anything.
 * Errors:  MICROSTAMP_BAD_INPUT with *err filled (err may be NULL); *ret_code untouched.
 * Threads: any. */
MICROSTAMP_MUST_CHECK enum microstamp_status microstamp_r29_parse(const char *text, size_t length,
                                                                  struct microstamp_code *ret_code,
                                                                  struct microstamp_error *err);

/* Writes the canonical eight characters, as stored and looked up, and a NUL. Threads: any. */
void microstamp_r29_canonical(const struct microstamp_code *code, char ret_text[9]);

/* Writes the form that people read, "4H7K 2M9X", and a NUL. Threads: any. */
void microstamp_r29_format(const struct microstamp_code *code, char ret_text[10]);

/* Computes both check sums mod 29; both are 0 exactly for valid codes. Threads: any. */
void microstamp_r29_syndromes(const struct microstamp_code *code, unsigned *ret_s0,
                              unsigned *ret_s1);

/* Says whether a string of symbols is a valid code. Threads: any. */
bool microstamp_r29_is_valid(const struct microstamp_code *code);

/* Makes a valid code of six symbols, each 0 to 28. Codes that are issued need symbols that are
 * uniform and from a cryptographic source: the caller brings them. Threads: any. */
void microstamp_r29_complete(const uint8_t random[MICROSTAMP_R29_RANDOM],
                             struct microstamp_code *ret_code);

/* Fills in up to two unread characters, so that the code is valid.
 * unread: bit i set = position i was not read, and its symbol is ignored.
 * Errors:  MICROSTAMP_UNCORRECTABLE (more than two), MICROSTAMP_NOT_VALID (fewer than two and what
 *          was read contradicts itself); *ret_code untouched.
 * Threads: any. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_r29_recover(const struct microstamp_code *code, unsigned unread,
                       struct microstamp_code *ret_code);

/* Corrects at most one wrong character of eight that were read.
 * ret_position: the position that was corrected, or -1 if the code was valid as it is.
 * Errors:  MICROSTAMP_UNCORRECTABLE (two or more are wrong); outputs untouched.
 * Threads: any. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_r29_correct(const struct microstamp_code *code, struct microstamp_code *ret_code,
                       int *ret_position);

/* ---- readings ---------------------------------------------------------------------------- */

/* What was seen: per position the set of characters that it may be, bit s for symbol s. One bit:
 * the character was read. All 29: illegible. Never empty. */
struct microstamp_reading {
    uint32_t set[MICROSTAMP_R29_LENGTH];
};

/* Reads what a laboratory wrote: a character, '?' (illegible) or a choice such as [MN8], eight
 * times. Folding and separators as in microstamp_r29_parse(), but no separators within [ ].
 * text: length bytes, need not end in NUL, may hold anything.
 * Errors:  MICROSTAMP_BAD_INPUT with *err filled (err may be NULL); *ret_reading untouched.
 * Threads: any. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_reading_parse(const char *text, size_t length, struct microstamp_reading *ret_reading,
                         struct microstamp_error *err);

/* ---- confusion matrix -------------------------------------------------------------------- */

#define MICROSTAMP_DEFAULT_ERROR_RATE 0.02 /* chance that a character is read as another one */

/* How often each true character is read as each character, with what is precomputed of it.
 * Made once, never changed afterwards, shared by all threads. */
struct microstamp_matrix;

/* Makes the matrix "default-1" of the confusable groups.
 * Owner:   *ret_matrix is the caller's, free with microstamp_matrix_free().
 * Errors:  MICROSTAMP_NO_MEMORY; *ret_matrix untouched.
 * Threads: any. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_matrix_make_default(struct microstamp_matrix **ret_matrix);

/* Makes a matrix of measured probabilities.
 * name: 1 to 63 bytes, shown in answers (copied). probability[t][r]: of reading r when t is
 * true; each at least 1e-9, each row sums to 1 within 1e-9.
 * Owner:   *ret_matrix is the caller's, free with microstamp_matrix_free().
 * Errors:  MICROSTAMP_BAD_INPUT (name or a row), MICROSTAMP_NO_MEMORY; *ret_matrix untouched.
 * Threads: any. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_matrix_make(const char *name,
                       const double probability[MICROSTAMP_R29_SIZE][MICROSTAMP_R29_SIZE],
                       struct microstamp_matrix **ret_matrix);

/* Frees a matrix that nothing uses any more. NULL is safe. */
void microstamp_matrix_free(struct microstamp_matrix *matrix);

/* The matrix's name, valid as long as the matrix. Threads: any. */
const char *microstamp_matrix_name(const struct microstamp_matrix *matrix);

/* The probability of reading r when t is true, both 0 to 28. Threads: any. */
double microstamp_matrix_probability(const struct microstamp_matrix *matrix, unsigned t,
                                     unsigned r);

/* ---- evidence: a reading under a matrix -------------------------------------------------- */

/* One position's likelihoods p[t] and their Fourier transform of length 29, written out twice
 * so that any 29 in a row are a cyclic shift; the rest is zero. */
struct microstamp_row {
    double p[32];
    double re[64];
    double im[64];
};

/* How well each character explains what was seen at each position. The matrix must outlive it; it
 * may be copied. row[i] is a character that was read (0 to 28), MICROSTAMP_ROW_UNREAD, or
 * MICROSTAMP_ROW_OWN when own[i] holds the position's likelihoods. */
#define MICROSTAMP_ROW_UNREAD 29
#define MICROSTAMP_ROW_OWN 30
struct microstamp_evidence {
    const struct microstamp_matrix *matrix;
    struct microstamp_reading reading;
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

/* ---- candidate words --------------------------------------------------------------------- */

#define MICROSTAMP_WORDS_MAX 30000     /* the most that a search returns */
#define MICROSTAMP_WORDS_NEAR_MAX 2048 /* the most that are added as near */
#define MICROSTAMP_WORDS_BULK 256      /* more look-ups than this belong in the bulk lane */

struct microstamp_word {
    struct microstamp_code code;
    double likelihood;
    bool near; /* within two substitutions of the reading: speaks against no_match */
};

/* The valid codes to look up for one reading. Set to zero before its first use; may be used again
 * for the next reading, and then keeps its memory. */
struct microstamp_words {
    struct microstamp_word *word;
    size_t count;
    size_t best_count;  /* word[0 .. best_count-1] are the most likely valid codes of all, in
                           order; near words that are less likely follow, in no order */
    double z;           /* the sum of the likelihood over all valid codes, exact */
    double left;        /* what is left of z outside of word[] */
    double random_mean; /* the mean likelihood over all 29^8 strings */
    bool complete;      /* left was below 1/100 of the best word's likelihood before max was met */

    size_t capacity; /* private, as the next */
    struct microstamp_search *search;
};

/* Finds the most likely valid codes, best first, until what is left of Z is below 1/100 of the
 * best, and adds those within two substitutions of the reading. A substitution is a position
 * whose character is outside of what was read there; an unread position uses one up, for it could
 * be anything. Among single characters and '?' at most 28 codes are that near. Wide choices can
 * make them many: while there are more than MICROSTAMP_WORDS_NEAR_MAX, the widest choice is taken
 * as unread.
 * max: at most this many by likelihood, at most MICROSTAMP_WORDS_MAX (0 means that).
 * Cost:    some microseconds when one code explains the reading, else some tens and more.
 * Owner:   the memory in *words is the caller's, free with microstamp_words_free().
 * Errors:  MICROSTAMP_NO_MEMORY; *words then holds nothing and may be used again or freed.
 * Threads: any, each with its own words. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_words_find(const struct microstamp_evidence *evidence, size_t max,
                      struct microstamp_words *words);

/* Frees the memory and sets everything to zero. NULL is safe. */
void microstamp_words_free(struct microstamp_words *words);

/* ---- ranking ----------------------------------------------------------------------------- */

/* Factors for records that disagree with the casing; they multiply. */
#define MICROSTAMP_FACTOR_CALIBER 0.02
#define MICROSTAMP_FACTOR_NOT_INSTALLED 0.05 /* mark not recorded as installed at the incident */
#define MICROSTAMP_FACTOR_NOT_SHIPPED 0.05

#define MICROSTAMP_SHOWN_MAX 50 /* candidates that an answer shows at most */

/* A registered firearm that the look-up of a word found. */
struct microstamp_hit {
    size_t word;   /* index into words->word */
    double factor; /* product of the factors above, 1 if nothing disagrees; over 0 */
};

struct microstamp_ranked {
    size_t hit;        /* index into the hits as given */
    double likelihood; /* of the word, times the factor */
    double posterior;
};

enum microstamp_state {
    MICROSTAMP_IDENTIFIED,
    MICROSTAMP_CANDIDATES,
    MICROSTAMP_NO_MATCH,
    MICROSTAMP_INSUFFICIENT,
};

struct microstamp_ranking {
    enum microstamp_state state;
    double not_registered;          /* probability that the firearm is not in the registry */
    double unlisted;                /* probability that it is, under a code outside of words */
    double likelihood_ratio;        /* best candidate (best word, if none) over not registered */
    double effective_characters;    /* log to base 29 of the likelihood ratio */
    double reading_characters;      /* the same for the best word, registered or not */
    double expected_chance_matches; /* registered codes expected to fit as well by chance */
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
                     struct microstamp_ranked *ret_ranked, struct microstamp_ranking *ret_ranking);

/* The state as answers spell it: "identified", "candidates", "no_match", "insufficient". */
const char *microstamp_state_name(enum microstamp_state state);

/* Compares a code with what was read, a character per position, and a NUL:
 * '=' read, and equal;  '.' not read;
 * '~' one of the characters of a choice, or another than was read but easily confused with it;
 * 'x' different.  Threads: any. */
void microstamp_agreement(const struct microstamp_evidence *evidence,
                          const struct microstamp_code *code, char ret_text[9]);

#endif
