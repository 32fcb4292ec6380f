// SPDX-License-Identifier: Apache-2.0
#include "keeper/internal.h"

#include "api/vocabulary.h"
#include "keeper/entry.h"
#include "keeper/reader.h"
#include "keeper/schema.h"
#include "keeper/oversight.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What is done behind the batches, on a connection of its own that also holds the writer's lock:
 * whoever holds it appends to the log, and it is free when the connection ends. */

#define TICK_MS 200
#define FILL_ROWS 4096
#define SIGN_MS 1000
#define FOLLOW_MS 500
#define USED_MS 2000
#define COUNT_MS 1000
#define MAINTAIN_MS 60000
#define COMPLAIN_MS 10000
#define WORKER_STEPS 9

struct worker {
    struct keeper *keeper;
    struct store *store;
    bool is_writer;
    int64_t done_ms[WORKER_STEPS]; /* when each step was done last; monotonic */
    int64_t complained_ms;
    int64_t followed_ms;
    uint64_t signed_size;
    struct reader reader;
};

static enum ct_status call(struct worker *worker, enum api_sql statement,
                           const struct store_params *params, struct store_result **ret,
                           struct ct_error *err)
{
    enum ct_status status = store_queue(worker->store, statement, params);
    if (status == CT_OK)
        status = store_run(worker->store, ct_mono_ms() + LIMIT_BULK_STATEMENT_MS, ret, 1, err);
    return status;
}

static enum ct_status call_plain(struct worker *worker, enum api_sql statement,
                                 struct store_result **ret, struct ct_error *err)
{
    struct store_params none;
    store_params_init(&none);
    return call(worker, statement, &none, ret, err);
}

/* ---- coming to be the writer ------------------------------------------------------------------
 */

static enum ct_status connect_store(struct worker *worker, struct ct_error *err)
{
    struct store_options options = {
        .connection = worker->keeper->database,
        .label = "casetrace worker",
        .statement_timeout_ms = LIMIT_BULK_STATEMENT_MS,
        .statements = api_statements,
        .statement_count = API_SQL_COUNT,
    };
    return store_open(&options, ct_mono_ms() + LIMIT_CONNECT_MS, &worker->store, err);
}

static enum ct_status check_digest(struct worker *worker, struct ct_error *err)
{
    struct store_result *result = NULL;
    enum ct_status status = call_plain(worker, API_SQL_schema_digest, &result, err);
    if (status != CT_OK)
        return status;
    const char *digest = store_rows(result) == 1 ? store_get_text(result, 0, 0) : NULL;
    if (digest == NULL || strcmp(digest, schema_digest) != 0) {
        ct_error_set(err, "the schema is not the one that this program was built for");
        (void)snprintf(err->sqlstate, sizeof err->sqlstate, "CT001"); /* as batch_open says it */
        status = CT_STALE;
    }
    store_result_free(result);
    return status;
}

static enum ct_status open_store(struct worker *worker, struct ct_error *err)
{
    enum ct_status status = connect_store(worker, err);
    return status == CT_OK ? check_digest(worker, err) : status;
}

static enum ct_status try_lock(struct worker *worker, bool *ret_locked, struct ct_error *err)
{
    struct store_params params;
    struct store_result *result = NULL;
    char silence_ms[16];
    (void)snprintf(silence_ms, sizeof silence_ms, "%d", LIMIT_SILENT_WRITER_MS);
    store_params_init(&params);
    store_param_text(&params, silence_ms);
    enum ct_status status = call(worker, API_SQL_writer_lock, &params, &result, err);
    if (status == CT_OK)
        *ret_locked = store_get_bool(result, 0, 0);
    store_result_free(result);
    store_params_free(&params);
    return status;
}

static enum ct_status count_registered(struct worker *worker, struct ct_error *err)
{
    return reader_count(&worker->reader, worker->keeper, worker->store, err);
}

static enum ct_status use_matrix(struct worker *worker, struct ct_error *err)
{
    return reader_use_matrix(&worker->reader, worker->keeper, worker->store, err);
}

/* ---- the vocabulary ----------------------------------------------------------------------------
 */

static void add_name(json_t *names, const char *alias, const char *name)
{
    char folded[64];
    if (alias == NULL || name == NULL)
        return;
    api_fold_word(alias, folded, sizeof folded);
    (void)json_object_set_new(names, folded, json_string(name));
}

/* A vocabulary as a map from every name to the one that stands for it. */
static json_t *names_of(const char *answer)
{
    json_t *vocabulary = answer == NULL ? NULL : json_loads(answer, 0, NULL);
    json_t *names = json_object();
    size_t index;
    json_t *word;
    json_array_foreach(json_object_get(vocabulary, "data"), index, word)
    {
        size_t place;
        json_t *alias;
        const char *name = ct_json_string(word, "value");
        add_name(names, name, name);
        json_array_foreach(json_object_get(word, "aliases"), place, alias)
        {
            add_name(names, json_string_value(alias), name);
        }
    }
    json_decref(vocabulary);
    return names;
}

static enum ct_status load_vocabulary(struct worker *worker, const char *kind,
                                      _Atomic(json_t *) *names, struct ct_error *err)
{
    static const uint8_t nobody[CT_UUID_BYTES];
    struct store_params params;
    struct store_result *result = NULL;
    char request[64];
    if (atomic_load(names) != NULL)
        return CT_OK;
    (void)snprintf(request, sizeof request, "{\"path\":{\"kind\":\"%s\"}}", kind);
    store_params_init(&params);
    store_param_uuid(&params, nobody);
    store_array_open(&params, STORE_INT);
    store_element_int(&params, 1);
    store_array_close(&params);
    for (int i = 0; i < 2; i++) {
        store_array_open(&params, STORE_UUID);
        store_element_bytes(&params, nobody, sizeof nobody);
        store_array_close(&params);
    }
    store_array_open(&params, STORE_JSONB);
    store_element_jsonb(&params, request);
    store_array_close(&params);
    enum ct_status status = call(worker, API_SQL_get_vocabulary, &params, &result, err);
    if (status == CT_OK)
        atomic_store(names, names_of(store_get_jsonb(result, 0, 2)));
    store_result_free(result);
    store_params_free(&params);
    return status;
}

static enum ct_status store_signature(struct worker *worker, struct ct_error *err)
{
    struct keeper *keeper = worker->keeper;
    struct store_params params;
    char note[CHAIN_NOTE_ROOM];
    uint64_t size = chain_released(&keeper->chain, note);
    const char *lines = strstr(note, "\n\n");
    if (size == 0 || size == worker->signed_size || lines == NULL)
        return CT_OK;
    store_params_init(&params);
    store_param_bigint(&params, (int64_t)size);
    store_param_text(&params, auth_keyring_origin(keeper->keyring));
    store_param_text(&params, lines + 2);
    enum ct_status status = call(worker, API_SQL_log_sign_store, &params, NULL, err);
    if (status == CT_OK)
        worker->signed_size = size;
    store_params_free(&params);
    return status;
}

static bool is_due(int64_t *last_ms, int64_t every_ms)
{
    int64_t now_ms = ct_mono_ms();
    if (now_ms - *last_ms < every_ms)
        return false;
    *last_ms = now_ms;
    return true;
}

/* Follows the writer's checkpoints, so that this host knows what that one released. */
static enum ct_status stand_by(struct worker *worker, struct ct_error *err)
{
    struct keeper *keeper = worker->keeper;
    enum ct_status status = CT_OK;
    if (is_due(&worker->followed_ms, FOLLOW_MS))
        status = chain_follow(&keeper->chain, worker->store, err);
    if (status == CT_OK)
        atomic_store(&keeper->state, KEEPER_STANDBY);
    return status;
}

static enum ct_status become_writer(struct worker *worker, struct ct_error *err)
{
    struct keeper *keeper = worker->keeper;
    bool locked = false;
    bool mine = false;
    char note[CHAIN_NOTE_ROOM];
    enum ct_status status = try_lock(worker, &locked, err);
    if (status != CT_OK)
        return status;
    if (!locked)
        return stand_by(worker, err);
    /* Who stood by for long has not seen what was done to the database meanwhile. */
    status = check_digest(worker, err);
    if (status == CT_OK)
        status = count_registered(worker, err);
    if (status == CT_OK)
        status = use_matrix(worker, err);
    if (status == CT_OK)
        status = load_vocabulary(worker, "caliber", &keeper->calibers, err);
    if (status == CT_OK)
        status = load_vocabulary(worker, "placement", &keeper->placements, err);
    if (status == CT_OK && keeper->chain.epoch == 0) {
        status = chain_take_over(&keeper->chain, worker->store, err);
        /* For those that stand by: what they know of this epoch is what they may take over with. */
        if (status == CT_OK)
            status = store_signature(worker, err);
    } else if (status == CT_OK) {
        /* The connection was lost and the lock with it: nobody may have taken over meanwhile. */
        status = chain_check_writer(&keeper->chain, worker->store, &mine, err);
        if (status == CT_OK && !mine) {
            keeper_end(keeper, "another keeper has taken over the log");
            return CT_STALE;
        }
    }
    /* Whoever wrote before writes no more: what it recorded of today is all there. */
    if (status == CT_OK)
        status = oversight_load(&keeper->budget, worker->store, err);
    if (status == CT_OK)
        status = publish_load(keeper, worker->store, err);
    if (status != CT_OK)
        return status;
    worker->is_writer = true;
    ct_log(CT_LOG_NOTICE, "writes the log, epoch %lld, size %llu", (long long)keeper->chain.epoch,
           (unsigned long long)chain_released(&keeper->chain, note));
    atomic_store(&keeper->state, KEEPER_ACTIVE);
    return CT_OK;
}

/* ---- behind the batches -------------------------------------------------------------------------
 */

static enum ct_status fill(struct worker *worker, struct ct_error *err)
{
    struct keeper_view *view = &worker->keeper->view;
    struct store_params params;
    struct store_result *result = NULL;
    store_params_init(&params);
    store_param_int(&params, FILL_ROWS);
    enum ct_status status = call(worker, API_SQL_search_fill, &params, &result, err);
    if (status == CT_OK && store_rows(result) == 1) {
        (void)pthread_mutex_lock(&view->mutex);
        view->log_complete_to = store_get_bigint(result, 0, 0);
        view->log_size = store_get_bigint(result, 0, 1);
        view->trace_lag_s = store_get_double(result, 0, 2);
        view->filled_ms = ct_mono_ms();
        (void)pthread_mutex_unlock(&view->mutex);
    }
    store_result_free(result);
    store_params_free(&params);
    return status;
}

static enum ct_status note_used(struct worker *worker, struct ct_error *err)
{
    struct keeper_view *view = &worker->keeper->view;
    struct store_params params;
    store_params_init(&params);
    store_array_open(&params, STORE_UUID);
    (void)pthread_mutex_lock(&view->mutex);
    size_t count = view->used_count;
    for (size_t i = 0; i < count; i++)
        store_element_bytes(&params, view->used[i], CT_UUID_BYTES);
    view->used_count = 0;
    (void)pthread_mutex_unlock(&view->mutex);
    store_array_close(&params);
    enum ct_status status =
        count == 0 ? CT_OK : call(worker, API_SQL_credentials_used, &params, NULL, err);
    store_params_free(&params);
    return status;
}

/* Failed credentials of the last minute, or of what there is of one, become one entry. */
static enum ct_status log_strangers(struct worker *worker, bool at_once, struct ct_error *err)
{
    struct keeper *keeper = worker->keeper;
    json_t *subject = strangers_take(&keeper->strangers, at_once);
    if (subject == NULL)
        return CT_OK;
    struct accesslog_batch *batch = malloc(sizeof *batch);
    enum ct_status status = batch == NULL ? CT_NO_MEMORY : store_queue_begin(worker->store);
    if (status == CT_OK)
        status = entry_append_own(&keeper->chain, worker->store, "bad_credentials", "unauthorized",
                                  json_incref(subject), batch, err);
    if (status != CT_OK)
        strangers_put_back(&keeper->strangers, subject);
    json_decref(subject);
    free(batch);
    return status;
}

/* What fails behind the batches for a reason of its own must not stop them: it shows as a lag, and
 * in the log once a while. */
static bool goes_on(struct worker *worker, enum ct_status status, const struct ct_error *err)
{
    if (status == CT_OK)
        return true;
    if (status != CT_DB && status != CT_DB_RETRY && status != CT_NO_MEMORY && status != CT_LIMIT)
        return false;
    if (is_due(&worker->complained_ms, COMPLAIN_MS))
        ct_log(CT_LOG_WARNING, "behind the batches: %s", err->text);
    return true;
}

static enum ct_status publish(struct worker *worker, struct ct_error *err)
{
    return publish_due(worker->keeper, worker->store, err);
}

static enum ct_status record_findings(struct worker *worker, struct ct_error *err)
{
    return oversight_record(&worker->keeper->budget, worker->store, err);
}

static enum ct_status maintain(struct worker *worker, struct ct_error *err)
{
    return call_plain(worker, API_SQL_maintain, NULL, err);
}

static enum ct_status log_last_minute(struct worker *worker, struct ct_error *err)
{
    enum ct_status status = log_strangers(worker, false, err);
    if (status == CT_IO)
        keeper_end(worker->keeper, "a checkpoint could not be put on disk");
    return status;
}

static enum ct_status work(struct worker *worker, struct ct_error *err)
{
    static enum ct_status (*const steps[WORKER_STEPS])(struct worker *, struct ct_error *) = {
        publish,          fill,     store_signature, note_used,
        count_registered, maintain, log_last_minute, record_findings,
        use_matrix,
    };
    static const int64_t every_ms[WORKER_STEPS] = {0,           0, SIGN_MS, USED_MS, COUNT_MS,
                                                   MAINTAIN_MS, 0, 0,       COUNT_MS};
    for (size_t i = 0; i < WORKER_STEPS; i++) {
        enum ct_status status =
            is_due(&worker->done_ms[i], every_ms[i]) ? steps[i](worker, err) : CT_OK;
        if (!goes_on(worker, status, err))
            return status;
    }
    return CT_OK;
}

/* ---- the loop
 * --------------------------------------------------------------------------------------- */

static void lose(struct worker *worker, enum ct_status status, const struct ct_error *err)
{
    struct keeper *keeper = worker->keeper;
    if (atomic_load(&keeper->state) == KEEPER_ENDING)
        return;
    if (atomic_load(&keeper->state) == KEEPER_ACTIVE || is_due(&worker->complained_ms, COMPLAIN_MS))
        ct_log(CT_LOG_WARNING, "worker: %s", err->text);
    atomic_store(&keeper->state, status == CT_STALE     ? KEEPER_MIGRATING
                                 : status == CT_REFUSED ? KEEPER_UNVOUCHED
                                                        : KEEPER_STARTING);
    store_close(worker->store);
    worker->store = NULL;
    worker->is_writer = false;
}

/* The schema is not as it was. While it is being migrated, or waits for somebody to complete that,
 * this process waits too; it does not work on what came out if that is not ours. */
static void judge_schema(struct worker *worker, struct ct_error *err)
{
    enum schema_state state;
    struct ct_error why = {0};
    if (schema_look(worker->keeper->database, &state, &why) != CT_OK || state == SCHEMA_CURRENT)
        return; /* it is looked at again */
    *err = why;
    if (state == SCHEMA_OTHER)
        keeper_end(worker->keeper, err->text);
}

static void tick(struct worker *worker)
{
    struct ct_error err = {0};
    enum ct_status status = CT_OK;
    if (worker->store == NULL) {
        status = open_store(worker, &err);
        if (status == CT_STALE)
            judge_schema(worker, &err);
    }
    if (status == CT_OK && !worker->is_writer) {
        status = become_writer(worker, &err);
        /* Not a migration: this log must not be written from here. */
        if (status == CT_STALE && err.sqlstate[0] == '\0')
            keeper_end(worker->keeper, err.text);
    } else if (status == CT_OK) {
        status = work(worker, &err);
    }
    if (status != CT_OK)
        lose(worker, status, &err);
}

static bool has_more(struct worker *worker)
{
    struct keeper_view *view = &worker->keeper->view;
    (void)pthread_mutex_lock(&view->mutex);
    bool more = view->log_size - view->log_complete_to >= FILL_ROWS;
    (void)pthread_mutex_unlock(&view->mutex);
    return more && worker->is_writer;
}

void *worker_main(void *argument)
{
    struct keeper *keeper = argument;
    struct worker worker = {.keeper = keeper, .reader = {.matrix = MICROSTAMP_DEFAULT_NAME}};
    while (!atomic_load(&keeper->stopping)) {
        struct pollfd wait = {.fd = keeper->wake_fd, .events = POLLIN};
        uint64_t count;
        tick(&worker);
        if (poll(&wait, 1, has_more(&worker) ? 0 : TICK_MS) > 0 &&
            read(keeper->wake_fd, &count, sizeof count) == (ssize_t)sizeof count &&
            !atomic_load(&keeper->stopping)) {
            /* Woken by a lane that met another schema: look at it anew. */
            struct ct_error err = {.text = "the schema has changed"};
            lose(&worker, CT_STALE, &err);
        }
    }
    struct ct_error err = {0};
    if (worker.is_writer && log_strangers(&worker, true, &err) != CT_OK)
        ct_log(CT_LOG_WARNING, "failed credentials of the last minute are not logged: %s",
               err.text);
    store_close(worker.store);
    return NULL;
}

void worker_wake(struct keeper *keeper)
{
    uint64_t one = 1;
    ssize_t written = write(keeper->wake_fd, &one, sizeof one);
    (void)written; /* a counter that is full wakes as well */
}

enum ct_status worker_look(struct keeper *keeper, struct ct_error *err)
{
    struct worker worker = {.keeper = keeper};
    enum schema_state state = SCHEMA_CURRENT;
    enum ct_status status = schema_look(keeper->database, &state, err);
    if (status == CT_OK && state == SCHEMA_MIGRATING) {
        atomic_store(&keeper->state, KEEPER_MIGRATING);
        return CT_DB_LOST;
    }
    if (status == CT_OK && state != SCHEMA_CURRENT)
        return CT_STALE;
    if (status == CT_OK)
        status = open_store(&worker, err);
    if (status == CT_STALE) {
        status = CT_DB_LOST; /* a migration has begun since */
    } else if (status == CT_OK)
        status = chain_check(&keeper->chain, worker.store, err);
    store_close(worker.store);
    return status;
}
