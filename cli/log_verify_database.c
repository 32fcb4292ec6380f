// SPDX-License-Identifier: Apache-2.0
/* Checking the stored log. Everything is computed from headers, salts and subject digests; what is
 * stored beside them is only compared. */
#include "cli/log_verify_scan.h"

#include <stdlib.h>
#include <string.h>

#define STEP_ENTRIES 8192u
#define BACKWARDS_MS 5000 /* clocks are corrected by less than this */
#define AHEAD_MS 300000   /* of this machine's clock */

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
    for (size_t i = 0; i < scan->verify->fact_count; i++) {
        const struct log_verify_fact *fact = &scan->verify->facts[i];
        if (fact->has_leaf && fact->index == scan->size &&
            !accesslog_hash_equal(hash, &fact->leaf_hash))
            return FAIL("entry %llu is not the one of the receipt %s", (number)scan->size,
                        fact->source);
    }
    return CT_OK;
}

/* The epoch is its batch's; only a takeover begins a new one. */
static enum ct_status check_epoch(const struct log_verify_scan *scan,
                                  const struct log_verify_header *header)
{
    bool takeover = strcmp(header->operation, "takeover") == 0;
    int64_t of_batch = log_verify_int(scan->batches, scan->next_batch, 4);
    if (header->epoch != of_batch)
        return FAIL("entry %llu: epoch %lld in a batch of epoch %lld", (number)scan->size,
                    (long long)header->epoch, (long long)of_batch);
    if (scan->size == 0)
        return CT_OK;
    if (header->epoch != scan->epoch && (header->epoch != scan->epoch + 1 || !takeover))
        return FAIL("entry %llu: epoch %lld after %lld, which no takeover explains",
                    (number)scan->size, (long long)header->epoch, (long long)scan->epoch);
    if (takeover && header->epoch == scan->epoch)
        return FAIL("entry %llu: a takeover without a new epoch", (number)scan->size);
    return CT_OK;
}

static enum ct_status check_time(struct log_verify_scan *scan,
                                 const struct log_verify_header *header)
{
    if (scan->size == 0)
        scan->first_ms = scan->latest_ms = header->time_ms;
    if (header->time_ms < scan->latest_ms - BACKWARDS_MS)
        return FAIL("entry %llu: its time is %lld ms before that of an earlier entry",
                    (number)scan->size, (long long)(scan->latest_ms - header->time_ms));
    if (header->time_ms > ct_now_ms() + AHEAD_MS)
        return FAIL("entry %llu: its time is in the future by this machine's clock",
                    (number)scan->size);
    if (header->time_ms > scan->latest_ms)
        scan->latest_ms = header->time_ms;
    return CT_OK;
}

static enum ct_status check_header(struct log_verify_scan *scan, int row)
{
    struct log_verify_header header;
    struct ct_error err = {.text = ""};
    if (log_verify_header_read(PQgetvalue(scan->entries, row, 2),
                               log_verify_length(scan->entries, row, 2), &header, &err) != CT_OK)
        return FAIL("entry %llu: header: %s", (number)scan->size, err.text);
    if (strcmp(header.origin, scan->verify->origin) != 0)
        return FAIL("entry %llu: its header names another log, %s", (number)scan->size,
                    header.origin);
    enum ct_status status = check_epoch(scan, &header);
    if (status == CT_OK)
        status = check_time(scan, &header);
    scan->epoch = header.epoch;
    return status;
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

static void count_signature(struct log_verify_scan *scan, const struct accesslog_signed *results)
{
    scan->signatures_good++;
    for (size_t i = 0; i < scan->verify->key_count; i++) {
        if (results[i].valid && scan->verify->keys[i].type == ACCESSLOG_KEY_ED25519)
            scan->signed_size = scan->size;
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
        count_signature(scan, results);
    else if (status == ACCESSLOG_UNKNOWN_KEY)
        scan->signatures_unknown++;
    else
        return FAIL("size %llu: stored signature: %s", (number)scan->size,
                    accesslog_status_text(status));
    return CT_OK;
}

static bool is_fact(const struct log_verify_scan *scan)
{
    for (size_t i = 0; i < scan->verify->fact_count; i++) {
        if (scan->verify->facts[i].checkpoint.size == scan->size)
            return true;
    }
    return false;
}

static enum ct_status check_facts(const struct log_verify_scan *scan)
{
    for (size_t i = 0; i < scan->verify->fact_count; i++) {
        const struct log_verify_fact *fact = &scan->verify->facts[i];
        if (fact->checkpoint.size == scan->size &&
            !accesslog_hash_equal(&fact->checkpoint.root, &scan->tree->root))
            return FAIL("size %llu: the root is not the one signed in %s: the log was rewritten or "
                        "forked",
                        (number)scan->size, fact->source);
    }
    return CT_OK;
}

/* Called after every entry. */
static enum ct_status check_size(struct log_verify_scan *scan)
{
    bool compare = batch_ends(scan) || is_signed(scan) || is_fact(scan);
    enum ct_status status = CT_OK;
    if (compare || scan->pending_count == ACCESSLOG_BATCH_MAX)
        status = flush(scan);
    if (status != CT_OK || !compare)
        return status;
    /* First what is signed by somebody: that the batch is wrong too follows from it. */
    status = check_facts(scan);
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
    ct_time_format(scan->first_ms, first);
    ct_time_format(scan->latest_ms, last);
    (void)printf("%s: %llu entries in %llu batches from %s to %s, epoch %lld\n",
                 scan->verify->origin, (number)scan->end, (number)scan->batch_count, first, last,
                 (long long)scan->epoch);
    (void)printf("%llu stored signatures verify, %llu are by keys not given; "
                 "%zu checkpoints and receipts from elsewhere hold\n",
                 (number)scan->signatures_good, (number)scan->signatures_unknown,
                 scan->verify->fact_count);
    (void)printf("signed up to entry %llu; %llu after it rest on the database alone\n",
                 (number)(known - 1), (number)(scan->end - known));
}

static enum ct_status check_all(struct log_verify_scan *scan)
{
    enum ct_status status = log_verify_survey(scan);
    while (status == CT_OK && scan->size < scan->end) {
        uint64_t left = scan->end - scan->size;
        status = check_step(scan, scan->size + (left < STEP_ENTRIES ? left : STEP_ENTRIES));
    }
    if (status == CT_OK)
        status = check_end(scan);
    if (status == CT_OK)
        print_summary(scan);
    return status;
}

enum ct_status log_verify_database(const struct log_verify *verify, const char *conninfo)
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
