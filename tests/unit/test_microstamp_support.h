// SPDX-License-Identifier: Apache-2.0
#ifndef TEST_MICROSTAMP_SUPPORT_H
#define TEST_MICROSTAMP_SUPPORT_H

/* What the tests of microstamp/ share: cmocka with what it needs before it, a random source that
 * gives the same numbers everywhere, and short forms. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>

#include <cmocka.h>

#include "microstamp/internal.h"

/* splitmix64: small, and good enough to pick test cases. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static inline unsigned random_below(uint64_t *state, unsigned limit)
{
    return (unsigned)(random_next(state) % limit);
}

static inline struct microstamp_code random_code(uint64_t *state)
{
    uint8_t six[MICROSTAMP_R29_RANDOM];
    struct microstamp_code code;

    for (size_t i = 0; i < sizeof(six); i++)
        six[i] = (uint8_t)random_below(state, SIZE);
    microstamp_r29_complete(six, &code);
    return code;
}

static inline struct microstamp_reading reading_of(const struct microstamp_code *code)
{
    struct microstamp_reading reading;

    for (unsigned i = 0; i < LENGTH; i++)
        reading.set[i] = 1u << code->symbol[i];
    return reading;
}

static inline unsigned differences(const struct microstamp_code *a, const struct microstamp_code *b)
{
    unsigned count = 0;

    for (unsigned i = 0; i < LENGTH; i++)
        count += a->symbol[i] != b->symbol[i];
    return count;
}

static inline struct microstamp_code code_from(const char *text)
{
    struct microstamp_code code = {{0}};

    assert_int_equal(microstamp_r29_parse(text, strlen(text), &code, NULL), MICROSTAMP_OK);
    return code;
}

static inline struct microstamp_reading reading_from(const char *text)
{
    struct microstamp_reading reading = {{0}};

    assert_int_equal(microstamp_reading_parse(text, strlen(text), &reading, NULL), MICROSTAMP_OK);
    return reading;
}

static inline struct microstamp_observation observation_from(enum microstamp_alphabet alphabet,
                                                             const char *text)
{
    struct microstamp_observation observation = {0};

    assert_int_equal(microstamp_observation_parse(alphabet, text, strlen(text), &observation, NULL),
                     MICROSTAMP_OK);
    return observation;
}

/* The teeth that go with a code. */
static inline void gear_of(const struct microstamp_code *code, char ret_gear[41])
{
    for (unsigned i = 0; i < LENGTH; i++) {
        for (unsigned k = 0; k < 5; k++)
            ret_gear[5 * i + k] = (code->symbol[i] >> (4 - k) & 1u) != 0 ? '1' : '0';
    }
    ret_gear[40] = '\0';
}

/* Z by its definition: one position after the other, over the two check sums. */
static inline double plain_z(const struct microstamp_evidence *evidence)
{
    double(*sum)[SIZE][SIZE] = calloc(LENGTH + 1, sizeof(*sum)), z;

    assert_non_null(sum);
    sum[0][0][0] = 1.0;
    for (unsigned i = 0; i < LENGTH; i++) {
        for (unsigned s0 = 0; s0 < SIZE; s0++) {
            for (unsigned s1 = 0; s1 < SIZE; s1++) {
                for (unsigned t = 0; t < SIZE; t++)
                    sum[i + 1][(s0 + t) % SIZE][(s1 + (t << i)) % SIZE] +=
                        sum[i][s0][s1] * microstamp_evidence_row(evidence, i)->p[t];
            }
        }
    }
    z = sum[LENGTH][0][0];
    free(sum);
    return z;
}

/* Opens a file of the source tree: make check tells where that is, else it is the current folder.
 */
static inline FILE *open_source_file(const char *path)
{
    const char *top = getenv("srcdir");
    char full[4096];
    FILE *file;

    (void)snprintf(full, sizeof(full), "%s/%s", top == NULL ? "." : top, path);
    file = fopen(full, "r");
    if (file == NULL)
        fail_msg("%s does not open", full);
    return file;
}

/* cmocka's own comparison of doubles is absolute. */
#define assert_near(a, b, relative)                                                                \
    do {                                                                                           \
        double near_a = (a), near_b = (b);                                                         \
        if (!(fabs(near_a - near_b) <= (relative)*fmax(fabs(near_a), fabs(near_b))))               \
            fail_msg("%s = %.17g, %s = %.17g", #a, near_a, #b, near_b);                            \
    } while (0)

static inline int make_matrix(void **state)
{
    struct microstamp_matrix *matrix;

    if (microstamp_matrix_make_default(&matrix) != MICROSTAMP_OK)
        return -1;
    *state = matrix;
    return 0;
}

static inline int free_matrix(void **state)
{
    microstamp_matrix_free(*state);
    return 0;
}

#endif
