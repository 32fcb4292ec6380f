// SPDX-License-Identifier: Apache-2.0
/* Simulated registries, guns and casings. */

#include "bench/solve_rate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH MICROSTAMP_R29_LENGTH
#define SIZE MICROSTAMP_R29_SIZE
#define WORDS 594823321u /* 29 to the 6th */

/* Every bit of the result depends on every bit of x: xor-shifts and odd multipliers, each of which
 * can be undone, so that different inputs stay different. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

struct solve_random solve_random_make(uint64_t seed, uint64_t stream)
{
    return (struct solve_random){mix(mix(seed + 1) + stream)};
}

uint64_t solve_random_bits(struct solve_random *random)
{
    random->state += UINT64_C(0x9E3779B97F4A7C15);
    return mix(random->state);
}

double solve_random_unit(struct solve_random *random)
{
    return (double)(solve_random_bits(random) >> 11) * 0x1p-53;
}

/* The bias is below limit / 2^32, far below what any number of trials could show. */
unsigned solve_random_below(struct solve_random *random, unsigned limit)
{
    return (unsigned)((solve_random_bits(random) >> 32) * limit >> 32);
}

/* A valid word's number: its six free characters in base 29. */
static uint32_t word_of(const struct microstamp_code *code)
{
    uint32_t word = 0;

    for (unsigned i = 0; i < MICROSTAMP_R29_RANDOM; i++)
        word = word * SIZE + code->symbol[i];
    return word;
}

static void code_of(uint32_t word, struct microstamp_code *ret_code)
{
    uint8_t symbol[MICROSTAMP_R29_RANDOM];

    for (unsigned i = MICROSTAMP_R29_RANDOM; i-- > 0; word /= SIZE)
        symbol[i] = (uint8_t)(word % SIZE);
    microstamp_r29_complete(symbol, ret_code);
}

static bool bit_is_set(const uint64_t *bits, uint32_t word)
{
    return (bits[word / 64] >> word % 64 & 1u) != 0;
}

bool solve_registry_make(struct solve_registry *registry, const size_t *size, unsigned level_count,
                         uint64_t seed)
{
    struct solve_random random = solve_random_make(seed, UINT64_MAX);
    const unsigned top = level_count - 1;

    memset(registry, 0, sizeof(*registry));
    registry->level_count = level_count;
    registry->member = calloc(size[0], sizeof(*registry->member));
    if (registry->member == NULL)
        return false;
    for (unsigned level = 0; level < level_count; level++) {
        registry->size[level] = size[level];
        registry->bits[level] = calloc(WORDS / 64 + 1, sizeof(uint64_t));
        if (registry->bits[level] == NULL)
            return false;
    }
    for (size_t count = 0; count < size[top];) {
        uint32_t word = solve_random_below(&random, WORDS);

        if (bit_is_set(registry->bits[top], word))
            continue;
        for (unsigned level = 0; level < level_count; level++) {
            if (count < size[level])
                registry->bits[level][word / 64] |= UINT64_C(1) << word % 64;
        }
        if (count < size[0])
            registry->member[count] = word;
        count++;
    }
    return true;
}

void solve_registry_free(struct solve_registry *registry)
{
    for (unsigned level = 0; level < registry->level_count; level++)
        free(registry->bits[level]);
    free(registry->member);
    memset(registry, 0, sizeof(*registry));
}

bool solve_registry_has(const struct solve_registry *registry, unsigned level,
                        const struct microstamp_code *code)
{
    uint32_t word;

    if (!microstamp_r29_is_valid(code))
        return false;
    word = word_of(code);
    return bit_is_set(registry->bits[level], word);
}

bool solve_matrix_make(double misread, struct microstamp_matrix **ret_matrix)
{
    struct microstamp_rates rates;

    microstamp_rates_default(fmax(misread, SOLVE_MISREAD_LEAST), &rates);
    return microstamp_matrix_make("simulated", &rates, ret_matrix, NULL) == MICROSTAMP_OK;
}

static void draw_valid(struct solve_random *random, struct microstamp_code *ret_code)
{
    code_of(solve_random_below(random, WORDS), ret_code);
}

/* Eight of the 36 letters and digits, as a laboratory writes them down on a form for R29-8: folded
 * into its alphabet. Now and then that is a registered code; it is the wrong gun all the same. */
static void draw_foreign(struct solve_random *random, struct microstamp_code *ret_code)
{
    static const char characters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    char text[LENGTH];

    for (unsigned i = 0; i < LENGTH; i++)
        text[i] = characters[solve_random_below(random, 36)];
    if (microstamp_r29_parse(text, LENGTH, ret_code, NULL) != MICROSTAMP_OK)
        abort();
}

void solve_gun_draw(const struct solve_registry *registry, enum solve_population population,
                    struct solve_random *random, struct microstamp_code *ret_code,
                    bool *ret_registered)
{
    if (population == SOLVE_MIXED) {
        unsigned quarter = solve_random_below(random, 4);

        population = quarter < 2    ? SOLVE_REGISTERED
                     : quarter == 2 ? SOLVE_UNREGISTERED
                                    : SOLVE_FOREIGN;
    }
    *ret_registered = population == SOLVE_REGISTERED;
    switch (population) {
    case SOLVE_REGISTERED:
        code_of(registry->member[solve_random_below(random, (unsigned)registry->size[0])],
                ret_code);
        break;
    case SOLVE_UNREGISTERED:
        do {
            draw_valid(random, ret_code);
        } while (solve_registry_has(registry, registry->level_count - 1, ret_code));
        break;
    case SOLVE_FOREIGN:
    case SOLVE_MIXED:
        draw_foreign(random, ret_code);
        break;
    }
}

/* Another character than t, as often as the matrix says; or only those that are read for t more
 * often than their even share, where there are any. */
static uint8_t draw_other(const struct solve_case *what, const struct microstamp_matrix *matrix,
                          uint8_t t, struct solve_random *random)
{
    const double wrong = 1.0 - microstamp_matrix_probability(matrix, MICROSTAMP_R29, t, t);
    double share[SIZE], sum = 0.0, alike = 0.0, at;
    unsigned last = t;

    for (unsigned r = 0; r < SIZE; r++) {
        share[r] = r == t ? 0.0 : microstamp_matrix_probability(matrix, MICROSTAMP_R29, t, r);
        sum += share[r];
        if (share[r] > 1.5 * wrong / (SIZE - 1))
            alike += share[r];
    }
    for (unsigned r = 0; r < SIZE && what->look_alikes && alike > 0.0; r++) {
        if (share[r] <= 1.5 * wrong / (SIZE - 1)) {
            sum -= share[r];
            share[r] = 0.0;
        }
    }
    at = solve_random_unit(random) * sum;
    for (unsigned r = 0; r < SIZE && at >= 0.0; r++) {
        if (share[r] > 0.0)
            last = r;
        at -= share[r];
    }
    return (uint8_t)last;
}

/* Which positions of one casing can be read. With correlation, each casing has a share of its own
 * that is illegible, drawn from a beta distribution with mean q = 1 - legibility and a + b =
 * 1/cluster - 1; any two positions then correlate by exactly `cluster`, and a position taken alone
 * is legible as often as without. Drawn as an urn (G. Polya): after k of i positions were
 * illegible, the next is with probability (a + k) / (a + b + i). */
static unsigned draw_legible(const struct solve_case *what, struct solve_random *random)
{
    const double q = 1.0 - what->legibility;
    unsigned legible = 0, illegible = 0;

    for (unsigned i = 0; i < LENGTH; i++) {
        double chance = q, at = solve_random_unit(random);

        if (what->cluster > 0.0) {
            double both = 1.0 / what->cluster - 1.0;

            chance = (q * both + illegible) / (both + i);
        }
        if (at < chance)
            illegible++;
        else
            legible |= 1u << i;
    }
    return legible;
}

void solve_casings_draw(const struct solve_case *what, const struct microstamp_matrix *matrix,
                        const struct microstamp_code *gun, struct solve_random *random,
                        char ret_reading[SOLVE_CASINGS_MAX][9])
{
    struct microstamp_code pin = *gun;

    for (unsigned i = 0; i < LENGTH; i++) {
        if (solve_random_unit(random) < what->pin_faults)
            pin.symbol[i] = draw_other(what, matrix, pin.symbol[i], random);
    }
    for (unsigned k = 0; k < what->casings; k++) {
        unsigned legible = draw_legible(what, random);
        struct microstamp_code read = pin;

        for (unsigned i = 0; i < LENGTH; i++) {
            if (solve_random_unit(random) < what->misread)
                read.symbol[i] = draw_other(what, matrix, pin.symbol[i], random);
        }
        microstamp_r29_canonical(&read, ret_reading[k]);
        for (unsigned i = 0; i < LENGTH; i++) {
            if ((legible >> i & 1u) == 0)
                ret_reading[k][i] = '?';
        }
    }
}
