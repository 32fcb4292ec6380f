// SPDX-License-Identifier: Apache-2.0
/* The command lines of `casetrace witness init` and `casetrace witness`. */
#include "cli/witness.h"

#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define LOGS_FILE_MAX (64u << 10)

struct arguments {
    const char *key;
    const char *state;
    const char *name;   /* init */
    const char *listen; /* serving, as the next */
    const char *keys[WITNESS_LOGS_MAX * WITNESS_KEYS_MAX];
    size_t key_count;
    const char *logs; /* file of more of them */
};

static void require(struct argp_state *state, const char *value, const char *option)
{
    if (value == NULL)
        argp_error(state, "%s is missing", option);
}

static error_t parse_common(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'k':
        arguments->key = text;
        return 0;
    case 's':
        arguments->state = text;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "what is %s?", text);
        return 0;
    case ARGP_KEY_END:
        require(state, arguments->key, "--key");
        require(state, arguments->state, "--state");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static struct witness *new_witness(const struct arguments *arguments)
{
    struct witness *witness = sodium_malloc(sizeof *witness);
    if (witness == NULL) {
        cli_complain("out of memory");
        return NULL;
    }
    memset(witness, 0, sizeof *witness);
    witness->state = arguments->state;
    witness->lock = -1;
    (void)pthread_mutex_init(&witness->mutex, NULL);
    return witness;
}

static void free_witness(struct witness *witness)
{
    if (witness == NULL)
        return;
    (void)pthread_mutex_destroy(&witness->mutex);
    if (witness->lock >= 0)
        (void)close(witness->lock);
    sodium_free(witness);
}

/* ---- init -------------------------------------------------------------------------------- */

static error_t parse_init(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    if (key == 'n') {
        arguments->name = text;
        return 0;
    }
    if (key == ARGP_KEY_END)
        require(state, arguments->name, "--name");
    return parse_common(key, text, state);
}

int cli_witness_init(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"name", 'n', "NAME", 0, "the witness' name, such as witness.example/w1 (required)", 0},
        {"key", 'k', "FILE", 0, "new file for the key, mode 600 (required)", 0},
        {"state", 's', "FILE", 0, "new file for what it has cosigned (required)", 0},
        {0},
    };
    static const struct argp argp = {
        .options = options,
        .parser = parse_init,
        .doc = "Makes the key of a witness and its state, and prints its verifier key, which "
               "goes into the policies of those who rely on it. Neither file may exist.\vNever put "
               "an older state back, and never use one key with two states: the witness could "
               "then cosign two histories of one log. If the state is lost, make a new key."};
    struct arguments arguments = {.key = NULL};
    struct ct_error err = {.text = ""};
    char text[ACCESSLOG_VERIFIER_TEXT_MAX];
    (void)argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    struct witness *witness = new_witness(&arguments);
    if (witness == NULL)
        return CLI_FAILED;
    enum ct_status status = access(arguments.state, F_OK) == 0 ? CT_REFUSED : CT_OK;
    if (status != CT_OK)
        ct_error_set(&err, "%s exists already", arguments.state);
    if (status == CT_OK)
        status = witness_key_create(arguments.key, arguments.name, &witness->signer, &err);
    if (status == CT_OK)
        status = witness_state_create(witness, &err);
    if (status != CT_OK)
        cli_complain("%s", err.text);
    else if (accesslog_verifier_format(&witness->signer.verifier, text, sizeof text) != 0)
        (void)printf("%s\n", text);
    free_witness(witness);
    return cli_finish(status == CT_OK ? CLI_DONE : CLI_FAILED);
}

/* ---- serving ----------------------------------------------------------------------------- */

static error_t parse_serve(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'l':
        if (arguments->key_count == CT_ARRAY_LENGTH(arguments->keys))
            argp_error(state, "at most %zu keys", CT_ARRAY_LENGTH(arguments->keys));
        arguments->keys[arguments->key_count++] = text;
        return 0;
    case 'f':
        arguments->logs = text;
        return 0;
    case 'a':
        arguments->listen = text;
        return 0;
    case ARGP_KEY_END:
        if (arguments->key_count == 0 && arguments->logs == NULL)
            argp_error(state, "give the verifier keys of logs with --log or --logs");
        return parse_common(key, text, state);
    default:
        return parse_common(key, text, state);
    }
}

/* Trusts a key for the origin that it names. */
static enum ct_status add_key(struct witness *witness, const char *text, size_t length,
                              struct ct_error *err)
{
    struct accesslog_verifier key;
    if (accesslog_verifier_parse(text, length, &key) != ACCESSLOG_OK ||
        key.type != ACCESSLOG_KEY_ED25519) {
        ct_error_set(err, "not the verifier key of a log: %.*s", (int)(length < 160 ? length : 160),
                     text);
        return CT_BAD_INPUT;
    }
    struct witness_log *log = witness_log_of(witness, key.name);
    if (log == NULL || log->key_count == WITNESS_KEYS_MAX) {
        ct_error_set(err, "more than %d logs, or more than %d keys of one log", WITNESS_LOGS_MAX,
                     WITNESS_KEYS_MAX);
        return CT_LIMIT;
    }
    for (size_t i = 0; i < log->key_count; i++) {
        if (memcmp(log->keys[i].id, key.id, sizeof key.id) == 0) {
            ct_error_set(err, "a key of %s is given twice", key.name);
            return CT_BAD_INPUT;
        }
    }
    log->keys[log->key_count++] = key;
    return CT_OK;
}

/* One verifier key a line; empty lines and what begins with # do not count. */
static enum ct_status add_file(struct witness *witness, const char *path, struct ct_error *err)
{
    struct ct_buf text;
    unsigned number = 0;
    ct_buf_init(&text, LOGS_FILE_MAX);
    enum ct_status status = cli_file_read(path, &text, err);
    const char *at = (const char *)text.data;
    const char *end = at + text.length;
    while (status == CT_OK && at != end) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((feed == NULL ? end : feed) - at);
        struct ct_error wrong = {.text = ""};
        number++;
        if (length != 0 && at[0] != '#') {
            status = add_key(witness, at, length, &wrong);
            if (status != CT_OK)
                ct_error_set(err, "%s:%u: %.160s", path, number, wrong.text);
        }
        at = feed == NULL ? end : feed + 1;
    }
    ct_buf_free(&text);
    return status;
}

static enum ct_status prepare(struct witness *witness, const struct arguments *arguments,
                              struct ct_error *err)
{
    enum ct_status status = witness_key_read(arguments->key, &witness->signer, err);
    if (status == CT_OK)
        status = witness_state_open(witness, err);
    for (size_t i = 0; status == CT_OK && i < arguments->key_count; i++)
        status = add_key(witness, arguments->keys[i], strlen(arguments->keys[i]), err);
    if (status == CT_OK && arguments->logs != NULL)
        status = add_file(witness, arguments->logs, err);
    return status;
}

int cli_witness(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"key", 'k', "FILE", 0, "the witness' key, of casetrace witness init (required)", 0},
        {"state", 's', "FILE", 0, "what it has cosigned (required)", 0},
        {"log", 'l', "VKEY", 0, "a verifier key of a log; may be given many times", 0},
        {"logs", 'f', "FILE", 0, "file of verifier keys of logs, one a line", 0},
        {"listen", 'a', "ADDRESS", 0, "loopback address and port, 127.0.0.1:8445 unless given", 0},
        {0},
    };
    static const struct argp argp = {
        .options = options,
        .parser = parse_serve,
        .doc = "Serves a witness: POST /add-checkpoint (C2SP tlog-witness). It cosigns the "
               "checkpoints of the logs given, each only if it extends the one that was cosigned "
               "last.\vStays in the foreground until SIGTERM."};
    struct arguments arguments = {.listen = "127.0.0.1:8445"};
    struct ct_error err = {.text = ""};
    sigset_t ends;
    (void)argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    ct_log_name("casetrace-witness");
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &ends, NULL);
    struct witness *witness = new_witness(&arguments);
    if (witness == NULL)
        return CLI_FAILED;
    enum ct_status status = prepare(witness, &arguments, &err);
    if (status == CT_OK)
        status = witness_serve(witness, arguments.listen, &err);
    if (status != CT_OK)
        cli_complain("%s", err.text);
    free_witness(witness);
    return status == CT_OK ? CLI_DONE : CLI_FAILED;
}
