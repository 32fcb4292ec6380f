// SPDX-License-Identifier: Apache-2.0
#ifndef CLI_LOG_VERIFY_SCAN_H
#define CLI_LOG_VERIFY_SCAN_H

/* The state of one pass over the stored log, for log_verify_rows.c, which reads it, and
 * log_verify_database.c, which judges it. */

#include "cli/log_verify.h"

#include <libpq-fe.h>

struct log_verify_scan {
    struct log_verify *verify;
    PGconn *db;
    uint64_t from; /* checked by an earlier run */
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
    unsigned hash_level; /* of the stored hashes that are being read */
    bool hash_missing;   /* one of them is not there */
    int next_batch;
    int next_signature;
    int subtrees_used;

    uint64_t covered; /* size of the last batch that was checked */
    uint64_t batch_count;
    int64_t batch_at_ms;
    struct log_verify_course course;
    const struct log_verify_fact *agreed;
    struct log_verify_progress progress;
    uint64_t signed_size;
    uint64_t signatures_good;
    uint64_t signatures_unknown;

    bool has_sealed; /* only the owner may read sealed subjects */
    bool has_head;   /* and the head */
    int64_t head_epoch;
    size_t head_frontier_bytes;
    uint8_t head_frontier[ACCESSLOG_FRONTIER_BYTES_MAX];
};

#define FAIL(...) LOG_VERIFY_FAIL(__VA_ARGS__)

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

/* Reads one entry alone into scan->entries, for log_verify_drop_step() to drop. Complains itself.
 * Errors: CT_DB. */
enum ct_status log_verify_read_entry(struct log_verify_scan *scan, uint64_t index) CT_MUST_CHECK;

/* The stored hashes, for proofs. The scan is the context. */
struct accesslog_storage log_verify_stored(struct log_verify_scan *scan);

#endif
