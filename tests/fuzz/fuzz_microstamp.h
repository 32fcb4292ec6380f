// SPDX-License-Identifier: Apache-2.0
#ifndef FUZZ_MICROSTAMP_H
#define FUZZ_MICROSTAMP_H

/* What the fuzz targets of microstamp/ share. */

#include "microstamp/words.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void require(bool condition)
{
    if (!condition)
        abort();
}

/* A failure points into the input, or to its end, and says what was expected in plain text. */
static inline void check_error(const struct microstamp_error *err, size_t size)
{
    size_t length = strnlen(err->text, sizeof(err->text));

    require(err->offset <= size);
    require(length > 0 && length < sizeof(err->text));
    for (size_t i = 0; i < length; i++)
        require(err->text[i] >= ' ' && err->text[i] <= '~');
}

/* A copy of exactly that size, without a NUL, so that reading past the end is seen. */
static inline char *copy_of(const uint8_t *data, size_t size)
{
    char *text = malloc(size == 0 ? 1 : size);

    require(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    return text;
}

static inline const struct microstamp_matrix *default_matrix(void)
{
    static struct microstamp_matrix *matrix;

    if (matrix == NULL)
        require(microstamp_matrix_make_default(&matrix) == MICROSTAMP_OK);
    return matrix;
}

/* What was accepted goes on into a line and the search, whose results keep their promises. */
static inline void check_observation(const struct microstamp_observation *observation)
{
    static struct microstamp_line line;
    static struct microstamp_words words;
    uint8_t zero[MICROSTAMP_LENGTH_MAX] = {0};
    char agreement[MICROSTAMP_TEXT];
    double sum = 0.0;

    require(microstamp_observation_lookups(observation) >= 1);
    require(microstamp_observation_lookups(observation) <= MICROSTAMP_WORDS_MAX);
    require(microstamp_line_fuse(default_matrix(), &observation, 1, &line) == MICROSTAMP_OK);
    require(line.count >= 1 && line.count <= MICROSTAMP_VIEWS_MAX);
    for (unsigned v = 0; v < line.count; v++)
        sum += line.weight[v];
    require(sum > 0.0 && sum <= 1.0 + 1e-9);
    require(microstamp_line_likelihood(&line, zero) > 0.0);
    microstamp_line_agreement(&line, zero, agreement);
    require(strspn(agreement, "=.~x") == line.length && agreement[line.length] == '\0');
    if (line.alphabet != MICROSTAMP_R29)
        return;
    require(microstamp_line_find(&line, 64, &words) == MICROSTAMP_OK);
    require(words.best_count >= 1 && words.best_count <= 64);
    require(words.count <= 64 + MICROSTAMP_WORDS_NEAR_MAX);
    require(isfinite(words.z) && words.left >= 0.0 && words.left < words.z);
    for (size_t i = 0; i < words.count; i++)
        require(microstamp_r29_is_valid(&words.word[i].code));
}

#endif
