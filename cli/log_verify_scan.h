// SPDX-License-Identifier: Apache-2.0
#ifndef CLI_LOG_VERIFY_SCAN_H
#define CLI_LOG_VERIFY_SCAN_H

/* The state of one pass over the stored log, for log_verify_rows.c, which reads it, and
 * log_verify_database.c, which judges it. */

#include "cli/log_verify.h"

#include <libpq-fe.h>

struct log_verify_scan {
    const struct log_verify *verify;
    PGconn *db;
    uint64_t end;  /* the size that is checked */
    uint64_t size; /* entries read so far */

    struct accesslog_batch *tree;
    struct accesslog_hash pending[ACCESSLOG_BATCH_MAX]; /* read, not yet in the tree */
    size_t pending_count;

    /* Rows of this step, and how far each is used. */
    PGresult *entries;
    PGresult *batches;
    PGresult *signatures;
    PGresult *subtrees;
    int next_batch;
    int next_signature;
    int subtrees_used;

    uint64_t covered; /* size of the last batch that was checked */
    uint64_t batch_count;
    int64_t batch_at_ms;
    int64_t epoch;
    int64_t first_ms;
    int64_t latest_ms; /* of any header so far */
    uint64_t signed_size;
    uint64_t signatures_good;
    uint64_t signatures_unknown;

    bool has_head; /* only the owner may read it */
    size_t head_frontier_bytes;
    uint8_t head_frontier[ACCESSLOG_FRONTIER_BYTES_MAX];
};

/* Says what does not hold; a size or an index first. */
#define FAIL(...) (cli_complain(__VA_ARGS__), CT_CRYPTO)

typedef unsigned long long number; /* for printf */

/* Columns in binary form; 0 for null. */
int64_t log_verify_int(const PGresult *rows, int row, int column);
uint64_t log_verify_size(const PGresult *rows, int row, int column);
size_t log_verify_length(const PGresult *rows, int row, int column);
/* False unless the value is 32 bytes. */
bool log_verify_hash(const PGresult *rows, int row, int column, struct accesslog_hash *ret);

/* Finds out how far the log goes, and that nothing goes further. Complains itself.
 * Errors: CT_DB, CT_CRYPTO. */
enum ct_status log_verify_survey(struct log_verify_scan *scan) CT_MUST_CHECK;

/* Reads what belongs to the entries from scan->size up to `to`, and drops what was read before.
 * Complains itself. Errors: CT_DB. */
enum ct_status log_verify_read_step(struct log_verify_scan *scan, uint64_t to) CT_MUST_CHECK;
void log_verify_drop_step(struct log_verify_scan *scan);

#endif
