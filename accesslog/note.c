// SPDX-License-Identifier: Apache-2.0
/* Signed notes (C2SP signed-note, tlog-cosignature). */
#include "accesslog/internal.h"

#include <sodium.h>
#include <string.h>

#define LINE_START "\xe2\x80\x94 " /* U+2014, space */
#define ID_BYTES 4
#define TIME_BYTES 8
#define SIGNATURE_BYTES 64
/* Cosignatures are of checkpoints only, which are far shorter. */
#define COSIGNED_TEXT_MAX 4096
/* Base64 is decoded in pieces of this many characters, so that a long signature of a kind that
 * we do not know needs no long buffer. A multiple of four. */
#define PIECE_CHARACTERS 1024
#define PIECE_BYTES (PIECE_CHARACTERS / 4 * 3)

/* One signature line: what is needed to match and verify it. */
struct signature_line {
    const char *name;
    size_t name_length;
    uint8_t head[ID_BYTES + TIME_BYTES + SIGNATURE_BYTES]; /* the blob's first bytes */
    size_t blob_bytes;
};

static bool blob_decode(const char *text, size_t length, struct signature_line *line)
{
    line->blob_bytes = 0;
    while (length != 0) {
        uint8_t piece[PIECE_BYTES];
        size_t take = length > PIECE_CHARACTERS ? PIECE_CHARACTERS : length;
        size_t count;
        if (!text_base64(text, take, piece, sizeof piece, &count))
            return false;
        if (line->blob_bytes == 0)
            memcpy(line->head, piece, count < sizeof line->head ? count : sizeof line->head);
        line->blob_bytes += count;
        text += take;
        length -= take;
        /* Padding is for the end only. */
        if (length != 0 && count != sizeof piece)
            return false;
    }
    return line->blob_bytes > ID_BYTES;
}

static bool line_parse(const char *text, size_t length, struct signature_line *ret_line)
{
    struct text_reader r = text_read(text, length);
    if (!text_take_word(&r, LINE_START) || r.at == r.end)
        return false;
    const char *space = memchr(r.at, ' ', (size_t)(r.end - r.at));
    if (space == NULL || !text_is_name(r.at, (size_t)(space - r.at)))
        return false;
    ret_line->name = r.at;
    ret_line->name_length = (size_t)(space - r.at);
    return blob_decode(space + 1, (size_t)(r.end - space) - 1, ret_line);
}

/* ---- taking apart ---- */

enum accesslog_status note_check_form(const struct accesslog_note *note)
{
    if (note->text_length > ACCESSLOG_NOTE_BYTES_MAX ||
        note->lines_length > ACCESSLOG_NOTE_BYTES_MAX)
        return ACCESSLOG_TOO_LARGE;
    if (note->text_length == 0 || note->text[note->text_length - 1] != '\n' ||
        note->lines_length == 0 || note->lines[note->lines_length - 1] != '\n' ||
        !text_is_clean(note->text, note->text_length))
        return ACCESSLOG_MALFORMED;
    struct text_reader r = text_read(note->lines, note->lines_length);
    const char *text;
    size_t length;
    for (size_t count = 1; text_take_line(&r, &text, &length); count++) {
        struct signature_line line;
        if (count > ACCESSLOG_NOTE_LINES_MAX)
            return ACCESSLOG_TOO_LARGE;
        if (!line_parse(text, length, &line))
            return ACCESSLOG_MALFORMED;
    }
    return ACCESSLOG_OK;
}

enum accesslog_status accesslog_note_parse(const char *note, size_t length,
                                           struct accesslog_note *ret_note)
{
    if (length > ACCESSLOG_NOTE_BYTES_MAX)
        return ACCESSLOG_TOO_LARGE;
    for (size_t at = length; at >= 2; at--) {
        if (note[at - 1] != '\n' || note[at - 2] != '\n')
            continue;
        struct accesslog_note parts = {note, at - 1, note + at, length - at};
        enum accesslog_status status = note_check_form(&parts);
        if (status == ACCESSLOG_OK)
            *ret_note = parts;
        return status;
    }
    return ACCESSLOG_MALFORMED;
}

/* ---- verifying ---- */

/* Writes the message that a cosignature signs; 0 when the text is too long. */
static size_t cosigned_message(uint64_t time_s, const char *text, size_t text_length,
                               char ret_message[COSIGNED_TEXT_MAX + 64])
{
    if (text_length > COSIGNED_TEXT_MAX)
        return 0;
    struct text_writer w;
    text_begin(&w, ret_message, COSIGNED_TEXT_MAX + 64);
    text_put_string(&w, "cosignature/v1\ntime ");
    text_put_decimal(&w, time_s);
    text_put_char(&w, '\n');
    text_put(&w, text, text_length);
    return text_end(&w);
}

static bool verify_bytes(const uint8_t signature[SIGNATURE_BYTES], const char *message,
                         size_t length, const struct accesslog_verifier *key)
{
    return crypto_sign_verify_detached(signature, (const unsigned char *)message, length,
                                       key->public_key) == 0;
}

static bool line_verify(const struct signature_line *line, const struct accesslog_verifier *key,
                        const char *text, size_t text_length, uint64_t *ret_time_s)
{
    const uint8_t *blob = line->head + ID_BYTES;
    *ret_time_s = 0;
    if (key->type == ACCESSLOG_KEY_ED25519)
        return line->blob_bytes == ID_BYTES + SIGNATURE_BYTES &&
               verify_bytes(blob, text, text_length, key);
    if (key->type != ACCESSLOG_KEY_COSIGNATURE ||
        line->blob_bytes != ID_BYTES + TIME_BYTES + SIGNATURE_BYTES)
        return false;
    for (size_t i = 0; i < TIME_BYTES; i++)
        *ret_time_s = *ret_time_s << 8 | blob[i];
    char message[COSIGNED_TEXT_MAX + 64];
    size_t length = cosigned_message(*ret_time_s, text, text_length, message);
    return length != 0 && verify_bytes(blob + TIME_BYTES, message, length, key);
}

static bool line_is_by(const struct signature_line *line, const struct accesslog_verifier *key)
{
    return strlen(key->name) == line->name_length &&
           memcmp(key->name, line->name, line->name_length) == 0 &&
           memcmp(key->id, line->head, ID_BYTES) == 0;
}

/* Verifies one line against every known key that it claims to be by. */
static enum accesslog_status verify_line(const struct accesslog_note *note,
                                         const struct signature_line *line,
                                         const struct accesslog_verifier *known, size_t known_count,
                                         struct accesslog_signed *results)
{
    for (size_t i = 0; i < known_count; i++) {
        uint64_t time_s;
        if (!line_is_by(line, &known[i]))
            continue;
        if (!line_verify(line, &known[i], note->text, note->text_length, &time_s))
            return ACCESSLOG_BAD_SIGNATURE;
        results[i].valid = true;
        if (time_s > results[i].time_s)
            results[i].time_s = time_s;
    }
    return ACCESSLOG_OK;
}

enum accesslog_status accesslog_note_verify(const struct accesslog_note *note,
                                            const struct accesslog_verifier *known,
                                            size_t known_count, struct accesslog_signed *ret_signed)
{
    struct accesslog_signed results[ACCESSLOG_KNOWN_MAX] = {{false, 0}};
    if (known_count > ACCESSLOG_KNOWN_MAX)
        return ACCESSLOG_BAD_INPUT;
    enum accesslog_status status = note_check_form(note);
    if (status != ACCESSLOG_OK)
        return status;
    struct text_reader r = text_read(note->lines, note->lines_length);
    const char *text;
    size_t length;
    while (text_take_line(&r, &text, &length)) {
        struct signature_line line;
        if (!line_parse(text, length, &line))
            return ACCESSLOG_MALFORMED;
        status = verify_line(note, &line, known, known_count, results);
        if (status != ACCESSLOG_OK)
            return status;
    }
    bool any = false;
    for (size_t i = 0; i < known_count; i++)
        any = any || results[i].valid;
    if (!any)
        return ACCESSLOG_UNKNOWN_KEY;
    if (ret_signed != NULL)
        memcpy(ret_signed, results, known_count * sizeof results[0]);
    return ACCESSLOG_OK;
}

/* ---- making ---- */

static size_t line_format(const struct accesslog_signer *signer, const uint8_t *blob, size_t bytes,
                          char *ret_line, size_t capacity)
{
    struct text_writer w;
    text_begin(&w, ret_line, capacity);
    text_put_string(&w, LINE_START);
    text_put_string(&w, signer->verifier.name);
    text_put_char(&w, ' ');
    text_put_base64(&w, blob, bytes);
    text_put_char(&w, '\n');
    return text_end(&w);
}

static bool text_can_be_signed(const char *text, size_t length)
{
    return length != 0 && length <= ACCESSLOG_NOTE_BYTES_MAX && text[length - 1] == '\n' &&
           text_is_clean(text, length);
}

size_t accesslog_note_sign(const struct accesslog_signer *signer, const char *text,
                           size_t text_length, char *ret_line, size_t capacity)
{
    uint8_t blob[ID_BYTES + SIGNATURE_BYTES];
    if (signer->verifier.type != ACCESSLOG_KEY_ED25519 || !text_can_be_signed(text, text_length))
        return 0;
    memcpy(blob, signer->verifier.id, ID_BYTES);
    if (crypto_sign_detached(blob + ID_BYTES, NULL, (const unsigned char *)text, text_length,
                             signer->secret_key) != 0)
        return 0;
    return line_format(signer, blob, sizeof blob, ret_line, capacity);
}

size_t accesslog_note_cosign(const struct accesslog_signer *signer, uint64_t time_s,
                             const char *text, size_t text_length, char *ret_line, size_t capacity)
{
    uint8_t blob[ID_BYTES + TIME_BYTES + SIGNATURE_BYTES];
    char message[COSIGNED_TEXT_MAX + 64];
    if (signer->verifier.type != ACCESSLOG_KEY_COSIGNATURE ||
        !text_can_be_signed(text, text_length))
        return 0;
    size_t length = cosigned_message(time_s, text, text_length, message);
    memcpy(blob, signer->verifier.id, ID_BYTES);
    for (size_t i = 0; i < TIME_BYTES; i++)
        blob[ID_BYTES + i] = (uint8_t)(time_s >> (56 - 8 * i));
    if (length == 0 ||
        crypto_sign_detached(blob + ID_BYTES + TIME_BYTES, NULL, (const unsigned char *)message,
                             length, signer->secret_key) != 0)
        return 0;
    return line_format(signer, blob, sizeof blob, ret_line, capacity);
}

size_t accesslog_note_format(const char *text, size_t text_length, const char *lines,
                             size_t lines_length, char *ret_note, size_t capacity)
{
    const struct accesslog_note note = {text, text_length, lines, lines_length};
    if (note_check_form(&note) != ACCESSLOG_OK ||
        text_length + 1 + lines_length > ACCESSLOG_NOTE_BYTES_MAX)
        return 0;
    struct text_writer w;
    text_begin(&w, ret_note, capacity);
    text_put(&w, text, text_length);
    text_put_char(&w, '\n');
    text_put(&w, lines, lines_length);
    return text_end(&w);
}
