// SPDX-License-Identifier: Apache-2.0
/* Verifier and signing keys of signed notes. */
#include "accesslog/internal.h"

#include <sodium.h>
#include <string.h>

static bool type_is_known(enum accesslog_key_type type)
{
    return type == ACCESSLOG_KEY_ED25519 || type == ACCESSLOG_KEY_COSIGNATURE;
}

static void key_id(const char *name, uint8_t type, const uint8_t public_key[32], uint8_t ret_id[4])
{
    struct accesslog_hash hash;
    const struct hash_part parts[] = {
        {name, strlen(name)}, {"\n", 1}, {&type, 1}, {public_key, 32}};
    hash_parts(parts, 4, &hash);
    memcpy(ret_id, hash.bytes, 4);
}

static enum accesslog_status verifier_make(const char *name, size_t name_length,
                                           enum accesslog_key_type type,
                                           const uint8_t public_key[32],
                                           struct accesslog_verifier *ret_verifier)
{
    if (!type_is_known(type) || !text_is_name(name, name_length))
        return ACCESSLOG_BAD_INPUT;
    struct accesslog_verifier verifier = {.type = type};
    memcpy(verifier.name, name, name_length);
    memcpy(verifier.public_key, public_key, sizeof verifier.public_key);
    key_id(verifier.name, (uint8_t)type, public_key, verifier.id);
    *ret_verifier = verifier;
    return ACCESSLOG_OK;
}

enum accesslog_status accesslog_verifier_init(const char *name, enum accesslog_key_type type,
                                              const uint8_t public_key[32],
                                              struct accesslog_verifier *ret_verifier)
{
    return verifier_make(name, strlen(name), type, public_key, ret_verifier);
}

static void hex8(const uint8_t id[4], char ret_text[9])
{
    sodium_bin2hex(ret_text, 9, id, 4);
}

enum accesslog_status accesslog_verifier_parse(const char *text, size_t length,
                                               struct accesslog_verifier *ret_verifier)
{
    const struct text_reader r = text_read(text, length);
    const char *end = r.end;
    const char *plus = length == 0 ? NULL : memchr(text, '+', length);
    /* Behind the name: eight digits and the second plus. */
    if (plus == NULL || end - plus < 10 || plus[9] != '+')
        return ACCESSLOG_MALFORMED;
    uint8_t blob[1 + 32];
    size_t count;
    if (!text_base64(plus + 10, (size_t)(end - plus) - 10, blob, sizeof blob, &count) ||
        count != sizeof blob)
        return ACCESSLOG_MALFORMED;
    struct accesslog_verifier verifier;
    if (verifier_make(text, (size_t)(plus - text), (enum accesslog_key_type)blob[0], blob + 1,
                      &verifier) != ACCESSLOG_OK)
        return ACCESSLOG_MALFORMED;
    char id[9];
    hex8(verifier.id, id);
    if (memcmp(id, plus + 1, 8) != 0)
        return ACCESSLOG_MALFORMED;
    *ret_verifier = verifier;
    return ACCESSLOG_OK;
}

size_t accesslog_verifier_format(const struct accesslog_verifier *verifier, char *ret_text,
                                 size_t capacity)
{
    char id[9];
    hex8(verifier->id, id);
    uint8_t blob[1 + 32];
    blob[0] = (uint8_t)verifier->type;
    memcpy(blob + 1, verifier->public_key, 32);
    struct text_writer w;
    text_begin(&w, ret_text, capacity);
    text_put_string(&w, verifier->name);
    text_put_char(&w, '+');
    text_put_string(&w, id);
    text_put_char(&w, '+');
    text_put_base64(&w, blob, sizeof blob);
    return text_end(&w);
}

enum accesslog_status accesslog_signer_init(const char *name, enum accesslog_key_type type,
                                            const uint8_t seed[ACCESSLOG_SEED_BYTES],
                                            struct accesslog_signer *ret_signer)
{
    /* Checked before anything secret is written. */
    if (!type_is_known(type) || !text_is_name(name, strlen(name)))
        return ACCESSLOG_BAD_INPUT;
    uint8_t public_key[32];
    if (crypto_sign_seed_keypair(public_key, ret_signer->secret_key, seed) != 0)
        return ACCESSLOG_BAD_INPUT;
    return verifier_make(name, strlen(name), type, public_key, &ret_signer->verifier);
}

void accesslog_signer_wipe(struct accesslog_signer *signer)
{
    if (signer != NULL)
        sodium_memzero(signer, sizeof *signer);
}
