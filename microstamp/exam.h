// SPDX-License-Identifier: Apache-2.0
#ifndef MICROSTAMP_EXAM_H
#define MICROSTAMP_EXAM_H

/* What the files of the examination share: marks become lines, lines ask for look-ups, candidates
 * are scored against lines, specimens are put into groups. */

#include "microstamp/internal.h"
#include "microstamp/words.h"

/* Likelihoods that differ by rounding only count as equal. */
#define EXAM_SAME (1.0 - 1e-9)

/* The marks of one placement of one set of specimens, in every scheme that it may be in. All
 * likelihoods are without exp(log_scale). */
struct exam_line {
    uint32_t marks; /* bits of the examination's marks */
    int placement;
    unsigned ordinal; /* of unknown placement: how many such marks of a specimen come before */
    bool has_r29, has_opaque;
    double share_r29, share_opaque; /* of the registered codes it may be; together 1 */
    double log_scale, scale_r29, scale_opaque;
    struct microstamp_line r29, opaque;
    bool summed;       /* z and nobody_r29 are known */
    double z;          /* of r29, over all valid codes */
    double nobody_r29; /* L(not registered), if it is of that scheme */
    double nobody_opaque;
    double nobody;   /* over the schemes it may be of */
    double mean;     /* over codes as they are issued */
    double best;     /* of the best code of all, or of all that were listed */
    double unlisted; /* expected likelihood of a registered code, times not having been listed */
    double left_r29; /* of z, outside of what was looked up */
    double last_r29; /* codes at least as likely as this are all listed; INFINITY: none known */
    bool searched;   /* its own words were looked up */
};

/* The lines of a set of specimens. */
struct exam_set {
    uint32_t specimens;
    struct exam_line **line;
    unsigned count;
    unsigned capacity;
};

/* A recorded code by its symbols. */
struct exam_code {
    uint8_t length; /* 0: not a code */
    uint8_t symbol[MICROSTAMP_LENGTH_MAX];
};

/* Half or whole strings of an opaque pattern, the best first. */
struct exam_string {
    double likelihood;
    uint8_t symbol[MICROSTAMP_LENGTH_MAX];
};

/* The characters of each position of a pattern, the best first. */
struct exam_order {
    uint8_t symbol[MICROSTAMP_LENGTH_MAX][MICROSTAMP_OPAQUE_SIZE];
    double p[MICROSTAMP_LENGTH_MAX][MICROSTAMP_OPAQUE_SIZE];
    double sum[MICROSTAMP_LENGTH_MAX];
};

struct exam_strings {
    struct exam_string *string;
    size_t count, capacity;
    struct exam_node *heap;
    size_t heap_count, heap_capacity;
    double left; /* likelihood of the strings that are not listed */
};

/* Where a look-up is found again by what it asks for: open addressing, never more than half full.
 */
struct exam_table {
    uint32_t *slot; /* index of the look-up + 1; 0: free */
    size_t size;    /* power of 2 */
};

struct microstamp_examination {
    const struct microstamp_matrix *matrix;
    struct microstamp_registry registry;
    struct microstamp_mark mark[MICROSTAMP_MARKS_MAX];
    unsigned mark_count;
    uint8_t linked[MICROSTAMP_SPECIMENS_MAX]; /* the first specimen that it is linked to */

    struct exam_set **set; /* set[0 .. set_count-1] are in use; the rest keeps its memory */
    unsigned set_count, set_capacity;

    struct microstamp_words words;
    struct exam_strings first, second, whole;
    struct microstamp_lookup *lookup;
    bool *cut; /* by look-up: not all that fits came back */
    size_t lookup_count, lookup_capacity;
    struct exam_table table;
    unsigned searched_lines; /* that asked for R29 words */
    size_t sorted;           /* look-ups that came in order */
    bool any_cut;
    bool one_line; /* of R29, and no other: its words need no table */

    const struct microstamp_candidate *candidate;
    size_t candidate_count;
    struct exam_code *code; /* of all candidates, one after the other */
    size_t *first_code;     /* by candidate */
    size_t code_capacity, candidate_capacity;
    struct microstamp_group group[MICROSTAMP_SPECIMENS_MAX];
    const struct exam_set *group_set[MICROSTAMP_SPECIMENS_MAX];
    size_t group_count;
    struct microstamp_ranked *ranked;
    size_t ranked_capacity;
    bool more_than_one;

    struct microstamp_line *scratch; /* for one mark by itself */
};

/* Grows an array to at least `needed` members of `size` bytes; *capacity counts members. */
MICROSTAMP_MUST_CHECK enum microstamp_status microstamp_exam_grow(void **array, size_t *capacity,
                                                                  size_t needed, size_t size);

/* The opaque frequency table of a length as doubles: even where the registry has none. */
void microstamp_exam_frequency(const struct microstamp_registry *registry, unsigned length,
                               double ret_frequency[][MICROSTAMP_OPAQUE_SIZE]);

/* ---- opaque.c */

/* L(not registered): the mean over codes by the frequencies. */
double microstamp_opaque_mean(const struct microstamp_line *line,
                              double frequency[][MICROSTAMP_OPAQUE_SIZE]);

/* The greatest likelihood of any string. */
double microstamp_opaque_best(const struct microstamp_line *line);

/* The probability under the frequencies of scoring at least limit. */
double microstamp_opaque_chance(const struct microstamp_line *line,
                                double frequency[][MICROSTAMP_OPAQUE_SIZE], double limit);

void microstamp_opaque_order(const struct microstamp_pattern *pattern,
                             struct exam_order *ret_order);

/* Lists strings of positions first .. first+count-1 of a pattern, the best first, until what is
 * left of their sum is at most stop times the sum, or at most stop_best times the best, or there
 * are max of them. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_opaque_list(const struct exam_order *order, unsigned first, unsigned count, double stop,
                       double stop_best, size_t max, struct exam_strings *ret_strings);

/* Adds the look-ups of an opaque line: at most max. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_opaque_plan(struct microstamp_examination *exam, const struct exam_line *line,
                       size_t max);

/* Of the mean by the frequencies, what no look-up covers. */
double microstamp_opaque_left(const struct microstamp_examination *exam,
                              const struct microstamp_line *line,
                              double frequency[][MICROSTAMP_OPAQUE_SIZE]);

/* ---- line.c */

/* The set of these specimens with its lines, made if it is not there yet. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_exam_set(struct microstamp_examination *exam, uint32_t specimens,
                    struct exam_set **ret_set);
void microstamp_exam_set_free(struct exam_set *set);

/* The same after look-ups: a new set's lines are closed. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_exam_set_closed(struct microstamp_examination *exam, uint32_t specimens,
                           struct exam_set **ret_set);

/* Sets what a line of R29 says of guns that are not registered. z, random_mean: as
 * microstamp_line_z() gives them. */
void microstamp_exam_line_sum(struct exam_line *line, double z, double random_mean);

/* Fills a line's nobody, mean, best, unlisted, left_r29 from all that was looked up. */
void microstamp_exam_line_close(const struct microstamp_examination *exam, struct exam_line *line);

/* A candidate's likelihood under a line; nobody's if it has no mark there.
 * ret_recorded: the mark of the candidate that explains the line best, or SIZE_MAX. */
double microstamp_exam_line_score(const struct microstamp_examination *exam,
                                  const struct exam_line *line, size_t candidate,
                                  size_t *ret_recorded);

/* Says whether a recorded code is within two substitutions of what a line's marks show. */
bool microstamp_exam_line_near(const struct exam_line *line, enum microstamp_alphabet alphabet,
                               const struct exam_code *code);

/* Whether a code of this alphabet and length may be what the line shows. */
bool microstamp_exam_line_fits(const struct exam_line *line, enum microstamp_alphabet alphabet,
                               unsigned length);

/* The symbols of a canonical code. */
void microstamp_exam_code(enum microstamp_alphabet alphabet, const char *text,
                          struct exam_code *ret_code);

/* ---- plan.c */

/* Adds a look-up unless it is there. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_exam_ask(struct microstamp_examination *exam, enum microstamp_alphabet alphabet,
                    enum microstamp_part part, unsigned length, const uint8_t *symbols,
                    unsigned count, double likelihood, double expected_rows);

/* Whether it was asked and answered in full. */
bool microstamp_exam_asked(const struct microstamp_examination *exam, enum microstamp_part part,
                           unsigned length, const char *text, size_t count);

/* ---- score.c */

/* What all candidates together make of a set of specimens. */
struct exam_score {
    double log_total; /* log M, log_scale included */
    double nobody;    /* shares of M: not registered, unlisted, and a candidate of ratio 1 */
    double unlisted;
    double unit;
    double registered; /* N, at least the candidates */
};

/* Scores all candidates against not registered.
 * ret_ranked: one per candidate, in their order, without posteriors; NULL: not wanted. */
void microstamp_exam_score(const struct microstamp_examination *exam, const struct exam_set *set,
                           struct microstamp_ranked *ret_ranked, struct exam_score *ret_score);

/* ---- rank.c */

/* Fills in posteriors and sorts what microstamp_exam_score() made. */
void microstamp_exam_rank(const struct microstamp_examination *exam, const struct exam_set *set,
                          const struct exam_score *score, struct microstamp_ranked *ranked,
                          struct microstamp_ranking *ret_ranking);

/* The state that follows from the numbers. */
enum microstamp_state microstamp_state_decide(const struct microstamp_ranking *ranking,
                                              bool any_near, double best_posterior);

/* ---- group.c */

/* Puts the specimens into groups: ret_specimens[0 .. count-1]. */
MICROSTAMP_MUST_CHECK enum microstamp_status
microstamp_exam_group(struct microstamp_examination *exam,
                      uint32_t ret_specimens[MICROSTAMP_SPECIMENS_MAX], size_t *ret_count,
                      bool *ret_more_than_one);

/* The specimens that have marks, those that are linked together: ret_unit[0 .. count-1]. */
size_t microstamp_exam_units(const struct microstamp_examination *exam,
                             uint32_t ret_unit[MICROSTAMP_SPECIMENS_MAX]);

#endif
