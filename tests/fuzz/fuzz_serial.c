// SPDX-License-Identifier: Apache-2.0
/* What is left of a serial number, up to the first line feed, held against what follows: nothing
 * crashes, failures point into the text, and no number is excluded. */

#include "tests/fuzz/fuzz_microstamp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size == 0 ? NULL : memchr(data, '\n', size);
    size_t length = end == NULL ? size : (size_t)(end - data);
    struct microstamp_serial serial;
    struct microstamp_error err = {0};
    char *text = copy_of(data, length), *recorded = calloc(1, size - length + 1);

    require(recorded != NULL);
    if (end != NULL)
        memcpy(recorded, end + 1, size - length - 1);
    if (microstamp_serial_parse(text, length, &serial, &err) != MICROSTAMP_OK) {
        check_error(&err, length);
    } else {
        double ratio = microstamp_serial_ratio(default_matrix(), &serial, recorded);

        require(serial.length >= 1 && serial.length <= MICROSTAMP_SERIAL_MAX);
        require(isfinite(ratio) && ratio >= 0.01);
        require(microstamp_serial_ratio(default_matrix(), &serial, NULL) == 1.0);
    }
    free(recorded);
    free(text);
    return 0;
}
