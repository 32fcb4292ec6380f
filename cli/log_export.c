// SPDX-License-Identifier: Apache-2.0
/* Entries of the log as files of JSON lines. Each page is a file, whole or not there, so that a
 * command that was cut off is given again and goes on. */
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PAGE_LINES 1000
#define LINE_DEPTH 4
#define LINE_VALUES 64

struct arguments {
    struct cli_connection connection;
    const char *folder;
    uint64_t from;
    bool from_given;
};

enum { OPTION_FROM = 0x2001 };

static const struct argp_option options[] = {
    {"from", OPTION_FROM, "INDEX", 0, "the first entry", 0},
    {0},
};

static bool read_number(const char *text, uint64_t *ret)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number > INT64_MAX)
        return false;
    *ret = number;
    return true;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->connection;
        return 0;
    case OPTION_FROM:
        if (!read_number(text, &arguments->from))
            argp_error(state, "%s is not an index of the log", text);
        arguments->from_given = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->folder != NULL)
            argp_error(state, "what is %s?", text);
        arguments->folder = text;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->from_given || arguments->folder == NULL)
            argp_error(state, "give --from and a folder");
        if (arguments->connection.key_file == NULL)
            argp_error(state, "whose key? give --key-file, or set CASETRACE_KEY_FILE");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool digest_holds(const struct cli_answer *answer)
{
    uint8_t digest[crypto_hash_sha256_BYTES];
    char text[sodium_base64_ENCODED_LEN(sizeof digest, sodium_base64_VARIANT_ORIGINAL)];
    char wanted[sizeof text + sizeof "sha-256=::"];
    (void)crypto_hash_sha256(digest, answer->body.data, answer->body.length);
    (void)sodium_bin2base64(text, sizeof text, digest, sizeof digest,
                            sodium_base64_VARIANT_ORIGINAL);
    (void)snprintf(wanted, sizeof wanted, "sha-256=:%s:", text);
    return strcmp(wanted, answer->content_digest) == 0;
}

/* Whether the lines are the entries from that index on, without a gap; how many there are. */
static bool count_lines(const struct ct_buf *body, uint64_t from, uint64_t *ret_count)
{
    const struct ct_json_limits limits = {.depth = LINE_DEPTH, .values = LINE_VALUES};
    const char *at = (const char *)body->data;
    size_t left = body->length;
    uint64_t count = 0;
    while (left > 0) {
        json_t *line = NULL;
        struct ct_error ignored;
        const char *end = memchr(at, '\n', left);
        if (end == NULL || ct_json_decode(at, (size_t)(end - at), limits, &line, &ignored) != CT_OK)
            return false;
        const json_t *index = json_object_get(line, "index");
        bool follows =
            json_is_integer(index) && json_integer_value(index) == (json_int_t)(from + count);
        json_decref(line);
        if (!follows)
            return false;
        count++;
        left -= (size_t)(end - at) + 1;
        at = end + 1;
    }
    *ret_count = count;
    return true;
}

static enum ct_status write_page(const struct arguments *arguments, uint64_t from, uint64_t count,
                                 const struct ct_buf *body, struct ct_error *err)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/entries-%015" PRIu64 "-%04" PRIu64 ".ndjson",
                          arguments->folder, from, count);
    if (length < 0 || (size_t)length >= sizeof path) {
        ct_error_set(err, "the folder's name is too long");
        return CT_LIMIT;
    }
    /* Subjects are in it: nobody else's to read. A page that is there already is the same. */
    return cli_file_replace(path, body->data, body->length, 0600, err);
}

/* One page; *from is moved behind it. *ret_more: there was something in it. */
static bool export_page(struct cli_client *client, const struct arguments *arguments,
                        uint64_t *from, bool *ret_more)
{
    char path[80];
    struct cli_answer answer;
    struct ct_error err = {0};
    uint64_t count = 0;
    uint64_t complete_to;
    bool done = false;
    (void)snprintf(path, sizeof path, "/v1/log/export?from=%" PRIu64 "&limit=%d", *from,
                   PAGE_LINES);
    struct cli_request request = {.method = "GET", .path = path};
    if (!cli_client_ask(client, &request, &answer))
        return false;
    if (!digest_holds(&answer))
        cli_complain("the entries from %" PRIu64 " on do not have the digest that came with them",
                     *from);
    else if (!read_number(answer.complete_to, &complete_to) ||
             !count_lines(&answer.body, *from, &count) || (count == 0 && *from < complete_to))
        cli_complain("the answer is not the entries from %" PRIu64 " on", *from);
    else if (count > 0 && write_page(arguments, *from, count, &answer.body, &err) != CT_OK)
        cli_complain("%s", err.text);
    else
        done = true;
    cli_answer_free(&answer);
    *from += count;
    /* No further than what was signed when the page was made: each page is itself an entry, so
     * there would always be more. */
    *ret_more = done && count > 0 && *from < complete_to;
    return done;
}

static int export_all(struct cli_client *client, const struct arguments *arguments)
{
    uint64_t from = arguments->from;
    bool more = true;
    while (more) {
        if (!export_page(client, arguments, &from, &more))
            return CLI_FAILED;
    }
    (void)printf("%" PRIu64 " entries; the next is %" PRIu64 "\n", from - arguments->from, from);
    return CLI_DONE;
}

int cli_log_export(int argc, char **argv)
{
    static const struct argp_child children[] = {{&cli_connection_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "DIR",
        .doc = "Writes entries of the access log into DIR, from an index on as far as signed "
               "checkpoints go: files of JSON lines, whose digests are checked. Prints with which "
               "index to go on later.",
        .children = children};
    struct arguments arguments = {.folder = NULL};
    struct cli_client *client = NULL;
    struct ct_error err = {0};
    cli_connection_init(&arguments.connection);
    (void)argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    if (mkdir(arguments.folder, 0700) != 0 && errno != EEXIST) {
        cli_complain("%s: %s", arguments.folder, strerror(errno));
        return CLI_FAILED;
    }
    if (cli_client_open(&arguments.connection, &client, &err) != CT_OK) {
        cli_complain("%s", err.text);
        return CLI_FAILED;
    }
    int status = export_all(client, &arguments);
    cli_client_close(client);
    return cli_finish(status);
}
