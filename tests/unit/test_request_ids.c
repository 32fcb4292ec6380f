// SPDX-License-Identifier: Apache-2.0
#include "server/request_ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#define COUNT 100000

static int compare(const void *a, const void *b)
{
    const uint64_t *left = a;
    const uint64_t *right = b;
    return *left < *right ? -1 : *left > *right;
}

static void test_no_repetition(void **state)
{
    (void)state;
    struct request_ids ids;
    uint64_t *seen = calloc(COUNT, sizeof *seen);
    assert_non_null(seen);
    assert_int_equal(request_ids_init(&ids), 0);
    for (size_t i = 0; i < COUNT; i++)
        seen[i] = request_ids_next(&ids);
    qsort(seen, COUNT, sizeof *seen, compare);
    for (size_t i = 1; i < COUNT; i++)
        assert_true(seen[i - 1] != seen[i]);
    free(seen);
}

/* Neighbours differ in about half of their bits, and every bit changes. */
static void test_no_order(void **state)
{
    (void)state;
    const uint64_t key[2] = {1, 2};
    uint64_t all = 0;
    unsigned bits = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t change = request_ids_permute(key, i) ^ request_ids_permute(key, i + 1);
        all |= change;
        bits += (unsigned)__builtin_popcountll(change);
    }
    assert_true(all == UINT64_MAX);
    assert_in_range(bits, 31000, 33000);
}

static void test_keys_differ(void **state)
{
    (void)state;
    const uint64_t one[2] = {1, 2};
    const uint64_t other[2] = {1, 3};
    struct request_ids first;
    struct request_ids second;
    assert_true(request_ids_permute(one, 0) != request_ids_permute(other, 0));
    assert_true(request_ids_permute(one, 0) == request_ids_permute(one, 0));
    assert_int_equal(request_ids_init(&first), 0);
    assert_int_equal(request_ids_init(&second), 0);
    assert_true(request_ids_next(&first) != request_ids_next(&second));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_repetition),
        cmocka_unit_test(test_no_order),
        cmocka_unit_test(test_keys_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
