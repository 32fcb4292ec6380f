// SPDX-License-Identifier: Apache-2.0
/* Codes that manufacturers brought, as text. */

#include "tests/fuzz/fuzz_microstamp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct microstamp_error err = {0};
    char *text = copy_of(data, size);
    char code[MICROSTAMP_TEXT] = "before", again[MICROSTAMP_TEXT];

    if (microstamp_opaque_parse(text, size, code, &err) == MICROSTAMP_OK) {
        size_t length = strlen(code);

        require(length >= MICROSTAMP_LENGTH_MIN && length <= MICROSTAMP_LENGTH_MAX);
        require(strspn(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == length);
        require(microstamp_opaque_parse(code, length, again, NULL) == MICROSTAMP_OK);
        require(strcmp(code, again) == 0);
    } else {
        check_error(&err, size);
        require(strcmp(code, "before") == 0);
    }
    free(text);
    return 0;
}
