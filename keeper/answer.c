// SPDX-License-Identifier: Apache-2.0
#include "keeper/internal.h"

#include "keeper/log_view.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define LINK_ROOM 2048

static void add_header(struct message_answer *answer, const char *name, const char *value)
{
    if (answer->header_count < MESSAGE_HEADERS_MAX)
        answer->headers[answer->header_count++] =
            (struct message_pair){.name = name, .value = value};
}

static struct message_answer answer_to(const struct ticket *ticket, uint16_t status,
                                       const char *media_type)
{
    struct message_answer answer = {.id = ticket->message.id, .status = status};
    memcpy(answer.boot, ticket->message.boot, MESSAGE_BOOT_BYTES);
    add_header(&answer, "Content-Type", media_type);
    return answer;
}

/* An answer that does not fit its frame is replaced by one that says so: silence would only be
 * noticed by the front's deadline. */
static void encode(struct ct_buf *out, const struct message_answer *answer)
{
    static const char body[] =
        "{\"type\":\"urn:casetrace:error:internal\",\"title\":\"Something went wrong here\","
        "\"status\":500,\"code\":\"internal\",\"detail\":\"the answer is too large\","
        "\"errors\":[],\"request_id\":null}";
    struct message_answer instead = *answer;
    if (message_answer_encode(out, answer) == CT_OK)
        return;
    ct_log(CT_LOG_ERROR, "an answer of %zu bytes does not fit its frame", answer->body_length);
    instead.status = 500;
    instead.header_count = 1;
    instead.headers[0] = (struct message_pair){"Content-Type", "application/problem+json"};
    instead.body = (const uint8_t *)body;
    instead.body_length = sizeof body - 1;
    if (message_answer_encode(out, &instead) != CT_OK)
        ct_log(CT_LOG_ERROR, "nor does the answer that says so");
}

void answer_text(struct ct_buf *out, const struct ticket *ticket, uint16_t status,
                 const char *media_type, const char *body, size_t length)
{
    struct message_answer answer = answer_to(ticket, status, media_type);
    answer.body = (const uint8_t *)body;
    answer.body_length = length;
    encode(out, &answer);
}

void answer_bytes(struct ct_buf *out, const struct ticket *ticket,
                  const struct message_pair *headers, unsigned header_count, const void *body,
                  size_t length)
{
    struct message_answer answer = {.id = ticket->message.id,
                                    .status = api_routes[ticket->request.operation].success_status};
    memcpy(answer.boot, ticket->message.boot, MESSAGE_BOOT_BYTES);
    for (unsigned i = 0; i < header_count; i++)
        add_header(&answer, headers[i].name, headers[i].value);
    answer.body = body;
    answer.body_length = length;
    encode(out, &answer);
}

/* ---- problems ------------------------------------------------------------------------------ */

static json_t *problem_of(const struct ticket *ticket, enum api_error error, const json_t *answer)
{
    char request_id[MESSAGE_REQUEST_ID_TEXT];
    char type[128];
    const struct api_error_entry *entry = &api_errors[error];
    const json_t *detail = json_object_get(answer, "detail");
    const json_t *errors = json_object_get(answer, "errors");
    message_request_id(ticket->message.boot, ticket->message.id, request_id);
    (void)snprintf(type, sizeof type, "urn:casetrace:error:%s", entry->name);
    json_t *problem =
        json_pack("{s:s, s:s, s:i, s:s, s:s}", "type", type, "title", entry->title, "status",
                  entry->status, "code", entry->name, "request_id", request_id);
    (void)json_object_set_new(problem, "detail",
                              json_is_string(detail) ? json_copy((json_t *)detail)
                                                     : json_string(entry->title));
    (void)json_object_set_new(problem, "errors",
                              json_is_array(errors) ? json_incref((json_t *)errors) : json_array());
    return problem;
}

static void answer_problem(struct ct_buf *out, const struct ticket *ticket, enum api_error error,
                           const json_t *details, const char *entry)
{
    char retry[12];
    struct message_answer answer =
        answer_to(ticket, api_errors[error].status, "application/problem+json");
    unsigned retry_after_s = ticket->request.retry_after_s > 0 ? ticket->request.retry_after_s
                                                               : api_errors[error].retry_after_s;
    if (retry_after_s > 0) {
        (void)snprintf(retry, sizeof retry, "%u", retry_after_s);
        add_header(&answer, "Retry-After", retry);
    }
    if (error == API_ERROR_UNAUTHORIZED)
        add_header(&answer, "WWW-Authenticate", "Bearer");
    if (entry != NULL)
        add_header(&answer, "Access-Log-Entry", entry);
    json_t *problem = problem_of(ticket, error, details);
    char *text = ct_json_text(problem);
    answer.body = (const uint8_t *)text;
    answer.body_length = text == NULL ? 0 : strlen(text);
    encode(out, &answer);
    free(text);
    json_decref(problem);
}

void answer_error(struct ct_buf *out, const struct ticket *ticket, enum api_error error,
                  const char *detail)
{
    json_t *details = detail == NULL ? NULL : json_pack("{s:s}", "detail", detail);
    answer_problem(out, ticket, error, details, NULL);
    json_decref(details);
}

void answer_refusal(struct ct_buf *out, const struct ticket *ticket)
{
    answer_problem(out, ticket, ticket->request.error, ticket->request.answer, NULL);
}

void answer_list(struct keeper *keeper, struct ticket *list, enum api_error error)
{
    struct ct_buf out;
    uint8_t boot[MESSAGE_BOOT_BYTES] = {0};
    ct_buf_init(&out, 64u << 20);
    while (list != NULL) {
        struct ticket *ticket = list;
        list = ticket->next;
        atomic_fetch_add(&keeper->stats.errors[error], 1);
        memcpy(boot, ticket->message.boot, sizeof boot);
        answer_error(&out, ticket, error, NULL);
        ticket_free(ticket);
    }
    link_send(keeper, boot, &out);
    ct_buf_free(&out);
}

/* ---- answers of committed requests ----------------------------------------------------------- */

static void append_escaped(char *text, size_t *length, size_t room, const char *value)
{
    static const char digits[] = "0123456789ABCDEF";
    for (; *value != '\0' && *length + 4 < room; value++) {
        unsigned char c = (unsigned char)*value;
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '_' || c == '.' || c == '~') {
            text[(*length)++] = (char)c;
        } else {
            text[(*length)++] = '%';
            text[(*length)++] = digits[c >> 4];
            text[(*length)++] = digits[c & 15];
        }
    }
    text[*length] = '\0';
}

/* The next page of a list: the same request with the answer's cursor. Lists have no parameters in
 * their path. False when there is none. */
static bool next_link(const struct ticket *ticket, const json_t *body, char ret[LINK_ROOM])
{
    const char *cursor = ct_json_string(body, "next_cursor");
    const struct api_route *route = &api_routes[ticket->request.operation];
    if (cursor == NULL || route->parameter_count > 0)
        return false;
    int start = snprintf(ret, LINK_ROOM, "<%s?cursor=", route->path);
    size_t length = (size_t)start;
    append_escaped(ret, &length, LINK_ROOM - 16, cursor);
    for (unsigned i = 0; i < ticket->message.query_count; i++) {
        const struct message_pair *pair = &ticket->message.query[i];
        if (strcmp(pair->name, "cursor") == 0 || length + 8 > LINK_ROOM - 16)
            continue;
        ret[length++] = '&';
        append_escaped(ret, &length, LINK_ROOM - 16, pair->name);
        ret[length++] = '=';
        append_escaped(ret, &length, LINK_ROOM - 16, pair->value);
    }
    (void)snprintf(ret + length, LINK_ROOM - length, ">; rel=\"next\"");
    return true;
}

/* A body that is text already; its place is kept from request to request. */
static bool answer_rendered(struct ct_buf *out, struct lane *lane, struct ticket *ticket,
                            const struct api_receipt *receipt, const char *entry)
{
    const struct api_handler *handler = api_handler_of(ticket->request.sql);
    const struct api_route *route = &api_routes[ticket->request.operation];
    struct ct_buf *body = &lane->body;
    ct_buf_reset(body);
    if (handler->render_text == NULL ||
        !handler->render_text(&lane->context, &ticket->request, receipt, body))
        return false;
    bool whole = !body->failed;
    if (whole) {
        struct message_answer answer = answer_to(ticket, route->success_status, route->media_type);
        if (entry != NULL)
            add_header(&answer, "Access-Log-Entry", entry);
        for (unsigned i = 0; i < ticket->request.header_count; i++)
            add_header(&answer, ticket->request.headers[i].name, ticket->request.headers[i].value);
        answer.body = body->data;
        answer.body_length = body->length;
        encode(out, &answer);
    }
    sodium_memzero(body->data, body->length); /* a purchaser may be in it */
    return whole;
}

static void answer_body(struct ct_buf *out, const struct ticket *ticket, const json_t *body,
                        const char *entry)
{
    char link[LINK_ROOM];
    char saved[96];
    const struct api_route *route = &api_routes[ticket->request.operation];
    struct message_answer answer = answer_to(ticket, route->success_status, route->media_type);
    char *text = NULL;
    if (entry != NULL)
        add_header(&answer, "Access-Log-Entry", entry);
    if (ticket->request.attachment[0] != '\0') {
        answer.headers[0].value = "text/plain; charset=utf-8";
        (void)snprintf(saved, sizeof saved, "attachment; filename=\"%s\"",
                       ticket->request.attachment);
        add_header(&answer, "Content-Disposition", saved);
    }
    if (json_is_string(body)) { /* a document that is not JSON */
        answer.body = (const uint8_t *)json_string_value(body);
        answer.body_length = json_string_length(body);
    } else if (body != NULL) {
        if (next_link(ticket, body, link))
            add_header(&answer, "Link", link);
        text = ct_json_text(body);
        answer.body = (const uint8_t *)text;
        answer.body_length = text == NULL ? 0 : strlen(text);
    }
    encode(out, &answer);
    if (text != NULL)
        sodium_memzero(text, answer.body_length); /* a purchaser or a key may be in it */
    free(text);
}

void answer_request(struct ct_buf *out, struct lane *lane, struct ticket *ticket,
                    const struct api_receipt *receipt)
{
    struct api_request *request = &ticket->request;
    char entry_text[24];
    const char *entry = NULL;
    atomic_fetch_add(&lane->keeper->stats.errors[request->error], 1);
    if (request->identity.is_agency) {
        (void)snprintf(entry_text, sizeof entry_text, "%llu", (unsigned long long)receipt->entry);
        entry = entry_text;
    }
    if (request->error != API_ERROR_NONE) {
        answer_problem(out, ticket, request->error, request->answer, entry);
        return;
    }
    if (log_view_has(request->operation)) {
        log_view_finish(lane->keeper, ticket, receipt->entry, entry, out);
        return;
    }
    if (answer_rendered(out, lane, ticket, receipt, entry))
        return;
    const struct api_handler *handler = api_handler_of(request->sql);
    json_t *body = handler->render == NULL ? json_incref(request->answer)
                                           : handler->render(&lane->context, request, receipt);
    if (body != NULL)
        answer_body(out, ticket, body, entry);
    else
        answer_problem(out, ticket, API_ERROR_INTERNAL, NULL, entry);
    json_decref(body);
}
