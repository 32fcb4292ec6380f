// SPDX-License-Identifier: Apache-2.0
#include "keeper/tile_cache.h"

#include <stdlib.h>
#include <string.h>

#define BYTES_PER_BUCKET 8192u /* about one full tile each */
#define BUCKETS_MAX (1u << 17)

enum ct_status tile_cache_init(struct tile_cache *cache, size_t bytes_max)
{
    *cache = (struct tile_cache){.bytes_max = bytes_max};
    cache->bucket_count = bytes_max / BYTES_PER_BUCKET + 1;
    if (cache->bucket_count > BUCKETS_MAX)
        cache->bucket_count = BUCKETS_MAX;
    cache->buckets = calloc(cache->bucket_count, sizeof(struct tile_item *));
    return cache->buckets == NULL ? CT_NO_MEMORY : CT_OK;
}

void tile_cache_free(struct tile_cache *cache)
{
    while (cache->newest != NULL) {
        struct tile_item *item = cache->newest;
        cache->newest = item->older;
        free(item);
    }
    free(cache->buckets);
    *cache = (struct tile_cache){0};
}

static struct tile_item **bucket_of(struct tile_cache *cache, const struct tile_key *key)
{
    uint64_t hash = key->index * UINT64_C(0x9e3779b97f4a7c15);
    hash += (uint64_t)(key->level + 1) * 7919 + (uint64_t)key->width * 104729 + (key->gzip ? 1 : 0);
    hash ^= hash >> 29;
    return &cache->buckets[hash % cache->bucket_count];
}

static bool is_same(const struct tile_key *a, const struct tile_key *b)
{
    return a->level == b->level && a->index == b->index && a->width == b->width &&
           a->gzip == b->gzip;
}

static void unlink_use(struct tile_cache *cache, struct tile_item *item)
{
    if (item->newer != NULL)
        item->newer->older = item->older;
    else
        cache->newest = item->older;
    if (item->older != NULL)
        item->older->newer = item->newer;
    else
        cache->oldest = item->newer;
}

static void link_newest(struct tile_cache *cache, struct tile_item *item)
{
    item->newer = NULL;
    item->older = cache->newest;
    if (cache->newest != NULL)
        cache->newest->newer = item;
    else
        cache->oldest = item;
    cache->newest = item;
}

const struct tile_item *tile_cache_find(struct tile_cache *cache, const struct tile_key *key)
{
    struct tile_item *item = *bucket_of(cache, key);
    while (item != NULL && !is_same(&item->key, key))
        item = item->next_in_bucket;
    if (item != NULL) {
        unlink_use(cache, item);
        link_newest(cache, item);
    }
    return item;
}

static void give_up_oldest(struct tile_cache *cache)
{
    struct tile_item *item = cache->oldest;
    struct tile_item **at = bucket_of(cache, &item->key);
    while (*at != item)
        at = &(*at)->next_in_bucket;
    *at = item->next_in_bucket;
    unlink_use(cache, item);
    cache->bytes -= sizeof *item + item->length;
    free(item);
}

void tile_cache_put(struct tile_cache *cache, const struct tile_key *key, const void *bytes,
                    size_t length)
{
    size_t need = sizeof(struct tile_item) + length;
    if (need > cache->bytes_max)
        return;
    while (cache->bytes + need > cache->bytes_max)
        give_up_oldest(cache);
    struct tile_item *item = malloc(need);
    if (item == NULL)
        return;
    item->key = *key;
    item->length = length;
    memcpy(item->bytes, bytes, length);
    struct tile_item **bucket = bucket_of(cache, key);
    item->next_in_bucket = *bucket;
    *bucket = item;
    link_newest(cache, item);
    cache->bytes += need;
}
