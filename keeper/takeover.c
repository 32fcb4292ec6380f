// SPDX-License-Identifier: Apache-2.0
#include "keeper/chain.h"

#include "api/log.h"
#include "keeper/entry.h"
#include "keeper/limits.h"

#include <stdlib.h>
#include <string.h>

/* The head as stored. */
struct head {
    struct accesslog_tree tree;
    struct accesslog_hash root;
    char writer[CHAIN_WRITER_TEXT];
    int64_t epoch;
};

static enum ct_status run_one(struct store *store, enum api_sql statement,
                              const struct store_params *params, struct store_result **ret,
                              struct ct_error *err)
{
    enum ct_status status = store_queue(store, statement, params);
    return status != CT_OK ? status
                           : store_run(store, ct_mono_ms() + LIMIT_STATEMENT_MS, ret, 1, err);
}

/* The frontier must give the root that the last batch stored, and the entries end at the size. */
static enum ct_status read_head(const struct store_result *result, struct head *ret,
                                struct ct_error *err)
{
    size_t frontier_length;
    size_t root_length;
    uint64_t size = (uint64_t)store_get_bigint(result, 0, 0);
    const uint8_t *frontier = store_get_bytes(result, 0, 1, &frontier_length);
    const uint8_t *root = store_get_bytes(result, 0, 4, &root_length);
    if (store_rows(result) != 1 || size == 0) {
        ct_error_set(err, "the log is empty: run casetrace init");
        return CT_STALE;
    }
    if (accesslog_tree_unpack(size, frontier, frontier_length, &ret->tree) != ACCESSLOG_OK) {
        ct_error_set(err, "the stored frontier does not fit the log's size");
        return CT_STALE;
    }
    accesslog_tree_root(&ret->tree, &ret->root);
    if (root_length != ACCESSLOG_HASH_BYTES ||
        memcmp(root, ret->root.bytes, ACCESSLOG_HASH_BYTES) != 0) {
        ct_error_set(err, "the stored frontier is not that of the last batch's root");
        return CT_STALE;
    }
    if ((uint64_t)store_get_bigint(result, 0, 5) + 1 != size) {
        ct_error_set(err, "the log has entries up to %lld and a head of size %llu",
                     (long long)store_get_bigint(result, 0, 5), (unsigned long long)size);
        return CT_STALE;
    }
    const char *writer = store_get_text(result, 0, 2);
    (void)snprintf(ret->writer, sizeof ret->writer, "%s", writer == NULL ? "" : writer);
    ret->epoch = store_get_bigint(result, 0, 3);
    return CT_OK;
}

static enum ct_status load_head(struct store *store, struct head *ret, struct ct_error *err)
{
    struct store_params none;
    struct store_result *result = NULL;
    store_params_init(&none);
    enum ct_status status = run_one(store, API_SQL_log_head, &none, &result, err);
    if (status == CT_OK)
        status = read_head(result, ret, err);
    store_result_free(result);
    return status;
}

/* A database put back to an older state, or grown differently, does not extend what was released
 * here. */
static enum ct_status check_anchor(const struct chain *chain, struct store *store,
                                   const struct head *head, struct ct_error *err)
{
    struct accesslog_hash proof[ACCESSLOG_PROOF_MAX];
    size_t count = 0;
    struct api_log_reader reader = {
        .store = store, .deadline_ms = ct_mono_ms() + LIMIT_BULK_STATEMENT_MS, .err = err};
    struct accesslog_storage storage = api_log_storage(&reader);
    uint64_t anchored = chain->released_size;
    if (anchored == 0) {
        if (head->tree.size > 1)
            ct_log(CT_LOG_WARNING,
                   "no checkpoint was ever released from here: the log of %llu entries is taken as "
                   "it is",
                   (unsigned long long)head->tree.size);
        return CT_OK;
    }
    if (anchored > head->tree.size) {
        ct_error_set(err,
                     "the log has %llu entries, and a checkpoint of %llu was released from here: "
                     "the database was put back to an older state",
                     (unsigned long long)head->tree.size, (unsigned long long)anchored);
        return CT_STALE;
    }
    if (accesslog_prove_consistency(&storage, anchored, head->tree.size, proof, &count) !=
        ACCESSLOG_OK)
        return store_alive(store) ? CT_DB : CT_DB_LOST;
    if (accesslog_check_consistency(anchored, &chain->released_root, head->tree.size, &head->root,
                                    proof, count) != ACCESSLOG_OK) {
        ct_error_set(err, "the log does not extend the checkpoint of size %llu released from here",
                     (unsigned long long)anchored);
        return CT_STALE;
    }
    return CT_OK;
}

/* The last stored signature of ours is one over a root that the log had. */
static enum ct_status check_signature(const struct chain *chain, struct store *store,
                                      struct ct_error *err)
{
    struct store_params params;
    struct store_result *signature = NULL;
    struct store_result *batch = NULL;
    size_t length = 0;
    struct accesslog_checkpoint checkpoint = {0};
    char text[ACCESSLOG_CHECKPOINT_TEXT_MAX];
    char note[CHAIN_NOTE_ROOM];
    store_params_init(&params);
    store_param_text(&params, auth_keyring_origin(chain->keyring));
    enum ct_status status = run_one(store, API_SQL_log_last_signature, &params, &signature, err);
    if (status != CT_OK || store_rows(signature) == 0)
        goto out;
    checkpoint.size = (uint64_t)store_get_bigint(signature, 0, 0);
    store_params_reset(&params);
    store_param_bigint(&params, (int64_t)checkpoint.size);
    status = run_one(store, API_SQL_log_batch_by_size, &params, &batch, err);
    if (status != CT_OK)
        goto out;
    const uint8_t *root = store_get_bytes(batch, 0, 0, &length);
    const char *line = store_get_text(signature, 0, 1);
    status = CT_STALE;
    ct_error_set(err, "the stored signature of size %llu does not verify",
                 (unsigned long long)checkpoint.size);
    if (store_rows(batch) != 1 || length != ACCESSLOG_HASH_BYTES || line == NULL)
        goto out;
    memcpy(checkpoint.root.bytes, root, length);
    (void)snprintf(checkpoint.origin, sizeof checkpoint.origin, "%s",
                   auth_keyring_origin(chain->keyring));
    size_t text_length = accesslog_checkpoint_format(&checkpoint, text, sizeof text);
    size_t note_length =
        accesslog_note_format(text, text_length, line, strlen(line), note, sizeof note);
    struct accesslog_verifier known[CT_ARRAY_LENGTH(chain->signers)];
    for (size_t i = 0; i < chain->signer_count; i++)
        known[i] = chain->signers[i].verifier;
    if (note_length > 0 && accesslog_checkpoint_open(note, note_length, known, chain->signer_count,
                                                     &checkpoint, NULL) == ACCESSLOG_OK)
        status = CT_OK;
out:
    store_result_free(signature);
    store_result_free(batch);
    store_params_free(&params);
    return status;
}

/* BEGIN and the head's new writer and epoch; the entry follows in the same transaction. */
static enum ct_status take_head(struct chain *chain, struct store *store, const struct head *head,
                                struct ct_error *err)
{
    struct store_params params;
    struct store_result *results[2] = {NULL, NULL};
    store_params_init(&params);
    store_param_text(&params, chain->writer);
    enum ct_status status = store_queue_begin(store);
    if (status == CT_OK)
        status = store_queue(store, API_SQL_log_take, &params);
    if (status == CT_OK)
        status =
            store_run(store, ct_mono_ms() + LIMIT_LOCK_MS + LIMIT_STATEMENT_MS, results, 2, err);
    if (status == CT_OK && (uint64_t)store_get_bigint(results[1], 0, 0) != head->tree.size) {
        store_roll_back(store); /* somebody appended since we looked */
        status = CT_DB_RETRY;
    }
    if (status == CT_OK) {
        chain->tree = head->tree;
        chain->root = head->root;
        chain->epoch = store_get_bigint(results[1], 0, 2);
        chain->unresolved = false;
    }
    store_result_free(results[0]);
    store_result_free(results[1]);
    store_params_free(&params);
    return status;
}

static json_t *takeover_subject(const struct chain *chain, const struct head *before)
{
    return json_pack("{s:s, s:I, s:I, s:I}", "from_writer", before->writer, "from_epoch",
                     (json_int_t)before->epoch, "size", (json_int_t)before->tree.size,
                     "anchor_size", (json_int_t)chain->released_size);
}

static enum ct_status check_head(const struct chain *chain, struct store *store, struct head *ret,
                                 struct ct_error *err)
{
    enum ct_status status = load_head(store, ret, err);
    if (status == CT_OK)
        status = check_anchor(chain, store, ret, err);
    if (status == CT_OK)
        status = check_signature(chain, store, err);
    return status;
}

enum ct_status chain_check(struct chain *chain, struct store *store, struct ct_error *err)
{
    struct head head;
    return check_head(chain, store, &head, err);
}

enum ct_status chain_take_over(struct chain *chain, struct store *store, struct ct_error *err)
{
    struct head head;
    struct accesslog_batch *batch = malloc(sizeof *batch);
    if (batch == NULL)
        return CT_NO_MEMORY;
    enum ct_status status = check_head(chain, store, &head, err);
    if (status == CT_OK)
        status = take_head(chain, store, &head, err);
    if (status == CT_OK)
        status = entry_append_own(chain, store, "takeover", "ok", takeover_subject(chain, &head),
                                  batch, err);
    if (status != CT_OK && !chain->unresolved)
        chain->epoch = 0; /* it did not happen: the next look takes over again */
    free(batch);
    return status;
}

enum ct_status chain_check_writer(struct chain *chain, struct store *store, bool *ret_mine,
                                  struct ct_error *err)
{
    struct head head;
    enum ct_status status = load_head(store, &head, err);
    if (status == CT_OK)
        *ret_mine = head.epoch == chain->epoch && strcmp(head.writer, chain->writer) == 0;
    return status;
}
