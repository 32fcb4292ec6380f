// SPDX-License-Identifier: Apache-2.0
#include "keeper/published.h"

#include <string.h>

static uint64_t hashes_at(uint64_t size, unsigned level)
{
    return size >> (8 * level);
}

static void note_width(struct published *published, unsigned level, unsigned width)
{
    published->widths[level][width / 8] |= (uint8_t)(1u << width % 8);
}

void published_set(struct published *published, uint64_t size, const char *note, int64_t now_ms)
{
    published->at_ms = now_ms;
    if (size <= published->size)
        return;
    for (unsigned level = 0; level < PUBLISHED_LEVELS; level++) {
        uint64_t hashes = hashes_at(size, level);
        /* The tile that was the last one is full by now. */
        if (hashes / ACCESSLOG_TILE_WIDTH !=
            hashes_at(published->size, level) / ACCESSLOG_TILE_WIDTH)
            memset(published->widths[level], 0, sizeof published->widths[level]);
        note_width(published, level, (unsigned)(hashes % ACCESSLOG_TILE_WIDTH));
    }
    published->size = size;
    (void)snprintf(published->note, sizeof published->note, "%s", note);
}

void published_add_width(struct published *published, int level, int width)
{
    if (level >= 0 && level < PUBLISHED_LEVELS && width > 0 && width < (int)ACCESSLOG_TILE_WIDTH)
        note_width(published, (unsigned)level, (unsigned)width);
}

bool published_has_tile(const struct published *published, int level, uint64_t index, size_t width)
{
    size_t shown = accesslog_tile_width(level, index, published->size);
    if (width == 0 || width > shown)
        return false;
    if (shown == ACCESSLOG_TILE_WIDTH || width == shown)
        return width == shown;
    const uint8_t *widths = published->widths[level < 0 ? 0 : level];
    return (widths[width / 8] >> width % 8 & 1) != 0;
}
