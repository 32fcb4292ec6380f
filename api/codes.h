// SPDX-License-Identifier: Apache-2.0
#ifndef API_CODES_H
#define API_CODES_H

#include "api/api.h"

/* The canonical text of a valid R29-8 code, or false with a detail that says what is wrong. */
bool api_code_canonical(const char *text, char ret_text[MICROSTAMP_R29_LENGTH + 1],
                        char *ret_detail, size_t detail_room);

#endif
