// SPDX-License-Identifier: Apache-2.0
#include "keeper/schema.h"

#include "keeper/limits.h"
#include "keeper/schema_digest.h"
#include "store/store.h"

#include <string.h>

#define DIGEST_TEXT 65

const char schema_digest[] = KEEPER_SCHEMA_DIGEST;

static const struct store_statement digest_statement = {"schema_digest",
                                                        "SELECT api.schema_digest()"};
/* The lock that casetrace migrate holds from its first step to its last. */
static const struct store_statement migration_statement = {
    "migration", "SELECT EXISTS (SELECT FROM pg_locks l "
                 "JOIN pg_database d ON d.oid = l.database AND d.datname = current_database() "
                 "WHERE l.locktype = 'advisory' AND l.classid = 4849523 AND l.objid = 8 "
                 "AND l.objsubid = 2 AND l.granted)"};

static enum ct_status ask(const char *connection, const struct store_statement *statement,
                          struct store_result **ret, struct ct_error *err)
{
    struct store_options options = {.connection = connection,
                                    .label = "casetrace look",
                                    .statement_timeout_ms = LIMIT_STATEMENT_MS,
                                    .statements = statement,
                                    .statement_count = 1};
    struct store *store = NULL;
    struct store_params none;
    store_params_init(&none);
    enum ct_status status = store_open(&options, ct_mono_ms() + LIMIT_CONNECT_MS, &store, err);
    if (status == CT_OK)
        status = store_queue(store, 0, &none);
    if (status == CT_OK)
        status =
            store_run(store, ct_mono_ms() + LIMIT_STATEMENT_MS + LIMIT_SILENCE_MS, ret, 1, err);
    store_close(store);
    return status;
}

/* "" while there is none. */
static enum ct_status ask_digest(const char *connection, char ret[DIGEST_TEXT],
                                 struct ct_error *err)
{
    struct store_result *result = NULL;
    enum ct_status status = ask(connection, &digest_statement, &result, err);
    const char *digest = status == CT_OK ? store_get_text(result, 0, 0) : NULL;
    if (status == CT_OK || status == CT_STALE) { /* stale: the function is not there */
        (void)snprintf(ret, DIGEST_TEXT, "%s", digest == NULL ? "" : digest);
        status = CT_OK;
    }
    store_result_free(result);
    return status;
}

static enum ct_status ask_migration(const char *connection, bool *ret, struct ct_error *err)
{
    struct store_result *result = NULL;
    enum ct_status status = ask(connection, &migration_statement, &result, err);
    if (status == CT_OK)
        *ret = store_get_bool(result, 0, 0);
    store_result_free(result);
    return status;
}

enum ct_status schema_look(const char *connection, enum schema_state *ret, struct ct_error *err)
{
    char digest[DIGEST_TEXT] = "";
    bool migrating = false;
    enum ct_status status = ask_digest(connection, digest, err);
    if (status == CT_OK && strcmp(digest, schema_digest) != 0) {
        status = ask_migration(connection, &migrating, err);
        /* One that was at work before the second question may have ended since the first. */
        if (status == CT_OK && !migrating)
            status = ask_digest(connection, digest, err);
    }
    if (status != CT_OK)
        return status;
    if (migrating) {
        *ret = SCHEMA_MIGRATING;
        ct_error_set(err, "the database's schema is being migrated");
    } else if (digest[0] == '\0') {
        *ret = SCHEMA_UNREADY;
        ct_error_set(err, "the database's schema is not ready: run casetrace migrate");
    } else if (strcmp(digest, schema_digest) != 0) {
        *ret = SCHEMA_OTHER;
        ct_error_set(err,
                     "the schema's digest is %s, and this release needs %s: run its casetrace "
                     "migrate, or start the release of that schema",
                     digest, schema_digest);
    } else {
        *ret = SCHEMA_CURRENT;
    }
    return CT_OK;
}
