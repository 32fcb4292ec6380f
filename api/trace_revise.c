// SPDX-License-Identifier: Apache-2.0
/* POST /v1/traces/{id}/readings: a new version of a trace. It stands alone in its batch, so that
 * two versions never come from the same one. */

#include "api/exhibits.h"
#include "api/trace.h"

#include <stdlib.h>
#include <string.h>

#define FURTHER_MS 10000

/* Columns of api.trace_newest(). */
enum { NEWEST_PLACE, NEWEST_ROOT, NEWEST_ID, NEWEST_VERSION, NEWEST_CASE, NEWEST_REQUEST };

static void revise_before(struct api_context *context, struct api_request *request)
{
    const json_t *specimens = json_object_get(request->body, "specimens");
    struct api_trace *trace = api_trace_make(context, request);
    if (trace == NULL)
        return;
    request->version.reason = ct_json_string(request->body, "reason");
    api_exhibits_read(request, specimens);
    api_trace_read_specimens(context, request, specimens);
}

static enum ct_status revise_start(struct api_context *context, struct store *store,
                                   const uint8_t batch[CT_UUID_BYTES],
                                   struct api_request **requests, size_t count)
{
    (void)context;
    (void)batch;
    struct store_params params;
    uint8_t id[CT_UUID_BYTES];
    const char *text = ct_json_string(requests[0]->path, "id"); /* trc_, 32 hexadecimal digits */
    if (count != 1 || text == NULL || strlen(text) < 4 ||
        ct_hex_decode(text + 4, strlen(text + 4), id, sizeof id) != CT_OK)
        return CT_BAD_INPUT;
    store_params_init(&params);
    store_array_open(&params, STORE_UUID);
    store_element_bytes(&params, id, sizeof id);
    store_array_close(&params);
    store_array_open(&params, STORE_UUID);
    store_element_bytes(&params, requests[0]->identity.organization, CT_UUID_BYTES);
    store_array_close(&params);
    enum ct_status status = store_queue(store, API_SQL_trace_newest, &params);
    store_params_free(&params);
    return status;
}

/* What the version before asked, with the new specimens: that is what this version asks. */
static enum ct_status take_over(struct api_request *request, const struct store_result *newest)
{
    struct api_trace *trace = request->own;
    const char *text = store_get_text(newest, 0, NEWEST_REQUEST);
    const json_t *incident;
    trace->asked = text == NULL ? NULL : json_loads(text, 0, NULL);
    if (trace->asked == NULL || json_object_set(trace->asked, "specimens",
                                                json_object_get(request->body, "specimens")) != 0)
        return CT_NO_MEMORY;
    trace->asked_text = ct_json_text(trace->asked);
    incident = json_object_get(trace->asked, "incident");
    trace->incident_from = ct_json_string(incident, "from");
    trace->incident_to = ct_json_string(incident, "to");
    request->case_number = ct_json_string(trace->asked, "case_number");
    request->purpose = ct_json_string(trace->asked, "purpose");
    request->version.number = store_get_int(newest, 0, NEWEST_VERSION) + 1;
    memcpy(request->version.root, store_get_uuid(newest, 0, NEWEST_ROOT), CT_UUID_BYTES);
    memcpy(request->version.supersedes, store_get_uuid(newest, 0, NEWEST_ID), CT_UUID_BYTES);
    return trace->asked_text == NULL || trace->incident_to == NULL || trace->incident_from == NULL
               ? CT_NO_MEMORY
               : CT_OK;
}

static enum ct_status revise_finish(struct api_context *context, struct store *store,
                                    struct api_request **requests, size_t count,
                                    const struct store_result *result, struct ct_error *err)
{
    static const uint8_t no_batch[CT_UUID_BYTES];
    struct store_result *results[2] = {NULL, NULL};
    if (store_rows(result) == 0) {
        api_refuse(requests[0], API_ERROR_NOT_FOUND, NULL, "there is no such trace");
        return CT_OK;
    }
    enum ct_status status = take_over(requests[0], result);
    if (status == CT_OK)
        status = api_exhibits_look(context, store, no_batch, requests, count);
    if (status == CT_OK)
        status = api_trace_start(context, store, no_batch, requests, count);
    if (status == CT_OK)
        status = store_run(store, ct_mono_ms() + FURTHER_MS, results, 2, err);
    if (status == CT_OK)
        status = api_exhibits_seen(requests, count, results[0]);
    if (status == CT_OK)
        status = api_trace_finish(context, store, requests, count, results[1], err);
    store_result_free(results[0]);
    store_result_free(results[1]);
    return status;
}

static enum ct_status revise_record(struct api_context *context, struct store *store,
                                    const uint8_t batch[CT_UUID_BYTES],
                                    struct api_request **requests, size_t count, bool *ret_queued)
{
    *ret_queued = false;
    if (requests[0]->error != API_ERROR_NONE)
        return CT_OK;
    return api_trace_record(context, store, batch, requests, count, ret_queued);
}

const struct api_handler api_traces_revise = {
    .before = revise_before,
    .start = revise_start,
    .finish = revise_finish,
    .record = revise_record,
    .render_text = api_trace_answer_text,
    .render = api_trace_answer_render,
};
