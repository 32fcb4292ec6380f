// SPDX-License-Identifier: Apache-2.0
#ifndef API_CODES_H
#define API_CODES_H

#include "api/api.h"

#define API_CODE_TEXT MICROSTAMP_TEXT /* of any scheme, with a NUL */
#define API_OPAQUE_NAME "opaque"

/* The canonical text of a code of the scheme (R29-8: valid; opaque: 4 to 12 letters and digits), or
 * false with a detail that says what is wrong. scheme: one of the two. */
bool api_code_canonical(const char *scheme, const char *text, char ret_text[API_CODE_TEXT],
                        char *ret_detail, size_t detail_room);

#endif
