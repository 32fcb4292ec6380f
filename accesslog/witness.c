// SPDX-License-Identifier: Apache-2.0
/* The body of a request to a witness (C2SP tlog-witness). */
#include "accesslog/internal.h"

size_t accesslog_witness_format(uint64_t old_size, const struct accesslog_hash *proof,
                                size_t proof_count, const char *note, size_t note_length,
                                char *ret_body, size_t capacity)
{
    if (old_size > ACCESSLOG_SIZE_MAX || proof_count > ACCESSLOG_WITNESS_PROOF_MAX ||
        note_length == 0 || note_length > ACCESSLOG_NOTE_BYTES_MAX)
        return 0;
    struct text_writer w;
    text_begin(&w, ret_body, capacity);
    text_put_string(&w, "old ");
    text_put_decimal(&w, old_size);
    text_put_char(&w, '\n');
    for (size_t i = 0; i < proof_count; i++) {
        text_put_base64(&w, proof[i].bytes, sizeof proof[i].bytes);
        text_put_char(&w, '\n');
    }
    text_put_char(&w, '\n');
    text_put(&w, note, note_length);
    return text_end(&w);
}

enum accesslog_status accesslog_witness_parse(const char *body, size_t length,
                                              struct accesslog_witness_request *ret_request)
{
    struct accesslog_witness_request request = {.old_size = 0};
    struct text_reader r = text_read(body, length);
    const char *line;
    size_t line_length;
    if (!text_take_word(&r, "old ") || !text_take_line(&r, &line, &line_length) ||
        !text_decimal(line, line_length, ACCESSLOG_SIZE_MAX, &request.old_size))
        return ACCESSLOG_MALFORMED;
    for (;;) {
        if (!text_take_line(&r, &line, &line_length))
            return ACCESSLOG_MALFORMED;
        if (line_length == 0)
            break;
        if (request.proof_count == ACCESSLOG_WITNESS_PROOF_MAX)
            return ACCESSLOG_TOO_LARGE;
        if (!text_base64_hash(line, line_length, &request.proof[request.proof_count]))
            return ACCESSLOG_MALFORMED;
        request.proof_count++;
    }
    request.note = r.at;
    request.note_length = (size_t)(r.end - r.at);
    if (request.note_length > ACCESSLOG_NOTE_BYTES_MAX)
        return ACCESSLOG_TOO_LARGE;
    if (request.note_length == 0)
        return ACCESSLOG_MALFORMED;
    *ret_request = request;
    return ACCESSLOG_OK;
}

enum accesslog_status accesslog_witness_conflict_parse(const char *body, size_t length,
                                                       uint64_t *ret_size)
{
    if (length == 0 || body[length - 1] != '\n' ||
        !text_decimal(body, length - 1, ACCESSLOG_SIZE_MAX, ret_size))
        return ACCESSLOG_MALFORMED;
    return ACCESSLOG_OK;
}
