// SPDX-License-Identifier: Apache-2.0
#ifndef CLI_CLI_H
#define CLI_CLI_H

/* The tool `casetrace`. init and migrate open the database; log verify works on files, the network
 * or the database; witness is a server of its own; everything else is an ordinary client of the
 * API. One thread, but for the witness. */

#include "base/base.h"

#include <argp.h>
#include <stdio.h>
#include <sys/types.h>

#define CLI_DONE 0       /* exit statuses */
#define CLI_FAILED 1     /* refused, or it did not work; standard error says why */
#define CLI_MISUSED 2    /* not a command line that we understand */
#define CLI_UNREADABLE 3 /* log verify, log mirror: what is to be checked could not be read */

/* Commands. argv[0] is the command's whole name, for messages; the result is the exit status. */
int cli_init(int argc, char **argv);
int cli_migrate(int argc, char **argv);
int cli_keyring_public(int argc, char **argv);
int cli_keys_rotate(int argc, char **argv);
int cli_log_verify(int argc, char **argv);
int cli_log_mirror(int argc, char **argv);
int cli_log_override(int argc, char **argv);
int cli_log_export(int argc, char **argv);
int cli_api(int argc, char **argv);
int cli_confusion_load(int argc, char **argv);
int cli_trace(int argc, char **argv);
int cli_witness_init(int argc, char **argv);
int cli_witness(int argc, char **argv);

/* ---- words for people (print.c) ---------------------------------------------------------- */

/* "casetrace: …" on standard error. Control characters in what was formatted are escaped: parts of
 * it come from a server. */
void cli_complain(const char *format, ...) CT_PRINTF(1, 2);
/* Text of a server's on a stream, with control characters escaped but for line feeds. */
void cli_print_text(FILE *stream, const char *text);
/* An answer as indented JSON on standard output. */
void cli_print_json(const json_t *json);
/* Flushes standard output. Returns status, or CLI_FAILED if something could not be written. */
int cli_finish(int status);

/* ---- files (files.c) --------------------------------------------------------------------- */

#define CLI_SECRET_MAX 256

/* Reads a file that holds one line of secret text, such as an API key; line end and blanks at the
 * ends do not count. A regular file must be private to this user.
 * ret: the caller clears it. Errors: CT_NOT_FOUND, CT_REFUSED (others may read it), CT_BAD_INPUT
 * (empty, long, or not one word), CT_IO. */
enum ct_status cli_secret_read(const char *path, char ret[CLI_SECRET_MAX],
                               struct ct_error *err) CT_MUST_CHECK;

/* Writes a new file, whole or not at all, on disk when this returns; an existing one is not
 * touched. owner, group: -1 for this user.
 * Errors: CT_REFUSED (exists), CT_IO. */
enum ct_status cli_file_create(const char *path, const void *bytes, size_t length, mode_t mode,
                               uid_t owner, gid_t group, struct ct_error *err) CT_MUST_CHECK;

/* Puts a new file in the place of another, by way of "PATH.new": whoever reads PATH, also after a
 * power cut, finds the one or the other whole. On disk when this returns.
 * Errors: CT_IO: there is the one or the other, and it is not known which. */
enum ct_status cli_file_replace(const char *path, const void *bytes, size_t length, mode_t mode,
                                struct ct_error *err) CT_MUST_CHECK;

/* Reads a whole file, or standard input for "-". Errors: CT_IO, CT_LIMIT (over the buffer's max).
 */
enum ct_status cli_file_read(const char *path, struct ct_buf *buf,
                             struct ct_error *err) CT_MUST_CHECK;

/* ---- the API's client (client.c) --------------------------------------------------------- */

/* Where the server is and who asks: options of every client command, or the environment. */
struct cli_connection {
    const char *url;      /* --url, CASETRACE_URL */
    const char *key_file; /* --key-file, CASETRACE_KEY_FILE; NULL: no credential */
    const char *cacert;   /* --cacert, CASETRACE_CACERT; NULL: those of the system */
};

extern const struct argp cli_connection_argp; /* a child; its input is a struct cli_connection */
/* From the environment. */
void cli_connection_init(struct cli_connection *connection);

struct cli_request {
    const char *method;
    const char *path; /* and query, encoded */
    const void *body; /* NULL: none */
    size_t body_length;
    const char *idempotency_key; /* NULL: none */
};

#define CLI_ANSWER_MAX (64u << 20)

struct cli_answer {
    long status; /* HTTP */
    long retry_after_s;
    char content_digest[80]; /* headers; "" if there was none */
    char complete_to[24];    /* Log-Complete-To */
    struct ct_buf body;
    json_t *json; /* NULL when it is not a JSON object */
};

struct cli_client;

/* Reads the key. Owner: *ret is the caller's, cli_client_close().
 * Errors: those of cli_secret_read(), CT_BAD_INPUT (url), CT_NO_MEMORY. */
enum ct_status cli_client_open(const struct cli_connection *connection, struct cli_client **ret,
                               struct ct_error *err) CT_MUST_CHECK;
void cli_client_close(struct cli_client *client);

/* Sends one request and waits for its answer, whatever its status.
 * Owner:  *ret is to be freed with cli_answer_free(), also after a failure.
 * Errors: CT_IO (no answer: err->text), CT_LIMIT (answer too long), CT_BAD_INPUT (not an
 *         Idempotency-Key; nothing was sent), CT_NO_MEMORY. */
enum ct_status cli_client_send(struct cli_client *client, const struct cli_request *request,
                               struct cli_answer *ret, struct ct_error *err) CT_MUST_CHECK;
void cli_answer_free(struct cli_answer *answer);

/* Sends it and says on standard error what went wrong. True: an answer that is no refusal. A
 * request that may have been done names the Idempotency-Key with which to repeat it. */
bool cli_client_ask(struct cli_client *client, const struct cli_request *request,
                    struct cli_answer *ret) CT_MUST_CHECK;

/* Appends text to a URL, percent-encoded. */
void cli_url_append(struct ct_buf *url, const char *text);

#define CLI_IDEMPOTENCY_TEXT 33
/* A fresh Idempotency-Key. */
void cli_idempotency_make(char ret[CLI_IDEMPOTENCY_TEXT]);

/* ---- commands that are one call of the API (call.c, calls.c) ------------------------------ */

enum cli_field_kind {
    CLI_FIELD_TEXT,
    CLI_FIELD_LIST,    /* may be given many times */
    CLI_FIELD_INTEGER, /* not negative */
};

/* An option of such a command, a member of the body of a POST, of the query of a GET. */
struct cli_field {
    const char *option;
    const char *argument;
    const char *member;
    enum cli_field_kind kind;
    bool required;
    const char *help;
};

#define CLI_PLACES_MAX 2
#define CLI_FIELDS_MAX 12

struct cli_call {
    const char *name; /* of the command */
    const char *help;
    const char *method;
    const char *path;                        /* with {} for each place */
    const char *places[CLI_PLACES_MAX];      /* arguments, as help calls them */
    struct cli_field fields[CLI_FIELDS_MAX]; /* until one without an option */
    bool idempotent;                         /* the call needs an Idempotency-Key */
    bool list;                               /* pages that are put together */
    bool open;                               /* no credential is needed */
    const char *text;                        /* prints this member of the answer; "" the body */
    const char *file;                        /* --output: into a new file; what help calls it */
    const char *secret;                      /* this member can go to a file (--key-out) */
};

extern const struct cli_call cli_calls[];
extern const size_t cli_call_count;

int cli_call_run(const struct cli_call *call, int argc, char **argv);

#endif
