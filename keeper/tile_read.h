// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_TILE_READ_H
#define KEEPER_TILE_READ_H

/* Tiles out of the log's rows. */

#include "keeper/tile_cache.h"
#include "store/store.h"

#define TILE_BYTES_MAX 65536u /* of one tile or bundle, compressed or not */

/* Reads one tile, or makes one entry bundle of the headers, salts and digests of its entries.
 * key:     must be of a tile that the committed log has.
 * out:     the tile is appended.
 * Errors:  CT_DB (also when rows are missing or are not what they should be), CT_DB_LOST,
 *          CT_NO_MEMORY; out is then to be thrown away. */
enum ct_status tile_read(struct store *store, const struct tile_key *key, struct ct_buf *out,
                         struct ct_error *err) CT_MUST_CHECK;

/* Appends the same bytes as gzip writes them. Errors: CT_NO_MEMORY. */
enum ct_status tile_compress(const void *bytes, size_t length, struct ct_buf *out) CT_MUST_CHECK;

#endif
