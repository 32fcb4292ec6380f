// SPDX-License-Identifier: Apache-2.0
#include "api/trace_answer.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX (1u << 20)
#define ANSWER_USUAL 2048 /* room that most answers need not be moved out of */
#define TOUCHED_USUAL 256

/* ---- columns --------------------------------------------------------------------------------- */

static void write_text_or_null(struct ct_buf *out, const char *name, const char *text)
{
    ct_json_write_text(out, name, text == NULL || text[0] == '\0' ? NULL : text);
}

static void write_column(struct ct_buf *out, const char *name, const struct store_result *result,
                         size_t row, enum api_trace_column column)
{
    write_text_or_null(out, name, store_get_text(result, row, (int)column));
}

static void write_date(struct ct_buf *out, const char *name, const struct store_result *result,
                       size_t row, enum api_trace_column column)
{
    char text[STORE_DATE_TEXT];
    store_get_date(result, row, (int)column, text);
    write_text_or_null(out, name, text);
}

static void write_id(struct ct_buf *out, const char *name, const struct store_result *result,
                     size_t row, enum api_trace_column column, const char *prefix)
{
    char text[CT_ID_TEXT];
    const uint8_t *uuid = store_get_uuid(result, row, (int)column);
    if (uuid != NULL)
        ct_id_format(prefix, uuid, text);
    ct_json_write_text(out, name, uuid == NULL ? NULL : text);
}

/* A list that the database keeps as JSON: it goes through as it is. */
static void write_list(struct ct_buf *out, const char *name, const struct store_result *result,
                       size_t row, enum api_trace_column column, bool shown)
{
    const char *list = shown ? store_get_text(result, row, (int)column) : NULL;
    ct_json_write_raw(out, name, list == NULL ? "[]" : list);
}

/* ---- one candidate --------------------------------------------------------------------------- */

static void write_firearm(struct ct_buf *out, const struct store_result *result, size_t row)
{
    ct_json_write_open(out, "firearm", '{');
    write_id(out, "id", result, row, TRACE_FIREARM, "frm");
    write_column(out, "maker", result, row, TRACE_MAKER);
    write_column(out, "importer", result, row, TRACE_IMPORTER);
    write_column(out, "model", result, row, TRACE_MODEL);
    write_column(out, "serial", result, row, TRACE_SERIAL);
    write_column(out, "caliber", result, row, TRACE_CALIBER);
    write_column(out, "type", result, row, TRACE_FIREARM_TYPE);
    ct_json_write_close(out, '}');
}

/* The code is shown when a first reading has identified it, and never else: it could be sent back
 * as a reading. */
static void write_mark(struct ct_buf *out, const struct api_context *context,
                       const struct api_trace *trace, const struct store_result *result, size_t row,
                       const struct microstamp_code *code, bool shown)
{
    struct microstamp_evidence evidence;
    char agreement[MICROSTAMP_R29_LENGTH + 1];
    char written[MICROSTAMP_R29_LENGTH + 2];
    microstamp_evidence_init(context->matrix, &trace->reading, &evidence);
    microstamp_agreement(&evidence, code, agreement);
    ct_json_write_open(out, "mark", '{');
    write_column(out, "placement", result, row, TRACE_PLACEMENT);
    ct_json_write_text(out, "agreement", agreement);
    write_date(out, "valid_from", result, row, TRACE_VALID_FROM);
    write_date(out, "valid_to", result, row, TRACE_VALID_TO);
    if (shown) {
        microstamp_r29_format(code, written);
        ct_json_write_text(out, "code", written);
    }
    ct_json_write_close(out, '}');
}

static void write_flag(struct ct_buf *out, const char *code, bool of_specimen, bool of_mark,
                       const char *detail)
{
    ct_json_write_open(out, NULL, '{');
    ct_json_write_text(out, "code", code);
    if (of_specimen)
        ct_json_write_int(out, "specimen", 0);
    if (of_mark)
        ct_json_write_int(out, "mark", 0);
    ct_json_write_text(out, "detail", detail);
    ct_json_write_close(out, '}');
}

static void write_flags(struct ct_buf *out, const struct api_trace *trace,
                        const struct store_result *result, const struct api_trace_found *found,
                        size_t hit)
{
    char delivered[STORE_DATE_TEXT];
    store_get_date(result, found->rows[hit], TRACE_SALE_DELIVERED_ON, delivered);
    ct_json_write_open(out, "flags", '[');
    if (found->caliber_differs[hit])
        write_flag(out, "caliber_mismatch", true, false,
                   "the specimen's caliber is not the one recorded");
    if (found->not_installed[hit])
        write_flag(out, "part_replaced", true, true,
                   "the mark is not recorded as installed at the incident");
    if (found->not_shipped[hit])
        write_flag(out, "not_yet_made", false, false, "it was shipped after the incident");
    if (delivered[0] != '\0' && strcmp(delivered, trace->incident_to) > 0)
        write_flag(out, "not_yet_sold", false, false, "it was first sold after the incident");
    ct_json_write_close(out, ']');
}

static void write_not_disclosed(struct ct_buf *out, const char *reason)
{
    ct_json_write_bool(out, "disclosed", false);
    ct_json_write_text(out, "reason", reason);
}

static void write_chain_complete(struct ct_buf *out, const struct store_result *result, size_t row)
{
    if (store_is_null(result, row, TRACE_CHAIN_COMPLETE))
        ct_json_write_null(out, "chain_complete");
    else
        ct_json_write_bool(out, "chain_complete",
                           store_get_bool(result, row, TRACE_CHAIN_COMPLETE));
}

static void write_disclosed(struct ct_buf *out, const struct store_result *result, size_t row)
{
    ct_json_write_bool(out, "disclosed", true);
    write_column(out, "basis", result, row, TRACE_BASIS);
    write_chain_complete(out, result, row);
    write_date(out, "returned_on", result, row, TRACE_RETURNED_ON);
    ct_json_write_open(out, "sale", '{');
    write_column(out, "dealer", result, row, TRACE_SALE_DEALER);
    write_date(out, "delivered_on", result, row, TRACE_SALE_DELIVERED_ON);
    write_column(out, "transaction_number", result, row, TRACE_SALE_TRANSACTION_NUMBER);
    ct_json_write_close(out, '}');
}

/* The reading came after an answer: what would have been shown waits for a second examiner. */
static void write_withheld(struct ct_buf *out, const struct store_result *result, size_t row,
                           struct api_version *version, const uint8_t sale[CT_UUID_BYTES])
{
    struct ct_buf withheld;
    ct_buf_init(&withheld, ANSWER_MAX);
    ct_json_write_open(&withheld, NULL, '{');
    write_disclosed(&withheld, result, row);
    ct_json_write_close(&withheld, '}');
    free(version->withheld);
    version->withheld = ct_json_write_end(&withheld);
    memcpy(version->withheld_sale, sale, CT_UUID_BYTES);
    write_not_disclosed(out, "second_examiner");
    write_chain_complete(out, result, row);
}

/* The purchaser's own data are added after the commit; what is recorded never has them. */
static void write_purchaser(struct ct_buf *out, const struct store_result *result, size_t row,
                            struct api_request *request)
{
    struct api_trace *trace = request->own;
    const char *reason = store_get_text(result, row, TRACE_NO_PURCHASER_REASON);
    size_t length;
    const uint8_t *sealed = store_get_bytes(result, row, TRACE_PURCHASER_SEALED, &length);
    const uint8_t *sale = store_get_uuid(result, row, TRACE_SALE);
    const char *key = store_get_text(result, row, TRACE_PURCHASER_KEY);
    if (reason != NULL || sealed == NULL || sale == NULL || key == NULL) {
        write_not_disclosed(out, reason == NULL ? "expunged" : reason);
        write_chain_complete(out, result, row);
        return;
    }
    if (request->version.after_answer) {
        write_withheld(out, result, row, &request->version, sale);
        return;
    }
    if (!api_sealed_set(&trace->sealed, sale, key, sealed, length)) {
        write_not_disclosed(out, "seal_broken");
        return;
    }
    request->disclosed = 1;
    write_disclosed(out, result, row);
}

static void write_candidate(struct ct_buf *out, const struct api_context *context,
                            const struct store_result *result, struct api_request *request,
                            const struct api_trace_found *found, size_t rank)
{
    struct api_trace *trace = request->own;
    const struct microstamp_ranked_hit *ranked = &found->ranked[rank];
    size_t row = found->rows[ranked->hit];
    const struct microstamp_code *code = &trace->words.word[found->hits[ranked->hit].word].code;
    bool identified = found->ranking.state == MICROSTAMP_IDENTIFIED && rank == 0;
    ct_json_write_open(out, NULL, '{');
    ct_json_write_int(out, "rank", (int64_t)rank + 1);
    ct_json_write_real(out, "posterior", ranked->posterior);
    write_firearm(out, result, row);
    write_mark(out, context, trace, result, row, code,
               identified && !request->version.after_answer);
    write_list(out, "custody", result, row, TRACE_CUSTODY, identified);
    write_list(out, "later_holders", result, row, TRACE_LATER_HOLDERS, identified);
    write_flags(out, trace, result, found, ranked->hit);
    /* Last: api_trace_answer_text() adds to the end of it. */
    ct_json_write_open(out, "first_purchaser", '{');
    if (identified)
        write_purchaser(out, result, row, request);
    else
        write_not_disclosed(out, "not_identified");
    ct_json_write_close(out, '}');
    ct_json_write_close(out, '}');
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* A code that was issued and is on no firearm is a lead: who holds its block. */
static void write_detail(struct ct_buf *out, const struct store_result *result,
                         const struct api_trace_found *found)
{
    if (!found->issued || found->ranking.state == MICROSTAMP_IDENTIFIED ||
        found->ranking.state == MICROSTAMP_INSUFFICIENT) {
        ct_json_write_null(out, "detail");
        return;
    }
    size_t row = found->issued_row;
    const char *state = store_get_text(result, row, TRACE_CODE_STATE);
    const char *code = "issued_unregistered";
    if (state != NULL && strcmp(state, "spoiled") == 0)
        code = "spoiled";
    else if (!store_is_null(result, row, TRACE_MARK))
        code = "issued_to_part";
    ct_json_write_open(out, "detail", '{');
    ct_json_write_text(out, "code", code);
    ct_json_write_text(out, "scheme", MICROSTAMP_R29_NAME);
    write_id(out, "block_id", result, row, TRACE_BLOCK, "cbk");
    write_column(out, "block_holder", result, row, TRACE_BLOCK_HOLDER);
    ct_json_write_close(out, '}');
}

static void write_method(struct ct_buf *out, const struct api_context *context)
{
    ct_json_write_open(out, "method", '{');
    ct_json_write_text(out, "scheme", MICROSTAMP_R29_NAME);
    ct_json_write_text(out, "matrix", microstamp_matrix_name(context->matrix));
    ct_json_write_real(out, "pi0", context->pi0);
    ct_json_write_int(out, "n", (int64_t)context->registered);
    ct_json_write_text(out, "software", API_SOFTWARE);
    ct_json_write_close(out, '}');
}

static size_t count_shown(const struct api_trace_found *found)
{
    if (found->ranking.state == MICROSTAMP_IDENTIFIED)
        return 1;
    if (found->ranking.state != MICROSTAMP_CANDIDATES)
        return 0;
    return found->count < MICROSTAMP_SHOWN_MAX ? found->count : MICROSTAMP_SHOWN_MAX;
}

static char *answer_text(const struct api_context *context, const struct store_result *result,
                         struct api_request *request, const struct api_trace_found *found,
                         size_t count)
{
    const struct api_trace *trace = request->own;
    const struct microstamp_ranking *ranking = &found->ranking;
    struct ct_buf out;
    ct_buf_init(&out, ANSWER_MAX);
    if (ct_buf_reserve(&out, ANSWER_USUAL) != CT_OK)
        return NULL;
    ct_json_write_open(&out, NULL, '{');
    ct_json_write_text(&out, "id", trace->id_text);
    ct_json_write_text(&out, "state", trace->state);
    ct_json_write_real(&out, "likelihood_ratio", ranking->likelihood_ratio);
    ct_json_write_real(&out, "effective_characters", ranking->effective_characters);
    ct_json_write_real(&out, "not_registered", ranking->not_registered);
    ct_json_write_real(&out, "expected_chance_matches", ranking->expected_chance_matches);
    write_method(&out, context);
    write_detail(&out, result, found);
    ct_json_write_raw(&out, "next_best", "[]");
    ct_json_write_raw(&out, "linked_cases", "[]");
    ct_json_write_null(&out, "links_as_of");
    ct_json_write_bool(&out, "after_answer", request->version.after_answer);
    ct_json_write_open(&out, "candidates", '['); /* last, as the purchaser in each of them */
    for (size_t rank = 0; rank < count; rank++)
        write_candidate(&out, context, result, request, found, rank);
    ct_json_write_close(&out, ']');
    ct_json_write_close(&out, '}');
    return ct_json_write_end(&out);
}

static char *touched_text(const struct store_result *result, const struct api_request *request,
                          const struct api_trace_found *found, size_t count)
{
    const struct api_trace *trace = request->own;
    struct ct_buf out;
    ct_buf_init(&out, ANSWER_MAX);
    if (ct_buf_reserve(&out, TOUCHED_USUAL) != CT_OK)
        return NULL;
    ct_json_write_open(&out, NULL, '{');
    ct_json_write_text(&out, "trace", trace->id_text);
    ct_json_write_open(&out, "firearms", '[');
    for (size_t rank = 0; rank < count; rank++)
        write_id(&out, NULL, result, found->rows[found->ranked[rank].hit], TRACE_FIREARM, "frm");
    ct_json_write_close(&out, ']');
    if (request->disclosed > 0) {
        char sale[CT_ID_TEXT];
        ct_id_format("sal", trace->sealed.sale, sale);
        ct_json_write_text(&out, "disclosed", sale);
    }
    ct_json_write_close(&out, '}');
    return ct_json_write_end(&out);
}

enum ct_status api_trace_answer(const struct api_context *context,
                                const struct store_result *result, struct api_request *request,
                                const struct api_trace_found *found)
{
    struct api_trace *trace = request->own;
    size_t count = count_shown(found);
    trace->state = microstamp_state_name(found->ranking.state);
    request->state = trace->state;
    request->candidates = (int)count;
    request->recorded = answer_text(context, result, request, found, count);
    request->touched = touched_text(result, request, found, count);
    memcpy(request->resource, trace->id, CT_UUID_BYTES);
    request->has_resource = true;
    return request->recorded == NULL || request->touched == NULL ? CT_NO_MEMORY : CT_OK;
}

/* ---- after the commit ------------------------------------------------------------------------ */

/* What was recorded is the answer already, but for two things that join it after the commit: the
 * purchaser, whose document is put behind the last member of the last object, and the receipt. */
bool api_trace_answer_text(struct api_context *context, struct api_request *request,
                           const struct api_receipt *receipt, struct ct_buf *out)
{
    static const char disclosed_end[] = "}}]}"; /* first_purchaser, candidate, candidates, answer */
    const struct api_trace *trace = request->own;
    const char *recorded = request->recorded;
    size_t length = strlen(recorded) - 1;
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
    ct_json_write_open(out, "receipt", '{');
    ct_json_write_int(out, "entry", (int64_t)receipt->entry);
    ct_json_write_text(out, "tlog_proof", receipt->proof);
    ct_json_write_close(out, '}');
    ct_json_write_close(out, '}');
    return true;
}

/* Reads what was recorded: only a broken seal comes this way. */
json_t *api_trace_answer_render(struct api_context *context, struct api_request *request,
                                const struct api_receipt *receipt)
{
    struct api_trace *trace = request->own;
    json_t *answer = json_loads(request->recorded, 0, NULL);
    if (answer == NULL)
        return NULL;
    return api_trace_render(context, request, answer, &trace->sealed, receipt);
}
