// SPDX-License-Identifier: Apache-2.0
#include "api/exhibits.h"
#include "api/trace.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Look-ups of one trace. Four unread characters leave 841 words; what a reading leaves beyond this
 * many counts as unlisted, it is not forgotten. */
#define LOOKUPS_MAX 4096

static void trace_free(void *own)
{
    struct api_trace *trace = own;
    api_examination_return(trace->examinations, trace->examination);
    api_specimens_free(&trace->specimens);
    json_decref(trace->asked);
    free(trace->asked_text);
    free(trace->sealed.bytes);
    free(trace);
}

/* ---- before: the request, and what to look up ------------------------------------------------ */

static void link_hits(struct api_trace *trace)
{
    const struct api_specimens *specimens = &trace->specimens;
    for (unsigned i = 1; i < specimens->specimen_count; i++) {
        for (unsigned k = 0; k < i && specimens->specimen[i].nibin_hit != NULL; k++) {
            const char *other = specimens->specimen[k].nibin_hit;
            if (other != NULL && strcmp(other, specimens->specimen[i].nibin_hit) == 0)
                microstamp_examination_link(trace->examination, k, i);
        }
    }
}

static enum ct_status plan(const struct api_context *context, struct api_trace *trace)
{
    const struct api_specimens *specimens = &trace->specimens;
    if (api_specimens_examine(context, specimens, trace->examination) != CT_OK)
        return CT_NO_MEMORY;
    link_hits(trace);
    return microstamp_examination_plan(trace->examination, LOOKUPS_MAX, &trace->lookup,
                                       &trace->lookup_count) == MICROSTAMP_OK
               ? CT_OK
               : CT_NO_MEMORY;
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

void api_trace_read_specimens(struct api_context *context, struct api_request *request,
                              const json_t *specimens)
{
    struct api_trace *trace = request->own;
    note_asked(request);
    if (api_specimens_read(context, request, specimens, &trace->specimens) &&
        plan(context, trace) != CT_OK)
        api_refuse(request, API_ERROR_INTERNAL, NULL, "out of memory");
}

struct api_trace *api_trace_make(struct api_context *context, struct api_request *request)
{
    struct api_trace *trace = calloc(1, sizeof *trace);
    if (trace == NULL) {
        api_refuse(request, API_ERROR_INTERNAL, NULL, "out of memory");
        return NULL;
    }
    request->own = trace;
    request->own_free = trace_free;
    trace->examinations = &context->examinations;
    trace->examination = api_examination_take(&context->examinations);
    if (trace->examination == NULL) {
        api_refuse(request, API_ERROR_INTERNAL, NULL, "out of memory");
        return NULL;
    }
    randombytes_buf(trace->id, sizeof trace->id);
    ct_id_format("trc", trace->id, trace->id_text);
    return trace;
}

static void create_before(struct api_context *context, struct api_request *request)
{
    const json_t *specimens = json_object_get(request->body, "specimens");
    struct api_trace *trace = api_trace_make(context, request);
    if (trace == NULL)
        return;
    api_occasion_read(request, &trace->incident_from, &trace->incident_to);
    api_exhibits_read(request, specimens);
    api_trace_read_specimens(context, request, specimens);
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
    const struct api_trace *trace = request->own;
    const char *urgency =
        ct_json_string(trace->asked == NULL ? request->body : trace->asked, "urgency");
    return urgency == NULL ? "routine" : urgency;
}

static const char *exhibit_of(const struct api_request *request)
{
    return ((const struct api_trace *)request->own)->specimens.specimen[0].exhibit;
}

static const char *state_of(const struct api_request *request)
{
    return ((const struct api_trace *)request->own)->state;
}

/* The whole question: as sent, or what a version before it asked with what was read now. */
static void add_asked(struct store_params *params, const struct api_request *request)
{
    const struct api_trace *trace = request->own;
    if (trace->asked_text != NULL)
        store_element_text(params, trace->asked_text);
    else
        store_element_bytes(params, request->sent, request->sent_length);
}

enum ct_status api_trace_record(struct api_context *context, struct store *store,
                                const uint8_t batch[CT_UUID_BYTES], struct api_request **requests,
                                size_t count, bool *ret_queued)
{
    (void)context;
    struct store_params params;
    enum ct_status status;
    store_params_init(&params);
    store_param_uuid(&params, batch);
    api_add_ordinals(&params, requests, count);
    store_array_open(&params, STORE_UUID);
    for (size_t i = 0; i < count; i++)
        store_element_bytes(&params, requests[i]->resource, CT_UUID_BYTES);
    store_array_close(&params);
    api_add_askers(&params, requests, count);
    add_texts(&params, requests, count, case_number_of);
    add_texts(&params, requests, count, state_of);
    store_array_open(&params, STORE_TEXT);
    for (size_t i = 0; i < count; i++)
        add_asked(&params, requests[i]);
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
    .start = api_trace_start,
    .finish = api_trace_finish,
    .record = api_trace_record,
    .render_text = api_trace_answer_text,
    .render = api_trace_answer_render,
};
