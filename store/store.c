// SPDX-License-Identifier: Apache-2.0
#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUED_MAX 64
#define ROLLBACK_WAIT_MS 2000

struct store {
    PGconn *connection;
    const struct store_statement *statements;
    size_t statement_count;
    struct store_session session;
    size_t queued; /* statements since the last sync */
    bool failed;
    bool commit_warning;
};

/* ---- waiting --------------------------------------------------------------------------- */

static enum ct_status lost(struct store *store, const char *what, struct ct_error *err)
{
    store->failed = true;
    ct_error_set(err, "database connection lost %s", what);
    return CT_DB_LOST;
}

static enum ct_status wait_for(struct store *store, short events, int64_t deadline_ms,
                               struct ct_error *err)
{
    struct pollfd wait = {.fd = PQsocket(store->connection), .events = events};
    for (;;) {
        int64_t left_ms = deadline_ms - ct_mono_ms();
        if (left_ms <= 0)
            return lost(store, "(no answer in time)", err);
        int ready = poll(&wait, 1, (int)left_ms);
        if (ready > 0)
            return CT_OK;
        if (ready < 0 && errno != EINTR)
            return lost(store, "(poll)", err);
    }
}

/* Sends all that is buffered, reading meanwhile: a server that waits for us to read does not
 * read what we write. */
static enum ct_status flush(struct store *store, int64_t deadline_ms, struct ct_error *err)
{
    int more;
    while ((more = PQflush(store->connection)) == 1) {
        enum ct_status status = wait_for(store, POLLOUT | POLLIN, deadline_ms, err);
        if (status != CT_OK)
            return status;
        if (PQconsumeInput(store->connection) == 0)
            return lost(store, "while sending", err);
    }
    return more < 0 ? lost(store, "while sending", err) : CT_OK;
}

/* PQgetResult without ever blocking in it. */
static enum ct_status next_result(struct store *store, int64_t deadline_ms, PGresult **ret,
                                  struct ct_error *err)
{
    while (PQisBusy(store->connection)) {
        enum ct_status status = wait_for(store, POLLIN, deadline_ms, err);
        if (status != CT_OK)
            return status;
        if (PQconsumeInput(store->connection) == 0)
            return lost(store, "while reading", err);
    }
    *ret = PQgetResult(store->connection);
    return CT_OK;
}

/* ---- draining a pipeline: result, NULL, result, NULL, …, PIPELINE_SYNC -------------------- */

/* " at NAME line N" of the innermost PL/pgSQL function; "" if none. The rest of the context may
 * quote values. */
static void name_place(const PGresult *result, char *ret, size_t room)
{
    static const char before[] = "PL/pgSQL function ";
    const char *context = PQresultErrorField(result, PG_DIAG_CONTEXT);
    const char *name = context == NULL ? NULL : strstr(context, before);
    ret[0] = '\0';
    if (name == NULL)
        return;
    name += sizeof before - 1;
    int length = (int)strspn(name, "abcdefghijklmnopqrstuvwxyz_.0123456789");
    const char *line = name[length] == '(' ? strstr(name + length, ") line ") : NULL;
    if (line != NULL)
        line += strlen(") line ");
    (void)snprintf(ret, room, " at %.*s line %.*s", length, name,
                   line == NULL ? 0 : (int)strspn(line, "0123456789"), line == NULL ? "" : line);
}

/* What our own log says of a failure. PostgreSQL's messages may quote what a client sent, such as a
 * value that is no date: only those that our functions raise, of class CT, are told. */
static void describe(const PGresult *result, const char *state, struct ct_error *err)
{
    static const struct {
        int field;
        const char *name;
    } names[] = {
        {PG_DIAG_SOURCE_FUNCTION, "routine"},
        {PG_DIAG_TABLE_NAME, "table"},
        {PG_DIAG_COLUMN_NAME, "column"},
        {PG_DIAG_CONSTRAINT_NAME, "constraint"},
    };
    char text[sizeof err->text];
    char place[96];
    size_t length = 0;
    name_place(result, place, sizeof place);
    if (strncmp(state, "CT", 2) == 0) {
        const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
        ct_error_set(err, "%s: %s%s", state, message == NULL ? "" : message, place);
        return;
    }
    text[0] = '\0';
    for (size_t i = 0; i < CT_ARRAY_LENGTH(names) && length < sizeof text; i++) {
        const char *name = PQresultErrorField(result, names[i].field);
        if (name != NULL)
            length += (size_t)snprintf(text + length, sizeof text - length, " %s %s", names[i].name,
                                       name);
    }
    ct_error_set(err, "%s:%s%s", state, text, place);
}

static enum ct_status classify(const PGresult *result, struct ct_error *err)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (state == NULL)
        return CT_DB_LOST;
    describe(result, state, err);
    if (err != NULL)
        (void)snprintf(err->sqlstate, sizeof err->sqlstate, "%s", state);
    if (strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0)
        return CT_DB_RETRY;
    /* CT001, CT002: raised by our functions. The others: the functions are being replaced. */
    if (strcmp(state, "CT001") == 0 || strcmp(state, "CT002") == 0 || strcmp(state, "3F000") == 0 ||
        strcmp(state, "42883") == 0)
        return CT_STALE;
    /* 57Pnn: the server is going down; 08nnn: the connection; 53nnn: no disk, no memory; 58nnn: the
     * system; 25006: not a primary. Nothing that a request could be blamed for. */
    static const char *const ours[] = {"57P", "08", "53", "58", "25006"};
    for (size_t i = 0; i < CT_ARRAY_LENGTH(ours); i++) {
        if (strncmp(state, ours[i], strlen(ours[i])) == 0)
            return CT_DB_LOST;
    }
    return CT_DB;
}

static bool is_failure(ExecStatusType type)
{
    return type != PGRES_TUPLES_OK && type != PGRES_COMMAND_OK;
}

static enum ct_status drain(struct store *store, int64_t deadline_ms, PGresult **results,
                            size_t count, struct ct_error *err)
{
    enum ct_status outcome = CT_OK;
    size_t got = 0;
    for (;;) {
        PGresult *result = NULL;
        enum ct_status status = next_result(store, deadline_ms, &result, err);
        if (status != CT_OK)
            return status;
        if (result == NULL) {
            if (ct_mono_ms() > deadline_ms || PQstatus(store->connection) == CONNECTION_BAD)
                return lost(store, "while reading", err);
            continue;
        }
        ExecStatusType type = PQresultStatus(result);
        if (type == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            break;
        }
        if (outcome == CT_OK && is_failure(type)) {
            outcome = type == PGRES_PIPELINE_ABORTED ? CT_DB : classify(result, err);
            if (outcome == CT_DB_LOST)
                store->failed = true;
        }
        if (results != NULL && got < count)
            results[got++] = result;
        else
            PQclear(result);
        if (store->failed)
            return lost(store, "by the server", err);
    }
    store->queued = 0;
    return outcome;
}

/* ---- running --------------------------------------------------------------------------- */

static enum ct_status queue_failed(struct store *store)
{
    store->failed = PQstatus(store->connection) == CONNECTION_BAD;
    return store->failed ? CT_DB_LOST : CT_NO_MEMORY;
}

static enum ct_status queue_plain(struct store *store, const char *sql)
{
    if (PQsendQueryParams(store->connection, sql, 0, NULL, NULL, NULL, NULL, 1) == 0)
        return queue_failed(store);
    store->queued++;
    return CT_OK;
}

enum ct_status store_queue_begin(struct store *store)
{
    return queue_plain(store, "BEGIN ISOLATION LEVEL READ COMMITTED");
}

enum ct_status store_queue_commit(struct store *store)
{
    return queue_plain(store, "COMMIT");
}

enum ct_status store_queue(struct store *store, size_t statement, const struct store_params *params)
{
    const char *values[STORE_PARAMS_MAX] = {0};
    int lengths[STORE_PARAMS_MAX] = {0};
    int formats[STORE_PARAMS_MAX] = {0};
    if (params->bytes.failed)
        return CT_NO_MEMORY;
    for (unsigned i = 0; i < params->count; i++) {
        /* A parameter of no bytes still needs an address that is not NULL. */
        values[i] = params->nulls[i] ? NULL
                    : params->bytes.data == NULL
                        ? ""
                        : (const char *)params->bytes.data + params->offsets[i];
        lengths[i] = (int)params->lengths[i];
        formats[i] = 1;
    }
    if (PQsendQueryPrepared(store->connection, store->statements[statement].name,
                            (int)params->count, values, lengths, formats, 1) == 0)
        return queue_failed(store);
    store->queued++;
    return CT_OK;
}

static enum ct_status sync_and_drain(struct store *store, int64_t deadline_ms, PGresult **results,
                                     size_t count, struct ct_error *err)
{
    if (PQpipelineSync(store->connection) == 0)
        return lost(store, "before sending", err);
    enum ct_status status = flush(store, deadline_ms, err);
    if (status != CT_OK)
        return status;
    return drain(store, deadline_ms, results, count, err);
}

enum ct_status store_push(struct store *store)
{
    struct ct_error ignored;
    return PQflush(store->connection) >= 0 ? CT_OK : lost(store, "while sending", &ignored);
}

void store_roll_back(struct store *store)
{
    struct ct_error ignored;
    int64_t deadline_ms = ct_mono_ms() + ROLLBACK_WAIT_MS;
    if (store->failed)
        return;
    if (store->queued > 0)
        (void)sync_and_drain(store, deadline_ms, NULL, 0, &ignored);
    if (store->failed || PQtransactionStatus(store->connection) == PQTRANS_IDLE)
        return;
    if (queue_plain(store, "ROLLBACK") != CT_OK ||
        sync_and_drain(store, deadline_ms, NULL, 0, &ignored) != CT_OK)
        store->failed = true;
}

enum ct_status store_run(struct store *store, int64_t deadline_ms, struct store_result **results,
                         size_t count, struct ct_error *err)
{
    PGresult *collected[QUEUED_MAX] = {0};
    size_t queued = store->queued;
    if (store->failed || store->queued > QUEUED_MAX)
        return lost(store, "earlier", err);
    enum ct_status status = sync_and_drain(store, deadline_ms, collected, QUEUED_MAX, err);
    bool keep = status == CT_OK && results != NULL;
    assert(!keep || queued == count);
    for (size_t i = 0; i < QUEUED_MAX; i++) {
        if (keep && i < count)
            results[i] = (struct store_result *)collected[i];
        else
            PQclear(collected[i]);
    }
    for (size_t i = 0; !keep && results != NULL && i < count; i++)
        results[i] = NULL;
    if (status != CT_OK && !store->failed)
        store_roll_back(store);
    return status;
}

/* ---- opening --------------------------------------------------------------------------- */

static void on_notice(void *closure, const PGresult *result)
{
    struct store *store = closure;
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (severity != NULL && strcmp(severity, "WARNING") == 0)
        store->commit_warning = true;
    ct_log(CT_LOG_DEBUG, "database notice %s", state == NULL ? "" : state);
}

static enum ct_status connect_within(struct store *store, const char *connection, const char *label,
                                     int64_t deadline_ms, struct ct_error *err)
{
    /* expand_dbname: the second dbname word is a whole connection string. */
    const char *const keywords[] = {"application_name", "tcp_user_timeout", "dbname", NULL};
    const char *const values[] = {label, "5000", connection, NULL};
    store->connection = PQconnectStartParams(keywords, values, 1);
    if (store->connection == NULL)
        return CT_NO_MEMORY;
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;
    while (PQstatus(store->connection) != CONNECTION_BAD) {
        if (step == PGRES_POLLING_OK) {
            (void)PQsetNoticeReceiver(store->connection, on_notice, store);
            return CT_OK;
        }
        if (step == PGRES_POLLING_FAILED)
            break;
        enum ct_status status =
            wait_for(store, step == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_ms, err);
        if (status != CT_OK)
            return status;
        step = PQconnectPoll(store->connection);
    }
    ct_error_set(err, "cannot connect to the database: %s", PQerrorMessage(store->connection));
    return CT_DB_LOST;
}

static enum ct_status prepare_all(struct store *store, const struct store_options *options,
                                  int64_t deadline_ms, struct ct_error *err)
{
    char timeouts[256];
    (void)snprintf(timeouts, sizeof timeouts, "SELECT set_config('statement_timeout', '%d', false)",
                   options->statement_timeout_ms);
    static const char *const session[] = {
        "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()",
        "SET jit = off",
        "SET synchronous_commit = on",
        "SET TimeZone = 'UTC'",
        "SET DateStyle = 'ISO'",
        "SET client_encoding = 'UTF8'",
        "SET lock_timeout = '2s'",
        "SET idle_in_transaction_session_timeout = '5s'",
        "SET plan_cache_mode = 'force_generic_plan'",
        /* A host that vanishes must not hold the writer's lock for hours. */
        "SET tcp_keepalives_idle = 2",
        "SET tcp_keepalives_interval = 1",
        "SET tcp_keepalives_count = 3",
        "SET tcp_user_timeout = 5000",
    };
    if (PQsetnonblocking(store->connection, 1) != 0 || PQenterPipelineMode(store->connection) != 1)
        return lost(store, "(pipeline mode)", err);
    enum ct_status status = CT_OK;
    for (size_t i = 0; status == CT_OK && i < CT_ARRAY_LENGTH(session); i++)
        status = queue_plain(store, session[i]);
    if (status == CT_OK)
        status = queue_plain(store, timeouts);
    if (status == CT_OK && options->read_only)
        status = queue_plain(store, "SET default_transaction_read_only = on");
    for (size_t i = 0; status == CT_OK && i < store->statement_count; i++) {
        if (PQsendPrepare(store->connection, store->statements[i].name, store->statements[i].sql, 0,
                          NULL) == 0)
            status = queue_failed(store);
    }
    PGresult *self = NULL;
    if (status == CT_OK)
        status = sync_and_drain(store, deadline_ms, &self, 1, err);
    if (status == CT_OK) {
        const struct store_result *result = (const struct store_result *)self;
        store->session.pid = store_get_int(result, 0, 0);
        store->session.started = store_get_bigint(result, 0, 1);
    }
    PQclear(self);
    return status;
}

enum ct_status store_open(const struct store_options *options, int64_t deadline_ms,
                          struct store **ret, struct ct_error *err)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return CT_NO_MEMORY;
    store->statements = options->statements;
    store->statement_count = options->statement_count;
    enum ct_status status =
        connect_within(store, options->connection, options->label, deadline_ms, err);
    if (status == CT_OK)
        status = prepare_all(store, options, deadline_ms, err);
    if (status != CT_OK) {
        store_close(store);
        return status;
    }
    *ret = store;
    return CT_OK;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    PQfinish(store->connection);
    free(store);
}

int store_fd(const struct store *store)
{
    return PQsocket(store->connection);
}

bool store_alive(const struct store *store)
{
    return !store->failed;
}

struct store_session store_session(const struct store *store)
{
    return store->session;
}

bool store_take_commit_warning(struct store *store)
{
    bool warned = store->commit_warning;
    store->commit_warning = false;
    return warned;
}
