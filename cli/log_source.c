// SPDX-License-Identifier: Apache-2.0
#include "cli/log_source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TRIES_MAX 6
#define WAIT_S_MAX 60

struct log_reader {
    const struct log_source *source;
    struct cli_client *client; /* NULL: only a folder */
};

const char *log_source_name(const struct log_source *source)
{
    return source->connection != NULL ? source->connection->url : source->folder;
}

enum ct_status log_reader_open(const struct log_source *source, struct log_reader **ret,
                               struct ct_error *err)
{
    struct log_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        ct_error_set(err, "out of memory");
        return CT_NO_MEMORY;
    }
    reader->source = source;
    enum ct_status status = source->connection == NULL
                                ? CT_OK
                                : cli_client_open(source->connection, &reader->client, err);
    if (status != CT_OK) {
        free(reader);
        return status;
    }
    *ret = reader;
    return CT_OK;
}

void log_reader_close(struct log_reader *reader)
{
    if (reader == NULL)
        return;
    cli_client_close(reader->client);
    free(reader);
}

/* ---- a folder ---------------------------------------------------------------------------------
 */

static bool join(const char *folder, const char *path, char ret[PATH_MAX])
{
    int length = snprintf(ret, PATH_MAX, "%s/%s", folder, path);
    return length > 0 && length < PATH_MAX;
}

static enum ct_status read_open(int fd, struct ct_buf *ret)
{
    struct stat about;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode) || about.st_size < 0) {
        errno = EINVAL;
        return CT_IO;
    }
    size_t length = (size_t)about.st_size;
    enum ct_status status = ct_buf_reserve(ret, length);
    while (status == CT_OK && ret->length < length) {
        ssize_t count = read(fd, ret->data + ret->length, length - ret->length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return CT_IO;
        ret->length += (size_t)count;
    }
    return status;
}

/* Errors: CT_NOT_FOUND, CT_IO, CT_LIMIT, CT_NO_MEMORY. */
static enum ct_status file_read(const char *folder, const char *path, struct ct_buf *ret,
                                struct ct_error *err)
{
    char name[PATH_MAX];
    if (!join(folder, path, name)) {
        ct_error_set(err, "the folder's name is too long");
        return CT_IO;
    }
    int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    enum ct_status status = fd >= 0 ? read_open(fd, ret) : CT_IO;
    int cause = errno;
    if (fd >= 0)
        (void)close(fd);
    if (fd < 0 && (cause == ENOENT || cause == ENOTDIR))
        status = CT_NOT_FOUND;
    if (status == CT_LIMIT)
        ct_error_set(err, "%s is longer than any tile", name);
    else if (status != CT_OK)
        ct_error_set(err, "%s: %s", name, strerror(cause));
    return status;
}

static bool make_parents(char *name, size_t from)
{
    for (char *c = name + from; *c != '\0'; c++) {
        if (*c != '/')
            continue;
        *c = '\0';
        bool made = mkdir(name, 0777) == 0 || errno == EEXIST;
        *c = '/';
        if (!made)
            return false;
    }
    return true;
}

static bool write_whole(int fd, const struct ct_buf *bytes)
{
    size_t at = 0;
    while (at < bytes->length) {
        ssize_t count = write(fd, bytes->data + at, bytes->length - at);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return false;
        at += (size_t)count;
    }
    return true;
}

/* Keeps what was fetched. Not synced: that is done once, before the checkpoint is written. */
static enum ct_status file_keep(const char *folder, const char *path, const struct ct_buf *bytes,
                                struct ct_error *err)
{
    char name[PATH_MAX];
    char temporary[PATH_MAX + 16];
    if (!join(folder, path, name)) {
        ct_error_set(err, "the folder's name is too long");
        return CT_IO;
    }
    /* Several threads may fetch the same tile of a higher level. */
    (void)snprintf(temporary, sizeof temporary, "%s.%08x.new", name, randombytes_random());
    int fd = -1;
    bool done = make_parents(name, strlen(folder) + 1);
    if (done)
        fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    done = fd >= 0 && write_whole(fd, bytes);
    int cause = errno;
    if (fd >= 0 && close(fd) != 0 && done) {
        cause = errno;
        done = false;
    }
    if (done && rename(temporary, name) != 0) {
        cause = errno;
        done = false;
    }
    if (!done) {
        if (fd >= 0)
            (void)unlink(temporary);
        ct_error_set(err, "cannot write %s: %s", name, strerror(cause));
    }
    return done ? CT_OK : CT_IO;
}

/* ---- a server ---------------------------------------------------------------------------------
 */

static void wait_s(long seconds)
{
    struct timespec left = {.tv_sec = seconds < 1            ? 1
                                      : seconds > WAIT_S_MAX ? WAIT_S_MAX
                                                             : seconds};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

/* Errors: as file_read(). */
static enum ct_status fetch(struct log_reader *reader, const char *path, struct ct_buf *ret,
                            struct ct_error *err)
{
    char slashed[ACCESSLOG_TILE_PATH_MAX + 16];
    const struct cli_request request = {.method = "GET", .path = slashed};
    (void)snprintf(slashed, sizeof slashed, "/%s", path);
    for (unsigned try = 1;; try++) {
        struct cli_answer answer;
        enum ct_status status = cli_client_send(reader->client, &request, &answer, err);
        long http = status == CT_OK ? answer.status : 0;
        long wait = answer.retry_after_s;
        if (http == 200)
            status = ct_buf_append(ret, answer.body.data, answer.body.length);
        cli_answer_free(&answer);
        if (http == 200) {
            if (status != CT_OK)
                ct_error_set(err, "%s: longer than any tile", path);
            return status;
        }
        bool again = status == CT_IO || http == 429 || http == 502 || http == 503 || http == 504;
        if (again && try < TRIES_MAX) {
            wait_s(wait > 0 ? wait : (long)try);
            continue;
        }
        if (status != CT_OK)
            return status;
        ct_error_set(err, "%s%s: HTTP status %ld", log_source_name(reader->source), slashed, http);
        return http == 404 || http == 410 ? CT_NOT_FOUND : CT_IO;
    }
}

enum ct_status log_reader_checkpoint(struct log_reader *reader, struct ct_buf *ret,
                                     struct ct_error *err)
{
    ct_buf_reset(ret);
    return reader->client != NULL ? fetch(reader, "checkpoint", ret, err)
                                  : file_read(reader->source->folder, "checkpoint", ret, err);
}

/* ---- tiles ------------------------------------------------------------------------------------
 */

static enum ct_status read_path(struct log_reader *reader, const char *path, bool fetched,
                                struct ct_buf *ret, struct ct_error *err)
{
    const char *folder = reader->source->folder;
    ct_buf_reset(ret);
    if (!fetched)
        return folder == NULL ? CT_NOT_FOUND : file_read(folder, path, ret, err);
    if (reader->client == NULL)
        return CT_NOT_FOUND;
    enum ct_status status = fetch(reader, path, ret, err);
    return status == CT_OK && folder != NULL ? file_keep(folder, path, ret, err) : status;
}

enum ct_status log_reader_tile(struct log_reader *reader, int level, uint64_t index, uint64_t size,
                               struct ct_buf *ret, bool *ret_whole, struct ct_error *err)
{
    char paths[2][ACCESSLOG_TILE_PATH_MAX];
    size_t width = accesslog_tile_width(level, index, size);
    size_t first = width == ACCESSLOG_TILE_WIDTH ? 1 : 0;
    if (width == 0 ||
        accesslog_tile_path_format(level, index, width, paths[0], sizeof paths[0]) == 0 ||
        accesslog_tile_path_format(level, index, ACCESSLOG_TILE_WIDTH, paths[1], sizeof paths[1]) ==
            0) {
        ct_error_set(err, "there is no such tile");
        return CT_BAD_INPUT;
    }
    ct_error_set(err, "%s is missing", paths[first]);
    enum ct_status status = CT_NOT_FOUND;
    for (int fetched = 0; status == CT_NOT_FOUND && fetched < 2; fetched++) {
        for (size_t i = first; status == CT_NOT_FOUND && i < 2; i++) {
            struct ct_error here = {.text = ""};
            status = read_path(reader, paths[i], fetched == 1, ret, &here);
            if (status != CT_OK && status != CT_NOT_FOUND)
                *err = here;
            *ret_whole = i == 1;
        }
    }
    return status;
}

static enum accesslog_status stored_hashes(void *context, unsigned level, uint64_t first,
                                           size_t count, struct accesslog_hash *ret_hashes)
{
    struct log_reader_hashes *hashes = context;
    struct ct_buf tile;
    bool whole = false;
    size_t at = (size_t)(first % ACCESSLOG_TILE_WIDTH) * sizeof *ret_hashes;
    size_t bytes = count * sizeof *ret_hashes;
    ct_buf_init(&tile, ACCESSLOG_TILE_WIDTH * sizeof *ret_hashes);
    enum ct_status status =
        log_reader_tile(hashes->reader, (int)(level / 8), first / ACCESSLOG_TILE_WIDTH,
                        hashes->size, &tile, &whole, &hashes->err);
    if (status == CT_OK && (tile.length < at || tile.length - at < bytes)) {
        ct_error_set(&hashes->err, "tile %llu of level %u is too short",
                     (unsigned long long)(first / ACCESSLOG_TILE_WIDTH), level / 8);
        status = CT_IO;
    }
    if (status == CT_OK)
        memcpy(ret_hashes, tile.data + at, bytes);
    ct_buf_free(&tile);
    return status == CT_OK ? ACCESSLOG_OK : ACCESSLOG_STORAGE;
}

struct accesslog_storage log_reader_stored(struct log_reader_hashes *hashes)
{
    return (struct accesslog_storage){.hashes = stored_hashes, .context = hashes};
}
