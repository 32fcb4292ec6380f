// SPDX-License-Identifier: Apache-2.0
#include "keeper/entry.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static int status_of(const struct api_request *request)
{
    return request->error == API_ERROR_NONE ? api_routes[request->operation].success_status
                                            : api_errors[request->error].status;
}

/* Members are set in the order of their names: that is the form in which headers are hashed, and
 * sorting them at the end would cost more. request may be NULL: an entry of the keeper's own. */
static char *header_text(const struct entry_origin *origin, const char *operation,
                         const char *outcome, const struct api_request *request,
                         const char *request_id)
{
    char time[CT_TIME_TEXT];
    char account[CT_ID_TEXT];
    char organization[CT_ID_TEXT];
    enum api_role role;
    json_t *header = json_object();
    bool whole = true;
    ct_time_format(origin->time_ms, time);
    if (request != NULL) {
        ct_id_format("acc", request->identity.account, account);
        ct_id_format("org", request->identity.organization, organization);
        whole = ct_json_set_text(header, "account", account);
        if (request->candidates >= 0)
            whole = whole && ct_json_set(header, "candidates", json_integer(request->candidates));
        if (request->case_number != NULL)
            whole = whole && ct_json_set_text(header, "case_number", request->case_number);
        if (request->candidates >= 0)
            whole = whole && ct_json_set(header, "disclosed", json_integer(request->disclosed));
    }
    whole = whole && ct_json_set(header, "epoch", json_integer((json_int_t)origin->epoch));
    if (request != NULL)
        whole = whole && ct_json_set_text(header, "licence", request->identity.licence);
    whole = whole && ct_json_set_text(header, "operation", operation);
    if (request != NULL)
        whole = whole && ct_json_set_text(header, "organization", organization);
    whole = whole && ct_json_set_text(header, "origin", origin->origin) &&
            ct_json_set_text(header, "outcome", outcome);
    if (request != NULL) {
        if (request->purpose != NULL)
            whole = whole && ct_json_set_text(header, "purpose", request->purpose);
        whole = whole && ct_json_set_text(header, "request_id", request_id);
        if (api_permitted(request->identity.roles, request->operation, &role))
            whole = whole && ct_json_set_text(header, "role", api_role_names[role]);
    }
    whole = whole && ct_json_set_text(header, "server", origin->server);
    if (request != NULL)
        whole = whole && ct_json_set(header, "status", json_integer(status_of(request)));
    whole = whole && ct_json_set_text(header, "time", time) &&
            ct_json_set(header, "v", json_integer(1));
    char *text = whole ? ct_json_text(header) : NULL;
    json_decref(header);
    return text;
}

/* Says the outcome without saying it: who holds the subject and its salt can check that the answer
 * is the one that was recorded. */
static bool add_outcome_mac(json_t *subject, const struct api_request *request,
                            const uint8_t salt[ACCESSLOG_SALT_BYTES])
{
    struct accesslog_hash mac;
    char hex[2 * ACCESSLOG_HASH_BYTES + 1];
    char *made = NULL;
    const char *recorded = request->recorded;
    if (recorded == NULL && request->answer != NULL)
        recorded = made = ct_json_text(request->answer);
    if (recorded == NULL)
        return request->answer == NULL; /* a refusal without details */
    accesslog_entry_digest(salt, recorded, strlen(recorded), &mac);
    ct_hex_encode(mac.bytes, sizeof mac.bytes, hex);
    free(made);
    return ct_json_set_text(subject, "outcome_mac", hex);
}

static char *subject_text(const struct api_request *request,
                          const uint8_t salt[ACCESSLOG_SALT_BYTES])
{
    json_t *subject = json_pack("{s:s}", "address", request->peer);
    if (subject == NULL)
        return NULL;
    bool whole = true;
    if (request->path != NULL && json_object_size(request->path) > 0)
        whole = json_object_set(subject, "path", request->path) == 0;
    if (request->query != NULL && json_object_size(request->query) > 0)
        whole = whole && json_object_set(subject, "query", request->query) == 0;
    if (request->asked != NULL)
        whole = whole && json_object_set(subject, "asked", request->asked) == 0;
    if (request->touched != NULL)
        whole = whole && json_object_set(subject, "touched", request->touched) == 0;
    if (request->replay.found)
        whole = whole &&
                ct_json_set(subject, "replayed", json_integer((json_int_t)request->replay.entry));
    whole = add_outcome_mac(subject, request, salt) && whole;
    char *text = whole ? ct_json_text(subject) : NULL;
    json_decref(subject);
    return text;
}

enum ct_status entry_of_request(const struct entry_origin *origin,
                                const struct api_request *request, const char *request_id,
                                const uint8_t salt_subject[ACCESSLOG_SALT_BYTES], char **ret_header,
                                char **ret_subject)
{
    const char *outcome = request->error != API_ERROR_NONE ? api_errors[request->error].name
                          : request->replay.found          ? "replayed"
                                                           : "ok";
    char *header =
        header_text(origin, api_routes[request->operation].name, outcome, request, request_id);
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
    char *header = header_text(&origin, operation, outcome, NULL, NULL);
    char *subject = subject_take == NULL ? NULL : ct_json_text(subject_take);
    enum ct_status status = CT_NO_MEMORY;
    if (header != NULL && subject != NULL)
        status = append_own(chain, store, header, subject, batch, err);
    json_decref(subject_take);
    free(header);
    free(subject);
    return status;
}
