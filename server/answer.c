// SPDX-License-Identifier: Apache-2.0
#include "server/answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define JSON "application/json"
#define PROBLEM ANSWER_PROBLEM_TYPE

static bool add(struct MHD_Response *response, const char *name, const char *value)
{
    return MHD_add_response_header(response, name, value) == MHD_YES;
}

/* The headers that every answer has but for what may be kept, which the next one adds. */
static bool add_fixed(struct MHD_Response *response, const struct answer_frame *frame)
{
    /* Over plain HTTP, on loopback, a promise about TLS would be none. */
    return add(response, "X-Content-Type-Options", "nosniff") &&
           add(response, "Request-Id", frame->request_id) &&
           (frame->listener == API_LISTENER_OPERATOR ||
            add(response, "Strict-Transport-Security", "max-age=63072000")) &&
           (!frame->close || add(response, "Connection", "close"));
}

static bool add_common(struct MHD_Response *response, const struct answer_frame *frame)
{
    return add(response, "Cache-Control", "no-store") && add_fixed(response, frame);
}

/* Queues and lets go of a response; one that was not completed ends the connection. */
static enum MHD_Result queue(const struct answer_frame *frame, unsigned status,
                             struct MHD_Response *response, bool complete)
{
    enum MHD_Result result = MHD_NO;
    if (complete)
        result = MHD_queue_response(frame->connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* A body made by jansson, which is consumed. */
static enum MHD_Result answer_json(const struct answer_frame *frame, unsigned status,
                                   const char *media_type, json_t *body_take,
                                   const char *const headers[][2], size_t header_count)
{
    char *text = body_take == NULL ? NULL : ct_json_text(body_take);
    json_decref(body_take);
    if (text == NULL)
        return MHD_NO;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(text);
        return MHD_NO;
    }
    bool complete = add(response, "Content-Type", media_type) && add_common(response, frame);
    for (size_t i = 0; i < header_count && complete; i++)
        complete = add(response, headers[i][0], headers[i][1]);
    return queue(frame, status, response, complete);
}

enum MHD_Result answer_problem(const struct answer_frame *frame, enum api_error error,
                               const char *detail, const char *pointer, const char *allow)
{
    const struct api_error_entry *entry = &api_errors[error];
    char type[100];
    char seconds[8];
    const char *headers[2][2];
    size_t header_count = 0;
    if (detail == NULL)
        detail = entry->title;
    (void)snprintf(type, sizeof type, "urn:casetrace:error:%s", entry->name);
    json_t *errors = pointer == NULL || pointer[0] == '\0'
                         ? json_array()
                         : json_pack("[{s:s, s:s}]", "pointer", pointer, "detail", detail);
    json_t *body = json_pack("{s:s, s:s, s:s, s:i, s:s, s:o, s:s}", "type", type, "code",
                             entry->name, "title", entry->title, "status", (int)entry->status,
                             "detail", detail, "errors", errors, "request_id", frame->request_id);
    if (allow != NULL) {
        headers[header_count][0] = "Allow";
        headers[header_count++][1] = allow;
    }
    if (entry->retry_after_s != 0) {
        (void)snprintf(seconds, sizeof seconds, "%u", (unsigned)entry->retry_after_s);
        headers[header_count][0] = "Retry-After";
        headers[header_count++][1] = seconds;
    }
    return answer_json(frame, entry->status, PROBLEM, body, headers, header_count);
}

enum MHD_Result answer_message(const struct answer_frame *frame,
                               const struct message_answer *answer, uint8_t *memory_take,
                               const char *media_type)
{
    /* The library takes the buffer as not const and leaves it as it is. */
    void *body = memory_take + (answer->body - memory_take);
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        answer->body_length, body, free, memory_take);
    if (response == NULL) {
        free(memory_take);
        return MHD_NO;
    }
    bool complete = add_fixed(response, frame);
    bool says_cache = false; /* only the view of the log does */
    for (unsigned i = 0; i < answer->header_count && complete; i++) {
        says_cache = says_cache || strcasecmp(answer->headers[i].name, "Cache-Control") == 0;
        if (strcasecmp(answer->headers[i].name, "Content-Type") == 0)
            media_type = answer->headers[i].value;
        else
            complete = add(response, answer->headers[i].name, answer->headers[i].value);
    }
    if (!says_cache)
        complete = complete && add(response, "Cache-Control", "no-store");
    if (answer->body_length > 0 || answer->status == MHD_HTTP_OK) /* an export may have no line */
        complete = complete && add(response, "Content-Type", media_type);
    return queue(frame, answer->status, response, complete);
}

enum MHD_Result answer_metrics(const struct answer_frame *frame, struct ct_buf *text_take,
                               const char *media_type)
{
    struct MHD_Response *response = NULL;
    if (!text_take->failed)
        response = MHD_create_response_from_buffer(text_take->length, text_take->data,
                                                   MHD_RESPMEM_MUST_COPY);
    ct_buf_free(text_take);
    if (response == NULL)
        return MHD_NO;
    return queue(frame, 200, response,
                 add(response, "Content-Type", media_type) && add_common(response, frame));
}

enum MHD_Result answer_live(const struct answer_frame *frame)
{
    return answer_json(frame, 200, JSON, json_pack("{s:s}", "state", "live"), NULL, 0);
}

enum MHD_Result answer_keeper_away(const struct answer_frame *frame)
{
    json_t *body = json_pack("{s:s, s:[{s:s, s:s, s:s}]}", "state", "not_ready", "checks", "name",
                             "keeper", "state", "failed", "detail", "the keeper does not answer");
    return answer_json(frame, 503, JSON, body, NULL, 0);
}
