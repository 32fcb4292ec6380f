// SPDX-License-Identifier: Apache-2.0
#include "cli/migrate.h"

#include "base/base.h"
#include "cli/migrate_files.h"
#include "server/config.h"

#include <errno.h>
#include <getopt.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Advisory locks of this database are (LOCK_CLASS, …); schema/README.md lists them all. A batch of
 * the keeper holds LOCK_SCHEMA shared, from api.batch_open to its end. */
#define LOCK_CLASS "4849523"
#define LOCK_MIGRATE "8"
#define LOCK_SCHEMA "2"

#define CHANGE_MAX 64

struct migrate {
    const char *connection;
    const char *schema_dir;
    const char *migrations_dir;
    struct config config;
    struct migrate_files files;
    PGconn *db;
    char change[CHANGE_MAX]; /* id of the last change deployed, "" when none */
    char digest[MIGRATE_DIGEST_TEXT];
};

/* ---- talking to PostgreSQL --------------------------------------------------------------- */

/* What PostgreSQL said, in one line: message, and hint where there is one. */
static void database_error(const struct migrate *migrate, const PGresult *result, const char *what,
                           struct ct_error *err)
{
    const char *message =
        result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *hint = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    if (message == NULL)
        message = PQerrorMessage(migrate->db);
    ct_error_set(err, "%s: %s%s%s", what, message, hint == NULL ? "" : "; ",
                 hint == NULL ? "" : hint);
}

/* Runs statements without parameters or rows. what says in an error what was attempted. */
static enum ct_status run(struct migrate *migrate, const char *sql, const char *what,
                          struct ct_error *err)
{
    PGresult *result = PQexec(migrate->db, sql);
    ExecStatusType state = PQresultStatus(result);
    bool good = state == PGRES_COMMAND_OK || state == PGRES_TUPLES_OK;
    if (!good)
        database_error(migrate, result, what, err);
    PQclear(result);
    return good ? CT_OK : CT_DB;
}

/* The single value of a query, "" for no row or null; cut to size - 1 characters. */
static enum ct_status ask(struct migrate *migrate, const char *sql, char *ret, size_t size,
                          const char *what, struct ct_error *err)
{
    PGresult *result = PQexec(migrate->db, sql);
    bool good = PQresultStatus(result) == PGRES_TUPLES_OK;
    if (good)
        (void)snprintf(ret, size, "%s", PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    else
        database_error(migrate, result, what, err);
    PQclear(result);
    return good ? CT_OK : CT_DB;
}

static enum ct_status connect_owner(struct migrate *migrate, struct ct_error *err)
{
    (void)setenv("PGCONNECT_TIMEOUT", "10", 0);
    migrate->db = PQconnectdb(migrate->connection);
    if (PQstatus(migrate->db) != CONNECTION_OK) {
        ct_error_set(err, "cannot connect as the owner: %s", PQerrorMessage(migrate->db));
        return CT_DB_LOST;
    }
    char user[64];
    enum ct_status status = run(
        migrate,
        "SET client_min_messages = warning; SET lock_timeout = '60s'; SET statement_timeout = 0; "
        "SET synchronous_commit = on",
        "setting the session", err);
    if (status == CT_OK)
        status = ask(migrate, "SELECT current_user", user, sizeof(user), "asking who we are", err);
    if (status == CT_OK && strcmp(user, "casetrace_owner") != 0) {
        ct_error_set(err, "migrations run as casetrace_owner, not as %s", user);
        status = CT_REFUSED;
    }
    return status;
}

/* ---- is there anything to do --------------------------------------------------------------- */

static enum ct_status last_change(struct migrate *migrate, struct ct_error *err)
{
    char there[8];
    migrate->change[0] = '\0';
    enum ct_status status = ask(migrate, "SELECT to_regclass('sqitch.changes') IS NOT NULL", there,
                                sizeof(there), "looking for the migrations' own tables", err);
    if (status != CT_OK || strcmp(there, "t") != 0)
        return status;
    return ask(migrate,
               "SELECT change_id FROM sqitch.changes WHERE project = 'casetrace' "
               "ORDER BY committed_at DESC LIMIT 1",
               migrate->change, sizeof(migrate->change), "looking for the last change", err);
}

/* Sets *ret when the schema is ready with the digest that it would get now, made after the last
 * change that is deployed. */
static enum ct_status is_current(struct migrate *migrate, bool *ret, struct ct_error *err)
{
    char there[8];
    char made[MIGRATE_DIGEST_TEXT + CHANGE_MAX];
    char wanted[sizeof made];
    enum ct_status status = last_change(migrate, err);
    if (status == CT_OK)
        status = migrate_files_digest(&migrate->files, migrate->digest);
    if (status == CT_OK)
        status = ask(migrate,
                     "SELECT to_regclass('registry.schema_ready') IS NOT NULL "
                     "AND to_regnamespace('api') IS NOT NULL",
                     there, sizeof(there), "looking for the ready mark", err);
    if (status != CT_OK)
        return status;
    *ret = false;
    if (strcmp(there, "t") != 0)
        return CT_OK;
    status = ask(migrate,
                 "SELECT digest || ' ' || change FROM registry.schema_ready WHERE id = 1 AND ready",
                 made, sizeof(made), "reading the ready mark", err);
    (void)snprintf(wanted, sizeof(wanted), "%s %s", migrate->digest, migrate->change);
    *ret = status == CT_OK && strcmp(made, wanted) == 0;
    return status;
}

/* ---- the steps ------------------------------------------------------------------------------ */

/* From here on every batch fails at its first statement, and the daemon answers 503. */
static enum ct_status mark_unready(struct migrate *migrate, struct ct_error *err)
{
    return run(
        migrate,
        "BEGIN;"
        "SELECT pg_advisory_xact_lock(" LOCK_CLASS ", " LOCK_SCHEMA ");"
        "DO $$ BEGIN IF to_regclass('registry.schema_ready') IS NOT NULL THEN "
        "UPDATE registry.schema_ready SET ready = false, at = now() WHERE id = 1; END IF; END $$;"
        "DROP SCHEMA IF EXISTS api CASCADE;"
        "COMMIT",
        "marking the schema not ready", err);
}

/* Gives sqitch and its psql our connection's parameters through the environment, where, unlike in
 * arguments, a password is seen by nobody else. */
static bool set_environment(const struct migrate *migrate)
{
    PQconninfoOption *options = PQconninfo(migrate->db);
    if (options == NULL)
        return false;
    bool good = true;
    for (const PQconninfoOption *option = options; good && option->keyword != NULL; option++) {
        if (option->envvar != NULL && option->val != NULL && option->val[0] != '\0')
            good = setenv(option->envvar, option->val, 1) == 0;
    }
    PQconninfoFree(options);
    /* Whoever runs it, the same: no settings of the user or the host. */
    return good &&
           setenv("PGOPTIONS", "-c client_min_messages=warning -c lock_timeout=60s", 1) == 0 &&
           setenv("SQITCH_CONFIG", "sqitch.conf", 1) == 0 &&
           setenv("SQITCH_USER_CONFIG", "/dev/null", 1) == 0 &&
           setenv("SQITCH_SYSTEM_CONFIG", "/dev/null", 1) == 0 &&
           setenv("SQITCH_FULLNAME", "casetrace migrate", 1) == 0 &&
           setenv("SQITCH_EMAIL", "casetrace@localhost", 1) == 0;
}

/* In the child: becomes sqitch, or ends with 127. */
static _Noreturn void become_sqitch(const struct migrate *migrate, pid_t parent)
{
    static char *const arguments[] = {"sqitch", "deploy", "--verify", "--target", "db:pg:", NULL};
    /* It must not go on when we are killed; migrations/guard.sql waits for the psql it may leave.
     */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(127);
    if (chdir(migrate->migrations_dir) != 0 || !set_environment(migrate) ||
        dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        ct_log(CT_LOG_ERROR, "cannot prepare sqitch: %s", strerror(errno));
        _exit(127);
    }
    (void)execvp("sqitch", arguments);
    ct_log(CT_LOG_ERROR, "cannot run sqitch: %s", strerror(errno));
    _exit(127);
}

static enum ct_status deploy_changes(const struct migrate *migrate, struct ct_error *err)
{
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0)
        become_sqitch(migrate, parent);
    if (child < 0) {
        ct_error_set(err, "cannot start sqitch: %s", strerror(errno));
        return CT_IO;
    }
    (void)ct_injection_point("migrate_deploying");
    int state;
    while (waitpid(child, &state, 0) < 0) {
        if (errno != EINTR) {
            ct_error_set(err, "cannot wait for sqitch: %s", strerror(errno));
            return CT_IO;
        }
    }
    if (!WIFEXITED(state) || WEXITSTATUS(state) != 0) {
        ct_error_set(
            err, "sqitch deploy failed; the schema stays not ready until the next run succeeds");
        return CT_DB;
    }
    return CT_OK;
}

/* Line of a position (from 1, in characters) in a text; near enough when it has others than ASCII.
 */
static unsigned line_of(const char *text, const char *position)
{
    unsigned line = 1;
    long left = strtol(position, NULL, 10);
    for (; *text != '\0' && left > 1; text++, left--)
        line += *text == '\n';
    return line;
}

static enum ct_status run_file(struct migrate *migrate, const struct migrate_file *file,
                               struct ct_error *err)
{
    PGresult *result = PQexec(migrate->db, file->text);
    ExecStatusType state = PQresultStatus(result);
    bool good = state == PGRES_COMMAND_OK || state == PGRES_TUPLES_OK;
    if (!good) {
        char what[MIGRATE_NAME_MAX + 16];
        const char *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
        if (position != NULL)
            (void)snprintf(what, sizeof(what), "%s:%u", file->name, line_of(file->text, position));
        else
            (void)snprintf(what, sizeof(what), "%s", file->name);
        database_error(migrate, result, what, err);
    }
    PQclear(result);
    return good ? CT_OK : CT_DB;
}

static enum ct_status set_ready(struct migrate *migrate, struct ct_error *err)
{
    const char *values[] = {migrate->digest, migrate->change};
    PGresult *result = PQexecParams(migrate->db,
                                    "UPDATE registry.schema_ready SET ready = true, digest = $1, "
                                    "change = $2, at = now() WHERE id = 1",
                                    2, NULL, values, NULL, NULL, 0);
    bool good = PQresultStatus(result) == PGRES_COMMAND_OK && strcmp(PQcmdTuples(result), "1") == 0;
    if (!good)
        database_error(migrate, result, "marking the schema ready", err);
    PQclear(result);
    return good ? CT_OK : CT_DB;
}

static enum ct_status recreate_functions(struct migrate *migrate, struct ct_error *err)
{
    enum ct_status status = last_change(migrate, err);
    if (status == CT_OK)
        status = migrate_files_digest(&migrate->files, migrate->digest);
    if (status == CT_OK)
        status = run(migrate,
                     "BEGIN;"
                     "SELECT pg_advisory_xact_lock(" LOCK_CLASS ", " LOCK_SCHEMA ");"
                     "DROP SCHEMA IF EXISTS api CASCADE;"
                     "CREATE SCHEMA api;"
                     "COMMENT ON SCHEMA api IS 'functions: the only way to the tables; "
                     "made anew by casetrace migrate'",
                     "making schema api", err);
    for (size_t i = 0; status == CT_OK && i < migrate->files.count; i++)
        status = run_file(migrate, &migrate->files.list[i], err);
    if (status == CT_OK)
        status = set_ready(migrate, err);
    (void)ct_injection_point("migrate_recreating");
    if (status == CT_OK)
        status = run(migrate, "COMMIT", "committing the functions", err);
    return status;
}

static enum ct_status migrate_locked(struct migrate *migrate, struct ct_error *err)
{
    bool current;
    enum ct_status status = is_current(migrate, &current, err);
    if (status != CT_OK)
        return status;
    if (current) {
        (void)fprintf(stderr, "the schema is current: nothing to do\n");
        return CT_OK;
    }
    (void)ct_injection_point("migrate_locked");
    status = mark_unready(migrate, err);
    (void)ct_injection_point("migrate_unready");
    if (status == CT_OK)
        status = deploy_changes(migrate, err);
    (void)ct_injection_point("migrate_deployed");
    if (status == CT_OK)
        status = recreate_functions(migrate, err);
    (void)ct_injection_point("migrate_recreated");
    if (status == CT_OK)
        (void)fprintf(stderr, "the schema is ready: change %s, digest %s\n", migrate->change,
                      migrate->digest);
    return status;
}

/* ---- options --------------------------------------------------------------------------------- */

static int usage(FILE *stream, int status)
{
    (void)fprintf(stream, "usage: casetrace migrate --config FILE | --owner-connection CONNINFO\n"
                          "                         [--schema DIR] [--migrations DIR]\n");
    return status;
}

#define ASKED_FOR_HELP (-1)

/* Returns 0, or the status to exit with, or ASKED_FOR_HELP. */
static int read_options(struct migrate *migrate, int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"owner-connection", required_argument, NULL, 'o'},
        {"schema", required_argument, NULL, 's'},
        {"migrations", required_argument, NULL, 'm'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *config = NULL;
    migrate->schema_dir = CT_PKGDATADIR "/schema";
    migrate->migrations_dir = CT_PKGDATADIR "/migrations";
    optind = 0; /* the dispatcher may have used getopt before us */
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            config = optarg;
            break;
        case 'o':
            migrate->connection = optarg;
            break;
        case 's':
            migrate->schema_dir = optarg;
            break;
        case 'm':
            migrate->migrations_dir = optarg;
            break;
        case 'h':
            return usage(stdout, ASKED_FOR_HELP);
        default:
            return usage(stderr, 2);
        }
    }
    if (optind != argc || (config == NULL) == (migrate->connection == NULL))
        return usage(stderr, 2);
    struct ct_error err = {0};
    if (config != NULL) {
        if (config_load(config, CONFIG_TOOL, &migrate->config, &err) != CT_OK) {
            ct_log(CT_LOG_ERROR, "%s", err.text);
            return 1;
        }
        migrate->connection = migrate->config.owner_database;
    }
    return 0;
}

int cli_migrate(int argc, char **argv)
{
    struct migrate migrate = {0};
    struct ct_error err = {0};
    int exit_status = read_options(&migrate, argc, argv);
    if (exit_status == 0) {
        enum ct_status status =
            migrate_files_read(migrate.schema_dir, migrate.migrations_dir, &migrate.files, &err);
        if (status == CT_OK)
            status = connect_owner(&migrate, &err);
        /* One migration at a time; released with the connection, however we end. */
        if (status == CT_OK)
            status = run(&migrate, "SELECT pg_advisory_lock(" LOCK_CLASS ", " LOCK_MIGRATE ")",
                         "waiting for another migration", &err);
        if (status == CT_OK)
            status = migrate_locked(&migrate, &err);
        if (status != CT_OK)
            ct_log(CT_LOG_ERROR, "migrate: %s", err.text[0] != '\0' ? err.text : "out of memory");
        exit_status = status == CT_OK ? 0 : 1;
    }
    PQfinish(migrate.db);
    migrate_files_clear(&migrate.files);
    config_clear(&migrate.config);
    return exit_status == ASKED_FOR_HELP ? 0 : exit_status;
}
