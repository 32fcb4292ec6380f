// SPDX-License-Identifier: Apache-2.0
#include "auth/internal.h"

#include <sodium.h>
#include <string.h>

static void add_number(crypto_generichash_state *state, uint64_t number)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(number >> (56 - 8 * i));
    (void)crypto_generichash_update(state, bytes, sizeof bytes);
}

static void add_bytes(crypto_generichash_state *state, const void *bytes, size_t length)
{
    add_number(state, length);
    if (length > 0)
        (void)crypto_generichash_update(state, bytes, length);
}

static void add_text(crypto_generichash_state *state, const char *text)
{
    add_bytes(state, text, strlen(text));
}

void auth_request_mac(const struct auth_keyring *keyring, const char *operation,
                      const char *const *path, size_t path_count, const struct auth_field *query,
                      size_t query_count, const void *body, size_t body_length,
                      uint8_t ret_mac[AUTH_MAC_BYTES])
{
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, keyring->request_mac_key, sizeof keyring->request_mac_key,
                                  AUTH_MAC_BYTES);
    add_text(&state, operation);
    add_number(&state, path_count);
    for (size_t i = 0; i < path_count; i++)
        add_text(&state, path[i]);
    add_number(&state, query_count);
    for (size_t i = 0; i < query_count; i++) {
        add_text(&state, query[i].name);
        add_text(&state, query[i].value);
    }
    add_bytes(&state, body, body_length);
    (void)crypto_generichash_final(&state, ret_mac, AUTH_MAC_BYTES);
    sodium_memzero(&state, sizeof state);
}

bool auth_mac_equal(const uint8_t a[AUTH_MAC_BYTES], const uint8_t b[AUTH_MAC_BYTES])
{
    return sodium_memcmp(a, b, AUTH_MAC_BYTES) == 0;
}

/* The label keeps tokens apart from each other's kinds and from all else under this key. */
void auth_token(const struct auth_keyring *keyring, enum auth_token_of of,
                const uint8_t id[CT_UUID_BYTES], uint8_t ret_token[AUTH_TOKEN_BYTES])
{
    static const uint8_t labels[][crypto_generichash_blake2b_PERSONALBYTES] = {
        [AUTH_TOKEN_FIREARM] = "ct-log-firearm",
        [AUTH_TOKEN_ENTRY] = "ct-log-entry",
    };
    (void)crypto_generichash_blake2b_salt_personal(
        ret_token, AUTH_TOKEN_BYTES, id, CT_UUID_BYTES, keyring->request_mac_key,
        sizeof keyring->request_mac_key, NULL, labels[of]);
}

void auth_token_entry(const struct auth_keyring *keyring, uint64_t index,
                      uint8_t ret_token[AUTH_TOKEN_BYTES])
{
    uint8_t id[CT_UUID_BYTES] = {0};
    for (unsigned i = 0; i < 8; i++)
        id[8 + i] = (uint8_t)(index >> (56 - 8 * i));
    auth_token(keyring, AUTH_TOKEN_ENTRY, id, ret_token);
}
