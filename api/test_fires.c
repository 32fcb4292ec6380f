// SPDX-License-Identifier: Apache-2.0
#include "api/comparisons.h"
#include "api/vocabulary.h"

#include <string.h>

/* Dates compare as text, YYYY-MM-DD. */
bool api_comparison_installed(const struct api_comparison *comparison, const json_t *mark)
{
    const char *from = ct_json_string(mark, "valid_from");
    const char *to = ct_json_string(mark, "valid_to");
    return from != NULL && strcmp(from, comparison->incident_to) <= 0 &&
           (to == NULL || strcmp(to, comparison->incident_from) >= 0);
}

/* A character as written down, not folded: '?' where none, or more than one, was written. False:
 * nothing that could be learned from. */
static bool plain_reading(const json_t *mark, size_t length, char ret_text[MICROSTAMP_TEXT])
{
    struct microstamp_observation seen;
    const char *reading = ct_json_string(mark, "reading");
    bool any = false;
    if (reading == NULL || json_object_get(mark, "orientation") != NULL ||
        json_object_get(mark, "rows") != NULL ||
        microstamp_observation_parse(MICROSTAMP_OPAQUE, reading, strlen(reading), &seen, NULL) !=
            MICROSTAMP_OK ||
        seen.length != length)
        return false;
    for (size_t i = 0; i < length; i++) {
        bool one = seen.position[i].read && __builtin_popcountll(seen.position[i].set) == 1;
        any = any || one;
        ret_text[i] = one ? microstamp_character(MICROSTAMP_OPAQUE,
                                                 (unsigned)__builtin_ctzll(seen.position[i].set))
                          : '?';
    }
    ret_text[length] = '\0';
    return any;
}

/* The one code that the firearm bore where the mark was read; NULL when that is not certain. */
static const char *true_code(const struct api_comparison *comparison, const json_t *read)
{
    const char *placement = ct_json_string(read, "placement");
    const char *scheme = ct_json_string(read, "scheme");
    const char *code = NULL;
    size_t index;
    json_t *mark;
    if (placement == NULL)
        return NULL;
    json_array_foreach(comparison->marks, index, mark)
    {
        char folded[2][64];
        api_fold_word(placement, folded[0], sizeof folded[0]);
        api_fold_word(ct_json_string(mark, "placement"), folded[1], sizeof folded[1]);
        if (!api_comparison_installed(comparison, mark) || strcmp(folded[0], folded[1]) != 0 ||
            (scheme != NULL && strcmp(scheme, ct_json_string(mark, "scheme")) != 0))
            continue;
        if (code != NULL)
            return NULL;
        code = ct_json_string(mark, "word");
    }
    return code;
}

/* Readings of test fires, of all requests: one array for each column. */
struct fired {
    struct store_params *params;
    enum { FIRED_PLACE, FIRED_SPECIMEN, FIRED_MARK, FIRED_CODE, FIRED_READING } column;
};

static void add_fired(const struct fired *fired, size_t place, size_t specimen, size_t mark,
                      const char *code, const char *reading)
{
    switch (fired->column) {
    case FIRED_PLACE:
        store_element_int(fired->params, (int32_t)place);
        break;
    case FIRED_SPECIMEN:
        store_element_int(fired->params, (int32_t)specimen);
        break;
    case FIRED_MARK:
        store_element_int(fired->params, (int32_t)mark);
        break;
    case FIRED_CODE:
        store_element_text(fired->params, code);
        break;
    case FIRED_READING:
        store_element_text(fired->params, reading);
        break;
    }
}

static void add_fired_of(const struct fired *fired, const struct api_request *request, size_t place)
{
    const struct api_comparison *comparison = api_comparison_of(request);
    size_t specimen_number;
    json_t *specimen;
    json_array_foreach(json_object_get(request->body, "specimens"), specimen_number, specimen)
    {
        size_t mark_number;
        json_t *mark;
        /* What was read in casework is never learned from: nobody knows what it should have been.
         */
        if (strcmp(ct_json_string(specimen, "kind"), "test_fire") != 0)
            continue;
        json_array_foreach(json_object_get(specimen, "marks"), mark_number, mark)
        {
            char reading[MICROSTAMP_TEXT];
            const char *code = true_code(comparison, mark);
            if (code != NULL && plain_reading(mark, strlen(code), reading))
                add_fired(fired, place, specimen_number, mark_number, code, reading);
        }
    }
}

void api_test_fires_add(struct store_params *params, struct api_request *const *requests,
                        size_t count)
{
    for (int column = FIRED_PLACE; column <= FIRED_READING; column++) {
        struct fired fired = {.params = params};
        fired.column = column;
        store_array_open(params, column < FIRED_CODE ? STORE_INT : STORE_TEXT);
        for (size_t i = 0; i < count; i++)
            add_fired_of(&fired, requests[i], i + 1);
        store_array_close(params);
    }
}
