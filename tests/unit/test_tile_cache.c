// SPDX-License-Identifier: Apache-2.0
#include "keeper/tile_cache.h"

#include "accesslog/accesslog.h"
#include "keeper/tile_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <cmocka.h>

#define TILE 8192u
#define COST (TILE + sizeof(struct tile_item))

static struct tile_key key_of(uint64_t index)
{
    return (struct tile_key){.level = 0, .index = index, .width = 256};
}

static void put(struct tile_cache *cache, uint64_t index)
{
    static uint8_t bytes[TILE];
    struct tile_key key = key_of(index);
    memset(bytes, (int)index, sizeof bytes);
    tile_cache_put(cache, &key, bytes, sizeof bytes);
    assert_true(cache->bytes <= cache->bytes_max);
}

static bool has(struct tile_cache *cache, uint64_t index)
{
    struct tile_key key = key_of(index);
    const struct tile_item *item = tile_cache_find(cache, &key);
    if (item != NULL) {
        assert_int_equal(item->length, TILE);
        assert_int_equal(item->bytes[0], (uint8_t)index);
        assert_int_equal(item->bytes[TILE - 1], (uint8_t)index);
    }
    return item != NULL;
}

static void test_bound_and_order(void **state)
{
    (void)state;
    struct tile_cache cache;
    assert_int_equal(tile_cache_init(&cache, 3 * COST), CT_OK);
    for (uint64_t i = 0; i < 3; i++)
        put(&cache, i);
    assert_int_equal(cache.bytes, 3 * COST);
    assert_true(has(&cache, 0)); /* used last: 1 is the oldest now */
    put(&cache, 3);
    assert_false(has(&cache, 1));
    assert_true(has(&cache, 2) && has(&cache, 3) && has(&cache, 0));
    put(&cache, 4);
    assert_false(has(&cache, 2));
    for (uint64_t i = 5; i < 2000; i++)
        put(&cache, i);
    assert_int_equal(cache.bytes, 3 * COST);
    assert_true(has(&cache, 1999) && has(&cache, 1998) && has(&cache, 1997));
    tile_cache_free(&cache);
    tile_cache_free(&cache);
}

static void test_keys_differ_in_each_part(void **state)
{
    (void)state;
    struct tile_cache cache;
    const struct tile_key keys[] = {
        {.level = 0, .index = 1, .width = 256},
        {.level = 1, .index = 1, .width = 256},
        {.level = ACCESSLOG_TILE_ENTRIES, .index = 1, .width = 256},
        {.level = ACCESSLOG_TILE_ENTRIES, .index = 1, .width = 256, .gzip = true},
        {.level = 0, .index = 2, .width = 256},
        {.level = 0, .index = 1, .width = 255},
        {.level = 0, .index = UINT64_C(1) << 40, .width = 256},
    };
    assert_int_equal(tile_cache_init(&cache, 1u << 20), CT_OK);
    for (size_t i = 0; i < CT_ARRAY_LENGTH(keys); i++) {
        uint8_t byte = (uint8_t)i;
        assert_null(tile_cache_find(&cache, &keys[i]));
        tile_cache_put(&cache, &keys[i], &byte, 1);
    }
    for (size_t i = 0; i < CT_ARRAY_LENGTH(keys); i++)
        assert_int_equal(tile_cache_find(&cache, &keys[i])->bytes[0], i);
    tile_cache_free(&cache);
}

static void test_what_does_not_fit(void **state)
{
    (void)state;
    struct tile_cache cache;
    static const size_t bounds[] = {0, 1, COST - 1};
    for (size_t i = 0; i < CT_ARRAY_LENGTH(bounds); i++) {
        assert_int_equal(tile_cache_init(&cache, bounds[i]), CT_OK);
        put(&cache, 1);
        assert_false(has(&cache, 1));
        assert_int_equal(cache.bytes, 0);
        tile_cache_free(&cache);
    }
}

static void test_compressed(void **state)
{
    (void)state;
    static uint8_t plain[8960];
    static uint8_t back[sizeof plain + 1];
    struct ct_buf packed;
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)((seed = seed * 1103515245u + 12345u) >> 16);
    static const size_t lengths[] = {0, 1, 35, sizeof plain};
    for (size_t i = 0; i < CT_ARRAY_LENGTH(lengths); i++) {
        ct_buf_init(&packed, TILE_BYTES_MAX);
        assert_int_equal(tile_compress(plain, lengths[i], &packed), CT_OK);
        z_stream stream = {.next_in = packed.data, .avail_in = (uInt)packed.length};
        assert_int_equal(inflateInit2(&stream, MAX_WBITS + 16), Z_OK); /* gzip's header, no other */
        stream.next_out = back;
        stream.avail_out = sizeof back;
        assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
        assert_int_equal(sizeof back - stream.avail_out, lengths[i]);
        assert_memory_equal(back, plain, lengths[i]);
        assert_int_equal(inflateEnd(&stream), Z_OK);
        ct_buf_free(&packed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound_and_order),
        cmocka_unit_test(test_keys_differ_in_each_part),
        cmocka_unit_test(test_what_does_not_fit),
        cmocka_unit_test(test_compressed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
