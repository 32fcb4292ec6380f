// SPDX-License-Identifier: Apache-2.0
/* What casetrace init asks of the database, as its owner. */
#include "cli/init.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_MS 10000
#define WRITER "init" /* whom the migration entered in the log's head */

enum statement {
    STATE,
    ENTER,
    APPEND,
    ENTRY,
    SIGNED,
    SIGN,
};

static const struct store_statement statements[] = {
    [STATE] = {"init_state", "SELECT r.ready, h.size, h.writer = '" WRITER "' AND h.epoch = 0 "
                             "FROM registry.schema_ready r, registry.log_head h"},
    [ENTER] = {"init_enter",
               "SELECT organization, account FROM api.init_registry($1, $2, $3, $4, $5, $6)"},
    [APPEND] = {"init_append",
                "SELECT api.log_append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, "
                "$13, $14, $15, $16)"},
    [ENTRY] = {"init_entry", "SELECT header, header_salt, d_subject, leaf_hash "
                             "FROM registry.log_entry WHERE idx = 0"},
    [SIGNED] = {"init_signed", "SELECT EXISTS (SELECT FROM api.log_last_signature($1))"},
    [SIGN] = {"init_sign", "SELECT api.log_sign_store($1, $2, $3)"},
};

enum ct_status init_database_open(const char *connection, struct store **ret, struct ct_error *err)
{
    const struct store_options options = {.connection = connection,
                                          .label = "casetrace init",
                                          .statement_timeout_ms = WAIT_MS,
                                          .statements = statements,
                                          .statement_count = CT_ARRAY_LENGTH(statements)};
    enum ct_status status = store_open(&options, ct_mono_ms() + WAIT_MS, ret, err);
    /* 42P01, 3F000, 42883: a table, a schema, a function is not there. */
    if (status == CT_STALE || (status == CT_DB && strcmp(err->sqlstate, "42P01") == 0)) {
        ct_error_set(err, "the database has no complete schema: run casetrace migrate first");
        return CT_STALE;
    }
    return status;
}

/* Runs one statement and gives its result. */
static enum ct_status ask(struct store *store, enum statement statement,
                          const struct store_params *params, struct store_result **ret,
                          struct ct_error *err)
{
    enum ct_status status = store_queue(store, statement, params);
    if (status == CT_OK)
        status = store_run(store, ct_mono_ms() + WAIT_MS, ret, 1, err);
    else
        ct_error_set(err, "cannot send to the database");
    return status;
}

enum ct_status init_database_state(struct store *store, struct init_state *ret,
                                   struct ct_error *err)
{
    struct store_params none;
    struct store_result *result = NULL;
    store_params_init(&none);
    enum ct_status status = ask(store, STATE, &none, &result, err);
    if (status == CT_OK && store_rows(result) != 1) {
        ct_error_set(err, "the database has no log head: run casetrace migrate");
        status = CT_STALE;
    }
    if (status == CT_OK) {
        ret->ready = store_get_bool(result, 0, 0);
        ret->size = (uint64_t)store_get_bigint(result, 0, 1);
        ret->untouched = store_get_bool(result, 0, 2);
    }
    store_result_free(result);
    return status;
}

/* ---- entering -------------------------------------------------------------------------------- */

enum ct_status init_database_enter(struct store *store, const struct init_names *names,
                                   const uint8_t batch[CT_UUID_BYTES],
                                   const uint8_t digest[AUTH_DIGEST_BYTES], struct init_ids *ret,
                                   struct ct_error *err)
{
    struct store_params params;
    struct store_result *results[2] = {NULL, NULL};
    store_params_init(&params);
    store_param_uuid(&params, batch);
    store_param_text(&params, names->organization);
    store_param_text(&params, names->administrator);
    store_param_uuid(&params, ret->key);
    store_param_bytes(&params, digest, AUTH_DIGEST_BYTES);
    store_param_text(&params, "first key");
    enum ct_status status = store_queue_begin(store);
    if (status == CT_OK)
        status = store_queue(store, ENTER, &params);
    if (status == CT_OK)
        status = store_run(store, ct_mono_ms() + WAIT_MS, results, 2, err);
    if (status == CT_OK) {
        const uint8_t *organization = store_get_uuid(results[1], 0, 0);
        const uint8_t *account = store_get_uuid(results[1], 0, 1);
        if (store_rows(results[1]) == 1 && organization != NULL && account != NULL) {
            memcpy(ret->organization, organization, CT_UUID_BYTES);
            memcpy(ret->account, account, CT_UUID_BYTES);
        } else {
            ct_error_set(err, "api.init_registry gave no ids");
            status = CT_STALE;
        }
    }
    store_result_free(results[0]);
    store_result_free(results[1]);
    store_params_free(&params);
    return status;
}

static void add_one(struct store_params *params, const void *bytes, size_t length)
{
    store_array_open(params, STORE_BYTEA);
    store_element_bytes(params, bytes, length);
    store_array_close(params);
}

static enum ct_status add_sealed(struct store_params *params, const struct auth_keyring *keyring,
                                 enum auth_subject_part part, const uint8_t batch[CT_UUID_BYTES],
                                 const void *plain, size_t length)
{
    uint8_t *sealed = malloc(length + AUTH_SUBJECT_OVERHEAD);
    if (sealed == NULL)
        return CT_NO_MEMORY;
    auth_subject_seal(keyring, part, batch, 1, plain, length, sealed);
    add_one(params, sealed, length + AUTH_SUBJECT_OVERHEAD);
    free(sealed);
    return CT_OK;
}

enum ct_status init_database_append(struct store *store, const struct auth_keyring *keyring,
                                    const uint8_t batch[CT_UUID_BYTES],
                                    const struct init_entry *entry, struct ct_error *err)
{
    const struct accesslog_tree empty = {.size = 0};
    struct accesslog_batch *appended = calloc(1, sizeof *appended);
    uint8_t frontier[ACCESSLOG_FRONTIER_BYTES_MAX];
    struct store_params params;
    struct store_result *result = NULL;
    enum ct_status status = CT_NO_MEMORY;

    store_params_init(&params);
    if (appended == NULL ||
        accesslog_batch_append(&empty, &entry->commitment.leaf_hash, 1, appended) != ACCESSLOG_OK)
        goto out;
    store_param_text(&params, WRITER);
    store_param_bigint(&params, 0);
    store_param_bigint(&params, 0);
    store_param_bytes(&params, "", 0);
    store_param_bytes(&params, frontier, accesslog_tree_pack(&appended->tree, frontier));
    store_param_bytes(&params, appended->root.bytes, sizeof appended->root.bytes);
    store_param_uuid(&params, batch);
    add_one(&params, entry->commitment.leaf_hash.bytes, ACCESSLOG_HASH_BYTES);
    add_one(&params, entry->header, strlen(entry->header));
    add_one(&params, entry->salt_header, sizeof entry->salt_header);
    add_one(&params, entry->commitment.d_subject.bytes, ACCESSLOG_HASH_BYTES);
    status =
        add_sealed(&params, keyring, AUTH_SUBJECT, batch, entry->subject, strlen(entry->subject));
    if (status == CT_OK)
        status = add_sealed(&params, keyring, AUTH_SUBJECT_SALT, batch, entry->salt_subject,
                            sizeof entry->salt_subject);
    if (status != CT_OK)
        goto out;
    store_array_open(&params, STORE_INT);
    store_array_close(&params);
    store_array_open(&params, STORE_BIGINT);
    store_array_close(&params);
    store_array_open(&params, STORE_BYTEA);
    store_array_close(&params);
    status = ask(store, APPEND, &params, &result, err);
out:
    if (status == CT_NO_MEMORY)
        ct_error_set(err, "out of memory");
    store_result_free(result);
    store_params_free(&params);
    free(appended);
    return status;
}

enum ct_status init_database_commit(struct store *store, struct ct_error *err)
{
    enum ct_status status = store_queue_commit(store);
    return status == CT_OK ? store_run(store, ct_mono_ms() + WAIT_MS, NULL, 0, err) : status;
}

/* ---- afterwards --------------------------------------------------------------------------------
 */

static bool take_hash(const struct store_result *result, int column,
                      uint8_t ret[ACCESSLOG_HASH_BYTES])
{
    size_t length = 0;
    const uint8_t *bytes = store_get_bytes(result, 0, column, &length);
    if (bytes == NULL || length != ACCESSLOG_HASH_BYTES)
        return false;
    memcpy(ret, bytes, ACCESSLOG_HASH_BYTES);
    return true;
}

enum ct_status init_database_entry(struct store *store, struct init_entry *ret_entry,
                                   struct ct_error *err)
{
    struct store_params none;
    struct store_result *result = NULL;
    struct init_entry entry = {.header = NULL};
    size_t length = 0;
    store_params_init(&none);
    enum ct_status status = ask(store, ENTRY, &none, &result, err);
    if (status == CT_OK) {
        const uint8_t *header = store_get_bytes(result, 0, 0, &length);
        if (store_rows(result) != 1 || header == NULL || !take_hash(result, 1, entry.salt_header) ||
            !take_hash(result, 2, entry.commitment.d_subject.bytes) ||
            !take_hash(result, 3, entry.commitment.leaf_hash.bytes)) {
            ct_error_set(err, "the log has no entry 0");
            status = CT_NOT_FOUND;
        } else {
            entry.header = strndup((const char *)header, length);
            if (entry.header == NULL)
                status = CT_NO_MEMORY;
        }
    }
    if (status == CT_OK)
        *ret_entry = entry;
    store_result_free(result);
    return status;
}

enum ct_status init_database_signed(struct store *store, const char *name, bool *ret,
                                    struct ct_error *err)
{
    struct store_params params;
    struct store_result *result = NULL;
    store_params_init(&params);
    store_param_text(&params, name);
    enum ct_status status = ask(store, SIGNED, &params, &result, err);
    if (status == CT_OK)
        *ret = store_get_bool(result, 0, 0);
    store_result_free(result);
    store_params_free(&params);
    return status;
}

enum ct_status init_database_sign(struct store *store, uint64_t size, const char *name,
                                  const char *line, struct ct_error *err)
{
    struct store_params params;
    struct store_result *result = NULL;
    store_params_init(&params);
    store_param_bigint(&params, (int64_t)size);
    store_param_text(&params, name);
    store_param_text(&params, line);
    enum ct_status status = ask(store, SIGN, &params, &result, err);
    store_result_free(result);
    store_params_free(&params);
    return status;
}
