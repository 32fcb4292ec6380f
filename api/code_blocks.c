// SPDX-License-Identifier: Apache-2.0
#include "api/api.h"
#include "api/codes.h"

#include <sodium.h>
#include <string.h>

/* Codes are drawn here, not in the database: from the system's random source, uniform over all
 * valid words. Some are spare, since SQL takes the first `count` that were never issued. */
static json_t *draw_codes(size_t count)
{
    json_t *codes = json_array();
    for (size_t i = 0; codes != NULL && i < count; i++) {
        uint8_t random[MICROSTAMP_R29_RANDOM];
        struct microstamp_code code;
        char text[MICROSTAMP_R29_LENGTH + 1];
        for (size_t k = 0; k < sizeof random; k++)
            random[k] = (uint8_t)randombytes_uniform(MICROSTAMP_R29_SIZE);
        microstamp_r29_complete(random, &code);
        microstamp_r29_canonical(&code, text);
        if (json_array_append_new(codes, json_string(text)) != 0) {
            json_decref(codes);
            return NULL;
        }
    }
    return codes;
}

static bool r29_canonical(const char *text, char ret_text[API_CODE_TEXT], char *ret_detail,
                          size_t detail_room)
{
    struct microstamp_code code;
    struct microstamp_error where;
    if (microstamp_r29_parse(text, strlen(text), &code, &where) != MICROSTAMP_OK) {
        (void)snprintf(ret_detail, detail_room, "at character %zu: %s", where.offset + 1,
                       where.text);
        return false;
    }
    if (!microstamp_r29_is_valid(&code)) {
        (void)snprintf(ret_detail, detail_room, "the check characters do not fit");
        return false;
    }
    microstamp_r29_canonical(&code, ret_text);
    return true;
}

/* Nothing is folded: 0 and O are two characters of such a code. */
static bool opaque_canonical(const char *text, char ret_text[API_CODE_TEXT], char *ret_detail,
                             size_t detail_room)
{
    struct microstamp_error where;
    if (microstamp_opaque_parse(text, strlen(text), ret_text, &where) == MICROSTAMP_OK)
        return true;
    (void)snprintf(ret_detail, detail_room, "at character %zu: %s", where.offset + 1, where.text);
    return false;
}

bool api_code_canonical(const char *scheme, const char *text, char ret_text[API_CODE_TEXT],
                        char *ret_detail, size_t detail_room)
{
    if (strcmp(scheme, API_OPAQUE_NAME) == 0)
        return opaque_canonical(text, ret_text, ret_detail, detail_room);
    return r29_canonical(text, ret_text, ret_detail, detail_room);
}

/* The form that only an authority may send: codes that another registry issued. */
static json_t *given_codes(struct api_request *request)
{
    const json_t *given = json_object_get(request->body, "codes");
    json_t *codes = json_array();
    for (size_t i = 0; i < json_array_size(given); i++) {
        char text[API_CODE_TEXT];
        char detail[192];
        char pointer[48];
        if (!api_code_canonical(MICROSTAMP_R29_NAME, json_string_value(json_array_get(given, i)),
                                text, detail, sizeof detail)) {
            (void)snprintf(pointer, sizeof pointer, "/codes/%zu", i);
            api_refuse(request, API_ERROR_CODE_INVALID, pointer, detail);
            break;
        }
        (void)json_array_append_new(codes, json_string(text));
    }
    return codes;
}

static void create_before(struct api_context *context, struct api_request *request)
{
    (void)context;
    json_t *codes;
    if (strcmp(ct_json_string(request->body, "scheme"), MICROSTAMP_R29_NAME) != 0) {
        api_refuse(request, API_ERROR_UNKNOWN_SCHEME, "/scheme",
                   "codes are of scheme " MICROSTAMP_R29_NAME);
        return;
    }
    if (json_object_get(request->body, "codes") != NULL) {
        if ((request->identity.roles >> API_ROLE_AUTHORITY & 1) == 0) {
            api_refuse(request, API_ERROR_FORBIDDEN, NULL,
                       "only an authority enters codes that were issued elsewhere");
            return;
        }
        codes = given_codes(request);
    } else {
        size_t count = (size_t)json_integer_value(json_object_get(request->body, "count"));
        codes = draw_codes(count + (count / 10 > 16 ? count / 10 : 16));
    }
    request->input = json_pack("{s:o}", "codes", codes);
    if (request->input == NULL)
        api_refuse(request, API_ERROR_INTERNAL, NULL, "out of memory");
}

const struct api_handler api_code_blocks_create = {
    .before = create_before,
    .start = api_generic_start,
    .finish = api_generic_finish,
    .bulk = true,
};
