// SPDX-License-Identifier: Apache-2.0
/* The command line of `casetrace log verify`. */
#include "cli/log_verify.h"

#include <stdlib.h>
#include <string.h>

#define PATHS_MAX 32
#define SINCE_BYTES_MAX (1u << 20)

struct arguments {
    struct log_verify *verify;
    const char *database;
    const char *receipts[PATHS_MAX];
    size_t receipt_count;
    const char *since[PATHS_MAX];
    size_t since_count;
};

static const struct argp_option options[] = {
    {"vkey", 'k', "VKEY", 0, "a verifier key of the log, or of a witness; may be given many times",
     0},
    {"database", 'd', "CONNINFO", 0, "check the log in this database (role casetrace_auditor)", 0},
    {"receipt", 'r', "FILE", 0,
     "check a receipt and print what it proves; with --database also against the log", 0},
    {"since", 's', "FILE", 0,
     "a signed checkpoint seen earlier, or an anchor file: the log must contain it", 0},
    {0}};

static void add_key(struct argp_state *state, struct log_verify *verify, const char *text)
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

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'k':
        add_key(state, arguments->verify, text);
        return 0;
    case 'd':
        arguments->database = text;
        return 0;
    case 'r':
        add_path(state, arguments->receipts, &arguments->receipt_count, text);
        return 0;
    case 's':
        add_path(state, arguments->since, &arguments->since_count, text);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "what is %s?", text);
        return 0;
    case ARGP_KEY_END:
        if (arguments->verify->origin == NULL)
            argp_error(state, "give the log's verifier key with --vkey");
        if (arguments->database == NULL && arguments->receipt_count == 0)
            argp_error(state, "give --database or --receipt");
        if (arguments->database == NULL && arguments->since_count != 0)
            argp_error(state, "--since needs --database");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- checkpoints known from elsewhere ----------------------------------------------------- */

/* Adds one signed checkpoint to the facts. Errors: CT_CRYPTO, CT_LIMIT; err->text. */
static enum ct_status add_checkpoint(struct log_verify *verify, const char *path, const char *note,
                                     size_t length, struct ct_error *err)
{
    struct log_verify_fact *fact = &verify->facts[verify->fact_count];
    if (verify->fact_count == LOG_VERIFY_FACTS_MAX) {
        ct_error_set(err, "more than %d checkpoints and receipts", LOG_VERIFY_FACTS_MAX);
        return CT_LIMIT;
    }
    enum accesslog_status status = accesslog_checkpoint_open(
        note, length, verify->keys, verify->key_count, &fact->checkpoint, NULL);
    if (status != ACCESSLOG_OK) {
        ct_error_set(err, "%s: checkpoint: %s", path, accesslog_status_text(status));
        return CT_CRYPTO;
    }
    fact->source = path;
    verify->fact_count++;
    return CT_OK;
}

/* A checkpoint, or an anchor: notes in places that are filled up with zeros. A place whose last
 * write was cut short may be damaged, as long as another one is whole. */
static enum ct_status read_since(struct log_verify *verify, const char *path)
{
    struct ct_buf text;
    struct ct_error err = {.text = ""};
    size_t before = verify->fact_count;
    ct_buf_init(&text, SINCE_BYTES_MAX);
    enum ct_status status = cli_file_read(path, &text, &err);
    if (status == CT_OK) {
        ct_error_set(&err, "%s holds no checkpoint", path);
        status = CT_BAD_INPUT;
        for (size_t at = 0; at < text.length;) {
            const char *note = (const char *)text.data + at;
            size_t length = strnlen(note, text.length - at);
            if (length != 0)
                status = add_checkpoint(verify, path, note, length, &err);
            at += length + 1;
        }
    }
    if (verify->fact_count != before && status != CT_LIMIT)
        status = CT_OK;
    if (status != CT_OK)
        cli_complain("%s", err.text);
    ct_buf_free(&text);
    return status;
}

int cli_log_verify(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .doc = "Checks that the access log is whole and was only ever added to, and that a receipt "
               "is borne out by it, without trusting the server.\vExit status 0 only if "
               "everything holds."};
    struct log_verify *verify = calloc(1, sizeof *verify);
    struct arguments arguments = {.verify = verify};
    bool good = verify != NULL;
    if (!good) {
        cli_complain("out of memory");
        return CLI_FAILED;
    }
    (void)argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    for (size_t i = 0; i < arguments.since_count; i++)
        good = read_since(verify, arguments.since[i]) == CT_OK && good;
    for (size_t i = 0; i < arguments.receipt_count; i++)
        good = log_verify_receipt(verify, arguments.receipts[i]) == CT_OK && good;
    if (good && arguments.database != NULL)
        good = log_verify_database(verify, arguments.database) == CT_OK;
    free(verify);
    return cli_finish(good ? CLI_DONE : CLI_FAILED);
}
