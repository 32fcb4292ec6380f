// SPDX-License-Identifier: Apache-2.0
#include "keeper/tile_read.h"

#include "api/log.h"
#include "keeper/limits.h"

#include <string.h>
#include <zlib.h>

static enum ct_status read_hashes(struct store *store, const struct tile_key *key,
                                  struct ct_buf *out, struct ct_error *err)
{
    struct accesslog_hash hashes[ACCESSLOG_TILE_WIDTH];
    struct api_log_reader reader = {.store = store,
                                    .deadline_ms =
                                        ct_mono_ms() + LIMIT_STATEMENT_MS + LIMIT_SILENCE_MS,
                                    .err = err};
    struct accesslog_storage storage = api_log_storage(&reader);
    if (accesslog_tile_read(&storage, key->level, key->index, key->width, hashes) != ACCESSLOG_OK) {
        if (err->text[0] == '\0')
            ct_error_set(err, "hashes of the log are missing");
        return store_alive(store) ? CT_DB : CT_DB_LOST;
    }
    for (unsigned i = 0; i < key->width; i++) {
        if (ct_buf_append(out, hashes[i].bytes, ACCESSLOG_HASH_BYTES) != CT_OK)
            return CT_NO_MEMORY;
    }
    return CT_OK;
}

/* One leaf of a bundle. False: the row is not that of entry `index`. */
static bool add_leaf(const struct store_result *rows, size_t row, uint64_t index,
                     struct ct_buf *out)
{
    struct accesslog_hash d_header;
    struct accesslog_hash d_subject;
    struct accesslog_hash leaf_hash;
    uint8_t leaf[ACCESSLOG_LEAF_BYTES];
    uint8_t element[ACCESSLOG_LEAF_BYTES + 2];
    size_t header_length;
    size_t salt_length;
    size_t subject_length;
    const uint8_t *header = store_get_bytes(rows, row, 1, &header_length);
    const uint8_t *salt = store_get_bytes(rows, row, 2, &salt_length);
    const uint8_t *subject = store_get_bytes(rows, row, 3, &subject_length);
    if (store_get_bigint(rows, row, 0) != (int64_t)index || header == NULL || salt == NULL ||
        subject == NULL || salt_length != ACCESSLOG_SALT_BYTES ||
        subject_length != ACCESSLOG_HASH_BYTES)
        return false;
    memcpy(d_subject.bytes, subject, subject_length);
    accesslog_entry_digest(salt, header, header_length, &d_header);
    accesslog_entry_leaf(&d_header, &d_subject, leaf, &leaf_hash);
    size_t length = accesslog_bundle_put(leaf, sizeof leaf, element, sizeof element);
    return ct_buf_append(out, element, length) == CT_OK;
}

static enum ct_status read_bundle(struct store *store, const struct tile_key *key,
                                  struct ct_buf *out, struct ct_error *err)
{
    uint64_t first = key->index * ACCESSLOG_TILE_WIDTH;
    struct store_params params;
    struct store_result *rows = NULL;
    store_params_init(&params);
    store_param_bigint(&params, (int64_t)first);
    store_param_int(&params, (int32_t)key->width);
    enum ct_status status = store_queue(store, API_SQL_log_leaves, &params);
    if (status == CT_OK)
        status =
            store_run(store, ct_mono_ms() + LIMIT_STATEMENT_MS + LIMIT_SILENCE_MS, &rows, 1, err);
    bool whole = status == CT_OK && store_rows(rows) == key->width;
    for (unsigned i = 0; whole && i < key->width; i++)
        whole = add_leaf(rows, i, first + i, out);
    if (status == CT_OK && !whole) {
        ct_error_set(err, "entries of the log are missing");
        status = CT_DB;
    }
    store_result_free(rows);
    store_params_free(&params);
    return status;
}

enum ct_status tile_read(struct store *store, const struct tile_key *key, struct ct_buf *out,
                         struct ct_error *err)
{
    return key->level == ACCESSLOG_TILE_ENTRIES ? read_bundle(store, key, out, err)
                                                : read_hashes(store, key, out, err);
}

enum ct_status tile_compress(const void *bytes, size_t length, struct ct_buf *out)
{
    uint8_t packed[TILE_BYTES_MAX];
    /* 16 more than the window: with gzip's header. Hashes hardly shrink, so little work is spent.
     */
    z_stream stream = {.next_in = (z_const Bytef *)bytes, .avail_in = (uInt)length};
    if (length > TILE_BYTES_MAX / 2 || deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED,
                                                    MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return CT_NO_MEMORY;
    stream.next_out = packed;
    stream.avail_out = sizeof packed;
    int end = deflate(&stream, Z_FINISH);
    size_t made = sizeof packed - stream.avail_out;
    (void)deflateEnd(&stream);
    return end == Z_STREAM_END ? ct_buf_append(out, packed, made) : CT_NO_MEMORY;
}
