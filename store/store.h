// SPDX-License-Identifier: Apache-2.0
#ifndef STORE_STORE_H
#define STORE_STORE_H

/* PostgreSQL through libpq: one connection in pipeline mode on a non-blocking socket, statements
 * prepared once per connection, parameters and results in binary. It knows nothing of what is
 * asked. One struct store belongs to one thread. */

#include "base/base.h"

struct store;

/* A statement that is prepared at connect. Both strings are literals: nothing a client sends is
 * ever part of SQL text. */
struct store_statement {
    const char *name;
    const char *sql;
};

struct store_options {
    const char *connection; /* libpq connection string */
    const char *label;      /* application_name */
    int statement_timeout_ms;
    bool read_only;                           /* the server refuses every change by this session */
    const struct store_statement *statements; /* prepared at connect, in this order */
    size_t statement_count;
};

/* Connects, sets the session (jit off, synchronous_commit on, timeouts, UTC) and prepares.
 * Owner:  *ret is the caller's, store_close().
 * Errors: CT_DB_LOST (no connection within LIMIT), CT_STALE (a function is missing), CT_DB. */
enum ct_status store_open(const struct store_options *options, int64_t deadline_ms,
                          struct store **ret, struct ct_error *err) CT_MUST_CHECK;
void store_close(struct store *store);
/* The socket, for poll(2) by a waiter that has nothing in flight. */
int store_fd(const struct store *store);
/* False once the connection failed; only store_close() helps then. */
bool store_alive(const struct store *store);
/* Which session of the server it is; a process id alone may be another's by the time it is used. */
struct store_session {
    int32_t pid;
    int64_t started; /* as PostgreSQL counts: microseconds since 2000 */
};
struct store_session store_session(const struct store *store);
/* Whether a COMMIT came back with a warning (a cancelled wait for a synchronous standby). Clears
 * the mark. */
bool store_take_commit_warning(struct store *store);

/* ---- parameters ------------------------------------------------------------------------ */

#define STORE_PARAMS_MAX 24

/* Parameters of one call, in order. Arrays are opened, filled and closed one after another. */
struct store_params {
    struct ct_buf bytes;
    unsigned count;
    size_t offsets[STORE_PARAMS_MAX];
    size_t lengths[STORE_PARAMS_MAX];
    bool nulls[STORE_PARAMS_MAX];
    size_t array_start; /* of the array that is open */
    uint32_t array_count;
    bool array_has_null;
};

void store_params_init(struct store_params *params);
void store_params_reset(struct store_params *params);
void store_params_free(struct store_params *params);

void store_param_text(struct store_params *params, const char *text); /* NULL: null */
void store_param_bytes(struct store_params *params, const void *bytes, size_t length);
void store_param_uuid(struct store_params *params, const uint8_t uuid[CT_UUID_BYTES]);
void store_param_int(struct store_params *params, int32_t value);
void store_param_bigint(struct store_params *params, int64_t value);

enum store_type { /* OIDs of pg_type, which never change */
                  STORE_BYTEA = 17,
                  STORE_BIGINT = 20,
                  STORE_INT = 23,
                  STORE_TEXT = 25,
                  STORE_JSON = 114,
                  STORE_UUID = 2950,
                  STORE_JSONB = 3802,
};

void store_array_open(struct store_params *params, enum store_type element);
void store_array_close(struct store_params *params);
void store_element_null(struct store_params *params);
void store_element_bytes(struct store_params *params, const void *bytes, size_t length);
void store_element_text(struct store_params *params, const char *text); /* text, json; NULL: null */
void store_element_jsonb(struct store_params *params, const char *text);
void store_element_int(struct store_params *params, int32_t value);
void store_element_bigint(struct store_params *params, int64_t value);

/* ---- running --------------------------------------------------------------------------- */

struct store_result; /* rows of one statement */

/* Queues a call of a prepared statement; nothing is waited for. params may be reused at once.
 * statement: its index in options.statements. Errors: CT_DB_LOST, CT_NO_MEMORY. */
enum ct_status store_queue(struct store *store, size_t statement,
                           const struct store_params *params) CT_MUST_CHECK;
enum ct_status store_queue_begin(struct store *store) CT_MUST_CHECK;
enum ct_status store_queue_commit(struct store *store) CT_MUST_CHECK;

/* Hands what is queued to the server without waiting, so that it works meanwhile; store_run() must
 * follow. Errors: CT_DB_LOST. */
enum ct_status store_push(struct store *store) CT_MUST_CHECK;
/* Ends a transaction that is not wanted any more, with what is queued. A connection on which that
 * fails is not alive afterwards. */
void store_roll_back(struct store *store);

/* Sends what is queued as one round trip and waits for all of it.
 * results: one place per queued statement, the caller's (store_result_free); on failure all are
 *          NULL. results may be NULL if nothing is wanted.
 * Errors:  CT_DB (err->sqlstate says), CT_DB_RETRY (40001, 40P01), CT_STALE (schema is another),
 *          CT_DB_LOST (connection failed or deadline passed; what was sent may have happened).
 *          After CT_DB and CT_DB_RETRY the transaction was rolled back. */
enum ct_status store_run(struct store *store, int64_t deadline_ms, struct store_result **results,
                         size_t count, struct ct_error *err) CT_MUST_CHECK;

/* ---- results --------------------------------------------------------------------------- */

void store_result_free(struct store_result *result);
size_t store_rows(const struct store_result *result);
bool store_is_null(const struct store_result *result, size_t row, int column);
/* Of the wrong width or null: 0, NULL, false. Text and bytes live as long as the result; text is
 * NUL-terminated. json and jsonb read as text. */
int32_t store_get_int(const struct store_result *result, size_t row, int column);
int64_t store_get_bigint(const struct store_result *result, size_t row, int column);
double store_get_double(const struct store_result *result, size_t row, int column);
bool store_get_bool(const struct store_result *result, size_t row, int column);
const char *store_get_text(const struct store_result *result, size_t row, int column);
const char *store_get_jsonb(const struct store_result *result, size_t row, int column);
const uint8_t *store_get_bytes(const struct store_result *result, size_t row, int column,
                               size_t *ret_length);
const uint8_t *store_get_uuid(const struct store_result *result, size_t row, int column);
#define STORE_DATE_TEXT 16
/* A date as YYYY-MM-DD; "" when null. */
void store_get_date(const struct store_result *result, size_t row, int column,
                    char ret[STORE_DATE_TEXT]);

#endif
