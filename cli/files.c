// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static ssize_t read_some(int fd, void *bytes, size_t length)
{
    ssize_t count;
    do
        count = read(fd, bytes, length);
    while (count < 0 && errno == EINTR);
    return count;
}

static enum ct_status check_private(const char *path, int fd, struct ct_error *err)
{
    struct stat about;
    if (fstat(fd, &about) != 0) {
        ct_error_set(err, "%s: %s", path, strerror(errno));
        return CT_IO;
    }
    if (!S_ISREG(about.st_mode))
        return CT_OK;
    if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        ct_error_set(err, "%s has mode %04o: others may read or change it (chmod 600)", path,
                     (unsigned)about.st_mode & 07777);
        return CT_REFUSED;
    }
    return CT_OK;
}

/* The one word of the text. */
static enum ct_status take_word(const char *path, const char *text, char ret[CLI_SECRET_MAX],
                                struct ct_error *err)
{
    text += strspn(text, " \t\r\n");
    size_t length = strcspn(text, " \t\r\n");
    if (length == 0 || text[length + strspn(text + length, " \t\r\n")] != '\0') {
        ct_error_set(err, "%s does not hold one key and nothing else", path);
        return CT_BAD_INPUT;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            ct_error_set(err, "%s holds characters that no key has", path);
            return CT_BAD_INPUT;
        }
    }
    memmove(ret, text, length);
    ret[length] = '\0';
    return CT_OK;
}

enum ct_status cli_secret_read(const char *path, char ret[CLI_SECRET_MAX], struct ct_error *err)
{
    char text[CLI_SECRET_MAX];
    size_t length = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int cause = errno;
        ct_error_set(err, "%s: %s", path, strerror(cause));
        return cause == ENOENT ? CT_NOT_FOUND : CT_IO;
    }
    enum ct_status status = check_private(path, fd, err);
    while (status == CT_OK && length < sizeof text - 1) {
        ssize_t count = read_some(fd, text + length, sizeof text - 1 - length);
        if (count == 0)
            break;
        if (count < 0) {
            ct_error_set(err, "%s: %s", path, strerror(errno));
            status = CT_IO;
        } else {
            length += (size_t)count;
        }
    }
    text[length] = '\0';
    if (status == CT_OK && (length == sizeof text - 1 || strlen(text) != length)) {
        ct_error_set(err, "%s does not hold one key and nothing else", path);
        status = CT_BAD_INPUT;
    }
    if (status == CT_OK)
        status = take_word(path, text, ret, err);
    sodium_memzero(text, sizeof text);
    (void)close(fd);
    return status;
}

/* ---- writing --------------------------------------------------------------------------- */

static bool write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = write(fd, bytes, length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        bytes += count;
        length -= (size_t)count;
    }
    return true;
}

static bool sync_folder(const char *path)
{
    char copy[PATH_MAX];
    (void)snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool done = fsync(fd) == 0;
    (void)close(fd);
    return done;
}

/* The file gets its name when it is whole; link() does not replace one that is there. */
static enum ct_status create_linked(const char *path, const void *bytes, size_t length, mode_t mode,
                                    uid_t owner, gid_t group)
{
    char temporary[PATH_MAX];
    int written = snprintf(temporary, sizeof temporary, "%s.%08x.new", path, randombytes_random());
    if (written < 0 || (size_t)written >= sizeof temporary) {
        errno = ENAMETOOLONG;
        return CT_IO;
    }
    int fd =
        open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return CT_IO;
    enum ct_status status = CT_OK;
    if (!write_all(fd, bytes, length) || fchmod(fd, mode) != 0 ||
        ((owner != (uid_t)-1 || group != (gid_t)-1) && fchown(fd, owner, group) != 0) ||
        fsync(fd) != 0)
        status = CT_IO;
    else if (link(temporary, path) != 0)
        status = errno == EEXIST ? CT_REFUSED : CT_IO;
    int cause = errno;
    (void)close(fd);
    (void)unlink(temporary);
    errno = cause;
    if (status == CT_OK && !sync_folder(path))
        status = CT_IO;
    return status;
}

enum ct_status cli_file_create(const char *path, const void *bytes, size_t length, mode_t mode,
                               uid_t owner, gid_t group, struct ct_error *err)
{
    enum ct_status status = create_linked(path, bytes, length, mode, owner, group);
    if (status == CT_REFUSED)
        ct_error_set(err, "%s exists already", path);
    else if (status != CT_OK)
        ct_error_set(err, "cannot write %s: %s", path, strerror(errno));
    return status;
}

enum ct_status cli_file_replace(const char *path, const void *bytes, size_t length, mode_t mode,
                                struct ct_error *err)
{
    char temporary[PATH_MAX];
    int written = snprintf(temporary, sizeof temporary, "%s.new", path);
    bool fits = written > 0 && (size_t)written < sizeof temporary;
    int fd = -1;
    if (!fits)
        errno = ENAMETOOLONG;
    else
        fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    bool done = fd >= 0 && fchmod(fd, mode) == 0 && write_all(fd, bytes, length) && fsync(fd) == 0;
    int cause = errno;
    if (fd >= 0)
        (void)close(fd);
    errno = cause;
    if (done && rename(temporary, path) == 0 && sync_folder(path))
        return CT_OK;
    ct_error_set(err, "cannot write %s: %s", path, strerror(errno));
    return CT_IO;
}

enum ct_status cli_file_read(const char *path, struct ct_buf *buf, struct ct_error *err)
{
    char bytes[65536];
    bool standard_input = strcmp(path, "-") == 0;
    enum ct_status status = CT_OK;
    int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        ct_error_set(err, "%s: %s", path, strerror(errno));
        return CT_IO;
    }
    for (;;) {
        ssize_t count = read_some(fd, bytes, sizeof bytes);
        if (count == 0)
            break;
        if (count < 0) {
            ct_error_set(err, "%s: %s", path, strerror(errno));
            status = CT_IO;
            break;
        }
        status = ct_buf_append(buf, bytes, (size_t)count);
        if (status != CT_OK) {
            ct_error_set(err, "%s is larger than %zu bytes", path, buf->max);
            break;
        }
    }
    if (!standard_input)
        (void)close(fd);
    return status;
}
