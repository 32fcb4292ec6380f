// SPDX-License-Identifier: Apache-2.0
/* The growing tree: append, root, and its stored form. */
#include "accesslog/internal.h"

#include <assert.h>
#include <string.h>

void accesslog_tree_append(struct accesslog_tree *tree, const struct accesslog_hash *leaf_hash)
{
    assert(tree->size < ACCESSLOG_SIZE_MAX);
    struct accesslog_hash hash = *leaf_hash;
    unsigned level = 0;
    for (; tree_bit(tree->size, level); level++)
        accesslog_node_hash(&tree->frontier[level], &hash, &hash);
    tree->frontier[level] = hash;
    tree->size++;
}

void accesslog_tree_root(const struct accesslog_tree *tree, struct accesslog_hash *ret_root)
{
    struct accesslog_hash root;
    bool first = true;
    for (unsigned level = 0; level < ACCESSLOG_LEVELS; level++) {
        if (!tree_bit(tree->size, level))
            continue;
        if (first)
            root = tree->frontier[level];
        else
            accesslog_node_hash(&tree->frontier[level], &root, &root);
        first = false;
    }
    if (first)
        hash_parts(NULL, 0, &root);
    *ret_root = root;
}

size_t accesslog_tree_pack(const struct accesslog_tree *tree,
                           uint8_t ret_frontier[ACCESSLOG_FRONTIER_BYTES_MAX])
{
    size_t length = 0;
    for (unsigned level = 0; level < ACCESSLOG_LEVELS; level++) {
        if (!tree_bit(tree->size, level))
            continue;
        memcpy(ret_frontier + length, tree->frontier[level].bytes, ACCESSLOG_HASH_BYTES);
        length += ACCESSLOG_HASH_BYTES;
    }
    return length;
}

enum accesslog_status accesslog_tree_unpack(uint64_t size, const void *frontier,
                                            size_t frontier_bytes, struct accesslog_tree *ret_tree)
{
    if (size > ACCESSLOG_SIZE_MAX)
        return ACCESSLOG_BAD_INPUT;
    if (frontier_bytes != (size_t)__builtin_popcountll(size) * ACCESSLOG_HASH_BYTES)
        return ACCESSLOG_MALFORMED;
    const uint8_t *next = frontier;
    memset(ret_tree, 0, sizeof *ret_tree);
    ret_tree->size = size;
    for (unsigned level = 0; level < ACCESSLOG_LEVELS; level++) {
        if (!tree_bit(size, level))
            continue;
        memcpy(ret_tree->frontier[level].bytes, next, ACCESSLOG_HASH_BYTES);
        next += ACCESSLOG_HASH_BYTES;
    }
    return ACCESSLOG_OK;
}

enum sibling_kind tree_sibling(unsigned level, uint64_t index, uint64_t size)
{
    uint64_t sibling = index ^ 1;
    uint64_t complete = size >> level;
    if (sibling < complete)
        return SIBLING_COMPLETE;
    bool rest = (size & ((UINT64_C(1) << level) - 1)) != 0;
    return sibling == complete && rest ? SIBLING_EDGE : SIBLING_NONE;
}

bool tree_covered(unsigned level, uint64_t size)
{
    return size <= UINT64_C(1) << level;
}
