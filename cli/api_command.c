// SPDX-License-Identifier: Apache-2.0
/* casetrace api: any call of the API. */
#include "cli/cli.h"

#include <string.h>
#include <strings.h>

#define BODY_MAX (9u << 20) /* a little over what the server takes: it shall refuse, not we */

enum { OPTION_DATA = 'd', OPTION_IDEMPOTENCY = 0x3000 };

struct arguments {
    struct cli_connection connection;
    char method[16];
    const char *path;
    const char *data;
    const char *idempotency_key;
};

static const struct argp_option options[] = {
    {"data", OPTION_DATA, "FILE", 0, "send this file as the body, - for standard input", 1},
    {"idempotency-key", OPTION_IDEMPOTENCY, "KEY", 0,
     "a POST sends a fresh one unless given; empty: none", 1},
    {0},
};

static void take_method(struct arguments *arguments, const char *text, struct argp_state *state)
{
    size_t length = strlen(text);
    if (length == 0 || length >= sizeof arguments->method)
        argp_error(state, "%s is not a method", text);
    for (size_t i = 0; i <= length && i < sizeof arguments->method; i++) {
        char c = text[i];
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if (c != '\0' && (c < 'A' || c > 'Z'))
            argp_error(state, "%s is not a method", text);
        arguments->method[i] = c;
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->connection;
        return 0;
    case OPTION_DATA:
        arguments->data = text;
        return 0;
    case OPTION_IDEMPOTENCY:
        arguments->idempotency_key = text;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0)
            take_method(arguments, text, state);
        else if (state->arg_num == 1)
            arguments->path = text;
        else
            argp_error(state, "what is %s?", text);
        return 0;
    case ARGP_KEY_END:
        if (arguments->path == NULL)
            argp_error(state, "METHOD and PATH are needed, such as GET /v1/me");
        else if (arguments->path[0] != '/' || strpbrk(arguments->path, " \t\r\n#") != NULL)
            argp_error(state, "the path begins with / and is percent-encoded");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Where the answer is a secret, a key for repeating is refused. */
static bool wants_idempotency(const struct arguments *arguments)
{
    size_t length = strcspn(arguments->path, "?");
    return strcmp(arguments->method, "POST") == 0 &&
           !(length >= 5 && strncmp(arguments->path + length - 5, "/keys", 5) == 0);
}

static void show(struct cli_answer *answer)
{
    if (answer->json != NULL)
        cli_print_json(answer->json);
    else if (answer->body.length > 0)
        (void)fwrite(answer->body.data, 1, answer->body.length, stdout);
}

int cli_api(int argc, char **argv)
{
    const struct argp_child children[] = {{&cli_connection_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {.options = options,
                              .parser = parse,
                              .args_doc = "METHOD PATH",
                              .doc =
                                  "Makes any call of the API and prints the JSON answer, such as "
                                  "`casetrace api GET '/v1/firearms?serial=TD437381'`.",
                              .children = children};
    struct arguments arguments = {.method = ""};
    struct cli_request request = {.method = arguments.method};
    struct cli_answer answer = {.status = 0};
    struct cli_client *client = NULL;
    char made[CLI_IDEMPOTENCY_TEXT];
    struct ct_error err = {0};
    struct ct_buf body;
    int status = CLI_FAILED;

    ct_buf_init(&body, BODY_MAX);
    cli_connection_init(&arguments.connection);
    (void)argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    if ((arguments.data != NULL && cli_file_read(arguments.data, &body, &err) != CT_OK) ||
        cli_client_open(&arguments.connection, &client, &err) != CT_OK) {
        cli_complain("%s", err.text);
        goto out;
    }
    request.path = arguments.path;
    if (arguments.data != NULL) {
        request.body = body.length == 0 ? "" : (const char *)body.data;
        request.body_length = body.length;
    }
    if (arguments.idempotency_key != NULL && arguments.idempotency_key[0] != '\0') {
        request.idempotency_key = arguments.idempotency_key;
    } else if (arguments.idempotency_key == NULL && wants_idempotency(&arguments)) {
        cli_idempotency_make(made);
        request.idempotency_key = made;
    }
    if (cli_client_ask(client, &request, &answer)) {
        show(&answer);
        status = cli_finish(CLI_DONE);
    }
out:
    cli_answer_free(&answer);
    cli_client_close(client);
    ct_buf_free(&body);
    return status;
}
