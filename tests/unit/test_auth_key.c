// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/test_auth.h"

#include <sodium.h>

static const struct auth_keyring *keyring_of(void **state)
{
    const struct test_keyring *test = *state;
    return test->keyring;
}

static void key_round_trip(void **state)
{
    const struct auth_keyring *keyring = keyring_of(state);
    char text[AUTH_KEY_TEXT], second[AUTH_KEY_TEXT];
    uint8_t digest[AUTH_DIGEST_BYTES], other[AUTH_DIGEST_BYTES], parsed[AUTH_DIGEST_BYTES];
    auth_key_generate(keyring, text, digest);
    auth_key_generate(keyring, second, other);
    assert_int_equal(strlen(text), AUTH_KEY_LENGTH);
    assert_memory_equal(text, "ctk_", 4);
    assert_memory_not_equal(digest, other, sizeof digest);
    assert_true(auth_key_well_formed(text, strlen(text)));
    assert_int_equal(auth_key_digest(keyring, text, strlen(text), parsed), CT_OK);
    assert_memory_equal(parsed, digest, sizeof digest);
}

static void digest_is_as_documented(void **state)
{
    const struct auth_keyring *keyring = keyring_of(state);
    struct test_keyring *test = *state;
    char text[AUTH_KEY_TEXT], line[512] = "";
    uint8_t raw[36], key[32], digest[AUTH_DIGEST_BYTES], expected[AUTH_DIGEST_BYTES];
    uint8_t label[16 + 32], hash[32];
    size_t count = 0;
    bool found = false;
    auth_key_generate(keyring, text, digest);
    assert_int_equal(sodium_base642bin(raw, sizeof raw, text + 4, 48, NULL, &count, NULL,
                                       sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                     0);
    FILE *file = fopen(test->path, "r");
    assert_non_null(file);
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = strstr(line, "\"credential_key\": \"") != NULL;
    assert_int_equal(fclose(file), 0);
    assert_true(found);
    assert_int_equal(ct_hex_decode(strstr(line, ": \"") + 3, 64, key, sizeof key), CT_OK);
    (void)crypto_generichash(expected, sizeof expected, raw, 32, key, sizeof key);
    assert_memory_equal(digest, expected, sizeof digest);
    memcpy(label, "casetrace key v1", 16);
    memcpy(label + 16, raw, 32);
    (void)crypto_hash_sha256(hash, label, sizeof label);
    assert_memory_equal(hash, raw + 32, 4);
}

/* Secrets of zeros and of ones; the checksums worked out with another program's SHA-256. */
static void known_key(void **state)
{
    (void)state;
    static const char known[] = "ctk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAD3hi8a";
    assert_int_equal(sizeof known - 1, AUTH_KEY_LENGTH);
    assert_true(auth_key_well_formed(known, sizeof known - 1));
}

static void bytes_over_127_are_no_underscores(void **state)
{
    (void)state;
    char known[] = "ctk___________________________________________9UTocK";
    assert_int_equal(sizeof known - 1, AUTH_KEY_LENGTH);
    assert_true(auth_key_well_formed(known, sizeof known - 1));
    known[10] = (char)0x80;
    assert_false(auth_key_well_formed(known, sizeof known - 1));
}

static void any_character_changed_is_refused(void **state)
{
    const struct auth_keyring *keyring = keyring_of(state);
    static const char characters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        "+/= .\n\x80";
    char text[AUTH_KEY_TEXT];
    uint8_t digest[AUTH_DIGEST_BYTES], untouched[AUTH_DIGEST_BYTES] = {7};
    auth_key_generate(keyring, text, digest);
    for (size_t i = 0; i < AUTH_KEY_LENGTH; i++) {
        char was = text[i];
        for (size_t c = 0; c < sizeof characters; c++) {
            if (characters[c] == was)
                continue;
            text[i] = characters[c];
            assert_false(auth_key_well_formed(text, AUTH_KEY_LENGTH));
            assert_int_equal(auth_key_digest(keyring, text, AUTH_KEY_LENGTH, untouched),
                             CT_BAD_INPUT);
        }
        text[i] = was;
    }
    assert_int_equal(untouched[0], 7);
    assert_true(auth_key_well_formed(text, AUTH_KEY_LENGTH));
}

static void other_lengths_are_refused(void **state)
{
    const struct auth_keyring *keyring = keyring_of(state);
    char text[AUTH_KEY_TEXT + 8] = "";
    uint8_t digest[AUTH_DIGEST_BYTES];
    auth_key_generate(keyring, text, digest);
    for (size_t length = 0; length < sizeof text; length++)
        assert_int_equal(auth_key_well_formed(text, length), length == AUTH_KEY_LENGTH);
}

static void bearer_header(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        const char *token; /* NULL: refused */
    } cases[] = {
        {"Bearer abc", "abc"},
        {"bearer abc", "abc"},
        {"BEARER abc", "abc"},
        {"BeArEr a-b._~+/c==", "a-b._~+/c=="},
        {"Bearer  abc", NULL},
        {"Bearer\tabc", NULL},
        {" Bearer abc", NULL},
        {"Bearer abc ", NULL},
        {"Bearer abc,def", NULL},
        {"Bearer abc def", NULL},
        {"Bearer =", NULL},
        {"Bearer a=b", NULL},
        {"Bearer ", NULL},
        {"Bearer", NULL},
        {"Bear", NULL},
        {"Basic abc", NULL},
        {"abc", NULL},
        {"Bearer \xc3\xa9", NULL},
    };
    const char *token = NULL;
    size_t length = 0;
    assert_int_equal(auth_bearer_parse("", &token, &length), CT_NOT_FOUND);
    for (size_t i = 0; i < CT_ARRAY_LENGTH(cases); i++) {
        enum ct_status status = auth_bearer_parse(cases[i].header, &token, &length);
        if (cases[i].token == NULL) {
            assert_int_equal(status, CT_BAD_INPUT);
            continue;
        }
        assert_int_equal(status, CT_OK);
        assert_int_equal(length, strlen(cases[i].token));
        assert_memory_equal(token, cases[i].token, length);
    }
}

static void bearer_to_digest(void **state)
{
    const struct auth_keyring *keyring = keyring_of(state);
    char header[7 + AUTH_KEY_TEXT] = "Bearer ";
    uint8_t digest[AUTH_DIGEST_BYTES], parsed[AUTH_DIGEST_BYTES];
    auth_key_generate(keyring, header + 7, digest);
    assert_int_equal(auth_bearer_digest(keyring, header, parsed), CT_OK);
    assert_memory_equal(parsed, digest, sizeof digest);
    assert_int_equal(auth_bearer_digest(keyring, "", parsed), CT_NOT_FOUND);
    assert_int_equal(auth_bearer_digest(keyring, "Bearer abc", parsed), CT_BAD_INPUT);
}

/* ---- request MAC ----------------------------------------------------------------------- */

struct request {
    const char *operation;
    const char *path[3];
    size_t path_count;
    struct auth_field query[3];
    size_t query_count;
    const char *body;
};

static void different_requests_have_different_macs(void **state)
{
    const struct auth_keyring *keyring = keyring_of(state);
    static const struct request requests[] = {
        {"op", {NULL}, 0, {{NULL, NULL}}, 0, "body"},
        {"o", {NULL}, 0, {{NULL, NULL}}, 0, "body"},
        {"op", {NULL}, 0, {{NULL, NULL}}, 0, ""},
        {"op", {NULL}, 0, {{NULL, NULL}}, 0, "bodx"},
        {"op", {""}, 1, {{NULL, NULL}}, 0, "body"},
        {"op", {"a"}, 1, {{NULL, NULL}}, 0, "body"},
        {"op", {"a", "b"}, 2, {{NULL, NULL}}, 0, "body"},
        {"op", {"ab"}, 1, {{NULL, NULL}}, 0, "body"},
        {"op", {"ab", ""}, 2, {{NULL, NULL}}, 0, "body"},
        {"op", {"", "ab"}, 2, {{NULL, NULL}}, 0, "body"},
        {"op", {NULL}, 0, {{"a", "b"}}, 1, "body"},
        {"op", {NULL}, 0, {{"ab", ""}}, 1, "body"},
        {"op", {NULL}, 0, {{"", "ab"}}, 1, "body"},
        {"op", {NULL}, 0, {{"a", "b"}, {"c", "d"}}, 2, "body"},
        {"op", {NULL}, 0, {{"c", "d"}, {"a", "b"}}, 2, "body"},
    };
    uint8_t macs[CT_ARRAY_LENGTH(requests)][AUTH_MAC_BYTES];
    uint8_t again[AUTH_MAC_BYTES];
    for (size_t i = 0; i < CT_ARRAY_LENGTH(requests); i++) {
        const struct request *r = &requests[i];
        auth_request_mac(keyring, r->operation, r->path, r->path_count, r->query, r->query_count,
                         r->body, strlen(r->body), macs[i]);
        auth_request_mac(keyring, r->operation, r->path, r->path_count, r->query, r->query_count,
                         r->body, strlen(r->body), again);
        assert_true(auth_mac_equal(macs[i], again));
        for (size_t k = 0; k < i; k++)
            assert_false(auth_mac_equal(macs[i], macs[k]));
    }
}

static void mac_takes_no_body(void **state)
{
    const struct auth_keyring *keyring = keyring_of(state);
    uint8_t none[AUTH_MAC_BYTES], empty[AUTH_MAC_BYTES];
    auth_request_mac(keyring, "op", NULL, 0, NULL, 0, NULL, 0, none);
    auth_request_mac(keyring, "op", NULL, 0, NULL, 0, "", 0, empty);
    assert_true(auth_mac_equal(none, empty));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_round_trip),
        cmocka_unit_test(digest_is_as_documented),
        cmocka_unit_test(known_key),
        cmocka_unit_test(bytes_over_127_are_no_underscores),
        cmocka_unit_test(any_character_changed_is_refused),
        cmocka_unit_test(other_lengths_are_refused),
        cmocka_unit_test(bearer_header),
        cmocka_unit_test(bearer_to_digest),
        cmocka_unit_test(different_requests_have_different_macs),
        cmocka_unit_test(mac_takes_no_body),
    };
    return cmocka_run_group_tests(tests, test_keyring_setup, test_keyring_teardown);
}
