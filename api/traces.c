// SPDX-License-Identifier: Apache-2.0
#include "api/api.h"
#include "api/exhibits.h"
#include "api/trace_answer.h"

#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Look-ups of one reading. Four unread characters leave 841 words; what a reading leaves beyond
 * this many counts as unlisted, it is not forgotten. */
#define WORDS_MAX 1024
/* An unregistered code is named as a lead only if it explains the reading about as well as the best
 * code does: else the holder of some other block would be named. */
#define LEAD_FACTOR 10
#define MARK_POINTER "/specimens/0/marks/0/"

static void trace_free(void *own)
{
    struct api_trace *trace = own;
    free(trace->words.word);
    free(trace->sealed.bytes);
    free(trace);
}

/* ---- before: the request, and the words to look up ----------------------------------------- */

static json_t *first_of(const json_t *object, const char *member)
{
    return json_array_get(json_object_get(object, member), 0);
}

static void refuse_reading(struct api_request *request, const struct microstamp_error *where)
{
    char detail[192];
    (void)snprintf(detail, sizeof detail, "at character %zu: %s", where->offset + 1, where->text);
    api_refuse(request, API_ERROR_READING_INVALID, MARK_POINTER "reading", detail);
}

static enum ct_status find_words(struct api_context *context, struct api_trace *trace)
{
    struct microstamp_evidence evidence;
    microstamp_evidence_init(context->matrix, &trace->reading, &evidence);
    if (microstamp_words_find(&evidence, WORDS_MAX, &context->words) != MICROSTAMP_OK)
        return CT_NO_MEMORY;
    trace->words = context->words;
    trace->words.search = NULL;
    trace->words.word = malloc((context->words.count + 1) * sizeof *trace->words.word);
    if (trace->words.word == NULL)
        return CT_NO_MEMORY;
    memcpy(trace->words.word, context->words.word,
           context->words.count * sizeof *trace->words.word);
    return CT_OK;
}

static void note_asked(struct api_request *request)
{
    struct ct_buf asked;
    const char *offense = ct_json_string(request->body, "offense");
    ct_buf_init(&asked, API_SUBJECT_MAX);
    ct_json_write_open(&asked, NULL, '{');
    ct_json_write_json(&asked, "specimens", json_object_get(request->body, "specimens"));
    if (offense != NULL)
        ct_json_write_text(&asked, "offense", offense);
    ct_json_write_close(&asked, '}');
    request->asked = ct_json_write_end(&asked);
    if (request->asked == NULL)
        api_refuse(request, API_ERROR_INTERNAL, NULL, "out of memory");
}

static void read_request(struct api_context *context, struct api_request *request,
                         struct api_trace *trace)
{
    const json_t *incident = json_object_get(request->body, "incident");
    const json_t *specimen = first_of(request->body, "specimens");
    const json_t *mark = first_of(specimen, "marks");
    const char *reading = ct_json_string(mark, "reading");
    const char *scheme = ct_json_string(mark, "scheme");
    struct microstamp_error where;

    request->case_number = ct_json_string(request->body, "case_number");
    request->purpose = ct_json_string(request->body, "purpose");
    trace->caliber = ct_json_string(specimen, "caliber");
    trace->incident_from = ct_json_string(incident, "from");
    trace->incident_to = ct_json_string(incident, "to");
    note_asked(request);
    api_exhibits_read(request, json_object_get(request->body, "specimens"));
    if (strcmp(request->purpose, "C") != 0)
        api_refuse(request, API_ERROR_PURPOSE_REFUSED, "/purpose",
                   "a casing trace takes purpose C (criminal justice) only");
    else if (strcmp(trace->incident_from, trace->incident_to) > 0)
        api_refuse(request, API_ERROR_DATE_OUT_OF_ORDER, "/incident/to",
                   "the incident ends before it begins");
    else if (scheme != NULL && strcmp(scheme, MICROSTAMP_R29_NAME) != 0)
        api_refuse(request, API_ERROR_UNKNOWN_SCHEME, MARK_POINTER "scheme",
                   "readings are taken in scheme " MICROSTAMP_R29_NAME);
    else if (microstamp_reading_parse(reading, strlen(reading), &trace->reading, &where) !=
             MICROSTAMP_OK)
        refuse_reading(request, &where);
    else if (find_words(context, trace) != CT_OK)
        api_refuse(request, API_ERROR_INTERNAL, NULL, "out of memory");
}

static void create_before(struct api_context *context, struct api_request *request)
{
    struct api_trace *trace = calloc(1, sizeof *trace);
    if (trace == NULL) {
        api_refuse(request, API_ERROR_INTERNAL, NULL, "out of memory");
        return;
    }
    request->own = trace;
    request->own_free = trace_free;
    randombytes_buf(trace->id, sizeof trace->id);
    ct_id_format("trc", trace->id, trace->id_text);
    read_request(context, request, trace);
}

/* ---- start: one query for all words of the batch -------------------------------------------- */

static enum ct_status create_start(struct api_context *context, struct store *store,
                                   const uint8_t batch[CT_UUID_BYTES],
                                   struct api_request **requests, size_t count)
{
    (void)context;
    (void)batch;
    struct store_params params;
    size_t lookup = 0;
    store_params_init(&params);
    store_array_open(&params, STORE_TEXT);
    for (size_t i = 0; i < count; i++) {
        struct api_trace *trace = requests[i]->own;
        for (size_t w = 0; w < trace->words.count; w++)
            store_element_text(&params, MICROSTAMP_R29_NAME);
    }
    store_array_close(&params);
    store_array_open(&params, STORE_TEXT);
    for (size_t i = 0; i < count; i++) {
        struct api_trace *trace = requests[i]->own;
        char text[MICROSTAMP_R29_LENGTH + 1];
        trace->first_lookup = lookup;
        lookup += trace->words.count;
        for (size_t w = 0; w < trace->words.count; w++) {
            microstamp_r29_canonical(&trace->words.word[w].code, text);
            store_element_text(&params, text);
        }
    }
    store_array_close(&params);
    enum ct_status status = store_queue(store, API_SQL_trace_lookup, &params);
    store_params_free(&params);
    return status;
}

/* ---- finish: what the registry knows, ranked --------------------------------------------------
 */

static bool calibers_equal(const struct api_context *context, const char *a, const char *b)
{
    char folded[2][64];
    const char *names[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        api_fold_word(names[i], folded[i], sizeof folded[i]);
        const char *name = ct_json_string(context->calibers, folded[i]);
        if (name != NULL)
            api_fold_word(name, folded[i], sizeof folded[i]);
    }
    return strcmp(folded[0], folded[1]) == 0;
}

/* Records speak as evidence: what disagrees costs likelihood and raises a flag, and nothing is
 * left out because of it. Dates compare as text, YYYY-MM-DD. */
static void add_hit(const struct api_context *context, const struct api_trace *trace,
                    const struct store_result *result, size_t row, size_t word,
                    struct api_trace_found *found)
{
    char from[STORE_DATE_TEXT];
    char to[STORE_DATE_TEXT];
    char shipped[STORE_DATE_TEXT];
    const char *caliber = store_get_text(result, row, TRACE_CALIBER);
    if (found->count == API_TRACE_HITS_MAX)
        return;
    size_t hit = found->count++;
    store_get_date(result, row, TRACE_VALID_FROM, from);
    store_get_date(result, row, TRACE_VALID_TO, to);
    store_get_date(result, row, TRACE_SHIPPED_ON, shipped);
    found->rows[hit] = row;
    found->caliber_differs[hit] = trace->caliber != NULL && caliber != NULL &&
                                  !calibers_equal(context, trace->caliber, caliber);
    found->not_installed[hit] = strcmp(from, trace->incident_to) > 0 ||
                                (to[0] != '\0' && strcmp(to, trace->incident_from) < 0);
    found->not_shipped[hit] = strcmp(shipped, trace->incident_to) > 0;
    found->hits[hit].word = word;
    found->hits[hit].factor = (found->caliber_differs[hit] ? MICROSTAMP_FACTOR_CALIBER : 1.0) *
                              (found->not_installed[hit] ? MICROSTAMP_FACTOR_NOT_INSTALLED : 1.0) *
                              (found->not_shipped[hit] ? MICROSTAMP_FACTOR_NOT_SHIPPED : 1.0);
}

static void collect(const struct api_context *context, const struct api_trace *trace,
                    const struct store_result *result, const size_t *rows, size_t row_count,
                    struct api_trace_found *found)
{
    found->count = 0;
    found->issued = false;
    for (size_t i = 0; i < row_count; i++) {
        size_t word =
            (size_t)store_get_int(result, rows[i], TRACE_LOOKUP) - 1 - trace->first_lookup;
        if (!store_is_null(result, rows[i], TRACE_FIREARM)) {
            add_hit(context, trace, result, rows[i], word, found);
        } else if (trace->words.word[word].likelihood * LEAD_FACTOR >=
                       trace->words.word[0].likelihood &&
                   (!found->issued || trace->words.word[word].likelihood >
                                          trace->words.word[found->issued_word].likelihood)) {
            found->issued = true;
            found->issued_row = rows[i];
            found->issued_word = word;
        }
    }
    microstamp_rank(&trace->words, found->hits, found->count, fmax(context->registered, 1.0),
                    context->pi0, found->ranked, &found->ranking);
}

/* Rows of one trace are not next to each other: sort their numbers by trace, counting first. */
static enum ct_status create_finish(struct api_context *context, struct store *store,
                                    struct api_request **requests, size_t count,
                                    const struct store_result *result, struct ct_error *err)
{
    (void)store;
    (void)err;
    enum ct_status status = CT_NO_MEMORY;
    size_t row_count = store_rows(result);
    size_t lookups = 0;
    for (size_t i = 0; i < count; i++)
        lookups += ((struct api_trace *)requests[i]->own)->words.count;
    struct api_trace_found *found = context->own;
    size_t *owner = malloc((lookups + 1) * sizeof *owner);
    size_t *starts = calloc(count + 2, sizeof *starts);
    size_t *rows = malloc((row_count + 1) * sizeof *rows);
    if (found == NULL)
        found = context->own = calloc(1, sizeof *found); /* kept: too large to be made every time */
    if (found == NULL || owner == NULL || starts == NULL || rows == NULL)
        goto out;
    for (size_t i = 0; i < count; i++) {
        const struct api_trace *trace = requests[i]->own;
        for (size_t w = 0; w < trace->words.count; w++)
            owner[trace->first_lookup + w] = i;
    }
    for (size_t row = 0; row < row_count; row++)
        starts[owner[store_get_int(result, row, TRACE_LOOKUP) - 1] + 2]++;
    for (size_t i = 2; i < count + 2; i++)
        starts[i] += starts[i - 1];
    for (size_t row = 0; row < row_count; row++)
        rows[starts[owner[store_get_int(result, row, TRACE_LOOKUP) - 1] + 1]++] = row;
    status = CT_OK;
    for (size_t i = 0; i < count && status == CT_OK; i++) {
        collect(context, requests[i]->own, result, rows + starts[i], starts[i + 1] - starts[i],
                found);
        status = api_trace_answer(context, result, requests[i], found);
    }
out:
    free(owner);
    free(starts);
    free(rows);
    return status;
}

/* ---- record ------------------------------------------------------------------------------------
 */

static void add_texts(struct store_params *params, struct api_request **requests, size_t count,
                      const char *(*text_of)(const struct api_request *))
{
    store_array_open(params, STORE_TEXT);
    for (size_t i = 0; i < count; i++)
        store_element_text(params, text_of(requests[i]));
    store_array_close(params);
}

static const char *case_number_of(const struct api_request *request)
{
    return request->case_number;
}

static const char *purpose_of(const struct api_request *request)
{
    return request->purpose;
}

static const char *urgency_of(const struct api_request *request)
{
    const char *urgency = ct_json_string(request->body, "urgency");
    return urgency == NULL ? "routine" : urgency;
}

static const char *exhibit_of(const struct api_request *request)
{
    const json_t *specimen = first_of(request->body, "specimens");
    return ct_json_string(specimen, "exhibit");
}

static const char *state_of(const struct api_request *request)
{
    return ((const struct api_trace *)request->own)->state;
}

static enum ct_status create_record(struct api_context *context, struct store *store,
                                    const uint8_t batch[CT_UUID_BYTES],
                                    struct api_request **requests, size_t count, bool *ret_queued)
{
    (void)context;
    struct store_params params;
    enum ct_status status;
    store_params_init(&params);
    store_param_uuid(&params, batch);
    store_array_open(&params, STORE_INT);
    for (size_t i = 0; i < count; i++)
        store_element_int(&params, (int32_t)requests[i]->ordinal);
    store_array_close(&params);
    store_array_open(&params, STORE_UUID);
    for (size_t i = 0; i < count; i++)
        store_element_bytes(&params, requests[i]->resource, CT_UUID_BYTES);
    store_array_close(&params);
    store_array_open(&params, STORE_UUID);
    for (size_t i = 0; i < count; i++)
        store_element_bytes(&params, requests[i]->identity.account, CT_UUID_BYTES);
    store_array_close(&params);
    store_array_open(&params, STORE_UUID);
    for (size_t i = 0; i < count; i++)
        store_element_bytes(&params, requests[i]->identity.organization, CT_UUID_BYTES);
    store_array_close(&params);
    add_texts(&params, requests, count, case_number_of);
    add_texts(&params, requests, count, state_of);
    store_array_open(&params, STORE_TEXT);
    for (size_t i = 0; i < count; i++)
        store_element_bytes(&params, requests[i]->sent, requests[i]->sent_length);
    store_array_close(&params);
    store_array_open(&params, STORE_TEXT);
    for (size_t i = 0; i < count; i++)
        store_element_text(&params, requests[i]->recorded);
    store_array_close(&params);
    store_array_open(&params, STORE_UUID);
    for (size_t i = 0; i < count; i++) {
        if (requests[i]->disclosed > 0)
            store_element_bytes(&params, ((struct api_trace *)requests[i]->own)->sealed.sale,
                                CT_UUID_BYTES);
        else
            store_element_null(&params);
    }
    store_array_close(&params);
    add_texts(&params, requests, count, exhibit_of);
    add_texts(&params, requests, count, purpose_of);
    add_texts(&params, requests, count, urgency_of);
    store_array_open(&params, STORE_INT);
    for (size_t i = 0; i < count; i++)
        store_element_int(&params, requests[i]->candidates);
    store_array_close(&params);
    status = api_exhibits_record(&params, requests, count);
    if (status == CT_OK)
        status = store_queue(store, API_SQL_trace_record, &params);
    store_params_free(&params);
    *ret_queued = status == CT_OK;
    return status;
}

const struct api_handler api_traces_create = {
    .before = create_before,
    .look = api_exhibits_look,
    .seen = api_exhibits_seen,
    .start = create_start,
    .finish = create_finish,
    .record = create_record,
    .render_text = api_trace_answer_text,
    .render = api_trace_answer_render,
};
