// SPDX-License-Identifier: Apache-2.0
#include "api/api.h"
#include "api/log.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* ---- GET /v1/log/receipts/{index} -------------------------------------------------------------
 */

static enum accesslog_status stored_hashes(void *closure, unsigned level, uint64_t first,
                                           size_t count, struct accesslog_hash *ret_hashes)
{
    struct api_log_reader *log = closure;
    struct store_params params;
    struct store_result *result = NULL;
    bool whole = false;
    store_params_init(&params);
    store_param_int(&params, (int32_t)level);
    store_param_bigint(&params, (int64_t)first);
    store_param_int(&params, (int32_t)count);
    if (store_queue(log->store, API_SQL_log_hashes, &params) == CT_OK &&
        store_run(log->store, log->deadline_ms, &result, 1, log->err) == CT_OK)
        whole = store_rows(result) == count;
    for (size_t i = 0; whole && i < count; i++) {
        size_t length;
        const uint8_t *hash = store_get_bytes(result, i, 1, &length);
        whole = length == ACCESSLOG_HASH_BYTES &&
                store_get_bigint(result, i, 0) == (int64_t)(first + i);
        if (whole)
            memcpy(ret_hashes[i].bytes, hash, length);
    }
    store_result_free(result);
    store_params_free(&params);
    return whole ? ACCESSLOG_OK : ACCESSLOG_STORAGE;
}

struct accesslog_storage api_log_storage(struct api_log_reader *reader)
{
    return (struct accesslog_storage){.hashes = stored_hashes, .context = reader};
}

#define EXTRA_USUAL 1024

char *api_receipt_text(const char *header, const char *header_salt, const char *d_subject,
                       uint64_t index, const struct accesslog_hash *path, size_t path_count,
                       const char *note)
{
    struct ct_buf extra;
    ct_buf_init(&extra, ACCESSLOG_EXTRA_BYTES_MAX + 1);
    if (ct_buf_reserve(&extra, EXTRA_USUAL) != CT_OK)
        return NULL;
    ct_json_write_open(&extra, NULL, '{');
    ct_json_write_int(&extra, "v", 1);
    ct_json_write_text(&extra, "header", header);
    ct_json_write_text(&extra, "header_salt", header_salt);
    ct_json_write_text(&extra, "d_subject", d_subject);
    ct_json_write_close(&extra, '}');
    size_t note_length = strlen(note);
    size_t room = ACCESSLOG_RECEIPT_ROOM(extra.length, note_length) + 1;
    char *text = extra.failed ? NULL : malloc(room);
    if (text != NULL && accesslog_receipt_format(extra.data, extra.length, index, path, path_count,
                                                 note, note_length, text, room) == 0) {
        free(text);
        text = NULL;
    }
    ct_buf_free(&extra);
    return text;
}

/* The newest checkpoint that covers the entry: one that witnesses have signed too, if there is one.
 */
static uint64_t checkpoint_for(const struct api_context *context, uint64_t index,
                               const char **ret_note)
{
    bool cosigned = context->cosigned_size > index;
    *ret_note = cosigned ? context->cosigned_note : context->checkpoint_note;
    return cosigned ? context->cosigned_size : context->checkpoint_size;
}

static bool wants_file(const struct api_request *request)
{
    const char *format = ct_json_string(request->query, "format");
    return format == NULL ? request->prefers_plain : strcmp(format, "tlog-proof") == 0;
}

enum ct_status api_log_receipt_of(struct api_context *context, struct store *store,
                                  const json_t *entry, json_t **ret_receipt, struct ct_error *err)
{
    struct accesslog_hash path[ACCESSLOG_PROOF_MAX];
    size_t path_count = 0;
    const char *note;
    struct api_log_reader reader = {
        .store = store, .deadline_ms = ct_mono_ms() + API_LOG_READ_MS, .err = err};
    struct accesslog_storage storage = api_log_storage(&reader);
    uint64_t index = (uint64_t)json_integer_value(json_object_get(entry, "index"));
    uint64_t size = checkpoint_for(context, index, &note);
    *ret_receipt = NULL;
    if (index >= size)
        return CT_OK;
    if (accesslog_prove_inclusion(&storage, index, size, path, &path_count) != ACCESSLOG_OK)
        return store_alive(store) ? CT_DB : CT_DB_LOST;
    char *proof =
        api_receipt_text(ct_json_string(entry, "header"), ct_json_string(entry, "header_salt"),
                         ct_json_string(entry, "d_subject"), index, path, path_count, note);
    if (proof == NULL)
        return CT_NO_MEMORY;
    *ret_receipt = json_pack("{s:I, s:s}", "entry", (json_int_t)index, "tlog_proof", proof);
    free(proof);
    return *ret_receipt == NULL ? CT_NO_MEMORY : CT_OK;
}

static enum ct_status receipt_one(struct api_context *context, struct store *store,
                                  struct api_request *request, struct ct_error *err)
{
    json_t *receipt;
    json_t *entry = request->answer;
    enum ct_status status = api_log_receipt_of(context, store, entry, &receipt, err);
    if (status != CT_OK)
        return status;
    if (receipt == NULL) {
        api_refuse(request, API_ERROR_NOT_PUBLISHED, NULL, "its checkpoint is not signed yet");
        return CT_OK;
    }
    request->read_first = (uint64_t)json_integer_value(json_object_get(entry, "index"));
    request->read_count = 1;
    if (wants_file(request)) {
        request->answer = json_incref(json_object_get(receipt, "tlog_proof"));
        (void)snprintf(request->attachment, sizeof request->attachment,
                       "entry-%" PRIu64 ".tlog-proof", request->read_first);
        json_decref(receipt);
    } else {
        request->answer = receipt;
    }
    json_decref(entry);
    return CT_OK;
}

static enum ct_status receipt_finish(struct api_context *context, struct store *store,
                                     struct api_request **requests, size_t count,
                                     const struct store_result *result, struct ct_error *err)
{
    enum ct_status status = api_generic_finish(context, store, requests, count, result, err);
    for (size_t i = 0; i < count && status == CT_OK; i++) {
        if (requests[i]->error == API_ERROR_NONE)
            status = receipt_one(context, store, requests[i], err);
    }
    return status;
}

const struct api_handler api_log_receipt = {
    .start = api_generic_start,
    .finish = receipt_finish,
};

/* ---- GET /v1/log/consistency --------------------------------------------------------------------
 */

/* The sizes are checked against what was released: of what is not signed nothing is proved. */
static void consistency_before(struct api_context *context, struct api_request *request)
{
    const json_t *wanted = json_object_get(request->query, "to");
    json_int_t newest = (json_int_t)context->checkpoint_size;
    json_int_t from = json_integer_value(json_object_get(request->query, "from"));
    json_int_t to = wanted == NULL ? newest : json_integer_value(wanted);
    if (newest == 0)
        api_refuse(request, API_ERROR_NOT_PUBLISHED, NULL, "no checkpoint is signed yet");
    else if (to > newest)
        api_refuse(request, API_ERROR_INVALID_REQUEST, "/query/to",
                   "larger than the newest signed checkpoint");
    else if (from > to)
        api_refuse(request, API_ERROR_INVALID_REQUEST, "/query/from",
                   wanted == NULL ? "larger than the newest signed checkpoint" : "larger than to");
    else
        request->input = json_pack("{s:I, s:I}", "from", from, "to", to);
}

static json_t *proof_of(const struct accesslog_hash *hashes, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        char text[sodium_base64_ENCODED_LEN(ACCESSLOG_HASH_BYTES, sodium_base64_VARIANT_ORIGINAL)];
        (void)sodium_bin2base64(text, sizeof text, hashes[i].bytes, ACCESSLOG_HASH_BYTES,
                                sodium_base64_VARIANT_ORIGINAL);
        (void)json_array_append_new(list, json_string(text));
    }
    return list;
}

static enum ct_status consistency_one(struct api_context *context, struct store *store,
                                      struct api_request *request, struct ct_error *err)
{
    struct accesslog_hash proof[ACCESSLOG_PROOF_MAX];
    size_t count = 0;
    struct api_log_reader reader = {
        .store = store, .deadline_ms = ct_mono_ms() + API_LOG_READ_MS, .err = err};
    struct accesslog_storage storage = api_log_storage(&reader);
    uint64_t from = (uint64_t)json_integer_value(json_object_get(request->answer, "from"));
    uint64_t to = (uint64_t)json_integer_value(json_object_get(request->answer, "to"));
    if (accesslog_prove_consistency(&storage, from, to, proof, &count) != ACCESSLOG_OK)
        return store_alive(store) ? CT_DB : CT_DB_LOST;
    bool done = ct_json_set(request->answer, "proof", proof_of(proof, count));
    const char *note = to == context->checkpoint_size ? context->checkpoint_note : NULL;
    done = ct_json_set(request->answer, "checkpoint",
                       note == NULL ? json_null() : json_string(note)) &&
           done;
    return done ? CT_OK : CT_NO_MEMORY;
}

static enum ct_status consistency_finish(struct api_context *context, struct store *store,
                                         struct api_request **requests, size_t count,
                                         const struct store_result *result, struct ct_error *err)
{
    enum ct_status status = api_generic_finish(context, store, requests, count, result, err);
    for (size_t i = 0; i < count && status == CT_OK; i++) {
        if (requests[i]->error == API_ERROR_NONE)
            status = consistency_one(context, store, requests[i], err);
    }
    return status;
}

const struct api_handler api_log_consistency = {
    .before = consistency_before,
    .start = api_generic_start,
    .finish = consistency_finish,
};

/* ---- below /log/ --------------------------------------------------------------------------------
 */

/* Answered by keeper/log_view.c, after the commit. */
const struct api_handler api_log_view = {.before = NULL};
