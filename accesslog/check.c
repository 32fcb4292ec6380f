// SPDX-License-Identifier: Apache-2.0
/* Checking proofs (RFC 9162, 2.1.3.2 and 2.1.4.2). Knows nothing of how they are made. */
#include "accesslog/internal.h"

/* The walk of both checks: node and last node of the level, as in the RFC's fn and sn. */
struct walk {
    uint64_t node;
    uint64_t last;
};

/* True when the next hash of a proof is the left sibling; moves to its parent's level. */
static bool walk_left(struct walk *walk)
{
    bool left = (walk->node & 1) != 0 || walk->node == walk->last;
    if (left) {
        /* On the right edge whole levels have no sibling. */
        while (walk->node != 0 && (walk->node & 1) == 0) {
            walk->node >>= 1;
            walk->last >>= 1;
        }
    }
    walk->node >>= 1;
    walk->last >>= 1;
    return left;
}

enum accesslog_status accesslog_check_inclusion(uint64_t index, uint64_t size,
                                                const struct accesslog_hash *leaf_hash,
                                                const struct accesslog_hash *path, size_t count,
                                                const struct accesslog_hash *root)
{
    if (index >= size)
        return ACCESSLOG_BAD_PROOF;
    struct walk walk = {index, size - 1};
    struct accesslog_hash hash = *leaf_hash;
    for (size_t i = 0; i < count; i++) {
        if (walk.last == 0)
            return ACCESSLOG_BAD_PROOF;
        if (walk_left(&walk))
            accesslog_node_hash(&path[i], &hash, &hash);
        else
            accesslog_node_hash(&hash, &path[i], &hash);
    }
    return walk.last == 0 && accesslog_hash_equal(&hash, root) ? ACCESSLOG_OK : ACCESSLOG_BAD_PROOF;
}

static enum accesslog_status verdict(bool holds)
{
    return holds ? ACCESSLOG_OK : ACCESSLOG_BAD_PROOF;
}

enum accesslog_status accesslog_check_consistency(uint64_t old_size,
                                                  const struct accesslog_hash *old_root,
                                                  uint64_t new_size,
                                                  const struct accesslog_hash *new_root,
                                                  const struct accesslog_hash *proof, size_t count)
{
    if (old_size > new_size)
        return ACCESSLOG_BAD_PROOF;
    if (old_size == new_size)
        return verdict(count == 0 && accesslog_hash_equal(old_root, new_root));
    if (old_size == 0 || count == 0)
        return verdict(old_size == 0 && count == 0);
    struct walk walk = {old_size - 1, new_size - 1};
    while ((walk.node & 1) != 0) {
        walk.node >>= 1;
        walk.last >>= 1;
    }
    bool whole = (old_size & (old_size - 1)) == 0;
    size_t next = whole ? 0 : 1;
    struct accesslog_hash old_hash = whole ? *old_root : proof[0];
    struct accesslog_hash new_hash = old_hash;
    for (size_t i = next; i < count; i++) {
        if (walk.last == 0)
            return ACCESSLOG_BAD_PROOF;
        if (walk_left(&walk)) {
            accesslog_node_hash(&proof[i], &old_hash, &old_hash);
            accesslog_node_hash(&proof[i], &new_hash, &new_hash);
        } else {
            accesslog_node_hash(&new_hash, &proof[i], &new_hash);
        }
    }
    return verdict(walk.last == 0 && accesslog_hash_equal(&old_hash, old_root) &&
                   accesslog_hash_equal(&new_hash, new_root));
}
