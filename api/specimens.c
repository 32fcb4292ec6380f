// SPDX-License-Identifier: Apache-2.0
#include "api/specimens.h"

#include "api/vocabulary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPAQUE_NAME "opaque"

/* Where in the request we are. */
struct place {
    struct api_request *request;
    const struct api_context *context;
    unsigned specimen;
    unsigned mark;
};

static bool refuse(const struct place *place, enum api_error error, const char *field,
                   const char *detail)
{
    char pointer[128];
    (void)snprintf(pointer, sizeof pointer, "/specimens/%u/marks/%u%s", place->specimen,
                   place->mark, field);
    api_refuse(place->request, error, pointer, detail);
    return false;
}

static bool refuse_text(const struct place *place, const char *field,
                        const struct microstamp_error *where)
{
    char detail[192];
    (void)snprintf(detail, sizeof detail, "at character %zu: %s", where->offset + 1, where->text);
    return refuse(place, API_ERROR_READING_INVALID, field, detail);
}

void api_occasion_read(struct api_request *request, const char **ret_from, const char **ret_to)
{
    const json_t *incident = json_object_get(request->body, "incident");
    request->case_number = ct_json_string(request->body, "case_number");
    request->purpose = ct_json_string(request->body, "purpose");
    *ret_from = ct_json_string(incident, "from");
    *ret_to = ct_json_string(incident, "to");
    if (strcmp(request->purpose, "C") != 0)
        api_refuse(request, API_ERROR_PURPOSE_REFUSED, "/purpose",
                   "expected C: casings are traced and compared for criminal justice only");
    else if (strcmp(*ret_from, *ret_to) > 0)
        api_refuse(request, API_ERROR_DATE_OUT_OF_ORDER, "/incident/to",
                   "the incident ends before it begins");
}

/* ---- one mark in one scheme ------------------------------------------------------------------ */

static bool read_position(const struct place *place, size_t position, json_t *weights,
                          struct microstamp_observation *observation)
{
    char characters[MICROSTAMP_SYMBOLS_MAX];
    double weight[MICROSTAMP_SYMBOLS_MAX];
    struct microstamp_error where;
    const char *name;
    json_t *value;
    size_t count = 0;
    json_object_foreach(weights, name, value)
    {
        if (count == MICROSTAMP_SYMBOLS_MAX)
            break; /* the contract has no more members */
        characters[count] = name[0];
        weight[count++] = json_number_value(value);
    }
    if (microstamp_observation_weigh(observation, (unsigned)position, characters, weight, count,
                                     &where) == MICROSTAMP_OK)
        return true;
    char field[64];
    if (where.offset < count)
        (void)snprintf(field, sizeof field, "/positions/%zu/%c", position,
                       characters[where.offset]);
    else
        (void)snprintf(field, sizeof field, "/positions/%zu", position);
    return refuse(place, API_ERROR_READING_INVALID, field, where.text);
}

static bool read_characters(const struct place *place, const json_t *mark,
                            enum microstamp_alphabet alphabet, size_t position_count,
                            struct microstamp_observation *ret)
{
    const char *reading = ct_json_string(mark, "reading");
    const json_t *positions = json_object_get(mark, "positions");
    struct microstamp_error where;
    size_t position;
    json_t *weights;
    if (reading != NULL) {
        if (microstamp_observation_parse(alphabet, reading, strlen(reading), ret, &where) ==
            MICROSTAMP_OK)
            return true;
        return refuse_text(place, "/reading", &where);
    }
    microstamp_observation_clear(alphabet, (unsigned)position_count, ret);
    json_array_foreach(positions, position, weights)
    {
        if (!read_position(place, position, weights, ret))
            return false;
    }
    return true;
}

static bool is_unknown(const json_t *mark, const char *member)
{
    const char *value = ct_json_string(mark, member);
    return value != NULL && strcmp(value, "unknown") == 0;
}

static bool read_scheme(const struct place *place, const json_t *mark,
                        enum microstamp_alphabet alphabet, size_t position_count,
                        struct microstamp_observation *ret)
{
    const char *gear = ct_json_string(mark, "gear");
    struct microstamp_error where;
    if (!read_characters(place, mark, alphabet, position_count, ret))
        return false;
    if (gear != NULL &&
        microstamp_observation_gear(ret, gear, strlen(gear), &where) != MICROSTAMP_OK)
        return refuse_text(place, "/gear", &where);
    ret->gear_index_unknown = ret->has_gear && is_unknown(mark, "gear_index");
    ret->orientation_unknown = is_unknown(mark, "orientation");
    ret->rows_unknown = is_unknown(mark, "rows");
    if (ret->rows_unknown && ret->length != MICROSTAMP_R29_LENGTH)
        return refuse(place, API_ERROR_READING_INVALID, "/rows",
                      "expected 8 positions, two rows of four");
    return true;
}

/* ---- one mark -------------------------------------------------------------------------------- */

/* How many positions a reading has, without looking at what they are. */
static size_t count_positions(const char *reading)
{
    size_t count = 0;
    bool in_choice = false;
    for (; *reading != '\0'; reading++) {
        if (*reading == '[')
            in_choice = true;
        else if (*reading == ']')
            in_choice = false;
        if (!in_choice && *reading != ' ' && *reading != '-')
            count++;
    }
    return count;
}

/* Which schemes to read the mark in. Without a scheme: every one of its length of which codes are
 * registered; R29-8 where there is none, so that a refusal speaks of it. */
static bool choose_schemes(const struct place *place, const json_t *mark, struct api_mark *ret,
                           size_t *ret_positions)
{
    const char *scheme = ct_json_string(mark, "scheme");
    const char *reading = ct_json_string(mark, "reading");
    const json_t *positions = json_object_get(mark, "positions");
    const char *condition = ct_json_string(mark, "condition");
    size_t count = MICROSTAMP_R29_LENGTH;
    bool nothing = reading == NULL && positions == NULL;
    if (reading != NULL && positions != NULL)
        return refuse(place, API_ERROR_READING_INVALID, "/positions",
                      "expected a reading or positions, not both");
    if (nothing && json_object_get(mark, "gear") == NULL &&
        (condition == NULL ||
         (strcmp(condition, "defaced") != 0 && strcmp(condition, "absent") != 0)))
        return refuse(place, API_ERROR_READING_INVALID, "/reading",
                      "expected what was read: a reading, positions or gear");
    if (reading != NULL)
        count = count_positions(reading);
    else if (positions != NULL)
        count = json_array_size(positions);
    bool possible = count >= MICROSTAMP_LENGTH_MIN && count <= MICROSTAMP_LENGTH_MAX;
    bool opaque_known = possible && !nothing && place->context->registry.opaque[count] > 0;
    *ret_positions = count;
    if (scheme == NULL) {
        ret->has_opaque = opaque_known && json_object_get(mark, "gear") == NULL;
        ret->has_r29 = count == MICROSTAMP_R29_LENGTH || !ret->has_opaque;
    } else {
        ret->has_r29 = strcmp(scheme, MICROSTAMP_R29_NAME) == 0;
        ret->has_opaque = strcmp(scheme, OPAQUE_NAME) == 0;
        if (!ret->has_r29 && !ret->has_opaque)
            return refuse(place, API_ERROR_UNKNOWN_SCHEME, "/scheme",
                          "expected " MICROSTAMP_R29_NAME " or " OPAQUE_NAME);
    }
    if (positions != NULL && ret->has_r29 && count != MICROSTAMP_R29_LENGTH)
        return refuse(place, API_ERROR_READING_INVALID, "/positions", "expected 8 positions");
    return true;
}

static bool read_placement(const struct place *place, const json_t *mark,
                           struct api_specimens *specimens, struct api_mark *ret)
{
    const char *written = ct_json_string(mark, "placement");
    ret->placement = MICROSTAMP_PLACEMENT_UNKNOWN;
    if (written == NULL)
        return true;
    const char *word = api_vocabulary_word(place->context->placements, written);
    if (word == NULL)
        return refuse(place, API_ERROR_UNKNOWN_WORD, "/placement",
                      "expected a word of the vocabulary placement");
    ret->placement = api_specimens_number(specimens, word);
    return true;
}

static bool read_mark(const struct place *place, const json_t *mark,
                      struct api_specimens *specimens, struct api_mark *ret)
{
    size_t positions = 0;
    ret->specimen = place->specimen;
    ret->number = place->mark;
    return read_placement(place, mark, specimens, ret) &&
           choose_schemes(place, mark, ret, &positions) &&
           (!ret->has_r29 || read_scheme(place, mark, MICROSTAMP_R29, positions, &ret->r29)) &&
           (!ret->has_opaque ||
            read_scheme(place, mark, MICROSTAMP_OPAQUE, positions, &ret->opaque));
}

/* ---- all of them ----------------------------------------------------------------------------- */

static bool read_serial(const struct place *place, const char *pattern, struct api_specimen *ret)
{
    struct microstamp_error where;
    char pointer[64];
    char detail[192];
    (void)snprintf(pointer, sizeof pointer, "/specimens/%u/serial_pattern", place->specimen);
    if (!ret->is_part) {
        api_refuse(place->request, API_ERROR_READING_INVALID, pointer,
                   "only a part has a serial number");
        return false;
    }
    if (microstamp_serial_parse(pattern, strlen(pattern), &ret->serial, &where) == MICROSTAMP_OK) {
        ret->has_serial = true;
        return true;
    }
    (void)snprintf(detail, sizeof detail, "at character %zu: %s", where.offset + 1, where.text);
    api_refuse(place->request, API_ERROR_READING_INVALID, pointer, detail);
    return false;
}

static bool read_specimen(struct place *place, const json_t *specimen,
                          struct api_specimens *specimens)
{
    struct api_specimen *ret = &specimens->specimen[place->specimen];
    const char *pattern = ct_json_string(specimen, "serial_pattern");
    const json_t *marks = json_object_get(specimen, "marks");
    size_t number;
    json_t *mark;
    ret->exhibit = ct_json_string(specimen, "exhibit");
    ret->caliber = ct_json_string(specimen, "caliber");
    ret->nibin_hit = ct_json_string(specimen, "nibin_hit");
    ret->is_part = strcmp(ct_json_string(specimen, "kind"), "part") == 0;
    if (pattern != NULL && !read_serial(place, pattern, ret))
        return false;
    json_array_foreach(marks, number, mark)
    {
        place->mark = (unsigned)number;
        if (!read_mark(place, mark, specimens, &specimens->mark[specimens->mark_count]))
            return false;
        specimens->mark_count++;
    }
    return true;
}

bool api_specimens_read(const struct api_context *context, struct api_request *request,
                        const json_t *specimens, struct api_specimens *ret)
{
    struct place place = {.request = request, .context = context};
    size_t number;
    size_t marks = 0;
    json_t *specimen;
    json_array_foreach(specimens, number, specimen)
    {
        marks += json_array_size(json_object_get(specimen, "marks"));
    }
    if (marks > MICROSTAMP_MARKS_MAX) {
        api_refuse(request, API_ERROR_READING_INVALID, "/specimens", "expected at most 32 marks");
        return false;
    }
    ret->mark = calloc(marks + 1, sizeof *ret->mark);
    if (ret->mark == NULL) {
        api_refuse(request, API_ERROR_INTERNAL, NULL, "out of memory");
        return false;
    }
    json_array_foreach(specimens, number, specimen)
    {
        place.specimen = (unsigned)number;
        ret->specimen_count = (unsigned)number + 1;
        if (!read_specimen(&place, specimen, ret))
            return false;
    }
    return true;
}

enum ct_status api_specimens_examine(const struct api_context *context,
                                     const struct api_specimens *specimens,
                                     struct microstamp_examination *examination)
{
    microstamp_examination_begin(examination, context->matrix, &context->registry);
    for (unsigned i = 0; i < specimens->mark_count; i++) {
        const struct api_mark *read = &specimens->mark[i];
        const struct microstamp_mark mark = {
            .specimen = read->specimen,
            .placement = read->placement,
            .r29 = read->has_r29 ? &read->r29 : NULL,
            .opaque = read->has_opaque ? &read->opaque : NULL,
        };
        if (microstamp_examination_add(examination, &mark) != MICROSTAMP_OK)
            return CT_NO_MEMORY;
    }
    return CT_OK;
}

void api_specimens_free(struct api_specimens *specimens)
{
    free(specimens->mark);
    specimens->mark = NULL;
}

int api_specimens_number(struct api_specimens *specimens, const char *placement)
{
    if (placement == NULL)
        return MICROSTAMP_PLACEMENT_UNKNOWN;
    for (unsigned i = 0; i < specimens->placement_count; i++) {
        if (strcmp(specimens->placement[i], placement) == 0)
            return (int)i;
    }
    if (specimens->placement_count == API_PLACEMENTS_MAX)
        return API_PLACEMENTS_MAX; /* more than the vocabulary has */
    specimens->placement[specimens->placement_count] = placement;
    return (int)specimens->placement_count++;
}

/* ---- weight ---------------------------------------------------------------------------------- */

static unsigned mark_weight(const json_t *mark)
{
    const char *reading = ct_json_string(mark, "reading");
    const char *scheme = ct_json_string(mark, "scheme");
    struct microstamp_observation observation;
    if (reading == NULL)
        return MICROSTAMP_LOOKUPS_BULK + 1; /* weights and gears: no guess without the work */
    if (strpbrk(reading, "?[") == NULL && !is_unknown(mark, "orientation") &&
        !is_unknown(mark, "rows") && json_object_get(mark, "gear") == NULL)
        return 1;
    enum microstamp_alphabet alphabet =
        scheme != NULL && strcmp(scheme, OPAQUE_NAME) == 0 ? MICROSTAMP_OPAQUE : MICROSTAMP_R29;
    enum microstamp_status status =
        microstamp_observation_parse(alphabet, reading, strlen(reading), &observation, NULL);
    /* Of another length it is of a code that a manufacturer brought. */
    if (status != MICROSTAMP_OK && scheme == NULL)
        status = microstamp_observation_parse(MICROSTAMP_OPAQUE, reading, strlen(reading),
                                              &observation, NULL);
    if (status != MICROSTAMP_OK)
        return 1;
    observation.orientation_unknown = is_unknown(mark, "orientation");
    observation.rows_unknown = is_unknown(mark, "rows");
    return microstamp_observation_lookups(&observation);
}

unsigned api_specimens_weight(const json_t *specimens)
{
    unsigned weight = 0;
    size_t number;
    json_t *specimen;
    json_array_foreach(specimens, number, specimen)
    {
        size_t place;
        json_t *mark;
        json_array_foreach(json_object_get(specimen, "marks"), place, mark)
        {
            weight += mark_weight(mark);
            if (weight > MICROSTAMP_LOOKUPS_BULK)
                return weight;
        }
    }
    return weight == 0 ? 1 : weight;
}
