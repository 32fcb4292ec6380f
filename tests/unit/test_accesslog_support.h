// SPDX-License-Identifier: Apache-2.0
/* What the tests of the log share: known answers, a storage in memory, and the definitions of
 * RFC 9162 written down as they stand, recursively, to compare with. */
#ifndef TEST_ACCESSLOG_SUPPORT_H
#define TEST_ACCESSLOG_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "accesslog/accesslog.h"

#define KAT_SIZE 300u

struct test_bytes {
    char *data; /* with a NUL behind it; free() */
    size_t length;
};

/* Reads tests/data/kat/log300/<name>; fails the test if it cannot. */
struct test_bytes test_kat(const char *name);

/* Standard base64 of a hash; fails the test on anything else. */
struct accesslog_hash test_hash(const char *base64);

/* The two keys of the known answers: the log's, then the witness's. */
void test_kat_keys(struct accesslog_verifier ret_keys[2]);

/* Leaf hashes of `entry 0`, `entry 1` …; free(). */
struct accesslog_hash *test_leaves(size_t count);

void test_assert_hash(const struct accesslog_hash *got, const struct accesslog_hash *want);

void test_assert_path(const struct accesslog_hash *got, size_t got_count,
                      const struct accesslog_hash *want, size_t want_count);

/* ---- definitions, over [lo, hi) of the leaves ---- */

struct accesslog_hash ref_root(const struct accesslog_hash *leaves, uint64_t lo, uint64_t hi);
size_t ref_path(const struct accesslog_hash *leaves, uint64_t m, uint64_t lo, uint64_t hi,
                struct accesslog_hash *ret_path);
size_t ref_consistency(const struct accesslog_hash *leaves, uint64_t m, uint64_t n,
                       struct accesslog_hash *ret_proof);

/* ---- storage ---- */

#define MEMORY_LEVELS 8

/* Level 8k in levels[k]; counts what is read. */
struct test_memory {
    struct accesslog_hash *levels[MEMORY_LEVELS];
    size_t counts[MEMORY_LEVELS];
    size_t reads;
    size_t fail_at; /* the read that fails, from 1; 0 for none */
};

/* All levels of a log with these leaves. */
void test_memory_fill(struct test_memory *memory, const struct accesslog_hash *leaves,
                      size_t count);
/* Adds one row at the end of a level. */
void test_memory_add(struct test_memory *memory, unsigned level, uint64_t index,
                     const struct accesslog_hash *hash);
void test_memory_free(struct test_memory *memory);
struct accesslog_storage test_memory_storage(struct test_memory *memory);

/* A small generator that gives the same numbers everywhere. */
uint64_t test_random(uint64_t *state);

#endif
