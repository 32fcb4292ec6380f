// SPDX-License-Identifier: Apache-2.0
/* casetrace confusion load: a file as it is, to the one call that takes it. The server checks it.
 */
#include "cli/cli.h"

#include <string.h>

#define FILE_MAX (1u << 20)

struct arguments {
    struct cli_connection connection;
    const char *file;
    const char *idempotency_key;
};

enum { OPTION_IDEMPOTENCY = 0x3000 };

static const struct argp_option options[] = {
    {"idempotency-key", OPTION_IDEMPOTENCY, "KEY", 0,
     "repeat an earlier call that was cut off: it is done once", 1},
    {0},
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->connection;
        return 0;
    case OPTION_IDEMPOTENCY:
        arguments->idempotency_key = text;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->file != NULL)
            argp_error(state, "what is %s?", text);
        arguments->file = text;
        return 0;
    case ARGP_KEY_END:
        if (arguments->file == NULL)
            argp_error(state, "FILE is missing");
        if (arguments->connection.key_file == NULL)
            argp_error(state, "whose key? give --key-file, or set CASETRACE_KEY_FILE");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cli_confusion_load(int argc, char **argv)
{
    const struct argp_child children[] = {{&cli_connection_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {.options = options,
                              .parser = parse,
                              .args_doc = "FILE",
                              .doc =
                                  "Loads a confusion matrix from a file as a new version, - for "
                                  "standard input. It is not in force before `casetrace confusion "
                                  "activate`. The manual describes the file.",
                              .children = children};
    struct arguments arguments = {.file = NULL};
    struct cli_request request = {.method = "POST", .path = "/v1/confusion-matrices"};
    struct cli_answer answer = {.status = 0};
    struct cli_client *client = NULL;
    char made[CLI_IDEMPOTENCY_TEXT];
    struct ct_error err = {0};
    struct ct_buf body;
    int status = CLI_FAILED;

    ct_buf_init(&body, FILE_MAX);
    cli_connection_init(&arguments.connection);
    (void)argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    if (cli_file_read(arguments.file, &body, &err) != CT_OK ||
        cli_client_open(&arguments.connection, &client, &err) != CT_OK) {
        cli_complain("%s", err.text);
        goto out;
    }
    cli_idempotency_make(made);
    request.idempotency_key = arguments.idempotency_key == NULL ? made : arguments.idempotency_key;
    request.body = body.length == 0 ? "" : (const char *)body.data;
    request.body_length = body.length;
    if (cli_client_ask(client, &request, &answer)) {
        if (answer.json != NULL)
            cli_print_json(answer.json);
        status = cli_finish(CLI_DONE);
    }
out:
    cli_answer_free(&answer);
    cli_client_close(client);
    ct_buf_free(&body);
    return status;
}
