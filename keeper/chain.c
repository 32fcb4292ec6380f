// SPDX-License-Identifier: Apache-2.0
#include "keeper/chain.h"

#include "api/statements.h"
#include "keeper/anchor.h"
#include "keeper/limits.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum ct_status chain_init(struct chain *chain, const struct auth_keyring *keyring,
                          const char *writer, const char *anchor_path, struct ct_error *err)
{
    struct accesslog_verifier known[CT_ARRAY_LENGTH(chain->signers)];
    struct accesslog_checkpoint anchored;
    *chain = (struct chain){.keyring = keyring, .anchor = -1, .anchor_path = strdup(anchor_path)};
    if (chain->anchor_path == NULL)
        return CT_NO_MEMORY;
    (void)snprintf(chain->writer, sizeof chain->writer, "%s", writer);
    chain->signer_count = auth_keyring_log_key_count(keyring);
    for (size_t i = 0; i < chain->signer_count; i++) {
        struct auth_log_key key;
        auth_keyring_log_key(keyring, i, &key);
        if (i >= CT_ARRAY_LENGTH(chain->signers) ||
            accesslog_signer_init(key.name, ACCESSLOG_KEY_ED25519, key.seed, &chain->signers[i]) !=
                ACCESSLOG_OK) {
            ct_error_set(err, "the keyring's log keys cannot be used");
            return CT_CRYPTO;
        }
        known[i] = chain->signers[i].verifier;
    }
    enum ct_status status = anchor_open(anchor_path, known, chain->signer_count, &chain->anchor,
                                        &chain->anchor_slot, &anchored, err);
    if (status != CT_OK)
        return status;
    chain->released_size = anchored.size;
    chain->released_root = anchored.root;
    (void)pthread_mutex_init(&chain->mutex, NULL);
    (void)pthread_mutex_init(&chain->release_mutex, NULL);
    return CT_OK;
}

void chain_free(struct chain *chain)
{
    free(chain->anchor_path);
    chain->anchor_path = NULL;
    if (chain->anchor < 0)
        return;
    for (size_t i = 0; i < chain->signer_count; i++)
        accesslog_signer_wipe(&chain->signers[i]);
    (void)pthread_mutex_destroy(&chain->mutex);
    (void)pthread_mutex_destroy(&chain->release_mutex);
    (void)close(chain->anchor);
    chain->anchor = -1;
}

void chain_commit_entry(struct chain_entry *entry)
{
    struct accesslog_entry again;
    accesslog_entry_commit(entry->header, strlen(entry->header), entry->salt_header, entry->subject,
                           strlen(entry->subject), entry->salt_subject, &entry->commitment);
    /* Twice, since a flipped bit would make an entry that nobody can ever rebuild. */
    accesslog_entry_commit(entry->header, strlen(entry->header), entry->salt_header, entry->subject,
                           strlen(entry->subject), entry->salt_subject, &again);
    if (!accesslog_hash_equal(&entry->commitment.leaf_hash, &again.leaf_hash)) {
        ct_log(CT_LOG_ERROR, "two computations of one leaf differ: this machine is faulty");
        abort();
    }
}

/* ---- appending --------------------------------------------------------------------------- */

static void add_sealed(const struct chain *chain, struct store_params *params,
                       const uint8_t batch[CT_UUID_BYTES], const struct chain_entry *entries,
                       size_t count, enum auth_subject_part part)
{
    struct ct_buf sealed;
    ct_buf_init(&sealed, AUTH_SEAL_MAX);
    store_array_open(params, STORE_BYTEA);
    for (size_t i = 0; i < count; i++) {
        const void *plain = part == AUTH_SUBJECT ? (const void *)entries[i].subject
                                                 : (const void *)entries[i].salt_subject;
        size_t length =
            part == AUTH_SUBJECT ? strlen(entries[i].subject) : sizeof entries[i].salt_subject;
        ct_buf_reset(&sealed);
        if (ct_buf_reserve(&sealed, length + AUTH_SUBJECT_OVERHEAD) != CT_OK) {
            params->bytes.failed = true;
            break;
        }
        auth_subject_seal(chain->keyring, part, batch, (uint32_t)i + 1, plain, length, sealed.data);
        store_element_bytes(params, sealed.data, length + AUTH_SUBJECT_OVERHEAD);
    }
    store_array_close(params);
    ct_buf_free(&sealed);
}

enum hash_column { HASH_LEAF, HASH_D_SUBJECT, HASH_SALT };

static void add_hashes(struct store_params *params, const struct chain_entry *entries, size_t count,
                       enum hash_column column)
{
    store_array_open(params, STORE_BYTEA);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *bytes = column == HASH_LEAF        ? entries[i].commitment.leaf_hash.bytes
                               : column == HASH_D_SUBJECT ? entries[i].commitment.d_subject.bytes
                                                          : entries[i].salt_header;
        store_element_bytes(params, bytes, ACCESSLOG_HASH_BYTES);
    }
    store_array_close(params);
}

static void add_subtrees(struct store_params *params, const struct accesslog_batch *batch)
{
    store_array_open(params, STORE_INT);
    for (size_t i = 0; i < batch->subtree_count; i++)
        store_element_int(params, (int32_t)batch->subtrees[i].level);
    store_array_close(params);
    store_array_open(params, STORE_BIGINT);
    for (size_t i = 0; i < batch->subtree_count; i++)
        store_element_bigint(params, (int64_t)batch->subtrees[i].index);
    store_array_close(params);
    store_array_open(params, STORE_BYTEA);
    for (size_t i = 0; i < batch->subtree_count; i++)
        store_element_bytes(params, batch->subtrees[i].hash.bytes, ACCESSLOG_HASH_BYTES);
    store_array_close(params);
}

static void add_uuids(struct store_params *params, const struct chain_entry *entries, size_t count,
                      bool organizations)
{
    store_array_open(params, STORE_UUID);
    for (size_t i = 0; i < count; i++)
        store_element_bytes(params, organizations ? entries[i].organization : entries[i].account,
                            CT_UUID_BYTES);
    store_array_close(params);
}

enum filter_column { FILTER_OPERATION, FILTER_OUTCOME, FILTER_CASE_NUMBER };

static void add_filters(struct store_params *params, const struct chain_entry *entries,
                        size_t count, enum filter_column column)
{
    store_array_open(params, STORE_TEXT);
    for (size_t i = 0; i < count; i++)
        store_element_text(params, column == FILTER_OPERATION ? entries[i].operation
                                   : column == FILTER_OUTCOME ? entries[i].outcome
                                                              : entries[i].case_number);
    store_array_close(params);
}

static void add_touched(struct store_params *params, const struct chain_entry *entries,
                        size_t count)
{
    store_array_open(params, STORE_BYTEA);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < entries[i].token_count; j++)
            store_element_bytes(params, entries[i].tokens[j], AUTH_TOKEN_BYTES);
    }
    store_array_close(params);
    store_array_open(params, STORE_INT);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < entries[i].token_count; j++)
            store_element_int(params, (int32_t)i + 1);
    }
    store_array_close(params);
}

/* What log_search is filled with. */
static void add_search(struct store_params *params, const struct chain_entry *entries, size_t count)
{
    if (entries[0].operation == NULL) {
        for (int i = 0; i < 8; i++)
            store_param_text(params, NULL);
        return;
    }
    store_param_bigint(params, entries[0].time_ms);
    add_uuids(params, entries, count, false);
    add_uuids(params, entries, count, true);
    add_filters(params, entries, count, FILTER_OPERATION);
    add_filters(params, entries, count, FILTER_OUTCOME);
    add_filters(params, entries, count, FILTER_CASE_NUMBER);
    add_touched(params, entries, count);
}

/* The chain's mutex is held: what is appended follows what is remembered. */
static enum ct_status queue_append(const struct chain *chain, struct store *store,
                                   const uint8_t id[CT_UUID_BYTES],
                                   const struct chain_entry *entries, size_t count,
                                   const struct accesslog_batch *batch)
{
    struct store_params params;
    uint8_t frontier[ACCESSLOG_FRONTIER_BYTES_MAX];
    store_params_init(&params);
    store_param_text(&params, chain->writer);
    store_param_bigint(&params, chain->epoch);
    store_param_bigint(&params, (int64_t)chain->tree.size);
    store_param_bytes(&params, frontier, accesslog_tree_pack(&chain->tree, frontier));
    store_param_bytes(&params, frontier, accesslog_tree_pack(&batch->tree, frontier));
    store_param_bytes(&params, batch->root.bytes, ACCESSLOG_HASH_BYTES);
    store_param_uuid(&params, id);
    add_hashes(&params, entries, count, HASH_LEAF);
    store_array_open(&params, STORE_BYTEA);
    for (size_t i = 0; i < count; i++)
        store_element_text(&params, entries[i].header);
    store_array_close(&params);
    add_hashes(&params, entries, count, HASH_SALT);
    add_hashes(&params, entries, count, HASH_D_SUBJECT);
    add_sealed(chain, &params, id, entries, count, AUTH_SUBJECT);
    add_sealed(chain, &params, id, entries, count, AUTH_SUBJECT_SALT);
    add_subtrees(&params, batch);
    add_search(&params, entries, count);
    enum ct_status status = store_queue(store, API_SQL_log_append, &params);
    store_params_free(&params);
    return status;
}

static enum ct_status took_too_long(struct ct_error *err, const char *what)
{
    ct_error_set(err, "%s", what);
    (void)snprintf(err->sqlstate, sizeof err->sqlstate, "55P03"); /* as if the database said so */
    return CT_DB;
}

/* Of a session whose connection was lost, the last statements may still lie in a buffer on the way,
 * before the one that locks the head: an answer would not be final while it lives. */
static enum ct_status end_session(struct store *store, struct store_session session,
                                  struct ct_error *err)
{
    struct store_params params;
    struct store_result *result = NULL;
    store_params_init(&params);
    store_param_int(&params, session.pid);
    store_param_bigint(&params, session.started);
    store_param_bigint(&params, LIMIT_SESSION_END_MS);
    enum ct_status status = store_queue(store, API_SQL_session_end, &params);
    if (status == CT_OK)
        status =
            store_run(store, ct_mono_ms() + LIMIT_STATEMENT_MS + LIMIT_SILENCE_MS, &result, 1, err);
    if (status == CT_OK && store_rows(result) > 0 && !store_get_bool(result, 0, 0))
        status = took_too_long(err, "the session of a COMMIT without an answer does not end");
    store_result_free(result);
    store_params_free(&params);
    return status;
}

/* The session to which it was sent has ended: did that batch commit? Locks the head row, which
 * stays so if a transaction is open. */
static enum ct_status ask_committed(struct store *store, const uint8_t batch[CT_UUID_BYTES],
                                    bool *ret_committed, struct ct_error *err)
{
    struct store_params params;
    struct store_result *result = NULL;
    store_params_init(&params);
    store_param_uuid(&params, batch);
    (void)store_take_commit_warning(store);
    enum ct_status status = store_queue(store, API_SQL_log_resolve, &params);
    if (status == CT_OK)
        status = store_run(store, ct_mono_ms() + LIMIT_LOCK_MS + LIMIT_SILENCE_MS, &result, 1, err);
    if (status == CT_OK && store_take_commit_warning(store))
        status = CT_DB_LOST; /* what it saw may be gone again with this server */
    if (status == CT_OK)
        *ret_committed = store_get_bool(result, 0, 0);
    store_result_free(result);
    store_params_free(&params);
    return status;
}

/* The mutex is held. */
static enum ct_status settle(struct chain *chain, struct store *store, struct ct_error *err)
{
    bool committed = false;
    if (!chain->unresolved)
        return CT_OK;
    /* What the caller has queued goes first: its results are not ours. */
    enum ct_status status =
        store_run(store, ct_mono_ms() + LIMIT_LOCK_MS + LIMIT_STATEMENT_MS, NULL, 0, err);
    if (status == CT_OK)
        status = end_session(store, chain->unresolved_session, err);
    if (status == CT_OK)
        status = ask_committed(store, chain->unresolved_batch, &committed, err);
    if (status != CT_OK)
        return status;
    if (committed) {
        chain->tree = chain->unresolved_tree;
        chain->root = chain->unresolved_root;
    }
    chain->unresolved = false;
    return CT_OK;
}

/* ThreadSanitizer of gcc 12 does not know pthread_mutex_clocklock(): it would take the mutex for
 * unlocked and what it guards for raced over. */
static int lock_until(pthread_mutex_t *mutex, int64_t wait_ms)
{
    struct timespec until;
#ifdef __SANITIZE_THREAD__
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += wait_ms / 1000;
    return pthread_mutex_timedlock(mutex, &until);
#else
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &until);
#endif
}

/* As bounded as every other wait: who does not get its turn in time gives up its batch. */
static enum ct_status lock_chain(struct chain *chain, struct ct_error *err)
{
    if (lock_until(&chain->mutex, LIMIT_LOCK_MS + LIMIT_STATEMENT_MS) == 0)
        return CT_OK;
    return took_too_long(err, "the turn to append to the log did not come in time");
}

static enum ct_status append_locked(struct chain *chain, struct store *store,
                                    const uint8_t id[CT_UUID_BYTES],
                                    const struct chain_entry *entries, size_t count,
                                    struct accesslog_batch *ret_batch, bool *ret_sent,
                                    struct ct_error *err)
{
    struct accesslog_hash leaves[ACCESSLOG_BATCH_MAX];
    for (size_t i = 0; i < count; i++)
        leaves[i] = entries[i].commitment.leaf_hash;
    enum ct_status status = settle(chain, store, err);
    if (status != CT_OK)
        return status;
    if (accesslog_batch_append(&chain->tree, leaves, count, ret_batch) != ACCESSLOG_OK)
        return CT_LIMIT;
    status = queue_append(chain, store, id, entries, count, ret_batch);
    if (status == CT_OK)
        status = store_queue_commit(store);
    if (status != CT_OK)
        return status;
    *ret_sent = true;
    (void)store_take_commit_warning(store);
    status = store_run(store, ct_mono_ms() + LIMIT_LOCK_MS + LIMIT_STATEMENT_MS, NULL, 0, err);
    if (ct_injection_point("after-commit"))
        status = CT_DB_LOST;
    /* A cancelled wait for a synchronous standby commits with a warning only: as good as not
     * known until a later look finds the batch on the new primary or here. */
    if (status == CT_OK && store_take_commit_warning(store)) {
        ct_error_set(err, "the commit was not confirmed by the synchronous standby");
        status = CT_DB_LOST;
    }
    if (status == CT_OK) {
        chain->tree = ret_batch->tree;
        chain->root = ret_batch->root;
    } else if (status == CT_DB_LOST) {
        chain->unresolved = true;
        memcpy(chain->unresolved_batch, id, CT_UUID_BYTES);
        chain->unresolved_session = store_session(store);
        chain->unresolved_tree = ret_batch->tree;
        chain->unresolved_root = ret_batch->root;
    }
    return status;
}

enum ct_status chain_append(struct chain *chain, struct store *store,
                            const uint8_t batch[CT_UUID_BYTES], const struct chain_entry *entries,
                            size_t count, struct accesslog_batch *ret_batch, bool *ret_sent,
                            struct ct_error *err)
{
    *ret_sent = false;
    if (count == 0 || count > ACCESSLOG_BATCH_MAX)
        return CT_LIMIT;
    enum ct_status status = lock_chain(chain, err);
    if (status != CT_OK)
        return status;
    status = append_locked(chain, store, batch, entries, count, ret_batch, ret_sent, err);
    (void)pthread_mutex_unlock(&chain->mutex);
    return status;
}

enum ct_status chain_resolve(struct chain *chain, struct store *store,
                             const uint8_t batch[CT_UUID_BYTES], bool *ret_committed,
                             struct ct_error *err)
{
    enum ct_status status = lock_chain(chain, err);
    if (status != CT_OK)
        return status;
    status = settle(chain, store, err);
    if (status == CT_OK)
        status = ask_committed(store, batch, ret_committed, err);
    (void)pthread_mutex_unlock(&chain->mutex);
    return status;
}

/* ---- releasing ----------------------------------------------------------------------------- */

/* The release mutex is held. A newer one on disk covers this one: whoever extends that extends
 * this. */
static enum ct_status write_anchor(struct chain *chain,
                                   const struct accesslog_checkpoint *checkpoint, const char *note,
                                   struct ct_error *err)
{
    if (checkpoint->size <= chain->released_size)
        return CT_OK;
    enum ct_status status = anchor_write(chain->anchor, chain->anchor_slot, note, err);
    if (status == CT_OK) {
        chain->anchor_slot ^= 1u;
        chain->released_size = checkpoint->size;
        chain->released_root = checkpoint->root;
    }
    return status;
}

enum ct_status chain_release(struct chain *chain, uint64_t size, const struct accesslog_hash *root,
                             char *ret_note, struct ct_error *err)
{
    struct accesslog_checkpoint checkpoint = {.size = size, .root = *root};
    enum ct_status status = CT_OK;
    (void)snprintf(checkpoint.origin, sizeof checkpoint.origin, "%s",
                   auth_keyring_origin(chain->keyring));
    if (accesslog_checkpoint_sign(&checkpoint, chain->signers, chain->signer_count, ret_note,
                                  CHAIN_NOTE_ROOM) == 0)
        return CT_CRYPTO;
    (void)pthread_mutex_lock(&chain->release_mutex);
    status = write_anchor(chain, &checkpoint, ret_note, err);
    if (status == CT_OK && size == chain->released_size)
        memcpy(chain->released_note, ret_note, strlen(ret_note) + 1);
    (void)pthread_mutex_unlock(&chain->release_mutex);
    return status;
}

enum ct_status chain_adopt(struct chain *chain, const struct accesslog_checkpoint *checkpoint,
                           const char *note, struct ct_error *err)
{
    (void)pthread_mutex_lock(&chain->release_mutex);
    bool newer = checkpoint->size > chain->released_size;
    enum ct_status status = write_anchor(chain, checkpoint, note, err);
    if (newer && status == CT_OK)
        chain->released_note[0] = '\0'; /* what is to be published was released here */
    (void)pthread_mutex_unlock(&chain->release_mutex);
    return status;
}

uint64_t chain_released(struct chain *chain, char ret_note[CHAIN_NOTE_ROOM])
{
    (void)pthread_mutex_lock(&chain->release_mutex);
    uint64_t size = chain->released_note[0] == '\0' ? 0 : chain->released_size;
    memcpy(ret_note, chain->released_note, strlen(chain->released_note) + 1);
    (void)pthread_mutex_unlock(&chain->release_mutex);
    return size;
}
