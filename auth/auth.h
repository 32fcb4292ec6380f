// SPDX-License-Identifier: Apache-2.0
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

/* The secrets: the keyring and all that is done with its keys. Sealing and opening of purchasers
 * and log subjects, API keys, the MAC of a repeated request. No database, no network.
 *
 * Threads: a keyring does not change after it is loaded; every function that takes a const
 * keyring may run in any number of threads at once. None of them allocates memory. */

#include "base/base.h"

#include <sys/types.h>

/* Prepares libsodium, and makes jansson clear what it frees: the keyring and purchasers pass
 * through it. To be called first in main, before any thread and any JSON value.
 * Errors: CT_CRYPTO: the program must end. */
enum ct_status auth_init(void) CT_MUST_CHECK;

/* ---- keyring --------------------------------------------------------------------------- */

#define AUTH_ORIGIN_MAX 200  /* bytes of the log's origin, without NUL */
#define AUTH_SECRET_BYTES 32 /* every key of the keyring */
#define AUTH_KEY_ID_TEXT 9   /* id of a purchaser or subject key: 8 hex digits and a NUL */
#define AUTH_OWNER_SELF ((uid_t)-1)
#define AUTH_GROUP_SELF ((gid_t)-1)

struct auth_keyring;

/* Writes a new keyring with random keys to path: mode 0600, whole or not at all, on disk when
 * this returns. An existing file is never touched.
 * origin: URL without scheme, as in a checkpoint; AUTH_ORIGIN_MAX bytes at most.
 * owner, group: whose file it becomes (needs root), or AUTH_OWNER_SELF and AUTH_GROUP_SELF.
 * Errors: CT_REFUSED (there is one already), CT_BAD_INPUT (origin), CT_IO, CT_NO_MEMORY. */
enum ct_status auth_keyring_create(const char *path, const char *origin, uid_t owner, gid_t group,
                                   struct ct_error *err) CT_MUST_CHECK;

/* What a rotation does. */
enum auth_rotation {
    AUTH_ROTATE_LOG,        /* a second log key, which signs beside the first from now on */
    AUTH_ROTATE_LOG_FINISH, /* the first one, which was before, is removed */
    AUTH_ROTATE_SUBJECT,    /* a new subject key; those before open what they sealed */
};

/* Changes the keyring's file, in place of the one that is there and with its owner: whole or not at
 * all, on disk when this returns. Who has loaded it before keeps what it has.
 * owner: as for auth_keyring_load().
 * Errors: CT_REFUSED (a rotation of the log key has begun already, or none has; somebody else
 *         rotates at this moment), CT_LIMIT (the keyring holds no more keys), and as
 *         auth_keyring_load(). */
enum ct_status auth_keyring_rotate(const char *path, uid_t owner, enum auth_rotation rotation,
                                   struct ct_error *err) CT_MUST_CHECK;

/* Reads a keyring into one guarded, locked and read-only block of memory. Says in the operational
 * log when the memory cannot be locked.
 * owner:  who must own the file: AUTH_OWNER_SELF, or as root the user that the keeper runs as.
 * Owner:  *ret is the caller's, auth_keyring_free().
 * Errors: CT_NOT_FOUND (no such file), CT_REFUSED (somebody else owns it, or group or others have
 *         any right to it), CT_BAD_INPUT (not a keyring), CT_IO, CT_NO_MEMORY. */
enum ct_status auth_keyring_load(const char *path, uid_t owner, struct auth_keyring **ret,
                                 struct ct_error *err) CT_MUST_CHECK;

/* Clears and frees. NULL is safe. Threads: none may still use it. */
void auth_keyring_free(struct auth_keyring *keyring);

/* The log's origin, which is also the name of its keys. Lives as long as the keyring. */
const char *auth_keyring_origin(const struct auth_keyring *keyring);

/* A key that signs checkpoints (Ed25519). The pointers live as long as the keyring. */
struct auth_log_key {
    const char *name;
    const uint8_t *seed;       /* AUTH_SECRET_BYTES: secret */
    const uint8_t *public_key; /* 32 bytes */
};

/* How many keys sign: one, and two while a rotation lasts. */
size_t auth_keyring_log_key_count(const struct auth_keyring *keyring);
/* The key at index; 0 is the current one. index must be below the count (asserted). */
void auth_keyring_log_key(const struct auth_keyring *keyring, size_t index,
                          struct auth_log_key *ret);

/* Ids of the keys that seal now. Live as long as the keyring. */
const char *auth_keyring_purchaser_key(const struct auth_keyring *keyring);
const char *auth_keyring_subject_key(const struct auth_keyring *keyring);
/* Whether what was sealed under that id can be opened. */
bool auth_keyring_has_purchaser_key(const struct auth_keyring *keyring, const char *id);
bool auth_keyring_has_subject_key(const struct auth_keyring *keyring, const char *id);

/* ---- sealing --------------------------------------------------------------------------- */

/* XChaCha20-Poly1305 with a random nonce: bytes by which what is sealed grows. */
#define AUTH_PURCHASER_OVERHEAD 40 /* nonce, text, tag */
#define AUTH_SUBJECT_OVERHEAD 44   /* key id, nonce, text, tag */
#define AUTH_SEAL_MAX (1u << 20)   /* bytes of plain text, at most (asserted) */

/* Seals a purchaser's JSON document under the current key; the sale's id is associated data, so
 * that it opens for that sale only.
 * ret_sealed: room for length + AUTH_PURCHASER_OVERHEAD bytes, all of which are written; must not
 * overlap plain. The key's id, auth_keyring_purchaser_key(), is to be stored beside it. */
void auth_purchaser_seal(const struct auth_keyring *keyring, const uint8_t sale[CT_UUID_BYTES],
                         const void *plain, size_t length, uint8_t *ret_sealed);

/* Opens it again. key_id: as stored beside it.
 * ret_plain: room for sealed_length - AUTH_PURCHASER_OVERHEAD bytes; the caller clears it.
 * Errors: CT_NOT_FOUND (the keyring has no such key), CT_CRYPTO (does not open: altered, or
 *         another sale's); ret_plain then holds nothing of it, *ret_length is untouched. */
enum ct_status auth_purchaser_open(const struct auth_keyring *keyring, const char *key_id,
                                   const uint8_t sale[CT_UUID_BYTES], const void *sealed,
                                   size_t sealed_length, uint8_t *ret_plain,
                                   size_t *ret_length) CT_MUST_CHECK;

/* Which sealed column of a log entry: one cannot stand for the other. */
enum auth_subject_part {
    AUTH_SUBJECT = 1,
    AUTH_SUBJECT_SALT = 2,
};

/* Seals the subject of a log entry, or its salt, under the current subject key; batch and ordinal
 * (1 …, as rows carry them) are associated data. The key's id stands in front of the result.
 * ret_sealed: room for length + AUTH_SUBJECT_OVERHEAD bytes, all of which are written. */
void auth_subject_seal(const struct auth_keyring *keyring, enum auth_subject_part part,
                       const uint8_t batch[CT_UUID_BYTES], uint32_t ordinal, const void *plain,
                       size_t length, uint8_t *ret_sealed);

/* Opens it again. ret_plain: room for sealed_length - AUTH_SUBJECT_OVERHEAD bytes.
 * Errors: as auth_purchaser_open(). */
enum ct_status auth_subject_open(const struct auth_keyring *keyring, enum auth_subject_part part,
                                 const uint8_t batch[CT_UUID_BYTES], uint32_t ordinal,
                                 const void *sealed, size_t sealed_length, uint8_t *ret_plain,
                                 size_t *ret_length) CT_MUST_CHECK;

/* ---- API keys -------------------------------------------------------------------------- */

#define AUTH_KEY_LENGTH 52                  /* "ctk_" and 48 characters of base64url */
#define AUTH_KEY_TEXT (AUTH_KEY_LENGTH + 1) /* and a NUL */
#define AUTH_DIGEST_BYTES 32

/* Makes a key: its text, to be shown once and cleared, and the digest, to be stored. */
void auth_key_generate(const struct auth_keyring *keyring, char ret_text[AUTH_KEY_TEXT],
                       uint8_t ret_digest[AUTH_DIGEST_BYTES]);

/* Whether text has the form and the checksum of a key: what a typing error or a cut-off paste does
 * not have. Needs no keyring; says nothing about whether the key is anybody's. */
bool auth_key_well_formed(const char *text, size_t length);

/* The digest under which a key is stored. Errors: CT_BAD_INPUT (form or checksum). */
enum ct_status auth_key_digest(const struct auth_keyring *keyring, const char *text, size_t length,
                               uint8_t ret_digest[AUTH_DIGEST_BYTES]) CT_MUST_CHECK;

/* Finds the token in the value of an Authorization header: the word Bearer in any case, exactly
 * one space, then one or more token characters of RFC 6750 and nothing after them.
 * Owner:  *ret_token points into header.
 * Errors: CT_NOT_FOUND (empty header), CT_BAD_INPUT (another scheme, or not of that form). */
enum ct_status auth_bearer_parse(const char *header, const char **ret_token,
                                 size_t *ret_length) CT_MUST_CHECK;

/* Both in one: from header to digest. Errors: CT_NOT_FOUND, CT_BAD_INPUT. */
enum ct_status auth_bearer_digest(const struct auth_keyring *keyring, const char *header,
                                  uint8_t ret_digest[AUTH_DIGEST_BYTES]) CT_MUST_CHECK;

/* ---- repeated requests ----------------------------------------------------------------- */

#define AUTH_MAC_BYTES 32

struct auth_field {
    const char *name;
    const char *value;
};

/* What tells whether a request under a known Idempotency-Key is the same request. Keyed, since a
 * plain hash would let a reader of the database guess purchasers. Every part goes in with its
 * length, so that no two requests run together; query in the order sent. Compare with
 * auth_mac_equal(). */
void auth_request_mac(const struct auth_keyring *keyring, const char *operation,
                      const char *const *path, size_t path_count, const struct auth_field *query,
                      size_t query_count, const void *body, size_t body_length,
                      uint8_t ret_mac[AUTH_MAC_BYTES]);

/* ---- what log entries touched ----------------------------------------------------------- */

#define AUTH_TOKEN_BYTES 16

enum auth_token_of {
    AUTH_TOKEN_FIREARM, /* id: its uuid */
    AUTH_TOKEN_ENTRY,   /* id: the index of a log entry, big-endian, after eight zero bytes */
};

/* Stands for a firearm, or an entry of the log, in the table that says which entries touched it:
 * equal for equal ids, and to who has not the keyring no more than random bytes. It hangs on
 * request_mac_key: under another one, entries made before are not found again by their tokens. */
void auth_token(const struct auth_keyring *keyring, enum auth_token_of of,
                const uint8_t id[CT_UUID_BYTES], uint8_t ret_token[AUTH_TOKEN_BYTES]);
/* The token of the entry at index. */
void auth_token_entry(const struct auth_keyring *keyring, uint64_t index,
                      uint8_t ret_token[AUTH_TOKEN_BYTES]);

/* Compares in constant time. */
bool auth_mac_equal(const uint8_t a[AUTH_MAC_BYTES], const uint8_t b[AUTH_MAC_BYTES]);

#endif
