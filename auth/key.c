// SPDX-License-Identifier: Apache-2.0
#include "auth/internal.h"

#include <sodium.h>
#include <string.h>
#include <strings.h>

/* "ctk_" base64url(32 random bytes || first 4 bytes of SHA-256(label || those 32)). The checksum is
 * no secret: it tells a mistyped key from an unknown one, and lets scanners find leaked keys. */
#define CHECK_BYTES 4
#define RAW_BYTES (AUTH_SECRET_BYTES + CHECK_BYTES)
#define BASE64_LENGTH (AUTH_KEY_LENGTH - PREFIX_LENGTH)
#define PREFIX_LENGTH 4

static const char prefix[] = "ctk_";
static const char check_label[] = "casetrace key v1";

_Static_assert(RAW_BYTES % 3 == 0 && RAW_BYTES / 3 * 4 == BASE64_LENGTH, "no padding in a key");

static void checksum(const uint8_t secret[AUTH_SECRET_BYTES], uint8_t ret[CHECK_BYTES])
{
    uint8_t input[sizeof check_label - 1 + AUTH_SECRET_BYTES];
    uint8_t hash[crypto_hash_sha256_BYTES];
    memcpy(input, check_label, sizeof check_label - 1);
    memcpy(input + sizeof check_label - 1, secret, AUTH_SECRET_BYTES);
    (void)crypto_hash_sha256(hash, input, sizeof input);
    memcpy(ret, hash, CHECK_BYTES);
    sodium_memzero(input, sizeof input);
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool parse(const char *text, size_t length, uint8_t ret_raw[RAW_BYTES])
{
    uint8_t check[CHECK_BYTES];
    size_t count = 0;
    if (length != AUTH_KEY_LENGTH || memcmp(text, prefix, PREFIX_LENGTH) != 0)
        return false;
    /* libsodium 1.0.18 takes every byte over 127 for an underscore. */
    for (size_t i = PREFIX_LENGTH; i < length; i++) {
        if (!is_letter_or_digit(text[i]) && text[i] != '-' && text[i] != '_')
            return false;
    }
    if (sodium_base642bin(ret_raw, RAW_BYTES, text + PREFIX_LENGTH, BASE64_LENGTH, NULL, &count,
                          NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        count != RAW_BYTES)
        return false;
    checksum(ret_raw, check);
    return sodium_memcmp(check, ret_raw + AUTH_SECRET_BYTES, CHECK_BYTES) == 0;
}

static void digest(const struct auth_keyring *keyring, const uint8_t secret[AUTH_SECRET_BYTES],
                   uint8_t ret_digest[AUTH_DIGEST_BYTES])
{
    (void)crypto_generichash(ret_digest, AUTH_DIGEST_BYTES, secret, AUTH_SECRET_BYTES,
                             keyring->credential_key, sizeof keyring->credential_key);
}

void auth_key_generate(const struct auth_keyring *keyring, char ret_text[AUTH_KEY_TEXT],
                       uint8_t ret_digest[AUTH_DIGEST_BYTES])
{
    uint8_t raw[RAW_BYTES];
    randombytes_buf(raw, AUTH_SECRET_BYTES);
    checksum(raw, raw + AUTH_SECRET_BYTES);
    memcpy(ret_text, prefix, PREFIX_LENGTH);
    (void)sodium_bin2base64(ret_text + PREFIX_LENGTH, AUTH_KEY_TEXT - PREFIX_LENGTH, raw,
                            sizeof raw, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    digest(keyring, raw, ret_digest);
    sodium_memzero(raw, sizeof raw);
}

bool auth_key_well_formed(const char *text, size_t length)
{
    uint8_t raw[RAW_BYTES];
    bool good = parse(text, length, raw);
    sodium_memzero(raw, sizeof raw);
    return good;
}

enum ct_status auth_key_digest(const struct auth_keyring *keyring, const char *text, size_t length,
                               uint8_t ret_digest[AUTH_DIGEST_BYTES])
{
    uint8_t raw[RAW_BYTES];
    bool good = parse(text, length, raw);
    if (good)
        digest(keyring, raw, ret_digest);
    sodium_memzero(raw, sizeof raw);
    return good ? CT_OK : CT_BAD_INPUT;
}

/* ---- Authorization header -------------------------------------------------------------- */

static bool is_token_character(char c)
{
    return is_letter_or_digit(c) || c == '-' || c == '.' || c == '_' || c == '~' || c == '+' ||
           c == '/';
}

enum ct_status auth_bearer_parse(const char *header, const char **ret_token, size_t *ret_length)
{
    static const char scheme[] = "bearer ";
    if (header[0] == '\0')
        return CT_NOT_FOUND;
    if (strncasecmp(header, scheme, sizeof scheme - 1) != 0)
        return CT_BAD_INPUT;
    const char *token = header + sizeof scheme - 1;
    size_t length = 0;
    while (is_token_character(token[length]))
        length++;
    if (length == 0)
        return CT_BAD_INPUT;
    while (token[length] == '=')
        length++;
    if (token[length] != '\0')
        return CT_BAD_INPUT;
    *ret_token = token;
    *ret_length = length;
    return CT_OK;
}

enum ct_status auth_bearer_digest(const struct auth_keyring *keyring, const char *header,
                                  uint8_t ret_digest[AUTH_DIGEST_BYTES])
{
    const char *token = NULL;
    size_t length = 0;
    enum ct_status status = auth_bearer_parse(header, &token, &length);
    if (status == CT_OK)
        status = auth_key_digest(keyring, token, length, ret_digest);
    return status;
}
