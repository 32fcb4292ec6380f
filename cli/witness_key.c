// SPDX-License-Identifier: Apache-2.0
/* The key of a witness: one line PRIVATE+KEY+name+id+base64(type || seed), as other tools of the
 * signed note format have it. */
#include "cli/witness.h"

#include <sodium.h>
#include <string.h>

#define HEAD "PRIVATE+KEY+"
#define BLOB_BYTES (1 + ACCESSLOG_SEED_BYTES)
#define BLOB_TEXT 45 /* base64 with its NUL */

static bool name_fits(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && length <= WITNESS_NAME_MAX;
}

enum ct_status witness_key_create(const char *path, const char *name,
                                  struct accesslog_signer *ret_signer, struct ct_error *err)
{
    uint8_t blob[BLOB_BYTES];
    char base64[BLOB_TEXT];
    char id[9];
    char line[CLI_SECRET_MAX];
    struct accesslog_signer signer;
    blob[0] = ACCESSLOG_KEY_COSIGNATURE;
    randombytes_buf(blob + 1, ACCESSLOG_SEED_BYTES);
    if (!name_fits(name) ||
        accesslog_signer_init(name, ACCESSLOG_KEY_COSIGNATURE, blob + 1, &signer) != ACCESSLOG_OK) {
        ct_error_set(err, "a witness' name has 1 to %d bytes, without blanks and +",
                     WITNESS_NAME_MAX);
        return CT_BAD_INPUT;
    }
    ct_hex_encode(signer.verifier.id, sizeof signer.verifier.id, id);
    (void)sodium_bin2base64(base64, sizeof base64, blob, sizeof blob,
                            sodium_base64_VARIANT_ORIGINAL);
    int length = snprintf(line, sizeof line, HEAD "%s+%s+%s\n", name, id, base64);
    enum ct_status status =
        cli_file_create(path, line, (size_t)length, 0600, (uid_t)-1, (gid_t)-1, err);
    sodium_memzero(blob, sizeof blob);
    sodium_memzero(base64, sizeof base64);
    sodium_memzero(line, sizeof line);
    if (status == CT_OK)
        *ret_signer = signer;
    accesslog_signer_wipe(&signer);
    return status;
}

/* Takes the line apart; false if it is not a key. */
static bool parse(const char *line, struct accesslog_signer *ret_signer)
{
    char name[WITNESS_NAME_MAX + 1];
    char id[9];
    uint8_t blob[BLOB_BYTES];
    size_t count = 0;
    struct accesslog_signer signer;
    if (strncmp(line, HEAD, strlen(HEAD)) != 0)
        return false;
    line += strlen(HEAD);
    size_t length = strcspn(line, "+");
    if (length == 0 || length > WITNESS_NAME_MAX || strlen(line) < length + 10 ||
        line[length + 9] != '+')
        return false;
    memcpy(name, line, length);
    name[length] = '\0';
    const char *base64 = line + length + 10;
    bool good =
        sodium_base642bin(blob, sizeof blob, base64, strlen(base64), NULL, &count, NULL,
                          sodium_base64_VARIANT_ORIGINAL) == 0 &&
        count == sizeof blob && blob[0] == ACCESSLOG_KEY_COSIGNATURE &&
        accesslog_signer_init(name, ACCESSLOG_KEY_COSIGNATURE, blob + 1, &signer) == ACCESSLOG_OK;
    sodium_memzero(blob, sizeof blob);
    if (!good)
        return false;
    ct_hex_encode(signer.verifier.id, sizeof signer.verifier.id, id);
    good = memcmp(id, line + length + 1, 8) == 0;
    if (good)
        *ret_signer = signer;
    accesslog_signer_wipe(&signer);
    return good;
}

enum ct_status witness_key_read(const char *path, struct accesslog_signer *ret_signer,
                                struct ct_error *err)
{
    char line[CLI_SECRET_MAX];
    enum ct_status status = cli_secret_read(path, line, err);
    if (status == CT_OK && !parse(line, ret_signer)) {
        ct_error_set(err, "%s is not the key of a witness", path);
        status = CT_BAD_INPUT;
    }
    sodium_memzero(line, sizeof line);
    return status;
}
