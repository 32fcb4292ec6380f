// SPDX-License-Identifier: Apache-2.0
/* Commands that are one call of the API, described by a table (calls.c). */
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE_ROWS 200
#define ROWS_DEFAULT 1000
#define URL_MAX 65536
#define FIRST_FIELD 0x2000

enum {
    OPTION_IDEMPOTENCY = 0x3000,
    OPTION_LIMIT,
    OPTION_CURSOR,
    OPTION_KEY_OUT,
    OPTION_OUTPUT,
};

struct arguments {
    const struct cli_call *call;
    struct cli_connection connection;
    const char *places[CLI_PLACES_MAX];
    unsigned place_count;
    json_t *values; /* by member: a string, an integer, or a list of strings */
    const char *idempotency_key;
    const char *cursor;
    const char *key_out;
    const char *output;
    unsigned limit;
};

/* ---- the command line -------------------------------------------------------------------- */

static unsigned places_of(const struct cli_call *call)
{
    unsigned count = 0;
    while (count < CLI_PLACES_MAX && call->places[count] != NULL)
        count++;
    return count;
}

static json_t *text_or_fail(const char *text, struct argp_state *state)
{
    json_t *value = json_string(text);
    if (value == NULL)
        argp_error(state, "an argument is not UTF-8");
    return value;
}

static void take_number(const char *text, unsigned long long max, struct argp_state *state,
                        unsigned long long *ret)
{
    char *end;
    errno = 0;
    *ret = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || *ret > max)
        argp_error(state, "%s is not a number from 0 to %llu", text, max);
}

static void take_field(struct arguments *arguments, const struct cli_field *field, char *text,
                       struct argp_state *state)
{
    unsigned long long number;
    json_t *list;
    switch (field->kind) {
    case CLI_FIELD_LIST:
        list = json_object_get(arguments->values, field->member);
        if (list == NULL) {
            list = json_array();
            (void)json_object_set_new(arguments->values, field->member, list);
        }
        (void)json_array_append_new(list, text_or_fail(text, state));
        break;
    case CLI_FIELD_INTEGER:
        take_number(text, INT64_MAX, state, &number);
        (void)json_object_set_new(arguments->values, field->member,
                                  json_integer((json_int_t)number));
        break;
    case CLI_FIELD_TEXT:
        (void)json_object_set_new(arguments->values, field->member, text_or_fail(text, state));
        break;
    }
}

static void check_complete(const struct arguments *arguments, struct argp_state *state)
{
    const struct cli_call *call = arguments->call;
    if (arguments->place_count < places_of(call))
        argp_error(state, "%s is missing", call->places[arguments->place_count]);
    for (size_t i = 0; i < CLI_FIELDS_MAX && call->fields[i].option != NULL; i++) {
        if (call->fields[i].required &&
            json_object_get(arguments->values, call->fields[i].member) == NULL)
            argp_error(state, "--%s is missing", call->fields[i].option);
    }
    if (arguments->connection.key_file == NULL && !call->open)
        argp_error(state, "whose key? give --key-file, or set CASETRACE_KEY_FILE");
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    unsigned long long number;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->connection;
        return 0;
    case OPTION_IDEMPOTENCY:
        arguments->idempotency_key = text;
        return 0;
    case OPTION_LIMIT:
        take_number(text, 1000000, state, &number);
        arguments->limit = (unsigned)number;
        return 0;
    case OPTION_CURSOR:
        arguments->cursor = text;
        return 0;
    case OPTION_KEY_OUT:
        arguments->key_out = text;
        return 0;
    case OPTION_OUTPUT:
        arguments->output = text;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->place_count == places_of(arguments->call))
            argp_error(state, "what is %s?", text);
        else
            arguments->places[arguments->place_count++] = text;
        return 0;
    case ARGP_KEY_END:
        check_complete(arguments, state);
        return 0;
    default:
        if (key >= FIRST_FIELD && key < FIRST_FIELD + CLI_FIELDS_MAX) {
            take_field(arguments, &arguments->call->fields[key - FIRST_FIELD], text, state);
            return 0;
        }
        return ARGP_ERR_UNKNOWN;
    }
}

static void parse_arguments(struct arguments *arguments, int argc, char **argv)
{
    const struct cli_call *call = arguments->call;
    struct argp_option options[CLI_FIELDS_MAX + 4] = {{0}};
    char usage[80] = "";
    size_t count = 0;
    for (size_t i = 0; i < CLI_FIELDS_MAX && call->fields[i].option != NULL; i++) {
        const struct cli_field *field = &call->fields[i];
        options[count++] = (struct argp_option){
            field->option, FIRST_FIELD + (int)i, field->argument, 0, field->help, 1};
    }
    if (call->idempotent)
        options[count++] =
            (struct argp_option){"idempotency-key",
                                 OPTION_IDEMPOTENCY,
                                 "KEY",
                                 0,
                                 "repeat an earlier call that was cut off: it is done once",
                                 2};
    if (call->list) {
        options[count++] = (struct argp_option){
            "limit", OPTION_LIMIT, "N", 0, "at most N rows (1000 unless given)", 2};
        options[count++] = (struct argp_option){
            "cursor", OPTION_CURSOR, "CURSOR", 0, "go on after an earlier list", 2};
    }
    if (call->secret != NULL)
        options[count++] =
            (struct argp_option){"key-out",
                                 OPTION_KEY_OUT,
                                 "FILE",
                                 0,
                                 "write the key to a new file of mode 600 instead of printing it",
                                 2};
    if (call->file != NULL)
        options[count++] = (struct argp_option){"output", OPTION_OUTPUT, "FILE", 0, call->file, 2};
    for (unsigned i = 0; i < places_of(call); i++) {
        size_t used = strlen(usage);
        (void)snprintf(usage + used, sizeof usage - used, "%s%s", i == 0 ? "" : " ",
                       call->places[i]);
    }
    const struct argp_child children[] = {{&cli_connection_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {.options = options,
                              .parser = parse,
                              .args_doc = usage,
                              .doc = call->help,
                              .children = children};
    (void)argp_parse(&argp, argc, argv, 0, NULL, arguments);
}

/* ---- the request --------------------------------------------------------------------------- */

static void add_path(struct ct_buf *url, const struct arguments *arguments)
{
    unsigned place = 0;
    for (const char *c = arguments->call->path; *c != '\0'; c++) {
        if (c[0] == '{' && c[1] == '}') {
            cli_url_append(url, arguments->places[place++]);
            c++;
        } else {
            ct_buf_append_u8(url, (uint8_t)*c);
        }
    }
}

static void add_query(struct ct_buf *url, bool *first, const char *name, const char *value)
{
    ct_buf_append_u8(url, *first ? '?' : '&');
    *first = false;
    cli_url_append(url, name);
    ct_buf_append_u8(url, '=');
    cli_url_append(url, value);
}

/* Path and query with its NUL; rows and cursor only for a list. */
static void make_url(struct ct_buf *url, const struct arguments *arguments, unsigned rows,
                     const char *cursor)
{
    bool first = true;
    const char *name;
    json_t *value;
    char number[24];
    ct_buf_reset(url);
    add_path(url, arguments);
    if (strcmp(arguments->call->method, "GET") == 0) {
        json_object_foreach(arguments->values, name, value)
        {
            if (json_is_integer(value)) {
                (void)snprintf(number, sizeof number, "%" PRId64,
                               (int64_t)json_integer_value(value));
                add_query(url, &first, name, number);
            } else {
                add_query(url, &first, name, json_string_value(value));
            }
        }
    }
    if (arguments->call->list) {
        (void)snprintf(number, sizeof number, "%u", rows);
        add_query(url, &first, "limit", number);
        if (cursor != NULL)
            add_query(url, &first, "cursor", cursor);
    }
    ct_buf_append_u8(url, 0);
}

/* All pages as one: the members of the last page, with the rows of all. */
static bool ask_list(struct cli_client *client, const struct arguments *arguments,
                     struct ct_buf *url, struct cli_answer *ret)
{
    json_t *rows = json_array();
    char *cursor = arguments->cursor == NULL ? NULL : strdup(arguments->cursor);
    bool done = rows != NULL;
    bool last = false;
    while (done && !last) {
        unsigned left = arguments->limit - (unsigned)json_array_size(rows);
        make_url(url, arguments, left < PAGE_ROWS ? left : PAGE_ROWS, cursor);
        struct cli_request request = {.method = "GET", .path = (const char *)url->data};
        done = !url->failed && cli_client_ask(client, &request, ret);
        if (!done)
            break;
        const json_t *page = json_object_get(ret->json, "data");
        const char *next = ct_json_string(ret->json, "next_cursor");
        if (json_array_extend(rows, (json_t *)(uintptr_t)page) != 0) {
            cli_complain("the answer is not a list");
            cli_answer_free(ret);
            done = false;
            break;
        }
        last =
            next == NULL || json_array_size(page) == 0 || json_array_size(rows) >= arguments->limit;
        free(cursor);
        cursor = next == NULL ? NULL : strdup(next);
        if (last)
            (void)json_object_set(ret->json, "data", rows);
        else
            cli_answer_free(ret);
    }
    json_decref(rows);
    free(cursor);
    return done;
}

static bool ask_once(struct cli_client *client, const struct arguments *arguments,
                     struct ct_buf *url, struct cli_answer *ret)
{
    const struct cli_call *call = arguments->call;
    struct cli_request request = {.method = call->method};
    char made[CLI_IDEMPOTENCY_TEXT];
    char *body = NULL;
    make_url(url, arguments, 0, NULL);
    request.path = (const char *)url->data;
    if (strcmp(call->method, "POST") == 0) {
        body = ct_json_text(arguments->values);
        request.body = body;
        request.body_length = body == NULL ? 0 : strlen(body);
    }
    if (call->idempotent) {
        cli_idempotency_make(made);
        request.idempotency_key =
            arguments->idempotency_key == NULL ? made : arguments->idempotency_key;
    }
    bool done = !url->failed && cli_client_ask(client, &request, ret);
    free(body);
    return done;
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* Puts the secret of the answer into the file and out of what is printed. */
static int keep_secret(const struct arguments *arguments, json_t *json)
{
    char line[CLI_SECRET_MAX + 1];
    struct ct_error err = {0};
    const char *secret = ct_json_string(json, arguments->call->secret);
    if (secret == NULL || strlen(secret) >= CLI_SECRET_MAX) {
        cli_complain("the answer holds no key");
        return CLI_FAILED;
    }
    int length = snprintf(line, sizeof line, "%s\n", secret);
    if (cli_file_create(arguments->key_out, line, (size_t)length, 0600, (uid_t)-1, (gid_t)-1,
                        &err) != CT_OK) {
        /* The server will not show it again, so it must not be lost either. */
        cli_complain("%s; the key is printed instead", err.text);
        return CLI_FAILED;
    }
    (void)json_object_del(json, arguments->call->secret);
    return CLI_DONE;
}

/* As it came: what is signed must not be changed on its way. */
static int save(const struct arguments *arguments, const char *text)
{
    struct ct_error err = {0};
    if (cli_file_create(arguments->output, text, strlen(text), 0644, (uid_t)-1, (gid_t)-1, &err) ==
        CT_OK)
        return CLI_DONE;
    cli_complain("%s", err.text);
    return CLI_FAILED;
}

static int show(const struct arguments *arguments, struct cli_answer *answer)
{
    const struct cli_call *call = arguments->call;
    int status = CLI_DONE;
    if (call->text != NULL) {
        const char *text = NULL;
        if (call->text[0] != '\0')
            text = ct_json_string(answer->json, call->text);
        else if (ct_buf_append_u8(&answer->body, 0) == CT_OK)
            text = (const char *)answer->body.data;
        if (text == NULL) {
            cli_complain("the answer holds no %s", call->text);
            return CLI_FAILED;
        }
        if (arguments->output != NULL)
            return save(arguments, text);
        cli_print_text(stdout, text);
        return CLI_DONE;
    }
    if (answer->json == NULL) {
        cli_complain("the answer is not JSON");
        return CLI_FAILED;
    }
    if (arguments->key_out != NULL)
        status = keep_secret(arguments, answer->json);
    cli_print_json(answer->json);
    return status;
}

int cli_call_run(const struct cli_call *call, int argc, char **argv)
{
    struct arguments arguments = {.call = call, .values = json_object(), .limit = ROWS_DEFAULT};
    struct cli_client *client = NULL;
    struct cli_answer answer = {.status = 0};
    struct ct_error err = {0};
    struct ct_buf url;
    int status = CLI_FAILED;

    ct_buf_init(&url, URL_MAX);
    cli_connection_init(&arguments.connection);
    parse_arguments(&arguments, argc, argv);
    const char *file = arguments.key_out != NULL ? arguments.key_out : arguments.output;
    if (file != NULL && access(file, F_OK) == 0) {
        cli_complain("%s exists already", file);
        goto out;
    }
    if (cli_client_open(&arguments.connection, &client, &err) != CT_OK) {
        cli_complain("%s", err.text);
        goto out;
    }
    bool done = call->list ? ask_list(client, &arguments, &url, &answer)
                           : ask_once(client, &arguments, &url, &answer);
    if (done)
        status = cli_finish(show(&arguments, &answer));
out:
    cli_answer_free(&answer);
    cli_client_close(client);
    json_decref(arguments.values);
    ct_buf_free(&url);
    return status;
}
