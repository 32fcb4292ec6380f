// SPDX-License-Identifier: Apache-2.0
/* Checking the public view of the log. Threads read and hash pieces of 32 tiles; one puts the
 * pieces together in their order, so that what is named is the first that is wrong. Everything is
 * computed from the entry bundles; tiles are only compared. */
#include "cli/log_source.h"
#include "cli/log_verify.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAIL(...) LOG_VERIFY_FAIL(__VA_ARGS__)
#define TILE ((size_t)ACCESSLOG_TILE_WIDTH)
#define PIECE_TILES 32u
#define PIECE_LEAVES (PIECE_TILES * TILE)
#define THREADS_MAX 8u
#define PIECES (2u * THREADS_MAX)

typedef unsigned long long number; /* for printf */

/* What one thread has made of one piece. */
struct piece {
    bool done;
    size_t leaf_count; /* right ones; more would come but for `status` */
    uint64_t leaf_bytes;
    struct accesslog_hash leaves[PIECE_LEAVES];
    struct accesslog_hash nodes[PIECE_TILES]; /* of its full tiles */
    enum ct_status status;                    /* of what stands behind leaf_count */
    char text[320];
};

struct scan {
    struct log_verify *verify;
    const struct log_source *source;
    uint64_t from; /* where the first piece begins */
    uint64_t end;
    uint64_t piece_count;

    pthread_mutex_t lock; /* of the four below */
    pthread_cond_t changed;
    uint64_t taken; /* pieces that threads have begun */
    uint64_t put;   /* pieces that are put together */
    bool stopped;
    struct piece *pieces; /* number n stands at n % PIECES */

    /* Of the one that puts together. */
    struct accesslog_tree tree;
    const struct log_verify_fact *agreed;
    struct log_reader *reader;
    struct ct_buf tile;
    struct log_verify_progress progress;
};

/* ---- a thread's part ---------------------------------------------------------------------------
 */

struct worker {
    struct scan *scan;
    struct log_reader *reader;
    struct ct_buf bundle;
    struct ct_buf tile;
    struct ct_buf above; /* the tile of level 1 that was read last */
    uint64_t above_index;
    bool above_read;
};

/* A tile of level 0 or more in an error text: "tile/1/x001/002". */
static const char *tile_name(int level, uint64_t index, char ret[ACCESSLOG_TILE_PATH_MAX])
{
    if (accesslog_tile_path_format(level, index, TILE, ret, ACCESSLOG_TILE_PATH_MAX) == 0)
        ret[0] = '\0';
    return ret;
}

/* Reads a tile of hashes that is as long as the log's size says. */
static enum ct_status read_hashes(struct log_reader *reader, int level, uint64_t index,
                                  uint64_t size, struct ct_buf *ret, struct ct_error *err)
{
    char name[ACCESSLOG_TILE_PATH_MAX];
    bool whole = false;
    size_t width = accesslog_tile_width(level, index, size);
    enum ct_status status = log_reader_tile(reader, level, index, size, ret, &whole, err);
    if (status != CT_OK)
        return status == CT_NOT_FOUND ? CT_IO : status;
    if (ret->length != (whole ? TILE : width) * ACCESSLOG_HASH_BYTES) {
        ct_error_set(err, "%s: it has %zu bytes", tile_name(level, index, name), ret->length);
        return CT_CRYPTO;
    }
    return CT_OK;
}

static bool tile_has(const struct ct_buf *tile, size_t at, const struct accesslog_hash *hash)
{
    return memcmp(tile->data + at * ACCESSLOG_HASH_BYTES, hash->bytes, ACCESSLOG_HASH_BYTES) == 0;
}

/* The leaves of one bundle, each as its tile has it. */
static enum ct_status hash_bundle(struct worker *worker, uint64_t tile_index, bool whole,
                                  struct piece *piece, struct ct_error *err)
{
    char name[ACCESSLOG_TILE_PATH_MAX];
    size_t width = accesslog_tile_width(0, tile_index, worker->scan->end);
    size_t offset = 0;
    const uint8_t *leaf = NULL;
    size_t bytes = 0;
    for (size_t i = 0; i < width; i++) {
        struct accesslog_hash *hash = &piece->leaves[piece->leaf_count];
        if (accesslog_bundle_next(worker->bundle.data, worker->bundle.length, &offset, &leaf,
                                  &bytes) != ACCESSLOG_OK) {
            ct_error_set(err, "entry %llu: %s ends before it", (number)(tile_index * TILE + i),
                         tile_name(ACCESSLOG_TILE_ENTRIES, tile_index, name));
            return CT_CRYPTO;
        }
        accesslog_leaf_hash(leaf, bytes, hash);
        if (!tile_has(&worker->tile, i, hash)) {
            ct_error_set(err, "entry %llu: its leaf does not give the hash in %s",
                         (number)(tile_index * TILE + i), tile_name(0, tile_index, name));
            return CT_CRYPTO;
        }
        piece->leaf_bytes += bytes;
        piece->leaf_count++;
    }
    if (!whole && offset != worker->bundle.length) {
        ct_error_set(err, "%s has more than its %zu entries",
                     tile_name(ACCESSLOG_TILE_ENTRIES, tile_index, name), width);
        return CT_CRYPTO;
    }
    return CT_OK;
}

/* The root of a full tile. */
static void fold(const struct accesslog_hash *leaves, struct accesslog_hash *ret)
{
    struct accesslog_hash nodes[TILE / 2];
    for (size_t i = 0; i < TILE / 2; i++)
        accesslog_node_hash(&leaves[2 * i], &leaves[2 * i + 1], &nodes[i]);
    for (size_t width = TILE / 2; width > 1; width /= 2) {
        for (size_t i = 0; i < width / 2; i++)
            accesslog_node_hash(&nodes[2 * i], &nodes[2 * i + 1], &nodes[i]);
    }
    *ret = nodes[0];
}

/* The full tile's root is in the tile above. */
static enum ct_status check_above(struct worker *worker, uint64_t tile_index,
                                  const struct accesslog_hash *node, struct ct_error *err)
{
    char names[2][ACCESSLOG_TILE_PATH_MAX];
    uint64_t above = tile_index / TILE;
    if (!worker->above_read || worker->above_index != above) {
        worker->above_read = false;
        enum ct_status status =
            read_hashes(worker->reader, 1, above, worker->scan->end, &worker->above, err);
        if (status != CT_OK)
            return status;
        worker->above_read = true;
        worker->above_index = above;
    }
    if (tile_has(&worker->above, (size_t)(tile_index % TILE), node))
        return CT_OK;
    ct_error_set(err, "%s: its root is not hash %u of %s", tile_name(0, tile_index, names[0]),
                 (unsigned)(tile_index % TILE), tile_name(1, above, names[1]));
    return CT_CRYPTO;
}

static enum ct_status work_on_tile(struct worker *worker, uint64_t tile_index, struct piece *piece,
                                   struct ct_error *err)
{
    uint64_t end = worker->scan->end;
    size_t before = piece->leaf_count;
    bool whole = false;
    enum ct_status status = read_hashes(worker->reader, 0, tile_index, end, &worker->tile, err);
    if (status == CT_OK)
        status = log_reader_tile(worker->reader, ACCESSLOG_TILE_ENTRIES, tile_index, end,
                                 &worker->bundle, &whole, err);
    if (status == CT_NOT_FOUND)
        status = CT_IO;
    whole = whole && accesslog_tile_width(0, tile_index, end) != TILE;
    if (status == CT_OK)
        status = hash_bundle(worker, tile_index, whole, piece, err);
    if (status != CT_OK || piece->leaf_count - before != TILE)
        return status;
    struct accesslog_hash *node = &piece->nodes[before / TILE];
    fold(&piece->leaves[before], node);
    status = check_above(worker, tile_index, node, err);
    if (status != CT_OK)
        piece->leaf_count = before; /* one of these is wrong, and which one cannot be said */
    return status;
}

static void work_on_piece(struct worker *worker, uint64_t number_of, struct piece *piece)
{
    struct ct_error err = {.text = ""};
    uint64_t first = worker->scan->from / TILE + number_of * PIECE_TILES;
    uint64_t tiles = (worker->scan->end + TILE - 1) / TILE;
    piece->leaf_count = 0;
    piece->leaf_bytes = 0;
    piece->status = CT_OK;
    for (uint64_t i = 0; piece->status == CT_OK && i < PIECE_TILES && first + i < tiles; i++)
        piece->status = work_on_tile(worker, first + i, piece, &err);
    (void)snprintf(piece->text, sizeof piece->text, "%s", err.text);
}

/* The next piece that nobody has begun and whose place is free; false: none is left. */
static bool take_piece(struct scan *scan, uint64_t *ret)
{
    (void)pthread_mutex_lock(&scan->lock);
    while (!scan->stopped && scan->taken < scan->piece_count && scan->taken >= scan->put + PIECES)
        (void)pthread_cond_wait(&scan->changed, &scan->lock);
    bool taken = !scan->stopped && scan->taken < scan->piece_count;
    if (taken)
        *ret = scan->taken++;
    (void)pthread_mutex_unlock(&scan->lock);
    return taken;
}

static void *work(void *context)
{
    struct worker *worker = context;
    uint64_t next = 0;
    while (take_piece(worker->scan, &next)) {
        struct piece *piece = &worker->scan->pieces[next % PIECES];
        work_on_piece(worker, next, piece);
        (void)pthread_mutex_lock(&worker->scan->lock);
        piece->done = true;
        (void)pthread_cond_broadcast(&worker->scan->changed);
        (void)pthread_mutex_unlock(&worker->scan->lock);
    }
    return NULL;
}

/* ---- putting together ---------------------------------------------------------------------------
 */

/* The subtree of 65,536 leaves or more that has become complete is in the tile of its level. */
static enum ct_status check_high(struct scan *scan, unsigned level,
                                 const struct accesslog_hash *node)
{
    char name[ACCESSLOG_TILE_PATH_MAX];
    struct ct_error err = {.text = ""};
    uint64_t index = scan->tree.size >> level;
    enum ct_status status =
        read_hashes(scan->reader, (int)(level / 8), index / TILE, scan->end, &scan->tile, &err);
    if (status != CT_OK) {
        cli_complain("%s", err.text);
        return status;
    }
    if (tile_has(&scan->tile, (size_t)(index % TILE), node))
        return CT_OK;
    return FAIL("%s: its hash %u is not the root of entries %llu to %llu",
                tile_name((int)(level / 8), index / TILE, name), (unsigned)(index % TILE),
                (number)(index << level), (number)(((index + 1) << level) - 1));
}

/* Appends a complete node of level 0 or 8. high: compare subtrees with the tiles above. */
static enum ct_status append(struct scan *scan, struct accesslog_tree *tree, unsigned level,
                             const struct accesslog_hash *added, bool high)
{
    struct accesslog_hash hash = *added;
    unsigned at = level;
    enum ct_status status = CT_OK;
    for (; (tree->size >> at & 1) != 0; at++) {
        accesslog_node_hash(&tree->frontier[at], &hash, &hash);
        if (high && status == CT_OK && at + 1 >= 16 && (at + 1) % 8 == 0)
            status = check_high(scan, at + 1, &hash);
    }
    tree->frontier[at] = hash;
    tree->size += UINT64_C(1) << level;
    return status;
}

/* Grows a tree from the beginning of a piece up to a size within it. */
static enum ct_status grow(struct scan *scan, struct accesslog_tree *tree,
                           const struct piece *piece, size_t to, bool high)
{
    enum ct_status status = CT_OK;
    size_t at = 0;
    for (; status == CT_OK && to - at >= TILE; at += TILE)
        status = append(scan, tree, 8, &piece->nodes[at / TILE], high);
    for (; status == CT_OK && at < to; at++)
        status = append(scan, tree, 0, &piece->leaves[at], high);
    return status;
}

static enum ct_status check_facts(struct scan *scan, const struct piece *piece)
{
    const struct log_verify *verify = scan->verify;
    uint64_t first = scan->tree.size;
    /* In the order of the entries, so that the first difference is the one that is named. */
    for (size_t at = 0; at <= piece->leaf_count; at++) {
        if (log_verify_facts_have(verify, first + at) && (at != 0 || first == scan->from)) {
            struct accesslog_tree tree = scan->tree;
            struct accesslog_hash root;
            (void)grow(scan, &tree, piece, at, false);
            accesslog_tree_root(&tree, &root);
            if (log_verify_root_check(verify, first + at, &root, &scan->agreed) != CT_OK)
                return CT_CRYPTO;
        }
        if (at < piece->leaf_count &&
            log_verify_leaf_check(verify, first + at, &piece->leaves[at]) != CT_OK)
            return CT_CRYPTO;
    }
    return CT_OK;
}

static bool any_fact_within(const struct scan *scan, uint64_t first, uint64_t last)
{
    for (size_t i = 0; i < scan->verify->fact_count; i++) {
        const struct log_verify_fact *fact = &scan->verify->facts[i];
        if ((fact->checkpoint.size >= first && fact->checkpoint.size <= last) ||
            (fact->has_leaf && fact->index >= first && fact->index < last))
            return true;
    }
    return false;
}

static enum ct_status put_piece(struct scan *scan, const struct piece *piece)
{
    enum ct_status status = CT_OK;
    if (any_fact_within(scan, scan->tree.size, scan->tree.size + piece->leaf_count))
        status = check_facts(scan, piece);
    if (status == CT_OK)
        status = grow(scan, &scan->tree, piece, piece->leaf_count, true);
    scan->verify->work.leaves += piece->leaf_count;
    scan->verify->work.leaf_bytes += piece->leaf_bytes;
    if (status == CT_OK && piece->status != CT_OK) {
        cli_complain("%s", piece->text);
        status = piece->status;
    }
    if (status == CT_OK)
        log_verify_progress_at(&scan->progress, scan->tree.size);
    return status;
}

static enum ct_status put_together(struct scan *scan)
{
    enum ct_status status = CT_OK;
    for (uint64_t next = 0; status == CT_OK && next < scan->piece_count; next++) {
        struct piece *piece = &scan->pieces[next % PIECES];
        (void)pthread_mutex_lock(&scan->lock);
        while (!piece->done)
            (void)pthread_cond_wait(&scan->changed, &scan->lock);
        (void)pthread_mutex_unlock(&scan->lock);
        status = put_piece(scan, piece);
        (void)pthread_mutex_lock(&scan->lock);
        piece->done = false;
        scan->put = next + 1;
        (void)pthread_cond_broadcast(&scan->changed);
        (void)pthread_mutex_unlock(&scan->lock);
    }
    (void)pthread_mutex_lock(&scan->lock);
    scan->stopped = true;
    (void)pthread_cond_broadcast(&scan->changed);
    (void)pthread_mutex_unlock(&scan->lock);
    return status;
}

/* ---- the whole ----------------------------------------------------------------------------------
 */

static enum ct_status worker_open(struct scan *scan, struct worker *worker)
{
    struct ct_error err = {.text = ""};
    *worker = (struct worker){.scan = scan};
    ct_buf_init(&worker->bundle, LOG_SOURCE_BUNDLE_MAX);
    ct_buf_init(&worker->tile, LOG_SOURCE_BUNDLE_MAX);
    ct_buf_init(&worker->above, LOG_SOURCE_BUNDLE_MAX);
    enum ct_status status = log_reader_open(scan->source, &worker->reader, &err);
    if (status != CT_OK)
        cli_complain("%s", err.text);
    return status;
}

static void worker_close(struct worker *worker)
{
    log_reader_close(worker->reader);
    ct_buf_free(&worker->bundle);
    ct_buf_free(&worker->tile);
    ct_buf_free(&worker->above);
}

static enum ct_status run(struct scan *scan, unsigned count)
{
    struct worker workers[THREADS_MAX];
    pthread_t threads[THREADS_MAX];
    unsigned opened = 0;
    unsigned started = 0;
    enum ct_status status = CT_OK;
    while (status == CT_OK && opened < count)
        status = worker_open(scan, &workers[opened++]);
    while (status == CT_OK && started < count &&
           pthread_create(&threads[started], NULL, work, &workers[started]) == 0)
        started++;
    if (status == CT_OK && started == 0) {
        cli_complain("no thread can be started");
        status = CT_NO_MEMORY;
    }
    if (status == CT_OK)
        status = put_together(scan);
    for (unsigned i = 0; i < started; i++)
        (void)pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < opened; i++)
        worker_close(&workers[i]);
    return status;
}

/* The tree below the first piece, from the tiles; the first fact behind it shows whether it is
 * right. */
static enum ct_status load_tree(struct scan *scan)
{
    struct log_reader_hashes hashes = {.reader = scan->reader, .size = scan->end};
    const struct accesslog_storage storage = log_reader_stored(&hashes);
    if (accesslog_tree_load(&storage, scan->from, &scan->tree) == ACCESSLOG_OK)
        return CT_OK;
    cli_complain("%s", hashes.err.text);
    return CT_IO;
}

static enum ct_status check_end(struct scan *scan, const struct accesslog_checkpoint *checkpoint)
{
    struct log_reader_hashes hashes = {.reader = scan->reader, .size = scan->end};
    const struct accesslog_storage storage = log_reader_stored(&hashes);
    struct accesslog_hash root;
    accesslog_tree_root(&scan->tree, &root);
    if (!accesslog_hash_equal(&root, &checkpoint->root))
        return FAIL("size %llu: the entries do not give the root of the checkpoint",
                    (number)scan->end);
    return log_verify_facts_before(scan->verify, scan->from, &storage, scan->end, &root);
}

static enum ct_status check_all(struct scan *scan, const struct accesslog_checkpoint *checkpoint)
{
    const struct log_verify_fact *resume = scan->verify->resume;
    scan->end = checkpoint->size;
    scan->from = resume == NULL ? 0 : resume->checkpoint.size / PIECE_LEAVES * PIECE_LEAVES;
    scan->piece_count = (scan->end - scan->from + PIECE_LEAVES - 1) / PIECE_LEAVES;
    enum ct_status status = load_tree(scan);
    log_verify_progress_begin(&scan->progress, scan->from, scan->end);
    if (status == CT_OK)
        status = run(scan, scan->source->connection == NULL ? LOG_VERIFY_THREADS_LOCAL
                                                            : LOG_VERIFY_THREADS_REMOTE);
    log_verify_progress_end(&scan->progress);
    if (status == CT_OK)
        status = check_end(scan, checkpoint);
    return status;
}

static enum ct_status read_checkpoint(struct scan *scan, struct accesslog_checkpoint *ret)
{
    struct ct_buf note;
    struct ct_error err = {.text = ""};
    struct log_verify *verify = scan->verify;
    ct_buf_init(&note, ACCESSLOG_NOTE_BYTES_MAX);
    enum ct_status status = log_reader_checkpoint(scan->reader, &note, &err);
    if (status == CT_NOT_FOUND)
        status = CT_IO;
    if (status == CT_OK) {
        enum accesslog_status opened =
            accesslog_checkpoint_open(note.length == 0 ? "" : (char *)note.data, note.length,
                                      verify->keys, verify->key_count, ret, NULL);
        if (opened != ACCESSLOG_OK) {
            ct_error_set(&err, "checkpoint: %s", accesslog_status_text(opened));
            status = CT_CRYPTO;
        }
    }
    if (status == CT_OK) {
        memcpy(verify->checked_note, note.data, note.length);
        verify->checked_note_length = note.length;
    } else {
        cli_complain("%s: %s", log_source_name(scan->source), err.text);
    }
    ct_buf_free(&note);
    return status;
}

static void print_summary(const struct scan *scan)
{
    const struct log_verify *verify = scan->verify;
    (void)printf("%s: %llu entries as the signed checkpoint says\n", verify->origin,
                 (number)scan->end);
    if (scan->from != 0)
        (void)printf("up to entry %llu they were checked before (%s)\n", (number)(scan->from - 1),
                     verify->resume->source);
    (void)printf("%zu checkpoints and receipts from elsewhere hold\n", verify->fact_count);
}

enum ct_status log_verify_tiles(struct log_verify *verify, const struct log_source *source)
{
    struct ct_error err = {.text = "out of memory"};
    struct accesslog_checkpoint checkpoint;
    enum ct_status status = CT_NO_MEMORY;
    struct scan *scan = calloc(1, sizeof *scan);
    if (scan != NULL)
        scan->pieces = calloc(PIECES, sizeof *scan->pieces);
    if (scan == NULL || scan->pieces == NULL) {
        cli_complain("%s", err.text);
        goto out;
    }
    scan->verify = verify;
    scan->source = source;
    (void)pthread_mutex_init(&scan->lock, NULL);
    (void)pthread_cond_init(&scan->changed, NULL);
    ct_buf_init(&scan->tile, LOG_SOURCE_BUNDLE_MAX);
    status = log_reader_open(source, &scan->reader, &err);
    if (status != CT_OK)
        cli_complain("%s", err.text);
    if (status == CT_OK)
        status = read_checkpoint(scan, &checkpoint);
    if (status == CT_OK)
        status = log_verify_facts_reached(verify, checkpoint.size, true);
    if (status == CT_OK)
        status = check_all(scan, &checkpoint);
    if (status == CT_OK) {
        verify->checked_size = checkpoint.size;
        print_summary(scan);
    }
    log_reader_close(scan->reader);
    ct_buf_free(&scan->tile);
    (void)pthread_cond_destroy(&scan->changed);
    (void)pthread_mutex_destroy(&scan->lock);
out:
    if (scan != NULL)
        free(scan->pieces);
    free(scan);
    return status;
}
