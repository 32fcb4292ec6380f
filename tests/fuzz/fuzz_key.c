// SPDX-License-Identifier: Apache-2.0
/* Authorization headers: any bytes. A header that is taken must be one that we would have written.
 */
#include "auth/auth.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct auth_keyring *keyring;

static void prepare(void)
{
    char folder[] = "/tmp/casetrace-fuzz-XXXXXX";
    char path[64];
    struct ct_error err = {0};
    if (auth_init() != CT_OK || mkdtemp(folder) == NULL)
        abort();
    (void)snprintf(path, sizeof path, "%s/keyring", folder);
    if (auth_keyring_create(path, "fuzz.example/log", AUTH_OWNER_SELF, AUTH_GROUP_SELF, &err) !=
            CT_OK ||
        auth_keyring_load(path, AUTH_OWNER_SELF, &keyring, &err) != CT_OK)
        abort();
    (void)unlink(path);
    (void)rmdir(folder);
}

/* Right checksums are not found by chance: what follows "K" is made into a key. */
static void check_made_key(const uint8_t *data, size_t size)
{
    uint8_t input[16 + 32] = "casetrace key v1";
    uint8_t raw[36] = {0}, hash[32], digest[AUTH_DIGEST_BYTES];
    char text[AUTH_KEY_TEXT] = "ctk_";
    memcpy(raw, data, size > 32 ? 32 : size);
    memcpy(input + 16, raw, 32);
    (void)crypto_hash_sha256(hash, input, sizeof input);
    memcpy(raw + 32, hash, 4);
    (void)sodium_bin2base64(text + 4, sizeof text - 4, raw, sizeof raw,
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    if (auth_key_digest(keyring, text, AUTH_KEY_LENGTH, digest) != CT_OK)
        abort();
    if (size > 33) {
        text[data[32] % AUTH_KEY_LENGTH] ^= (char)(data[33] | 1);
        if (auth_key_digest(keyring, text, AUTH_KEY_LENGTH, digest) == CT_OK)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t digest[AUTH_DIGEST_BYTES];
    const char *token = NULL;
    size_t length = 0;
    if (keyring == NULL)
        prepare();
    if (size > 0 && data[0] == 'K')
        check_made_key(data + 1, size - 1);
    (void)auth_key_well_formed((const char *)data, size);

    char *header = malloc(size + 1);
    if (header == NULL)
        return 0;
    memcpy(header, data, size);
    header[size] = '\0';
    if (auth_bearer_parse(header, &token, &length) == CT_OK) {
        if (strncasecmp(header, "bearer ", 7) != 0 || token != header + 7 || length == 0 ||
            token[length] != '\0')
            abort();
    }
    if (auth_bearer_digest(keyring, header, digest) == CT_OK &&
        (length != AUTH_KEY_LENGTH || !auth_key_well_formed(token, length)))
        abort();
    free(header);
    return 0;
}
