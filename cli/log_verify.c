// SPDX-License-Identifier: Apache-2.0
/* The command line of `casetrace log verify`. */
#include "cli/log_source.h"
#include "cli/log_verify.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PATHS_MAX 32

struct arguments {
    struct log_verify *verify;
    const char *database;
    const char *folder;
    struct cli_connection connection; /* url: NULL unless given */
    const char *receipts[PATHS_MAX];
    size_t receipt_count;
    const char *since[PATHS_MAX];
    size_t since_count;
    const char *entries[PATHS_MAX];
    size_t entries_count;
    const char *state;
    bool full;
    bool stats;
};

enum {
    OPTION_URL = 0x1001,
    OPTION_KEY_FILE,
    OPTION_CACERT,
    OPTION_ENTRIES,
    OPTION_STATE,
    OPTION_FULL,
    OPTION_STATS
};

static const struct argp_option options[] = {
    {"vkey", 'k', "VKEY", 0, "a verifier key of the log, or of a witness; may be given many times",
     0},
    {"receipt", 'r', "FILE", 0,
     "check a receipt and print what it proves; also against the log, if one is given", 0},
    {"since", 's', "FILE", 0,
     "a signed checkpoint seen earlier, or an anchor file: the log must contain it", 0},
    {NULL, 0, NULL, 0, "Where the log is:", 10},
    {"database", 'd', "CONNINFO", 0, "this database (role casetrace_auditor)", 0},
    {"dir", 'D', "DIR", 0, "a folder with its public view: checkpoint, tile/...", 0},
    {"url", OPTION_URL, "URL", 0, "the prefix of its public view, as https://host/log", 0},
    {"cacert", OPTION_CACERT, "FILE", 0,
     "certificates to trust instead of the system's, PEM (CASETRACE_CACERT)", 0},
    {"key-file", OPTION_KEY_FILE, "FILE", 0,
     "file with an auditor's API key, mode 600, where the view is not for everybody", 0},
    {"entries", OPTION_ENTRIES, "FILE", 0,
     "exported entries, one JSON object a line: each rebuilds its leaf; with --dir or --url", 0},
    {NULL, 0, NULL, 0, "How:", 20},
    {"state", OPTION_STATE, "FILE", 0,
     "go on from the checkpoint in FILE, and write the one that was checked to it", 0},
    {"full", OPTION_FULL, NULL, 0, "check from the beginning in spite of --state", 0},
    {"stats", OPTION_STATS, NULL, 0, "print figures as a last line of JSON", 0},
    {0}};

void log_verify_key_add(struct argp_state *state, struct log_verify *verify, const char *text)
{
    struct accesslog_verifier *key = &verify->keys[verify->key_count];
    if (verify->key_count == ACCESSLOG_KNOWN_MAX)
        argp_error(state, "at most %u keys", ACCESSLOG_KNOWN_MAX);
    if (accesslog_verifier_parse(text, strlen(text), key) != ACCESSLOG_OK)
        argp_error(state, "not a verifier key: %s", text);
    verify->key_count++;
    if (key->type != ACCESSLOG_KEY_ED25519)
        return;
    if (verify->origin != NULL && strcmp(verify->origin, key->name) != 0)
        argp_error(state, "keys of two logs, %s and %s", verify->origin, key->name);
    verify->origin = key->name;
}

static void add_path(struct argp_state *state, const char **paths, size_t *count, const char *path)
{
    if (*count == PATHS_MAX)
        argp_error(state, "at most %d files of a kind", PATHS_MAX);
    paths[(*count)++] = path;
}

void log_verify_url_check(struct argp_state *state, const char *url)
{
    if (strncasecmp(url, "https://", 8) != 0)
        argp_error(state, "the URL must begin with https://");
}

static void check_usage(struct argp_state *state, const struct arguments *arguments)
{
    bool view = arguments->folder != NULL || arguments->connection.url != NULL;
    int places = (arguments->database != NULL) + (arguments->folder != NULL) +
                 (arguments->connection.url != NULL);
    if (arguments->verify->origin == NULL)
        argp_error(state, "give the log's verifier key with --vkey");
    if (places > 1)
        argp_error(state, "give one of --database, --dir and --url");
    if (places == 0 && arguments->receipt_count + arguments->since_count == 0)
        argp_error(state, "give --database, --dir, --url or --receipt");
    if (places == 0 && arguments->receipt_count == 0 && arguments->since_count == 1)
        argp_error(state, "--since needs --database, --dir or --url, or another --since");
    if (places == 0 && (arguments->state != NULL || arguments->stats))
        argp_error(state, "--state and --stats need --database, --dir or --url");
    if (!view && arguments->entries_count != 0)
        argp_error(state, "--entries needs --dir or --url");
    if (arguments->full && arguments->state == NULL)
        argp_error(state, "--full needs --state");
    if (arguments->connection.url != NULL)
        log_verify_url_check(state, arguments->connection.url);
}

static error_t parse_place(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'd':
        arguments->database = text;
        return 0;
    case 'D':
        arguments->folder = text;
        return 0;
    case OPTION_URL:
        arguments->connection.url = text;
        return 0;
    case OPTION_CACERT:
        arguments->connection.cacert = text;
        return 0;
    case OPTION_KEY_FILE:
        arguments->connection.key_file = text;
        return 0;
    case OPTION_ENTRIES:
        add_path(state, arguments->entries, &arguments->entries_count, text);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'k':
        log_verify_key_add(state, arguments->verify, text);
        return 0;
    case 'r':
        add_path(state, arguments->receipts, &arguments->receipt_count, text);
        return 0;
    case 's':
        add_path(state, arguments->since, &arguments->since_count, text);
        return 0;
    case OPTION_STATE:
        arguments->state = text;
        return 0;
    case OPTION_FULL:
        arguments->full = true;
        return 0;
    case OPTION_STATS:
        arguments->stats = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "what is %s?", text);
        return 0;
    case ARGP_KEY_END:
        check_usage(state, arguments);
        return 0;
    default:
        return parse_place(key, text, state);
    }
}

/* ---- what comes of it -------------------------------------------------------------------------
 */

int log_verify_exit(enum ct_status status)
{
    switch (status) {
    case CT_OK:
        return CLI_DONE;
    case CT_CRYPTO:
    case CT_BAD_INPUT:
        return CLI_FAILED;
    default:
        return CLI_UNREADABLE;
    }
}

/* That something does not hold is said rather than that something else could not be read. */
static enum ct_status worse(enum ct_status a, enum ct_status b)
{
    if (a == CT_OK || (b != CT_OK && log_verify_exit(b) == CLI_FAILED))
        return b;
    return a;
}

enum ct_status log_verify_state_write(const struct log_verify *verify, const char *path)
{
    struct ct_error err = {.text = ""};
    if (verify->checked_size == 0)
        return CT_OK;
    /* Never back: stored signatures may end before the view that was checked last. */
    for (size_t i = 0; i < verify->fact_count; i++) {
        if (verify->facts[i].published && verify->facts[i].checkpoint.size >= verify->checked_size)
            return CT_OK;
    }
    enum ct_status status =
        cli_file_replace(path, verify->checked_note, verify->checked_note_length, 0644, &err);
    if (status != CT_OK)
        cli_complain("%s", err.text);
    return status;
}

static enum ct_status check_view(const struct arguments *arguments)
{
    const struct log_source source = {
        .folder = arguments->folder,
        .connection = arguments->connection.url == NULL ? NULL : &arguments->connection};
    enum ct_status status = log_verify_tiles(arguments->verify, &source);
    for (size_t i = 0; status == CT_OK && i < arguments->entries_count; i++)
        status = log_verify_export(arguments->verify, &source, arguments->entries[i]);
    return status;
}

static enum ct_status check_log(const struct arguments *arguments)
{
    struct log_verify *verify = arguments->verify;
    bool database = arguments->database != NULL;
    if (!database && arguments->folder == NULL && arguments->connection.url == NULL)
        return CT_OK;
    int64_t start_ms = ct_mono_ms();
    enum ct_status status =
        database ? log_verify_database(verify, arguments->database) : check_view(arguments);
    int64_t spent_ms = ct_mono_ms() - start_ms;
    if (status == CT_OK && arguments->state != NULL)
        status = log_verify_state_write(verify, arguments->state);
    if (status == CT_OK && arguments->stats)
        status = log_verify_stats_print(verify, (double)spent_ms / 1000,
                                        database                    ? 1
                                        : arguments->folder != NULL ? LOG_VERIFY_THREADS_LOCAL
                                                                    : LOG_VERIFY_THREADS_REMOTE);
    return status;
}

static enum ct_status check_all(const struct arguments *arguments)
{
    struct log_verify *verify = arguments->verify;
    enum ct_status status = CT_OK;
    if (arguments->state != NULL)
        status = log_verify_resume_read(verify, arguments->state);
    if (arguments->full)
        verify->resume = NULL;
    for (size_t i = 0; i < arguments->since_count; i++)
        status = worse(status, log_verify_facts_read(verify, arguments->since[i]));
    for (size_t i = 0; i < arguments->receipt_count; i++)
        status = worse(status, log_verify_receipt(verify, arguments->receipts[i]));
    if (status == CT_OK)
        status = log_verify_facts_agree(verify);
    if (status == CT_OK)
        status = check_log(arguments);
    return status;
}

int cli_log_verify(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .doc = "Checks that the access log is whole and was only ever added to, and that a receipt "
               "is borne out by it, without trusting the server.\vExit status 0 only if everything "
               "holds, 1 if something does not, 2 for a command line that is not understood, 3 if "
               "what is to be checked could not be read."};
    struct log_verify *verify = calloc(1, sizeof *verify);
    struct arguments arguments = {.verify = verify};
    if (verify == NULL) {
        cli_complain("out of memory");
        return CLI_UNREADABLE;
    }
    struct cli_connection environment;
    cli_connection_init(&environment);
    arguments.connection.cacert = environment.cacert;
    (void)argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    enum ct_status status = check_all(&arguments);
    free(verify);
    return cli_finish(log_verify_exit(status));
}
