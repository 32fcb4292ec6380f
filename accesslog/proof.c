// SPDX-License-Identifier: Apache-2.0
/* Proofs from storage. All nodes of eight levels of a path, and of the right edge, are within one
 * tile each, so a proof costs at most two range reads per eight levels. */
#include "accesslog/internal.h"

#include <string.h>

struct tile {
    bool loaded;
    unsigned level; /* 0, 8, 16 … */
    uint64_t index;
    struct accesslog_hash hashes[ACCESSLOG_TILE_WIDTH];
};

/* The two tiles that a walk upward is in: the one of the path and the one of the right edge. */
struct tile_view {
    const struct accesslog_storage *storage;
    uint64_t size;
    struct tile tiles[2];
    unsigned next; /* the tile to give up */
};

static void view_begin(struct tile_view *view, const struct accesslog_storage *storage,
                       uint64_t size)
{
    view->storage = storage;
    view->size = size;
    view->tiles[0].loaded = false;
    view->tiles[1].loaded = false;
    view->next = 0;
}

static enum accesslog_status view_tile(struct tile_view *view, unsigned level, uint64_t index,
                                       const struct tile **ret_tile)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct tile *tile = &view->tiles[i];
        if (tile->loaded && tile->level == level && tile->index == index) {
            view->next = 1 - i;
            *ret_tile = tile;
            return ACCESSLOG_OK;
        }
    }
    struct tile *tile = &view->tiles[view->next];
    uint64_t first = index * ACCESSLOG_TILE_WIDTH;
    uint64_t width = (view->size >> level) - first;
    if (width > ACCESSLOG_TILE_WIDTH)
        width = ACCESSLOG_TILE_WIDTH;
    tile->loaded = false;
    if (view->storage->hashes(view->storage->context, level, first, (size_t)width, tile->hashes) !=
        ACCESSLOG_OK)
        return ACCESSLOG_STORAGE;
    tile->loaded = true;
    tile->level = level;
    tile->index = index;
    view->next = 1 - view->next;
    *ret_tile = tile;
    return ACCESSLOG_OK;
}

/* Root of 2^height hashes; the scratch array is used up. */
static void fold(struct accesslog_hash *hashes, unsigned height)
{
    for (size_t width = (size_t)1 << height; width > 1; width /= 2) {
        for (size_t i = 0; i < width / 2; i++)
            accesslog_node_hash(&hashes[2 * i], &hashes[2 * i + 1], &hashes[i]);
    }
}

/* A complete node of the tree. */
static enum accesslog_status view_node(struct tile_view *view, unsigned level, uint64_t index,
                                       struct accesslog_hash *ret_hash)
{
    unsigned height = level % 8;
    unsigned shift = 8 - height;
    const struct tile *tile;
    enum accesslog_status status = view_tile(view, level - height, index >> shift, &tile);
    if (status != ACCESSLOG_OK)
        return status;
    size_t first = (size_t)(index & ((UINT64_C(1) << shift) - 1)) << height;
    struct accesslog_hash scratch[ACCESSLOG_TILE_WIDTH / 2];
    memcpy(scratch, &tile->hashes[first], sizeof scratch[0] << height);
    fold(scratch, height);
    *ret_hash = scratch[0];
    return ACCESSLOG_OK;
}

/* Adds the frontier node of this level, if there is one, to the hash of the right edge. */
static enum accesslog_status view_edge(struct tile_view *view, unsigned level,
                                       struct accesslog_hash *edge, bool *have_edge)
{
    if (!tree_bit(view->size, level))
        return ACCESSLOG_OK;
    struct accesslog_hash node;
    enum accesslog_status status = view_node(view, level, (view->size >> level) - 1, &node);
    if (status != ACCESSLOG_OK)
        return status;
    if (*have_edge)
        accesslog_node_hash(&node, edge, edge);
    else
        *edge = node;
    *have_edge = true;
    return ACCESSLOG_OK;
}

/* Appends the path from the complete node (start, index) to the root. */
static enum accesslog_status climb(struct tile_view *view, unsigned start, uint64_t index,
                                   struct accesslog_hash *path, size_t *length)
{
    struct accesslog_hash edge;
    bool have_edge = false;
    enum accesslog_status status = ACCESSLOG_OK;
    for (unsigned level = 0; status == ACCESSLOG_OK && !tree_covered(level, view->size); level++) {
        if (level >= start) {
            enum sibling_kind kind = tree_sibling(level, index, view->size);
            if (kind == SIBLING_COMPLETE)
                status = view_node(view, level, index ^ 1, &path[(*length)++]);
            else if (kind == SIBLING_EDGE)
                path[(*length)++] = edge;
            index >>= 1;
        }
        /* Once the path runs along the right edge, the edge is no sibling any more. */
        bool on_edge = level >= start && index == view->size >> (level + 1);
        if (status == ACCESSLOG_OK && !on_edge)
            status = view_edge(view, level, &edge, &have_edge);
    }
    return status;
}

enum accesslog_status accesslog_tree_load(const struct accesslog_storage *storage, uint64_t size,
                                          struct accesslog_tree *ret_tree)
{
    if (size > ACCESSLOG_SIZE_MAX)
        return ACCESSLOG_BAD_INPUT;
    struct tile_view view;
    view_begin(&view, storage, size);
    struct accesslog_tree tree = {.size = size};
    for (unsigned level = 0; level < ACCESSLOG_LEVELS; level++) {
        if (!tree_bit(size, level))
            continue;
        enum accesslog_status status =
            view_node(&view, level, (size >> level) - 1, &tree.frontier[level]);
        if (status != ACCESSLOG_OK)
            return status;
    }
    *ret_tree = tree;
    return ACCESSLOG_OK;
}

enum accesslog_status accesslog_prove_inclusion(const struct accesslog_storage *storage,
                                                uint64_t index, uint64_t size,
                                                struct accesslog_hash ret_path[ACCESSLOG_PROOF_MAX],
                                                size_t *ret_count)
{
    if (size > ACCESSLOG_SIZE_MAX || index >= size)
        return ACCESSLOG_BAD_INPUT;
    struct tile_view view;
    view_begin(&view, storage, size);
    size_t length = 0;
    enum accesslog_status status = climb(&view, 0, index, ret_path, &length);
    if (status == ACCESSLOG_OK)
        *ret_count = length;
    return status;
}

enum accesslog_status
accesslog_prove_consistency(const struct accesslog_storage *storage, uint64_t old_size,
                            uint64_t new_size, struct accesslog_hash ret_proof[ACCESSLOG_PROOF_MAX],
                            size_t *ret_count)
{
    if (new_size > ACCESSLOG_SIZE_MAX || old_size > new_size)
        return ACCESSLOG_BAD_INPUT;
    if (old_size == new_size || old_size == 0) {
        *ret_count = 0;
        return ACCESSLOG_OK;
    }
    struct tile_view view;
    view_begin(&view, storage, new_size);
    /* The last complete node of the old tree; it is the whole old tree if that is a power of two,
     * and the checker has its root then. */
    unsigned level = (unsigned)__builtin_ctzll(old_size);
    uint64_t index = (old_size >> level) - 1;
    size_t length = 0;
    enum accesslog_status status = ACCESSLOG_OK;
    if (index != 0)
        status = view_node(&view, level, index, &ret_proof[length++]);
    if (status == ACCESSLOG_OK)
        status = climb(&view, level, index, ret_proof, &length);
    if (status == ACCESSLOG_OK)
        *ret_count = length;
    return status;
}
