// SPDX-License-Identifier: Apache-2.0
#ifndef CLI_WITNESS_H
#define CLI_WITNESS_H

/* A witness (C2SP tlog-witness): it remembers of each log the largest checkpoint that it cosigned,
 * and cosigns only what extends that. witness_state.c decides and remembers, witness_http.c speaks
 * HTTP, witness_key.c reads and makes the key, witness.c is the command line. */

#include "accesslog/accesslog.h"
#include "cli/cli.h"

#include <pthread.h>

#define WITNESS_LOGS_MAX 64
#define WITNESS_KEYS_MAX 4   /* of one log; two while its key is being changed */
#define WITNESS_NAME_MAX 128 /* bytes of a witness' name */
#define WITNESS_BODY_MAX ACCESSLOG_WITNESS_ROOM(ACCESSLOG_NOTE_BYTES_MAX)

struct witness_log {
    char origin[ACCESSLOG_NAME_MAX + 1];
    struct accesslog_verifier keys[WITNESS_KEYS_MAX]; /* trusted; none: only remembered */
    size_t key_count;
    uint64_t size; /* of the largest checkpoint cosigned; 0: none */
    struct accesslog_hash root;
};

struct witness {
    struct accesslog_signer signer;
    const char *state;     /* path */
    int lock;              /* of the state, while this process runs; -1: none */
    pthread_mutex_t mutex; /* of what follows: check, persist and sign are one step */
    struct witness_log logs[WITNESS_LOGS_MAX];
    size_t log_count;
};

/* ---- witness_key.c ----------------------------------------------------------------------- */

/* Makes a key and writes it to a new file of mode 600.
 * Errors: CT_BAD_INPUT (name), CT_REFUSED (exists), CT_IO. */
enum ct_status witness_key_create(const char *path, const char *name,
                                  struct accesslog_signer *ret_signer,
                                  struct ct_error *err) CT_MUST_CHECK;
/* Reads it. Errors: those of cli_secret_read(), CT_BAD_INPUT. */
enum ct_status witness_key_read(const char *path, struct accesslog_signer *ret_signer,
                                struct ct_error *err) CT_MUST_CHECK;

/* ---- witness_state.c --------------------------------------------------------------------- */

/* Writes the state of a witness that has cosigned nothing, to a new file.
 * Errors: CT_REFUSED (exists), CT_IO. */
enum ct_status witness_state_create(const struct witness *witness,
                                    struct ct_error *err) CT_MUST_CHECK;
/* Takes the state for this process alone and reads it into logs; the signer must be set.
 * Errors: CT_REFUSED (another process has it), CT_CRYPTO (damaged, or another key's: a witness that
 *         does not know what it signed must not sign), CT_IO, CT_NOT_FOUND. */
enum ct_status witness_state_open(struct witness *witness, struct ct_error *err) CT_MUST_CHECK;

/* The log of that origin, made if there is room. NULL: no room. */
struct witness_log *witness_log_of(struct witness *witness, const char *origin);

#define WITNESS_ANSWER_MAX 512

struct witness_answer {
    unsigned status; /* HTTP */
    const char *type;
    char text[WITNESS_ANSWER_MAX];
    size_t length;
};

/* Answers one request to add a checkpoint. What it cosigns is on disk before it returns.
 * Threads: any number. */
void witness_add_checkpoint(struct witness *witness, const char *body, size_t length,
                            struct witness_answer *ret);

/* ---- witness_http.c ---------------------------------------------------------------------- */

/* Serves on a loopback address until SIGTERM or SIGINT, which must be blocked in all threads.
 * Errors: CT_IO (cannot listen), CT_NO_MEMORY. */
enum ct_status witness_serve(struct witness *witness, const char *listen,
                             struct ct_error *err) CT_MUST_CHECK;

#endif
