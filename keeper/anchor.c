// SPDX-License-Identifier: Apache-2.0
#include "keeper/anchor.h"

#include "keeper/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define PLACES 2
#define LOCK_LOOK_MS 20

static enum ct_status read_place(int fd, unsigned place, char *ret_note, size_t *ret_length)
{
    ssize_t count = pread(fd, ret_note, ANCHOR_PLACE_BYTES, (off_t)place * ANCHOR_PLACE_BYTES);
    if (count < 0)
        return CT_IO;
    *ret_length = strnlen(ret_note, (size_t)count);
    return CT_OK;
}

/* Both places are preallocated, so that later writes change no metadata and fdatasync is one write
 * to the disk. */
static bool grow(int fd)
{
    off_t wanted = (off_t)PLACES * ANCHOR_PLACE_BYTES;
    off_t length = lseek(fd, 0, SEEK_END);
    char zeros[ANCHOR_PLACE_BYTES] = {0};
    while (length >= 0 && length < wanted) {
        size_t count = (size_t)(wanted - length);
        if (count > sizeof zeros)
            count = sizeof zeros;
        if (pwrite(fd, zeros, count, length) != (ssize_t)count)
            return false;
        length += (off_t)count;
    }
    return length == wanted && fsync(fd) == 0;
}

/* Until its folder is on disk too, a file that was just made may be gone after a power cut, and
 * with it the checkpoints written to it. */
static bool sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL   ? strdup(".")
                   : slash == path ? strdup("/")
                                   : strndup(path, (size_t)(slash - path));
    int fd = folder == NULL ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    int reason = errno;
    if (fd >= 0)
        (void)close(fd);
    free(folder);
    errno = reason;
    return good;
}

/* Two keepers that write one anchor would each hide from the other what it released. The kernel
 * frees the lock of whoever ends, however it ends; one that is being stopped is waited for. */
static bool lock_file(int fd)
{
    int64_t deadline_ms = ct_mono_ms() + LIMIT_STOP_MS;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        struct timespec pause = {.tv_nsec = LOCK_LOOK_MS * 1000000L};
        if (errno != EINTR && (errno != EWOULDBLOCK || ct_mono_ms() > deadline_ms))
            return false;
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

/* The newest checkpoint of both places that verifies; size 0 if none.
 * ret_something: there is anything at all. */
static enum ct_status read_newest(int fd, const struct accesslog_verifier *known,
                                  size_t known_count, struct accesslog_checkpoint *ret,
                                  unsigned *ret_place, char ret_note[ANCHOR_PLACE_BYTES],
                                  bool *ret_something)
{
    *ret = (struct accesslog_checkpoint){.size = 0};
    *ret_something = false;
    for (unsigned place = 0; place < PLACES; place++) {
        char note[ANCHOR_PLACE_BYTES];
        size_t length = 0;
        struct accesslog_checkpoint found;
        if (read_place(fd, place, note, &length) != CT_OK)
            return CT_IO;
        *ret_something = *ret_something || length > 0;
        if (length > 0 && length < sizeof note &&
            accesslog_checkpoint_open(note, length, known, known_count, &found, NULL) ==
                ACCESSLOG_OK &&
            found.size > ret->size) {
            *ret = found;
            *ret_place = place;
            memcpy(ret_note, note, length + 1);
        }
    }
    return CT_OK;
}

enum ct_status anchor_read(int fd, const struct accesslog_verifier *known, size_t known_count,
                           struct accesslog_checkpoint *ret, char ret_note[ANCHOR_PLACE_BYTES])
{
    bool something;
    unsigned place;
    enum ct_status status = read_newest(fd, known, known_count, ret, &place, ret_note, &something);
    if (status == CT_OK && ret->size == 0)
        status = something ? CT_CRYPTO : CT_NOT_FOUND;
    return status;
}

enum ct_status anchor_open(const char *path, const struct accesslog_verifier *known,
                           size_t known_count, int *ret_fd, unsigned *ret_next_place,
                           struct accesslog_checkpoint *ret_checkpoint, struct ct_error *err)
{
    struct accesslog_checkpoint newest;
    char note[ANCHOR_PLACE_BYTES];
    bool something = false;
    unsigned newest_place = 1;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        ct_error_set(err, "cannot open the anchor %s: %s", path, strerror(errno));
        return CT_IO;
    }
    if (!lock_file(fd)) {
        if (errno != EWOULDBLOCK)
            goto failed;
        ct_error_set(err, "the anchor %s is in use by another keeper: each needs its own", path);
        (void)close(fd);
        return CT_REFUSED;
    }
    if (read_newest(fd, known, known_count, &newest, &newest_place, note, &something) != CT_OK)
        goto failed;
    if (something && newest.size == 0) {
        ct_error_set(err, "the anchor %s holds no checkpoint that this keyring signed", path);
        (void)close(fd);
        return CT_CRYPTO;
    }
    if (!grow(fd) || !sync_folder(path))
        goto failed;
    *ret_fd = fd;
    *ret_next_place = (newest_place + 1) % PLACES;
    *ret_checkpoint = newest;
    return CT_OK;
failed:
    ct_error_set(err, "cannot use the anchor %s: %s", path, strerror(errno));
    (void)close(fd);
    return CT_IO;
}

enum ct_status anchor_write(int fd, unsigned place, const char *note, struct ct_error *err)
{
    char bytes[ANCHOR_PLACE_BYTES] = {0};
    size_t length = strlen(note);
    if (length >= sizeof bytes)
        return CT_LIMIT;
    memcpy(bytes, note, length);
    if (pwrite(fd, bytes, sizeof bytes, (off_t)place * ANCHOR_PLACE_BYTES) !=
            (ssize_t)sizeof bytes ||
        fdatasync(fd) != 0) {
        ct_error_set(err, "cannot write the anchor: %s", strerror(errno));
        return CT_IO;
    }
    return CT_OK;
}
