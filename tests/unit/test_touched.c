// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/test_auth.h"

#include "keeper/touched.h"

#include <sodium.h>

#define ID "00112233445566778899aabbccddeeff"
#define OTHER "0f112233445566778899aabbccddeeff"

static const struct auth_keyring *keyring_of(void **state)
{
    const struct test_keyring *test = *state;
    return test->keyring;
}

/* Tokens of the request, in hex, one after the other. */
static const char *tokens_of(void **state, struct api_request *request)
{
    static char hex[2048];
    struct ct_buf tokens;
    ct_buf_init(&tokens, sizeof hex / 2 - 1);
    size_t count = touched_add(keyring_of(state), request, &tokens);
    assert_false(tokens.failed);
    assert_int_equal(tokens.length, count * AUTH_TOKEN_BYTES);
    hex[0] = '\0';
    if (count > 0)
        ct_hex_encode(tokens.data, tokens.length, hex);
    ct_buf_free(&tokens);
    return hex;
}

static void expect_token(void **state, const char *hex, enum auth_token_of of, const char *id_hex)
{
    uint8_t id[CT_UUID_BYTES];
    uint8_t token[AUTH_TOKEN_BYTES];
    char wanted[2 * AUTH_TOKEN_BYTES + 1];
    assert_int_equal(ct_hex_decode(id_hex, strlen(id_hex), id, sizeof id), CT_OK);
    auth_token(keyring_of(state), of, id, token);
    ct_hex_encode(token, sizeof token, wanted);
    assert_memory_equal(hex, wanted, sizeof wanted - 1);
}

static void firearms_in_a_subject(void **state)
{
    char touched[] =
        "{\"firearms\": [\"frm_" ID "\", \"frm_" OTHER "\"], \"sale\": \"sal_" ID "\"}";
    struct api_request request = {.touched = touched};
    const char *hex = tokens_of(state, &request);
    assert_int_equal(strlen(hex), 2 * 2 * AUTH_TOKEN_BYTES);
    expect_token(state, hex, AUTH_TOKEN_FIREARM, ID);
    expect_token(state, hex + 2 * AUTH_TOKEN_BYTES, AUTH_TOKEN_FIREARM, OTHER);
    request.error = API_ERROR_NOT_FOUND; /* what was refused was asked for all the same */
    assert_int_equal(strlen(tokens_of(state, &request)), 2 * 2 * AUTH_TOKEN_BYTES);
}

static void what_is_no_id(void **state)
{
    char *texts[] = {"",
                     "{}",
                     "\"frm_",
                     "\"frm_0011\"",
                     "\"frm_" ID,
                     "\"frm_" ID "0\"",
                     "xfrm_" ID "\"",
                     "\"frm_zz112233445566778899aabbccddeeff\""};
    for (size_t i = 0; i < CT_ARRAY_LENGTH(texts); i++) {
        struct api_request request = {.touched = texts[i]};
        assert_string_equal(tokens_of(state, &request), "");
    }
    struct api_request nothing = {.touched = NULL};
    assert_string_equal(tokens_of(state, &nothing), "");
}

static void entries_that_were_read(void **state)
{
    struct api_request request = {.read_first = 0x0102, .read_count = 2};
    const char *hex = tokens_of(state, &request);
    assert_int_equal(strlen(hex), 2 * 2 * AUTH_TOKEN_BYTES);
    expect_token(state, hex, AUTH_TOKEN_ENTRY, "00000000000000000000000000000102");
    expect_token(state, hex + 2 * AUTH_TOKEN_BYTES, AUTH_TOKEN_ENTRY,
                 "00000000000000000000000000000103");
    request.error = API_ERROR_NOT_FOUND;
    assert_string_equal(tokens_of(state, &request), "");
}

static void no_room(void **state)
{
    struct ct_buf tokens;
    struct api_request request = {.read_count = 2};
    ct_buf_init(&tokens, AUTH_TOKEN_BYTES);
    (void)touched_add(keyring_of(state), &request, &tokens);
    assert_true(tokens.failed);
    ct_buf_free(&tokens);
}

/* Neither kind of thing stands for the other, nor one key for another. */
static void tokens_hang_on_kind_and_key(void **state)
{
    static const uint8_t id[CT_UUID_BYTES] = {1};
    const struct test_keyring *test = *state;
    uint8_t tokens[3][AUTH_TOKEN_BYTES];
    char path[400];
    struct auth_keyring *another = NULL;
    auth_token(test->keyring, AUTH_TOKEN_FIREARM, id, tokens[0]);
    auth_token(test->keyring, AUTH_TOKEN_ENTRY, id, tokens[1]);
    (void)snprintf(path, sizeof path, "%s/another.json", test->folder);
    assert_int_equal(auth_keyring_create(path, TEST_ORIGIN, AUTH_OWNER_SELF, AUTH_GROUP_SELF, NULL),
                     CT_OK);
    assert_int_equal(auth_keyring_load(path, AUTH_OWNER_SELF, &another, NULL), CT_OK);
    auth_token(another, AUTH_TOKEN_FIREARM, id, tokens[2]);
    auth_keyring_free(another);
    (void)unlink(path);
    assert_memory_not_equal(tokens[0], tokens[1], AUTH_TOKEN_BYTES);
    assert_memory_not_equal(tokens[0], tokens[2], AUTH_TOKEN_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(firearms_in_a_subject),       cmocka_unit_test(what_is_no_id),
        cmocka_unit_test(entries_that_were_read),      cmocka_unit_test(no_room),
        cmocka_unit_test(tokens_hang_on_kind_and_key),
    };
    if (auth_init() != CT_OK)
        return 1;
    return cmocka_run_group_tests(tests, test_keyring_setup, test_keyring_teardown);
}
