// SPDX-License-Identifier: Apache-2.0
#include "keeper/internal.h"

#include "api/log.h"
#include "keeper/credentials.h"
#include "keeper/decide.h"
#include "keeper/entry.h"
#include "keeper/touched.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* One batch on its way through one transaction. */
struct batch {
    struct lane *lane;
    struct ticket **tickets;
    size_t count;
    bool poisoned;
    uint8_t id[CT_UUID_BYTES];
    struct ticket **logged; /* those whose credential was resolved: each has an entry */
    size_t logged_count;
    struct chain_entry *entries; /* of logged */
    struct ct_buf tokens;        /* of what they touched */
    bool sent;                   /* COMMIT */
    struct ct_error err;
};

/* Requests answered by one function, in the order of the batch. */
struct group {
    enum api_sql sql;
    struct api_request **requests;
    size_t count;
};

#define GROUPS_MAX API_SQL_HANDLERS
#define HELD_BYTES_MAX (64u << 20)
#define TOKENS_BYTES_MAX (64u << 20)

/* ---- 2. decisions ---------------------------------------------------------------------------- */

/* A spent budget has no entry: it would be a way to fill the log. */
static bool has_entry(const struct api_request *request)
{
    return request->error != API_ERROR_UNAUTHORIZED && request->error != API_ERROR_BUDGET_SPENT &&
           request->error != API_ERROR_NO_MATCH_LIMIT;
}

/* Those without a live credential or a budget stay out of the log; all others have an entry, in
 * this order. */
static void decide_all(struct batch *batch, const struct credentials *credentials)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct ticket *ticket = batch->tickets[i];
        size_t row = credentials->rows[i];
        api_request_reset(&ticket->request);
        if (row == CREDENTIALS_NONE) {
            ticket->request.error = API_ERROR_UNAUTHORIZED;
            continue;
        }
        batch->logged[batch->logged_count++] = ticket;
        ticket->request.ordinal = (uint32_t)batch->logged_count;
        decide_identity(ticket, credentials->result, row);
        if (ticket->in_flight)
            api_refuse(&ticket->request, API_ERROR_IDEMPOTENCY_IN_FLIGHT, NULL,
                       "another request with this key is being carried out");
        else if (batch->poisoned)
            api_refuse(&ticket->request, API_ERROR_INTERNAL, NULL, "it could not be carried out");
        else
            decide_request(batch->lane, ticket, credentials->result, row);
        if (!has_entry(&ticket->request))
            batch->logged_count--;
    }
}

/* ---- 3. the operations -------------------------------------------------------------------------
 */

static size_t make_groups(struct batch *batch, struct group *groups, struct api_request **places)
{
    size_t group_count = 0;
    size_t used = 0;
    for (unsigned sql = 0; sql < API_SQL_HANDLERS; sql++) {
        struct group group = {.sql = (enum api_sql)sql, .requests = places + used};
        for (size_t i = 0; i < batch->logged_count; i++) {
            struct api_request *request = &batch->logged[i]->request;
            if (request->sql == sql && request->error == API_ERROR_NONE && request->answer == NULL)
                group.requests[group.count++] = request;
        }
        if (group.count == 0)
            continue;
        used += group.count;
        groups[group_count++] = group;
    }
    return group_count;
}

static enum ct_status run_groups(struct batch *batch, struct group *groups, size_t count)
{
    struct lane *lane = batch->lane;
    struct store_result *results[2 * GROUPS_MAX] = {0};
    size_t started = 0;
    /* The server's own limit comes first, so that a slow statement fails by itself and its request
     * can be told from the others; ours is for a server that says nothing any more. */
    int64_t wait_ms =
        (lane->kind == LANE_BULK ? LIMIT_BULK_STATEMENT_MS : LIMIT_STATEMENT_MS) + LIMIT_SILENCE_MS;
    enum ct_status status = CT_OK;
    for (size_t i = 0; i < count && status == CT_OK; i++) {
        const struct api_handler *handler = api_handler_of(groups[i].sql);
        if (handler->look != NULL) {
            status = handler->look(&lane->context, lane->store, batch->id, groups[i].requests,
                                   groups[i].count);
            started++;
        }
        if (handler->start == NULL || status != CT_OK)
            continue;
        status = handler->start(&lane->context, lane->store, batch->id, groups[i].requests,
                                groups[i].count);
        started++;
    }
    wait_ms += (int64_t)started * LIMIT_STATEMENT_MS;
    if (status == CT_OK && started > 0)
        status = store_run(lane->store, ct_mono_ms() + wait_ms, results, started, &batch->err);
    started = 0;
    for (size_t i = 0; i < count && status == CT_OK; i++) {
        const struct api_handler *handler = api_handler_of(groups[i].sql);
        if (handler->look != NULL)
            status = handler->seen(groups[i].requests, groups[i].count, results[started++]);
        if (handler->start == NULL || status != CT_OK)
            continue;
        status = handler->finish(&lane->context, lane->store, groups[i].requests, groups[i].count,
                                 results[started++], &batch->err);
    }
    for (size_t i = 0; i < CT_ARRAY_LENGTH(results); i++)
        store_result_free(results[i]);
    return status;
}

static enum ct_status record_groups(struct batch *batch, const struct group *groups, size_t count)
{
    struct lane *lane = batch->lane;
    enum ct_status status = CT_OK;
    for (size_t i = 0; i < count && status == CT_OK; i++) {
        const struct api_handler *handler = api_handler_of(groups[i].sql);
        bool queued = false;
        if (handler->record != NULL)
            status = handler->record(&lane->context, lane->store, batch->id, groups[i].requests,
                                     groups[i].count, &queued);
    }
    return status;
}

/* ---- 4. idempotency, entries, commit ------------------------------------------------------------
 */

static bool is_kept(const struct ticket *ticket)
{
    const struct api_request *request = &ticket->request;
    uint8_t idempotency = api_routes[request->operation].idempotency;
    return request->error == API_ERROR_NONE && request->idempotency_key != NULL &&
           !request->replay.found &&
           (idempotency == API_IDEMPOTENCY_REQUIRED || idempotency == API_IDEMPOTENCY_ACCEPTED);
}

static enum ct_status store_outcomes(struct batch *batch)
{
    struct store_params params;
    struct ticket **kept = calloc(batch->logged_count + 1, sizeof(struct ticket *));
    size_t count = 0;
    if (kept == NULL)
        return CT_NO_MEMORY;
    for (size_t i = 0; i < batch->logged_count; i++) {
        if (is_kept(batch->logged[i]))
            kept[count++] = batch->logged[i];
    }
    enum ct_status status = CT_OK;
    store_params_init(&params);
    if (count > 0) {
        decide_outcome_params(batch->lane, &params, batch->id, kept, count);
        status = store_queue(batch->lane->store, API_SQL_idempotency_store, &params);
        /* May wait for a row of another lane, which may wait for the log: not with that in hand. */
        if (status == CT_OK)
            status = store_run(batch->lane->store,
                               ct_mono_ms() + 2 * LIMIT_STATEMENT_MS + LIMIT_SILENCE_MS, NULL, 0,
                               &batch->err);
    }
    store_params_free(&params);
    free(kept);
    return status;
}

/* Before any lock: the database gets them with the entries. */
static enum ct_status add_tokens(struct batch *batch)
{
    size_t used = 0;
    for (size_t i = 0; i < batch->logged_count; i++)
        batch->entries[i].token_count =
            touched_add(batch->lane->keeper->keyring, &batch->logged[i]->request, &batch->tokens);
    if (batch->tokens.failed)
        return CT_NO_MEMORY;
    for (size_t i = 0; i < batch->logged_count; i++) {
        batch->entries[i].tokens = (const uint8_t(*)[AUTH_TOKEN_BYTES])batch->tokens.data + used;
        used += batch->entries[i].token_count;
    }
    return CT_OK;
}

static enum ct_status make_entries(struct batch *batch)
{
    struct keeper *keeper = batch->lane->keeper;
    struct entry_origin origin = {.origin = auth_keyring_origin(keeper->keyring),
                                  .server = keeper->chain.writer,
                                  .epoch = keeper->chain.epoch,
                                  .time_ms = ct_now_ms()};
    uint8_t salts[2 * ACCESSLOG_BATCH_MAX][ACCESSLOG_SALT_BYTES]; /* one call for all */
    if (batch->logged_count > ACCESSLOG_BATCH_MAX)
        return CT_LIMIT;
    randombytes_buf(salts, 2 * batch->logged_count * ACCESSLOG_SALT_BYTES);
    for (size_t i = 0; i < batch->logged_count; i++) {
        struct chain_entry *entry = &batch->entries[i];
        const struct ticket *ticket = batch->logged[i];
        char request_id[MESSAGE_REQUEST_ID_TEXT];
        char *header;
        char *subject;
        memcpy(entry->salt_header, salts[2 * i], ACCESSLOG_SALT_BYTES);
        memcpy(entry->salt_subject, salts[2 * i + 1], ACCESSLOG_SALT_BYTES);
        message_request_id(ticket->message.boot, ticket->message.id, request_id);
        enum ct_status status = entry_of_request(&origin, &ticket->request, request_id,
                                                 entry->salt_subject, &header, &subject);
        if (status != CT_OK)
            return status;
        entry->header = header;
        entry->subject = subject;
        entry->time_ms = origin.time_ms;
        entry->account = ticket->request.identity.account;
        entry->organization = ticket->request.identity.organization;
        entry->operation = api_routes[ticket->request.operation].name;
        entry->outcome = entry_outcome(&ticket->request);
        entry->case_number = ticket->request.case_number;
        chain_commit_entry(entry);
    }
    return add_tokens(batch);
}

static enum ct_status commit(struct batch *batch)
{
    struct lane *lane = batch->lane;
    struct group groups[GROUPS_MAX];
    struct api_request **places = calloc(batch->logged_count + 1, sizeof(struct api_request *));
    if (places == NULL)
        return CT_NO_MEMORY;
    size_t group_count = make_groups(batch, groups, places);
    enum ct_status status = run_groups(batch, groups, group_count);
    if (status == CT_OK)
        status = make_entries(batch);
    if (status == CT_OK)
        status = record_groups(batch, groups, group_count);
    if (status == CT_OK)
        status = store_outcomes(batch);
    /* The database records while this lane waits for its turn at the log's head. */
    if (status == CT_OK)
        status = store_push(lane->store);
    if (status == CT_OK)
        status = chain_append(&lane->keeper->chain, lane->store, batch->id, batch->entries,
                              batch->logged_count, lane->batch, &batch->sent, &batch->err);
    free(places);
    return status;
}

/* ---- 5. answers
 * ----------------------------------------------------------------------------------- */

static char *receipt_text(struct batch *batch, size_t i, const char *note)
{
    struct accesslog_hash path[ACCESSLOG_PROOF_MAX];
    const struct chain_entry *entry = &batch->entries[i];
    char salt[2 * ACCESSLOG_SALT_BYTES + 1];
    char d_subject[2 * ACCESSLOG_HASH_BYTES + 1];
    size_t count = accesslog_batch_path(batch->lane->batch, i, path);
    ct_hex_encode(entry->salt_header, sizeof entry->salt_header, salt);
    ct_hex_encode(entry->commitment.d_subject.bytes, ACCESSLOG_HASH_BYTES, d_subject);
    return api_receipt_text(entry->header, salt, d_subject, batch->lane->batch->first + i, path,
                            count, note);
}

static enum ct_status append_broken_seals(struct batch *batch, uint64_t first)
{
    struct lane *lane = batch->lane;
    struct keeper *keeper = lane->keeper;
    json_t *entries = json_array();
    for (size_t i = 0; i < batch->logged_count; i++) {
        if (batch->logged[i]->request.seal_broken)
            (void)json_array_append_new(entries, json_integer((json_int_t)(first + i)));
    }
    atomic_fetch_add(&keeper->stats.seals_broken, json_array_size(entries));
    ct_log(CT_LOG_ERROR, "%zu sealed records did not open", json_array_size(entries));
    enum ct_status status = store_queue_begin(lane->store);
    json_t *subject = json_pack("{s:o}", "entries", entries);
    if (status == CT_OK)
        return entry_append_own(&keeper->chain, lane->store, "unseal", "seal_broken", subject,
                                lane->batch, &batch->err);
    json_decref(subject);
    return status;
}

/* A seal that does not open is an outcome of its own, with a second entry, before the answer that
 * says so leaves. */
static bool log_broken_seals(struct batch *batch, uint64_t first)
{
    struct lane *lane = batch->lane;
    enum ct_status status = append_broken_seals(batch, first);
    if (status == CT_OK)
        return true;
    ct_log(CT_LOG_ERROR, "that sealed records did not open could not be logged: %s",
           batch->err.text);
    atomic_fetch_add(&lane->keeper->stats.log_failures, 1);
    if (status == CT_IO)
        keeper_end(lane->keeper, "a checkpoint could not be put on disk");
    if (status == CT_DB_LOST)
        lane_disconnect(lane);
    else
        store_roll_back(lane->store);
    return false;
}

static void answer_one(struct batch *batch, size_t i, uint64_t first, const char *note)
{
    struct lane *lane = batch->lane;
    char *proof = receipt_text(batch, i, note);
    struct api_receipt receipt = {.entry = first + i, .proof = proof};
    if (proof != NULL)
        answer_request(&lane->out, lane, batch->logged[i], &receipt);
    else
        answer_error(&lane->out, batch->logged[i], API_ERROR_INTERNAL, NULL);
    free(proof);
}

/* Sends on what was held back, once the log says it; else its callers may ask again. The answers of
 * all others stand. */
static void answer_broken_seals(struct batch *batch, uint64_t first, const struct ct_buf *held)
{
    struct lane *lane = batch->lane;
    _Atomic uint64_t *answers = lane->keeper->stats.errors;
    if (log_broken_seals(batch, first) && !held->failed &&
        ct_buf_append(&lane->out, held->data, held->length) == CT_OK)
        return;
    for (size_t i = 0; i < batch->logged_count; i++) {
        if (!batch->logged[i]->request.seal_broken)
            continue;
        atomic_fetch_sub(&answers[batch->logged[i]->request.error], 1);
        atomic_fetch_add(&answers[API_ERROR_OUTCOME_UNKNOWN], 1);
        answer_error(&lane->out, batch->logged[i], API_ERROR_OUTCOME_UNKNOWN, NULL);
    }
}

static enum batch_result answer_all(struct batch *batch)
{
    struct lane *lane = batch->lane;
    struct ct_buf *out = &lane->out;
    struct ct_buf held; /* answers that say that a seal did not open */
    bool broken = false;
    char note[CHAIN_NOTE_ROOM];
    uint64_t first = lane->batch->first;
    if (chain_release(&lane->keeper->chain, lane->batch->tree.size, &lane->batch->root, note,
                      &batch->err) != CT_OK)
        return BATCH_UNRELEASED;
    ct_buf_init(&held, HELD_BYTES_MAX);
    for (size_t i = 0; i < batch->logged_count; i++) {
        size_t start = out->length;
        answer_one(batch, i, first, note);
        if (!batch->logged[i]->request.seal_broken)
            continue;
        broken = true;
        (void)ct_buf_append(&held, out->data + start, out->length - start);
        out->length = start;
    }
    if (broken)
        answer_broken_seals(batch, first, &held);
    ct_buf_free(&held);
    return BATCH_DONE;
}

static void answer_without_entry(struct batch *batch)
{
    struct lane *lane = batch->lane;
    for (size_t i = 0; i < batch->count; i++) {
        const struct api_request *request = &batch->tickets[i]->request;
        if (has_entry(request))
            continue;
        atomic_fetch_add(&lane->keeper->stats.errors[request->error], 1);
        if (request->error != API_ERROR_UNAUTHORIZED) {
            answer_refusal(&lane->out, batch->tickets[i]);
            continue;
        }
        atomic_fetch_add(&lane->keeper->stats.unauthorized, 1);
        strangers_note(&lane->keeper->strangers, batch->tickets[i]->message.peer);
        answer_error(&lane->out, batch->tickets[i], API_ERROR_UNAUTHORIZED, NULL);
    }
}

/* ---- budgets --------------------------------------------------------------------------------- */

/* After the commit. first: index of the batch's first entry; -1: it may have been committed. */
static void settle_budgets(struct batch *batch, int64_t first)
{
    struct budget *budget = &batch->lane->keeper->budget;
    for (size_t i = 0; i < batch->logged_count; i++) {
        struct ticket *ticket = batch->logged[i];
        const struct api_request *request = &ticket->request;
        int64_t entry = first < 0 ? -1 : first + (int64_t)i;
        struct budget_use use = {.state = request->state,
                                 .candidates = request->candidates,
                                 .unread = request->unread,
                                 .first_entry = entry,
                                 .last_entry = entry,
                                 .times = 1,
                                 .guns = request->guns,
                                 .unmatched = request->unmatched,
                                 .touched = request->touched,
                                 .told = request->told,
                                 .told_count = request->told_count};
        if (ticket->budget_day == 0 || request->error != API_ERROR_NONE)
            continue;
        budget_settle(budget, &request->identity, ticket->budget_day, &use, ct_now_ms());
        ticket->budget_day = 0;
    }
}

/* What is still put aside came to nothing. */
static void release_budgets(struct batch *batch)
{
    struct budget *budget = &batch->lane->keeper->budget;
    for (size_t i = 0; i < batch->count; i++) {
        struct ticket *ticket = batch->tickets[i];
        if (ticket->budget_day != 0)
            budget_settle(budget, &ticket->request.identity, ticket->budget_day, NULL, ct_now_ms());
        ticket->budget_day = 0;
    }
}

/* ---- all of it
 * -------------------------------------------------------------------------------------- */

static enum batch_result result_of(struct batch *batch, enum ct_status status)
{
    switch (status) {
    case CT_OK:
        return BATCH_DONE;
    case CT_DB_RETRY:
        return BATCH_RETRY;
    case CT_DB_LOST:
        return batch->sent ? BATCH_UNKNOWN : BATCH_DATABASE;
    case CT_STALE:
        return strcmp(batch->err.sqlstate, "CT002") == 0 ? BATCH_SUPERSEDED : BATCH_STALE;
    default:
        break;
    }
    /* Alone, it met a record of another lane's batch: the next look finds what that one stored. */
    if (strcmp(batch->err.sqlstate, "CT003") == 0 && batch->count == 1)
        return BATCH_AGAIN;
    /* A lock or a statement that took too long says nothing against the request. */
    if (strcmp(batch->err.sqlstate, "55P03") == 0 || strcmp(batch->err.sqlstate, "57014") == 0)
        return BATCH_BUSY;
    return BATCH_FAILED;
}

static enum batch_result run_opened(struct batch *batch, const struct credentials *credentials)
{
    struct lane *lane = batch->lane;
    enum ct_status status;
    decide_all(batch, credentials);
    if (batch->logged_count == 0) {
        store_roll_back(lane->store);
        answer_without_entry(batch);
        return BATCH_DONE;
    }
    status = commit(batch);
    if (status != CT_OK && status != CT_DB_LOST)
        store_roll_back(lane->store);
    enum batch_result result = result_of(batch, status);
    if (result == BATCH_UNKNOWN) {
        bool committed = false;
        lane_disconnect(lane);
        if (lane_connect(lane, ct_mono_ms() + LIMIT_CONNECT_MS) == CT_OK &&
            chain_resolve(&lane->keeper->chain, lane->store, batch->id, &committed, &batch->err) ==
                CT_OK) {
            atomic_fetch_add(&lane->keeper->stats.resolved_commits, 1);
            result = committed ? BATCH_DONE : BATCH_AGAIN;
        }
    }
    if (result == BATCH_DONE || result == BATCH_UNKNOWN)
        settle_budgets(batch, result == BATCH_DONE ? (int64_t)lane->batch->first : -1);
    if (result == BATCH_DONE) {
        result = answer_all(batch);
        if (result == BATCH_DONE)
            answer_without_entry(batch);
    }
    return result;
}

enum batch_result batch_run(struct lane *lane, struct ticket **tickets, size_t count, bool poisoned)
{
    struct batch batch = {.lane = lane, .tickets = tickets, .count = count, .poisoned = poisoned};
    enum batch_result result = BATCH_FAILED;
    struct credentials credentials = {.result = NULL};
    const struct knowledge *knowledge = NULL;
    batch.logged = calloc(count, sizeof(struct ticket *));
    batch.entries = calloc(count, sizeof(struct chain_entry));
    if (batch.logged == NULL || batch.entries == NULL)
        goto out;
    randombytes_buf(batch.id, sizeof batch.id);
    ct_buf_init(&batch.tokens, TOKENS_BYTES_MAX);
    knowledge = knowledge_use(&lane->keeper->knowledge);
    lane->context.registry = knowledge->registry;
    lane->context.registry.pi0 = lane->keeper->pi0;
    lane->context.matrix = knowledge->matrix;
    lane->context.calibers = atomic_load(&lane->keeper->calibers);
    lane->context.placements = atomic_load(&lane->keeper->placements);
    lane->context.checkpoint_size = chain_released(&lane->keeper->chain, lane->checkpoint_note);
    lane->context.checkpoint_note = lane->checkpoint_note;
    lane->context.cosigned_size = publish_cosigned(lane->keeper, lane->cosigned_note);
    lane->context.cosigned_note = lane->cosigned_note;
    enum ct_status status = credentials_resolve(lane, tickets, count, &credentials, &batch.err);
    if (status != CT_OK)
        store_roll_back(lane->store);
    result = status == CT_OK ? run_opened(&batch, &credentials) : result_of(&batch, status);
    if (status == CT_OK)
        lane_note_used(lane, batch.logged, batch.logged_count);
    release_budgets(&batch);
    if (result != BATCH_DONE)
        ct_log(CT_LOG_WARNING, "a batch of %zu did not succeed: %s", count, batch.err.text);
out:
    for (size_t i = 0; i < count && batch.entries != NULL; i++) {
        free((char *)batch.entries[i].header);
        free((char *)batch.entries[i].subject);
    }
    credentials_free(&credentials);
    ct_buf_free(&batch.tokens);
    if (knowledge != NULL)
        knowledge_done(&lane->keeper->knowledge, knowledge);
    free(batch.entries);
    free(batch.logged);
    return result;
}
