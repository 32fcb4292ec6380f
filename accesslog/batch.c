// SPDX-License-Identifier: Apache-2.0
/* One batch of leaves. Everything that their paths need is either a node that the batch completes,
 * a frontier node of the old tree, or the right edge of the new one; all are computed once, so
 * that a path is a walk of copies. */
#include "accesslog/internal.h"

#include <assert.h>
#include <string.h>

static size_t level_count(const struct accesslog_batch *batch, unsigned level)
{
    return (size_t)((batch->tree.size >> level) - batch->starts[level]);
}

static const struct accesslog_hash *node_at(const struct accesslog_batch *batch, unsigned level,
                                            uint64_t index)
{
    assert(index >= batch->starts[level] && index < batch->tree.size >> level);
    return &batch->nodes[batch->offsets[level] + (size_t)(index - batch->starts[level])];
}

/* Lays out the levels: where the old tree has a frontier node at a level, that is the first. */
static void lay_out(uint64_t old_size, struct accesslog_batch *batch)
{
    size_t offset = 0;
    for (unsigned level = 0; level < ACCESSLOG_LEVELS; level++) {
        batch->offsets[level] = (uint16_t)offset;
        batch->starts[level] = (old_size >> level) - (tree_bit(old_size, level) ? 1 : 0);
        offset += level_count(batch, level);
    }
    /* Per level ceil(count / 2^level) new nodes and one of the frontier. */
    assert(offset <= ACCESSLOG_BATCH_NODES);
}

/* Computes the complete nodes, level by level; the children of a new node stand one level below. */
static void fill_nodes(const struct accesslog_tree *old, const struct accesslog_hash *leaf_hashes,
                       struct accesslog_batch *batch)
{
    for (unsigned level = 0; level < ACCESSLOG_LEVELS; level++) {
        struct accesslog_hash *next = &batch->nodes[batch->offsets[level]];
        if (tree_bit(old->size, level))
            *next++ = old->frontier[level];
        uint64_t first = old->size >> level;
        uint64_t end = batch->tree.size >> level;
        if (level == 0) {
            memcpy(next, leaf_hashes, (size_t)(end - first) * sizeof *next);
            continue;
        }
        for (uint64_t index = first; index < end; index++, next++)
            accesslog_node_hash(node_at(batch, level - 1, 2 * index),
                                node_at(batch, level - 1, 2 * index + 1), next);
    }
}

static void collect_subtrees(uint64_t old_size, struct accesslog_batch *batch)
{
    batch->subtree_count = 0;
    for (unsigned level = 8; level < ACCESSLOG_LEVELS; level += 8) {
        uint64_t end = batch->tree.size >> level;
        for (uint64_t index = old_size >> level; index < end; index++) {
            assert(batch->subtree_count < ACCESSLOG_BATCH_SUBTREES_MAX);
            batch->subtrees[batch->subtree_count++] = (struct accesslog_subtree){
                .level = level, .index = index, .hash = *node_at(batch, level, index)};
        }
    }
}

/* The new frontier, the right edge of every level, and with the last of them the root. */
static void fill_edges(struct accesslog_batch *batch)
{
    struct accesslog_tree *tree = &batch->tree;
    struct accesslog_hash edge = {{0}};
    bool have_edge = false;
    for (unsigned level = 0; level < ACCESSLOG_LEVELS; level++) {
        batch->edges[level] = edge;
        if (!tree_bit(tree->size, level))
            continue;
        tree->frontier[level] = *node_at(batch, level, (tree->size >> level) - 1);
        if (have_edge)
            accesslog_node_hash(&tree->frontier[level], &edge, &edge);
        else
            edge = tree->frontier[level];
        have_edge = true;
    }
    batch->root = edge;
}

enum accesslog_status accesslog_batch_append(const struct accesslog_tree *old,
                                             const struct accesslog_hash *leaf_hashes, size_t count,
                                             struct accesslog_batch *ret_batch)
{
    if (count == 0 || count > ACCESSLOG_BATCH_MAX || old->size > ACCESSLOG_SIZE_MAX - count)
        return ACCESSLOG_BAD_INPUT;
    /* old may be the tree inside *ret_batch. */
    struct accesslog_tree before = *old;
    ret_batch->first = before.size;
    ret_batch->count = count;
    memset(&ret_batch->tree, 0, sizeof ret_batch->tree);
    ret_batch->tree.size = before.size + count;
    lay_out(before.size, ret_batch);
    fill_nodes(&before, leaf_hashes, ret_batch);
    fill_edges(ret_batch);
    collect_subtrees(before.size, ret_batch);
    return ACCESSLOG_OK;
}

size_t accesslog_batch_path(const struct accesslog_batch *batch, size_t ordinal,
                            struct accesslog_hash ret_path[ACCESSLOG_PROOF_MAX])
{
    assert(ordinal < batch->count);
    uint64_t size = batch->tree.size;
    uint64_t index = batch->first + ordinal;
    size_t length = 0;
    for (unsigned level = 0; !tree_covered(level, size); level++, index >>= 1) {
        enum sibling_kind kind = tree_sibling(level, index, size);
        if (kind == SIBLING_COMPLETE)
            ret_path[length++] = *node_at(batch, level, index ^ 1);
        else if (kind == SIBLING_EDGE)
            ret_path[length++] = batch->edges[level];
    }
    return length;
}
