// SPDX-License-Identifier: Apache-2.0
#ifndef CLI_LOG_SOURCE_H
#define CLI_LOG_SOURCE_H

/* Where the log's public view is read from: a folder, an HTTPS server, or a server with a folder
 * in which everything that was read is kept. */

#include "accesslog/accesslog.h"
#include "cli/cli.h"

struct log_source {
    const char *folder;                      /* NULL: none */
    const struct cli_connection *connection; /* its URL is the log's prefix; NULL: none */
};

/* What the folder or prefix is called in messages. */
const char *log_source_name(const struct log_source *source);

/* One thread's access to a source. */
struct log_reader;

/* Owner: *ret is the caller's, log_reader_close(). Errors: CT_BAD_INPUT (URL, key), CT_NO_MEMORY.
 */
enum ct_status log_reader_open(const struct log_source *source, struct log_reader **ret,
                               struct ct_error *err) CT_MUST_CHECK;
void log_reader_close(struct log_reader *reader);

/* Reads the checkpoint, from the server if there is one. ret: initialised.
 * Errors: CT_NOT_FOUND, CT_IO, CT_LIMIT, CT_NO_MEMORY. */
enum ct_status log_reader_checkpoint(struct log_reader *reader, struct ct_buf *ret,
                                     struct ct_error *err) CT_MUST_CHECK;

/* Reads the tile, or the entry bundle (level ACCESSLOG_TILE_ENTRIES), of that index in a tree of
 * `size` leaves. A tile that was partial at that size may be a full one by now.
 * ret: initialised, with room for any bundle; emptied first. ret_whole: it is the full tile.
 * Errors: as above. */
enum ct_status log_reader_tile(struct log_reader *reader, int level, uint64_t index, uint64_t size,
                               struct ct_buf *ret, bool *ret_whole,
                               struct ct_error *err) CT_MUST_CHECK;

/* The hashes of level 0 and of the tiles above, for proofs; the size is that of the tree. */
struct log_reader_hashes {
    struct log_reader *reader;
    uint64_t size;
    struct ct_error err; /* of the last failure */
};
struct accesslog_storage log_reader_stored(struct log_reader_hashes *hashes);

#define LOG_SOURCE_BUNDLE_MAX (ACCESSLOG_TILE_WIDTH * (2u + 65535u))

#endif
