// SPDX-License-Identifier: Apache-2.0
/* Weights. The input is a list of single bytes, each position's characters and weights: a
 * character, a weight in 1/200 (so that over 1 occurs) or, with the highest bits, an odd number; a
 * character of 0 ends the position. */

#include "tests/fuzz/fuzz_microstamp.h"

#define LISTED_MAX 64

static double weight_of(uint8_t byte)
{
    static const double odd[] = {0.0, -0.5, 1e-300, 1e300, 1.0 + 1e-12, 1.0, 1e-9, 0.1};

    if (byte == 255)
        return NAN;
    if (byte == 254)
        return INFINITY;
    return byte >= 240 ? odd[byte % 8] : byte / 200.0;
}

/* Reads one position. Returns how much of the input it took. */
static size_t read_position(const uint8_t *data, size_t size, char *ret_characters,
                            double *ret_weights, size_t *ret_count)
{
    size_t at = 0, count = 0;

    while (at + 1 < size && data[at] != 0 && count < LISTED_MAX) {
        ret_characters[count] = (char)data[at];
        ret_weights[count++] = weight_of(data[at + 1]);
        at += 2;
    }
    *ret_count = count;
    return at < size ? at + 1 : at;
}

static void check_position(const struct microstamp_observation *observation, unsigned position)
{
    const struct microstamp_position *p = &observation->position[position];
    const unsigned size = microstamp_alphabet_size(observation->alphabet);
    double sum = 0.0;

    require(p->set != 0 && p->set >> size == 0);
    for (unsigned s = 0; p->weighed && s < size; s++) {
        require(p->weight[s] >= 0.0);
        sum += p->weight[s];
    }
    require(!p->weighed || fabs(sum - 1.0) < 1e-9);
}

static void check(enum microstamp_alphabet alphabet, unsigned length, const uint8_t *data,
                  size_t size)
{
    struct microstamp_observation observation;
    struct microstamp_error err = {0};
    char characters[LISTED_MAX];
    double weights[LISTED_MAX];

    microstamp_observation_clear(alphabet, length, &observation);
    for (unsigned i = 0; i < length && size > 0; i++) {
        size_t count, taken = read_position(data, size, characters, weights, &count);

        if (microstamp_observation_weigh(&observation, i, characters, weights, count, &err) ==
            MICROSTAMP_OK)
            check_position(&observation, i);
        else
            check_error(&err, count);
        data += taken;
        size -= taken;
    }
    check_observation(&observation);
    observation.orientation_unknown = true;
    check_observation(&observation);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check(MICROSTAMP_R29, MICROSTAMP_R29_LENGTH, data, size);
    check(MICROSTAMP_OPAQUE, size % 9 + MICROSTAMP_LENGTH_MIN, data, size);
    return 0;
}
