// SPDX-License-Identifier: Apache-2.0
#include "keeper/entry.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static json_t *common_header(const struct entry_origin *origin, const char *operation,
                             const char *outcome)
{
    char time[CT_TIME_TEXT];
    json_t *header = json_object();
    ct_time_format(origin->time_ms, time);
    (void)ct_json_set(header, "v", json_integer(1));
    (void)ct_json_set_text(header, "origin", origin->origin);
    (void)ct_json_set_text(header, "server", origin->server);
    (void)ct_json_set(header, "epoch", json_integer((json_int_t)origin->epoch));
    (void)ct_json_set_text(header, "time", time);
    (void)ct_json_set_text(header, "operation", operation);
    (void)ct_json_set_text(header, "outcome", outcome);
    return header;
}

/* Says the outcome without saying it: who holds the subject and its salt can check that the answer
 * is the one that was recorded. */
static void add_outcome_mac(json_t *subject, const struct api_request *request,
                            const uint8_t salt[ACCESSLOG_SALT_BYTES])
{
    struct accesslog_hash mac;
    char hex[2 * ACCESSLOG_HASH_BYTES + 1];
    char *made = NULL;
    const char *recorded = request->recorded;
    if (recorded == NULL && request->answer != NULL)
        recorded = made = ct_json_text(request->answer);
    if (recorded == NULL)
        return;
    accesslog_entry_digest(salt, recorded, strlen(recorded), &mac);
    ct_hex_encode(mac.bytes, sizeof mac.bytes, hex);
    (void)ct_json_set_text(subject, "outcome_mac", hex);
    free(made);
}

static char *subject_text(const struct api_request *request,
                          const uint8_t salt[ACCESSLOG_SALT_BYTES])
{
    json_t *subject = json_pack("{s:s}", "address", request->peer);
    if (subject == NULL)
        return NULL;
    if (request->path != NULL && json_object_size(request->path) > 0)
        (void)json_object_set(subject, "path", request->path);
    if (request->query != NULL && json_object_size(request->query) > 0)
        (void)json_object_set(subject, "query", request->query);
    if (request->asked != NULL)
        (void)json_object_set(subject, "asked", request->asked);
    if (request->touched != NULL)
        (void)json_object_set(subject, "touched", request->touched);
    if (request->replay.found)
        (void)ct_json_set(subject, "replayed", json_integer((json_int_t)request->replay.entry));
    add_outcome_mac(subject, request, salt);
    char *text = ct_json_text(subject);
    json_decref(subject);
    return text;
}

static char *header_text(const struct entry_origin *origin, const struct api_request *request,
                         const char *request_id)
{
    char account[CT_ID_TEXT];
    char organization[CT_ID_TEXT];
    enum api_role role;
    const struct api_route *route = &api_routes[request->operation];
    const struct api_error_entry *error = &api_errors[request->error];
    bool done = request->error == API_ERROR_NONE;
    const char *outcome = !done ? error->name : request->replay.found ? "replayed" : "ok";
    json_t *header = common_header(origin, route->name, outcome);
    if (header == NULL)
        return NULL;
    ct_id_format("acc", request->identity.account, account);
    ct_id_format("org", request->identity.organization, organization);
    (void)ct_json_set_text(header, "request_id", request_id);
    (void)ct_json_set_text(header, "account", account);
    (void)ct_json_set_text(header, "organization", organization);
    (void)ct_json_set_text(header, "licence", request->identity.licence);
    (void)ct_json_set(header, "status", json_integer(done ? route->success_status : error->status));
    if (api_permitted(request->identity.roles, request->operation, &role))
        (void)ct_json_set_text(header, "role", api_role_names[role]);
    if (request->case_number != NULL)
        (void)ct_json_set_text(header, "case_number", request->case_number);
    if (request->purpose != NULL)
        (void)ct_json_set_text(header, "purpose", request->purpose);
    if (request->candidates >= 0) {
        (void)ct_json_set(header, "candidates", json_integer(request->candidates));
        (void)ct_json_set(header, "disclosed", json_integer(request->disclosed));
    }
    char *text = ct_json_text(header);
    json_decref(header);
    return text;
}

enum ct_status entry_of_request(const struct entry_origin *origin,
                                const struct api_request *request, const char *request_id,
                                const uint8_t salt_subject[ACCESSLOG_SALT_BYTES], char **ret_header,
                                char **ret_subject)
{
    char *header = header_text(origin, request, request_id);
    char *subject = subject_text(request, salt_subject);
    if (header == NULL || subject == NULL) {
        free(header);
        free(subject);
        return CT_NO_MEMORY;
    }
    *ret_header = header;
    *ret_subject = subject;
    return CT_OK;
}

static enum ct_status append_own(struct chain *chain, struct store *store, const char *header,
                                 const char *subject, struct accesslog_batch *batch,
                                 struct ct_error *err)
{
    struct chain_entry entry = {.header = header, .subject = subject};
    uint8_t id[CT_UUID_BYTES];
    char note[CHAIN_NOTE_ROOM];
    bool sent = false;
    randombytes_buf(id, sizeof id);
    randombytes_buf(entry.salt_header, sizeof entry.salt_header);
    randombytes_buf(entry.salt_subject, sizeof entry.salt_subject);
    chain_commit_entry(&entry);
    enum ct_status status = chain_append(chain, store, id, &entry, 1, batch, &sent, err);
    return status != CT_OK ? status
                           : chain_release(chain, batch->tree.size, &batch->root, note, err);
}

enum ct_status entry_append_own(struct chain *chain, struct store *store, const char *operation,
                                const char *outcome, json_t *subject_take,
                                struct accesslog_batch *batch, struct ct_error *err)
{
    struct entry_origin origin = {.origin = auth_keyring_origin(chain->keyring),
                                  .server = chain->writer,
                                  .epoch = chain->epoch,
                                  .time_ms = ct_now_ms()};
    json_t *header = common_header(&origin, operation, outcome);
    char *header_text = header == NULL ? NULL : ct_json_text(header);
    char *subject_text = subject_take == NULL ? NULL : ct_json_text(subject_take);
    enum ct_status status = CT_NO_MEMORY;
    if (header_text != NULL && subject_text != NULL)
        status = append_own(chain, store, header_text, subject_text, batch, err);
    json_decref(header);
    json_decref(subject_take);
    free(header_text);
    free(subject_text);
    return status;
}
