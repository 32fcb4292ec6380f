// SPDX-License-Identifier: Apache-2.0
#include "keeper/decide.h"

#include "api/rows.h"
#include "api/validate.h"
#include "keeper/log_view.h"

#include <stdlib.h>
#include <string.h>

/* Columns of batch_open as api/statements.c selects them. */
enum column {
    COLUMN_ORDINAL,
    COLUMN_CREDENTIAL,
    COLUMN_ACCOUNT,
    COLUMN_ORGANIZATION,
    COLUMN_KIND,
    COLUMN_LICENCE,
    COLUMN_ROLES,
    COLUMN_REPLAY_MAC,
    COLUMN_REPLAY_OUTCOME,
    COLUMN_REPLAY_ANSWER,
    COLUMN_REPLAY_RESOURCE,
    COLUMN_REPLAY_ENTRY,
};

static void copy_uuid(uint8_t ret[CT_UUID_BYTES], const struct store_result *rows, size_t row,
                      int column)
{
    const uint8_t *uuid = store_get_uuid(rows, row, column);
    if (uuid != NULL)
        memcpy(ret, uuid, CT_UUID_BYTES);
}

void decide_identity(struct ticket *ticket, const struct store_result *rows, size_t row)
{
    struct api_identity *identity = &ticket->request.identity;
    const char *kind = store_get_text(rows, row, COLUMN_KIND);
    const char *licence = store_get_text(rows, row, COLUMN_LICENCE);
    const char *roles = store_get_text(rows, row, COLUMN_ROLES);
    copy_uuid(identity->credential, rows, row, COLUMN_CREDENTIAL);
    copy_uuid(identity->account, rows, row, COLUMN_ACCOUNT);
    copy_uuid(identity->organization, rows, row, COLUMN_ORGANIZATION);
    if (licence != NULL)
        (void)snprintf(identity->licence, sizeof identity->licence, "%s", licence);
    /* A role that this program does not know gives no right. */
    if (roles == NULL || !api_roles_parse(roles, &identity->roles))
        identity->roles = 0;
    identity->is_agency =
        kind != NULL && (strcmp(kind, "agency") == 0 || strcmp(kind, "laboratory") == 0 ||
                         strcmp(kind, "audit_office") == 0);
}

/* ---- fields ------------------------------------------------------------------------------- */

static void refuse_fields(struct api_request *request, enum api_error error,
                          const struct api_field_errors *errors)
{
    api_refuse(request, error, NULL,
               errors->count == 0 ? api_errors[error].title : errors->at[0].text);
    json_t *list = json_array();
    for (unsigned i = 0; i < errors->count; i++)
        (void)json_array_append_new(list, json_pack("{s:s, s:s}", "pointer", errors->at[i].pointer,
                                                    "detail", errors->at[i].text));
    (void)json_object_set_new(request->answer, "errors", list);
}

static void check_path(struct ticket *ticket, struct api_field_errors *errors)
{
    struct api_request *request = &ticket->request;
    if (api_validate_path(request->operation, ticket->message.path, ticket->message.path_count,
                          &request->path, errors) != CT_OK)
        api_refuse(request, API_ERROR_NOT_FOUND, NULL, api_errors[API_ERROR_NOT_FOUND].title);
}

static void check_query(struct ticket *ticket, struct api_field_errors *errors)
{
    const char *names[MESSAGE_QUERY_MAX];
    const char *values[MESSAGE_QUERY_MAX];
    for (unsigned i = 0; i < ticket->message.query_count; i++) {
        names[i] = ticket->message.query[i].name;
        values[i] = ticket->message.query[i].value;
    }
    if (api_validate_query(ticket->request.operation, names, values, ticket->message.query_count,
                           &ticket->request.query, errors) != CT_OK)
        refuse_fields(&ticket->request, API_ERROR_INVALID_REQUEST, errors);
}

static void check_body(struct ticket *ticket, struct api_field_errors *errors)
{
    struct api_request *request = &ticket->request;
    const struct api_route *route = &api_routes[request->operation];
    if (route->body_limit == 0)
        return;
    if (ticket_decode_body(ticket) != CT_OK) {
        api_refuse(request, API_ERROR_MALFORMED_JSON, NULL, "the body is not acceptable JSON");
        return;
    }
    if (request->body == NULL)
        request->body = json_object(); /* so that every required member is named */
    enum ct_status status = route->rows != NULL && api_rows_partial(request)
                                ? api_validate_envelope(request->operation, request->body, errors)
                                : api_validate_body(request->operation, request->body, errors);
    if (status != CT_OK)
        refuse_fields(request, API_ERROR_VALIDATION_FAILED, errors);
}

/* ---- repeated requests ----------------------------------------------------------------------- */

static void request_mac(struct lane *lane, const struct ticket *ticket, uint8_t ret[AUTH_MAC_BYTES])
{
    struct auth_field query[MESSAGE_QUERY_MAX];
    for (unsigned i = 0; i < ticket->message.query_count; i++)
        query[i] =
            (struct auth_field){ticket->message.query[i].name, ticket->message.query[i].value};
    auth_request_mac(lane->keeper->keyring, api_routes[ticket->request.operation].name,
                     ticket->message.path, ticket->message.path_count, query,
                     ticket->message.query_count, ticket->message.body, ticket->message.body_length,
                     ret);
}

/* Under a known key: the outcome of the first time, rendered again, or a refusal. */
static void replay(struct lane *lane, struct ticket *ticket, const struct store_result *rows,
                   size_t row)
{
    struct api_request *request = &ticket->request;
    size_t length;
    uint8_t mac[AUTH_MAC_BYTES];
    const uint8_t *stored = store_get_bytes(rows, row, COLUMN_REPLAY_MAC, &length);
    if (stored == NULL || request->error != API_ERROR_NONE)
        return;
    request_mac(lane, ticket, mac);
    if (length != sizeof mac || !auth_mac_equal(stored, mac)) {
        api_refuse(request, API_ERROR_IDEMPOTENCY_MISMATCH, NULL,
                   "the key was used for another request");
        return;
    }
    request->replay.found = true;
    request->replay.entry = store_get_bigint(rows, row, COLUMN_REPLAY_ENTRY);
    const char *answer = store_get_text(rows, row, COLUMN_REPLAY_ANSWER);
    const uint8_t *resource = store_get_uuid(rows, row, COLUMN_REPLAY_RESOURCE);
    if (resource != NULL && (request->operation == API_OP_CREATE_TRACE ||
                             request->operation == API_OP_ADD_TRACE_READINGS ||
                             request->operation == API_OP_CREATE_TRACE_DISCLOSURE)) {
        char id[CT_ID_TEXT];
        ct_id_format("trc", resource, id);
        request->sql = API_SQL_get_trace;
        request->input = json_pack("{s:{s:s}, s:b}", "path", "id", id, "exact", 1);
        request->case_number = ct_json_string(request->body, "case_number");
        request->purpose = ct_json_string(request->body, "purpose");
        return;
    }
    request->answer = answer == NULL ? json_object() : json_loads(answer, JSON_DECODE_ANY, NULL);
    if (request->answer == NULL)
        api_refuse(request, API_ERROR_INTERNAL, NULL, "the stored outcome cannot be read");
}

/* ---- all of it ---------------------------------------------------------------------------------
 */

void decide_request(struct lane *lane, struct ticket *ticket, const struct store_result *rows,
                    size_t row)
{
    struct api_request *request = &ticket->request;
    struct api_field_errors errors = {0};
    enum api_role role;
    request->sql = ticket->sql;
    if (!api_permitted(request->identity.roles, request->permitted_as, &role))
        api_refuse(request, API_ERROR_FORBIDDEN, NULL, api_errors[API_ERROR_FORBIDDEN].title);
    if (request->error == API_ERROR_NONE)
        check_path(ticket, &errors);
    if (request->error == API_ERROR_NONE)
        check_query(ticket, &errors);
    if (request->error == API_ERROR_NONE) {
        enum api_error error = api_validate_idempotency_key(
            request->operation, ticket->message.idempotency_key, &errors);
        if (error != API_ERROR_NONE)
            refuse_fields(request, error, &errors);
    }
    if (request->error == API_ERROR_NONE)
        check_body(ticket, &errors);
    if (request->error != API_ERROR_NONE)
        return;
    if (ticket->message.idempotency_key != NULL)
        replay(lane, ticket, rows, row);
    if (request->error != API_ERROR_NONE || request->replay.found)
        return;
    if (log_view_has(request->operation)) {
        log_view_decide(lane->keeper, ticket);
        return;
    }
    /* Last of what can refuse before the operation itself. What was done before is free. */
    if (api_routes[request->operation].spends &&
        !budget_reserve(&lane->keeper->budget, request, ct_now_ms(), &ticket->budget_day))
        return;
    const struct api_handler *handler = api_handler_of(request->sql);
    if (handler->before != NULL)
        handler->before(&lane->context, request);
}

void decide_outcome_params(struct lane *lane, struct store_params *params,
                           const uint8_t batch[CT_UUID_BYTES], struct ticket *const *tickets,
                           size_t count)
{
    store_param_uuid(params, batch);
    store_array_open(params, STORE_INT);
    for (size_t i = 0; i < count; i++)
        store_element_int(params, (int32_t)tickets[i]->request.ordinal);
    store_array_close(params);
    store_array_open(params, STORE_UUID);
    for (size_t i = 0; i < count; i++)
        store_element_bytes(params, tickets[i]->request.identity.account, CT_UUID_BYTES);
    store_array_close(params);
    store_array_open(params, STORE_TEXT);
    for (size_t i = 0; i < count; i++)
        store_element_text(params, api_routes[tickets[i]->request.operation].name);
    store_array_close(params);
    store_array_open(params, STORE_TEXT);
    for (size_t i = 0; i < count; i++)
        store_element_text(params, tickets[i]->message.idempotency_key);
    store_array_close(params);
    store_array_open(params, STORE_BYTEA);
    for (size_t i = 0; i < count; i++) {
        uint8_t mac[AUTH_MAC_BYTES];
        request_mac(lane, tickets[i], mac);
        store_element_bytes(params, mac, sizeof mac);
    }
    store_array_close(params);
    store_array_open(params, STORE_TEXT);
    for (size_t i = 0; i < count; i++)
        store_element_text(params, "ok");
    store_array_close(params);
    store_array_open(params, STORE_JSON);
    for (size_t i = 0; i < count; i++) {
        /* What leads to a person is not kept here but rendered again from the resource. */
        char *text = tickets[i]->request.has_resource || tickets[i]->request.answer == NULL
                         ? NULL
                         : ct_json_text(tickets[i]->request.answer);
        store_element_text(params, text);
        free(text);
    }
    store_array_close(params);
    store_array_open(params, STORE_UUID);
    for (size_t i = 0; i < count; i++) {
        if (tickets[i]->request.has_resource)
            store_element_bytes(params, tickets[i]->request.resource, CT_UUID_BYTES);
        else
            store_element_null(params);
    }
    store_array_close(params);
}
