// SPDX-License-Identifier: Apache-2.0
/* Checking the stored log. Everything is computed from headers, salts and subject digests; what is
 * stored beside them is only compared. */
#include "cli/log_verify_scan.h"

#include <stdlib.h>
#include <string.h>

#define STEP_ENTRIES 8192u
#define BACKWARDS_MS 5000 /* clocks are corrected by less than this */

/* ---- an entry ------------------------------------------------------------------------------ */

static enum ct_status check_leaf(struct log_verify_scan *scan, int row)
{
    struct accesslog_hash stored;
    struct accesslog_hash salt;
    struct accesslog_hash d_header;
    struct accesslog_hash d_subject;
    uint8_t leaf[ACCESSLOG_LEAF_BYTES];
    struct accesslog_hash *hash = &scan->pending[scan->pending_count];
    if (!log_verify_hash(scan->entries, row, 1, &stored) ||
        !log_verify_hash(scan->entries, row, 3, &salt) ||
        !log_verify_hash(scan->entries, row, 4, &d_subject))
        return FAIL("entry %llu: a stored hash is not 32 bytes", (number)scan->size);
    accesslog_entry_digest(salt.bytes, PQgetvalue(scan->entries, row, 2),
                           log_verify_length(scan->entries, row, 2), &d_header);
    accesslog_entry_leaf(&d_header, &d_subject, leaf, hash);
    if (!accesslog_hash_equal(hash, &stored))
        return FAIL("entry %llu: its header, salt and subject digest do not give its leaf hash",
                    (number)scan->size);
    /* Whether it is the right one only the keeper can say, who has the key. */
    if (scan->has_sealed && log_verify_int(scan->entries, row, 5) == 0)
        return FAIL("entry %llu: its sealed subject or the salt of it is missing",
                    (number)scan->size);
    scan->verify->work.leaves++;
    scan->verify->work.leaf_bytes += sizeof leaf;
    scan->verify->work.headers++;
    scan->verify->work.header_bytes += log_verify_length(scan->entries, row, 2);
    return log_verify_leaf_check(scan->verify, scan->size, hash);
}

/* The epoch is its batch's, and the rest goes on from the entry before. */
static enum ct_status check_header(struct log_verify_scan *scan, int row)
{
    struct log_verify_header header;
    struct ct_error err = {.text = ""};
    int64_t of_batch = log_verify_int(scan->batches, scan->next_batch, 4);
    if (log_verify_header_read(PQgetvalue(scan->entries, row, 2),
                               log_verify_length(scan->entries, row, 2), &header, &err) != CT_OK)
        return FAIL("entry %llu: header: %s", (number)scan->size, err.text);
    if (header.epoch != of_batch)
        return FAIL("entry %llu: epoch %lld in a batch of epoch %lld", (number)scan->size,
                    (long long)header.epoch, (long long)of_batch);
    return log_verify_course_check(&scan->course, scan->verify->origin, scan->size, &header);
}

/* The batch that the next entry is in follows the one before without a gap. */
static enum ct_status check_in_batch(const struct log_verify_scan *scan)
{
    int row = scan->next_batch;
    if (row >= PQntuples(scan->batches))
        return FAIL("entry %llu is in no batch", (number)scan->size);
    uint64_t first = log_verify_size(scan->batches, row, 0);
    uint64_t count = log_verify_size(scan->batches, row, 1);
    uint64_t size = log_verify_size(scan->batches, row, 2);
    if (first != scan->covered || size <= first || size - first != count)
        return FAIL("batch of size %llu: it does not begin at %llu, where the one before ends",
                    (number)size, (number)scan->covered);
    return CT_OK;
}

/* ---- where something is to be compared with the tree ---------------------------------------- */

static enum ct_status check_subtree(struct log_verify_scan *scan,
                                    const struct accesslog_subtree *want)
{
    int rows = PQntuples(scan->subtrees);
    for (int row = 0; row < rows; row++) {
        struct accesslog_hash hash;
        if (log_verify_int(scan->subtrees, row, 0) != want->level ||
            log_verify_size(scan->subtrees, row, 1) != want->index)
            continue;
        if (!log_verify_hash(scan->subtrees, row, 2, &hash) ||
            !accesslog_hash_equal(&hash, &want->hash))
            break;
        scan->subtrees_used++;
        return CT_OK;
    }
    return FAIL("size %llu: subtree %llu of level %u is missing or wrong",
                (number)((want->index + 1) << want->level), (number)want->index, want->level);
}

static enum ct_status flush(struct log_verify_scan *scan)
{
    if (scan->pending_count == 0)
        return CT_OK;
    if (accesslog_batch_append(&scan->tree->tree, scan->pending, scan->pending_count, scan->tree) !=
        ACCESSLOG_OK)
        return FAIL("size %llu: the log is too large", (number)scan->size);
    scan->pending_count = 0;
    enum ct_status status = CT_OK;
    for (size_t i = 0; i < scan->tree->subtree_count && status == CT_OK; i++)
        status = check_subtree(scan, &scan->tree->subtrees[i]);
    return status;
}

static bool batch_ends(const struct log_verify_scan *scan)
{
    return scan->next_batch < PQntuples(scan->batches) &&
           log_verify_size(scan->batches, scan->next_batch, 2) == scan->size;
}

static bool is_signed(const struct log_verify_scan *scan)
{
    return scan->next_signature < PQntuples(scan->signatures) &&
           log_verify_size(scan->signatures, scan->next_signature, 0) == scan->size;
}

static enum ct_status check_batch(struct log_verify_scan *scan)
{
    struct accesslog_hash root;
    int64_t at_ms = log_verify_int(scan->batches, scan->next_batch, 5);
    if (!log_verify_hash(scan->batches, scan->next_batch, 3, &root) ||
        !accesslog_hash_equal(&root, &scan->tree->root))
        return FAIL("size %llu: the batch's root is not that of the entries", (number)scan->size);
    if (scan->batch_count != 0 && at_ms < scan->batch_at_ms - BACKWARDS_MS)
        return FAIL("size %llu: the batch's time is %lld ms before that of an earlier one",
                    (number)scan->size, (long long)(scan->batch_at_ms - at_ms));
    if (scan->batch_count == 0 || at_ms > scan->batch_at_ms)
        scan->batch_at_ms = at_ms;
    scan->batch_count++;
    scan->covered = scan->size;
    scan->next_batch++;
    return CT_OK;
}

/* What the log's own key signed is where a later check can go on. */
static void count_signature(struct log_verify_scan *scan, const struct accesslog_note *note,
                            const struct accesslog_signed *results)
{
    struct log_verify *verify = scan->verify;
    scan->signatures_good++;
    for (size_t i = 0; i < verify->key_count; i++) {
        if (!results[i].valid || verify->keys[i].type != ACCESSLOG_KEY_ED25519)
            continue;
        scan->signed_size = scan->size;
        verify->checked_size = scan->size;
        verify->checked_note_length =
            accesslog_note_format(note->text, note->text_length, note->lines, note->lines_length,
                                  verify->checked_note, sizeof verify->checked_note);
    }
}

/* The stored line signs the checkpoint that the entries give. */
static enum ct_status check_signature(struct log_verify_scan *scan)
{
    struct accesslog_checkpoint checkpoint = {.size = scan->size, .root = scan->tree->root};
    struct accesslog_signed results[ACCESSLOG_KNOWN_MAX];
    char text[ACCESSLOG_CHECKPOINT_TEXT_MAX];
    char line[16384];
    int row = scan->next_signature++;
    size_t length = log_verify_length(scan->signatures, row, 1);
    if (scan->covered != scan->size)
        return FAIL("size %llu was signed, but no batch ends there", (number)scan->size);
    if (length == 0 || length > sizeof line - 1)
        return FAIL("size %llu: a signature line is too long or empty", (number)scan->size);
    memcpy(line, PQgetvalue(scan->signatures, row, 1), length);
    if (line[length - 1] != '\n')
        line[length++] = '\n';
    (void)snprintf(checkpoint.origin, sizeof checkpoint.origin, "%s", scan->verify->origin);
    size_t text_length = accesslog_checkpoint_format(&checkpoint, text, sizeof text);
    const struct accesslog_note note = {text, text_length, line, length};
    enum accesslog_status status =
        accesslog_note_verify(&note, scan->verify->keys, scan->verify->key_count, results);
    if (status == ACCESSLOG_OK)
        count_signature(scan, &note, results);
    else if (status == ACCESSLOG_UNKNOWN_KEY)
        scan->signatures_unknown++;
    else
        return FAIL("size %llu: stored signature: %s", (number)scan->size,
                    accesslog_status_text(status));
    return CT_OK;
}

/* Called after every entry. */
static enum ct_status check_size(struct log_verify_scan *scan)
{
    bool compare =
        batch_ends(scan) || is_signed(scan) || log_verify_facts_have(scan->verify, scan->size);
    enum ct_status status = CT_OK;
    if (compare || scan->pending_count == ACCESSLOG_BATCH_MAX)
        status = flush(scan);
    if (status != CT_OK || !compare)
        return status;
    /* First what is signed by somebody: that the batch is wrong too follows from it. */
    status = log_verify_root_check(scan->verify, scan->size, &scan->tree->root, &scan->agreed);
    if (status == CT_OK && batch_ends(scan))
        status = check_batch(scan);
    while (status == CT_OK && is_signed(scan))
        status = check_signature(scan);
    return status;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static enum ct_status check_step(struct log_verify_scan *scan, uint64_t to)
{
    enum ct_status status = log_verify_read_step(scan, to);
    int rows = status == CT_OK ? PQntuples(scan->entries) : 0;
    for (int row = 0; status == CT_OK && row < rows; row++) {
        if (log_verify_size(scan->entries, row, 0) != scan->size)
            return FAIL("entry %llu is missing", (number)scan->size);
        status = check_in_batch(scan);
        if (status == CT_OK)
            status = check_leaf(scan, row);
        if (status == CT_OK)
            status = check_header(scan, row);
        if (status != CT_OK)
            return status;
        scan->pending_count++;
        scan->size++;
        status = check_size(scan);
    }
    if (status != CT_OK)
        return status;
    if (scan->size != to)
        return FAIL("entry %llu is missing", (number)scan->size);
    status = flush(scan);
    if (status == CT_OK && scan->subtrees_used != PQntuples(scan->subtrees))
        status = FAIL("size %llu: there are more subtree rows than subtrees", (number)to);
    return status;
}

/* The largest size that a signature of the log's vouches for. */
static uint64_t signed_from_anywhere(const struct log_verify_scan *scan)
{
    uint64_t known = scan->signed_size;
    for (size_t i = 0; i < scan->verify->fact_count; i++) {
        if (scan->verify->facts[i].checkpoint.size > known)
            known = scan->verify->facts[i].checkpoint.size;
    }
    return known;
}

static enum ct_status check_end(const struct log_verify_scan *scan)
{
    uint8_t frontier[ACCESSLOG_FRONTIER_BYTES_MAX];
    size_t length = accesslog_tree_pack(&scan->tree->tree, frontier);
    if (scan->covered != scan->end)
        return FAIL("entry %llu is in no batch", (number)scan->covered);
    if (scan->has_head &&
        (length != scan->head_frontier_bytes || memcmp(frontier, scan->head_frontier, length) != 0))
        return FAIL("size %llu: the head's frontier is not that of the entries", (number)scan->end);
    if (scan->has_head && scan->head_epoch != scan->course.epoch)
        return FAIL("size %llu: the head's epoch is %lld, that of the last entry %lld",
                    (number)scan->end, (long long)scan->head_epoch, (long long)scan->course.epoch);
    /* A log that was rewritten as a whole agrees with itself. */
    if (signed_from_anywhere(scan) == 0)
        return FAIL("no stored signature is by the keys given: give a checkpoint with --since");
    return CT_OK;
}

static void print_summary(const struct log_verify_scan *scan)
{
    char first[CT_TIME_TEXT];
    char last[CT_TIME_TEXT];
    uint64_t known = signed_from_anywhere(scan);
    ct_time_format(scan->course.first_ms, first);
    ct_time_format(scan->course.latest_ms, last);
    (void)printf("%s: %llu entries in %llu batches from %s to %s, epoch %lld\n",
                 scan->verify->origin, (number)(scan->end - scan->from), (number)scan->batch_count,
                 first, last, (long long)scan->course.epoch);
    if (scan->from != 0)
        (void)printf("%llu entries before them were checked before (%s)\n", (number)scan->from,
                     scan->verify->resume->source);
    (void)printf("%llu stored signatures verify, %llu are by keys not given; "
                 "%zu checkpoints and receipts from elsewhere hold\n",
                 (number)scan->signatures_good, (number)scan->signatures_unknown,
                 scan->verify->fact_count);
    (void)printf("signed up to entry %llu; %llu after it rest on the database alone\n",
                 (number)(known - 1), (number)(scan->end - known));
}

/* ---- from where an earlier check ended --------------------------------------------------------
 */

/* What is stored does not suffice for a proof, or cannot be read, which was said already. */
static enum ct_status no_proof(const struct log_verify_scan *scan)
{
    if (!scan->hash_missing)
        return CT_DB;
    return FAIL("size %llu: stored hashes below it are missing", (number)scan->from);
}

/* The last entry that was checked before, from which epoch and time go on. */
static enum ct_status begin_course(struct log_verify_scan *scan,
                                   const struct accesslog_storage *storage)
{
    const struct accesslog_checkpoint *resume = &scan->verify->resume->checkpoint;
    struct accesslog_hash path[ACCESSLOG_PROOF_MAX];
    struct accesslog_hash salt;
    struct accesslog_hash d_header;
    struct accesslog_hash d_subject;
    struct accesslog_hash hash;
    struct log_verify_header header;
    struct ct_error err = {.text = ""};
    uint8_t leaf[ACCESSLOG_LEAF_BYTES];
    size_t count = 0;
    uint64_t index = resume->size - 1;
    enum ct_status status = log_verify_read_entry(scan, index);
    if (status != CT_OK)
        return status;
    if (PQntuples(scan->entries) != 1)
        return FAIL("entry %llu is missing", (number)index);
    if (!log_verify_hash(scan->entries, 0, 3, &salt) ||
        !log_verify_hash(scan->entries, 0, 4, &d_subject))
        return FAIL("entry %llu: a stored hash is not 32 bytes", (number)index);
    const char *text = PQgetvalue(scan->entries, 0, 2);
    size_t length = log_verify_length(scan->entries, 0, 2);
    accesslog_entry_digest(salt.bytes, text, length, &d_header);
    accesslog_entry_leaf(&d_header, &d_subject, leaf, &hash);
    if (accesslog_prove_inclusion(storage, index, resume->size, path, &count) != ACCESSLOG_OK)
        return no_proof(scan);
    if (accesslog_check_inclusion(index, resume->size, &hash, path, count, &resume->root) !=
        ACCESSLOG_OK)
        return FAIL("entry %llu is not the one that was checked before", (number)index);
    if (log_verify_header_read(text, length, &header, &err) != CT_OK)
        return FAIL("entry %llu: header: %s", (number)index, err.text);
    return log_verify_course_check(&scan->course, scan->verify->origin, index, &header);
}

static enum ct_status resume(struct log_verify_scan *scan)
{
    const struct log_verify_fact *fact = scan->verify->resume;
    const struct accesslog_storage storage = log_verify_stored(scan);
    struct accesslog_hash root;
    if (fact == NULL)
        return CT_OK;
    scan->from = scan->size = scan->covered = fact->checkpoint.size;
    if (accesslog_tree_load(&storage, scan->from, &scan->tree->tree) != ACCESSLOG_OK)
        return no_proof(scan);
    accesslog_tree_root(&scan->tree->tree, &root);
    scan->tree->root = root;
    enum ct_status status = log_verify_root_check(scan->verify, scan->from, &root, &scan->agreed);
    if (status == CT_OK)
        status = begin_course(scan, &storage);
    if (status == CT_OK)
        status = log_verify_facts_before(scan->verify, scan->from, &storage, scan->from, &root);
    if (status == CT_IO)
        status = no_proof(scan);
    scan->course.first_ms = scan->course.latest_ms;
    log_verify_drop_step(scan);
    return status;
}

static enum ct_status check_all(struct log_verify_scan *scan)
{
    enum ct_status status = log_verify_survey(scan);
    if (status == CT_OK)
        status = resume(scan);
    log_verify_progress_begin(&scan->progress, scan->size, scan->end);
    while (status == CT_OK && scan->size < scan->end) {
        uint64_t left = scan->end - scan->size;
        status = check_step(scan, scan->size + (left < STEP_ENTRIES ? left : STEP_ENTRIES));
        log_verify_progress_at(&scan->progress, scan->size);
    }
    log_verify_progress_end(&scan->progress);
    if (status == CT_OK)
        status = check_end(scan);
    if (status == CT_OK)
        print_summary(scan);
    return status;
}

enum ct_status log_verify_database(struct log_verify *verify, const char *conninfo)
{
    const char *const keywords[] = {"dbname", "fallback_application_name", "client_encoding", NULL};
    const char *const values[] = {conninfo, "casetrace log verify", "UTF8", NULL};
    enum ct_status status = CT_NO_MEMORY;
    struct log_verify_scan *scan = calloc(1, sizeof *scan);
    struct accesslog_batch *tree = calloc(1, sizeof *tree);
    if (scan == NULL || tree == NULL) {
        cli_complain("out of memory");
        goto out;
    }
    scan->verify = verify;
    scan->tree = tree;
    scan->db = PQconnectdbParams(keywords, values, 1);
    if (PQstatus(scan->db) != CONNECTION_OK) {
        cli_complain("no connection to the database: %s", PQerrorMessage(scan->db));
        status = CT_DB;
    } else {
        status = check_all(scan);
    }
    log_verify_drop_step(scan);
    PQfinish(scan->db);
out:
    free(tree);
    free(scan);
    return status;
}
