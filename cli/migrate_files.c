// SPDX-License-Identifier: Apache-2.0
#include "cli/migrate_files.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX (1024 * 1024)

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

/* Reads a whole file below dir_fd into memory. *ret_text is the caller's, free(). */
static enum ct_status read_file(int dir_fd, const char *dir, const char *name, char **ret_text,
                                size_t *ret_length, struct ct_error *err)
{
    CT_CLEANUP(close_fd) int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0) {
        ct_error_set(err, "cannot read %s/%s: %s", dir, name, strerror(errno));
        return CT_IO;
    }
    if (!S_ISREG(info.st_mode) || info.st_size > FILE_BYTES_MAX) {
        ct_error_set(err, "%s/%s is not a file of at most %d bytes", dir, name, FILE_BYTES_MAX);
        return CT_LIMIT;
    }
    size_t size = (size_t)info.st_size;
    char *text = malloc(size + 1);
    if (text == NULL)
        return CT_NO_MEMORY;
    size_t length = 0;
    while (length < size) {
        ssize_t count = read(fd, text + length, size - length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        length += (size_t)count;
    }
    if (length != size) {
        ct_error_set(err, "cannot read the whole of %s/%s", dir, name);
        free(text);
        return CT_IO;
    }
    text[size] = '\0';
    if (memchr(text, '\0', size) != NULL) {
        ct_error_set(err, "%s/%s has a NUL byte", dir, name);
        free(text);
        return CT_BAD_INPUT;
    }
    *ret_text = text;
    *ret_length = size;
    return CT_OK;
}

/* Lower-case letters, digits and underscores, then .sql: nothing that leads out of the folder. */
static bool plain_name(const char *name)
{
    size_t stem = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return stem > 0 && strcmp(name + stem, ".sql") == 0;
}

static enum ct_status add_file(struct migrate_files *files, int dir_fd, const char *dir,
                               const char *line, size_t length, struct ct_error *err)
{
    if (files->count == MIGRATE_FILES_MAX) {
        ct_error_set(err, "%s/order names more than %d files", dir, MIGRATE_FILES_MAX);
        return CT_LIMIT;
    }
    struct migrate_file *file = &files->list[files->count];
    if (length >= sizeof(file->name)) {
        ct_error_set(err, "%s/order has a line of %zu characters", dir, length);
        return CT_BAD_INPUT;
    }
    memcpy(file->name, line, length);
    file->name[length] = '\0';
    if (!plain_name(file->name)) {
        ct_error_set(err, "%s/order: \"%s\" is not the name of an SQL file", dir, file->name);
        return CT_BAD_INPUT;
    }
    enum ct_status status = read_file(dir_fd, dir, file->name, &file->text, &file->length, err);
    if (status == CT_OK)
        files->count++;
    return status;
}

static enum ct_status read_order(struct migrate_files *files, int dir_fd, const char *dir,
                                 struct ct_error *err)
{
    char *order = NULL;
    size_t length;
    enum ct_status status = read_file(dir_fd, dir, "order", &order, &length, err);
    for (const char *line = order; status == CT_OK && *line != '\0';) {
        size_t width = strcspn(line, "\n");
        if (width > 0 && line[0] != '#')
            status = add_file(files, dir_fd, dir, line, width, err);
        line += width + (line[width] == '\n' ? 1 : 0);
    }
    free(order);
    if (status == CT_OK && files->count == 0) {
        ct_error_set(err, "%s/order names no file", dir);
        status = CT_BAD_INPUT;
    }
    return status;
}

static int open_folder(const char *dir, struct ct_error *err)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        ct_error_set(err, "cannot open the folder %s: %s", dir, strerror(errno));
    return fd;
}

enum ct_status migrate_files_read(const char *schema_dir, const char *migrations_dir,
                                  struct migrate_files *ret, struct ct_error *err)
{
    memset(ret, 0, sizeof(*ret));
    CT_CLEANUP(close_fd) int schema_fd = open_folder(schema_dir, err);
    if (schema_fd < 0)
        return CT_IO;
    CT_CLEANUP(close_fd) int migrations_fd = open_folder(migrations_dir, err);
    if (migrations_fd < 0)
        return CT_IO;
    enum ct_status status = read_order(ret, schema_fd, schema_dir, err);
    if (status == CT_OK)
        status = read_file(migrations_fd, migrations_dir, "sqitch.plan", &ret->plan,
                           &ret->plan_length, err);
    return status;
}

void migrate_files_clear(struct migrate_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->list[i].text);
    free(files->plan);
    memset(files, 0, sizeof(*files));
}

/* Lengths go in too, so that no two different sets of files give the same bytes. */
static bool digest_part(EVP_MD_CTX *context, const char *bytes, size_t length)
{
    uint8_t prefix[8];
    for (size_t i = 0; i < sizeof(prefix); i++)
        prefix[i] = (uint8_t)((uint64_t)length >> (56 - 8 * i));
    return EVP_DigestUpdate(context, prefix, sizeof(prefix)) == 1 &&
           EVP_DigestUpdate(context, bytes, length) == 1;
}

enum ct_status migrate_files_digest(const struct migrate_files *files,
                                    char ret[MIGRATE_DIGEST_TEXT])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t digest[32];
    bool good = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; good && i < files->count; i++) {
        const struct migrate_file *file = &files->list[i];
        good = digest_part(context, file->name, strlen(file->name)) &&
               digest_part(context, file->text, file->length);
    }
    good = good && digest_part(context, files->plan, files->plan_length) &&
           EVP_DigestFinal_ex(context, digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    if (!good)
        return CT_CRYPTO;
    ct_hex_encode(digest, sizeof(digest), ret);
    return CT_OK;
}
