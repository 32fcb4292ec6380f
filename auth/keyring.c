// SPDX-License-Identifier: Apache-2.0
#include "auth/internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEYRING_FILE_MAX (256u << 10)

bool auth_origin_valid(const char *origin)
{
    size_t length = strlen(origin);
    if (length == 0 || length > AUTH_ORIGIN_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (origin[i] <= ' ' || origin[i] > '~' || origin[i] == '+')
            return false;
    }
    return strstr(origin, "://") == NULL;
}

const struct auth_secret *auth_secret_find(const struct auth_secret *secrets, size_t count,
                                           const uint8_t id[AUTH_KEY_ID_BYTES])
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(secrets[i].id, id, AUTH_KEY_ID_BYTES) == 0)
            return &secrets[i];
    }
    return NULL;
}

/* ---- reading --------------------------------------------------------------------------- */

/* Exactly count bytes of hex. The text of a secret never reaches an error message. */
static bool read_hex(const json_t *value, uint8_t *ret, size_t count)
{
    const char *text = json_string_value(value);
    return text != NULL && ct_hex_decode(text, json_string_length(value), ret, count) == CT_OK;
}

static enum ct_status read_log_keys(const json_t *list, struct auth_keyring *keyring,
                                    struct ct_error *err)
{
    size_t count = json_array_size(list);
    if (count == 0 || count > AUTH_LOG_KEYS_MAX) {
        ct_error_set(err, "the keyring needs 1 to %d log_keys", AUTH_LOG_KEYS_MAX);
        return CT_BAD_INPUT;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        const char *name = ct_json_string(item, "name");
        struct auth_log_secret *key = &keyring->log[i];
        uint8_t secret[crypto_sign_SECRETKEYBYTES];
        if (name == NULL || strcmp(name, keyring->origin) != 0 || json_object_size(item) != 2 ||
            !read_hex(json_object_get(item, "seed"), key->seed, sizeof key->seed)) {
            ct_error_set(err, "log key %zu of the keyring needs a seed, and the origin as its name",
                         i + 1);
            return CT_BAD_INPUT;
        }
        (void)crypto_sign_seed_keypair(key->public_key, secret, key->seed);
        sodium_memzero(secret, sizeof secret);
    }
    keyring->log_count = count;
    return CT_OK;
}

static enum ct_status read_secrets(const json_t *list, const char *what,
                                   struct auth_secret *secrets, size_t max, size_t *ret_count,
                                   struct ct_error *err)
{
    size_t count = json_array_size(list);
    if (count == 0 || count > max) {
        ct_error_set(err, "the keyring needs 1 to %zu %s", max, what);
        return CT_BAD_INPUT;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(list, i);
        struct auth_secret *secret = &secrets[i];
        if (json_object_size(item) != 2 ||
            !read_hex(json_object_get(item, "id"), secret->id, sizeof secret->id) ||
            !read_hex(json_object_get(item, "key"), secret->key, sizeof secret->key)) {
            ct_error_set(err, "%s %zu of the keyring needs an id of 8 and a key of 64 hex digits",
                         what, i + 1);
            return CT_BAD_INPUT;
        }
        if (auth_secret_find(secrets, i, secret->id) != NULL) {
            ct_error_set(err, "%s %zu of the keyring has the id of another", what, i + 1);
            return CT_BAD_INPUT;
        }
        ct_hex_encode(secret->id, sizeof secret->id, secret->id_text);
    }
    *ret_count = count;
    return CT_OK;
}

static const struct auth_secret *find_current(const json_t *current, const char *member,
                                              const struct auth_secret *secrets, size_t count)
{
    uint8_t id[AUTH_KEY_ID_BYTES];
    if (!read_hex(json_object_get(current, member), id, sizeof id))
        return NULL;
    return auth_secret_find(secrets, count, id);
}

static enum ct_status read_keyring(json_t *json, struct auth_keyring *keyring, struct ct_error *err)
{
    int version = 0;
    const char *origin = NULL;
    json_t *log = NULL, *purchaser = NULL, *subject = NULL, *credential = NULL, *mac = NULL;
    json_t *current = NULL;
    json_error_t where;

    if (json_unpack_ex(json, &where, JSON_STRICT, "{s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "v",
                       &version, "origin", &origin, "log_keys", &log, "purchaser_keys", &purchaser,
                       "subject_keys", &subject, "credential_key", &credential, "request_mac_key",
                       &mac, "current", &current) != 0 ||
        version != 1) {
        ct_error_set(err, "not a keyring of version 1");
        return CT_BAD_INPUT;
    }
    if (!auth_origin_valid(origin)) {
        ct_error_set(err, "the keyring's origin is not a URL without scheme");
        return CT_BAD_INPUT;
    }
    memcpy(keyring->origin, origin, strlen(origin) + 1);
    enum ct_status status = read_log_keys(log, keyring, err);
    if (status == CT_OK)
        status = read_secrets(purchaser, "purchaser_keys", keyring->purchaser,
                              AUTH_PURCHASER_KEYS_MAX, &keyring->purchaser_count, err);
    if (status == CT_OK)
        status = read_secrets(subject, "subject_keys", keyring->subject, AUTH_SUBJECT_KEYS_MAX,
                              &keyring->subject_count, err);
    if (status != CT_OK)
        return status;
    keyring->purchaser_current =
        find_current(current, "purchaser_key", keyring->purchaser, keyring->purchaser_count);
    keyring->subject_current =
        find_current(current, "subject_key", keyring->subject, keyring->subject_count);
    if (keyring->purchaser_current == NULL || keyring->subject_current == NULL) {
        ct_error_set(err, "the keyring's current keys are not among its keys");
        return CT_BAD_INPUT;
    }
    if (!read_hex(credential, keyring->credential_key, sizeof keyring->credential_key) ||
        !read_hex(mac, keyring->request_mac_key, sizeof keyring->request_mac_key)) {
        ct_error_set(err, "the keyring's credential_key and request_mac_key need 64 hex digits");
        return CT_BAD_INPUT;
    }
    return CT_OK;
}

/* ---- the file -------------------------------------------------------------------------- */

static enum ct_status open_private(const char *path, uid_t owner, int *ret_fd, size_t *ret_size,
                                   struct ct_error *err)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        int cause = errno;
        ct_error_set(err, "cannot open keyring %s: %s", path, strerror(cause));
        return cause == ENOENT ? CT_NOT_FOUND : CT_IO;
    }
    enum ct_status status = CT_OK;
    if (owner == AUTH_OWNER_SELF)
        owner = geteuid();
    if (fstat(fd, &about) != 0) {
        ct_error_set(err, "cannot read keyring %s: %s", path, strerror(errno));
        status = CT_IO;
    } else if (!S_ISREG(about.st_mode)) {
        ct_error_set(err, "keyring %s is not a file", path);
        status = CT_REFUSED;
    } else if (about.st_uid != owner) {
        ct_error_set(err, "keyring %s belongs to user %lu instead of %lu, which runs this", path,
                     (unsigned long)about.st_uid, (unsigned long)owner);
        status = CT_REFUSED;
    } else if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        ct_error_set(
            err, "keyring %s has mode %04o: others than its owner have a right to it (chmod 600)",
            path, (unsigned)about.st_mode & 07777);
        status = CT_REFUSED;
    } else if (about.st_size <= 0 || about.st_size > (off_t)KEYRING_FILE_MAX) {
        ct_error_set(err, "keyring %s has %lld bytes: not a keyring", path,
                     (long long)about.st_size);
        status = CT_BAD_INPUT;
    }
    if (status != CT_OK) {
        (void)close(fd);
        return status;
    }
    *ret_fd = fd;
    *ret_size = (size_t)about.st_size;
    return CT_OK;
}

static bool read_all(int fd, char *bytes, size_t length)
{
    size_t done = 0;
    while (done < length) {
        ssize_t count = read(fd, bytes + done, length - done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        done += (size_t)count;
    }
    return true;
}

/* sodium_malloc() has tried to lock already and keeps quiet when that fails. */
static void protect(struct auth_keyring *keyring)
{
    if (sodium_mlock(keyring, sizeof *keyring) != 0)
        ct_log(CT_LOG_WARNING,
               "the keyring's memory cannot be locked (%s): keys may be swapped to disk; "
               "raise RLIMIT_MEMLOCK",
               strerror(errno));
    if (sodium_mprotect_readonly(keyring) != 0)
        ct_log(CT_LOG_WARNING, "the keyring's memory cannot be made read-only: %s",
               strerror(errno));
}

enum ct_status auth_keyring_json(const char *path, uid_t owner, int *ret_fd, json_t **ret,
                                 struct ct_error *err)
{
    const struct ct_json_limits limits = {.depth = 4, .values = 4096};
    int fd = -1;
    size_t length = 0;
    enum ct_status status = open_private(path, owner, &fd, &length, err);
    if (status != CT_OK)
        return status;
    char *text = sodium_malloc(length);
    if (text == NULL) {
        ct_error_set(err, "no memory for the keyring");
        status = CT_NO_MEMORY;
    } else if (!read_all(fd, text, length)) {
        ct_error_set(err, "cannot read keyring %s", path);
        status = CT_IO;
    } else {
        status = ct_json_decode(text, length, limits, ret, err);
        if (status == CT_LIMIT)
            status = CT_BAD_INPUT;
    }
    sodium_free(text);
    if (status == CT_OK)
        *ret_fd = fd;
    else
        (void)close(fd);
    return status;
}

enum ct_status auth_keyring_load(const char *path, uid_t owner, struct auth_keyring **ret,
                                 struct ct_error *err)
{
    json_t *json = NULL;
    int fd = -1;
    enum ct_status status = auth_keyring_json(path, owner, &fd, &json, err);
    if (status != CT_OK)
        return status;
    struct auth_keyring *keyring = sodium_malloc(sizeof *keyring);
    if (keyring == NULL) {
        ct_error_set(err, "no memory for the keyring");
        status = CT_NO_MEMORY;
        goto out;
    }
    sodium_memzero(keyring, sizeof *keyring);
    status = read_keyring(json, keyring, err);
    if (status != CT_OK) {
        if (status == CT_LIMIT)
            status = CT_BAD_INPUT;
        goto out;
    }
    protect(keyring);
    *ret = keyring;
    keyring = NULL;
out:
    json_decref(json);
    sodium_free(keyring);
    (void)close(fd);
    return status;
}

void auth_keyring_free(struct auth_keyring *keyring)
{
    sodium_free(keyring);
}

/* ---- reading it ------------------------------------------------------------------------ */

const char *auth_keyring_origin(const struct auth_keyring *keyring)
{
    return keyring->origin;
}

size_t auth_keyring_log_key_count(const struct auth_keyring *keyring)
{
    return keyring->log_count;
}

void auth_keyring_log_key(const struct auth_keyring *keyring, size_t index,
                          struct auth_log_key *ret)
{
    assert(index < keyring->log_count);
    ret->name = keyring->origin;
    ret->seed = keyring->log[index].seed;
    ret->public_key = keyring->log[index].public_key;
}

const char *auth_keyring_purchaser_key(const struct auth_keyring *keyring)
{
    return keyring->purchaser_current->id_text;
}

const char *auth_keyring_subject_key(const struct auth_keyring *keyring)
{
    return keyring->subject_current->id_text;
}

static bool has(const struct auth_secret *secrets, size_t count, const char *id_text)
{
    uint8_t id[AUTH_KEY_ID_BYTES];
    return ct_hex_decode(id_text, strlen(id_text), id, sizeof id) == CT_OK &&
           auth_secret_find(secrets, count, id) != NULL;
}

bool auth_keyring_has_purchaser_key(const struct auth_keyring *keyring, const char *id)
{
    return has(keyring->purchaser, keyring->purchaser_count, id);
}

bool auth_keyring_has_subject_key(const struct auth_keyring *keyring, const char *id)
{
    return has(keyring->subject, keyring->subject_count, id);
}
