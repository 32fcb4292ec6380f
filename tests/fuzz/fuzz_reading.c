// SPDX-License-Identifier: Apache-2.0
/* Readings and codes as text: nothing crashes, failures point into the text, and what was accepted
 * goes on into the search, held in every way. */

#include "tests/fuzz/fuzz_microstamp.h"

static void check_code(const char *text, size_t size)
{
    struct microstamp_code code, again;
    struct microstamp_error err = {0};
    char canonical[9], written[10];

    if (microstamp_r29_parse(text, size, &code, &err) != MICROSTAMP_OK) {
        check_error(&err, size);
        return;
    }
    microstamp_r29_canonical(&code, canonical);
    microstamp_r29_format(&code, written);
    require(microstamp_r29_parse(canonical, 8, &again, NULL) == MICROSTAMP_OK);
    require(memcmp(&code, &again, sizeof(code)) == 0);
    require(microstamp_r29_parse(written, 9, &again, NULL) == MICROSTAMP_OK);
    require(memcmp(&code, &again, sizeof(code)) == 0);
}

static void check_reading(enum microstamp_alphabet alphabet, const char *text, size_t size)
{
    struct microstamp_observation observation;
    struct microstamp_error err = {0};

    if (microstamp_observation_parse(alphabet, text, size, &observation, &err) != MICROSTAMP_OK) {
        check_error(&err, size);
        return;
    }
    require(alphabet == MICROSTAMP_R29 ? observation.length == 8
                                       : observation.length >= 4 && observation.length <= 12);
    check_observation(&observation);
    observation.orientation_unknown = true;
    check_observation(&observation);
    observation.rows_unknown = true;
    check_observation(&observation);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = copy_of(data, size);

    check_code(text, size);
    check_reading(MICROSTAMP_R29, text, size);
    check_reading(MICROSTAMP_OPAQUE, text, size);
    free(text);
    return 0;
}
