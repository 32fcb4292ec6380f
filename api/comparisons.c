// SPDX-License-Identifier: Apache-2.0
#include "api/api.h"
#include "api/codes.h"
#include "api/comparisons.h"
#include "api/vocabulary.h"

#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Does what was read fit a firearm that is known? The answer must not tell its code, to somebody
 * who sends reading after reading. So it is one number, in steps of half a decade and not told
 * below 1, of readings worth three characters at least; and there are only so many a day. */

#define RECENT_MAX 20 /* of one organization with one firearm in 24 hours */
#define LOOKUPS_MAX 1 /* none is made: only sums over all codes are needed */
#define CHARACTERS_MIN 3.0
#define SUPPORTS_MIN 10.0
#define SHOWN_BELOW_ONE 0.1
#define MARKS_OF_FIREARM_MAX 64

static void comparison_free(void *own)
{
    struct api_comparison *comparison = own;
    api_examination_return(comparison->examinations, comparison->examination);
    api_specimens_free(&comparison->specimens);
    json_decref(comparison->marks);
    free(comparison->recorded);
    free(comparison);
}

/* ---- before: what was read ------------------------------------------------------------------- */

static void note_asked(struct api_request *request)
{
    struct ct_buf asked;
    ct_buf_init(&asked, API_SUBJECT_MAX);
    ct_json_write_open(&asked, NULL, '{');
    ct_json_write_json(&asked, "firearm", json_object_get(request->body, "firearm"));
    ct_json_write_json(&asked, "specimens", json_object_get(request->body, "specimens"));
    ct_json_write_text(&asked, "offense", ct_json_string(request->body, "offense"));
    ct_json_write_close(&asked, '}');
    request->asked = ct_json_write_end(&asked);
    if (request->asked == NULL)
        api_refuse(request, API_ERROR_INTERNAL, NULL, "out of memory");
}

static int unread_of(const struct api_specimens *specimens)
{
    int most = 0;
    for (unsigned i = 0; i < specimens->mark_count; i++) {
        const struct api_mark *mark = &specimens->mark[i];
        const struct microstamp_observation *seen = mark->has_r29 ? &mark->r29 : &mark->opaque;
        int unread = 0;
        for (unsigned p = 0; p < seen->length; p++)
            unread += !seen->position[p].read;
        most = unread > most ? unread : most;
    }
    return most;
}

static enum ct_status examine(const struct api_context *context, struct api_comparison *comparison)
{
    const struct api_specimens *specimens = &comparison->specimens;
    const struct microstamp_lookup *lookups;
    size_t lookup_count;
    if (api_specimens_examine(context, specimens, comparison->examination) != CT_OK)
        return CT_NO_MEMORY;
    /* The question is about one firearm, so they are of one. */
    for (unsigned i = 1; i < specimens->specimen_count; i++)
        microstamp_examination_link(comparison->examination, 0, i);
    return microstamp_examination_plan(comparison->examination, LOOKUPS_MAX, &lookups,
                                       &lookup_count) == MICROSTAMP_OK
               ? CT_OK
               : CT_NO_MEMORY;
}

static void read_request(struct api_context *context, struct api_request *request,
                         struct api_comparison *comparison)
{
    const json_t *specimens = json_object_get(request->body, "specimens");
    api_occasion_read(request, &comparison->incident_from, &comparison->incident_to);
    note_asked(request);
    if (api_specimens_read(context, request, specimens, &comparison->specimens) &&
        examine(context, comparison) != CT_OK)
        api_refuse(request, API_ERROR_INTERNAL, NULL, "out of memory");
    request->unread = unread_of(&comparison->specimens);
}

static void create_before(struct api_context *context, struct api_request *request)
{
    struct api_comparison *comparison = calloc(1, sizeof *comparison);
    if (comparison == NULL) {
        api_refuse(request, API_ERROR_INTERNAL, NULL, "out of memory");
        return;
    }
    request->own = comparison;
    request->own_free = comparison_free;
    comparison->examinations = &context->examinations;
    comparison->examination = api_examination_take(&context->examinations);
    if (comparison->examination == NULL) {
        api_refuse(request, API_ERROR_INTERNAL, NULL, "out of memory");
        return;
    }
    randombytes_buf(comparison->id, sizeof comparison->id);
    read_request(context, request, comparison);
}

/* ---- start: the firearms --------------------------------------------------------------------- */

static enum ct_status create_start(struct api_context *context, struct store *store,
                                   const uint8_t batch[CT_UUID_BYTES],
                                   struct api_request **requests, size_t count)
{
    (void)context;
    (void)batch;
    struct store_params params;
    enum ct_status status = CT_OK;
    store_params_init(&params);
    store_array_open(&params, STORE_UUID);
    for (size_t i = 0; i < count; i++)
        store_element_bytes(&params, requests[i]->identity.organization, CT_UUID_BYTES);
    store_array_close(&params);
    store_array_open(&params, STORE_JSONB);
    for (size_t i = 0; i < count && status == CT_OK; i++) {
        char *text = ct_json_text(json_object_get(requests[i]->body, "firearm"));
        if (text == NULL)
            status = CT_NO_MEMORY;
        else
            store_element_jsonb(&params, text);
        free(text);
    }
    store_array_close(&params);
    if (status == CT_OK)
        status = store_queue(store, API_SQL_comparison_lookup, &params);
    store_params_free(&params);
    return status;
}

/* ---- finish: how well it fits ---------------------------------------------------------------- */

enum column {
    COLUMN_LOOKUP,
    COLUMN_FOUND,
    COLUMN_CHOICES,
    COLUMN_FIREARM,
    COLUMN_CALIBER,
    COLUMN_SERIAL,
    COLUMN_SHIPPED_ON,
    COLUMN_MARKS,
    COLUMN_RECENT,
};

static enum microstamp_alphabet alphabet_of(const json_t *mark)
{
    const char *scheme = ct_json_string(mark, "scheme");
    return scheme != NULL && strcmp(scheme, API_OPAQUE_NAME) == 0 ? MICROSTAMP_OPAQUE
                                                                  : MICROSTAMP_R29;
}

static size_t recorded_marks(struct api_comparison *comparison,
                             struct microstamp_recorded ret[MARKS_OF_FIREARM_MAX])
{
    size_t count = 0;
    size_t index;
    json_t *mark;
    json_array_foreach(comparison->marks, index, mark)
    {
        if (count == MARKS_OF_FIREARM_MAX)
            break;
        ret[count++] = (struct microstamp_recorded){
            .placement =
                api_specimens_number(&comparison->specimens, ct_json_string(mark, "placement")),
            .alphabet = alphabet_of(mark),
            .code = ct_json_string(mark, "word"),
            .factor =
                api_comparison_installed(comparison, mark) ? 1.0 : MICROSTAMP_FACTOR_NOT_INSTALLED,
        };
    }
    return count;
}

static void add_flag(json_t *flags, const char *code, unsigned specimen, int mark,
                     const char *detail)
{
    json_t *flag =
        json_pack("{s:s, s:i, s:s}", "code", code, "specimen", (int)specimen, "detail", detail);
    if (flag != NULL && mark >= 0)
        (void)json_object_set_new(flag, "mark", json_integer(mark));
    (void)json_array_append_new(flags, flag);
}

/* Of records alone; nothing here depends on what was read. */
static void judge_records(const struct api_context *context, struct api_comparison *comparison,
                          const struct store_result *result, size_t row,
                          const struct microstamp_recorded *recorded, size_t recorded_count,
                          struct microstamp_candidate *candidate, json_t *flags)
{
    char shipped[STORE_DATE_TEXT];
    const struct api_specimens *specimens = &comparison->specimens;
    const char *caliber = store_get_text(result, row, COLUMN_CALIBER);
    store_get_date(result, row, COLUMN_SHIPPED_ON, shipped);
    bool not_shipped = strcmp(shipped, comparison->incident_to) > 0;
    for (unsigned i = 0; i < MICROSTAMP_SPECIMENS_MAX; i++)
        candidate->factor[i] = 1.0;
    for (unsigned i = 0; i < specimens->specimen_count; i++) {
        const char *written = specimens->specimen[i].caliber;
        if (not_shipped) {
            candidate->factor[i] *= MICROSTAMP_FACTOR_NOT_SHIPPED;
            add_flag(flags, "not_yet_made", i, -1, "it was shipped after the incident");
        }
        if (written != NULL && caliber != NULL &&
            !api_vocabulary_same(context->calibers, written, caliber)) {
            candidate->factor[i] *= MICROSTAMP_FACTOR_CALIBER;
            add_flag(flags, "caliber_mismatch", i, -1,
                     "the specimen's caliber is not the one recorded");
        }
    }
    for (unsigned i = 0; i < specimens->mark_count; i++) {
        const struct api_mark *read = &specimens->mark[i];
        bool any = false;
        bool installed = false;
        for (size_t k = 0; k < recorded_count; k++) {
            if (read->placement != MICROSTAMP_PLACEMENT_UNKNOWN &&
                recorded[k].placement != read->placement)
                continue;
            any = true;
            installed = installed || recorded[k].factor >= 1.0;
        }
        if (any && !installed)
            add_flag(flags, "part_replaced", read->specimen, (int)read->number,
                     "no mark at its place is recorded as installed at the incident");
    }
}

/* 1, 3, 10, 30, …; what is below 1 is not told apart. */
static double shown_ratio(double ratio)
{
    double halves = ratio > 0 ? round(2.0 * log10(ratio)) : -1.0;
    if (halves < 0)
        return SHOWN_BELOW_ONE;
    double power = pow(10.0, floor(halves / 2.0));
    return fmod(halves, 2.0) > 0.5 ? 3.0 * power : power;
}

static bool write_answer(const struct api_context *context, struct api_request *request,
                         const struct microstamp_group *group, json_t *flags_take)
{
    struct api_comparison *comparison = api_comparison_of(request);
    char id[CT_ID_TEXT];
    char firearm[CT_ID_TEXT];
    bool enough = group != NULL && group->ranked_count > 0 &&
                  group->ranking.reading_characters >= CHARACTERS_MIN;
    double ratio = enough ? shown_ratio(group->ranked[0].ratio) : 0;
    /* Of what is shown, so that it says no more than that. */
    double characters = ratio > 1.0 ? round(10.0 * log(ratio) / log(MICROSTAMP_R29_SIZE)) / 10 : 0;
    comparison->state = !enough                 ? "insufficient"
                        : ratio >= SUPPORTS_MIN ? "supports"
                        : ratio >= 1.0          ? "neutral"
                                                : "against";
    ct_id_format("cmp", comparison->id, id);
    ct_id_format("frm", comparison->firearm, firearm);
    request->answer = json_pack(
        "{s:s, s:s, s:{s:s}, s:o, s:o, s:o, s:{s:s, s:s}}", "id", id, "state", comparison->state,
        "firearm", "id", firearm, "likelihood_ratio", enough ? json_real(ratio) : json_null(),
        "effective_characters", enough ? json_real(characters) : json_null(), "flags", flags_take,
        "method", "matrix", microstamp_matrix_name(context->matrix), "software", API_SOFTWARE);
    comparison->recorded = request->answer == NULL ? NULL : ct_json_text(request->answer);
    json_t *touched = json_pack("{s:s, s:s}", "comparison", id, "firearm", firearm);
    request->touched = touched == NULL ? NULL : ct_json_text(touched);
    json_decref(touched);
    /* Whether it fits or not tells of the code what a candidate that is shown, or is not, does. */
    request->told = enough ? calloc(1, sizeof *request->told) : NULL;
    if (enough && request->told == NULL)
        return false;
    if (enough) {
        memcpy(request->told->firearm, comparison->firearm, CT_UUID_BYTES);
        request->told->times = 1;
        request->told_count = 1;
    }
    /* For budgets a reading that does not fit is a guess that failed, as in a trace. */
    request->state = ratio < 1.0 && enough ? "no_match" : comparison->state;
    return comparison->recorded != NULL && request->touched != NULL;
}

static enum ct_status compare(const struct api_context *context, struct api_request *request,
                              const struct store_result *result, size_t row)
{
    struct api_comparison *comparison = api_comparison_of(request);
    struct microstamp_recorded recorded[MARKS_OF_FIREARM_MAX];
    struct microstamp_candidate candidate = {.mark = recorded};
    const struct microstamp_group *group;
    size_t group_count = 0;
    const char *marks = store_get_jsonb(result, row, COLUMN_MARKS);
    json_t *flags = json_array();
    memcpy(comparison->firearm, store_get_uuid(result, row, COLUMN_FIREARM), CT_UUID_BYTES);
    comparison->marks = marks == NULL ? json_array() : json_loads(marks, 0, NULL);
    if (comparison->marks == NULL || flags == NULL) {
        json_decref(flags);
        return CT_NO_MEMORY;
    }
    candidate.mark_count = recorded_marks(comparison, recorded);
    judge_records(context, comparison, result, row, recorded, candidate.mark_count, &candidate,
                  flags);
    if (microstamp_examination_resolve(comparison->examination, &candidate, 1) != MICROSTAMP_OK) {
        json_decref(flags);
        return CT_NO_MEMORY;
    }
    group = microstamp_examination_groups(comparison->examination, &group_count);
    return write_answer(context, request, group_count == 0 ? NULL : group, flags) ? CT_OK
                                                                                  : CT_NO_MEMORY;
}

static enum ct_status answer_one(const struct api_context *context, struct api_request *request,
                                 const struct store_result *result, size_t row)
{
    int32_t found = store_get_int(result, row, COLUMN_FOUND);
    const char *choices = store_get_jsonb(result, row, COLUMN_CHOICES);
    if (found == 0) {
        api_refuse(request, API_ERROR_NOT_FOUND, "/firearm", "no such firearm is registered");
    } else if (found > 1) {
        api_refuse(request, API_ERROR_AMBIGUOUS, NULL, "more than one firearm fits");
        json_t *errors = choices == NULL ? NULL : json_loads(choices, 0, NULL);
        if (errors != NULL)
            (void)json_object_set_new(request->answer, "errors", errors);
    } else if (store_get_int(result, row, COLUMN_RECENT) >= RECENT_MAX) {
        api_refuse(request, API_ERROR_COMPARISON_LIMIT, "/firearm",
                   "20 comparisons with one firearm in 24 hours");
    } else {
        return compare(context, request, result, row);
    }
    return CT_OK;
}

static enum ct_status create_finish(struct api_context *context, struct store *store,
                                    struct api_request **requests, size_t count,
                                    const struct store_result *result, struct ct_error *err)
{
    (void)store;
    enum ct_status status = CT_OK;
    if (store_rows(result) != count) {
        ct_error_set(err, "comparison_lookup answered %zu of %zu requests", store_rows(result),
                     count);
        return CT_DB;
    }
    for (size_t row = 0; row < count && status == CT_OK; row++) {
        size_t place = (size_t)store_get_int(result, row, COLUMN_LOOKUP) - 1;
        if (place < count)
            status = answer_one(context, requests[place], result, row);
    }
    return status;
}

/* ---- record ------------------------------------------------------------------------------------
 */

static enum ct_status create_record(struct api_context *context, struct store *store,
                                    const uint8_t batch[CT_UUID_BYTES],
                                    struct api_request **requests, size_t count, bool *ret_queued)
{
    (void)context;
    struct store_params params;
    struct api_request *done[256]; /* of a batch; a request that was refused is not recorded */
    size_t done_count = 0;
    for (size_t i = 0; i < count && done_count < CT_ARRAY_LENGTH(done); i++) {
        if (requests[i]->error == API_ERROR_NONE)
            done[done_count++] = requests[i];
    }
    if (done_count == 0)
        return CT_OK;
    store_params_init(&params);
    store_param_uuid(&params, batch);
    api_add_ordinals(&params, done, done_count);
    store_array_open(&params, STORE_UUID);
    for (size_t i = 0; i < done_count; i++)
        store_element_bytes(&params, api_comparison_of(done[i])->id, CT_UUID_BYTES);
    store_array_close(&params);
    api_add_askers(&params, done, done_count);
    store_array_open(&params, STORE_UUID);
    for (size_t i = 0; i < done_count; i++)
        store_element_bytes(&params, api_comparison_of(done[i])->firearm, CT_UUID_BYTES);
    store_array_close(&params);
    store_array_open(&params, STORE_TEXT);
    for (size_t i = 0; i < done_count; i++)
        store_element_text(&params, api_comparison_of(done[i])->state);
    store_array_close(&params);
    store_array_open(&params, STORE_INT);
    for (size_t i = 0; i < done_count; i++)
        store_element_int(&params, done[i]->unread);
    store_array_close(&params);
    store_array_open(&params, STORE_TEXT);
    for (size_t i = 0; i < done_count; i++)
        store_element_text(&params, done[i]->case_number);
    store_array_close(&params);
    store_array_open(&params, STORE_TEXT);
    for (size_t i = 0; i < done_count; i++)
        store_element_bytes(&params, done[i]->sent, done[i]->sent_length);
    store_array_close(&params);
    store_array_open(&params, STORE_TEXT);
    for (size_t i = 0; i < done_count; i++)
        store_element_text(&params, api_comparison_of(done[i])->recorded);
    store_array_close(&params);
    api_test_fires_add(&params, done, done_count);
    enum ct_status status = store_queue(store, API_SQL_comparison_record, &params);
    store_params_free(&params);
    *ret_queued = status == CT_OK;
    return status;
}

/* ---- render ------------------------------------------------------------------------------------
 */

static json_t *with_receipt(struct api_context *context, struct api_request *request,
                            const struct api_receipt *receipt)
{
    (void)context;
    json_t *answer = json_copy(request->answer);
    if (answer != NULL)
        (void)json_object_set_new(answer, "receipt",
                                  json_pack("{s:I, s:s}", "entry", (json_int_t)receipt->entry,
                                            "tlog_proof", receipt->proof));
    return answer;
}

const struct api_handler api_comparisons_create = {
    .before = create_before,
    .start = create_start,
    .finish = create_finish,
    .record = create_record,
    .render = with_receipt,
};

const struct api_handler api_comparisons_get = {
    .start = api_generic_start,
    .finish = api_generic_finish,
    .render = with_receipt,
};
