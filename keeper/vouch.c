// SPDX-License-Identifier: Apache-2.0
#include "keeper/vouch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OVERRIDE_MAX_BYTES 4096

static enum ct_status open_beside(const char *anchor, const char *suffix, char path[PATH_MAX],
                                  int *ret_fd, struct ct_error *err)
{
    int length = snprintf(path, PATH_MAX, "%s.%s", anchor, suffix);
    if (length < 0 || length >= PATH_MAX)
        return CT_NOT_FOUND; /* no file can have that name */
    *ret_fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*ret_fd >= 0)
        return CT_OK;
    if (errno == ENOENT)
        return CT_NOT_FOUND;
    ct_error_set(err, "cannot open %s: %s", path, strerror(errno));
    return CT_IO;
}

enum ct_status vouch_former(const char *anchor, const struct accesslog_verifier *known,
                            size_t known_count, struct accesslog_checkpoint *ret,
                            char ret_note[ANCHOR_PLACE_BYTES], struct ct_error *err)
{
    char path[PATH_MAX];
    int fd;
    enum ct_status status = open_beside(anchor, "former", path, &fd, err);
    if (status != CT_OK)
        return status;
    status = anchor_read(fd, known, known_count, ret, ret_note);
    (void)close(fd);
    if (status == CT_IO)
        ct_error_set(err, "cannot read %s: %s", path, strerror(errno));
    else if (status != CT_OK)
        ct_error_set(err, "%s holds no checkpoint that this keyring signed", path);
    return status == CT_NOT_FOUND ? CT_CRYPTO : status;
}

static enum ct_status read_override(int fd, char ret[OVERRIDE_MAX_BYTES], size_t *ret_length)
{
    struct stat about;
    ssize_t count = fstat(fd, &about) != 0 ? -1 : read(fd, ret, OVERRIDE_MAX_BYTES);
    if (count < 0)
        return CT_IO;
    if (!S_ISREG(about.st_mode) || (about.st_mode & (S_IWGRP | S_IWOTH)) != 0 ||
        (about.st_uid != geteuid() && about.st_uid != 0))
        return CT_REFUSED;
    *ret_length = (size_t)count;
    return CT_OK;
}

static enum ct_status parse_override(const char *bytes, size_t length, struct vouch_override *ret,
                                     struct ct_error *err)
{
    const struct ct_json_limits limits = {.depth = 2, .values = 16};
    json_t *json = NULL;
    json_int_t version = 0, epoch = -1;
    const char *reason = NULL, *by = NULL, *at = NULL;
    enum ct_status status = ct_json_decode(bytes, length, limits, &json, err);
    if (status != CT_OK)
        return CT_BAD_INPUT;
    if (json_unpack(json, "{s:I, s:I, s:s, s:s, s:s !}", "v", &version, "epoch", &epoch, "reason",
                    &reason, "by", &by, "at", &at) != 0 ||
        version != 1 || epoch < 0 || reason[0] == '\0') {
        ct_error_set(err, "not an override of version 1");
        json_decref(json);
        return CT_BAD_INPUT;
    }
    ret->epoch = epoch;
    ret->said = json_pack("{s:s, s:s, s:s}", "reason", reason, "by", by, "at", at);
    json_decref(json);
    return ret->said == NULL ? CT_NO_MEMORY : CT_OK;
}

enum ct_status vouch_override(const char *anchor, struct vouch_override *ret, struct ct_error *err)
{
    char path[PATH_MAX];
    char bytes[OVERRIDE_MAX_BYTES];
    size_t length = 0;
    struct ct_error why = {0};
    int fd;
    enum ct_status status = open_beside(anchor, "override", path, &fd, err);
    if (status != CT_OK)
        return status;
    status = read_override(fd, bytes, &length);
    (void)close(fd);
    if (status == CT_IO)
        ct_error_set(err, "cannot read %s: %s", path, strerror(errno));
    else if (status == CT_REFUSED)
        ct_error_set(err, "%s can be written by others than this user and root", path);
    if (status == CT_OK)
        status = parse_override(bytes, length, ret, &why);
    if (status == CT_BAD_INPUT)
        ct_error_set(err, "%s: %s", path, why.text);
    return status;
}

void vouch_override_used(const char *anchor)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s.override", anchor);
    /* It was for one epoch, which is over: one that stays does no harm. */
    if (length > 0 && (size_t)length < sizeof path && unlink(path) != 0 && errno != ENOENT)
        ct_log(CT_LOG_WARNING, "cannot remove %s: %s", path, strerror(errno));
}
