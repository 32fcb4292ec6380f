// SPDX-License-Identifier: Apache-2.0
/* Receipts (C2SP tlog-proof). */
#include "accesslog/internal.h"

#include <string.h>

#define RECEIPT_START "c2sp.org/tlog-proof@v1\n"

size_t accesslog_receipt_format(const void *extra, size_t extra_bytes, uint64_t index,
                                const struct accesslog_hash *path, size_t path_count,
                                const char *note, size_t note_length, char *ret_text,
                                size_t capacity)
{
    if (extra_bytes > ACCESSLOG_EXTRA_BYTES_MAX || index >= ACCESSLOG_SIZE_MAX ||
        path_count > ACCESSLOG_PROOF_MAX || note_length == 0 ||
        note_length > ACCESSLOG_NOTE_BYTES_MAX)
        return 0;
    struct text_writer w;
    text_begin(&w, ret_text, capacity);
    text_put_string(&w, RECEIPT_START);
    if (extra != NULL && extra_bytes != 0) {
        text_put_string(&w, "extra ");
        text_put_base64(&w, extra, extra_bytes);
        text_put_char(&w, '\n');
    }
    text_put_string(&w, "index ");
    text_put_decimal(&w, index);
    text_put_char(&w, '\n');
    for (size_t i = 0; i < path_count; i++) {
        text_put_base64(&w, path[i].bytes, sizeof path[i].bytes);
        text_put_char(&w, '\n');
    }
    text_put_char(&w, '\n');
    text_put(&w, note, note_length);
    return text_end(&w);
}

/* The optional extra line. */
static enum accesslog_status take_extra(struct text_reader *r, uint8_t *buffer, size_t capacity,
                                        struct accesslog_receipt *receipt)
{
    const char *line;
    size_t length;
    if (!text_take_word(r, "extra "))
        return ACCESSLOG_OK;
    if (!text_take_line(r, &line, &length) || length == 0)
        return ACCESSLOG_MALFORMED;
    /* The exact size is known before decoding, so a small buffer is told from a bad encoding. */
    size_t bytes = length / 4 * 3;
    for (size_t i = 0; i < 2 && bytes != 0 && line[length - 1 - i] == '='; i++)
        bytes--;
    if (bytes > capacity || bytes > ACCESSLOG_EXTRA_BYTES_MAX)
        return ACCESSLOG_TOO_LARGE;
    if (!text_base64(line, length, buffer, capacity, &receipt->extra_bytes))
        return ACCESSLOG_MALFORMED;
    receipt->extra = buffer;
    return ACCESSLOG_OK;
}

/* The hashes up to and with the empty line. */
static enum accesslog_status take_path(struct text_reader *r, struct accesslog_receipt *receipt)
{
    const char *line;
    size_t length;
    while (text_take_line(r, &line, &length)) {
        if (length == 0)
            return ACCESSLOG_OK;
        if (receipt->path_count == ACCESSLOG_PROOF_MAX)
            return ACCESSLOG_TOO_LARGE;
        if (!text_base64_hash(line, length, &receipt->path[receipt->path_count]))
            return ACCESSLOG_MALFORMED;
        receipt->path_count++;
    }
    return ACCESSLOG_MALFORMED;
}

enum accesslog_status accesslog_receipt_parse(const char *text, size_t length,
                                              uint8_t *extra_buffer, size_t extra_capacity,
                                              struct accesslog_receipt *ret_receipt)
{
    if (length > ACCESSLOG_RECEIPT_BYTES_MAX)
        return ACCESSLOG_TOO_LARGE;
    struct accesslog_receipt receipt = {.extra = NULL};
    struct text_reader r = text_read(text, length);
    if (!text_take_word(&r, RECEIPT_START))
        return ACCESSLOG_MALFORMED;
    enum accesslog_status status = take_extra(&r, extra_buffer, extra_capacity, &receipt);
    if (status != ACCESSLOG_OK)
        return status;
    const char *line;
    size_t line_length;
    if (!text_take_word(&r, "index ") || !text_take_line(&r, &line, &line_length) ||
        !text_decimal(line, line_length, ACCESSLOG_SIZE_MAX - 1, &receipt.index))
        return ACCESSLOG_MALFORMED;
    status = take_path(&r, &receipt);
    if (status != ACCESSLOG_OK)
        return status;
    receipt.note = r.at;
    receipt.note_length = (size_t)(r.end - r.at);
    if (receipt.note_length > ACCESSLOG_NOTE_BYTES_MAX)
        return ACCESSLOG_TOO_LARGE;
    if (receipt.note_length == 0)
        return ACCESSLOG_MALFORMED;
    *ret_receipt = receipt;
    return ACCESSLOG_OK;
}

enum accesslog_status accesslog_receipt_check(const struct accesslog_receipt *receipt,
                                              const struct accesslog_hash *leaf_hash,
                                              const struct accesslog_verifier *known,
                                              size_t known_count,
                                              struct accesslog_checkpoint *ret_checkpoint,
                                              struct accesslog_signed *ret_signed)
{
    struct accesslog_checkpoint checkpoint;
    struct accesslog_signed results[ACCESSLOG_KNOWN_MAX];
    enum accesslog_status status = accesslog_checkpoint_open(
        receipt->note, receipt->note_length, known, known_count, &checkpoint, results);
    if (status == ACCESSLOG_OK)
        status = accesslog_check_inclusion(receipt->index, checkpoint.size, leaf_hash,
                                           receipt->path, receipt->path_count, &checkpoint.root);
    if (status != ACCESSLOG_OK)
        return status;
    if (ret_checkpoint != NULL)
        *ret_checkpoint = checkpoint;
    if (ret_signed != NULL)
        memcpy(ret_signed, results, known_count * sizeof results[0]);
    return ACCESSLOG_OK;
}

enum accesslog_status accesslog_receipt_check_entry(
    const struct accesslog_receipt *receipt, const void *header, size_t header_bytes,
    const uint8_t salt_header[ACCESSLOG_SALT_BYTES], const struct accesslog_hash *d_subject,
    const struct accesslog_verifier *known, size_t known_count,
    struct accesslog_checkpoint *ret_checkpoint, struct accesslog_signed *ret_signed)
{
    struct accesslog_hash d_header;
    struct accesslog_hash leaf_hash;
    uint8_t leaf[ACCESSLOG_LEAF_BYTES];
    accesslog_entry_digest(salt_header, header, header_bytes, &d_header);
    accesslog_entry_leaf(&d_header, d_subject, leaf, &leaf_hash);
    return accesslog_receipt_check(receipt, &leaf_hash, known, known_count, ret_checkpoint,
                                   ret_signed);
}
