// SPDX-License-Identifier: Apache-2.0
/* casetrace trace: from a reading to the firearm, for people at a terminal. */
#include "cli/cli.h"
#include "cli/trace_text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    OPTION_CASE = 0x2000,
    OPTION_OFFENSE,
    OPTION_INCIDENT,
    OPTION_PURPOSE,
    OPTION_URGENCY,
    OPTION_EXHIBIT,
    OPTION_KIND,
    OPTION_CALIBER,
    OPTION_PLACEMENT,
    OPTION_SCHEME,
    OPTION_RECEIPT,
    OPTION_JSON,
    OPTION_IDEMPOTENCY,
};

struct arguments {
    struct cli_connection connection;
    const char *reading;
    const char *case_number;
    const char *offense;
    const char *incident;
    const char *purpose;
    const char *urgency;
    const char *exhibit;
    const char *kind;
    const char *caliber;
    const char *placement;
    const char *scheme;
    const char *receipt;
    const char *idempotency_key;
    bool json;
};

static const struct argp_option options[] = {
    {"case-number", OPTION_CASE, "NUMBER", 0, "the agency's case (required)", 1},
    {"offense", OPTION_OFFENSE, "OFFENSE", 0, "such as homicide (required)", 1},
    {"incident", OPTION_INCIDENT, "DAY[..DAY]", 0,
     "when the shot was fired, as 2026-10-30 (required)", 1},
    {"purpose", OPTION_PURPOSE, "CODE", 0, "purpose code, C unless given", 1},
    {"urgency", OPTION_URGENCY, "WORD", 0, "routine or urgent", 1},
    {"exhibit", OPTION_EXHIBIT, "NUMBER", 0, "the exhibit, E-1 unless given", 1},
    {"kind", OPTION_KIND, "WORD", 0, "casing (unless given), part or test_fire", 1},
    {"caliber", OPTION_CALIBER, "CALIBER", 0, "caliber of the casing", 1},
    {"placement", OPTION_PLACEMENT, "WORD", 0, "the mark's place, such as firing_pin", 1},
    {"scheme", OPTION_SCHEME, "SCHEME", 0, "the code's scheme, such as R29-8", 1},
    {"receipt", OPTION_RECEIPT, "FILE", 0, "write the receipt of the log's entry to a new file", 2},
    {"json", OPTION_JSON, NULL, 0, "print the answer as JSON", 2},
    {"idempotency-key", OPTION_IDEMPOTENCY, "KEY", 0,
     "repeat an earlier trace that was cut off: it is counted once", 2},
    {0},
};

static const char **place_of(struct arguments *arguments, int key)
{
    switch (key) {
    case OPTION_CASE:
        return &arguments->case_number;
    case OPTION_OFFENSE:
        return &arguments->offense;
    case OPTION_INCIDENT:
        return &arguments->incident;
    case OPTION_PURPOSE:
        return &arguments->purpose;
    case OPTION_URGENCY:
        return &arguments->urgency;
    case OPTION_EXHIBIT:
        return &arguments->exhibit;
    case OPTION_KIND:
        return &arguments->kind;
    case OPTION_CALIBER:
        return &arguments->caliber;
    case OPTION_PLACEMENT:
        return &arguments->placement;
    case OPTION_SCHEME:
        return &arguments->scheme;
    case OPTION_RECEIPT:
        return &arguments->receipt;
    case OPTION_IDEMPOTENCY:
        return &arguments->idempotency_key;
    default:
        return NULL;
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    const char **place;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->connection;
        return 0;
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->reading != NULL)
            argp_error(state, "one reading, in quotes if it has blanks");
        arguments->reading = text;
        return 0;
    case ARGP_KEY_END:
        if (arguments->reading == NULL)
            argp_error(state, "READING is missing");
        else if (arguments->case_number == NULL || arguments->offense == NULL ||
                 arguments->incident == NULL)
            argp_error(state, "a trace needs --case-number, --offense and --incident");
        else if (arguments->connection.key_file == NULL)
            argp_error(state, "whose key? give --key-file, or set CASETRACE_KEY_FILE");
        return 0;
    default:
        place = place_of(arguments, key);
        if (place == NULL)
            return ARGP_ERR_UNKNOWN;
        *place = text;
        return 0;
    }
}

static json_t *make_body(const struct arguments *arguments)
{
    const char *dots = strstr(arguments->incident, "..");
    size_t first =
        dots == NULL ? strlen(arguments->incident) : (size_t)(dots - arguments->incident);
    const char *to = dots == NULL ? arguments->incident : dots + 2;
    json_t *mark = json_pack("{s:s, s:s*, s:s*}", "reading", arguments->reading, "placement",
                             arguments->placement, "scheme", arguments->scheme);
    json_t *specimen = json_pack("{s:s, s:s, s:s*, s:[o]}", "exhibit", arguments->exhibit, "kind",
                                 arguments->kind, "caliber", arguments->caliber, "marks", mark);
    return json_pack("{s:s, s:s, s:s, s:s*, s:{s:s%, s:s}, s:[o]}", "case_number",
                     arguments->case_number, "purpose", arguments->purpose, "offense",
                     arguments->offense, "urgency", arguments->urgency, "incident", "from",
                     arguments->incident, first, "to", to, "specimens", specimen);
}

static int show(const struct arguments *arguments, const json_t *answer)
{
    struct ct_error err = {0};
    int status = CLI_DONE;
    const char *proof = ct_json_string(json_object_get(answer, "receipt"), "tlog_proof");
    if (arguments->receipt != NULL &&
        (proof == NULL || cli_file_create(arguments->receipt, proof, strlen(proof), 0644, (uid_t)-1,
                                          (gid_t)-1, &err) != CT_OK)) {
        cli_complain("%s", proof == NULL ? "the answer holds no receipt" : err.text);
        status = CLI_FAILED;
    }
    if (arguments->json)
        cli_print_json(answer);
    else
        cli_trace_print(stdout, answer);
    return status;
}

int cli_trace(int argc, char **argv)
{
    const struct argp_child children[] = {{&cli_connection_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "READING",
        .doc = "Asks which firearm left a mark on a casing, and who bought it first. A reading has "
               "a character for each position, ? for one that cannot be read, [MN8] for one of "
               "these: '4H7? 2[MN]9X'.",
        .children = children};
    struct arguments arguments = {.purpose = "C", .exhibit = "E-1", .kind = "casing"};
    struct cli_client *client = NULL;
    struct cli_answer answer = {.status = 0};
    struct cli_request request = {.method = "POST", .path = "/v1/traces"};
    char made[CLI_IDEMPOTENCY_TEXT];
    struct ct_error err = {0};
    int status = CLI_FAILED;

    cli_connection_init(&arguments.connection);
    (void)argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    if (arguments.receipt != NULL && access(arguments.receipt, F_OK) == 0) {
        cli_complain("%s exists already", arguments.receipt);
        return CLI_FAILED;
    }
    json_t *json = make_body(&arguments);
    char *body = json == NULL ? NULL : ct_json_text(json);
    if (body == NULL) {
        cli_complain("an argument is not UTF-8");
        goto out;
    }
    request.body = body;
    request.body_length = strlen(body);
    cli_idempotency_make(made);
    request.idempotency_key = arguments.idempotency_key == NULL ? made : arguments.idempotency_key;
    if (cli_client_open(&arguments.connection, &client, &err) != CT_OK) {
        cli_complain("%s", err.text);
        goto out;
    }
    if (cli_client_ask(client, &request, &answer)) {
        if (answer.json == NULL)
            cli_complain("the answer is not JSON");
        else
            status = cli_finish(show(&arguments, answer.json));
    }
out:
    cli_answer_free(&answer);
    cli_client_close(client);
    json_decref(json);
    free(body);
    return status;
}
