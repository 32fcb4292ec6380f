// SPDX-License-Identifier: Apache-2.0
/* Receipts, witness requests, tile paths and bundles: what parses is written again to the same
 * bytes. The first byte chooses a proof of a small tree and how to spoil it: only the unspoilt
 * one may pass. */
#include "accesslog/accesslog.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define LEAVES 48u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct accesslog_hash leaves[LEAVES];
static struct accesslog_batch batch;

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void prepare(void)
{
    static bool ready;
    if (ready)
        return;
    const struct accesslog_tree empty = {.size = 0};
    check(sodium_init() >= 0);
    for (unsigned i = 0; i < LEAVES; i++)
        accesslog_leaf_hash(&i, sizeof i, &leaves[i]);
    check(accesslog_batch_append(&empty, leaves, LEAVES, &batch) == ACCESSLOG_OK);
    ready = true;
}

static void try_receipt(const char *text, size_t length)
{
    struct accesslog_receipt receipt;
    size_t room = length + 1;
    uint8_t *extra = malloc(room);
    char *again = malloc(room);
    check(extra != NULL && again != NULL);
    if (accesslog_receipt_parse(text, length, extra, room, &receipt) == ACCESSLOG_OK) {
        size_t written = accesslog_receipt_format(receipt.extra, receipt.extra_bytes, receipt.index,
                                                  receipt.path, receipt.path_count, receipt.note,
                                                  receipt.note_length, again, room);
        check(written == length && memcmp(again, text, length) == 0);
    }
    free(extra);
    free(again);
}

static void try_witness(const char *text, size_t length)
{
    struct accesslog_witness_request request;
    uint64_t held;
    (void)!accesslog_witness_conflict_parse(text, length, &held);
    if (accesslog_witness_parse(text, length, &request) != ACCESSLOG_OK)
        return;
    char *again = malloc(length + 1);
    check(again != NULL);
    size_t written = accesslog_witness_format(request.old_size, request.proof, request.proof_count,
                                              request.note, request.note_length, again, length + 1);
    check(written == length && memcmp(again, text, length) == 0);
    free(again);
}

static void try_tile(const char *text, size_t length)
{
    int level;
    uint64_t index;
    size_t width;
    if (accesslog_tile_path_parse(text, length, &level, &index, &width) == ACCESSLOG_OK) {
        char again[ACCESSLOG_TILE_PATH_MAX];
        size_t written = accesslog_tile_path_format(level, index, width, again, sizeof again);
        check(written == length && memcmp(again, text, length) == 0);
    }
    size_t offset = 0;
    const uint8_t *leaf;
    size_t leaf_bytes;
    while (accesslog_bundle_next((const uint8_t *)text, length, &offset, &leaf, &leaf_bytes) ==
           ACCESSLOG_OK)
        check(leaf + leaf_bytes == (const uint8_t *)text + offset);
}

/* data: ordinal, position, mask; then index, size and count changed by one byte each. */
static void try_spoilt(const uint8_t *data, size_t size)
{
    if (size < 6)
        return;
    size_t ordinal = data[0] % LEAVES;
    struct accesslog_hash path[ACCESSLOG_PROOF_MAX] = {{{0}}};
    size_t count = accesslog_batch_path(&batch, ordinal, path);
    path[data[1] / 32 % count].bytes[data[1] % 32] ^= data[2];
    uint64_t index = ordinal ^ data[3];
    size_t used = count ^ (data[4] & 7u);
    uint64_t tree_size = LEAVES + (uint64_t)(data[5] & 0x7f);
    enum accesslog_status status =
        accesslog_check_inclusion(index, tree_size, &leaves[ordinal], path, used, &batch.root);
    /* Of another size, a tree may have the same shape around another leaf: a proof binds the index
     * only together with the size, which is why a checkpoint signs both size and root. */
    if (status == ACCESSLOG_OK && tree_size == LEAVES)
        check(data[2] == 0 && data[3] == 0 && used == count);
    /* As a consistency proof the bytes may be anything at all. */
    struct accesslog_hash old_root = path[0];
    (void)!accesslog_check_consistency(index, &old_root, tree_size, &batch.root, path, used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    prepare();
    try_receipt((const char *)data, size);
    try_witness((const char *)data, size);
    try_tile((const char *)data, size);
    try_spoilt(data, size);
    return 0;
}
