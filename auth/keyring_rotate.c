// SPDX-License-Identifier: Apache-2.0
#include "auth/internal.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Two at once would each lose the other's key: who comes second finds the lock, or a file that is
 * not the one of that name any more. */
static enum ct_status lock_keyring(const char *path, int fd, struct stat *ret_about,
                                   struct ct_error *err)
{
    struct stat named;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, ret_about) == 0 && stat(path, &named) == 0 &&
        named.st_ino == ret_about->st_ino && named.st_dev == ret_about->st_dev)
        return CT_OK;
    ct_error_set(err, "keyring %s is being changed by somebody else", path);
    return CT_REFUSED;
}

static enum ct_status begin_log(json_t *json, struct ct_error *err)
{
    json_t *keys = json_object_get(json, "log_keys");
    if (json_array_size(keys) != 1) {
        ct_error_set(err, "a rotation of the log key has begun already: finish it first");
        return CT_REFUSED;
    }
    json_t *key = json_pack("{s:O, s:o}", "name", json_object_get(json, "origin"), "seed",
                            auth_random_hex(AUTH_SECRET_BYTES));
    return json_array_append_new(keys, key) == 0 ? CT_OK : CT_NO_MEMORY;
}

static enum ct_status finish_log(json_t *json, struct ct_error *err)
{
    json_t *keys = json_object_get(json, "log_keys");
    if (json_array_size(keys) != 2) {
        ct_error_set(err, "no rotation of the log key has begun");
        return CT_REFUSED;
    }
    return json_array_remove(keys, 0) == 0 ? CT_OK : CT_NO_MEMORY;
}

static enum ct_status add_subject(json_t *json, struct ct_error *err)
{
    json_t *keys = json_object_get(json, "subject_keys");
    json_t *id = NULL;
    size_t index;
    json_t *key;
    if (json_array_size(keys) >= AUTH_SUBJECT_KEYS_MAX) {
        ct_error_set(err, "the keyring holds %d subject keys, which are as many as it can",
                     AUTH_SUBJECT_KEYS_MAX);
        return CT_LIMIT;
    }
    for (bool taken = true; taken;) {
        json_decref(id);
        id = auth_random_hex(AUTH_KEY_ID_BYTES);
        taken = false;
        json_array_foreach(keys, index, key)
        {
            taken = taken || json_equal(json_object_get(key, "id"), id);
        }
    }
    key = json_pack("{s:O, s:o}", "id", id, "key", auth_random_hex(AUTH_SECRET_BYTES));
    bool added = id != NULL && json_array_append_new(keys, key) == 0 &&
                 json_object_set(json_object_get(json, "current"), "subject_key", id) == 0;
    json_decref(id);
    return added ? CT_OK : CT_NO_MEMORY;
}

static enum ct_status change(json_t *json, enum auth_rotation rotation, struct ct_error *err)
{
    enum ct_status status = rotation == AUTH_ROTATE_LOG          ? begin_log(json, err)
                            : rotation == AUTH_ROTATE_LOG_FINISH ? finish_log(json, err)
                                                                 : add_subject(json, err);
    if (status == CT_NO_MEMORY)
        ct_error_set(err, "no memory for a keyring");
    return status;
}

enum ct_status auth_keyring_rotate(const char *path, uid_t owner, enum auth_rotation rotation,
                                   struct ct_error *err)
{
    struct auth_keyring *valid = NULL;
    struct stat about;
    json_t *json = NULL;
    char *text = NULL;
    int fd = -1;
    /* What is not a keyring is not changed. */
    enum ct_status status = auth_keyring_load(path, owner, &valid, err);
    auth_keyring_free(valid);
    if (status == CT_OK)
        status = auth_keyring_json(path, owner, &fd, &json, err);
    if (status != CT_OK)
        return status;
    status = lock_keyring(path, fd, &about, err);
    if (status == CT_OK)
        status = change(json, rotation, err);
    if (status == CT_OK) {
        text = json_dumps(json, JSON_INDENT(2));
        status = text == NULL
                     ? CT_NO_MEMORY
                     : auth_keyring_write(
                           path, text, about.st_uid == geteuid() ? AUTH_OWNER_SELF : about.st_uid,
                           about.st_uid == geteuid() ? AUTH_GROUP_SELF : about.st_gid, true);
        if (status != CT_OK)
            ct_error_set(err, "cannot write keyring %s: %s", path, strerror(errno));
    }
    if (text != NULL)
        sodium_memzero(text, strlen(text));
    free(text);
    json_decref(json);
    (void)close(fd);
    return status;
}
