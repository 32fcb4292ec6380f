// SPDX-License-Identifier: Apache-2.0
/* Tiles and entry bundles (C2SP tlog-tiles). */
#include "accesslog/internal.h"

#include <string.h>

#define TILE_LEVEL_MAX 7
/* The largest index that any tree of ours can have at level 0. */
#define TILE_INDEX_MAX (ACCESSLOG_SIZE_MAX / ACCESSLOG_TILE_WIDTH)

static bool level_is_valid(int level)
{
    return level == ACCESSLOG_TILE_ENTRIES || (level >= 0 && level <= TILE_LEVEL_MAX);
}

size_t accesslog_tile_width(int level, uint64_t index, uint64_t size)
{
    if (!level_is_valid(level) || size > ACCESSLOG_SIZE_MAX)
        return 0;
    uint64_t hashes = size >> (8 * (level < 0 ? 0 : level));
    if (index > hashes / ACCESSLOG_TILE_WIDTH)
        return 0;
    uint64_t width = hashes - index * ACCESSLOG_TILE_WIDTH;
    return width < ACCESSLOG_TILE_WIDTH ? (size_t)width : ACCESSLOG_TILE_WIDTH;
}

static void put_group(struct text_writer *w, unsigned group, bool last)
{
    const char digits[] = {'x', (char)('0' + group / 100), (char)('0' + group / 10 % 10),
                           (char)('0' + group % 10), '/'};
    if (last)
        text_put(w, digits + 1, 3);
    else
        text_put(w, digits, 5);
}

size_t accesslog_tile_path_format(int level, uint64_t index, size_t width, char *ret_path,
                                  size_t capacity)
{
    if (!level_is_valid(level) || index > TILE_INDEX_MAX || width == 0 ||
        width > ACCESSLOG_TILE_WIDTH)
        return 0;
    struct text_writer w;
    text_begin(&w, ret_path, capacity);
    text_put_string(&w, "tile/");
    if (level == ACCESSLOG_TILE_ENTRIES)
        text_put_string(&w, "entries");
    else
        text_put_decimal(&w, (uint64_t)level);
    text_put_char(&w, '/');
    uint64_t unit = 1;
    while (index / unit >= 1000)
        unit *= 1000;
    for (; unit != 0; unit /= 1000)
        put_group(&w, (unsigned)(index / unit % 1000), unit == 1);
    if (width != ACCESSLOG_TILE_WIDTH) {
        text_put_string(&w, ".p/");
        text_put_decimal(&w, width);
    }
    return text_end(&w);
}

static bool take_level(struct text_reader *r, int *ret_level)
{
    if (text_take_word(r, "entries/")) {
        *ret_level = ACCESSLOG_TILE_ENTRIES;
        return true;
    }
    if (r->end - r->at < 2 || r->at[0] < '0' || r->at[0] > '0' + TILE_LEVEL_MAX || r->at[1] != '/')
        return false;
    *ret_level = r->at[0] - '0';
    r->at += 2;
    return true;
}

static bool take_group(struct text_reader *r, uint64_t *index)
{
    if (r->end - r->at < 3)
        return false;
    uint64_t group = 0;
    for (unsigned i = 0; i < 3; i++) {
        if (r->at[i] < '0' || r->at[i] > '9')
            return false;
        group = group * 10 + (uint64_t)(r->at[i] - '0');
    }
    if (*index > (TILE_INDEX_MAX - group) / 1000)
        return false;
    *index = *index * 1000 + group;
    r->at += 3;
    return true;
}

/* Groups with x and the last without; the first of several is not 000. */
static bool take_index(struct text_reader *r, uint64_t *ret_index)
{
    uint64_t index = 0;
    while (text_take_word(r, "x")) {
        if (!take_group(r, &index) || index == 0 || !text_take_word(r, "/"))
            return false;
    }
    if (!take_group(r, &index))
        return false;
    *ret_index = index;
    return true;
}

enum accesslog_status accesslog_tile_path_parse(const char *path, size_t length, int *ret_level,
                                                uint64_t *ret_index, size_t *ret_width)
{
    struct text_reader r = text_read(path, length);
    int level;
    uint64_t index;
    uint64_t width = ACCESSLOG_TILE_WIDTH;
    if (!text_take_word(&r, "tile/") || !take_level(&r, &level) || !take_index(&r, &index))
        return ACCESSLOG_MALFORMED;
    if (text_take_word(&r, ".p/")) {
        if (!text_decimal(r.at, (size_t)(r.end - r.at), ACCESSLOG_TILE_WIDTH - 1, &width) ||
            width == 0)
            return ACCESSLOG_MALFORMED;
        r.at = r.end;
    }
    if (r.at != r.end)
        return ACCESSLOG_MALFORMED;
    *ret_level = level;
    *ret_index = index;
    *ret_width = (size_t)width;
    return ACCESSLOG_OK;
}

enum accesslog_status accesslog_tile_read(const struct accesslog_storage *storage, int level,
                                          uint64_t index, size_t width,
                                          struct accesslog_hash ret_hashes[ACCESSLOG_TILE_WIDTH])
{
    if (level < 0 || level > TILE_LEVEL_MAX || index > TILE_INDEX_MAX || width == 0 ||
        width > ACCESSLOG_TILE_WIDTH)
        return ACCESSLOG_BAD_INPUT;
    return storage->hashes(storage->context, 8 * (unsigned)level, index * ACCESSLOG_TILE_WIDTH,
                           width, ret_hashes);
}

size_t accesslog_bundle_put(const void *leaf, size_t leaf_bytes, uint8_t *ret_bundle,
                            size_t capacity)
{
    if (leaf_bytes > UINT16_MAX || capacity < 2 || leaf_bytes > capacity - 2)
        return 0;
    ret_bundle[0] = (uint8_t)(leaf_bytes >> 8);
    ret_bundle[1] = (uint8_t)(leaf_bytes & 0xff);
    if (leaf_bytes != 0)
        memcpy(ret_bundle + 2, leaf, leaf_bytes);
    return leaf_bytes + 2;
}

enum accesslog_status accesslog_bundle_next(const uint8_t *bundle, size_t bundle_bytes,
                                            size_t *offset, const uint8_t **ret_leaf,
                                            size_t *ret_leaf_bytes)
{
    if (*offset > bundle_bytes || bundle_bytes - *offset < 2)
        return ACCESSLOG_MALFORMED;
    const uint8_t *at = bundle + *offset;
    size_t bytes = (size_t)at[0] << 8 | at[1];
    if (bytes > bundle_bytes - *offset - 2)
        return ACCESSLOG_MALFORMED;
    *ret_leaf = at + 2;
    *ret_leaf_bytes = bytes;
    *offset += bytes + 2;
    return ACCESSLOG_OK;
}
