// SPDX-License-Identifier: Apache-2.0
/* Notes, checkpoints, verifier keys: what parses is written again to the same bytes, and nothing
 * but the known answers' own text verifies under their keys. */
#include "accesslog/accesslog.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define LOG_KEY "audit.example.org/log1+4d44e883+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs"
#define WITNESS_KEY "witness.example.net/w1+63fbd762+BP0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct accesslog_verifier keys[2];

static void prepare(void)
{
    static bool ready;
    if (ready)
        return;
    if (sodium_init() < 0 ||
        accesslog_verifier_parse(LOG_KEY, strlen(LOG_KEY), &keys[0]) != ACCESSLOG_OK ||
        accesslog_verifier_parse(WITNESS_KEY, strlen(WITNESS_KEY), &keys[1]) != ACCESSLOG_OK)
        abort();
    ready = true;
}

static void try_note(const char *text, size_t length)
{
    struct accesslog_note note;
    if (accesslog_note_parse(text, length, &note) != ACCESSLOG_OK)
        return;
    char *again = malloc(length + 1);
    if (again == NULL)
        abort();
    size_t written = accesslog_note_format(note.text, note.text_length, note.lines,
                                           note.lines_length, again, length + 1);
    if (written != length || memcmp(again, text, length) != 0)
        abort();
    free(again);
    struct accesslog_signed results[2];
    (void)!accesslog_note_verify(&note, keys, 2, results);
}

static void try_checkpoint(const char *text, size_t length)
{
    struct accesslog_checkpoint checkpoint;
    if (accesslog_checkpoint_parse(text, length, &checkpoint) == ACCESSLOG_OK) {
        char again[ACCESSLOG_CHECKPOINT_TEXT_MAX];
        size_t written = accesslog_checkpoint_format(&checkpoint, again, sizeof again);
        if (written != length || memcmp(again, text, length) != 0)
            abort();
    }
    /* Only two checkpoints were ever signed by these keys. */
    if (accesslog_checkpoint_open(text, length, keys, 2, &checkpoint, NULL) == ACCESSLOG_OK &&
        checkpoint.size != 200 && checkpoint.size != 300)
        abort();
}

static void try_verifier(const char *text, size_t length)
{
    struct accesslog_verifier key;
    if (accesslog_verifier_parse(text, length, &key) != ACCESSLOG_OK)
        return;
    char again[ACCESSLOG_VERIFIER_TEXT_MAX];
    size_t written = accesslog_verifier_format(&key, again, sizeof again);
    if (written != length || memcmp(again, text, length) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    prepare();
    try_note((const char *)data, size);
    try_checkpoint((const char *)data, size);
    try_verifier((const char *)data, size);
    return 0;
}
