// SPDX-License-Identifier: Apache-2.0
/* Receipts and witness requests. */
#include "tests/unit/test_accesslog_support.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH "kqU9VQzYSD4/Mj+8AIMv4Xox6pO10zHnVpIza7PYuzo=\n"
#define START "c2sp.org/tlog-proof@v1\n"

/* ---- receipts ---- */

static void test_receipt_known(void **state)
{
    (void)state;
    struct test_bytes text = test_kat("receipt.tlog-proof");
    struct accesslog_verifier keys[2];
    test_kat_keys(keys);
    struct accesslog_hash *leaves = test_leaves(KAT_SIZE);
    struct accesslog_receipt receipt;
    uint8_t extra[16];
    assert_int_equal(accesslog_receipt_parse(text.data, text.length, extra, sizeof extra, &receipt),
                     ACCESSLOG_OK);
    assert_int_equal(receipt.extra_bytes, 4);
    assert_memory_equal(receipt.extra, "demo", 4);
    assert_int_equal(receipt.index, 100);
    struct accesslog_hash want[ACCESSLOG_PROOF_MAX];
    test_assert_path(receipt.path, receipt.path_count, want,
                     ref_path(leaves, 100, 0, KAT_SIZE, want));
    struct accesslog_checkpoint checkpoint;
    struct accesslog_signed results[2];
    assert_int_equal(accesslog_receipt_check(&receipt, &leaves[100], keys, 2, &checkpoint, results),
                     ACCESSLOG_OK);
    assert_int_equal(checkpoint.size, KAT_SIZE);
    assert_true(results[0].valid && results[1].valid);
    assert_int_equal(accesslog_receipt_check(&receipt, &leaves[100], keys, 1, NULL, NULL),
                     ACCESSLOG_OK);
    /* Written again, it is the same text. */
    size_t room = ACCESSLOG_RECEIPT_ROOM(receipt.extra_bytes, receipt.note_length);
    char *again = malloc(room);
    assert_non_null(again);
    assert_int_equal(accesslog_receipt_format(receipt.extra, receipt.extra_bytes, receipt.index,
                                              receipt.path, receipt.path_count, receipt.note,
                                              receipt.note_length, again, room),
                     text.length);
    assert_string_equal(again, text.data);
    assert_int_equal(accesslog_receipt_format(receipt.extra, receipt.extra_bytes, receipt.index,
                                              receipt.path, receipt.path_count, receipt.note,
                                              receipt.note_length, again, text.length),
                     0);
    free(again);
    /* Another leaf, another index, a path cut short, an unknown log, a changed checkpoint. */
    assert_int_equal(accesslog_receipt_check(&receipt, &leaves[101], keys, 2, NULL, NULL),
                     ACCESSLOG_BAD_PROOF);
    assert_int_equal(accesslog_receipt_check(&receipt, &leaves[100], &keys[1], 1, NULL, NULL),
                     ACCESSLOG_UNKNOWN_KEY);
    receipt.index = 101;
    assert_int_equal(accesslog_receipt_check(&receipt, &leaves[100], keys, 2, NULL, NULL),
                     ACCESSLOG_BAD_PROOF);
    receipt.index = 100;
    receipt.path_count--;
    assert_int_equal(accesslog_receipt_check(&receipt, &leaves[100], keys, 2, NULL, NULL),
                     ACCESSLOG_BAD_PROOF);
    receipt.path_count++;
    *(strstr(text.data, "\n300\n") + 1) = '4';
    assert_int_equal(accesslog_receipt_check(&receipt, &leaves[100], keys, 2, NULL, NULL),
                     ACCESSLOG_BAD_SIGNATURE);
    free(text.data);
    free(leaves);
}

/* Every bit of a receipt but those that name the witness's key or hold the extra: refused. */
static void test_receipt_every_bit(void **state)
{
    (void)state;
    struct test_bytes text = test_kat("receipt.tlog-proof");
    struct accesslog_verifier keys[2];
    test_kat_keys(keys);
    struct accesslog_hash *leaves = test_leaves(101);
    size_t extra_at = (size_t)(strstr(text.data, "ZGVtbw") - text.data);
    size_t cosigned = (size_t)(strstr(text.data, "\xe2\x80\x94 witness") - text.data);
    for (size_t i = 0; i < 8 * text.length; i++) {
        text.data[i / 8] = (char)(text.data[i / 8] ^ (1 << i % 8));
        struct accesslog_receipt receipt;
        uint8_t extra[16];
        enum accesslog_status status =
            accesslog_receipt_parse(text.data, text.length, extra, sizeof extra, &receipt);
        if (status == ACCESSLOG_OK)
            status = accesslog_receipt_check(&receipt, &leaves[100], keys, 2, NULL, NULL);
        if (status == ACCESSLOG_OK)
            assert_true((i / 8 >= extra_at && i / 8 < extra_at + 8) || i / 8 >= cosigned);
        text.data[i / 8] = (char)(text.data[i / 8] ^ (1 << i % 8));
    }
    free(text.data);
    free(leaves);
}

static void test_receipt_forms(void **state)
{
    (void)state;
    struct accesslog_receipt receipt;
    uint8_t extra[8];
    const char *const good[] = {START "index 0\n\nnote", START "extra ZGVtbw==\nindex 1\n\nnote",
                                START "index 9223372036854775806\n" HASH HASH "\nnote"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(
            accesslog_receipt_parse(good[i], strlen(good[i]), extra, sizeof extra, &receipt),
            ACCESSLOG_OK);
        assert_int_equal(receipt.path_count, i == 2 ? 2 : 0);
        assert_int_equal(receipt.extra != NULL, i == 1);
        assert_int_equal(receipt.note_length, 4);
    }
    const char *const bad[] = {
        "",
        START,
        "c2sp.org/tlog-proof@v2\nindex 0\n\nnote",
        START "index 0\n",
        START "index 0\n\n",
        START "index 0\nnote",
        START "index\n\nnote",
        START "index 00\n\nnote",
        START "index 01\n\nnote",
        START "index -1\n\nnote",
        START "index 9223372036854775807\n\nnote",
        START "Index 0\n\nnote",
        START "index 0 \n\nnote",
        START "extra ZGVtbw==\n\nnote",
        START "extra ZGVtbw==\nextra ZGVtbw==\nindex 0\n\nnote",
        START "extra \nindex 0\n\nnote",
        START "extra ZGVtbw=\nindex 0\n\nnote",
        START "extra ZGVtbx==\nindex 0\n\nnote",
        START "extra ZGVtb w=\nindex 0\n\nnote",
        START "extra ====\nindex 0\n\nnote",
        START "extra =\nindex 0\n\nnote",
        START "index 0\n" HASH,
        START "index 0\n" HASH "short=\n\nnote",
        START "index 0\nkqU9VQzYSD4/Mj+8AIMv4Xox6pO10zHnVpIza7PYuzp=\n\nnote",
        START "index 0\n " HASH "\nnote",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (accesslog_receipt_parse(bad[i], strlen(bad[i]), extra, sizeof extra, &receipt) !=
            ACCESSLOG_MALFORMED)
            fail_msg("accepted: %s", bad[i]);
    }
    assert_int_equal(accesslog_receipt_parse(NULL, 0, NULL, 0, &receipt), ACCESSLOG_MALFORMED);
    /* An extra that does not fit its buffer, to the byte. */
    assert_int_equal(accesslog_receipt_parse(good[1], strlen(good[1]), extra, 3, &receipt),
                     ACCESSLOG_TOO_LARGE);
    assert_int_equal(accesslog_receipt_parse(good[1], strlen(good[1]), extra, 4, &receipt),
                     ACCESSLOG_OK);
    assert_int_equal(accesslog_receipt_parse(good[1], strlen(good[1]), NULL, 0, &receipt),
                     ACCESSLOG_TOO_LARGE);
    char text[8192];
    for (unsigned hashes = 62; hashes <= 66; hashes++) {
        size_t length = (size_t)snprintf(text, sizeof text, START "index 0\n");
        for (unsigned i = 0; i < hashes; i++)
            length += (size_t)snprintf(text + length, sizeof text - length, HASH);
        length += (size_t)snprintf(text + length, sizeof text - length, "\nnote");
        assert_int_equal(accesslog_receipt_parse(text, length, extra, sizeof extra, &receipt),
                         hashes <= ACCESSLOG_PROOF_MAX ? ACCESSLOG_OK : ACCESSLOG_TOO_LARGE);
    }
    struct accesslog_hash path[1] = {{{0}}};
    assert_int_equal(
        accesslog_receipt_format(NULL, 0, ACCESSLOG_SIZE_MAX, path, 1, "n", 1, text, sizeof text),
        0);
    assert_int_equal(accesslog_receipt_format(NULL, 0, 0, path, ACCESSLOG_PROOF_MAX + 1, "n", 1,
                                              text, sizeof text),
                     0);
    assert_int_equal(accesslog_receipt_format(NULL, 0, 0, path, 1, "", 0, text, sizeof text), 0);
}

/* As the keeper makes them: an entry, its batch, a signed checkpoint, a receipt that its holder
 * checks from the parts of extra alone. */
static void test_receipt_of_entry(void **state)
{
    (void)state;
    static struct accesslog_batch batch;
    const uint8_t seed[ACCESSLOG_SEED_BYTES] = {4};
    uint8_t salts[2][ACCESSLOG_SALT_BYTES];
    randombytes_buf(salts, sizeof salts);
    const char header[] = "{\"operation\":\"create_trace\",\"v\":1}";
    struct accesslog_entry entry;
    accesslog_entry_commit(header, sizeof header - 1, salts[0], "{}", 2, salts[1], &entry);
    struct accesslog_tree tree = {.size = (1 << 20) - 3};
    struct accesslog_hash leaves[10];
    randombytes_buf(leaves, sizeof leaves);
    leaves[6] = entry.leaf_hash;
    assert_int_equal(accesslog_batch_append(&tree, leaves, 10, &batch), ACCESSLOG_OK);
    struct accesslog_signer signer;
    assert_int_equal(
        accesslog_signer_init("casetrace.example/log", ACCESSLOG_KEY_ED25519, seed, &signer),
        ACCESSLOG_OK);
    struct accesslog_checkpoint checkpoint = {
        .origin = "casetrace.example/log", .size = batch.tree.size, .root = batch.root};
    char note[1024];
    size_t note_length = accesslog_checkpoint_sign(&checkpoint, &signer, 1, note, sizeof note);
    struct accesslog_hash path[ACCESSLOG_PROOF_MAX];
    size_t count = accesslog_batch_path(&batch, 6, path);
    char text[8192];
    size_t length = accesslog_receipt_format(header, sizeof header - 1, batch.first + 6, path,
                                             count, note, note_length, text, sizeof text);
    assert_true(length != 0);
    struct accesslog_receipt receipt;
    uint8_t extra[256];
    assert_int_equal(accesslog_receipt_parse(text, length, extra, sizeof extra, &receipt),
                     ACCESSLOG_OK);
    assert_int_equal(accesslog_receipt_check_entry(&receipt, receipt.extra, receipt.extra_bytes,
                                                   salts[0], &entry.d_subject, &signer.verifier, 1,
                                                   NULL, NULL),
                     ACCESSLOG_OK);
    extra[3] ^= 1;
    assert_int_equal(accesslog_receipt_check_entry(&receipt, receipt.extra, receipt.extra_bytes,
                                                   salts[0], &entry.d_subject, &signer.verifier, 1,
                                                   NULL, NULL),
                     ACCESSLOG_BAD_PROOF);
    extra[3] ^= 1;
    assert_int_equal(accesslog_receipt_check_entry(&receipt, receipt.extra, receipt.extra_bytes,
                                                   salts[1], &entry.d_subject, &signer.verifier, 1,
                                                   NULL, NULL),
                     ACCESSLOG_BAD_PROOF);
}

/* ---- witness ---- */

static void test_witness_known(void **state)
{
    (void)state;
    struct test_bytes body = test_kat("add-checkpoint.req");
    struct accesslog_verifier keys[2];
    test_kat_keys(keys);
    struct accesslog_hash *leaves = test_leaves(KAT_SIZE);
    struct accesslog_witness_request request;
    assert_int_equal(accesslog_witness_parse(body.data, body.length, &request), ACCESSLOG_OK);
    assert_int_equal(request.old_size, 200);
    struct accesslog_checkpoint checkpoint;
    assert_int_equal(
        accesslog_checkpoint_open(request.note, request.note_length, keys, 1, &checkpoint, NULL),
        ACCESSLOG_OK);
    struct accesslog_hash old_root = ref_root(leaves, 0, 200);
    assert_int_equal(accesslog_check_consistency(200, &old_root, checkpoint.size, &checkpoint.root,
                                                 request.proof, request.proof_count),
                     ACCESSLOG_OK);
    /* Made by us from storage, it is the same text. */
    struct test_memory memory = {.reads = 0};
    test_memory_fill(&memory, leaves, KAT_SIZE);
    struct accesslog_storage storage = test_memory_storage(&memory);
    struct accesslog_hash proof[ACCESSLOG_PROOF_MAX];
    size_t count;
    assert_int_equal(accesslog_prove_consistency(&storage, 200, KAT_SIZE, proof, &count),
                     ACCESSLOG_OK);
    char again[8192];
    assert_int_equal(accesslog_witness_format(200, proof, count, request.note, request.note_length,
                                              again, sizeof again),
                     body.length);
    assert_string_equal(again, body.data);
    assert_int_equal(accesslog_witness_format(200, proof, count, request.note, request.note_length,
                                              again, body.length),
                     0);
    assert_int_equal(accesslog_witness_format(200, proof, ACCESSLOG_WITNESS_PROOF_MAX + 1,
                                              request.note, request.note_length, again,
                                              sizeof again),
                     0);
    test_memory_free(&memory);
    free(leaves);
    free(body.data);
}

static void test_witness_forms(void **state)
{
    (void)state;
    struct accesslog_witness_request request;
    const char *const bad[] = {"",
                               "old\n\nnote",
                               "old \n\nnote",
                               "old 01\n\nnote",
                               "old 1\nnote",
                               "old 1\n\n",
                               "old 1\n",
                               "new 1\n\nnote",
                               "old 1\n" HASH,
                               "old 1\nx" HASH "\nnote",
                               "old 9223372036854775808\n\nnote"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (accesslog_witness_parse(bad[i], strlen(bad[i]), &request) != ACCESSLOG_MALFORMED)
            fail_msg("accepted: %s", bad[i]);
    }
    const char *none = "old 0\n\nnote";
    assert_int_equal(accesslog_witness_parse(none, strlen(none), &request), ACCESSLOG_OK);
    assert_int_equal(request.proof_count, 0);
    char text[8192];
    for (unsigned hashes = 62; hashes <= 65; hashes++) {
        size_t length = (size_t)snprintf(text, sizeof text, "old 5\n");
        for (unsigned i = 0; i < hashes; i++)
            length += (size_t)snprintf(text + length, sizeof text - length, HASH);
        length += (size_t)snprintf(text + length, sizeof text - length, "\nnote");
        assert_int_equal(accesslog_witness_parse(text, length, &request),
                         hashes <= ACCESSLOG_WITNESS_PROOF_MAX ? ACCESSLOG_OK
                                                               : ACCESSLOG_TOO_LARGE);
    }
    assert_int_equal(accesslog_witness_parse(NULL, 0, &request), ACCESSLOG_MALFORMED);
    uint64_t size;
    assert_int_equal(accesslog_witness_conflict_parse(NULL, 0, &size), ACCESSLOG_MALFORMED);
    assert_int_equal(accesslog_witness_conflict_parse("200\n", 4, &size), ACCESSLOG_OK);
    assert_int_equal(size, 200);
    const char *const conflicts[] = {"", "\n", "200", "0200\n", "200\n\n", "x\n", "-1\n"};
    for (size_t i = 0; i < sizeof conflicts / sizeof conflicts[0]; i++)
        assert_int_equal(
            accesslog_witness_conflict_parse(conflicts[i], strlen(conflicts[i]), &size),
            ACCESSLOG_MALFORMED);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_receipt_known), cmocka_unit_test(test_receipt_every_bit),
        cmocka_unit_test(test_receipt_forms), cmocka_unit_test(test_receipt_of_entry),
        cmocka_unit_test(test_witness_known), cmocka_unit_test(test_witness_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
