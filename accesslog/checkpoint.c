// SPDX-License-Identifier: Apache-2.0
/* Checkpoints (C2SP tlog-checkpoint), without extension lines. */
#include "accesslog/internal.h"

#include <string.h>

size_t accesslog_checkpoint_format(const struct accesslog_checkpoint *checkpoint, char *ret_text,
                                   size_t capacity)
{
    if (checkpoint->size > ACCESSLOG_SIZE_MAX ||
        !text_is_name(checkpoint->origin, strlen(checkpoint->origin)))
        return 0;
    struct text_writer w;
    text_begin(&w, ret_text, capacity);
    text_put_string(&w, checkpoint->origin);
    text_put_char(&w, '\n');
    text_put_decimal(&w, checkpoint->size);
    text_put_char(&w, '\n');
    text_put_base64(&w, checkpoint->root.bytes, sizeof checkpoint->root.bytes);
    text_put_char(&w, '\n');
    return text_end(&w);
}

enum accesslog_status accesslog_checkpoint_parse(const char *text, size_t length,
                                                 struct accesslog_checkpoint *ret_checkpoint)
{
    struct accesslog_checkpoint checkpoint = {.size = 0};
    struct text_reader r = text_read(text, length);
    const char *line;
    size_t line_length;
    if (!text_take_line(&r, &line, &line_length) || !text_is_name(line, line_length))
        return ACCESSLOG_MALFORMED;
    memcpy(checkpoint.origin, line, line_length);
    if (!text_take_line(&r, &line, &line_length) ||
        !text_decimal(line, line_length, ACCESSLOG_SIZE_MAX, &checkpoint.size))
        return ACCESSLOG_MALFORMED;
    if (!text_take_line(&r, &line, &line_length) ||
        !text_base64_hash(line, line_length, &checkpoint.root) || r.at != r.end)
        return ACCESSLOG_MALFORMED;
    if (checkpoint.size == 0) {
        const struct accesslog_tree empty = {.size = 0};
        struct accesslog_hash root;
        accesslog_tree_root(&empty, &root);
        if (!accesslog_hash_equal(&root, &checkpoint.root))
            return ACCESSLOG_MALFORMED;
    }
    *ret_checkpoint = checkpoint;
    return ACCESSLOG_OK;
}

size_t accesslog_checkpoint_sign(const struct accesslog_checkpoint *checkpoint,
                                 const struct accesslog_signer *signers, size_t signer_count,
                                 char *ret_note, size_t capacity)
{
    if (signer_count == 0 || signer_count > ACCESSLOG_NOTE_LINES_MAX)
        return 0;
    size_t text_length = accesslog_checkpoint_format(checkpoint, ret_note, capacity);
    if (text_length == 0)
        return 0;
    /* From here on the buffer is full up to `length` and a NUL follows. */
    size_t length = text_length;
    if (capacity - length < 2)
        return 0;
    ret_note[length++] = '\n';
    for (size_t i = 0; i < signer_count; i++) {
        if (strcmp(signers[i].verifier.name, checkpoint->origin) != 0)
            return 0;
        size_t line = accesslog_note_sign(&signers[i], ret_note, text_length, ret_note + length,
                                          capacity - length);
        if (line == 0)
            return 0;
        length += line;
    }
    return length;
}

/* The log's own signature is among those that verified. */
static bool signed_by_origin(const char *origin, const struct accesslog_verifier *known,
                             size_t known_count, const struct accesslog_signed *results)
{
    for (size_t i = 0; i < known_count; i++) {
        if (results[i].valid && known[i].type == ACCESSLOG_KEY_ED25519 &&
            strcmp(known[i].name, origin) == 0)
            return true;
    }
    return false;
}

enum accesslog_status accesslog_checkpoint_open(const char *note, size_t length,
                                                const struct accesslog_verifier *known,
                                                size_t known_count,
                                                struct accesslog_checkpoint *ret_checkpoint,
                                                struct accesslog_signed *ret_signed)
{
    struct accesslog_note parts;
    struct accesslog_checkpoint checkpoint;
    struct accesslog_signed results[ACCESSLOG_KNOWN_MAX];
    enum accesslog_status status = accesslog_note_parse(note, length, &parts);
    if (status == ACCESSLOG_OK)
        status = accesslog_checkpoint_parse(parts.text, parts.text_length, &checkpoint);
    if (status == ACCESSLOG_OK)
        status = accesslog_note_verify(&parts, known, known_count, results);
    if (status != ACCESSLOG_OK)
        return status;
    if (!signed_by_origin(checkpoint.origin, known, known_count, results))
        return ACCESSLOG_UNKNOWN_KEY;
    *ret_checkpoint = checkpoint;
    if (ret_signed != NULL)
        memcpy(ret_signed, results, known_count * sizeof results[0]);
    return ACCESSLOG_OK;
}
