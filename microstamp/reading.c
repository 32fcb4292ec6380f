// SPDX-License-Identifier: Apache-2.0
/* Observations as a laboratory sends them, readings as text and weights; opaque codes as text. */

#include "microstamp/internal.h"

#include <string.h>

/* What is listed may exceed 1 by this much: 0.1 ten times is not 1. */
#define ROUNDING 1e-9

/* A text on its way through the parser. */
struct input {
    enum microstamp_alphabet alphabet;
    const char *text;
    size_t length;
    struct microstamp_error *err;
};

/* Reads the members of a choice. at: the byte after '['. Returns the byte after ']', or 0. */
static size_t parse_choice(const struct input *in, size_t at, uint64_t *ret_set)
{
    uint64_t set = 0;

    for (; at < in->length && in->text[at] != ']'; at++) {
        int symbol = microstamp_symbol(in->alphabet, in->text[at]);

        if (symbol < 0) {
            microstamp_error_found(in->err, at, in->text[at],
                                   "a letter or digit of the code, or ']'");
            return 0;
        }
        set |= UINT64_C(1) << symbol;
    }
    if (at == in->length) {
        microstamp_error_set(in->err, at, "expected ']' to end the choice");
        return 0;
    }
    if (set == 0) {
        microstamp_error_set(in->err, at, "expected a letter or digit of the code in the choice");
        return 0;
    }
    *ret_set = set;
    return at + 1;
}

/* Reads one position. Returns the byte after it, or 0. */
static size_t parse_position(const struct input *in, size_t at, uint64_t *ret_set)
{
    int symbol;

    if (in->text[at] == '[')
        return parse_choice(in, at + 1, ret_set);
    if (in->text[at] == '?') {
        *ret_set = microstamp_all_symbols(in->alphabet);
        return at + 1;
    }
    symbol = microstamp_symbol(in->alphabet, in->text[at]);
    if (symbol < 0) {
        microstamp_error_found(in->err, at, in->text[at],
                               "a letter or digit of the code, '?' or '['");
        return 0;
    }
    *ret_set = UINT64_C(1) << symbol;
    return at + 1;
}

/* Reads all positions. Returns how many, or 0 with the error set. */
static unsigned parse_positions(const struct input *in, uint64_t set[MICROSTAMP_LENGTH_MAX])
{
    const bool fixed = in->alphabet == MICROSTAMP_R29;
    const unsigned max = fixed ? LENGTH : MICROSTAMP_LENGTH_MAX;
    const unsigned min = fixed ? LENGTH : MICROSTAMP_LENGTH_MIN;
    unsigned count = 0;
    size_t at = 0;

    while (at < in->length) {
        if (microstamp_is_separator(in->text[at])) {
            at++;
            continue;
        }
        if (count == max) {
            microstamp_error_set(in->err, at, "expected the end after %u positions", max);
            return 0;
        }
        at = parse_position(in, at, &set[count]);
        if (at == 0)
            return 0;
        count++;
    }
    if (count < min) {
        microstamp_error_set(in->err, in->length, "expected %u positions%s, found only %u", min,
                             fixed ? "" : " or more", count);
        return 0;
    }
    return count;
}

void microstamp_observation_clear(enum microstamp_alphabet alphabet, unsigned length,
                                  struct microstamp_observation *ret_observation)
{
    struct microstamp_observation *o = ret_observation;

    o->alphabet = alphabet;
    o->length = length;
    o->has_gear = o->gear_index_unknown = o->orientation_unknown = o->rows_unknown = false;
    for (unsigned i = 0; i < length; i++) {
        o->position[i].read = o->position[i].weighed = false;
        o->position[i].set = microstamp_all_symbols(alphabet);
    }
}

enum microstamp_status microstamp_observation_parse(enum microstamp_alphabet alphabet,
                                                    const char *text, size_t length,
                                                    struct microstamp_observation *ret_observation,
                                                    struct microstamp_error *err)
{
    const struct input in = {alphabet, text, length, err};
    uint64_t set[MICROSTAMP_LENGTH_MAX];
    unsigned count = parse_positions(&in, set);

    if (count == 0)
        return MICROSTAMP_BAD_INPUT;
    microstamp_observation_clear(alphabet, count, ret_observation);
    for (unsigned i = 0; i < count; i++) {
        /* A choice of all characters says as little as '?'. */
        ret_observation->position[i].read = set[i] != microstamp_all_symbols(alphabet);
        ret_observation->position[i].set = set[i];
    }
    return MICROSTAMP_OK;
}

/* Adds up what is listed, by symbol. Returns the sum, or a negative number with the error set. */
static double add_weights(const struct microstamp_observation *observation, const char *characters,
                          const double *weights, size_t count, double weight[],
                          uint64_t *ret_listed, struct microstamp_error *err)
{
    double sum = 0.0;

    *ret_listed = 0;
    memset(weight, 0, MICROSTAMP_SYMBOLS_MAX * sizeof(*weight));
    for (size_t i = 0; i < count; i++) {
        int symbol = microstamp_symbol(observation->alphabet, characters[i]);

        if (symbol < 0) {
            microstamp_error_found(err, i, characters[i], "a letter or digit of the code");
            return -1.0;
        }
        /* Written so that NaN fails too. */
        if (!(weights[i] > 0.0 && weights[i] <= 1.0 + ROUNDING)) {
            microstamp_error_set(err, i, "expected a weight over 0 and up to 1");
            return -1.0;
        }
        weight[symbol] += weights[i];
        sum += weights[i];
        *ret_listed |= UINT64_C(1) << symbol;
    }
    return sum;
}

/* The mean does, so some symbol does. */
uint64_t microstamp_heavy_set(const double *weight, unsigned size)
{
    uint64_t set = 0;

    for (unsigned s = 0; s < size; s++) {
        if (weight[s] >= (1.0 - ROUNDING) / size)
            set |= UINT64_C(1) << s;
    }
    return set;
}

enum microstamp_status microstamp_observation_weigh(struct microstamp_observation *observation,
                                                    unsigned position, const char *characters,
                                                    const double *weights, size_t count,
                                                    struct microstamp_error *err)
{
    const unsigned size = microstamp_alphabet_size(observation->alphabet);
    const uint64_t all = microstamp_all_symbols(observation->alphabet);
    struct microstamp_position found = {.weighed = true};
    uint64_t listed;
    double sum = add_weights(observation, characters, weights, count, found.weight, &listed, err),
           share;

    if (sum < 0.0)
        return MICROSTAMP_BAD_INPUT;
    if (sum > 1.0 + ROUNDING) {
        microstamp_error_set(err, count, "expected weights that sum to 1 or less");
        return MICROSTAMP_BAD_INPUT;
    }
    if (listed == all && sum < 1.0 - ROUNDING) {
        microstamp_error_set(err, count,
                             "expected weights that sum to 1, as every character is listed");
        return MICROSTAMP_BAD_INPUT;
    }
    /* Rounding aside, sum is 1 where nothing is left to spread. */
    if (listed == all || sum > 1.0) {
        for (unsigned s = 0; s < size; s++)
            found.weight[s] /= sum;
    } else {
        share = (1.0 - sum) / (double)(size - (unsigned)__builtin_popcountll(listed));
        for (unsigned s = 0; s < size; s++)
            found.weight[s] = (listed >> s & 1u) != 0 ? found.weight[s] : share;
    }
    found.set = microstamp_heavy_set(found.weight, size);
    found.read = found.set != all;
    /* One character with the whole weight is that character, read. */
    found.weighed = (found.set & (found.set - 1)) != 0 || sum < 1.0 - ROUNDING;
    observation->position[position] = found;
    return MICROSTAMP_OK;
}

enum microstamp_status microstamp_opaque_parse(const char *text, size_t length,
                                               char ret_text[MICROSTAMP_TEXT],
                                               struct microstamp_error *err)
{
    char code[MICROSTAMP_TEXT];
    unsigned count = 0;

    for (size_t i = 0; i < length; i++) {
        int symbol = microstamp_symbol(MICROSTAMP_OPAQUE, text[i]);

        if (microstamp_is_separator(text[i]))
            continue;
        if (symbol < 0) {
            microstamp_error_found(err, i, text[i], "a letter or digit of the code");
            return MICROSTAMP_BAD_INPUT;
        }
        if (count == MICROSTAMP_LENGTH_MAX) {
            microstamp_error_set(err, i, "expected the end after %d characters",
                                 MICROSTAMP_LENGTH_MAX);
            return MICROSTAMP_BAD_INPUT;
        }
        code[count++] = microstamp_character(MICROSTAMP_OPAQUE, (unsigned)symbol);
    }
    if (count < MICROSTAMP_LENGTH_MIN) {
        microstamp_error_set(err, length, "expected %d characters or more, found only %u",
                             MICROSTAMP_LENGTH_MIN, count);
        return MICROSTAMP_BAD_INPUT;
    }
    code[count] = '\0';
    memcpy(ret_text, code, count + 1);
    return MICROSTAMP_OK;
}

enum microstamp_status microstamp_reading_parse(const char *text, size_t length,
                                                struct microstamp_reading *ret_reading,
                                                struct microstamp_error *err)
{
    const struct input in = {MICROSTAMP_R29, text, length, err};
    uint64_t set[MICROSTAMP_LENGTH_MAX];

    if (parse_positions(&in, set) == 0)
        return MICROSTAMP_BAD_INPUT;
    for (unsigned i = 0; i < LENGTH; i++)
        ret_reading->set[i] = (uint32_t)set[i];
    return MICROSTAMP_OK;
}
