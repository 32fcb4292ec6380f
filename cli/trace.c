// SPDX-License-Identifier: Apache-2.0
/* casetrace trace: from readings to the firearm, for people at a terminal. */
#include "cli/cli.h"
#include "cli/trace_request.h"
#include "cli/trace_text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REQUEST_MAX (1u << 20) /* more than the server takes: it shall refuse, not we */

enum {
    OPTION_CASE = 0x2000,
    OPTION_OFFENSE,
    OPTION_INCIDENT,
    OPTION_PURPOSE,
    OPTION_URGENCY,
    OPTION_REQUEST,
    OPTION_RECEIPT,
    OPTION_JSON,
    OPTION_IDEMPOTENCY,
    OPTION_SPECIMEN,
    OPTION_MARK,
    OPTION_OF_SPECIMEN, /* and as many as there are members below */
    OPTION_OF_MARK = OPTION_OF_SPECIMEN + 0x100,
};

/* Members by option, from OPTION_OF_SPECIMEN and from OPTION_OF_MARK. */
enum {
    OF_SPECIMEN_EXHIBIT,
    OF_SPECIMEN_KIND,
    OF_SPECIMEN_CALIBER,
    OF_SPECIMEN_SERIAL,
    OF_SPECIMEN_HIT
};
static const char *const specimen_members[] = {[OF_SPECIMEN_EXHIBIT] = "exhibit",
                                               [OF_SPECIMEN_KIND] = "kind",
                                               [OF_SPECIMEN_CALIBER] = "caliber",
                                               [OF_SPECIMEN_SERIAL] = "serial_pattern",
                                               [OF_SPECIMEN_HIT] = "nibin_hit"};
enum {
    OF_MARK_PLACEMENT,
    OF_MARK_SCHEME,
    OF_MARK_GEAR,
    OF_MARK_GEAR_INDEX,
    OF_MARK_ORIENTATION,
    OF_MARK_ROWS,
    OF_MARK_CONDITION
};
static const char *const mark_members[] = {[OF_MARK_PLACEMENT] = "placement",
                                           [OF_MARK_SCHEME] = "scheme",
                                           [OF_MARK_GEAR] = "gear",
                                           [OF_MARK_GEAR_INDEX] = "gear_index",
                                           [OF_MARK_ORIENTATION] = "orientation",
                                           [OF_MARK_ROWS] = "rows",
                                           [OF_MARK_CONDITION] = "condition"};

struct arguments {
    struct cli_connection connection;
    struct cli_trace_request request;
    const char *case_number;
    const char *offense;
    const char *incident;
    const char *purpose;
    const char *urgency;
    const char *file; /* the whole request, instead of the above */
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
    {0, 0, NULL, 0, "A specimen, the one begun last:", 2},
    {"specimen", OPTION_SPECIMEN, NULL, 0, "begin the next; a further READING does too", 2},
    {"exhibit", OPTION_OF_SPECIMEN + OF_SPECIMEN_EXHIBIT, "NUMBER", 0,
     "the exhibit; E-1, E-2 and so on unless given", 2},
    {"kind", OPTION_OF_SPECIMEN + OF_SPECIMEN_KIND, "WORD", 0,
     "casing (unless given), part or test_fire", 2},
    {"caliber", OPTION_OF_SPECIMEN + OF_SPECIMEN_CALIBER, "CALIBER", 0, "its caliber", 2},
    {"serial-pattern", OPTION_OF_SPECIMEN + OF_SPECIMEN_SERIAL, "PATTERN", 0,
     "of a part: what can be seen of its serial number", 2},
    {"nibin-hit", OPTION_OF_SPECIMEN + OF_SPECIMEN_HIT, "NUMBER", 0,
     "a confirmed hit; specimens with the same one are of one gun", 2},
    {0, 0, NULL, 0, "A mark of it, the one begun last:", 3},
    {"mark", OPTION_MARK, NULL, 0, "begin another mark of the same specimen", 3},
    {"placement", OPTION_OF_MARK + OF_MARK_PLACEMENT, "WORD", 0,
     "the mark's place, such as firing_pin", 3},
    {"scheme", OPTION_OF_MARK + OF_MARK_SCHEME, "SCHEME", 0,
     "the code's scheme, R29-8 or opaque; both unless given", 3},
    {"gear", OPTION_OF_MARK + OF_MARK_GEAR, "TEETH", 0,
     "the ring: 40 times 1, 0 or ?, clockwise from the index notch", 3},
    {"gear-index", OPTION_OF_MARK + OF_MARK_GEAR_INDEX, "WORD", 0,
     "unknown: the notch was not found", 3},
    {"orientation", OPTION_OF_MARK + OF_MARK_ORIENTATION, "WORD", 0,
     "unknown: it may be upside down", 3},
    {"rows", OPTION_OF_MARK + OF_MARK_ROWS, "WORD", 0, "unknown: which row is first", 3},
    {"condition", OPTION_OF_MARK + OF_MARK_CONDITION, "WORD", 0,
     "clear, worn, smeared, double_strike, defaced or absent", 3},
    {"request", OPTION_REQUEST, "FILE", 0,
     "send this JSON instead of all of the above, - for standard input", 4},
    {"receipt", OPTION_RECEIPT, "FILE", 0, "write the receipt of the log's entry to a new file", 4},
    {"json", OPTION_JSON, NULL, 0, "print the answer as JSON", 4},
    {"idempotency-key", OPTION_IDEMPOTENCY, "KEY", 0,
     "repeat an earlier trace that was cut off: it is counted once", 4},
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
    case OPTION_REQUEST:
        return &arguments->file;
    case OPTION_RECEIPT:
        return &arguments->receipt;
    case OPTION_IDEMPOTENCY:
        return &arguments->idempotency_key;
    default:
        return NULL;
    }
}

/* What belongs to a specimen or a mark, in the order in which it comes. NULL: nothing is wrong. */
static const char *parse_specimens(struct cli_trace_request *request, int key, const char *text)
{
    if (key == ARGP_KEY_ARG)
        return cli_trace_request_reading(request, text);
    if (key == OPTION_SPECIMEN)
        return cli_trace_request_specimen(request);
    if (key == OPTION_MARK)
        return cli_trace_request_mark(request);
    if (key >= OPTION_OF_MARK)
        return cli_trace_request_of_mark(request, mark_members[key - OPTION_OF_MARK], text);
    return cli_trace_request_of_specimen(request, specimen_members[key - OPTION_OF_SPECIMEN], text);
}

static bool is_of_specimens(int key)
{
    return key == ARGP_KEY_ARG || key == OPTION_SPECIMEN || key == OPTION_MARK ||
           (key >= OPTION_OF_SPECIMEN &&
            key < OPTION_OF_SPECIMEN + (int)CT_ARRAY_LENGTH(specimen_members)) ||
           (key >= OPTION_OF_MARK && key < OPTION_OF_MARK + (int)CT_ARRAY_LENGTH(mark_members));
}

static void check(struct arguments *arguments, struct argp_state *state)
{
    bool described = json_array_size(arguments->request.specimens) > 0;
    const char *wrong = NULL;
    if (arguments->connection.key_file == NULL)
        wrong = "whose key? give --key-file, or set CASETRACE_KEY_FILE";
    if (arguments->file != NULL) {
        if (described || arguments->case_number != NULL || arguments->offense != NULL ||
            arguments->incident != NULL)
            wrong = "--request holds all of the request: nothing else describes it";
    } else {
        if (arguments->case_number == NULL || arguments->offense == NULL ||
            arguments->incident == NULL)
            wrong = "a trace needs --case-number, --offense and --incident";
        const char *incomplete = cli_trace_request_end(&arguments->request);
        wrong = incomplete == NULL ? wrong : incomplete;
    }
    if (wrong != NULL)
        argp_error(state, "%s", wrong);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    const char **place;
    if (is_of_specimens(key)) {
        const char *wrong = parse_specimens(&arguments->request, key, text);
        if (wrong != NULL)
            argp_error(state, "%s%s%s", text == NULL ? "" : text, text == NULL ? "" : ": ", wrong);
        return 0;
    }
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->connection;
        return 0;
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    case ARGP_KEY_END:
        check(arguments, state);
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
    return json_pack("{s:s, s:s, s:s, s:s*, s:{s:s%, s:s}, s:O}", "case_number",
                     arguments->case_number, "purpose", arguments->purpose, "offense",
                     arguments->offense, "urgency", arguments->urgency, "incident", "from",
                     arguments->incident, first, "to", to, "specimens",
                     arguments->request.specimens);
}

/* The request as text to send, or NULL: it was said what is wrong. The file is sent as it is: what
 * is wrong in it is the server's to say, which points at it. */
static char *make_text(const struct arguments *arguments)
{
    char *text = NULL;
    if (arguments->file == NULL) {
        json_t *json = make_body(arguments);
        text = json == NULL ? NULL : ct_json_text(json);
        json_decref(json);
        if (text == NULL)
            cli_complain("an argument is not UTF-8");
        return text;
    }
    struct ct_buf bytes;
    struct ct_error err = {0};
    ct_buf_init(&bytes, REQUEST_MAX);
    if (cli_file_read(arguments->file, &bytes, &err) != CT_OK)
        cli_complain("%s", err.text);
    else if (bytes.length == 0 || memchr(bytes.data, '\0', bytes.length) != NULL)
        cli_complain("%s is not JSON", arguments->file);
    else
        text = strndup((const char *)bytes.data, bytes.length);
    ct_buf_free(&bytes);
    return text;
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
        .args_doc = "READING...",
        .doc = "Asks which firearm left the marks on casings, and who bought it first. A reading "
               "has a character for each position, ? for one that cannot be read, [MN8] for one of "
               "these: '4H7? 2[MN]9X'. Each READING is a casing of its own; options in between "
               "belong to the casing before them.",
        .children = children};
    struct arguments arguments = {.purpose = "C"};
    struct cli_client *client = NULL;
    struct cli_answer answer = {.status = 0};
    struct cli_request request = {.method = "POST", .path = "/v1/traces"};
    char made[CLI_IDEMPOTENCY_TEXT];
    struct ct_error err = {0};
    char *body = NULL;
    int status = CLI_FAILED;

    cli_connection_init(&arguments.connection);
    cli_trace_request_init(&arguments.request);
    /* In order: a word belongs to the specimen that was begun before it. */
    (void)argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &arguments);
    if (arguments.receipt != NULL && access(arguments.receipt, F_OK) == 0) {
        cli_complain("%s exists already", arguments.receipt);
        goto out;
    }
    body = make_text(&arguments);
    if (body == NULL)
        goto out;
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
    cli_trace_request_free(&arguments.request);
    free(body);
    return status;
}
