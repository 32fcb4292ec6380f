// SPDX-License-Identifier: Apache-2.0
#ifndef AUTH_INTERNAL_H
#define AUTH_INTERNAL_H

#include "auth/auth.h"

/* A log key during a rotation beside the one before; a purchaser key a year and the old ones
 * until they are resealed; a subject key a month for forty years. */
#define AUTH_LOG_KEYS_MAX 4
#define AUTH_PURCHASER_KEYS_MAX 64
#define AUTH_SUBJECT_KEYS_MAX 512
#define AUTH_KEY_ID_BYTES 4

struct auth_log_secret {
    uint8_t seed[AUTH_SECRET_BYTES];
    uint8_t public_key[32];
};

struct auth_secret {
    uint8_t id[AUTH_KEY_ID_BYTES];
    char id_text[AUTH_KEY_ID_TEXT];
    uint8_t key[AUTH_SECRET_BYTES];
};

/* Lives in one sodium_malloc() block, so that all secrets lie between guard pages, are locked and
 * cleared together. */
struct auth_keyring {
    char origin[AUTH_ORIGIN_MAX + 1];
    size_t log_count;
    size_t purchaser_count;
    size_t subject_count;
    const struct auth_secret *purchaser_current;
    const struct auth_secret *subject_current;
    uint8_t credential_key[AUTH_SECRET_BYTES];
    uint8_t request_mac_key[AUTH_SECRET_BYTES];
    struct auth_log_secret log[AUTH_LOG_KEYS_MAX];
    struct auth_secret purchaser[AUTH_PURCHASER_KEYS_MAX];
    struct auth_secret subject[AUTH_SUBJECT_KEYS_MAX];
};

/* A log's origin: 1 … AUTH_ORIGIN_MAX bytes of printable ASCII without space and plus, since it
 * is also a name in verifier keys, where both have a meaning. */
bool auth_origin_valid(const char *origin);

/* The keyring's file as JSON, and the file, open. Errors: as auth_keyring_load().
 * Owner: both are the caller's. */
enum ct_status auth_keyring_json(const char *path, uid_t owner, int *ret_fd, json_t **ret,
                                 struct ct_error *err) CT_MUST_CHECK;

/* Writes a keyring's text, whole or not at all, on disk when this returns.
 * replace: in the place of the one that is there. Errors: CT_REFUSED (there is one), CT_IO; errno
 * says why. */
enum ct_status auth_keyring_write(const char *path, const char *text, uid_t owner, gid_t group,
                                  bool replace) CT_MUST_CHECK;

/* That many random bytes (AUTH_SECRET_BYTES at most) as hex; NULL when there is no memory. */
json_t *auth_random_hex(size_t count);

/* The key with that id, or NULL. */
const struct auth_secret *auth_secret_find(const struct auth_secret *secrets, size_t count,
                                           const uint8_t id[AUTH_KEY_ID_BYTES]);

#endif
