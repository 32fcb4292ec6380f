// SPDX-License-Identifier: Apache-2.0
#include "keeper/touched.h"

#include <string.h>

#define PREFIX "\"frm_"
#define HEX (2 * CT_UUID_BYTES)

static size_t add_firearms(const struct auth_keyring *keyring, const char *touched,
                           struct ct_buf *tokens)
{
    size_t count = 0;
    for (const char *at = touched; (at = strstr(at, PREFIX)) != NULL;) {
        uint8_t id[CT_UUID_BYTES];
        uint8_t token[AUTH_TOKEN_BYTES];
        at += strlen(PREFIX);
        if (strnlen(at, HEX + 1) <= HEX || at[HEX] != '"' ||
            ct_hex_decode(at, HEX, id, sizeof id) != CT_OK)
            continue;
        auth_token(keyring, AUTH_TOKEN_FIREARM, id, token);
        (void)ct_buf_append(tokens, token, sizeof token);
        count++;
    }
    return count;
}

size_t touched_add(const struct auth_keyring *keyring, const struct api_request *request,
                   struct ct_buf *tokens)
{
    size_t count = request->touched == NULL ? 0 : add_firearms(keyring, request->touched, tokens);
    if (request->error != API_ERROR_NONE)
        return count;
    for (uint32_t i = 0; i < request->read_count; i++) {
        uint8_t token[AUTH_TOKEN_BYTES];
        auth_token_entry(keyring, request->read_first + i, token);
        (void)ct_buf_append(tokens, token, sizeof token);
    }
    return count + request->read_count;
}
