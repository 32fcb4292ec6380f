// SPDX-License-Identifier: Apache-2.0
/* Exported entries: lines of JSON with the members that the API shows of an entry. */
#include "cli/log_source.h"
#include "cli/log_verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAIL(...) LOG_VERIFY_FAIL(__VA_ARGS__)
#define LINE_MAX_BYTES (1u << 20)

typedef unsigned long long number; /* for printf */

struct export
{
    struct log_verify *verify;
    const char *path;
    uint64_t line;
    struct log_reader_hashes hashes;
    struct accesslog_hash root; /* of the checkpoint */
    struct log_verify_course course;
    uint64_t count;
    uint64_t subjects;
    /* The tile that was read last. */
    struct ct_buf tile;
    uint64_t tile_index;
    bool tile_read;
};

static bool read_hex(const json_t *json, const char *member, uint8_t ret[32])
{
    const char *text = ct_json_string(json, member);
    return text != NULL && ct_hex_decode(text, strlen(text), ret, 32) == CT_OK;
}

/* Entries that this run has checked are compared with their tile; for others it takes a proof. */
static enum ct_status find_leaf(struct export *export, uint64_t index, uint64_t checked_from,
                                const struct accesslog_hash *hash)
{
    struct accesslog_hash path[ACCESSLOG_PROOF_MAX];
    const struct accesslog_storage storage = log_reader_stored(&export->hashes);
    size_t count = 0;
    bool whole = false;
    size_t at = (size_t)(index % ACCESSLOG_TILE_WIDTH) * ACCESSLOG_HASH_BYTES;
    if (index < checked_from) {
        if (accesslog_prove_inclusion(&storage, index, export->hashes.size, path, &count) !=
            ACCESSLOG_OK)
            return CT_IO;
        return accesslog_check_inclusion(index, export->hashes.size, hash, path, count,
                                         &export->root) == ACCESSLOG_OK
                   ? CT_OK
                   : CT_CRYPTO;
    }
    if (!export->tile_read || export->tile_index != index / ACCESSLOG_TILE_WIDTH) {
        export->tile_read = log_reader_tile(export->hashes.reader, 0, index / ACCESSLOG_TILE_WIDTH,
                                            export->hashes.size, &export->tile, &whole,
                                            &export->hashes.err) == CT_OK;
        export->tile_index = index / ACCESSLOG_TILE_WIDTH;
    }
    if (!export->tile_read || export->tile.length < at + ACCESSLOG_HASH_BYTES)
        return CT_IO;
    return memcmp(export->tile.data + at, hash->bytes, ACCESSLOG_HASH_BYTES) == 0 ? CT_OK
                                                                                  : CT_CRYPTO;
}

static enum ct_status check_subject(struct export *export, const json_t *json, uint64_t index,
                                    const struct accesslog_hash *d_subject)
{
    struct accesslog_hash digest;
    uint8_t salt[ACCESSLOG_SALT_BYTES];
    const char *subject = ct_json_string(json, "subject");
    /* Who may not see subjects has no such member. */
    if (json_object_get(json, "subject") == NULL)
        return CT_OK;
    if (subject == NULL)
        return FAIL("%s, line %llu: entry %llu: its subject is missing or did not open",
                    export->path, (number) export->line, (number)index);
    if (!read_hex(json, "subject_salt", salt))
        return FAIL("%s, line %llu: entry %llu: no subject_salt", export->path,
                    (number) export->line, (number)index);
    accesslog_entry_digest(salt, subject, strlen(subject), &digest);
    if (!accesslog_hash_equal(&digest, d_subject))
        return FAIL("%s, line %llu: entry %llu: the subject is not the one that it was logged with",
                    export->path, (number) export->line, (number)index);
    export->subjects++;
    return CT_OK;
}

static enum ct_status check_json(struct export *export, const json_t *json)
{
    struct accesslog_hash d_header;
    struct accesslog_hash d_subject;
    struct accesslog_hash hash;
    struct log_verify_header header;
    struct ct_error err = {.text = ""};
    uint8_t salt[ACCESSLOG_SALT_BYTES];
    uint8_t leaf[ACCESSLOG_LEAF_BYTES];
    const json_t *place = json_object_get(json, "index");
    const char *text = ct_json_string(json, "header");
    const struct log_verify_fact *resume = export->verify->resume;
    if (!json_is_integer(place) || json_integer_value(place) < 0 || text == NULL ||
        !read_hex(json, "header_salt", salt) || !read_hex(json, "d_subject", d_subject.bytes))
        return FAIL("%s, line %llu: not an entry with index, header, header_salt and d_subject",
                    export->path, (number) export->line);
    uint64_t index = (uint64_t)json_integer_value(place);
    if (index >= export->hashes.size) {
        cli_complain("%s, line %llu: entry %llu is not published yet: the checkpoint is of size "
                     "%llu",
                     export->path, (number) export->line, (number)index,
                     (number) export->hashes.size);
        return CT_STALE;
    }
    size_t length = strlen(text);
    accesslog_entry_digest(salt, text, length, &d_header);
    accesslog_entry_leaf(&d_header, &d_subject, leaf, &hash);
    export->verify->work.headers++;
    export->verify->work.header_bytes += length;
    enum ct_status status =
        find_leaf(export, index, resume == NULL ? 0 : resume->checkpoint.size, &hash);
    if (status == CT_CRYPTO)
        return FAIL("%s, line %llu: entry %llu does not rebuild its leaf", export->path,
                    (number) export->line, (number)index);
    if (status != CT_OK) {
        cli_complain("%s", export->hashes.err.text);
        return status;
    }
    status = check_subject(export, json, index, &d_subject);
    if (status == CT_OK && log_verify_header_read(text, length, &header, &err) != CT_OK)
        return FAIL("entry %llu: header: %s", (number)index, err.text);
    /* Pages may be given in any order; what goes back begins anew. */
    if (status == CT_OK && export->course.begun && index <= export->course.index)
        export->course = (struct log_verify_course){.begun = false};
    if (status == CT_OK)
        status = log_verify_course_check(&export->course, export->verify->origin, index, &header);
    export->count++;
    return status;
}

static enum ct_status check_line(struct export *export, const char *text, size_t length)
{
    static const struct ct_json_limits limits = {.depth = 16, .values = 4096};
    struct ct_error err = {.text = ""};
    json_t *json = NULL;
    export->line++;
    if (length == 0)
        return CT_OK;
    if (ct_json_decode(text, length, limits, &json, &err) != CT_OK)
        return FAIL("%s, line %llu: %s", export->path, (number) export->line, err.text);
    enum ct_status status = check_json(export, json);
    json_decref(json);
    return status;
}

/* Whole lines of what has been read; the rest is moved to the front. */
static enum ct_status check_lines(struct export *export, char *text, size_t *length, bool last)
{
    enum ct_status status = CT_OK;
    size_t at = 0;
    while (status == CT_OK && at < *length) {
        char *end = memchr(text + at, '\n', *length - at);
        if (end == NULL && !last)
            break;
        size_t count = end == NULL ? *length - at : (size_t)(end - text) - at;
        status = check_line(export, text + at, count);
        at += count + (end == NULL ? 0 : 1);
    }
    memmove(text, text + at, *length - at);
    *length -= at;
    return status;
}

static enum ct_status check_file(struct export *export, int fd)
{
    char *text = malloc(LINE_MAX_BYTES);
    size_t length = 0;
    enum ct_status status = CT_OK;
    if (text == NULL) {
        cli_complain("out of memory");
        return CT_NO_MEMORY;
    }
    while (status == CT_OK) {
        ssize_t count = read(fd, text + length, LINE_MAX_BYTES - length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            cli_complain("%s: %s", export->path, strerror(errno));
            status = CT_IO;
        } else {
            length += (size_t)count;
            status = check_lines(export, text, &length, count == 0);
        }
        if (status == CT_OK && length == LINE_MAX_BYTES) {
            cli_complain("%s: line %llu is longer than %u bytes", export->path,
                         (number)(export->line + 1), LINE_MAX_BYTES);
            status = CT_LIMIT;
        }
        if (count == 0)
            break;
    }
    free(text);
    return status;
}

static enum ct_status check_open(struct export *export)
{
    bool standard_input = strcmp(export->path, "-") == 0;
    int fd = standard_input ? STDIN_FILENO : open(export->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        cli_complain("%s: %s", export->path, strerror(errno));
        return CT_IO;
    }
    enum ct_status status = check_file(export, fd);
    if (!standard_input)
        (void)close(fd);
    if (status == CT_OK)
        (void)printf("%s: %llu exported entries rebuild their leaves, %llu of them with their "
                     "subjects\n",
                     export->path, (number) export->count, (number) export->subjects);
    return status;
}

enum ct_status log_verify_export(struct log_verify *verify, const struct log_source *source,
                                 const char *path)
{
    struct accesslog_checkpoint checkpoint;
    struct ct_error err = {.text = ""};
    struct export export = {.verify = verify, .path = path};
    struct log_reader *reader = NULL;
    if (accesslog_checkpoint_open(verify->checked_note, verify->checked_note_length, verify->keys,
                                  verify->key_count, &checkpoint, NULL) != ACCESSLOG_OK)
        return CT_CRYPTO;
    enum ct_status status = log_reader_open(source, &reader, &err);
    if (status != CT_OK) {
        cli_complain("%s", err.text);
        return status;
    }
    export.hashes = (struct log_reader_hashes){.reader = reader, .size = checkpoint.size};
    export.root = checkpoint.root;
    ct_buf_init(&export.tile, (size_t)ACCESSLOG_TILE_WIDTH * ACCESSLOG_HASH_BYTES);
    status = check_open(&export);
    ct_buf_free(&export.tile);
    log_reader_close(reader);
    return status;
}
