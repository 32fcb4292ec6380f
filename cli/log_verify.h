// SPDX-License-Identifier: Apache-2.0
#ifndef CLI_LOG_VERIFY_H
#define CLI_LOG_VERIFY_H

/* The parts of `casetrace log verify`: it trusts nothing but the verifier keys it is given. */

#include "accesslog/accesslog.h"
#include "cli/cli.h"

/* The command. argv[0] is its whole name. CLI_DONE only if everything that was asked holds. */
int cli_log_verify(int argc, char **argv);

#define LOG_VERIFY_FACTS_MAX 64

/* Something signed that is known from elsewhere (an anchor, a receipt, the checkpoint seen last),
 * which the log must bear out. */
struct log_verify_fact {
    const char *source; /* for messages */
    struct accesslog_checkpoint checkpoint;
    bool has_leaf; /* a receipt's: this leaf is at this index */
    uint64_t index;
    struct accesslog_hash leaf_hash;
};

struct log_verify {
    const char *origin; /* the name of the log's keys */
    struct accesslog_verifier keys[ACCESSLOG_KNOWN_MAX];
    size_t key_count;
    struct log_verify_fact facts[LOG_VERIFY_FACTS_MAX];
    size_t fact_count;
};

/* ---- headers (log_verify_header.c) ------------------------------------------------------- */

#define LOG_VERIFY_OPERATION_TEXT 64

/* What must hold from one entry to the next. */
struct log_verify_header {
    char origin[ACCESSLOG_NAME_MAX + 1];
    char operation[LOG_VERIFY_OPERATION_TEXT];
    int64_t epoch;
    int64_t time_ms;
};

/* Reads an entry's header. Errors: CT_BAD_INPUT (err->text says what is wrong with it). */
enum ct_status log_verify_header_read(const void *bytes, size_t length,
                                      struct log_verify_header *ret,
                                      struct ct_error *err) CT_MUST_CHECK;

/* Prints what was asked, when, by whom and with which outcome. */
void log_verify_header_print(const void *bytes, size_t length);

/* ---- receipts (log_verify_receipt.c) ----------------------------------------------------- */

/* Checks a receipt offline, prints what it proves, and adds it to the facts. Complains itself.
 * Errors: CT_IO, CT_LIMIT, CT_BAD_INPUT (malformed), CT_CRYPTO (it does not verify). */
enum ct_status log_verify_receipt(struct log_verify *verify, const char *path) CT_MUST_CHECK;

/* ---- the database (log_verify_database.c) ------------------------------------------------ */

/* Checks the whole stored log against itself, the signatures and the facts; prints a summary.
 * Complains itself, naming the first index or size that is wrong.
 * Errors: CT_DB (it could not be read), CT_CRYPTO (it does not hold), CT_NO_MEMORY. */
enum ct_status log_verify_database(const struct log_verify *verify,
                                   const char *conninfo) CT_MUST_CHECK;

#endif
