// SPDX-License-Identifier: Apache-2.0
/* What a witness remembers, and what it does with a checkpoint.
 *
 * The state is a text: a head line, the witness' verifier key, a line "origin size root" for each
 * log, and the SHA-256 of all that. A witness that has lost it, or has an old copy of it, could
 * cosign two histories of one log: so it is made once, by init, and what is not whole is refused.
 */
#include "cli/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define STATE_HEAD "casetrace-witness-state v1\n"
#define STATE_MAX (64u << 10)
#define DIGEST_WORD "sha256 "
#define DIGEST_LINE (sizeof DIGEST_WORD - 1 + 64 + 1)

#define TEXT_PLAIN "text/plain; charset=utf-8"

static void root_text(const struct accesslog_hash *root, char ret[45])
{
    (void)sodium_bin2base64(ret, 45, root->bytes, sizeof root->bytes,
                            sodium_base64_VARIANT_ORIGINAL);
}

/* ---- writing ----------------------------------------------------------------------------- */

static void append_text(struct ct_buf *text, const char *more)
{
    (void)ct_buf_append(text, more, strlen(more));
}

static void append_digest(struct ct_buf *text)
{
    uint8_t digest[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof digest + 1];
    (void)crypto_hash_sha256(digest, text->data, text->length);
    ct_hex_encode(digest, sizeof digest, hex);
    append_text(text, DIGEST_WORD);
    append_text(text, hex);
    append_text(text, "\n");
}

/* The state as it will be with changed in the place of the log of its origin; NULL: none. */
static void format(const struct witness *witness, const struct witness_log *changed,
                   struct ct_buf *text)
{
    char line[ACCESSLOG_NAME_MAX + 128];
    char root[45];
    append_text(text, STATE_HEAD);
    if (accesslog_verifier_format(&witness->signer.verifier, line, sizeof line) == 0)
        text->failed = true;
    append_text(text, line);
    append_text(text, "\n");
    for (size_t i = 0; i < witness->log_count; i++) {
        const struct witness_log *log = &witness->logs[i];
        if (changed != NULL && strcmp(changed->origin, log->origin) == 0)
            log = changed;
        if (log->size == 0)
            continue;
        root_text(&log->root, root);
        (void)snprintf(line, sizeof line, "%s %llu %s\n", log->origin,
                       (unsigned long long)log->size, root);
        append_text(text, line);
    }
    append_digest(text);
}

enum ct_status witness_state_create(const struct witness *witness, struct ct_error *err)
{
    struct ct_buf text;
    ct_buf_init(&text, STATE_MAX);
    format(witness, NULL, &text);
    enum ct_status status = text.failed ? CT_NO_MEMORY
                                        : cli_file_create(witness->state, text.data, text.length,
                                                          0600, (uid_t)-1, (gid_t)-1, err);
    ct_buf_free(&text);
    return status;
}

static enum ct_status persist(const struct witness *witness, const struct witness_log *changed,
                              struct ct_error *err)
{
    struct ct_buf text;
    enum ct_status status = CT_NO_MEMORY;
    ct_error_set(err, "out of memory");
    ct_buf_init(&text, STATE_MAX);
    format(witness, changed, &text);
    if (!text.failed)
        status = cli_file_replace(witness->state, text.data, text.length, 0600, err);
    ct_buf_free(&text);
    return status;
}

/* ---- reading ----------------------------------------------------------------------------- */

struct witness_log *witness_log_of(struct witness *witness, const char *origin)
{
    for (size_t i = 0; i < witness->log_count; i++) {
        if (strcmp(witness->logs[i].origin, origin) == 0)
            return &witness->logs[i];
    }
    if (witness->log_count == WITNESS_LOGS_MAX || strlen(origin) > ACCESSLOG_NAME_MAX)
        return NULL;
    struct witness_log *log = &witness->logs[witness->log_count++];
    *log = (struct witness_log){.size = 0};
    memcpy(log->origin, origin, strlen(origin) + 1);
    return log;
}

/* Takes one line off the text; it ends with a NUL instead of its LF then. */
static char *take_line(char **text, const char *end)
{
    char *line = *text;
    char *feed = line == end ? NULL : memchr(line, '\n', (size_t)(end - line));
    if (feed == NULL || memchr(line, '\0', (size_t)(feed - line)) != NULL)
        return NULL;
    *feed = '\0';
    *text = feed + 1;
    return line;
}

/* "origin size root"; the line is a checkpoint's text with blanks, and is read as one. */
static bool read_log(struct witness *witness, char *line)
{
    struct accesslog_checkpoint checkpoint;
    char text[ACCESSLOG_CHECKPOINT_TEXT_MAX];
    size_t length = strlen(line);
    if (length + 1 >= sizeof text)
        return false;
    memcpy(text, line, length);
    text[length] = '\n';
    for (size_t i = 0; i < length; i++) {
        if (text[i] == ' ')
            text[i] = '\n';
    }
    if (accesslog_checkpoint_parse(text, length + 1, &checkpoint) != ACCESSLOG_OK ||
        checkpoint.size == 0)
        return false;
    size_t before = witness->log_count;
    struct witness_log *log = witness_log_of(witness, checkpoint.origin);
    if (log == NULL || witness->log_count == before) /* no room, or twice */
        return false;
    log->size = checkpoint.size;
    log->root = checkpoint.root;
    return true;
}

static bool digest_holds(const struct ct_buf *text)
{
    struct ct_buf again;
    ct_buf_init(&again, STATE_MAX);
    bool good = text->length > DIGEST_LINE;
    if (good) {
        (void)ct_buf_append(&again, text->data, text->length - DIGEST_LINE);
        append_digest(&again);
        good = !again.failed && again.length == text->length &&
               memcmp(again.data, text->data, text->length) == 0;
    }
    ct_buf_free(&again);
    return good;
}

static enum ct_status parse(struct witness *witness, struct ct_buf *text, struct ct_error *err)
{
    char key[ACCESSLOG_VERIFIER_TEXT_MAX];
    size_t head = sizeof STATE_HEAD - 1;
    ct_error_set(err,
                 "the state %s is damaged. A witness that does not know what it cosigned must not "
                 "cosign: put its last state back, or retire this key",
                 witness->state);
    if (!digest_holds(text) || text->length < head || memcmp(text->data, STATE_HEAD, head) != 0)
        return CT_CRYPTO;
    char *at = (char *)text->data + head;
    const char *end = (const char *)text->data + text->length - DIGEST_LINE;
    const char *line = take_line(&at, end);
    if (line == NULL || accesslog_verifier_format(&witness->signer.verifier, key, sizeof key) == 0)
        return CT_CRYPTO;
    if (strcmp(line, key) != 0) {
        ct_error_set(err, "the state %s is that of another witness", witness->state);
        return CT_CRYPTO;
    }
    while (at != end) {
        char *log = take_line(&at, end);
        if (log == NULL || !read_log(witness, log))
            return CT_CRYPTO;
    }
    return CT_OK;
}

/* The state's own file is replaced at each write, so that the lock is another one beside it. */
static enum ct_status take_lock(struct witness *witness, struct ct_error *err)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s.lock", witness->state);
    if (length < 0 || (size_t)length >= sizeof path) {
        ct_error_set(err, "the path of the state is too long");
        return CT_IO;
    }
    witness->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (witness->lock < 0) {
        ct_error_set(err, "%s: %s", path, strerror(errno));
        return CT_IO;
    }
    if (flock(witness->lock, LOCK_EX | LOCK_NB) == 0)
        return CT_OK;
    ct_error_set(err, "another witness runs with the state %s", witness->state);
    return CT_REFUSED;
}

enum ct_status witness_state_open(struct witness *witness, struct ct_error *err)
{
    struct ct_buf text;
    enum ct_status status = take_lock(witness, err);
    if (status != CT_OK)
        return status;
    ct_buf_init(&text, STATE_MAX);
    status = cli_file_read(witness->state, &text, err);
    if (status == CT_OK)
        status = parse(witness, &text, err);
    ct_buf_free(&text);
    return status;
}

/* ---- a checkpoint ------------------------------------------------------------------------ */

static void answer(struct witness_answer *ret, unsigned status, const char *text)
{
    ret->status = status;
    ret->type = TEXT_PLAIN;
    ret->length = (size_t)snprintf(ret->text, sizeof ret->text, "%s\n", text);
}

static void answer_size(struct witness_answer *ret, uint64_t size)
{
    ret->status = 409;
    ret->type = "text/x.tlog.size";
    ret->length = (size_t)snprintf(ret->text, sizeof ret->text, "%llu\n", (unsigned long long)size);
}

/* A log that signed two trees of one size has forked: this note and the root that is held prove it.
 * The first such note is kept. */
static void keep_evidence(const struct witness *witness, const struct witness_log *log,
                          const struct accesslog_checkpoint *checkpoint,
                          const struct accesslog_witness_request *request)
{
    char path[PATH_MAX];
    char held[45];
    char sent[45];
    struct ct_error err = {.text = ""};
    root_text(&log->root, held);
    root_text(&checkpoint->root, sent);
    ct_log(CT_LOG_ERROR, "%s has signed two trees of size %llu: cosigned root %s, now sent %s",
           log->origin, (unsigned long long)log->size, held, sent);
    int length = snprintf(path, sizeof path, "%s.fork", witness->state);
    if (length > 0 && (size_t)length < sizeof path &&
        cli_file_create(path, request->note, request->note_length, 0600, (uid_t)-1, (gid_t)-1,
                        &err) == CT_OK)
        ct_log(CT_LOG_ERROR, "its note is in %s", path);
}

/* The mutex is held. Whether the checkpoint extends what is held; else the answer is filled. */
static bool extends(const struct witness *witness, const struct witness_log *log,
                    const struct accesslog_witness_request *request,
                    const struct accesslog_checkpoint *checkpoint, struct witness_answer *ret)
{
    if (request->old_size != log->size) {
        answer_size(ret, log->size);
        return false;
    }
    if (log->size != 0 && log->size == checkpoint->size &&
        !accesslog_hash_equal(&log->root, &checkpoint->root)) {
        keep_evidence(witness, log, checkpoint, request);
        answer_size(ret, log->size);
        return false;
    }
    if (accesslog_check_consistency(log->size, &log->root, checkpoint->size, &checkpoint->root,
                                    request->proof, request->proof_count) != ACCESSLOG_OK) {
        ct_log(CT_LOG_WARNING, "%s: not shown to extend size %llu: a checkpoint of size %llu",
               log->origin, (unsigned long long)log->size, (unsigned long long)checkpoint->size);
        answer(ret, 422, "the proof does not lead from the cosigned tree to this one");
        return false;
    }
    return true;
}

/* The mutex is held. On disk first, then the signature. */
static void cosign(struct witness *witness, struct witness_log *log,
                   const struct accesslog_checkpoint *checkpoint, const struct accesslog_note *note,
                   struct witness_answer *ret)
{
    struct ct_error err = {.text = ""};
    struct witness_log changed = *log;
    changed.size = checkpoint->size;
    changed.root = checkpoint->root;
    if (changed.size != log->size) {
        if (persist(witness, &changed, &err) != CT_OK) {
            ct_log(CT_LOG_ERROR, "%s", err.text);
            answer(ret, 500, "the state could not be written");
            return;
        }
        *log = changed;
    }
    if (ct_injection_point("witness-persisted"))
        return;
    time_t now = time(NULL);
    ret->length = accesslog_note_cosign(&witness->signer, (uint64_t)now, note->text,
                                        note->text_length, ret->text, sizeof ret->text);
    ret->type = TEXT_PLAIN;
    ret->status = 200;
    if (ret->length == 0 || now <= 0)
        answer(ret, 500, "no signature could be made");
}

void witness_add_checkpoint(struct witness *witness, const char *body, size_t length,
                            struct witness_answer *ret)
{
    struct accesslog_witness_request request;
    struct accesslog_note note;
    struct accesslog_checkpoint checkpoint;
    struct witness_log *log = NULL;
    answer(ret, 400, "not a request to add a checkpoint");
    if (accesslog_witness_parse(body, length, &request) != ACCESSLOG_OK ||
        accesslog_note_parse(request.note, request.note_length, &note) != ACCESSLOG_OK ||
        accesslog_checkpoint_parse(note.text, note.text_length, &checkpoint) != ACCESSLOG_OK)
        return;
    /* Origins and keys do not change while this process runs. */
    for (size_t i = 0; i < witness->log_count && log == NULL; i++) {
        if (witness->logs[i].key_count != 0 &&
            strcmp(witness->logs[i].origin, checkpoint.origin) == 0)
            log = &witness->logs[i];
    }
    if (log == NULL) {
        answer(ret, 404, "no log of this origin is witnessed here");
        return;
    }
    if (accesslog_checkpoint_open(request.note, request.note_length, log->keys, log->key_count,
                                  &checkpoint, NULL) != ACCESSLOG_OK) {
        answer(ret, 403, "no valid signature by a key that is trusted for this origin");
        return;
    }
    if (request.old_size > checkpoint.size) {
        answer(ret, 400, "the old size is larger than the checkpoint's");
        return;
    }
    (void)pthread_mutex_lock(&witness->mutex);
    if (extends(witness, log, &request, &checkpoint, ret))
        cosign(witness, log, &checkpoint, &note, ret);
    (void)pthread_mutex_unlock(&witness->mutex);
}
