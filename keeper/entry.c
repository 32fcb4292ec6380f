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

const char *entry_outcome(const struct api_request *request)
{
    if (request->error != API_ERROR_NONE)
        return api_errors[request->error].name;
    return request->replay.found ? "replayed" : "ok";
}

#define PART_MAX (8u << 20)
#define PART_USUAL 512

/* Members are written in the order of their names: that is the form in which headers are hashed.
 * request may be NULL: an entry of the keeper's own. */
static char *header_text(const struct entry_origin *origin, const char *operation,
                         const char *outcome, const struct api_request *request,
                         const char *request_id)
{
    char time[CT_TIME_TEXT];
    char id[CT_ID_TEXT];
    enum api_role role;
    struct ct_buf out;
    ct_buf_init(&out, PART_MAX);
    if (ct_buf_reserve(&out, PART_USUAL) != CT_OK)
        return NULL;
    ct_json_write_open(&out, NULL, '{');
    if (request != NULL) {
        ct_id_format("acc", request->identity.account, id);
        ct_json_write_text(&out, "account", id);
        if (request->candidates >= 0)
            ct_json_write_int(&out, "candidates", request->candidates);
        if (request->case_number != NULL)
            ct_json_write_text(&out, "case_number", request->case_number);
        if (request->candidates >= 0)
            ct_json_write_int(&out, "disclosed", request->disclosed);
    }
    ct_json_write_int(&out, "epoch", origin->epoch);
    if (request != NULL)
        ct_json_write_text(&out, "licence", request->identity.licence);
    ct_json_write_text(&out, "operation", operation);
    if (request != NULL) {
        ct_id_format("org", request->identity.organization, id);
        ct_json_write_text(&out, "organization", id);
    }
    ct_json_write_text(&out, "origin", origin->origin);
    ct_json_write_text(&out, "outcome", outcome);
    if (request != NULL) {
        if (request->purpose != NULL)
            ct_json_write_text(&out, "purpose", request->purpose);
        ct_json_write_text(&out, "request_id", request_id);
        if (api_permitted(request->identity.roles, request->permitted_as, &role))
            ct_json_write_text(&out, "role", api_role_names[role]);
    }
    ct_json_write_text(&out, "server", origin->server);
    if (request != NULL)
        ct_json_write_int(&out, "status", status_of(request));
    ct_time_format(origin->time_ms, time);
    ct_json_write_text(&out, "time", time);
    ct_json_write_int(&out, "v", 1);
    if (origin->verifier != NULL)
        ct_json_write_text(&out, "verifier", origin->verifier);
    ct_json_write_close(&out, '}');
    return ct_json_write_end(&out);
}

/* Says the outcome without saying it: who holds the subject and its salt can check that the answer
 * is the one that was recorded. */
static void write_outcome_mac(struct ct_buf *out, const struct api_request *request,
                              const uint8_t salt[ACCESSLOG_SALT_BYTES])
{
    struct accesslog_hash mac;
    char hex[2 * ACCESSLOG_HASH_BYTES + 1];
    char *made = NULL;
    const char *recorded = request->recorded;
    if (recorded == NULL && request->answer == NULL)
        return; /* a refusal without details */
    if (recorded == NULL)
        recorded = made = ct_json_text(request->answer);
    if (recorded == NULL) {
        out->failed = true;
        return;
    }
    accesslog_entry_digest(salt, recorded, strlen(recorded), &mac);
    ct_hex_encode(mac.bytes, sizeof mac.bytes, hex);
    ct_json_write_text(out, "outcome_mac", hex);
    free(made);
}

static char *subject_text(const struct api_request *request,
                          const uint8_t salt[ACCESSLOG_SALT_BYTES])
{
    struct ct_buf out;
    ct_buf_init(&out, PART_MAX);
    if (ct_buf_reserve(&out, PART_USUAL) != CT_OK)
        return NULL;
    ct_json_write_open(&out, NULL, '{');
    ct_json_write_text(&out, "address", request->peer);
    if (json_object_size(request->path) > 0)
        ct_json_write_json(&out, "path", request->path);
    if (json_object_size(request->query) > 0)
        ct_json_write_json(&out, "query", request->query);
    if (request->asked != NULL)
        ct_json_write_raw(&out, "asked", request->asked);
    if (request->touched != NULL)
        ct_json_write_raw(&out, "touched", request->touched);
    if (request->replay.found)
        ct_json_write_int(&out, "replayed", request->replay.entry);
    write_outcome_mac(&out, request, salt);
    ct_json_write_close(&out, '}');
    return ct_json_write_end(&out);
}

enum ct_status entry_of_request(const struct entry_origin *origin,
                                const struct api_request *request, const char *request_id,
                                const uint8_t salt_subject[ACCESSLOG_SALT_BYTES], char **ret_header,
                                char **ret_subject)
{
    char *header = header_text(origin, api_routes[request->operation].name, entry_outcome(request),
                               request, request_id);
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

static enum ct_status append_of(struct chain *chain, struct store *store,
                                const struct entry_origin *origin, const char *operation,
                                const char *outcome, json_t *subject_take,
                                struct accesslog_batch *batch, struct ct_error *err)
{
    char *header = header_text(origin, operation, outcome, NULL, NULL);
    char *subject = subject_take == NULL ? NULL : ct_json_text(subject_take);
    enum ct_status status = CT_NO_MEMORY;
    if (header != NULL && subject != NULL)
        status = append_own(chain, store, header, subject, batch, err);
    json_decref(subject_take);
    free(header);
    free(subject);
    return status;
}

static struct entry_origin own_origin(const struct chain *chain)
{
    return (struct entry_origin){.origin = auth_keyring_origin(chain->keyring),
                                 .server = chain->writer,
                                 .epoch = chain->epoch,
                                 .time_ms = ct_now_ms()};
}

enum ct_status entry_append_own(struct chain *chain, struct store *store, const char *operation,
                                const char *outcome, json_t *subject_take,
                                struct accesslog_batch *batch, struct ct_error *err)
{
    const struct entry_origin origin = own_origin(chain);
    return append_of(chain, store, &origin, operation, outcome, subject_take, batch, err);
}

enum ct_status entry_append_key(struct chain *chain, struct store *store, const char *verifier,
                                struct accesslog_batch *batch, struct ct_error *err)
{
    struct entry_origin origin = own_origin(chain);
    origin.verifier = verifier;
    enum ct_status status = store_queue_begin(store);
    return status != CT_OK ? status
                           : append_of(chain, store, &origin, "key", "ok",
                                       json_pack("{s:s}", "verifier", verifier), batch, err);
}
