// SPDX-License-Identifier: Apache-2.0
/* Tiles and entry bundles. */
#include "tests/unit/test_accesslog_support.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_tiles_known(void **state)
{
    (void)state;
    struct accesslog_hash *leaves = test_leaves(KAT_SIZE);
    struct test_memory memory = {.reads = 0};
    test_memory_fill(&memory, leaves, KAT_SIZE);
    struct accesslog_storage storage = test_memory_storage(&memory);
    const struct {
        int level;
        uint64_t index;
        size_t width;
        const char *path;
    } tiles[] = {
        {0, 0, 256, "tile/0/000"}, {0, 1, 44, "tile/0/001.p/44"}, {1, 0, 1, "tile/1/000.p/1"}};
    for (size_t i = 0; i < 3; i++) {
        char path[ACCESSLOG_TILE_PATH_MAX];
        assert_int_equal(accesslog_tile_width(tiles[i].level, tiles[i].index, KAT_SIZE),
                         tiles[i].width);
        assert_true(accesslog_tile_path_format(tiles[i].level, tiles[i].index, tiles[i].width, path,
                                               sizeof path) != 0);
        assert_string_equal(path, tiles[i].path);
        struct test_bytes want = test_kat(path);
        struct accesslog_hash hashes[ACCESSLOG_TILE_WIDTH];
        assert_int_equal(
            accesslog_tile_read(&storage, tiles[i].level, tiles[i].index, tiles[i].width, hashes),
            ACCESSLOG_OK);
        assert_int_equal(want.length, tiles[i].width * sizeof hashes[0]);
        assert_memory_equal(hashes, want.data, want.length);
        free(want.data);
    }
    struct accesslog_hash hashes[ACCESSLOG_TILE_WIDTH];
    assert_int_equal(accesslog_tile_read(&storage, ACCESSLOG_TILE_ENTRIES, 0, 1, hashes),
                     ACCESSLOG_BAD_INPUT);
    assert_int_equal(accesslog_tile_read(&storage, 8, 0, 1, hashes), ACCESSLOG_BAD_INPUT);
    assert_int_equal(accesslog_tile_read(&storage, 0, 0, 0, hashes), ACCESSLOG_BAD_INPUT);
    assert_int_equal(accesslog_tile_read(&storage, 0, 0, 257, hashes), ACCESSLOG_BAD_INPUT);
    assert_int_equal(accesslog_tile_read(&storage, 0, UINT64_MAX, 1, hashes), ACCESSLOG_BAD_INPUT);
    test_memory_free(&memory);
    free(leaves);
}

static void test_bundles_known(void **state)
{
    (void)state;
    for (unsigned index = 0; index < 2; index++) {
        char path[ACCESSLOG_TILE_PATH_MAX];
        size_t width = accesslog_tile_width(ACCESSLOG_TILE_ENTRIES, index, KAT_SIZE);
        assert_true(accesslog_tile_path_format(ACCESSLOG_TILE_ENTRIES, index, width, path,
                                               sizeof path) != 0);
        struct test_bytes want = test_kat(path);
        uint8_t bundle[8192];
        size_t length = 0;
        size_t offset = 0;
        for (size_t i = 0; i < width; i++) {
            char text[32];
            int bytes = snprintf(text, sizeof text, "entry %zu", 256 * index + i);
            length +=
                accesslog_bundle_put(text, (size_t)bytes, bundle + length, sizeof bundle - length);
            const uint8_t *leaf;
            size_t leaf_bytes;
            assert_int_equal(accesslog_bundle_next((const uint8_t *)want.data, want.length, &offset,
                                                   &leaf, &leaf_bytes),
                             ACCESSLOG_OK);
            assert_int_equal(leaf_bytes, bytes);
            assert_memory_equal(leaf, text, leaf_bytes);
        }
        assert_int_equal(offset, want.length);
        assert_int_equal(length, want.length);
        assert_memory_equal(bundle, want.data, length);
        free(want.data);
    }
}

static void test_bundle_bounds(void **state)
{
    (void)state;
    uint8_t bundle[8];
    assert_int_equal(accesslog_bundle_put("abc", 3, bundle, 4), 0);
    assert_int_equal(accesslog_bundle_put("abc", 3, bundle, 5), 5);
    assert_int_equal(accesslog_bundle_put("", 0, bundle + 5, 2), 2);
    assert_int_equal(accesslog_bundle_put("", 0, bundle, 1), 0);
    assert_int_equal(accesslog_bundle_put(bundle, 65536, bundle, 1 << 20), 0);
    const uint8_t *leaf;
    size_t bytes;
    for (size_t cut = 0; cut < 5; cut++) {
        size_t offset = 0;
        assert_int_equal(accesslog_bundle_next(bundle, cut, &offset, &leaf, &bytes),
                         ACCESSLOG_MALFORMED);
        assert_int_equal(offset, 0);
    }
    size_t offset = 5;
    assert_int_equal(accesslog_bundle_next(bundle, 7, &offset, &leaf, &bytes), ACCESSLOG_OK);
    assert_int_equal(bytes, 0);
    assert_int_equal(accesslog_bundle_next(bundle, 7, &offset, &leaf, &bytes), ACCESSLOG_MALFORMED);
    offset = 100;
    assert_int_equal(accesslog_bundle_next(bundle, 7, &offset, &leaf, &bytes), ACCESSLOG_MALFORMED);
}

static void test_tile_widths(void **state)
{
    (void)state;
    /* Size 70,000: 273 full tiles and 112; 1 full and 17; 1. */
    assert_int_equal(accesslog_tile_width(0, 272, 70000), 256);
    assert_int_equal(accesslog_tile_width(0, 273, 70000), 112);
    assert_int_equal(accesslog_tile_width(0, 274, 70000), 0);
    assert_int_equal(accesslog_tile_width(1, 0, 70000), 256);
    assert_int_equal(accesslog_tile_width(1, 1, 70000), 17);
    assert_int_equal(accesslog_tile_width(2, 0, 70000), 1);
    assert_int_equal(accesslog_tile_width(3, 0, 70000), 0);
    assert_int_equal(accesslog_tile_width(0, 1, 256), 0);
    assert_int_equal(accesslog_tile_width(0, 0, 0), 0);
    assert_int_equal(accesslog_tile_width(0, UINT64_MAX, 70000), 0);
    assert_int_equal(accesslog_tile_width(8, 0, 70000), 0);
    assert_int_equal(accesslog_tile_width(-2, 0, 70000), 0);
    assert_int_equal(accesslog_tile_width(0, 0, UINT64_MAX), 0);
    assert_int_equal(accesslog_tile_width(7, 0, ACCESSLOG_SIZE_MAX), 127);
}

static void test_tile_paths(void **state)
{
    (void)state;
    const struct {
        int level;
        uint64_t index;
        size_t width;
        const char *path;
    } good[] = {{0, 1234067, 256, "tile/0/x001/x234/067"},
                {0, 0, 1, "tile/0/000.p/1"},
                {7, 999, 255, "tile/7/999.p/255"},
                {1, 1000, 256, "tile/1/x001/000"},
                {0, 273, 112, "tile/0/273.p/112"},
                {ACCESSLOG_TILE_ENTRIES, 1000000, 3, "tile/entries/x001/x000/000.p/3"},
                {0, ACCESSLOG_SIZE_MAX / 256, 256, "tile/0/x036/x028/x797/x018/x963/967"}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char path[ACCESSLOG_TILE_PATH_MAX];
        size_t length = accesslog_tile_path_format(good[i].level, good[i].index, good[i].width,
                                                   path, sizeof path);
        assert_string_equal(path, good[i].path);
        assert_int_equal(length, strlen(path));
        int level;
        uint64_t index;
        size_t width;
        assert_int_equal(accesslog_tile_path_parse(path, length, &level, &index, &width),
                         ACCESSLOG_OK);
        assert_int_equal(level, good[i].level);
        assert_int_equal(index, good[i].index);
        assert_int_equal(width, good[i].width);
        for (size_t room = 0; room <= length; room++)
            assert_int_equal(
                accesslog_tile_path_format(good[i].level, good[i].index, good[i].width, path, room),
                0);
    }
    const char *const bad[] = {"",
                               "tile",
                               "tile/",
                               "tile/0",
                               "tile/0/",
                               "tile/0/0",
                               "tile/0/00",
                               "tile/0/0000",
                               "tile/8/000",
                               "tile/00/000",
                               "tile/-1/000",
                               "tile/x/000",
                               "tile/0/x000/000",
                               "tile/0/x001",
                               "tile/0/x001/",
                               "tile/0/001/000",
                               "tile/0/x001/x000",
                               "tile/0/000.p",
                               "tile/0/000.p/",
                               "tile/0/000.p/0",
                               "tile/0/000.p/01",
                               "tile/0/000.p/256",
                               "tile/0/000.p/1/",
                               "tile/0/000/",
                               "tile/0/000\n",
                               "/tile/0/000",
                               "tile/entries",
                               "tile/entries/",
                               "tile/0/x036/x028/x797/x018/x963/968",
                               "tile/0/x999/x999/x999/x999/x999/x999/x999/999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int level;
        uint64_t index;
        size_t width;
        if (accesslog_tile_path_parse(bad[i], strlen(bad[i]), &level, &index, &width) !=
            ACCESSLOG_MALFORMED)
            fail_msg("accepted: %s", bad[i]);
    }
    int level;
    uint64_t index;
    size_t width;
    assert_int_equal(accesslog_tile_path_parse(NULL, 0, &level, &index, &width),
                     ACCESSLOG_MALFORMED);
    char path[ACCESSLOG_TILE_PATH_MAX];
    assert_int_equal(accesslog_tile_path_format(0, 0, 0, path, sizeof path), 0);
    assert_int_equal(accesslog_tile_path_format(0, 0, 257, path, sizeof path), 0);
    assert_int_equal(accesslog_tile_path_format(8, 0, 1, path, sizeof path), 0);
    assert_int_equal(accesslog_tile_path_format(0, UINT64_MAX, 1, path, sizeof path), 0);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiles_known),   cmocka_unit_test(test_bundles_known),
        cmocka_unit_test(test_bundle_bounds), cmocka_unit_test(test_tile_widths),
        cmocka_unit_test(test_tile_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
