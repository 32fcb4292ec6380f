// SPDX-License-Identifier: Apache-2.0
#include "auth/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

json_t *auth_random_hex(size_t count)
{
    uint8_t bytes[AUTH_SECRET_BYTES];
    char text[2 * sizeof bytes + 1];
    randombytes_buf(bytes, count);
    ct_hex_encode(bytes, count, text);
    json_t *value = json_string(text);
    sodium_memzero(bytes, sizeof bytes);
    sodium_memzero(text, sizeof text);
    return value;
}

/* The keyring's text in memory of free(); NULL when there is none. */
static char *new_keyring_text(const char *origin)
{
    json_t *purchaser = auth_random_hex(AUTH_KEY_ID_BYTES);
    json_t *subject = auth_random_hex(AUTH_KEY_ID_BYTES);
    char *text = NULL;
    json_t *json = json_pack(
        "{s:i, s:s, s:[{s:s, s:o}], s:[{s:O, s:o}], s:[{s:O, s:o}], s:o, s:o, s:{s:O, s:O}}", "v",
        1, "origin", origin, "log_keys", "name", origin, "seed", auth_random_hex(AUTH_SECRET_BYTES),
        "purchaser_keys", "id", purchaser, "key", auth_random_hex(AUTH_SECRET_BYTES),
        "subject_keys", "id", subject, "key", auth_random_hex(AUTH_SECRET_BYTES), "credential_key",
        auth_random_hex(AUTH_SECRET_BYTES), "request_mac_key", auth_random_hex(AUTH_SECRET_BYTES),
        "current", "purchaser_key", purchaser, "subject_key", subject);
    if (json != NULL)
        text = json_dumps(json, JSON_INDENT(2));
    json_decref(json);
    json_decref(purchaser);
    json_decref(subject);
    return text;
}

static enum ct_status write_file(int fd, const char *text, uid_t owner, gid_t group)
{
    size_t left = strlen(text);
    if (fchmod(fd, S_IRUSR | S_IWUSR) != 0)
        return CT_IO;
    while (left > 0) {
        ssize_t count = write(fd, text, left);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return CT_IO;
        text += count;
        left -= (size_t)count;
    }
    if ((owner != AUTH_OWNER_SELF || group != AUTH_GROUP_SELF) && fchown(fd, owner, group) != 0)
        return CT_IO;
    return fsync(fd) == 0 ? CT_OK : CT_IO;
}

static enum ct_status sync_folder(const char *path)
{
    char copy[PATH_MAX];
    (void)snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return CT_IO;
    enum ct_status status = fsync(fd) == 0 ? CT_OK : CT_IO;
    (void)close(fd);
    return status;
}

/* The file gets its name only when it is whole. link() does not replace one that is there. */
enum ct_status auth_keyring_write(const char *path, const char *text, uid_t owner, gid_t group,
                                  bool replace)
{
    char temporary[PATH_MAX];
    int length = snprintf(temporary, sizeof temporary, "%s.%08x.new", path, randombytes_random());
    if (length < 0 || (size_t)length >= sizeof temporary) {
        errno = ENAMETOOLONG;
        return CT_IO;
    }
    int fd =
        open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return CT_IO;
    enum ct_status status = write_file(fd, text, owner, group);
    if (status == CT_OK && replace)
        status = rename(temporary, path) == 0 ? CT_OK : CT_IO;
    else if (status == CT_OK && link(temporary, path) != 0)
        status = errno == EEXIST ? CT_REFUSED : CT_IO;
    int cause = errno;
    (void)close(fd);
    if (status != CT_OK || !replace)
        (void)unlink(temporary);
    errno = cause;
    return status == CT_OK ? sync_folder(path) : status;
}

enum ct_status auth_keyring_create(const char *path, const char *origin, uid_t owner, gid_t group,
                                   struct ct_error *err)
{
    if (!auth_origin_valid(origin)) {
        ct_error_set(err,
                     "the origin must be a URL without scheme, such as casetrace.example/log: "
                     "at most %d bytes, without space and plus",
                     AUTH_ORIGIN_MAX);
        return CT_BAD_INPUT;
    }
    char *text = new_keyring_text(origin);
    if (text == NULL) {
        ct_error_set(err, "no memory for a keyring");
        return CT_NO_MEMORY;
    }
    enum ct_status status = auth_keyring_write(path, text, owner, group, false);
    if (status == CT_REFUSED)
        ct_error_set(err, "there is already a keyring %s", path);
    else if (status != CT_OK)
        ct_error_set(err, "cannot write keyring %s: %s", path, strerror(errno));
    sodium_memzero(text, strlen(text));
    free(text);
    return status;
}
