// SPDX-License-Identifier: Apache-2.0
#include "api/api.h"
#include "api/traces.h"

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

/* A trace between its steps. */
struct trace {
    uint8_t id[CT_UUID_BYTES];
    char id_text[CT_ID_TEXT];
    struct microstamp_reading reading;
    struct microstamp_words words; /* word[] is ours */
    const char *caliber;           /* as sent; NULL: unknown */
    const char *incident_from;
    const char *incident_to;
    const char *state;
    size_t first_lookup; /* of this trace's words among the batch's */
    struct api_sealed sealed;
};

static void trace_free(void *own)
{
    struct trace *trace = own;
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

static enum ct_status find_words(struct api_context *context, struct trace *trace)
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

static void read_request(struct api_context *context, struct api_request *request,
                         struct trace *trace)
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
    request->asked = json_pack("{s:o, s:s*}", "specimens",
                               json_incref(json_object_get(request->body, "specimens")), "offense",
                               ct_json_string(request->body, "offense"));
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
    struct trace *trace = calloc(1, sizeof *trace);
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
        struct trace *trace = requests[i]->own;
        for (size_t w = 0; w < trace->words.count; w++)
            store_element_text(&params, MICROSTAMP_R29_NAME);
    }
    store_array_close(&params);
    store_array_open(&params, STORE_TEXT);
    for (size_t i = 0; i < count; i++) {
        struct trace *trace = requests[i]->own;
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

enum column {
    COLUMN_LOOKUP,
    COLUMN_CODE_STATE,
    COLUMN_BLOCK,
    COLUMN_BLOCK_HOLDER,
    COLUMN_MARK,
    COLUMN_PLACEMENT,
    COLUMN_VALID_FROM,
    COLUMN_VALID_TO,
    COLUMN_FIREARM,
    COLUMN_MAKER,
    COLUMN_IMPORTER,
    COLUMN_MODEL,
    COLUMN_SERIAL,
    COLUMN_CALIBER,
    COLUMN_FIREARM_TYPE,
    COLUMN_SHIPPED_ON,
    COLUMN_CUSTODY,
    COLUMN_BASIS,
    COLUMN_NO_PURCHASER_REASON,
    COLUMN_CHAIN_COMPLETE,
    COLUMN_RETURNED_ON,
    COLUMN_LATER_HOLDERS,
    COLUMN_SALE,
    COLUMN_SALE_DEALER,
    COLUMN_SALE_DELIVERED_ON,
    COLUMN_SALE_TRANSACTION_NUMBER,
    COLUMN_PURCHASER_SEALED,
    COLUMN_PURCHASER_KEY,
};

#define HITS_MAX 4096 /* registered firearms of one reading; a code marks one part at a time */

struct found {
    size_t rows[HITS_MAX]; /* of the result, one per hit */
    struct microstamp_hit hits[HITS_MAX];
    bool caliber_differs[HITS_MAX];
    bool not_installed[HITS_MAX];
    bool not_shipped[HITS_MAX];
    size_t count;
    bool issued;       /* a word was issued and is on no firearm */
    size_t issued_row; /* of the likeliest such word */
    size_t issued_word;
    struct microstamp_ranked ranked[HITS_MAX];
    struct microstamp_ranking ranking;
};

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
static void add_hit(const struct api_context *context, const struct trace *trace,
                    const struct store_result *result, size_t row, size_t word, struct found *found)
{
    char from[STORE_DATE_TEXT];
    char to[STORE_DATE_TEXT];
    char shipped[STORE_DATE_TEXT];
    const char *caliber = store_get_text(result, row, COLUMN_CALIBER);
    if (found->count == HITS_MAX)
        return;
    size_t hit = found->count++;
    store_get_date(result, row, COLUMN_VALID_FROM, from);
    store_get_date(result, row, COLUMN_VALID_TO, to);
    store_get_date(result, row, COLUMN_SHIPPED_ON, shipped);
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

static void collect(const struct api_context *context, const struct trace *trace,
                    const struct store_result *result, const size_t *rows, size_t row_count,
                    struct found *found)
{
    found->count = 0;
    found->issued = false;
    for (size_t i = 0; i < row_count; i++) {
        size_t word =
            (size_t)store_get_int(result, rows[i], COLUMN_LOOKUP) - 1 - trace->first_lookup;
        if (!store_is_null(result, rows[i], COLUMN_FIREARM)) {
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

/* ---- the answer ------------------------------------------------------------------------------ */

static json_t *number_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *text_or_null(const char *text)
{
    return text == NULL || text[0] == '\0' ? json_null() : json_string_nocheck(text);
}

static json_t *date_or_null(const struct store_result *result, size_t row, int column)
{
    char text[STORE_DATE_TEXT];
    store_get_date(result, row, column, text);
    return text_or_null(text);
}

static json_t *column_text(const struct store_result *result, size_t row, int column)
{
    return text_or_null(store_get_text(result, row, column));
}

static json_t *column_id(const struct store_result *result, size_t row, int column,
                         const char *prefix)
{
    char text[CT_ID_TEXT];
    const uint8_t *uuid = store_get_uuid(result, row, column);
    if (uuid == NULL)
        return json_null();
    ct_id_format(prefix, uuid, text);
    return json_string_nocheck(text);
}

static json_t *column_list(const struct store_result *result, size_t row, int column)
{
    const char *text = store_get_text(result, row, column);
    json_t *list = text == NULL ? NULL : json_loads(text, 0, NULL);
    return list == NULL ? json_array() : list;
}

static json_t *firearm_of(const struct store_result *result, size_t row)
{
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", column_id(result, row, COLUMN_FIREARM, "frm"),
        "maker", column_text(result, row, COLUMN_MAKER), "importer",
        column_text(result, row, COLUMN_IMPORTER), "model", column_text(result, row, COLUMN_MODEL),
        "serial", column_text(result, row, COLUMN_SERIAL), "caliber",
        column_text(result, row, COLUMN_CALIBER), "type",
        column_text(result, row, COLUMN_FIREARM_TYPE));
}

/* The code is shown when it is identified, and never else: it could be sent back as a reading. */
static json_t *mark_of(const struct api_context *context, const struct trace *trace,
                       const struct store_result *result, size_t row,
                       const struct microstamp_code *code, bool identified)
{
    struct microstamp_evidence evidence;
    char agreement[MICROSTAMP_R29_LENGTH + 1];
    char written[MICROSTAMP_R29_LENGTH + 2];
    microstamp_evidence_init(context->matrix, &trace->reading, &evidence);
    microstamp_agreement(&evidence, code, agreement);
    json_t *mark = json_pack("{s:o, s:s, s:o, s:o}", "placement",
                             column_text(result, row, COLUMN_PLACEMENT), "agreement", agreement,
                             "valid_from", date_or_null(result, row, COLUMN_VALID_FROM), "valid_to",
                             date_or_null(result, row, COLUMN_VALID_TO));
    if (identified) {
        microstamp_r29_format(code, written);
        (void)json_object_set_new(mark, "code", json_string(written));
    }
    return mark;
}

static json_t *flags_of(const struct trace *trace, const struct store_result *result,
                        const struct found *found, size_t hit)
{
    json_t *flags = json_array();
    char delivered[STORE_DATE_TEXT];
    store_get_date(result, found->rows[hit], COLUMN_SALE_DELIVERED_ON, delivered);
    if (found->caliber_differs[hit])
        (void)json_array_append_new(
            flags, json_pack("{s:s, s:i, s:s}", "code", "caliber_mismatch", "specimen", 0, "detail",
                             "the specimen's caliber is not the one recorded"));
    if (found->not_installed[hit])
        (void)json_array_append_new(
            flags, json_pack("{s:s, s:i, s:i, s:s}", "code", "part_replaced", "specimen", 0, "mark",
                             0, "detail", "the mark is not recorded as installed at the incident"));
    if (found->not_shipped[hit])
        (void)json_array_append_new(flags, json_pack("{s:s, s:s}", "code", "not_yet_made", "detail",
                                                     "it was shipped after the incident"));
    if (delivered[0] != '\0' && strcmp(delivered, trace->incident_to) > 0)
        (void)json_array_append_new(flags, json_pack("{s:s, s:s}", "code", "not_yet_sold", "detail",
                                                     "it was first sold after the incident"));
    return flags;
}

static json_t *not_disclosed(const char *reason)
{
    return json_pack("{s:b, s:s}", "disclosed", 0, "reason", reason);
}

/* The purchaser's own data are added after the commit; what is recorded never has them. */
static json_t *purchaser_of(const struct store_result *result, size_t row, struct trace *trace,
                            struct api_request *request)
{
    const char *reason = store_get_text(result, row, COLUMN_NO_PURCHASER_REASON);
    size_t length;
    const uint8_t *sealed = store_get_bytes(result, row, COLUMN_PURCHASER_SEALED, &length);
    const uint8_t *sale = store_get_uuid(result, row, COLUMN_SALE);
    const char *key = store_get_text(result, row, COLUMN_PURCHASER_KEY);
    json_t *complete = store_is_null(result, row, COLUMN_CHAIN_COMPLETE)
                           ? json_null()
                           : json_boolean(store_get_bool(result, row, COLUMN_CHAIN_COMPLETE));
    if (reason != NULL || sealed == NULL || sale == NULL || key == NULL) {
        json_t *none = not_disclosed(reason == NULL ? "expunged" : reason);
        (void)json_object_set_new(none, "chain_complete", complete);
        return none;
    }
    if (!api_sealed_set(&trace->sealed, sale, key, sealed, length)) {
        json_decref(complete);
        return not_disclosed("seal_broken");
    }
    request->disclosed = 1;
    return json_pack("{s:b, s:o, s:o, s:o, s:{s:o, s:o, s:o}}", "disclosed", 1, "basis",
                     column_text(result, row, COLUMN_BASIS), "chain_complete", complete,
                     "returned_on", date_or_null(result, row, COLUMN_RETURNED_ON), "sale", "dealer",
                     column_text(result, row, COLUMN_SALE_DEALER), "delivered_on",
                     date_or_null(result, row, COLUMN_SALE_DELIVERED_ON), "transaction_number",
                     column_text(result, row, COLUMN_SALE_TRANSACTION_NUMBER));
}

static json_t *candidate_of(const struct api_context *context, const struct store_result *result,
                            struct api_request *request, const struct found *found, size_t rank)
{
    struct trace *trace = request->own;
    const struct microstamp_ranked *ranked = &found->ranked[rank];
    size_t row = found->rows[ranked->hit];
    const struct microstamp_code *code = &trace->words.word[found->hits[ranked->hit].word].code;
    bool identified = found->ranking.state == MICROSTAMP_IDENTIFIED && rank == 0;
    json_t *candidate = json_object();
    (void)ct_json_set(candidate, "rank", json_integer((json_int_t)rank + 1));
    (void)ct_json_set(candidate, "posterior", json_real(ranked->posterior));
    (void)ct_json_set(candidate, "firearm", firearm_of(result, row));
    (void)ct_json_set(candidate, "mark", mark_of(context, trace, result, row, code, identified));
    (void)ct_json_set(candidate, "custody",
                      identified ? column_list(result, row, COLUMN_CUSTODY) : json_array());
    (void)ct_json_set(candidate, "later_holders",
                      identified ? column_list(result, row, COLUMN_LATER_HOLDERS) : json_array());
    (void)ct_json_set(candidate, "flags", flags_of(trace, result, found, ranked->hit));
    /* Last: create_render_text() adds to the end of it. */
    (void)ct_json_set(candidate, "first_purchaser",
                      identified ? purchaser_of(result, row, trace, request)
                                 : not_disclosed("not_identified"));
    return candidate;
}

/* A code that was issued and is on no firearm is a lead: who holds its block. */
static json_t *issued_detail(const struct store_result *result, const struct found *found)
{
    if (!found->issued || found->ranking.state == MICROSTAMP_IDENTIFIED ||
        found->ranking.state == MICROSTAMP_INSUFFICIENT)
        return json_null();
    size_t row = found->issued_row;
    const char *state = store_get_text(result, row, COLUMN_CODE_STATE);
    const char *code = "issued_unregistered";
    if (state != NULL && strcmp(state, "spoiled") == 0)
        code = "spoiled";
    else if (!store_is_null(result, row, COLUMN_MARK))
        code = "issued_to_part";
    return json_pack("{s:s, s:s, s:o, s:o}", "code", code, "scheme", MICROSTAMP_R29_NAME,
                     "block_id", column_id(result, row, COLUMN_BLOCK, "cbk"), "block_holder",
                     column_text(result, row, COLUMN_BLOCK_HOLDER));
}

static json_t *method_of(const struct api_context *context)
{
    return json_pack("{s:s, s:s, s:f, s:I, s:s}", "scheme", MICROSTAMP_R29_NAME, "matrix",
                     microstamp_matrix_name(context->matrix), "pi0", context->pi0, "n",
                     (json_int_t)context->registered, "software", API_SOFTWARE);
}

static enum ct_status answer_one(const struct api_context *context,
                                 const struct store_result *result, struct api_request *request,
                                 const struct found *found)
{
    struct trace *trace = request->own;
    const struct microstamp_ranking *ranking = &found->ranking;
    json_t *candidates = json_array();
    json_t *firearms = json_array();
    bool shown = ranking->state == MICROSTAMP_IDENTIFIED || ranking->state == MICROSTAMP_CANDIDATES;
    size_t count = ranking->state == MICROSTAMP_IDENTIFIED ? 1 : found->count;
    if (!shown)
        count = 0;
    if (count > MICROSTAMP_SHOWN_MAX)
        count = MICROSTAMP_SHOWN_MAX;
    trace->state = microstamp_state_name(ranking->state);
    for (size_t rank = 0; rank < count; rank++) {
        (void)json_array_append_new(candidates,
                                    candidate_of(context, result, request, found, rank));
        (void)json_array_append_new(
            firearms,
            column_id(result, found->rows[found->ranked[rank].hit], COLUMN_FIREARM, "frm"));
    }
    request->candidates = (int)count;
    request->touched = json_pack("{s:s, s:o}", "trace", trace->id_text, "firearms", firearms);
    if (request->disclosed > 0) {
        char sale[CT_ID_TEXT];
        ct_id_format("sal", trace->sealed.sale, sale);
        (void)json_object_set_new(request->touched, "disclosed", json_string(sale));
    }
    json_t *answer = json_object();
    bool whole =
        ct_json_set_text(answer, "id", trace->id_text) &&
        ct_json_set_text(answer, "state", trace->state) &&
        ct_json_set(answer, "likelihood_ratio", number_or_null(ranking->likelihood_ratio)) &&
        ct_json_set(answer, "effective_characters",
                    number_or_null(ranking->effective_characters)) &&
        ct_json_set(answer, "not_registered", number_or_null(ranking->not_registered)) &&
        ct_json_set(answer, "expected_chance_matches",
                    number_or_null(ranking->expected_chance_matches)) &&
        ct_json_set(answer, "method", method_of(context)) &&
        ct_json_set(answer, "detail", issued_detail(result, found)) &&
        ct_json_set(answer, "next_best", json_array()) &&
        ct_json_set(answer, "linked_cases", json_array()) &&
        ct_json_set(answer, "links_as_of", json_null()) &&
        ct_json_set(answer, "candidates", candidates); /* last, as the purchaser in each of them */
    request->answer = answer;
    if (!whole)
        return CT_NO_MEMORY;
    request->recorded = request->answer == NULL ? NULL : ct_json_text(request->answer);
    memcpy(request->resource, trace->id, CT_UUID_BYTES);
    request->has_resource = true;
    return request->recorded == NULL ? CT_NO_MEMORY : CT_OK;
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
        lookups += ((struct trace *)requests[i]->own)->words.count;
    struct found *found = context->own;
    size_t *owner = malloc((lookups + 1) * sizeof *owner);
    size_t *starts = calloc(count + 2, sizeof *starts);
    size_t *rows = malloc((row_count + 1) * sizeof *rows);
    if (found == NULL)
        found = context->own = calloc(1, sizeof *found); /* kept: too large to be made every time */
    if (found == NULL || owner == NULL || starts == NULL || rows == NULL)
        goto out;
    for (size_t i = 0; i < count; i++) {
        const struct trace *trace = requests[i]->own;
        for (size_t w = 0; w < trace->words.count; w++)
            owner[trace->first_lookup + w] = i;
    }
    for (size_t row = 0; row < row_count; row++)
        starts[owner[store_get_int(result, row, COLUMN_LOOKUP) - 1] + 2]++;
    for (size_t i = 2; i < count + 2; i++)
        starts[i] += starts[i - 1];
    for (size_t row = 0; row < row_count; row++)
        rows[starts[owner[store_get_int(result, row, COLUMN_LOOKUP) - 1] + 1]++] = row;
    status = CT_OK;
    for (size_t i = 0; i < count && status == CT_OK; i++) {
        collect(context, requests[i]->own, result, rows + starts[i], starts[i + 1] - starts[i],
                found);
        status = answer_one(context, result, requests[i], found);
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
    return ((const struct trace *)request->own)->state;
}

static enum ct_status create_record(struct api_context *context, struct store *store,
                                    const uint8_t batch[CT_UUID_BYTES],
                                    struct api_request **requests, size_t count, bool *ret_queued)
{
    (void)context;
    struct store_params params;
    enum ct_status status = CT_OK;
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
    store_array_open(&params, STORE_JSON);
    for (size_t i = 0; i < count; i++)
        store_element_bytes(&params, requests[i]->sent, requests[i]->sent_length);
    store_array_close(&params);
    store_array_open(&params, STORE_JSON);
    for (size_t i = 0; i < count; i++)
        store_element_text(&params, requests[i]->recorded);
    store_array_close(&params);
    store_array_open(&params, STORE_UUID);
    for (size_t i = 0; i < count; i++) {
        if (requests[i]->disclosed > 0)
            store_element_bytes(&params, ((struct trace *)requests[i]->own)->sealed.sale,
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
    if (status == CT_OK)
        status = store_queue(store, API_SQL_trace_record, &params);
    store_params_free(&params);
    *ret_queued = status == CT_OK;
    return status;
}

/* What was recorded is the answer already, but for two things that join it after the commit: the
 * purchaser, whose document is put behind the last member of the last object, and the receipt. */
static bool create_render_text(struct api_context *context, struct api_request *request,
                               const struct api_receipt *receipt, struct ct_buf *out)
{
    static const char disclosed_end[] = "}}]}"; /* first_purchaser, candidate, candidates, answer */
    const struct trace *trace = request->own;
    const char *recorded = request->recorded;
    size_t length = strlen(recorded) - 1;
    char entry[32];
    if (request->disclosed > 0) {
        size_t plain_length = 0;
        char *plain = api_sealed_open(context, &trace->sealed, &plain_length);
        if (plain == NULL || plain_length <= 2 || length < sizeof disclosed_end ||
            strcmp(recorded + length - 3, disclosed_end) != 0) {
            free(plain);
            return false; /* a broken seal is render's to say */
        }
        (void)ct_buf_append(out, recorded, length - 3);
        (void)ct_buf_append_u8(out, ',');
        (void)ct_buf_append(out, plain + 1, plain_length - 1);
        (void)ct_buf_append(out, "}]", 2);
        sodium_memzero(plain, plain_length);
        free(plain);
    } else {
        (void)ct_buf_append(out, recorded, length);
    }
    (void)snprintf(entry, sizeof entry, "%llu", (unsigned long long)receipt->entry);
    (void)ct_buf_append(out, ",\"receipt\":{\"entry\":", 20);
    (void)ct_buf_append(out, entry, strlen(entry));
    (void)ct_buf_append(out, ",\"tlog_proof\":", 14);
    ct_json_append_string(out, receipt->proof);
    (void)ct_buf_append(out, "}}", 2);
    return true;
}

static json_t *create_render(struct api_context *context, struct api_request *request,
                             const struct api_receipt *receipt)
{
    struct trace *trace = request->own;
    return api_trace_render(context, request, json_incref(request->answer), &trace->sealed,
                            receipt);
}

const struct api_handler api_traces_create = {
    .before = create_before,
    .start = create_start,
    .finish = create_finish,
    .record = create_record,
    .render_text = create_render_text,
    .render = create_render,
};
