// SPDX-License-Identifier: Apache-2.0
/* How many look-ups a reading will make, told from the reading alone: for schedulers, which must
 * know before anything is searched. The numbers are measured (tests/unit/test_microstamp_views.c
 * holds them to the truth); near words are counted. */

#include "microstamp/internal.h"

#include <math.h>

#define VALID 1.0         /* the characters that were read are a code, or part of just one */
#define ONE_WRONG 24.0    /* eight read, one of them wrong: the right code and what is near */
#define SEVERAL_WRONG 400 /* they contradict each other in another way */
#define PER_CHOICE 14.0   /* words for each string that choices leave, without unread ones */
#define PER_STRING 0.16   /* the same with one unread */
#define TWO_UNREAD 142.0  /* words when 29^2 strings are left, which no check sum tells apart */
#define MISREAD_HALF 67.0 /* strings that stand for a half of which all was read, mostly */
#define GROWTH 1.6        /* power at which that grows with the strings left */

/* How many characters a position leaves, as the number of equally probable ones that would be as
 * uncertain: exp of the entropy (C. E. Shannon, 1948). */
static double characters_left(const struct microstamp_observation *observation, unsigned at)
{
    const struct microstamp_position *position = &observation->position[at];
    const unsigned size = microstamp_alphabet_size(observation->alphabet);
    double entropy = 0.0;

    if (!position->read)
        return size;
    if (!position->weighed)
        return __builtin_popcountll(position->set);
    for (unsigned s = 0; s < size; s++) {
        if (position->weight[s] > 0.0)
            entropy -= position->weight[s] * log(position->weight[s]);
    }
    return exp(entropy);
}

/* The same for the gear's sectors, over all of the code. 29^8 without a gear. */
static double strings_of_gear(const struct microstamp_observation *observation)
{
    double strings = 1.0, teeth[SIZE];
    uint64_t best;

    for (unsigned sector = 0; sector < LENGTH; sector++)
        strings *= microstamp_gear_sector(observation, sector, teeth, &best)
                       ? (double)__builtin_popcountll(best)
                       : SIZE;
    return strings;
}

/* What is known of a plain reading of at least seven characters without searching. */
static double of_plain(const struct microstamp_observation *observation)
{
    struct microstamp_code code = {{0}};
    unsigned unread = 0;
    int position;

    for (unsigned i = 0; i < LENGTH; i++) {
        if (!observation->position[i].read)
            unread |= 1u << i;
        else
            code.symbol[i] = (uint8_t)__builtin_ctzll(observation->position[i].set);
    }
    if (microstamp_r29_recover(&code, unread, &code) == MICROSTAMP_OK)
        return VALID;
    return unread == 0 && microstamp_r29_correct(&code, &code, &position) == MICROSTAMP_OK
               ? ONE_WRONG
               : SEVERAL_WRONG;
}

static double of_r29(const struct microstamp_observation *observation)
{
    double strings = 1.0;
    unsigned unread = 0;
    bool choices = false;

    for (unsigned i = 0; i < LENGTH; i++) {
        const struct microstamp_position *position = &observation->position[i];

        strings *= characters_left(observation, i);
        unread += !position->read;
        choices = choices || (position->read &&
                              (position->weighed || (position->set & (position->set - 1)) != 0));
    }
    if (observation->has_gear) {
        strings = fmin(strings, strings_of_gear(observation));
        if (strings < SIZE * SIZE)
            return ONE_WRONG;
    } else if (!choices && unread <= 1) {
        return of_plain(observation);
    }
    if (strings >= SIZE * SIZE)
        return TWO_UNREAD * pow(strings / (SIZE * SIZE), GROWTH);
    return unread == 0 ? fmin(PER_CHOICE * strings, TWO_UNREAD * 2.0) : PER_STRING * strings;
}

/* Both halves as read, or one of them with nearly all of the ways in which it may have been
 * misread: see halves.c. */
static double of_opaque(const struct microstamp_observation *observation)
{
    double strings[2] = {1.0, 1.0};

    for (unsigned i = 0; i < observation->length; i++)
        strings[i >= observation->length / 2] *= characters_left(observation, i);
    return fmin(fmin(strings[0] + strings[1] + 1.0, MISREAD_HALF * fmin(strings[0], strings[1])),
                MICROSTAMP_PATTERN_MAX);
}

unsigned microstamp_observation_lookups(const struct microstamp_observation *observation)
{
    struct microstamp_way ways[WAYS_MAX];
    double lookups =
        observation->alphabet == MICROSTAMP_R29 ? of_r29(observation) : of_opaque(observation);

    /* One code that explains all does so in one way. The gear tells its rotation by itself. */
    if (lookups > VALID)
        lookups *= fmin(microstamp_ways(observation, ways), 4);
    return (unsigned)fmin(fmax(lookups, VALID), MICROSTAMP_WORDS_MAX);
}
