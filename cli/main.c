// SPDX-License-Identifier: Apache-2.0
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "cli/cli.h"

#include <curl/curl.h>
#include <sodium.h>
#include <string.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unreleased"
#endif

#define NAME_TEXT 64

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
};

/* Those that are more than one call of the API; the others are in calls.c. */
static const struct command commands[] = {
    {"init", cli_init, "Makes the keyring, the first administrator and entry 0 of the log."},
    {"migrate", cli_migrate, "Brings the database's schema to this version."},
    {"keys rotate", cli_keys_rotate, "Puts a new key into the keyring."},
    {"keyring public", cli_keyring_public, "Prints the log's verifier key."},
    {"log verify", cli_log_verify, "Checks the access log, or a receipt."},
    {"log mirror", cli_log_mirror, "Keeps a checked copy of the log's public view."},
    {"log override", cli_log_override, "Vouches for the log when a host takes over."},
    {"log export", cli_log_export, "Takes entries of the access log away, as files of JSON lines."},
    {"witness init", cli_witness_init, "Makes the key and the state of a witness."},
    {"witness", cli_witness, "Cosigns the checkpoints of logs that only grow."},
    {"trace", cli_trace, "Asks which firearm left a mark on a casing."},
    {"confusion load", cli_confusion_load, "Loads a confusion matrix from a file."},
    {"api", cli_api, "Makes any call of the API."},
};

/* How many of the words are the command's name; 0: it is another one. */
static int match(const char *name, int count, char **words)
{
    int used = 0;
    while (*name != '\0') {
        size_t length = strcspn(name, " ");
        if (used == count || strlen(words[used]) != length ||
            strncmp(name, words[used], length) != 0)
            return 0;
        used++;
        name += length + strspn(name + length, " ");
    }
    return used;
}

static bool begins(const char *name, const char *word)
{
    size_t length = strlen(word);
    return strncmp(name, word, length) == 0 && (name[length] == ' ' || name[length] == '\0');
}

static void list_one(FILE *stream, const char *name, const char *help, const char *word)
{
    const char *sentence = strstr(help, ". ");
    size_t length = sentence == NULL ? strlen(help) - 1 : (size_t)(sentence - help);
    if (word == NULL || begins(name, word))
        (void)fprintf(stream, "  %-22s %.*s\n", name, (int)length, help);
}

/* All commands, or those that begin with a word. Returns whether there are any. */
static bool list(FILE *stream, const char *word)
{
    bool any = word == NULL;
    for (size_t i = 0; i < CT_ARRAY_LENGTH(commands); i++)
        any = any || begins(commands[i].name, word);
    for (size_t i = 0; i < cli_call_count; i++)
        any = any || begins(cli_calls[i].name, word);
    if (!any)
        return false;
    (void)fputs("usage: casetrace COMMAND [OPTION…]\n\n", stream);
    for (size_t i = 0; i < CT_ARRAY_LENGTH(commands); i++)
        list_one(stream, commands[i].name, commands[i].help, word);
    for (size_t i = 0; i < cli_call_count; i++)
        list_one(stream, cli_calls[i].name, cli_calls[i].help, word);
    (void)fputs("\n`casetrace COMMAND --help` says more; casetrace(1) says all.\n", stream);
    return true;
}

/* Runs the command that the words begin with; -1 if there is none. */
static int dispatch(int count, char **words)
{
    char name[NAME_TEXT];
    for (size_t i = 0; i < CT_ARRAY_LENGTH(commands) + cli_call_count; i++) {
        const struct command *command = i < CT_ARRAY_LENGTH(commands) ? &commands[i] : NULL;
        const struct cli_call *call =
            command == NULL ? &cli_calls[i - CT_ARRAY_LENGTH(commands)] : NULL;
        const char *wanted = command == NULL ? call->name : command->name;
        int used = match(wanted, count, words);
        if (used == 0)
            continue;
        /* In messages the whole name stands where a program's name does. */
        (void)snprintf(name, sizeof name, "casetrace %s", wanted);
        words[used - 1] = name;
        if (command != NULL)
            return command->run(count - used + 1, words + used - 1);
        return cli_call_run(call, count - used + 1, words + used - 1);
    }
    return -1;
}

int main(int argc, char **argv)
{
    if (sodium_init() < 0)
        return CLI_FAILED;
    json_object_seed(0);
    argp_err_exit_status = CLI_MISUSED;
    if (argc < 2) {
        (void)list(stderr, NULL);
        return CLI_MISUSED;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("casetrace %s\n", PACKAGE_VERSION);
        return cli_finish(CLI_DONE);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        (void)list(stdout, NULL);
        return cli_finish(CLI_DONE);
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return CLI_FAILED;
    int status = dispatch(argc - 1, argv + 1);
    if (status < 0) {
        if (!list(stderr, argv[1]))
            cli_complain("there is no command %s; casetrace --help lists them", argv[1]);
        status = CLI_MISUSED;
    }
    curl_global_cleanup();
    return status;
}
