// SPDX-License-Identifier: Apache-2.0
#include "keeper/published.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define ENTRIES ACCESSLOG_TILE_ENTRIES

static void test_nothing_is_published(void **state)
{
    (void)state;
    struct published published = {0};
    for (int level = ENTRIES; level < PUBLISHED_LEVELS; level++) {
        for (size_t width = 0; width <= ACCESSLOG_TILE_WIDTH; width++)
            assert_false(published_has_tile(&published, level, 0, width));
    }
}

/* All tiles of one size, and nothing else: whatever is there follows from what the tree has. */
static void check_only(uint64_t size)
{
    struct published published = {0};
    published_set(&published, size, "note", 5);
    assert_string_equal(published.note, "note");
    for (int level = ENTRIES; level < PUBLISHED_LEVELS; level++) {
        uint64_t hashes = size >> (8 * (level < 0 ? 0 : level));
        for (uint64_t back = 0; back < 4; back++) {
            uint64_t index = hashes / 256 + 1 - back;
            for (size_t width = 0; width <= 257 && back <= hashes / 256 + 1; width++) {
                size_t has = index < hashes / 256 ? 256 : index == hashes / 256 ? hashes % 256 : 0;
                assert_int_equal(published_has_tile(&published, level, index, width),
                                 has > 0 && width == has);
            }
        }
    }
}

static void test_one_size(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {
        1, 255, 256, 257, 65535, 65536, 65537, 70000, 16777216, 16842752, UINT64_C(1) << 40};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        check_only(sizes[i]);
}

static void test_widths_live_until_the_tile_is_full(void **state)
{
    (void)state;
    struct published published = {0};
    published_set(&published, 10, "a", 0);
    published_set(&published, 200, "b", 0);
    assert_true(published_has_tile(&published, 0, 0, 10));
    assert_true(published_has_tile(&published, ENTRIES, 0, 10));
    assert_true(published_has_tile(&published, 0, 0, 200));
    assert_false(published_has_tile(&published, 0, 0, 100));
    published_set(&published, 300, "c", 0);
    assert_false(published_has_tile(&published, 0, 0, 10));
    assert_false(published_has_tile(&published, 0, 0, 200));
    assert_true(published_has_tile(&published, 0, 0, 256));
    assert_true(published_has_tile(&published, 0, 1, 44));
    assert_false(published_has_tile(&published, 0, 1, 10)); /* of the tile before */
    assert_true(published_has_tile(&published, 1, 0, 1));
    published_set(&published, 3 * 256, "d", 0);
    assert_true(published_has_tile(&published, 1, 0, 1)); /* the same tile at level 1 */
    assert_true(published_has_tile(&published, 1, 0, 3));
    assert_false(published_has_tile(&published, 1, 0, 2)); /* that size was not published */
}

static void test_never_back(void **state)
{
    (void)state;
    struct published published = {0};
    published_set(&published, 300, "new", 1);
    published_set(&published, 299, "old", 2);
    published_set(&published, 300, "again", 3);
    assert_int_equal(published.size, 300);
    assert_string_equal(published.note, "new");
    assert_int_equal(published.at_ms, 3);
    assert_false(published_has_tile(&published, 0, 1, 43));
}

static void test_widths_from_elsewhere(void **state)
{
    (void)state;
    struct published published = {0};
    published_set(&published, 300, "a", 0);
    published_add_width(&published, 0, 7);
    assert_true(published_has_tile(&published, 0, 1, 7));
    assert_true(published_has_tile(&published, ENTRIES, 1, 7));
    static const int wrong[][2] = {{-1, 7}, {8, 7}, {0, 0}, {0, -1}, {0, 256}, {0, 10000}};
    struct published before = published;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        published_add_width(&published, wrong[i][0], wrong[i][1]);
    assert_memory_equal(&published, &before, sizeof before);
    /* One that is wider than what is shown is not shown. */
    published_add_width(&published, 0, 200);
    assert_false(published_has_tile(&published, 0, 1, 200));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_published),
        cmocka_unit_test(test_one_size),
        cmocka_unit_test(test_widths_live_until_the_tile_is_full),
        cmocka_unit_test(test_never_back),
        cmocka_unit_test(test_widths_from_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
