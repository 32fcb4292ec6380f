// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/test_accesslog_support.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test_bytes test_kat(const char *name)
{
    const char *top = getenv("srcdir");
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/tests/data/kat/log300/%s", top == NULL ? "." : top, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("cannot open %s", path);
    struct test_bytes bytes = {.data = malloc(1 << 20)};
    assert_non_null(bytes.data);
    bytes.length = fread(bytes.data, 1, (1 << 20) - 1, file);
    bytes.data[bytes.length] = '\0';
    assert_false(ferror(file) != 0 || bytes.length == 0);
    (void)fclose(file);
    return bytes;
}

struct accesslog_hash test_hash(const char *base64)
{
    struct accesslog_hash hash;
    size_t count;
    assert_int_equal(sodium_base642bin(hash.bytes, sizeof hash.bytes, base64, strlen(base64), NULL,
                                       &count, NULL, sodium_base64_VARIANT_ORIGINAL),
                     0);
    assert_int_equal(count, sizeof hash.bytes);
    return hash;
}

void test_kat_keys(struct accesslog_verifier ret_keys[2])
{
    struct test_bytes text = test_kat("vkeys.txt");
    const char *line = text.data;
    for (unsigned i = 0; i < 2; i++) {
        size_t length = strcspn(line, "\n");
        assert_int_equal(accesslog_verifier_parse(line, length, &ret_keys[i]), ACCESSLOG_OK);
        line += length + 1;
    }
    free(text.data);
}

struct accesslog_hash *test_leaves(size_t count)
{
    struct accesslog_hash *leaves = calloc(count, sizeof *leaves);
    assert_non_null(leaves);
    for (size_t i = 0; i < count; i++) {
        char text[32];
        int length = snprintf(text, sizeof text, "entry %zu", i);
        accesslog_leaf_hash(text, (size_t)length, &leaves[i]);
    }
    return leaves;
}

void test_assert_hash(const struct accesslog_hash *got, const struct accesslog_hash *want)
{
    assert_memory_equal(got->bytes, want->bytes, sizeof want->bytes);
}

void test_assert_path(const struct accesslog_hash *got, size_t got_count,
                      const struct accesslog_hash *want, size_t want_count)
{
    assert_int_equal(got_count, want_count);
    for (size_t i = 0; i < want_count; i++)
        test_assert_hash(&got[i], &want[i]);
}

/* ---- definitions ---- */

static uint64_t split(uint64_t width)
{
    uint64_t k = 1;
    while (2 * k < width)
        k *= 2;
    return k;
}

struct accesslog_hash ref_root(const struct accesslog_hash *leaves, uint64_t lo, uint64_t hi)
{
    if (hi - lo == 1)
        return leaves[lo];
    uint64_t k = split(hi - lo);
    struct accesslog_hash left = ref_root(leaves, lo, lo + k);
    struct accesslog_hash right = ref_root(leaves, lo + k, hi);
    accesslog_node_hash(&left, &right, &left);
    return left;
}

size_t ref_path(const struct accesslog_hash *leaves, uint64_t m, uint64_t lo, uint64_t hi,
                struct accesslog_hash *ret_path)
{
    if (hi - lo == 1)
        return 0;
    uint64_t k = split(hi - lo);
    size_t count;
    if (m < k) {
        count = ref_path(leaves, m, lo, lo + k, ret_path);
        ret_path[count] = ref_root(leaves, lo + k, hi);
    } else {
        count = ref_path(leaves, m - k, lo + k, hi, ret_path);
        ret_path[count] = ref_root(leaves, lo, lo + k);
    }
    return count + 1;
}

static size_t sub_proof(const struct accesslog_hash *leaves, uint64_t m, uint64_t lo, uint64_t hi,
                        bool whole, struct accesslog_hash *ret_proof)
{
    if (m == hi - lo) {
        if (!whole)
            ret_proof[0] = ref_root(leaves, lo, hi);
        return whole ? 0 : 1;
    }
    uint64_t k = split(hi - lo);
    size_t count;
    if (m <= k) {
        count = sub_proof(leaves, m, lo, lo + k, whole, ret_proof);
        ret_proof[count] = ref_root(leaves, lo + k, hi);
    } else {
        count = sub_proof(leaves, m - k, lo + k, hi, false, ret_proof);
        ret_proof[count] = ref_root(leaves, lo, lo + k);
    }
    return count + 1;
}

size_t ref_consistency(const struct accesslog_hash *leaves, uint64_t m, uint64_t n,
                       struct accesslog_hash *ret_proof)
{
    return sub_proof(leaves, m, 0, n, true, ret_proof);
}

/* ---- storage ---- */

void test_memory_add(struct test_memory *memory, unsigned level, uint64_t index,
                     const struct accesslog_hash *hash)
{
    assert_true(level % 8 == 0 && level / 8 < MEMORY_LEVELS);
    unsigned k = level / 8;
    assert_int_equal(memory->counts[k], index);
    /* Doubles at powers of two. */
    if ((index & (index - 1)) == 0 || index == 0) {
        size_t room = index == 0 ? 1 : 2 * (size_t)index;
        memory->levels[k] = realloc(memory->levels[k], room * sizeof *hash);
        assert_non_null(memory->levels[k]);
    }
    memory->levels[k][memory->counts[k]++] = *hash;
}

void test_memory_fill(struct test_memory *memory, const struct accesslog_hash *leaves, size_t count)
{
    for (size_t i = 0; i < count; i++)
        test_memory_add(memory, 0, i, &leaves[i]);
    for (unsigned level = 8; level < 8 * MEMORY_LEVELS; level += 8) {
        const struct accesslog_hash *below = memory->levels[level / 8 - 1];
        for (size_t i = 0; i < memory->counts[level / 8 - 1] / 256; i++) {
            struct accesslog_hash hash = ref_root(below, 256 * i, 256 * i + 256);
            test_memory_add(memory, level, i, &hash);
        }
    }
}

void test_memory_free(struct test_memory *memory)
{
    for (unsigned k = 0; k < MEMORY_LEVELS; k++)
        free(memory->levels[k]);
}

static enum accesslog_status memory_hashes(void *context, unsigned level, uint64_t first,
                                           size_t count, struct accesslog_hash *ret_hashes)
{
    struct test_memory *memory = context;
    memory->reads++;
    if (memory->reads == memory->fail_at)
        return ACCESSLOG_STORAGE;
    assert_true(level % 8 == 0 && level / 8 < MEMORY_LEVELS);
    assert_true(count >= 1 && count <= 256);
    assert_true(first + count <= memory->counts[level / 8]);
    memcpy(ret_hashes, memory->levels[level / 8] + first, count * sizeof *ret_hashes);
    return ACCESSLOG_OK;
}

struct accesslog_storage test_memory_storage(struct test_memory *memory)
{
    return (struct accesslog_storage){memory_hashes, memory};
}

uint64_t test_random(uint64_t *state)
{
    /* xorshift64* */
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}
