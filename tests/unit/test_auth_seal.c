// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/test_auth.h"

#include <sodium.h>

static const uint8_t sale[CT_UUID_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const uint8_t other[CT_UUID_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17};
static const char plain[] = "{\"family_name\":\"Gu\xc3\xb0mundsd\xc3\xb3ttir\"}";
#define PLAIN_LENGTH (sizeof plain - 1)

static const struct auth_keyring *keyring_of(void **state)
{
    const struct test_keyring *test = *state;
    return test->keyring;
}

static enum ct_status open_purchaser(const struct auth_keyring *keyring, const uint8_t *id,
                                     const uint8_t *sealed, size_t length)
{
    uint8_t opened[PLAIN_LENGTH + 8];
    size_t count = 99;
    enum ct_status status = auth_purchaser_open(keyring, auth_keyring_purchaser_key(keyring), id,
                                                sealed, length, opened, &count);
    if (status != CT_OK) {
        assert_int_equal(count, 99);
        return status;
    }
    assert_int_equal(count, PLAIN_LENGTH);
    assert_memory_equal(opened, plain, PLAIN_LENGTH);
    return CT_OK;
}

static void purchaser_round_trip(void **state)
{
    const struct auth_keyring *keyring = keyring_of(state);
    uint8_t sealed[PLAIN_LENGTH + AUTH_PURCHASER_OVERHEAD];
    uint8_t again[sizeof sealed];
    auth_purchaser_seal(keyring, sale, plain, PLAIN_LENGTH, sealed);
    auth_purchaser_seal(keyring, sale, plain, PLAIN_LENGTH, again);
    assert_memory_not_equal(sealed, again, sizeof sealed);
    assert_null(memmem(sealed, sizeof sealed, "mundsd", 6));
    assert_int_equal(open_purchaser(keyring, sale, sealed, sizeof sealed), CT_OK);
    assert_int_equal(open_purchaser(keyring, sale, again, sizeof again), CT_OK);
}

static void purchaser_of_another_sale_does_not_open(void **state)
{
    const struct auth_keyring *keyring = keyring_of(state);
    uint8_t sealed[PLAIN_LENGTH + AUTH_PURCHASER_OVERHEAD];
    auth_purchaser_seal(keyring, sale, plain, PLAIN_LENGTH, sealed);
    assert_int_equal(open_purchaser(keyring, other, sealed, sizeof sealed), CT_CRYPTO);
}

static void purchaser_with_any_byte_changed_does_not_open(void **state)
{
    const struct auth_keyring *keyring = keyring_of(state);
    uint8_t sealed[PLAIN_LENGTH + AUTH_PURCHASER_OVERHEAD + 1] = {0};
    auth_purchaser_seal(keyring, sale, plain, PLAIN_LENGTH, sealed);
    for (size_t i = 0; i < sizeof sealed - 1; i++) {
        sealed[i] ^= 1;
        assert_int_equal(open_purchaser(keyring, sale, sealed, sizeof sealed - 1), CT_CRYPTO);
        sealed[i] ^= 1;
    }
    for (size_t length = 0; length < sizeof sealed - 1; length++)
        assert_int_equal(open_purchaser(keyring, sale, sealed, length), CT_CRYPTO);
    assert_int_equal(open_purchaser(keyring, sale, sealed, sizeof sealed), CT_CRYPTO);
    assert_int_equal(open_purchaser(keyring, sale, sealed, sizeof sealed - 1), CT_OK);
}

static void unknown_purchaser_key_is_not_found(void **state)
{
    const struct auth_keyring *keyring = keyring_of(state);
    uint8_t sealed[PLAIN_LENGTH + AUTH_PURCHASER_OVERHEAD];
    uint8_t opened[PLAIN_LENGTH];
    size_t count = 0;
    static const char *const ids[] = {"", "zz", "0000000", "000000000", "0000000g"};
    auth_purchaser_seal(keyring, sale, plain, PLAIN_LENGTH, sealed);
    for (size_t i = 0; i < CT_ARRAY_LENGTH(ids); i++)
        assert_int_equal(
            auth_purchaser_open(keyring, ids[i], sale, sealed, sizeof sealed, opened, &count),
            CT_NOT_FOUND);
    if (strcmp(auth_keyring_subject_key(keyring), auth_keyring_purchaser_key(keyring)) != 0)
        assert_int_equal(auth_purchaser_open(keyring, auth_keyring_subject_key(keyring), sale,
                                             sealed, sizeof sealed, opened, &count),
                         CT_NOT_FOUND);
}

static void purchaser_sealed_by_another_keyring_does_not_open(void **state)
{
    const struct auth_keyring *keyring = keyring_of(state);
    struct test_keyring second;
    struct ct_error err = {0};
    uint8_t sealed[PLAIN_LENGTH + AUTH_PURCHASER_OVERHEAD];
    test_folder_make(&second);
    assert_int_equal(
        auth_keyring_create(second.path, TEST_ORIGIN, AUTH_OWNER_SELF, AUTH_GROUP_SELF, &err),
        CT_OK);
    assert_int_equal(auth_keyring_load(second.path, AUTH_OWNER_SELF, &second.keyring, &err), CT_OK);
    auth_purchaser_seal(second.keyring, sale, plain, PLAIN_LENGTH, sealed);
    assert_int_equal(open_purchaser(keyring, sale, sealed, sizeof sealed), CT_CRYPTO);
    test_folder_remove(&second);
}

static void empty_and_long_documents_round_trip(void **state)
{
    const struct auth_keyring *keyring = keyring_of(state);
    const size_t lengths[] = {0, 1, 63, 64, 65, 4096, 100000};
    for (size_t i = 0; i < CT_ARRAY_LENGTH(lengths); i++) {
        size_t length = lengths[i], count = 0;
        uint8_t *text = calloc(1, length + 1);
        uint8_t *opened = calloc(1, length + 1);
        uint8_t *sealed = calloc(1, length + AUTH_SUBJECT_OVERHEAD);
        assert_true(text != NULL && opened != NULL && sealed != NULL);
        randombytes_buf(text, length);
        auth_purchaser_seal(keyring, sale, text, length, sealed);
        assert_int_equal(auth_purchaser_open(keyring, auth_keyring_purchaser_key(keyring), sale,
                                             sealed, length + AUTH_PURCHASER_OVERHEAD, opened,
                                             &count),
                         CT_OK);
        assert_int_equal(count, length);
        assert_memory_equal(text, opened, length + 1);
        auth_subject_seal(keyring, AUTH_SUBJECT, sale, 1, text, length, sealed);
        assert_int_equal(auth_subject_open(keyring, AUTH_SUBJECT, sale, 1, sealed,
                                           length + AUTH_SUBJECT_OVERHEAD, opened, &count),
                         CT_OK);
        assert_int_equal(count, length);
        assert_memory_equal(text, opened, length + 1);
        free(text);
        free(opened);
        free(sealed);
    }
}

static void subject_opens_only_where_it_was_sealed(void **state)
{
    const struct auth_keyring *keyring = keyring_of(state);
    uint8_t sealed[PLAIN_LENGTH + AUTH_SUBJECT_OVERHEAD];
    uint8_t opened[PLAIN_LENGTH];
    size_t count = 0;
    auth_subject_seal(keyring, AUTH_SUBJECT, sale, 258, plain, PLAIN_LENGTH, sealed);
#define OPEN(part, batch, ordinal)                                                                 \
    auth_subject_open(keyring, part, batch, ordinal, sealed, sizeof sealed, opened, &count)
    assert_int_equal(OPEN(AUTH_SUBJECT, other, 258), CT_CRYPTO);
    assert_int_equal(OPEN(AUTH_SUBJECT, sale, 257), CT_CRYPTO);
    assert_int_equal(OPEN(AUTH_SUBJECT, sale, 2), CT_CRYPTO);
    assert_int_equal(OPEN(AUTH_SUBJECT_SALT, sale, 258), CT_CRYPTO);
    assert_int_equal(OPEN(AUTH_SUBJECT, sale, 258), CT_OK);
#undef OPEN
    assert_int_equal(count, PLAIN_LENGTH);
    assert_memory_equal(opened, plain, PLAIN_LENGTH);
}

static void subject_with_any_byte_changed_does_not_open(void **state)
{
    const struct auth_keyring *keyring = keyring_of(state);
    uint8_t sealed[PLAIN_LENGTH + AUTH_SUBJECT_OVERHEAD];
    uint8_t opened[PLAIN_LENGTH];
    size_t count = 0;
    auth_subject_seal(keyring, AUTH_SUBJECT_SALT, sale, 1, plain, PLAIN_LENGTH, sealed);
    for (size_t i = 0; i < sizeof sealed; i++) {
        sealed[i] ^= 0x80;
        enum ct_status status = auth_subject_open(keyring, AUTH_SUBJECT_SALT, sale, 1, sealed,
                                                  sizeof sealed, opened, &count);
        /* The first four bytes name the key. */
        assert_int_equal(status, i < 4 ? CT_NOT_FOUND : CT_CRYPTO);
        sealed[i] ^= 0x80;
    }
    for (size_t length = 0; length < sizeof sealed; length++)
        assert_int_equal(
            auth_subject_open(keyring, AUTH_SUBJECT_SALT, sale, 1, sealed, length, opened, &count),
            CT_CRYPTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(purchaser_round_trip),
        cmocka_unit_test(purchaser_of_another_sale_does_not_open),
        cmocka_unit_test(purchaser_with_any_byte_changed_does_not_open),
        cmocka_unit_test(unknown_purchaser_key_is_not_found),
        cmocka_unit_test(purchaser_sealed_by_another_keyring_does_not_open),
        cmocka_unit_test(empty_and_long_documents_round_trip),
        cmocka_unit_test(subject_opens_only_where_it_was_sealed),
        cmocka_unit_test(subject_with_any_byte_changed_does_not_open),
    };
    return cmocka_run_group_tests(tests, test_keyring_setup, test_keyring_teardown);
}
