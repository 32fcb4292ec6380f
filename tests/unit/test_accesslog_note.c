// SPDX-License-Identifier: Apache-2.0
/* Keys, signed notes, checkpoints, cosignatures. */
#include "tests/unit/test_accesslog_support.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORIGIN "casetrace.example/log"
#define DASH "\xe2\x80\x94 "

static struct accesslog_signer make_signer(const char *name, enum accesslog_key_type type,
                                           uint8_t seed_byte)
{
    uint8_t seed[ACCESSLOG_SEED_BYTES];
    memset(seed, seed_byte, sizeof seed);
    struct accesslog_signer signer;
    assert_int_equal(accesslog_signer_init(name, type, seed, &signer), ACCESSLOG_OK);
    return signer;
}

static enum accesslog_status parse_text(const char *note)
{
    struct accesslog_note parts;
    return accesslog_note_parse(note, strlen(note), &parts);
}

/* ---- keys ---- */

static void test_verifier_known(void **state)
{
    (void)state;
    struct test_bytes text = test_kat("vkeys.txt");
    struct accesslog_verifier keys[2];
    test_kat_keys(keys);
    assert_string_equal(keys[0].name, "audit.example.org/log1");
    assert_int_equal(keys[0].type, ACCESSLOG_KEY_ED25519);
    assert_string_equal(keys[1].name, "witness.example.net/w1");
    assert_int_equal(keys[1].type, ACCESSLOG_KEY_COSIGNATURE);
    char again[2 * ACCESSLOG_VERIFIER_TEXT_MAX];
    size_t length = accesslog_verifier_format(&keys[0], again, ACCESSLOG_VERIFIER_TEXT_MAX);
    again[length++] = '\n';
    length += accesslog_verifier_format(&keys[1], again + length, ACCESSLOG_VERIFIER_TEXT_MAX);
    again[length++] = '\n';
    again[length] = '\0';
    assert_string_equal(again, text.data);
    free(text.data);
}

static void test_verifier_refusals(void **state)
{
    (void)state;
    const char *const bad[] = {
        "",
        "+",
        "audit.example.org/log1",
        "audit.example.org/log1+4d44e883",
        "audit.example.org/log1+4d44e883+",
        "+4d44e883+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs",
        "audit.example.org/log2+4d44e883+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs",
        "audit.example.org/log1+4D44E883+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs",
        "audit.example.org/log1+4d44e884+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs",
        "audit.example.org/log1+4d44e883+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs\n",
        "audit.example.org/log1+4d44e883+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURt",
        "audit.example.org/log1+4d44e883+BepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs",
        "audit.example.org/log1+4d44e883+AupKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs",
        "audit example.org/log1+4d44e883+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs",
    };
    struct accesslog_verifier key = {.name = "untouched"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(accesslog_verifier_parse(bad[i], strlen(bad[i]), &key),
                         ACCESSLOG_MALFORMED);
    assert_string_equal(key.name, "untouched");
}

static void test_names(void **state)
{
    (void)state;
    const uint8_t public_key[32] = {1};
    struct accesslog_verifier key;
    char long_name[ACCESSLOG_NAME_MAX + 2];
    memset(long_name, 'a', sizeof long_name);
    long_name[ACCESSLOG_NAME_MAX] = '\0';
    const char *const good[] = {"a", "m\xc3\xbcnchen.example/log", long_name};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(accesslog_verifier_init(good[i], ACCESSLOG_KEY_ED25519, public_key, &key),
                         ACCESSLOG_OK);
        char text[ACCESSLOG_VERIFIER_TEXT_MAX];
        size_t length = accesslog_verifier_format(&key, text, sizeof text);
        assert_true(length != 0);
        assert_int_equal(accesslog_verifier_parse(text, length, &key), ACCESSLOG_OK);
        assert_string_equal(key.name, good[i]);
        assert_int_equal(accesslog_verifier_format(&key, text, length), 0);
        assert_int_equal(accesslog_verifier_format(&key, text, length + 1), length);
        assert_int_equal(accesslog_verifier_format(&key, text, 0), 0);
    }
    long_name[ACCESSLOG_NAME_MAX] = 'a';
    long_name[ACCESSLOG_NAME_MAX + 1] = '\0';
    const char *const bad[] = {"",
                               "a b",
                               "a+b",
                               "a\nb",
                               "a\tb",
                               "a\x7f",
                               "\xc2\x80",
                               "\xc2\xa0",
                               "a\xe2\x80\x83",
                               "\xe3\x80\x80",
                               "\xff",
                               "\xc0\xaf",
                               "\xed\xa0\x80",
                               "\xf4\x90\x80\x80",
                               "\xe2\x80",
                               long_name};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(accesslog_verifier_init(bad[i], ACCESSLOG_KEY_ED25519, public_key, &key),
                         ACCESSLOG_BAD_INPUT);
    assert_int_equal(accesslog_verifier_init("a", (enum accesslog_key_type)2, public_key, &key),
                     ACCESSLOG_BAD_INPUT);
    const uint8_t seed[ACCESSLOG_SEED_BYTES] = {0};
    struct accesslog_signer signer;
    assert_int_equal(accesslog_signer_init("a b", ACCESSLOG_KEY_ED25519, seed, &signer),
                     ACCESSLOG_BAD_INPUT);
}

/* ---- form of notes ---- */

static void test_note_forms(void **state)
{
    (void)state;
    assert_int_equal(parse_text("a\n\n" DASH "n AAAAAAA=\n"), ACCESSLOG_OK);
    /* The last empty line splits. */
    const char *two = "a\n\nb\n\n" DASH "n AAAAAAA=\n" DASH "m AAAAAAA=\n";
    struct accesslog_note note;
    assert_int_equal(accesslog_note_parse(two, strlen(two), &note), ACCESSLOG_OK);
    assert_int_equal(note.text_length, 5);
    assert_int_equal(note.lines - two, 6);
    assert_int_equal(note.lines_length, strlen(two) - 6);
    const char *const bad[] = {
        "",
        "\n",
        "\n\n",
        "a",
        "a\n",
        "a\n\n",
        "a\n" DASH "n AAAAAAA=\n",
        "a\n\n" DASH "n AAAAAAA=",
        "a\n\n" DASH "n AAAAAAA=\n\n",
        "a\n\n" DASH "n AAAAAAA=\nx\n",
        "a\n\n" DASH "n\n",
        "a\n\n" DASH "n \n",
        "a\n\n" DASH " AAAAAAA=\n",
        "a\n\n" DASH "n  AAAAAAA=\n",
        "a\n\n" DASH "n AAAAAAA= \n",
        "a\n\n" DASH "n+ AAAAAAA=\n",
        "a\n\n- n AAAAAAA=\n",
        "a\n\n\xe2\x80\x94n AAAAAAA=\n",
        "a\n\n" DASH "n AAAAAAA=\r\n",
        /* base64: no padding, bits behind the end, too much padding, URL letters, white space,
         * padding in the middle, too short for an id and a signature */
        "a\n\n" DASH "n AAAAAAA\n",
        "a\n\n" DASH "n AAAAAAB=\n",
        "a\n\n" DASH "n AAAAAAA==\n",
        "a\n\n" DASH "n AAAA_AA=\n",
        "a\n\n" DASH "n AAAA AAA=\n",
        "a\n\n" DASH "n AAA=AAAA\n",
        "a\n\n" DASH "n AAAAAA==\n",
        "a\n\n" DASH "n ====\n",
        "a\n\n" DASH "n AAA\xab"
        "AAA=\n",
        "a\n\n" DASH "n AAA\xaf"
        "AAA=\n",
        /* text: control characters, broken UTF-8 */
        "a\r\n\n" DASH "n AAAAAAA=\n",
        "a\tb\n\n" DASH "n AAAAAAA=\n",
        "a\x7f\n\n" DASH "n AAAAAAA=\n",
        "a\xc2\x85\n\n" DASH "n AAAAAAA=\n",
        "a\xff\n\n" DASH "n AAAAAAA=\n",
        "a\xc1\x81\n\n" DASH "n AAAAAAA=\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (parse_text(bad[i]) != ACCESSLOG_MALFORMED)
            fail_msg("accepted: %s", bad[i]);
    }
    const char with_nul[] = "a\0\n\n" DASH "n AAAAAAA=\n";
    assert_int_equal(accesslog_note_parse(with_nul, sizeof with_nul - 1, &note),
                     ACCESSLOG_MALFORMED);
}

/* Each byte that is not of the alphabet, in the place of one that is. */
static void test_base64_alphabet(void **state)
{
    (void)state;
    char note[] = "a\n\n" DASH "n AAAAAAA=\n";
    size_t at = strlen(note) - 5;
    for (unsigned c = 0; c < 256; c++) {
        bool good = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                    c == '+' || c == '/';
        struct accesslog_note parts;
        note[at] = (char)c;
        assert_int_equal(accesslog_note_parse(note, sizeof note - 1, &parts),
                         good ? ACCESSLOG_OK : ACCESSLOG_MALFORMED);
    }
}

static void test_note_bounds(void **state)
{
    (void)state;
    size_t capacity = ACCESSLOG_NOTE_BYTES_MAX + 100;
    char *text = malloc(capacity);
    assert_non_null(text);
    for (unsigned lines = 16; lines <= ACCESSLOG_NOTE_LINES_MAX + 1; lines++) {
        size_t length = (size_t)snprintf(text, capacity, "a\n\n");
        for (unsigned i = 0; i < lines; i++)
            length += (size_t)snprintf(text + length, capacity - length, DASH "n%u AAAAAAA=\n", i);
        assert_int_equal(parse_text(text),
                         lines <= ACCESSLOG_NOTE_LINES_MAX ? ACCESSLOG_OK : ACCESSLOG_TOO_LARGE);
    }
    /* One long signature of an unknown kind, over many decoding pieces, is well formed. */
    size_t length = (size_t)snprintf(text, capacity, "a\n\n" DASH "n ");
    memset(text + length, 'A', 60000);
    (void)snprintf(text + length + 60000, capacity - length - 60000, "\n");
    assert_int_equal(parse_text(text), ACCESSLOG_OK);
    memcpy(text + length + 1020, "AAA=", 4);
    assert_int_equal(parse_text(text), ACCESSLOG_MALFORMED);
    memset(text, 'a', capacity);
    struct accesslog_note note;
    assert_int_equal(accesslog_note_parse(text, capacity, &note), ACCESSLOG_TOO_LARGE);
    free(text);
    /* Nothing at all, as an empty file gives it. */
    struct accesslog_checkpoint checkpoint;
    struct accesslog_verifier key;
    assert_int_equal(accesslog_note_parse(NULL, 0, &note), ACCESSLOG_MALFORMED);
    assert_int_equal(accesslog_checkpoint_parse(NULL, 0, &checkpoint), ACCESSLOG_MALFORMED);
    assert_int_equal(accesslog_verifier_parse(NULL, 0, &key), ACCESSLOG_MALFORMED);
}

/* ---- signatures ---- */

static void test_sign_and_verify(void **state)
{
    (void)state;
    struct accesslog_signer one = make_signer("one", ACCESSLOG_KEY_ED25519, 1);
    struct accesslog_signer two = make_signer("two", ACCESSLOG_KEY_ED25519, 2);
    struct accesslog_signer witness = make_signer("w", ACCESSLOG_KEY_COSIGNATURE, 3);
    const char *text = "some text\nof two lines\n";
    char lines[4 * ACCESSLOG_SIGNATURE_LINE_MAX];
    size_t first = accesslog_note_sign(&one, text, strlen(text), lines, sizeof lines);
    assert_true(first != 0);
    size_t length = first;
    length += accesslog_note_cosign(&witness, 1762300000, text, strlen(text), lines + length,
                                    sizeof lines - length);
    length += accesslog_note_cosign(&witness, 1762300060, text, strlen(text), lines + length,
                                    sizeof lines - length);
    length += accesslog_note_cosign(&witness, 1762300030, text, strlen(text), lines + length,
                                    sizeof lines - length);
    char note[2048];
    size_t note_length =
        accesslog_note_format(text, strlen(text), lines, length, note, sizeof note);
    assert_true(note_length != 0);
    assert_int_equal(accesslog_note_format(text, strlen(text), lines, length, note, note_length),
                     0);
    assert_int_equal(
        accesslog_note_format(text, strlen(text), lines, length, note, note_length + 1),
        note_length);
    struct accesslog_note parts;
    assert_int_equal(accesslog_note_parse(note, note_length, &parts), ACCESSLOG_OK);

    const struct accesslog_verifier known[] = {two.verifier, one.verifier, witness.verifier};
    struct accesslog_signed results[3];
    assert_int_equal(accesslog_note_verify(&parts, known, 3, results), ACCESSLOG_OK);
    assert_false(results[0].valid);
    assert_true(results[1].valid);
    assert_true(results[2].valid);
    assert_int_equal(results[2].time_s, 1762300060);
    assert_int_equal(accesslog_note_verify(&parts, known, 3, NULL), ACCESSLOG_OK);
    /* Unknown keys are ignored, but one must be known. */
    assert_int_equal(accesslog_note_verify(&parts, &known[1], 1, NULL), ACCESSLOG_OK);
    assert_int_equal(accesslog_note_verify(&parts, &known[0], 1, NULL), ACCESSLOG_UNKNOWN_KEY);
    assert_int_equal(accesslog_note_verify(&parts, known, 0, NULL), ACCESSLOG_UNKNOWN_KEY);
    assert_int_equal(accesslog_note_verify(&parts, known, ACCESSLOG_KNOWN_MAX + 1, NULL),
                     ACCESSLOG_BAD_INPUT);
    /* The same key under another name, or another key under the name, is another key. */
    struct accesslog_signer renamed = make_signer("three", ACCESSLOG_KEY_ED25519, 1);
    struct accesslog_signer other = make_signer("one", ACCESSLOG_KEY_ED25519, 9);
    assert_int_equal(accesslog_note_verify(&parts, &renamed.verifier, 1, NULL),
                     ACCESSLOG_UNKNOWN_KEY);
    assert_int_equal(accesslog_note_verify(&parts, &other.verifier, 1, NULL),
                     ACCESSLOG_UNKNOWN_KEY);
    /* Same name and id, wrong key: a bad signature by a known key. */
    struct accesslog_verifier collision = other.verifier;
    memcpy(collision.id, one.verifier.id, sizeof collision.id);
    assert_int_equal(accesslog_note_verify(&parts, &collision, 1, NULL), ACCESSLOG_BAD_SIGNATURE);
    /* The keys sign only what their type is for. */
    assert_int_equal(accesslog_note_sign(&witness, text, strlen(text), lines, sizeof lines), 0);
    assert_int_equal(accesslog_note_cosign(&one, 1, text, strlen(text), lines, sizeof lines), 0);
    assert_int_equal(accesslog_note_sign(&one, "no LF", 5, lines, sizeof lines), 0);
    assert_int_equal(accesslog_note_sign(&one, "", 0, lines, sizeof lines), 0);
    assert_int_equal(accesslog_note_sign(&one, "\r\n", 2, lines, sizeof lines), 0);
    assert_int_equal(accesslog_note_sign(&one, text, strlen(text), lines, first), 0);
    accesslog_signer_wipe(&one);
    assert_true(sodium_is_zero((const unsigned char *)&one, sizeof one));
    accesslog_signer_wipe(NULL);
}

/* Every bit of a signed note: no change of the text or of the known key's line goes through. */
static void test_every_bit(void **state)
{
    (void)state;
    struct test_bytes note = test_kat("checkpoint");
    struct accesslog_verifier keys[2];
    test_kat_keys(keys);
    size_t cosigned = (size_t)(strstr(note.data, DASH "witness") - note.data);
    for (size_t i = 0; i < 8 * note.length; i++) {
        note.data[i / 8] = (char)(note.data[i / 8] ^ (1 << i % 8));
        struct accesslog_checkpoint checkpoint;
        enum accesslog_status status =
            accesslog_checkpoint_open(note.data, note.length, keys, 2, &checkpoint, NULL);
        /* A line whose name or id changed is by an unknown key: the log's own must remain. */
        if (status == ACCESSLOG_OK)
            assert_true(i / 8 >= cosigned && i / 8 < cosigned + sizeof DASH
                                                         "witness.example.net/w1 Y/vXYg");
        note.data[i / 8] = (char)(note.data[i / 8] ^ (1 << i % 8));
    }
    for (size_t length = 0; length < note.length; length++) {
        struct accesslog_checkpoint checkpoint;
        enum accesslog_status status =
            accesslog_checkpoint_open(note.data, length, keys, 2, &checkpoint, NULL);
        /* Cut behind the log's own line, it is a note without the cosignature. */
        assert_int_equal(status == ACCESSLOG_OK, length == cosigned);
    }
    free(note.data);
}

/* ---- checkpoints ---- */

static void test_checkpoint_known(void **state)
{
    (void)state;
    struct accesslog_verifier keys[2];
    test_kat_keys(keys);
    struct accesslog_hash *leaves = test_leaves(KAT_SIZE);
    const char *const names[] = {"checkpoint", "checkpoint.old"};
    const uint64_t sizes[] = {300, 200};
    for (size_t i = 0; i < 2; i++) {
        struct test_bytes note = test_kat(names[i]);
        struct accesslog_checkpoint checkpoint;
        struct accesslog_signed results[2];
        assert_int_equal(
            accesslog_checkpoint_open(note.data, note.length, keys, 2, &checkpoint, results),
            ACCESSLOG_OK);
        assert_string_equal(checkpoint.origin, "audit.example.org/log1");
        assert_int_equal(checkpoint.size, sizes[i]);
        struct accesslog_hash root = ref_root(leaves, 0, sizes[i]);
        test_assert_hash(&checkpoint.root, &root);
        assert_true(results[0].valid);
        assert_int_equal(results[1].valid, i == 0);
        assert_int_equal(results[1].time_s, i == 0 ? 0x692173c0 : 0);
        char text[ACCESSLOG_CHECKPOINT_TEXT_MAX];
        size_t length = accesslog_checkpoint_format(&checkpoint, text, sizeof text);
        struct accesslog_note parts;
        assert_int_equal(accesslog_note_parse(note.data, note.length, &parts), ACCESSLOG_OK);
        assert_int_equal(length, parts.text_length);
        assert_memory_equal(text, parts.text, length);
        assert_int_equal(accesslog_checkpoint_format(&checkpoint, text, length), 0);
        /* A witness's signature alone does not make a checkpoint of the log. */
        assert_int_equal(
            accesslog_checkpoint_open(note.data, note.length, &keys[1], 1, &checkpoint, NULL),
            ACCESSLOG_UNKNOWN_KEY);
        free(note.data);
    }
    free(leaves);
}

static void test_checkpoint_texts(void **state)
{
    (void)state;
#define ROOT "yjk9Apa+xeC43KuYO9H7fRRh9RLnJny4ljGtJv1m2Eg="
#define EMPTY "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    struct accesslog_checkpoint checkpoint;
    const char *const good[] = {"o\n1\n" ROOT "\n", "o\n9223372036854775807\n" ROOT "\n",
                                "o\n0\n" EMPTY "\n"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(accesslog_checkpoint_parse(good[i], strlen(good[i]), &checkpoint),
                         ACCESSLOG_OK);
    const char *const bad[] = {"",
                               "\n",
                               "o\n",
                               "o\n1\n",
                               "o\n1\n" ROOT,
                               "\n1\n" ROOT "\n",
                               "o o\n1\n" ROOT "\n",
                               "o\n\n" ROOT "\n",
                               "o\n0\n" ROOT "\n",
                               "o\n01\n" ROOT "\n",
                               "o\n+1\n" ROOT "\n",
                               "o\n-1\n" ROOT "\n",
                               "o\n 1\n" ROOT "\n",
                               "o\n1x\n" ROOT "\n",
                               "o\n9223372036854775808\n" ROOT "\n",
                               "o\n18446744073709551617\n" ROOT "\n",
                               "o\n99999999999999999999999\n" ROOT "\n",
                               "o\n1\n" ROOT "\nextension\n",
                               "o\n1\n" ROOT "\n\n",
                               "o\n1\n" ROOT "=\n",
                               "o\n1\nyjk9Apa+xeC43KuYO9H7fRRh9RLnJny4ljGtJv1m2Eh=\n",
                               "o\n1\nyjk9Apa+xeC43KuYO9H7fRRh9RLnJny4ljGtJv1m2Eg\n",
                               "o\n1\nyjk9Apa+xeC43KuYO9H7fRRh9RLnJny4ljGtJv1m2A==\n",
                               "o\n1\nyjk9Apa-xeC43KuYO9H7fRRh9RLnJny4ljGtJv1m2Eg=\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (accesslog_checkpoint_parse(bad[i], strlen(bad[i]), &checkpoint) != ACCESSLOG_MALFORMED)
            fail_msg("accepted: %s", bad[i]);
    }
#undef ROOT
#undef EMPTY
}

static void test_checkpoint_sign(void **state)
{
    (void)state;
    struct accesslog_signer signers[] = {make_signer(ORIGIN, ACCESSLOG_KEY_ED25519, 1),
                                         make_signer(ORIGIN, ACCESSLOG_KEY_ED25519, 2),
                                         make_signer("other", ACCESSLOG_KEY_ED25519, 3)};
    struct accesslog_checkpoint checkpoint = {.origin = ORIGIN, .size = 77};
    randombytes_buf(checkpoint.root.bytes, sizeof checkpoint.root.bytes);
    char note[2048];
    /* One signer, then two as during a rotation: either key alone opens it. */
    for (size_t count = 1; count <= 2; count++) {
        size_t length = accesslog_checkpoint_sign(&checkpoint, signers, count, note, sizeof note);
        assert_true(length != 0 && note[length] == '\0');
        for (size_t i = 0; i < 3; i++) {
            struct accesslog_checkpoint opened;
            assert_int_equal(
                accesslog_checkpoint_open(note, length, &signers[i].verifier, 1, &opened, NULL),
                i < count ? ACCESSLOG_OK : ACCESSLOG_UNKNOWN_KEY);
            if (i < count)
                test_assert_hash(&opened.root, &checkpoint.root);
        }
        /* Room: everything below the length with its NUL is refused, that is enough. */
        char *exact = malloc(length + 1);
        assert_non_null(exact);
        for (size_t room = 0; room <= length; room++)
            assert_int_equal(accesslog_checkpoint_sign(&checkpoint, signers, count, exact, room),
                             0);
        assert_int_equal(accesslog_checkpoint_sign(&checkpoint, signers, count, exact, length + 1),
                         length);
        free(exact);
    }
    assert_int_equal(accesslog_checkpoint_sign(&checkpoint, signers, 3, note, sizeof note), 0);
    assert_int_equal(accesslog_checkpoint_sign(&checkpoint, signers, 0, note, sizeof note), 0);
    checkpoint.size = ACCESSLOG_SIZE_MAX + 1;
    assert_int_equal(accesslog_checkpoint_sign(&checkpoint, signers, 1, note, sizeof note), 0);
}

static void test_status_texts(void **state)
{
    (void)state;
    for (int status = ACCESSLOG_OK; status <= ACCESSLOG_STORAGE + 1; status++)
        assert_true(strlen(accesslog_status_text((enum accesslog_status)status)) != 0);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verifier_known),
        cmocka_unit_test(test_verifier_refusals),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_note_forms),
        cmocka_unit_test(test_note_bounds),
        cmocka_unit_test(test_base64_alphabet),
        cmocka_unit_test(test_sign_and_verify),
        cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_checkpoint_known),
        cmocka_unit_test(test_checkpoint_texts),
        cmocka_unit_test(test_checkpoint_sign),
        cmocka_unit_test(test_status_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
