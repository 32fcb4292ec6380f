// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_TILE_CACHE_H
#define KEEPER_TILE_CACHE_H

/* Tiles in memory, bounded in bytes; what was not asked for the longest goes first. Rows of the log
 * never change, so what is in it stays right. One thread. */

#include "base/base.h"

struct tile_key {
    int level; /* ACCESSLOG_TILE_ENTRIES for an entry bundle */
    uint64_t index;
    unsigned width; /* hashes or leaves */
    bool gzip;
};

struct tile_item {
    struct tile_key key;
    struct tile_item *next_in_bucket;
    struct tile_item *newer;
    struct tile_item *older;
    size_t length;
    uint8_t bytes[];
};

struct tile_cache {
    size_t bytes_max;
    size_t bytes; /* of all items, with what they cost beside their content */
    size_t bucket_count;
    struct tile_item **buckets;
    struct tile_item *newest;
    struct tile_item *oldest;
};

/* bytes_max: 0 keeps nothing. Owner: tile_cache_free(). Errors: CT_NO_MEMORY. */
enum ct_status tile_cache_init(struct tile_cache *cache, size_t bytes_max) CT_MUST_CHECK;
/* All zero is safe. */
void tile_cache_free(struct tile_cache *cache);

/* The item of that key, or NULL. It is the cache's, good until the next call of tile_cache_put().
 */
const struct tile_item *tile_cache_find(struct tile_cache *cache, const struct tile_key *key);

/* Copies a tile, giving up others for it. One that is too large by itself, or for which there is no
 * memory, is not kept. Its key must not be in the cache. */
void tile_cache_put(struct tile_cache *cache, const struct tile_key *key, const void *bytes,
                    size_t length);

#endif
