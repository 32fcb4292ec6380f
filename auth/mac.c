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
