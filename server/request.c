// SPDX-License-Identifier: Apache-2.0
#include "server/request.h"

#include "keeper/limits.h"
#include "server/answer.h"
#include "server/http_check.h"

#include <stdlib.h>
#include <string.h>

enum phase {
    PHASE_HEAD,    /* until the library has the whole head */
    PHASE_BODY,    /* collecting */
    PHASE_DISCARD, /* refused; the rest of the body is read and forgotten */
    PHASE_CHECK,   /* suspended, the checker reads the body */
    PHASE_WAIT,    /* suspended, the keeper has it */
    PHASE_DONE,    /* an answer was queued */
};

struct request {
    struct link_entry entry;
    struct checker_entry check;
    struct front_listener *listener;
    struct MHD_Connection *connection;
    struct connection *socket;
    enum phase phase;
    bool active; /* counted in front->active */
    enum api_operation operation;
    struct api_route_match match;
    struct http_facts facts;
    struct http_target target;
    struct ct_buf body;
    size_t large_bytes; /* of the body, counted in front->large_bodies */
    size_t discarded;

    /* A refusal by the front, API_ERROR_NONE if there is none. */
    enum api_error error;
    struct http_refusal refusal;
    const char *allow;
    bool close; /* the connection cannot be trusted after this request */

    const char *sent_target; /* where the library has it; changed by it after request_begin() */
    size_t target_length;
    char text[]; /* a copy of the target */
};

static const struct link_entry no_entry;

/* ---- begin and end --------------------------------------------------------------------- */

void *request_begin(void *cls, const char *target, struct MHD_Connection *connection)
{
    size_t length = target == NULL ? 0 : strlen(target);
    /* A longer one is refused without being looked at. */
    size_t kept = length > HTTP_TARGET_MAX ? 0 : length;
    struct request *request = malloc(sizeof *request + kept + 1);
    if (request == NULL)
        return NULL;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    request->entry = no_entry;
    request->listener = cls;
    (void)atomic_fetch_add_explicit(&request->listener->front->requests, 1, memory_order_relaxed);
    request->connection = connection;
    request->socket = info == NULL ? NULL : info->socket_context;
    request->phase = PHASE_HEAD;
    request->active = false;
    request->operation = API_OPERATIONS;
    ct_buf_init(&request->body, 0);
    request->large_bytes = 0;
    request->discarded = 0;
    request->error = API_ERROR_NONE;
    request->refusal = (struct http_refusal){.detail = NULL};
    request->allow = NULL;
    request->close = false;
    request->sent_target = target;
    request->target_length = length;
    if (kept > 0)
        memcpy(request->text, target, kept);
    request->text[kept] = '\0';
    return request;
}

static void free_body(struct front *front, struct ct_buf *body, size_t large_bytes)
{
    if (large_bytes > 0)
        (void)atomic_fetch_sub(&front->large_bodies, large_bytes);
    ct_buf_free(body);
}

static void release_body(struct request *request)
{
    free_body(request->listener->front, &request->body, request->large_bytes);
    request->large_bytes = 0;
}

void request_end(void *cls, struct MHD_Connection *connection, void **con_cls,
                 enum MHD_RequestTerminationCode code)
{
    struct request *request = *con_cls;
    (void)cls;
    (void)connection;
    (void)code;
    if (request == NULL)
        return;
    *con_cls = NULL;
    release_body(request);
    free(request->entry.memory);
    if (request->active)
        (void)atomic_fetch_sub(&request->listener->front->active, 1);
    if (request->socket != NULL)
        connection_expect(request->socket, LIMIT_HEADER_MS);
    free(request);
}

/* ---- the answer ------------------------------------------------------------------------ */

#define METRICS_MAX (1u << 20)

static enum MHD_Result answer_all_metrics(struct request *request, const struct answer_frame *frame)
{
    struct ct_buf text;
    ct_buf_init(&text, METRICS_MAX);
    (void)ct_buf_append(&text, request->entry.answer.body, request->entry.answer.body_length);
    front_metrics(request->listener->front, &text);
    return answer_metrics(frame, &text, api_routes[API_OP_METRICS].media_type);
}

static enum MHD_Result answer(struct request *request)
{
    struct front *front = request->listener->front;
    struct answer_frame frame = {
        .connection = request->connection,
        .listener = request->listener->listener,
        .close = request->close || atomic_load_explicit(&front->stopping, memory_order_relaxed),
    };
    bool sent = request->phase == PHASE_WAIT;
    if (sent)
        message_request_id(request->entry.boot, request->entry.id, frame.request_id);
    else
        message_request_id(front->own_boot, request_ids_next(&front->ids), frame.request_id);
    request->phase = PHASE_DONE;
    release_body(request);
    connection_expect(request->socket, LIMIT_ANSWER_MS);

    if (request->error == API_ERROR_NONE && request->operation == API_OP_LIVEZ)
        return answer_live(&frame);
    if (request->error == API_ERROR_NONE && sent && request->entry.outcome == LINK_ANSWERED) {
        const struct message_answer *message = &request->entry.answer;
        const char *media_type = api_routes[request->operation].media_type;
        uint8_t *memory = request->entry.memory;
        if (request->operation == API_OP_METRICS && message->status == 200)
            return answer_all_metrics(request, &frame);
        request->entry.memory = NULL;
        if (message->status >= 400 && request->operation != API_OP_READYZ)
            media_type = ANSWER_PROBLEM_TYPE;
        return answer_message(&frame, message, memory, media_type);
    }
    if (request->error == API_ERROR_NONE)
        request->error = sent && request->entry.outcome == LINK_OUTCOME_UNKNOWN
                             ? API_ERROR_OUTCOME_UNKNOWN
                             : API_ERROR_NOT_ATTEMPTED;
    (void)atomic_fetch_add_explicit(&front->refusals[request->error], 1, memory_order_relaxed);
    if (request->operation == API_OP_READYZ)
        return answer_keeper_away(&frame);
    return answer_problem(&frame, request->error, request->refusal.detail, request->refusal.pointer,
                          request->allow);
}

/* ---- the head -------------------------------------------------------------------------- */

static void refuse(struct request *request, enum api_error error, const char *detail)
{
    request->error = error;
    request->refusal = (struct http_refusal){.detail = detail};
}

static void refuse_verdict(struct request *request, enum http_verdict verdict)
{
    request->close = verdict == HTTP_MALFORMED;
    request->error = verdict == HTTP_MALFORMED ? API_ERROR_MALFORMED_HTTP
                     : verdict == HTTP_INVALID ? API_ERROR_INVALID_REQUEST
                                               : API_ERROR_NOT_ACCEPTABLE_MEDIA_TYPE;
}

static enum MHD_Result collect_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                      size_t name_length, const char *value, size_t value_length)
{
    struct http_head *head = cls;
    (void)kind;
    if (head->header_count == HTTP_HEADERS_MAX) {
        head->header_count++; /* says that there were more */
        return MHD_NO;
    }
    head->headers[head->header_count++] = (struct http_header){
        .name = name,
        .name_length = name_length,
        .value = value == NULL ? "" : value,
        .value_length = value == NULL ? 0 : value_length,
    };
    return MHD_YES;
}

/* Whether the head can be trusted to mean what it says. */
static bool check_framing(struct request *request, const char *method, const char *version)
{
    struct http_head head;
    head.method = method;
    head.target = request->sent_target;
    head.target_length = request->target_length;
    head.version = version;
    head.header_count = 0;
    (void)MHD_get_connection_values_n(request->connection, MHD_HEADER_KIND, collect_header, &head);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    head.size = info == NULL ? 0 : info->header_size;

    request->close = true;
    if (head.header_count > HTTP_HEADERS_MAX) {
        refuse(request, API_ERROR_MALFORMED_HTTP, "too many header lines");
        return false;
    }
    enum http_verdict verdict = http_check_head(&head, &request->facts, &request->refusal);
    if (verdict == HTTP_MALFORMED) {
        refuse_verdict(request, verdict);
        return false;
    }
    if (request->listener->front->parses_in_place && !http_check_layout(&head)) {
        refuse(request, API_ERROR_MALFORMED_HTTP,
               "a line is folded, ends without CR, or holds a NUL or needless space");
        return false;
    }
    request->close = false;
    if (verdict != HTTP_ACCEPTED)
        refuse_verdict(request, verdict);
    return true;
}

static bool is_listed(const char *list, const char *method)
{
    size_t length = strlen(method);
    while (*list != '\0') {
        size_t word = strcspn(list, ",");
        if (word == length && memcmp(list, method, length) == 0)
            return true;
        list += word;
        list += strspn(list, ", ");
    }
    return false;
}

/* Finds the operation and takes the parameters out of the target. */
static bool find_operation(struct request *request, const char *method)
{
    struct front_listener *listener = request->listener;
    struct http_refusal refusal;
    /* Before the target: that of CONNECT is not a path, that of OPTIONS need not be one. */
    bool listed = is_listed(listener->allow, method);
    enum http_verdict verdict = HTTP_MALFORMED;
    if (request->target_length > HTTP_TARGET_MAX)
        refusal = (struct http_refusal){.detail = "the target is too long"};
    else
        verdict =
            http_parse_target(request->text, request->target_length, &request->target, &refusal);
    enum api_route_result found = API_ROUTE_NO_PATH;
    if (verdict != HTTP_MALFORMED)
        found = api_route_find(listener->listener, method, request->target.path,
                               request->target.path_length, &request->match);
    if (found == API_ROUTE_NO_METHOD || (!listed && found == API_ROUTE_NO_PATH)) {
        refuse(request, API_ERROR_METHOD_NOT_ALLOWED, NULL);
        request->allow = found == API_ROUTE_NO_METHOD ? request->match.allow : listener->allow;
        return false;
    }
    if (verdict == HTTP_MALFORMED || (verdict != HTTP_ACCEPTED && found == API_ROUTE_FOUND)) {
        request->refusal = refusal;
        refuse_verdict(request, verdict);
        return false;
    }
    if (found == API_ROUTE_NO_PATH) {
        refuse(request, API_ERROR_NOT_FOUND, "no resource has this path");
        return false;
    }
    request->operation = request->match.operation;
    for (size_t i = 0; i < request->match.parameter_count; i++) {
        size_t at = (size_t)(request->match.parameters[i].text - request->text);
        http_decode_segment(request->text + at, request->match.parameters[i].length);
    }
    return true;
}

/* What the head says about the body, against what the operation takes. */
static void check_body_head(struct request *request)
{
    const struct api_route *route = &api_routes[request->operation];
    const struct http_facts *facts = &request->facts;
    if (facts->content_length > route->body_limit || (facts->chunked && route->body_limit == 0))
        refuse(request, API_ERROR_BODY_TOO_LARGE,
               route->body_limit == 0 ? "this operation takes no body" : NULL);
    else if (route->body_limit > 0 && !facts->type_is_json)
        refuse(request, API_ERROR_NOT_ACCEPTABLE_MEDIA_TYPE, NULL);
    ct_buf_init(&request->body, route->body_limit);
}

static enum MHD_Result take_head(struct request *request, const char *method, const char *version)
{
    if (!check_framing(request, method, version)) {
        /* Before the body: the library ends the connection after this answer. */
        return answer(request);
    }
    if (request->error == API_ERROR_NONE && find_operation(request, method))
        check_body_head(request);
    const struct http_facts *facts = &request->facts;
    bool has_body = facts->chunked || facts->content_length > 0;
    if (request->error != API_ERROR_NONE) {
        if (has_body && (request->close || facts->expects_continue ||
                         facts->content_length > FRONT_DISCARD_MAX))
            return answer(request);
        request->phase = PHASE_DISCARD;
    } else {
        request->phase = PHASE_BODY;
        if (facts->content_length > 0 && facts->content_length <= FRONT_SMALL_BODY &&
            ct_buf_reserve(&request->body, (size_t)facts->content_length) != CT_OK)
            return MHD_NO;
    }
    if (has_body)
        connection_expect(request->socket, LIMIT_BODY_MS);
    return MHD_YES;
}

/* ---- the body -------------------------------------------------------------------------- */

static enum MHD_Result take_body(struct request *request, const char *bytes, size_t count)
{
    struct front *front = request->listener->front;
    if (request->phase == PHASE_BODY) {
        size_t length = request->body.length + count;
        size_t large = length > FRONT_SMALL_BODY ? length - request->large_bytes : 0;
        size_t others = large == 0 ? 0 : atomic_fetch_add(&front->large_bodies, large);
        request->large_bytes += large;
        if (others + large > FRONT_LARGE_BODIES) {
            refuse(request, API_ERROR_OVERLOADED, NULL);
        } else {
            enum ct_status status = ct_buf_append(&request->body, bytes, count);
            if (status == CT_OK)
                return MHD_YES;
            refuse(request, status == CT_LIMIT ? API_ERROR_BODY_TOO_LARGE : API_ERROR_OVERLOADED,
                   NULL);
        }
        request->phase = PHASE_DISCARD;
        release_body(request);
    }
    request->discarded += count;
    /* No answer can be queued while the body comes; one that goes on for long is cut off. */
    return request->discarded > FRONT_DISCARD_MAX ? MHD_NO : MHD_YES;
}

/* Whether the body is one JSON object within the operation's limits; else the refusal is set. */
static bool check_json(struct request *request)
{
    const struct api_route *route = &api_routes[request->operation];
    struct ct_json_limits limits = {.depth = FRONT_JSON_DEPTH, .values = route->value_limit};
    struct ct_error err = {.text = ""};
    json_t *json = NULL;
    if (request->body.length == 0) {
        refuse(request, API_ERROR_MALFORMED_JSON, "a JSON object is expected");
        return false;
    }
    enum ct_status status =
        ct_json_decode(request->body.data, request->body.length, limits, &json, &err);
    json_decref(json);
    switch (status) {
    case CT_OK:
        return true;
    case CT_LIMIT:
        refuse(request,
               strncmp(err.text, "nested", 6) == 0 ? API_ERROR_TOO_DEEP : API_ERROR_TOO_MANY_VALUES,
               NULL);
        return false;
    case CT_NO_MEMORY:
        refuse(request, API_ERROR_OVERLOADED, NULL);
        return false;
    default:
        refuse(request, API_ERROR_MALFORMED_JSON, NULL);
        return false;
    }
}

/* ---- to the keeper --------------------------------------------------------------------- */

static void request_finished(struct link_entry *entry)
{
    struct request *request = (struct request *)(void *)entry;
    MHD_resume_connection(request->connection);
}

/* Sends it to the keeper. The connection is suspended; if nothing was sent it goes on at once. */
static void submit(struct request *request)
{
    struct front_listener *listener = request->listener;
    /* Out of the request, which is another thread's as soon as it was sent. */
    struct ct_buf body = request->body;
    size_t large_bytes = request->large_bytes;
    ct_buf_init(&request->body, 0);
    request->large_bytes = 0;
    struct message_request message = {
        .listener = (uint8_t)listener->message_listener,
        .operation = (uint16_t)request->operation,
        .peer = request->socket->peer,
        .accepts = request->facts.accepts,
        .thumbprint = "",
        .authorization = request->facts.authorization,
        .idempotency_key = request->facts.idempotency_key,
        .path_count = (unsigned)request->match.parameter_count,
        .query_count = request->target.query_count,
        .body = body.data,
        .body_length = body.length,
    };
    for (unsigned i = 0; i < message.path_count; i++)
        message.path[i] = request->match.parameters[i].text;
    memcpy(message.query, request->target.query, message.query_count * sizeof message.query[0]);
    request->entry.finished = request_finished;
    request->phase = PHASE_WAIT;
    enum ct_status status = front_link_submit(listener->front->link, &request->entry,
                                              request_ids_next(&listener->front->ids), &message);
    free_body(listener->front, &body, large_bytes);
    if (status == CT_OK)
        return;
    request->phase = PHASE_CHECK;
    refuse(request, status == CT_REFUSED ? API_ERROR_NOT_ATTEMPTED : API_ERROR_OVERLOADED, NULL);
    MHD_resume_connection(request->connection);
}

static void check_large(struct checker_entry *entry)
{
    struct request *request =
        (struct request *)(void *)((char *)entry - offsetof(struct request, check));
    if (check_json(request))
        submit(request);
    else
        MHD_resume_connection(request->connection);
}

/* The request is complete. */
static enum MHD_Result dispatch(struct request *request)
{
    struct front *front = request->listener->front;
    const struct api_route *route = &api_routes[request->operation];
    request->active = true;
    (void)atomic_fetch_add(&front->active, 1);
    if (request->operation == API_OP_LIVEZ)
        return answer(request);
    connection_rest(request->socket);
    if (route->body_limit > 0 && request->body.length > FRONT_SMALL_BODY) {
        request->phase = PHASE_CHECK;
        request->check.check = check_large;
        MHD_suspend_connection(request->connection);
        if (!checker_submit(front->checker, &request->check)) {
            refuse(request, API_ERROR_NOT_ATTEMPTED, NULL);
            MHD_resume_connection(request->connection);
        }
        return MHD_YES;
    }
    if (route->body_limit > 0 && !check_json(request))
        return answer(request);
    MHD_suspend_connection(request->connection);
    submit(request);
    return MHD_YES;
}

/* ---- the handler ----------------------------------------------------------------------- */

enum MHD_Result request_handle(void *cls, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *upload,
                               size_t *upload_size, void **con_cls)
{
    struct request *request = *con_cls;
    (void)cls;
    (void)connection;
    (void)url;
    if (request == NULL || request->socket == NULL)
        return MHD_NO; /* out of memory */
    if (request->phase == PHASE_HEAD)
        return take_head(request, method, version);
    if (*upload_size > 0) {
        size_t count = *upload_size;
        *upload_size = 0;
        return take_body(request, upload, count);
    }
    switch (request->phase) {
    case PHASE_BODY:
        return dispatch(request);
    case PHASE_DISCARD:
    case PHASE_CHECK:
    case PHASE_WAIT:
        return answer(request);
    case PHASE_HEAD:
    case PHASE_DONE:
        break;
    }
    return MHD_NO;
}
