// SPDX-License-Identifier: Apache-2.0
/* The gear: a ring around an R29-8 code that repeats each character's value in five teeth, for when
 * the characters are gone. */

#include "microstamp/internal.h"

#include <string.h>

#define SECTORS LENGTH
#define SECTOR_TEETH (MICROSTAMP_GEAR_TEETH / SECTORS)

/* Chance that a tooth is taken for a gap, or a gap for a tooth. */
#define TOOTH_ERROR 0.02

enum microstamp_status microstamp_observation_gear(struct microstamp_observation *observation,
                                                   const char *text, size_t length,
                                                   struct microstamp_error *err)
{
    char gear[MICROSTAMP_GEAR_TEETH];
    unsigned count = 0;

    if (observation->alphabet != MICROSTAMP_R29) {
        microstamp_error_set(err, 0, "expected no gear: only R29-8 codes have one");
        return MICROSTAMP_BAD_INPUT;
    }
    for (size_t i = 0; i < length; i++) {
        if (microstamp_is_separator(text[i]))
            continue;
        if (text[i] != '1' && text[i] != '0' && text[i] != '?') {
            microstamp_error_found(err, i, text[i], "a tooth as '1', '0' or '?'");
            return MICROSTAMP_BAD_INPUT;
        }
        if (count == MICROSTAMP_GEAR_TEETH) {
            microstamp_error_set(err, i, "expected the end after %d teeth", MICROSTAMP_GEAR_TEETH);
            return MICROSTAMP_BAD_INPUT;
        }
        gear[count++] = text[i];
    }
    if (count < MICROSTAMP_GEAR_TEETH) {
        microstamp_error_set(err, length, "expected %d teeth, found only %u", MICROSTAMP_GEAR_TEETH,
                             count);
        return MICROSTAMP_BAD_INPUT;
    }
    memcpy(observation->gear, gear, sizeof(gear));
    observation->has_gear = true;
    return MICROSTAMP_OK;
}

/* Teeth fail one by one, so the likelihood of a sector is the product over its teeth: 1 - e where
 * the tooth is the value's bit, e where it is not, 1 where nothing was seen. Values 29 to 31 are on
 * no pin; they are simply not asked for. */
bool microstamp_gear_sector(const struct microstamp_observation *observation, unsigned sector,
                            double ret_p[SIZE], uint64_t *ret_best)
{
    const char *tooth = observation->gear + (size_t)sector * SECTOR_TEETH;
    double best = 0.0;

    if (!observation->has_gear || memcmp(tooth, "?????", SECTOR_TEETH) == 0)
        return false;
    *ret_best = 0;
    for (unsigned t = 0; t < SIZE; t++) {
        unsigned right = 0, wrong = 0;

        ret_p[t] = 1.0;
        for (unsigned k = 0; k < SECTOR_TEETH; k++) {
            char expected = (t >> (SECTOR_TEETH - 1 - k) & 1u) != 0 ? '1' : '0';

            right += tooth[k] == expected;
            wrong += tooth[k] != expected && tooth[k] != '?';
        }
        for (unsigned k = 0; k < right; k++)
            ret_p[t] *= 1.0 - TOOTH_ERROR;
        for (unsigned k = 0; k < wrong; k++)
            ret_p[t] *= TOOTH_ERROR;
        /* Exact comparison serves: equal counts make equal products. */
        if (ret_p[t] > best) {
            best = ret_p[t];
            *ret_best = 0;
        }
        if (ret_p[t] == best)
            *ret_best |= UINT64_C(1) << t;
    }
    return true;
}
