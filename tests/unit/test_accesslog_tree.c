// SPDX-License-Identifier: Apache-2.0
/* The tree: roots, batches and the paths they give, its stored form, entries. */
#include "tests/unit/test_accesslog_support.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* ---- known answers ---- */

static void test_roots(void **state)
{
    (void)state;
    struct accesslog_hash *leaves = test_leaves(KAT_SIZE);
    struct test_bytes text = test_kat("roots.txt");
    struct accesslog_tree tree = {.size = 0};
    char *rest = text.data;
    for (char *word; *(word = strsep(&rest, " ")) != '\0';) {
        accesslog_tree_append(&tree, &leaves[tree.size]);
        assert_int_equal(strtoul(word, NULL, 10), tree.size);
        struct accesslog_hash want = test_hash(strsep(&rest, "\n"));
        struct accesslog_hash got;
        accesslog_tree_root(&tree, &got);
        test_assert_hash(&got, &want);
    }
    assert_int_equal(tree.size, KAT_SIZE);
    free(text.data);
    free(leaves);
}

static void test_empty_root(void **state)
{
    (void)state;
    const struct accesslog_tree tree = {.size = 0};
    struct accesslog_hash got;
    struct accesslog_hash want;
    accesslog_tree_root(&tree, &got);
    crypto_hash_sha256(want.bytes, NULL, 0);
    test_assert_hash(&got, &want);
}

/* ---- batches ---- */

static struct accesslog_batch batch; /* too large for a small stack */

/* Everything about the batch that has just been appended, against the definitions. */
static void assert_batch(const struct accesslog_hash *leaves, uint64_t old_size, size_t count)
{
    uint64_t size = old_size + count;
    assert_int_equal(batch.first, old_size);
    assert_int_equal(batch.count, count);
    assert_int_equal(batch.tree.size, size);
    struct accesslog_hash root = ref_root(leaves, 0, size);
    test_assert_hash(&batch.root, &root);
    accesslog_tree_root(&batch.tree, &root);
    test_assert_hash(&batch.root, &root);
    /* Computing a reference path costs as much as the tree: a few of each batch, with its ends. */
    size_t step = count > 8 ? count / 7 : 1;
    for (size_t ordinal = 0; ordinal < count; ordinal += step) {
        size_t at = ordinal + step < count ? ordinal : count - 1;
        struct accesslog_hash got[ACCESSLOG_PROOF_MAX];
        struct accesslog_hash want[ACCESSLOG_PROOF_MAX];
        size_t length = accesslog_batch_path(&batch, at, got);
        test_assert_path(got, length, want, ref_path(leaves, old_size + at, 0, size, want));
    }
    for (size_t ordinal = 0; ordinal < count; ordinal++) {
        struct accesslog_hash path[ACCESSLOG_PROOF_MAX];
        size_t length = accesslog_batch_path(&batch, ordinal, path);
        assert_int_equal(accesslog_check_inclusion(old_size + ordinal, size,
                                                   &leaves[old_size + ordinal], path, length,
                                                   &batch.root),
                         ACCESSLOG_OK);
    }
}

/* Logs that grow by random batches; the rows that batches ask for are the whole storage. */
static void test_batches_grow(void **state)
{
    (void)state;
    enum { total = 5000 };
    struct accesslog_hash *leaves = test_leaves(total);
    uint64_t random = 7;
    for (unsigned round = 0; round < 3; round++) {
        const size_t most[] = {3, 90, ACCESSLOG_BATCH_MAX};
        struct test_memory memory = {.reads = 0};
        struct accesslog_storage storage = test_memory_storage(&memory);
        uint64_t stop = round == 0 ? 700 : total;
        memset(&batch, 0, sizeof batch);
        while (batch.tree.size < stop) {
            uint64_t old_size = batch.tree.size;
            size_t count = 1 + (size_t)(test_random(&random) % most[round]);
            if (count > stop - old_size)
                count = (size_t)(stop - old_size);
            assert_int_equal(accesslog_batch_append(&batch.tree, leaves + old_size, count, &batch),
                             ACCESSLOG_OK);
            assert_batch(leaves, old_size, count);
            for (size_t i = 0; i < count; i++)
                test_memory_add(&memory, 0, old_size + i, &leaves[old_size + i]);
            for (size_t i = 0; i < batch.subtree_count; i++)
                test_memory_add(&memory, batch.subtrees[i].level, batch.subtrees[i].index,
                                &batch.subtrees[i].hash);
            /* The paths of the batch are those that storage gives afterwards. */
            size_t ordinal = (size_t)(test_random(&random) % count);
            struct accesslog_hash got[ACCESSLOG_PROOF_MAX];
            struct accesslog_hash want[ACCESSLOG_PROOF_MAX];
            size_t want_count;
            assert_int_equal(accesslog_prove_inclusion(&storage, old_size + ordinal,
                                                       batch.tree.size, want, &want_count),
                             ACCESSLOG_OK);
            test_assert_path(got, accesslog_batch_path(&batch, ordinal, got), want, want_count);
        }
        struct test_memory whole = {.reads = 0};
        test_memory_fill(&whole, leaves, (size_t)stop);
        assert_memory_equal(memory.counts, whole.counts, sizeof whole.counts);
        assert_memory_equal(memory.levels[1], whole.levels[1],
                            whole.counts[1] * sizeof(struct accesslog_hash));
        test_memory_free(&whole);
        test_memory_free(&memory);
    }
    free(leaves);
}

/* Every old size and count around the powers of two. */
static void test_batches_at_edges(void **state)
{
    (void)state;
    struct accesslog_hash *leaves = test_leaves(600);
    struct accesslog_tree tree = {.size = 0};
    for (uint64_t old_size = 0; old_size < 70; old_size++) {
        for (size_t count = 1; count < 70; count++) {
            assert_int_equal(accesslog_batch_append(&tree, leaves + old_size, count, &batch),
                             ACCESSLOG_OK);
            assert_batch(leaves, old_size, count);
        }
        accesslog_tree_append(&tree, &leaves[old_size]);
    }
    free(leaves);
}

/* Large sizes cannot be built leaf by leaf, but any frontier will do: the paths must lead to the
 * root. Level 16 and above become complete only here. */
static void test_batches_far_out(void **state)
{
    (void)state;
    struct accesslog_hash *leaves = test_leaves(ACCESSLOG_BATCH_MAX);
    const uint64_t sizes[] = {UINT64_C(65535),
                              UINT64_C(65536),
                              (UINT64_C(1) << 24) - 1,
                              (UINT64_C(1) << 32) - 500,
                              (UINT64_C(1) << 56) - 1,
                              (UINT64_C(1) << 62) - 1,
                              ACCESSLOG_SIZE_MAX - ACCESSLOG_BATCH_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct accesslog_tree tree = {.size = sizes[i]};
        randombytes_buf(tree.frontier, sizeof tree.frontier);
        struct accesslog_tree slow = tree;
        assert_int_equal(accesslog_batch_append(&tree, leaves, ACCESSLOG_BATCH_MAX, &batch),
                         ACCESSLOG_OK);
        for (size_t ordinal = 0; ordinal < batch.count; ordinal++) {
            struct accesslog_hash path[ACCESSLOG_PROOF_MAX];
            size_t length = accesslog_batch_path(&batch, ordinal, path);
            assert_int_equal(accesslog_check_inclusion(sizes[i] + ordinal, batch.tree.size,
                                                       &leaves[ordinal], path, length, &batch.root),
                             ACCESSLOG_OK);
            accesslog_tree_append(&slow, &leaves[ordinal]);
        }
        struct accesslog_hash root;
        accesslog_tree_root(&slow, &root);
        test_assert_hash(&batch.root, &root);
        for (size_t s = 0; s < batch.subtree_count; s++) {
            const struct accesslog_subtree *subtree = &batch.subtrees[s];
            assert_true((subtree->index + 1) << subtree->level > sizes[i]);
            assert_true((subtree->index + 1) << subtree->level <= batch.tree.size);
        }
        assert_int_equal(accesslog_batch_append(&batch.tree, leaves, ACCESSLOG_BATCH_MAX, &batch),
                         i == 6 ? ACCESSLOG_BAD_INPUT : ACCESSLOG_OK);
    }
    free(leaves);
}

static void test_batch_bounds(void **state)
{
    (void)state;
    struct accesslog_hash leaf = {{0}};
    struct accesslog_tree tree = {.size = 0};
    memset(&batch, 0x5a, sizeof batch);
    assert_int_equal(accesslog_batch_append(&tree, &leaf, 0, &batch), ACCESSLOG_BAD_INPUT);
    assert_int_equal(accesslog_batch_append(&tree, &leaf, ACCESSLOG_BATCH_MAX + 1, &batch),
                     ACCESSLOG_BAD_INPUT);
    tree.size = ACCESSLOG_SIZE_MAX;
    assert_int_equal(accesslog_batch_append(&tree, &leaf, 1, &batch), ACCESSLOG_BAD_INPUT);
    assert_int_equal(batch.first, UINT64_C(0x5a5a5a5a5a5a5a5a));
}

static void test_pack(void **state)
{
    (void)state;
    struct accesslog_hash *leaves = test_leaves(KAT_SIZE);
    struct accesslog_tree tree = {.size = 0};
    for (size_t size = 0; size < KAT_SIZE; size++) {
        uint8_t packed[ACCESSLOG_FRONTIER_BYTES_MAX];
        size_t length = accesslog_tree_pack(&tree, packed);
        assert_int_equal(length, 32 * (size_t)__builtin_popcountll(size));
        struct accesslog_tree again;
        assert_int_equal(accesslog_tree_unpack(size, packed, length, &again), ACCESSLOG_OK);
        struct accesslog_hash root;
        struct accesslog_hash root_again;
        accesslog_tree_root(&tree, &root);
        accesslog_tree_root(&again, &root_again);
        test_assert_hash(&root_again, &root);
        assert_int_equal(accesslog_tree_unpack(size, packed, length + 32, &again),
                         ACCESSLOG_MALFORMED);
        assert_int_equal(
            accesslog_tree_unpack(size + UINT64_C(1) + INT64_MAX, packed, length, &again),
            ACCESSLOG_BAD_INPUT);
        accesslog_tree_append(&tree, &leaves[size]);
    }
    /* The low bit's hash is the first: of size 3 it is the third leaf. */
    uint8_t packed[ACCESSLOG_FRONTIER_BYTES_MAX];
    struct accesslog_tree three = {.size = 0};
    for (size_t i = 0; i < 3; i++)
        accesslog_tree_append(&three, &leaves[i]);
    assert_int_equal(accesslog_tree_pack(&three, packed), 64);
    assert_memory_equal(packed, leaves[2].bytes, 32);
    free(leaves);
}

/* ---- entries and hashing ---- */

static void test_entry_known(void **state)
{
    (void)state;
    uint8_t salt_header[32];
    uint8_t salt_subject[32];
    memset(salt_header, 0x11, sizeof salt_header);
    memset(salt_subject, 0x22, sizeof salt_subject);
    const char header[] = "{\"actor\":\"u1\",\"op\":\"read\",\"v\":1}";
    const char subject[] = "{\"subject\":\"1234567890\"}";
    struct accesslog_entry entry;
    accesslog_entry_commit(header, sizeof header - 1, salt_header, subject, sizeof subject - 1,
                           salt_subject, &entry);
    char hex[67];
    sodium_bin2hex(hex, sizeof hex, entry.leaf, sizeof entry.leaf);
    assert_string_equal(hex, "01bb75a6faeaada289c5bf7e5b539264c8ca0d5371c480237fe8356d9b802dcfc5");
    sodium_bin2hex(hex, sizeof hex, entry.leaf_hash.bytes, sizeof entry.leaf_hash.bytes);
    assert_string_equal(hex, "2d180c084d60f248e6981b94a5f2ae0c6a696422f2c46c39e38694a39e7d79af");
    /* One changed bit of anything changes the leaf. */
    struct accesslog_entry other;
    salt_subject[5] ^= 1;
    accesslog_entry_commit(header, sizeof header - 1, salt_header, subject, sizeof subject - 1,
                           salt_subject, &other);
    assert_memory_not_equal(other.leaf, entry.leaf, sizeof entry.leaf);
    test_assert_hash(&other.d_header, &entry.d_header);
}

/* Our HMAC and hashes are libsodium's. */
static void test_hash_agrees(void **state)
{
    (void)state;
    uint8_t data[300];
    uint8_t salt[32];
    for (size_t length = 0; length <= sizeof data; length++) {
        randombytes_buf(data, sizeof data);
        randombytes_buf(salt, sizeof salt);
        struct accesslog_hash got;
        uint8_t want[32];
        accesslog_entry_digest(salt, data, length, &got);
        crypto_auth_hmacsha256(want, data, length, salt);
        assert_memory_equal(got.bytes, want, 32);
        uint8_t prefixed[301] = {0};
        memcpy(prefixed + 1, data, length);
        accesslog_leaf_hash(data, length, &got);
        crypto_hash_sha256(want, prefixed, length + 1);
        assert_memory_equal(got.bytes, want, 32);
    }
}

static void *hash_in_thread(void *argument)
{
    struct accesslog_hash *hash = argument;
    for (unsigned i = 0; i < 20000; i++)
        accesslog_node_hash(hash, hash, hash);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct accesslog_hash hashes[4] = {{{0}}};
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hash_in_thread, &hashes[i]), 0);
    struct accesslog_hash own = {{0}};
    (void)hash_in_thread(&own);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        test_assert_hash(&hashes[i], &own);
    }
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roots),
        cmocka_unit_test(test_empty_root),
        cmocka_unit_test(test_batches_grow),
        cmocka_unit_test(test_batches_at_edges),
        cmocka_unit_test(test_batches_far_out),
        cmocka_unit_test(test_batch_bounds),
        cmocka_unit_test(test_pack),
        cmocka_unit_test(test_entry_known),
        cmocka_unit_test(test_hash_agrees),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
