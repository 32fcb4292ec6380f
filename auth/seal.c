// SPDX-License-Identifier: Apache-2.0
#include "auth/internal.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES
#define ASSOCIATED_MAX 64

_Static_assert(NONCE_BYTES + TAG_BYTES == AUTH_PURCHASER_OVERHEAD, "overhead of a purchaser");
_Static_assert(AUTH_KEY_ID_BYTES + NONCE_BYTES + TAG_BYTES == AUTH_SUBJECT_OVERHEAD,
               "overhead of a subject");

/* What the sealed bytes belong to. They open nowhere else. */
struct associated {
    uint8_t bytes[ASSOCIATED_MAX];
    size_t length;
};

static void associate(struct associated *with, const void *bytes, size_t length)
{
    assert(length <= sizeof with->bytes - with->length);
    memcpy(with->bytes + with->length, bytes, length);
    with->length += length;
}

static struct associated purchaser_of(const uint8_t sale[CT_UUID_BYTES])
{
    static const char purpose[] = "casetrace purchaser v1";
    struct associated with = {.length = 0};
    associate(&with, sale, CT_UUID_BYTES);
    associate(&with, purpose, sizeof purpose - 1);
    return with;
}

static struct associated subject_of(enum auth_subject_part part, const uint8_t batch[CT_UUID_BYTES],
                                    uint32_t ordinal)
{
    static const char subject[] = "casetrace subject v1";
    static const char salt[] = "casetrace subject salt v1";
    const uint8_t number[4] = {(uint8_t)(ordinal >> 24), (uint8_t)(ordinal >> 16),
                               (uint8_t)(ordinal >> 8), (uint8_t)ordinal};
    struct associated with = {.length = 0};
    if (part == AUTH_SUBJECT)
        associate(&with, subject, sizeof subject - 1);
    else
        associate(&with, salt, sizeof salt - 1);
    associate(&with, batch, CT_UUID_BYTES);
    associate(&with, number, sizeof number);
    return with;
}

/* nonce, cipher text, tag. 192 bits of nonce may be random for as many seals as there will be. */
static void seal(const uint8_t *key, const struct associated *with, const void *plain,
                 size_t length, uint8_t *ret_sealed)
{
    assert(length <= AUTH_SEAL_MAX);
    randombytes_buf(ret_sealed, NONCE_BYTES);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(ret_sealed + NONCE_BYTES, NULL, plain, length,
                                                     with->bytes, with->length, NULL, ret_sealed,
                                                     key);
}

static enum ct_status unseal(const uint8_t *key, const struct associated *with,
                             const uint8_t *sealed, size_t sealed_length, uint8_t *ret_plain,
                             size_t *ret_length)
{
    if (sealed_length < NONCE_BYTES + TAG_BYTES ||
        sealed_length - NONCE_BYTES - TAG_BYTES > AUTH_SEAL_MAX)
        return CT_CRYPTO;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(ret_plain, NULL, NULL, sealed + NONCE_BYTES,
                                                   sealed_length - NONCE_BYTES, with->bytes,
                                                   with->length, sealed, key) != 0)
        return CT_CRYPTO;
    *ret_length = sealed_length - NONCE_BYTES - TAG_BYTES;
    return CT_OK;
}

/* ---- purchasers ------------------------------------------------------------------------ */

void auth_purchaser_seal(const struct auth_keyring *keyring, const uint8_t sale[CT_UUID_BYTES],
                         const void *plain, size_t length, uint8_t *ret_sealed)
{
    struct associated with = purchaser_of(sale);
    seal(keyring->purchaser_current->key, &with, plain, length, ret_sealed);
}

enum ct_status auth_purchaser_open(const struct auth_keyring *keyring, const char *key_id,
                                   const uint8_t sale[CT_UUID_BYTES], const void *sealed,
                                   size_t sealed_length, uint8_t *ret_plain, size_t *ret_length)
{
    uint8_t id[AUTH_KEY_ID_BYTES];
    const struct auth_secret *secret = NULL;
    if (ct_hex_decode(key_id, strlen(key_id), id, sizeof id) == CT_OK)
        secret = auth_secret_find(keyring->purchaser, keyring->purchaser_count, id);
    if (secret == NULL)
        return CT_NOT_FOUND;
    struct associated with = purchaser_of(sale);
    return unseal(secret->key, &with, sealed, sealed_length, ret_plain, ret_length);
}

/* ---- log subjects ---------------------------------------------------------------------- */

void auth_subject_seal(const struct auth_keyring *keyring, enum auth_subject_part part,
                       const uint8_t batch[CT_UUID_BYTES], uint32_t ordinal, const void *plain,
                       size_t length, uint8_t *ret_sealed)
{
    const struct auth_secret *secret = keyring->subject_current;
    struct associated with = subject_of(part, batch, ordinal);
    memcpy(ret_sealed, secret->id, sizeof secret->id);
    seal(secret->key, &with, plain, length, ret_sealed + sizeof secret->id);
}

enum ct_status auth_subject_open(const struct auth_keyring *keyring, enum auth_subject_part part,
                                 const uint8_t batch[CT_UUID_BYTES], uint32_t ordinal,
                                 const void *sealed, size_t sealed_length, uint8_t *ret_plain,
                                 size_t *ret_length)
{
    if (sealed_length < AUTH_SUBJECT_OVERHEAD)
        return CT_CRYPTO;
    const uint8_t *bytes = sealed;
    const struct auth_secret *secret =
        auth_secret_find(keyring->subject, keyring->subject_count, bytes);
    if (secret == NULL)
        return CT_NOT_FOUND;
    struct associated with = subject_of(part, batch, ordinal);
    return unseal(secret->key, &with, bytes + sizeof secret->id, sealed_length - sizeof secret->id,
                  ret_plain, ret_length);
}
