// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_PUBLISHED_H
#define KEEPER_PUBLISHED_H

/* What the public view of the log shows: the checkpoint that was published last and which tiles
 * there are for it. A new one comes once a minute, whatever happened in that minute: sizes by the
 * second would show when the police are busy. */

#include "keeper/chain.h"

#define PUBLISHED_LEVELS 8

/* A plain value. All zero: nothing was published. */
struct published {
    uint64_t size;
    char note[CHAIN_NOTE_ROOM];
    int64_t at_ms; /* monotonic */
    /* Of the last, incomplete tile of each level: a bit for each width that it had at a published
     * size. */
    uint8_t widths[PUBLISHED_LEVELS][ACCESSLOG_TILE_WIDTH / 8];
};

/* Makes that checkpoint the one that is shown. One that is not larger than the one before changes
 * nothing but the time: what is shown never goes back. */
void published_set(struct published *published, uint64_t size, const char *note, int64_t now_ms);

/* Notes that a tile of this width was shown before, as the database remembers it. Ignores what no
 * tile can be. */
void published_add_width(struct published *published, int level, int width);

/* Whether the view has this tile: a full one that lies in the published tree, or a partial one of
 * a published size while the full one is not there yet. level: as of accesslog_tile_width(). */
bool published_has_tile(const struct published *published, int level, uint64_t index, size_t width);

#endif
