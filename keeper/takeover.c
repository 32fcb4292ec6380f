// SPDX-License-Identifier: Apache-2.0
#include "keeper/chain.h"

#include "api/log.h"
#include "keeper/entry.h"
#include "keeper/limits.h"
#include "keeper/vouch.h"

#include <stdlib.h>
#include <string.h>

#define ASK_MS 10000

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
    if (anchored == 0)
        return CT_OK;
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

static size_t
known_keys(const struct chain *chain,
           struct accesslog_verifier ret[CT_ARRAY_LENGTH(((struct chain *)0)->signers)])
{
    for (size_t i = 0; i < chain->signer_count; i++)
        ret[i] = chain->signers[i].verifier;
    return chain->signer_count;
}

/* The root and epoch of the batch after which the log had that size.
 * Errors: CT_NOT_FOUND: no batch ended there. */
static enum ct_status batch_by_size(struct store *store, uint64_t size,
                                    struct accesslog_hash *ret_root, int64_t *ret_epoch,
                                    struct ct_error *err)
{
    struct store_params params;
    struct store_result *result = NULL;
    size_t length = 0;
    store_params_init(&params);
    store_param_bigint(&params, (int64_t)size);
    enum ct_status status = run_one(store, API_SQL_log_batch_by_size, &params, &result, err);
    if (status == CT_OK) {
        const uint8_t *root = store_get_bytes(result, 0, 0, &length);
        if (store_rows(result) == 1 && length == ACCESSLOG_HASH_BYTES) {
            memcpy(ret_root->bytes, root, length);
            *ret_epoch = store_get_bigint(result, 0, 1);
        } else {
            status = CT_NOT_FOUND;
        }
    }
    store_result_free(result);
    store_params_free(&params);
    return status;
}

/* The note of a stored line under a stored root, if it verifies. */
static enum ct_status open_stored(const struct chain *chain, uint64_t size,
                                  const struct accesslog_hash *root, const char *line,
                                  struct accesslog_checkpoint *ret, char ret_note[CHAIN_NOTE_ROOM])
{
    char text[ACCESSLOG_CHECKPOINT_TEXT_MAX];
    struct accesslog_verifier known[CT_ARRAY_LENGTH(chain->signers)];
    struct accesslog_checkpoint checkpoint = {.size = size, .root = *root};
    size_t count = known_keys(chain, known);
    (void)snprintf(checkpoint.origin, sizeof checkpoint.origin, "%s",
                   auth_keyring_origin(chain->keyring));
    size_t text_length = accesslog_checkpoint_format(&checkpoint, text, sizeof text);
    size_t length = line == NULL ? 0
                                 : accesslog_note_format(text, text_length, line, strlen(line),
                                                         ret_note, CHAIN_NOTE_ROOM);
    if (length == 0 || length >= CHAIN_NOTE_ROOM ||
        accesslog_checkpoint_open(ret_note, length, known, count, ret, NULL) != ACCESSLOG_OK)
        return CT_CRYPTO;
    ret_note[length] = '\0';
    return CT_OK;
}

/* The last stored signature of ours is one over a root that the log had.
 * ret: size 0 if none was ever stored. */
static enum ct_status check_signature(const struct chain *chain, struct store *store,
                                      struct accesslog_checkpoint *ret,
                                      char ret_note[CHAIN_NOTE_ROOM], struct ct_error *err)
{
    struct store_params params;
    struct store_result *signature = NULL;
    struct accesslog_hash root;
    int64_t epoch;
    *ret = (struct accesslog_checkpoint){.size = 0};
    store_params_init(&params);
    store_param_text(&params, auth_keyring_origin(chain->keyring));
    enum ct_status status = run_one(store, API_SQL_log_last_signature, &params, &signature, err);
    if (status == CT_OK && store_rows(signature) > 0) {
        uint64_t size = (uint64_t)store_get_bigint(signature, 0, 0);
        status = batch_by_size(store, size, &root, &epoch, err);
        if (status == CT_OK)
            status =
                open_stored(chain, size, &root, store_get_text(signature, 0, 1), ret, ret_note);
        if (status == CT_NOT_FOUND || status == CT_CRYPTO) {
            ct_error_set(err, "the stored signature of size %llu does not verify",
                         (unsigned long long)size);
            status = CT_STALE;
        }
    }
    store_result_free(signature);
    store_params_free(&params);
    return status;
}

/* ---- who vouches -------------------------------------------------------------------------------
 */

/* What was put beside the anchor for this host to know is known from now on. */
static enum ct_status adopt_former(struct chain *chain, struct ct_error *err)
{
    struct accesslog_verifier known[CT_ARRAY_LENGTH(chain->signers)];
    struct accesslog_checkpoint checkpoint;
    char note[ANCHOR_PLACE_BYTES];
    size_t count = known_keys(chain, known);
    enum ct_status status = vouch_former(chain->anchor_path, known, count, &checkpoint, note, err);
    if (status == CT_NOT_FOUND)
        return CT_OK;
    if (status != CT_OK)
        return CT_STALE;
    if (checkpoint.size > chain->released_size)
        ct_log(CT_LOG_NOTICE, "takes the checkpoint of size %llu beside the anchor for its own",
               (unsigned long long)checkpoint.size);
    return chain_adopt(chain, &checkpoint, note, err);
}

/* Whether this host itself knows a checkpoint of the head's epoch: as the writer that it names, or
 * because it followed that one. */
static enum ct_status knows_epoch(const struct chain *chain, struct store *store,
                                  const struct head *head, bool *ret, struct ct_error *err)
{
    struct accesslog_hash root;
    int64_t epoch = -1;
    *ret = head->tree.size <= 1 || /* init's entry alone: nothing was ever answered */
           (chain->released_size > 0 && strcmp(head->writer, chain->writer) == 0);
    if (*ret || chain->released_size == 0)
        return CT_OK;
    enum ct_status status = batch_by_size(store, chain->released_size, &root, &epoch, err);
    *ret = status == CT_OK && epoch == head->epoch;
    return status == CT_NOT_FOUND ? CT_OK : status;
}

static void say_what_is_needed(struct chain *chain, const struct head *head,
                               const struct vouch_override *override)
{
    int64_t now_ms = ct_mono_ms();
    if (chain->asked_ms != 0 && now_ms - chain->asked_ms < ASK_MS)
        return;
    chain->asked_ms = now_ms;
    if (override->said != NULL)
        ct_log(CT_LOG_WARNING, "the override is for epoch %lld and the head has epoch %lld",
               (long long) override->epoch, (long long)head->epoch);
    ct_log(CT_LOG_WARNING,
           "put a copy of the former writer's anchor, or of the newest checkpoint that witnesses "
           "have, at %s.former; or, if all of that is lost and you know that the database is "
           "whole: casetrace log override --epoch %lld --reason TEXT (casetrace(1))",
           chain->anchor_path, (long long)head->epoch);
}

/* Nothing contradicts the head. That it is also whole, to the former writer's last checkpoint, this
 * host must know, or an operator must say so. ret_override: what he said; NULL if not needed. */
static enum ct_status find_voucher(struct chain *chain, struct store *store,
                                   const struct head *head, json_t **ret_override,
                                   struct ct_error *err)
{
    bool known = false;
    struct vouch_override override = {.said = NULL};
    *ret_override = NULL;
    enum ct_status status = knows_epoch(chain, store, head, &known, err);
    if (status != CT_OK || known)
        return status;
    status = vouch_override(chain->anchor_path, &override, err);
    if (status == CT_OK && override.epoch == head->epoch) {
        *ret_override = override.said;
        return CT_OK;
    }
    if (status == CT_OK || status == CT_NOT_FOUND) {
        say_what_is_needed(chain, head, &override);
        ct_error_set(err,
                     "%s what the writer of epoch %lld, %.60s, released last: nothing shows that "
                     "the log of %llu entries is whole",
                     chain->released_size == 0 ? "the anchor is empty, so it is not known"
                                               : "this host does not know",
                     (long long)head->epoch, head->writer, (unsigned long long)head->tree.size);
    }
    json_decref(override.said);
    return status == CT_NO_MEMORY ? status : CT_REFUSED;
}

/* What the operator compares, and where to read on. */
static void explain(const struct chain *chain, const struct head *head)
{
    char anchored[2 * ACCESSLOG_HASH_BYTES + 1], stored[2 * ACCESSLOG_HASH_BYTES + 1];
    ct_hex_encode(chain->released_root.bytes, ACCESSLOG_HASH_BYTES, anchored);
    ct_hex_encode(head->root.bytes, ACCESSLOG_HASH_BYTES, stored);
    ct_log(CT_LOG_WARNING, "the anchor %s has size %llu, root %s", chain->anchor_path,
           (unsigned long long)chain->released_size, anchored);
    ct_log(CT_LOG_WARNING, "the database has size %llu, root %s, epoch %lld of %.60s",
           (unsigned long long)head->tree.size, stored, (long long)head->epoch, head->writer);
    ct_log(CT_LOG_WARNING,
           "restore the database to its last commit: \"Backup and restore\" in the manual. Never "
           "remove the anchor");
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

static json_t *takeover_subject(const struct chain *chain, const struct head *before,
                                json_t *override)
{
    json_t *subject = json_pack("{s:s, s:I, s:I, s:I}", "from_writer", before->writer, "from_epoch",
                                (json_int_t)before->epoch, "size", (json_int_t)before->tree.size,
                                "anchor_size", (json_int_t)chain->released_size);
    if (subject != NULL && override != NULL)
        (void)json_object_set(subject, "override", override);
    return subject;
}

/* Which of this keyring's keys have not signed the last stored checkpoint: they are new. */
static void find_new_keys(const struct chain *chain, uint64_t signed_size, const char *note,
                          bool ret_new[CT_ARRAY_LENGTH(((struct chain *)0)->signers)])
{
    struct accesslog_checkpoint checkpoint;
    for (size_t i = 0; i < chain->signer_count; i++)
        ret_new[i] = signed_size > 0 &&
                     accesslog_checkpoint_open(note, strlen(note), &chain->signers[i].verifier, 1,
                                               &checkpoint, NULL) != ACCESSLOG_OK;
}

/* Before anything else is served under it, a new key is in the log. */
static enum ct_status announce_keys(struct chain *chain, struct store *store, const bool *is_new,
                                    struct accesslog_batch *batch, struct ct_error *err)
{
    char verifier[ACCESSLOG_VERIFIER_TEXT_MAX];
    enum ct_status status = CT_OK;
    for (size_t i = 0; i < chain->signer_count && status == CT_OK; i++) {
        if (!is_new[i])
            continue;
        if (accesslog_verifier_format(&chain->signers[i].verifier, verifier, sizeof verifier) == 0)
            return CT_CRYPTO;
        status = entry_append_key(chain, store, verifier, batch, err);
        if (status == CT_OK)
            ct_log(CT_LOG_NOTICE, "signs with a new key, too: %s", verifier);
    }
    return status;
}

/* ret_new: as find_new_keys() has it. */
static enum ct_status check_head(struct chain *chain, struct store *store, struct head *ret,
                                 bool ret_new[CT_ARRAY_LENGTH(((struct chain *)0)->signers)],
                                 struct ct_error *err)
{
    struct accesslog_checkpoint signed_last;
    char note[CHAIN_NOTE_ROOM];
    enum ct_status status = load_head(store, ret, err);
    if (status == CT_OK)
        status = adopt_former(chain, err);
    if (status == CT_OK) {
        status = check_anchor(chain, store, ret, err);
        if (status == CT_STALE)
            explain(chain, ret);
    }
    if (status == CT_OK)
        status = check_signature(chain, store, &signed_last, note, err);
    if (status == CT_OK)
        find_new_keys(chain, signed_last.size, note, ret_new);
    return status;
}

enum ct_status chain_check(struct chain *chain, struct store *store, struct ct_error *err)
{
    struct head head;
    bool is_new[CT_ARRAY_LENGTH(chain->signers)];
    json_t *override = NULL;
    enum ct_status status = check_head(chain, store, &head, is_new, err);
    if (status == CT_OK && chain->released_size == 0)
        status = find_voucher(chain, store, &head, &override, err);
    json_decref(override);
    return status == CT_REFUSED ? CT_STALE : status;
}

enum ct_status chain_follow(struct chain *chain, struct store *store, struct ct_error *err)
{
    struct head head;
    struct head of_signature = {.epoch = 0};
    struct accesslog_checkpoint checkpoint;
    char note[CHAIN_NOTE_ROOM];
    if (chain->released_size == 0)
        return CT_OK;
    enum ct_status status = load_head(store, &head, err);
    if (status == CT_OK && head.tree.size < chain->released_size)
        status = check_anchor(chain, store, &head, err); /* which says what is the matter */
    if (status == CT_OK)
        status = check_signature(chain, store, &checkpoint, note, err);
    if (status == CT_OK && checkpoint.size > chain->released_size) {
        of_signature.tree.size = checkpoint.size;
        of_signature.root = checkpoint.root;
        status = check_anchor(chain, store, &of_signature, err);
        if (status == CT_OK)
            status = chain_adopt(chain, &checkpoint, note, err);
    }
    return status;
}

enum ct_status chain_take_over(struct chain *chain, struct store *store, struct ct_error *err)
{
    struct head head;
    bool is_new[CT_ARRAY_LENGTH(chain->signers)];
    json_t *override = NULL;
    struct accesslog_batch *batch = malloc(sizeof *batch);
    if (batch == NULL)
        return CT_NO_MEMORY;
    enum ct_status status = check_head(chain, store, &head, is_new, err);
    if (status == CT_OK)
        status = find_voucher(chain, store, &head, &override, err);
    if (status == CT_OK)
        status = take_head(chain, store, &head, err);
    if (status == CT_OK) {
        status = entry_append_own(chain, store, "takeover", override == NULL ? "ok" : "overridden",
                                  takeover_subject(chain, &head, override), batch, err);
        if (status == CT_OK && override != NULL)
            vouch_override_used(chain->anchor_path);
        if (status == CT_OK)
            status = announce_keys(chain, store, is_new, batch, err);
    }
    if (status != CT_OK && !chain->unresolved)
        chain->epoch = 0; /* it did not happen: the next look takes over again */
    json_decref(override);
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
