// SPDX-License-Identifier: Apache-2.0
#ifndef BENCH_SOLVE_RATE_H
#define BENCH_SOLVE_RATE_H

/* The parts of bench/solve-rate: a simulated registry, casings of simulated guns, what the engine
 * answers to them, and how that is counted. */

#include "microstamp/microstamp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- random numbers ---------------------------------------------------------------------- */

/* A counter and a mixing function: the numbers of a trial depend on the seed and the trial alone,
 * so that rows of a table differ by what they vary and not by luck. Not for secrets. */
struct solve_random {
    uint64_t state;
};

struct solve_random solve_random_make(uint64_t seed, uint64_t stream);
uint64_t solve_random_bits(struct solve_random *random);
double solve_random_unit(struct solve_random *random); /* at least 0, below 1 */
unsigned solve_random_below(struct solve_random *random, unsigned limit);

/* ---- registry ---------------------------------------------------------------------------- */

#define SOLVE_LEVELS_MAX 3

/* Registered codes as one bit for each of the 29^6 valid words. Several registries of different
 * size are nested: what is in a small one is in the larger ones too. */
struct solve_registry {
    unsigned level_count;
    size_t size[SOLVE_LEVELS_MAX]; /* registered codes, ascending */
    uint64_t *bits[SOLVE_LEVELS_MAX];
    uint32_t *member; /* the words of level 0 */
};

/* Draws size[level_count - 1] different valid words; the first size[0] are level 0, and so on.
 * Owner:  free with solve_registry_free(), also after a failure.
 * Errors: false if memory is short. */
bool solve_registry_make(struct solve_registry *registry, const size_t *size, unsigned level_count,
                         uint64_t seed);
void solve_registry_free(struct solve_registry *registry);
bool solve_registry_has(const struct solve_registry *registry, unsigned level,
                        const struct microstamp_code *code);

/* ---- casings ----------------------------------------------------------------------------- */

#define SOLVE_CASINGS_MAX 8

enum solve_population { SOLVE_REGISTERED, SOLVE_UNREGISTERED, SOLVE_FOREIGN, SOLVE_MIXED };

struct solve_case {
    double legibility; /* share of characters that can be read */
    double cluster;    /* correlation of illegibility between two positions of one casing */
    double misread;    /* share of read characters that are read as another, casing by casing */
    double pin_faults; /* share of characters that the pin shows wrong, on all of its casings */
    bool look_alikes; /* what is misread is always read as a look-alike, if the character has one */
    unsigned casings; /* of one gun, 1 to SOLVE_CASINGS_MAX */
    enum solve_population population;
    uint64_t seed;
    uint64_t trials;
};

/* The rate that the engine assumes where none is simulated: about the smallest for which every
 * entry of the matrix is at least 1e-9, which a matrix must have. */
#define SOLVE_MISREAD_LEAST 2e-7

/* The default matrix at another misread rate.
 * Owner:  *ret_matrix is the caller's.  Errors: false if memory is short. */
bool solve_matrix_make(double misread, struct microstamp_matrix **ret_matrix);

/* Draws a gun. ret_registered: its code is in the registry (all levels). A mixed population is
 * what the engine assumes beforehand: half registered, of the rest half with valid codes. */
void solve_gun_draw(const struct solve_registry *registry, enum solve_population population,
                    struct solve_random *random, struct microstamp_code *ret_code,
                    bool *ret_registered);

/* Writes what a laboratory reads on each casing, eight characters or '?' and a NUL. */
void solve_casings_draw(const struct solve_case *what, const struct microstamp_matrix *matrix,
                        const struct microstamp_code *gun, struct solve_random *random,
                        char ret_reading[SOLVE_CASINGS_MAX][9]);

/* ---- trials ------------------------------------------------------------------------------ */

#define SOLVE_BINS 7
extern const double solve_bin_from[SOLVE_BINS + 1]; /* the last is the end of the last bin */

struct solve_bin {
    double answers, right, posterior_sum;
};

struct solve_tally {
    double trials;
    double identified_right, identified_wrong;
    double candidates_with_right, candidates_without_right;
    double no_match, insufficient;
    double several_guns; /* the casings were taken apart into more than one group */
    double ranks, rank_sum;
    double look_ups;
    double pure_ns; /* processor time in microstamp/, look-ups not counted */
    struct solve_bin bin[SOLVE_BINS];
};

void solve_tally_add(struct solve_tally *sum, const struct solve_tally *more, double weight);

/* Runs all trials of a case, against each level of the registry.
 * ret_tally: level_count of them.
 * Errors:  false if the engine refuses or memory is short; says why on standard error.
 * Threads: any number at a time. */
bool solve_run(const struct solve_registry *registry, const struct solve_case *what,
               struct solve_tally *ret_tally);

/* ---- table ------------------------------------------------------------------------------- */

/* Runs and prints the whole table as markdown. Returns the exit status. */
int solve_table_print(uint64_t seed, double effort);

#endif
