// SPDX-License-Identifier: Apache-2.0
/* Gears as text: failures point into the text, and what was accepted goes on, with the notch seen
 * and not. */

#include "tests/fuzz/fuzz_microstamp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct microstamp_observation observation;
    struct microstamp_error err = {0};
    char *text = copy_of(data, size);

    microstamp_observation_clear(MICROSTAMP_R29, MICROSTAMP_R29_LENGTH, &observation);
    if (microstamp_observation_gear(&observation, text, size, &err) == MICROSTAMP_OK) {
        for (unsigned i = 0; i < MICROSTAMP_GEAR_TEETH; i++)
            require(memchr("10?", observation.gear[i], 3) != NULL);
        check_observation(&observation);
        observation.gear_index_unknown = true;
        check_observation(&observation);
    } else {
        check_error(&err, size);
        require(!observation.has_gear);
    }
    free(text);
    return 0;
}
