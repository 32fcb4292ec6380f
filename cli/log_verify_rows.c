// SPDX-License-Identifier: Apache-2.0
/* Reading the stored log, in short transactions up to the size that it had at first: a long
 * snapshot would keep the writer's head row from being cleaned, and rows below that size never
 * change. */
#include "cli/log_verify_scan.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

/* All names first by one index look-up each, because the table's index begins with the name. */
#define SIGNATURE_NAMES                                                                            \
    "WITH RECURSIVE names AS (SELECT min(name) AS name FROM registry.log_signature "               \
    "UNION ALL SELECT (SELECT min(s.name) FROM registry.log_signature s WHERE s.name > n.name) "   \
    "FROM names n WHERE n.name IS NOT NULL) "

/* ---- rows -------------------------------------------------------------------------------- */

int64_t log_verify_int(const PGresult *rows, int row, int column)
{
    uint64_t value = 0;
    if (!PQgetisnull(rows, row, column) && PQgetlength(rows, row, column) == sizeof value)
        memcpy(&value, PQgetvalue(rows, row, column), sizeof value);
    return (int64_t)be64toh(value);
}

uint64_t log_verify_size(const PGresult *rows, int row, int column)
{
    return (uint64_t)log_verify_int(rows, row, column);
}

size_t log_verify_length(const PGresult *rows, int row, int column)
{
    return (size_t)PQgetlength(rows, row, column);
}

bool log_verify_hash(const PGresult *rows, int row, int column, struct accesslog_hash *ret)
{
    if (log_verify_length(rows, row, column) != sizeof ret->bytes)
        return false;
    memcpy(ret->bytes, PQgetvalue(rows, row, column), sizeof ret->bytes);
    return true;
}

/* Runs a statement whose parameters are at most two sizes and the level of hashes; binary results.
 */
static enum ct_status ask(struct log_verify_scan *scan, const char *sql, int parameters,
                          uint64_t first, uint64_t second, PGresult **ret)
{
    char texts[3][24];
    (void)snprintf(texts[0], sizeof texts[0], "%llu", (number)first);
    (void)snprintf(texts[1], sizeof texts[1], "%llu", (number)second);
    (void)snprintf(texts[2], sizeof texts[2], "%u", scan->hash_level);
    const char *const values[3] = {texts[0], texts[1], texts[2]};
    PGresult *rows = PQexecParams(scan->db, sql, parameters, NULL, values, NULL, NULL, 1);
    ExecStatusType state = PQresultStatus(rows);
    if (state != PGRES_TUPLES_OK && state != PGRES_COMMAND_OK) {
        cli_complain("the log cannot be read: %s", PQerrorMessage(scan->db));
        PQclear(rows);
        return CT_DB;
    }
    if (ret != NULL)
        *ret = rows;
    else
        PQclear(rows);
    return CT_OK;
}

/* ---- how far the log goes ------------------------------------------------------------------ */

static enum ct_status survey_sizes(struct log_verify_scan *scan)
{
    PGresult *rows = NULL;
    enum ct_status status = ask(
        scan,
        SIGNATURE_NAMES "SELECT coalesce((SELECT max(size) FROM registry.log_batch), 0), "
                        "coalesce((SELECT max(idx) + 1 FROM registry.log_entry), 0), "
                        "coalesce((SELECT max((SELECT max(s.size) FROM registry.log_signature s "
                        "WHERE s.name = n.name)) FROM names n), 0), "
                        "has_table_privilege('registry.log_head', 'SELECT')::int::bigint, "
                        "has_column_privilege('registry.log_entry', 'subject_sealed', 'SELECT')"
                        "::int::bigint",
        0, 0, 0, &rows);
    if (status != CT_OK)
        return status;
    scan->end = log_verify_size(rows, 0, 0);
    uint64_t entries = log_verify_size(rows, 0, 1);
    uint64_t signed_size = log_verify_size(rows, 0, 2);
    scan->has_head = log_verify_int(rows, 0, 3) == 1;
    scan->has_sealed = log_verify_int(rows, 0, 4) == 1;
    PQclear(rows);
    if (scan->end != entries)
        return FAIL("the last batch ends at size %llu, the last entry at %llu", (number)scan->end,
                    (number)entries);
    if (signed_size > scan->end)
        return FAIL("size %llu was signed, but the log ends at %llu", (number)signed_size,
                    (number)scan->end);
    if (scan->end == 0)
        return FAIL("the log is empty");
    return log_verify_facts_reached(scan->verify, scan->end, false);
}

static enum ct_status survey_head(struct log_verify_scan *scan)
{
    PGresult *rows = NULL;
    enum ct_status status =
        scan->has_head
            ? ask(scan, "SELECT size, frontier, epoch FROM registry.log_head", 0, 0, 0, &rows)
            : CT_OK;
    if (status != CT_OK || !scan->has_head)
        return status;
    if (PQntuples(rows) != 1 || log_verify_size(rows, 0, 0) != scan->end ||
        log_verify_length(rows, 0, 1) > sizeof scan->head_frontier) {
        status = FAIL("the head's size is not that of the last batch, %llu", (number)scan->end);
    } else {
        scan->head_epoch = log_verify_int(rows, 0, 2);
        scan->head_frontier_bytes = log_verify_length(rows, 0, 1);
        memcpy(scan->head_frontier, PQgetvalue(rows, 0, 1), scan->head_frontier_bytes);
    }
    PQclear(rows);
    return status;
}

/* Rows that no size accounts for. */
static enum ct_status survey_subtrees(struct log_verify_scan *scan)
{
    PGresult *rows = NULL;
    enum ct_status status = ask(
        scan,
        "SELECT level::bigint, idx FROM registry.log_subtree "
        "WHERE level NOT IN (8, 16, 24, 32, 40, 48, 56) OR idx < 0 OR idx >= $1::bigint >> level "
        "LIMIT 1",
        1, scan->end, 0, &rows);
    if (status == CT_OK && PQntuples(rows) != 0)
        status = FAIL("subtree %lld of level %lld is not part of a log of size %llu",
                      (long long)log_verify_int(rows, 0, 1), (long long)log_verify_int(rows, 0, 0),
                      (number)scan->end);
    PQclear(rows);
    return status;
}

enum ct_status log_verify_survey(struct log_verify_scan *scan)
{
    enum ct_status status =
        ask(scan, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", 0, 0, 0, NULL);
    if (status == CT_OK)
        status = survey_sizes(scan);
    if (status == CT_OK)
        status = survey_head(scan);
    if (status == CT_OK)
        status = survey_subtrees(scan);
    if (status == CT_OK)
        status = ask(scan, "COMMIT", 0, 0, 0, NULL);
    return status;
}

/* ---- one step's rows ----------------------------------------------------------------------- */

void log_verify_drop_step(struct log_verify_scan *scan)
{
    PQclear(scan->entries);
    PQclear(scan->batches);
    PQclear(scan->signatures);
    PQclear(scan->subtrees);
    scan->entries = scan->batches = scan->signatures = scan->subtrees = NULL;
    scan->next_batch = scan->next_signature = scan->subtrees_used = 0;
}

enum ct_status log_verify_read_step(struct log_verify_scan *scan, uint64_t to)
{
    static const char entries[] =
        "SELECT idx, leaf_hash, header, header_salt, d_subject "
        "FROM registry.log_entry WHERE idx >= $1 AND idx < $2 ORDER BY idx";
    static const char entries_with_sealed[] =
        "SELECT idx, leaf_hash, header, header_salt, d_subject, "
        "(subject_sealed IS NOT NULL AND subject_salt_sealed IS NOT NULL)::int::bigint "
        "FROM registry.log_entry WHERE idx >= $1 AND idx < $2 ORDER BY idx";
    /* Also the batch that goes on behind the step; the next step reads it again. */
    static const char batches[] =
        "SELECT first_idx, count::bigint, size, root, epoch, "
        "(extract(epoch FROM at) * 1000)::bigint FROM registry.log_batch WHERE size > $1 AND size "
        "<= "
        "(SELECT min(size) FROM registry.log_batch WHERE size >= $2) ORDER BY size";
    static const char subtrees[] =
        "SELECT s.level::bigint, s.idx, s.hash "
        "FROM (VALUES (8), (16), (24), (32), (40), (48), (56)) AS l(level) "
        "JOIN registry.log_subtree s ON s.level = l.level "
        "AND s.idx >= $1::bigint >> l.level AND s.idx < $2::bigint >> l.level "
        "ORDER BY s.level, s.idx";
    log_verify_drop_step(scan);
    enum ct_status status =
        ask(scan, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", 0, 0, 0, NULL);
    if (status == CT_OK)
        status = ask(scan, scan->has_sealed ? entries_with_sealed : entries, 2, scan->size, to,
                     &scan->entries);
    if (status == CT_OK)
        status = ask(scan, batches, 2, scan->size, to, &scan->batches);
    if (status == CT_OK)
        status = ask(scan,
                     SIGNATURE_NAMES "SELECT s.size, s.line FROM names n "
                                     "JOIN registry.log_signature s ON s.name = n.name "
                                     "AND s.size > $1 AND s.size <= $2 ORDER BY s.size, s.name",
                     2, scan->size, to, &scan->signatures);
    if (status == CT_OK)
        status = ask(scan, subtrees, 2, scan->size, to, &scan->subtrees);
    if (status == CT_OK)
        status = ask(scan, "COMMIT", 0, 0, 0, NULL);
    return status;
}

/* ---- single rows --------------------------------------------------------------------------- */

enum ct_status log_verify_read_entry(struct log_verify_scan *scan, uint64_t index)
{
    log_verify_drop_step(scan);
    return ask(scan,
               "SELECT idx, leaf_hash, header, header_salt, d_subject "
               "FROM registry.log_entry WHERE idx = $1",
               1, index, 0, &scan->entries);
}

static enum accesslog_status stored_hashes(void *context, unsigned level, uint64_t first,
                                           size_t count, struct accesslog_hash *ret_hashes)
{
    struct log_verify_scan *scan = context;
    PGresult *rows = NULL;
    scan->hash_level = level;
    enum ct_status status =
        level == 0 ? ask(scan,
                         "SELECT idx, leaf_hash FROM registry.log_entry "
                         "WHERE idx >= $1 AND idx < $2 ORDER BY idx",
                         2, first, first + count, &rows)
                   : ask(scan,
                         "SELECT idx, hash FROM registry.log_subtree "
                         "WHERE level = $3::smallint AND idx >= $1 AND idx < $2 ORDER BY idx",
                         3, first, first + count, &rows);
    size_t found = status == CT_OK ? (size_t)PQntuples(rows) : 0;
    bool right = found == count;
    for (size_t i = 0; right && i < count; i++)
        right = log_verify_size(rows, (int)i, 0) == first + i &&
                log_verify_hash(rows, (int)i, 1, &ret_hashes[i]);
    PQclear(rows);
    if (status == CT_OK && !right)
        scan->hash_missing = true;
    return right ? ACCESSLOG_OK : ACCESSLOG_STORAGE;
}

struct accesslog_storage log_verify_stored(struct log_verify_scan *scan)
{
    return (struct accesslog_storage){.hashes = stored_hashes, .context = scan};
}
