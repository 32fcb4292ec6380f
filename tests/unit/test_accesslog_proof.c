// SPDX-License-Identifier: Apache-2.0
/* Proofs: known answers, proofs from storage, and everything a false proof can be. */
#include "tests/unit/test_accesslog_support.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* ---- known answers ---- */

/* One line of incl.txt or cons.txt: the size, the index or old size, hashes. */
struct proof_line {
    uint64_t size;
    uint64_t other;
    size_t count;
    struct accesslog_hash proof[ACCESSLOG_PROOF_MAX];
};

static bool next_proof(char **text, struct proof_line *ret_line)
{
    char *line = strsep(text, "\n");
    if (line == NULL || *line == '\0')
        return false;
    ret_line->size = strtoul(strsep(&line, " "), NULL, 10);
    ret_line->other = strtoul(strsep(&line, " "), NULL, 10);
    ret_line->count = 0;
    for (char *word; (word = strsep(&line, " ")) != NULL;)
        ret_line->proof[ret_line->count++] = test_hash(word);
    return true;
}

struct known_tree {
    struct accesslog_hash *leaves;
    struct test_memory memory;
    struct accesslog_storage storage;
};

static void known_tree_make(struct known_tree *known, size_t count)
{
    memset(known, 0, sizeof *known);
    known->leaves = test_leaves(count);
    test_memory_fill(&known->memory, known->leaves, count);
    known->storage = test_memory_storage(&known->memory);
}

static void known_tree_free(struct known_tree *known)
{
    test_memory_free(&known->memory);
    free(known->leaves);
}

static void test_inclusion_known(void **state)
{
    (void)state;
    struct known_tree known;
    known_tree_make(&known, KAT_SIZE);
    struct test_bytes text = test_kat("incl.txt");
    char *rest = text.data;
    struct proof_line line;
    size_t lines = 0;
    for (; next_proof(&rest, &line); lines++) {
        struct accesslog_hash path[ACCESSLOG_PROOF_MAX];
        size_t count;
        assert_int_equal(
            accesslog_prove_inclusion(&known.storage, line.other, line.size, path, &count),
            ACCESSLOG_OK);
        test_assert_path(path, count, line.proof, line.count);
        struct accesslog_hash root = ref_root(known.leaves, 0, line.size);
        assert_int_equal(accesslog_check_inclusion(line.other, line.size, &known.leaves[line.other],
                                                   line.proof, line.count, &root),
                         ACCESSLOG_OK);
    }
    assert_int_equal(lines, 820);
    free(text.data);
    known_tree_free(&known);
}

static void test_consistency_known(void **state)
{
    (void)state;
    struct known_tree known;
    known_tree_make(&known, KAT_SIZE);
    struct test_bytes text = test_kat("cons.txt");
    char *rest = text.data;
    struct proof_line line;
    size_t lines = 0;
    for (; next_proof(&rest, &line); lines++) {
        struct accesslog_hash proof[ACCESSLOG_PROOF_MAX];
        size_t count;
        assert_int_equal(
            accesslog_prove_consistency(&known.storage, line.other, line.size, proof, &count),
            ACCESSLOG_OK);
        test_assert_path(proof, count, line.proof, line.count);
        struct accesslog_hash old_root = ref_root(known.leaves, 0, line.other);
        struct accesslog_hash new_root = ref_root(known.leaves, 0, line.size);
        assert_int_equal(accesslog_check_consistency(line.other, &old_root, line.size, &new_root,
                                                     line.proof, line.count),
                         ACCESSLOG_OK);
    }
    assert_int_equal(lines, 820);
    free(text.data);
    known_tree_free(&known);
}

/* ---- proofs from storage ---- */

static void test_storage_random(void **state)
{
    (void)state;
    enum { total = 70000 };
    struct known_tree known;
    known_tree_make(&known, total);
    uint64_t random = 99;
    for (unsigned i = 0; i < 60; i++) {
        uint64_t size = 1 + test_random(&random) % total;
        uint64_t index = test_random(&random) % size;
        struct accesslog_hash got[ACCESSLOG_PROOF_MAX];
        struct accesslog_hash want[ACCESSLOG_PROOF_MAX];
        size_t count;
        known.memory.reads = 0;
        assert_int_equal(accesslog_prove_inclusion(&known.storage, index, size, got, &count),
                         ACCESSLOG_OK);
        assert_true(known.memory.reads <= 6);
        test_assert_path(got, count, want, ref_path(known.leaves, index, 0, size, want));
        uint64_t old_size = 1 + index;
        known.memory.reads = 0;
        assert_int_equal(accesslog_prove_consistency(&known.storage, old_size, size, got, &count),
                         ACCESSLOG_OK);
        assert_true(known.memory.reads <= 6);
        test_assert_path(got, count, want, ref_consistency(known.leaves, old_size, size, want));
        struct accesslog_tree tree;
        assert_int_equal(accesslog_tree_load(&known.storage, size, &tree), ACCESSLOG_OK);
        struct accesslog_hash root;
        struct accesslog_hash want_root = ref_root(known.leaves, 0, size);
        accesslog_tree_root(&tree, &root);
        test_assert_hash(&root, &want_root);
    }
    known_tree_free(&known);
}

static void test_storage_refusals(void **state)
{
    (void)state;
    struct known_tree known;
    known_tree_make(&known, 1000);
    struct accesslog_hash path[ACCESSLOG_PROOF_MAX];
    struct accesslog_tree tree = {.size = 77};
    size_t count = 5;
    assert_int_equal(accesslog_prove_inclusion(&known.storage, 0, 0, path, &count),
                     ACCESSLOG_BAD_INPUT);
    assert_int_equal(accesslog_prove_inclusion(&known.storage, 10, 10, path, &count),
                     ACCESSLOG_BAD_INPUT);
    assert_int_equal(accesslog_prove_inclusion(&known.storage, 1, UINT64_MAX, path, &count),
                     ACCESSLOG_BAD_INPUT);
    assert_int_equal(accesslog_prove_consistency(&known.storage, 11, 10, path, &count),
                     ACCESSLOG_BAD_INPUT);
    assert_int_equal(accesslog_tree_load(&known.storage, UINT64_MAX, &tree), ACCESSLOG_BAD_INPUT);
    assert_int_equal(known.memory.reads, 0);
    assert_int_equal(count, 5);
    /* Each read fails in turn. */
    for (size_t fail_at = 1;; fail_at++) {
        known.memory.reads = 0;
        known.memory.fail_at = fail_at;
        enum accesslog_status status =
            accesslog_prove_inclusion(&known.storage, 300, 999, path, &count);
        if (status == ACCESSLOG_OK)
            break;
        assert_int_equal(status, ACCESSLOG_STORAGE);
        assert_int_equal(count, 5);
    }
    known.memory.reads = 0;
    known.memory.fail_at = 1;
    assert_int_equal(accesslog_prove_consistency(&known.storage, 300, 999, path, &count),
                     ACCESSLOG_STORAGE);
    known.memory.reads = 0;
    assert_int_equal(accesslog_tree_load(&known.storage, 999, &tree), ACCESSLOG_STORAGE);
    assert_int_equal(tree.size, 77);
    known.memory.fail_at = 0;
    assert_int_equal(accesslog_prove_consistency(&known.storage, 0, 999, path, &count),
                     ACCESSLOG_OK);
    assert_int_equal(count, 0);
    known_tree_free(&known);
}

/* ---- false proofs ---- */

static void test_false_inclusion(void **state)
{
    (void)state;
    struct accesslog_hash *leaves = test_leaves(40);
    for (uint64_t size = 1; size <= 40; size++) {
        struct accesslog_hash root = ref_root(leaves, 0, size);
        for (uint64_t index = 0; index < size; index++) {
            struct accesslog_hash path[ACCESSLOG_PROOF_MAX + 1] = {{{0}}};
            size_t count = ref_path(leaves, index, 0, size, path);
            for (uint64_t other = 0; other < size + 3; other++) {
                enum accesslog_status status =
                    accesslog_check_inclusion(other, size, &leaves[index], path, count, &root);
                assert_int_equal(status, other == index ? ACCESSLOG_OK : ACCESSLOG_BAD_PROOF);
            }
            for (size_t length = 0; length < count; length++)
                assert_int_equal(
                    accesslog_check_inclusion(index, size, &leaves[index], path, length, &root),
                    ACCESSLOG_BAD_PROOF);
            assert_int_equal(
                accesslog_check_inclusion(index, size, &leaves[index], path, count + 1, &root),
                ACCESSLOG_BAD_PROOF);
            for (size_t i = 0; i < count; i++) {
                path[i].bytes[i % 32] ^= 0x10;
                assert_int_equal(
                    accesslog_check_inclusion(index, size, &leaves[index], path, count, &root),
                    ACCESSLOG_BAD_PROOF);
                path[i].bytes[i % 32] ^= 0x10;
            }
            struct accesslog_hash wrong = root;
            wrong.bytes[31] ^= 1;
            assert_int_equal(
                accesslog_check_inclusion(index, size, &leaves[index], path, count, &wrong),
                ACCESSLOG_BAD_PROOF);
            assert_int_equal(accesslog_check_inclusion(index, size, &wrong, path, count, &root),
                             ACCESSLOG_BAD_PROOF);
        }
    }
    struct accesslog_hash empty = {{0}};
    assert_int_equal(accesslog_check_inclusion(0, 0, &leaves[0], NULL, 0, &empty),
                     ACCESSLOG_BAD_PROOF);
    assert_int_equal(
        accesslog_check_inclusion(UINT64_MAX - 1, UINT64_MAX, &leaves[0], leaves, 40, &empty),
        ACCESSLOG_BAD_PROOF);
    free(leaves);
}

static void test_false_consistency(void **state)
{
    (void)state;
    struct accesslog_hash *leaves = test_leaves(40);
    for (uint64_t size = 2; size <= 40; size++) {
        struct accesslog_hash new_root = ref_root(leaves, 0, size);
        for (uint64_t old_size = 1; old_size < size; old_size++) {
            struct accesslog_hash proof[ACCESSLOG_PROOF_MAX + 1] = {{{0}}};
            size_t count = ref_consistency(leaves, old_size, size, proof);
            struct accesslog_hash old_root = ref_root(leaves, 0, old_size);
            for (size_t length = 0; length <= count + 1; length++) {
                enum accesslog_status status = accesslog_check_consistency(
                    old_size, &old_root, size, &new_root, proof, length);
                assert_int_equal(status, length == count ? ACCESSLOG_OK : ACCESSLOG_BAD_PROOF);
            }
            for (size_t i = 0; i < count; i++) {
                proof[i].bytes[i % 32] ^= 0x80;
                assert_int_equal(
                    accesslog_check_consistency(old_size, &old_root, size, &new_root, proof, count),
                    ACCESSLOG_BAD_PROOF);
                proof[i].bytes[i % 32] ^= 0x80;
            }
            assert_int_equal(
                accesslog_check_consistency(old_size, &new_root, size, &new_root, proof, count),
                ACCESSLOG_BAD_PROOF);
            assert_int_equal(
                accesslog_check_consistency(old_size, &old_root, size, &old_root, proof, count),
                ACCESSLOG_BAD_PROOF);
            assert_int_equal(
                accesslog_check_consistency(size, &new_root, old_size, &old_root, proof, count),
                ACCESSLOG_BAD_PROOF);
        }
        struct accesslog_hash same = new_root;
        assert_int_equal(accesslog_check_consistency(size, &same, size, &new_root, NULL, 0),
                         ACCESSLOG_OK);
        assert_int_equal(accesslog_check_consistency(size, &same, size, &new_root, leaves, 1),
                         ACCESSLOG_BAD_PROOF);
        same.bytes[0] ^= 1;
        assert_int_equal(accesslog_check_consistency(size, &same, size, &new_root, NULL, 0),
                         ACCESSLOG_BAD_PROOF);
        assert_int_equal(accesslog_check_consistency(0, &same, size, &new_root, NULL, 0),
                         ACCESSLOG_OK);
        assert_int_equal(accesslog_check_consistency(0, &same, size, &new_root, leaves, 1),
                         ACCESSLOG_BAD_PROOF);
    }
    free(leaves);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inclusion_known), cmocka_unit_test(test_consistency_known),
        cmocka_unit_test(test_storage_random),  cmocka_unit_test(test_storage_refusals),
        cmocka_unit_test(test_false_inclusion), cmocka_unit_test(test_false_consistency),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
