// SPDX-License-Identifier: Apache-2.0
#include "api/api.h"
#include "api/codes.h"
#include "api/rows.h"

#include <string.h>

/* Codes are stored and compared as canonical text; one that is no code of its scheme refuses its
 * row. Other schemes are SQL's to refuse. */
static bool check_codes(json_t *row, char *ret_pointer, size_t pointer_room, char *ret_detail,
                        size_t detail_room)
{
    size_t index;
    json_t *mark;
    json_array_foreach(json_object_get(row, "marks"), index, mark)
    {
        char text[API_CODE_TEXT];
        const char *scheme = ct_json_string(mark, "scheme");
        if (strcmp(scheme, MICROSTAMP_R29_NAME) != 0 && strcmp(scheme, API_OPAQUE_NAME) != 0)
            continue;
        if (!api_code_canonical(scheme, ct_json_string(mark, "code"), text, ret_detail,
                                detail_room)) {
            (void)snprintf(ret_pointer, pointer_room, "/marks/%zu/code", index);
            return false;
        }
        (void)json_object_set_new(mark, "code", json_string(text));
    }
    return true;
}

static void register_before(struct api_context *context, struct api_request *request)
{
    (void)context;
    api_rows_before(request, check_codes);
}

const struct api_handler api_firearms_register = {
    .before = register_before,
    .start = api_generic_start,
    .finish = api_rows_finish,
    .bulk = true,
};

/* ---- POST /v1/custody-events ---------------------------------------------------------------- */

static void custody_before(struct api_context *context, struct api_request *request)
{
    (void)context;
    api_rows_before(request, NULL);
}

const struct api_handler api_custody_record = {
    .before = custody_before,
    .start = api_generic_start,
    .finish = api_rows_finish,
};
