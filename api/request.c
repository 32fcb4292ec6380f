// SPDX-License-Identifier: Apache-2.0
#include "api/api.h"

#include <stdlib.h>
#include <string.h>

static void forget_outcome(struct api_request *request)
{
    if (request->own_free != NULL)
        request->own_free(request->own);
    request->own = NULL;
    request->own_free = NULL;
    json_decref(request->answer);
    free(request->asked);
    free(request->touched);
    json_decref(request->input);
    free(request->recorded);
    free(request->version.withheld);
    free(request->told);
    request->answer = NULL;
    request->asked = NULL;
    request->touched = NULL;
    request->input = NULL;
    request->recorded = NULL;
    request->version = (struct api_version){0};
    request->exhibit_count = 0;
    request->unread = 0;
    request->error = API_ERROR_NONE;
    request->has_resource = false;
    request->candidates = -1;
    request->state = NULL;
    request->retry_after_s = 0;
    request->disclosed = 0;
    request->told = NULL;
    request->told_count = 0;
    request->guns = 0;
    request->unmatched = 0;
    request->header_count = 0;
    request->read_first = 0;
    request->read_count = 0;
    request->seal_broken = false;
    request->attachment[0] = '\0';
    request->replay = (struct api_replay){0};
}

void api_request_clear(struct api_request *request)
{
    forget_outcome(request);
    json_decref(request->path);
    json_decref(request->query);
    json_decref(request->body);
    *request = (struct api_request){0};
}

void api_request_reset(struct api_request *request)
{
    forget_outcome(request);
    json_decref(request->path);
    json_decref(request->query);
    request->path = NULL;
    request->query = NULL;
    request->case_number = NULL;
    request->purpose = NULL;
    request->identity = (struct api_identity){0};
}

void api_refuse(struct api_request *request, enum api_error error, const char *pointer,
                const char *detail)
{
    if (request->error != API_ERROR_NONE)
        return;
    request->error = error;
    json_decref(request->answer);
    request->answer = json_pack("{s:s}", "detail", detail);
    if (pointer != NULL && request->answer != NULL)
        (void)json_object_set_new(request->answer, "errors",
                                  json_pack("[{s:s, s:s}]", "pointer", pointer, "detail", detail));
}

/* ---- the generic steps ------------------------------------------------------------------- */

/* {"path": …, "query": …, "body": …, "roles": […]}, and what a before step added at the top. */
static enum ct_status complete_input(struct api_request *request)
{
    if (request->input == NULL)
        request->input = json_object();
    json_t *roles = json_array();
    for (unsigned role = 0; role < API_ROLES; role++) {
        if ((request->identity.roles >> role & 1) != 0)
            (void)json_array_append_new(roles, json_string(api_role_names[role]));
    }
    bool done = json_object_set_new(request->input, "roles", roles) == 0;
    if (request->path != NULL && json_object_get(request->input, "path") == NULL)
        done = done && json_object_set(request->input, "path", request->path) == 0;
    if (request->query != NULL)
        done = done && json_object_set(request->input, "query", request->query) == 0;
    if (request->body != NULL && json_object_get(request->input, "body") == NULL)
        done = done && json_object_set(request->input, "body", request->body) == 0;
    return done ? CT_OK : CT_NO_MEMORY;
}

void api_add_ordinals(struct store_params *params, struct api_request **requests, size_t count)
{
    store_array_open(params, STORE_INT);
    for (size_t i = 0; i < count; i++)
        store_element_int(params, (int32_t)requests[i]->ordinal);
    store_array_close(params);
}

void api_add_askers(struct store_params *params, struct api_request **requests, size_t count)
{
    store_array_open(params, STORE_UUID);
    for (size_t i = 0; i < count; i++)
        store_element_bytes(params, requests[i]->identity.account, CT_UUID_BYTES);
    store_array_close(params);
    store_array_open(params, STORE_UUID);
    for (size_t i = 0; i < count; i++)
        store_element_bytes(params, requests[i]->identity.organization, CT_UUID_BYTES);
    store_array_close(params);
}

enum ct_status api_generic_start(struct api_context *context, struct store *store,
                                 const uint8_t batch[CT_UUID_BYTES], struct api_request **requests,
                                 size_t count)
{
    (void)context;
    struct store_params params;
    enum ct_status status = CT_OK;
    store_params_init(&params);
    store_param_uuid(&params, batch);
    api_add_ordinals(&params, requests, count);
    api_add_askers(&params, requests, count);
    store_array_open(&params, STORE_JSONB);
    for (size_t i = 0; i < count && status == CT_OK; i++) {
        status = complete_input(requests[i]);
        char *text = status == CT_OK ? ct_json_text(requests[i]->input) : NULL;
        if (text == NULL)
            status = CT_NO_MEMORY;
        else
            store_element_jsonb(&params, text);
        free(text);
    }
    store_array_close(&params);
    if (status == CT_OK)
        status = store_queue(store, requests[0]->sql, &params);
    store_params_free(&params);
    return status;
}

static enum ct_status take_outcome(struct api_request *request, const char *outcome,
                                   const char *answer, const char *touched, struct ct_error *err)
{
    if (answer != NULL) {
        request->answer = json_loads(answer, JSON_DECODE_ANY, NULL);
        if (request->answer == NULL)
            return CT_NO_MEMORY;
    }
    if (touched != NULL) {
        request->touched = strdup(touched);
        if (request->touched == NULL)
            return CT_NO_MEMORY;
    }
    enum api_error error = api_error_of(outcome);
    if (error == API_ERRORS) {
        ct_error_set(err, "unknown outcome %s", outcome);
        return CT_DB;
    }
    request->error = error;
    return CT_OK;
}

enum ct_status api_generic_finish(struct api_context *context, struct store *store,
                                  struct api_request **requests, size_t count,
                                  const struct store_result *result, struct ct_error *err)
{
    (void)context;
    (void)store;
    size_t answered = 0;
    for (size_t row = 0; row < store_rows(result); row++) {
        uint32_t ordinal = (uint32_t)store_get_int(result, row, 0);
        const char *outcome = store_get_text(result, row, 1);
        for (size_t i = 0; i < count; i++) {
            if (requests[i]->ordinal != ordinal || outcome == NULL)
                continue;
            enum ct_status status =
                take_outcome(requests[i], outcome, store_get_jsonb(result, row, 2),
                             store_get_jsonb(result, row, 3), err);
            if (status != CT_OK)
                return status;
            answered++;
        }
    }
    if (answered != count || store_rows(result) != count) {
        ct_error_set(err, "%s answered %zu of %zu requests", api_statements[requests[0]->sql].name,
                     answered, count);
        return CT_DB;
    }
    return CT_OK;
}
