// SPDX-License-Identifier: Apache-2.0
/* Readings as a laboratory writes them, and the evidence that they are. */

#include "microstamp/internal.h"

#include <string.h>

/* Reads the members of a choice. at: the byte after '['. Returns the byte after ']', or 0. */
static size_t parse_choice(const char *text, size_t length, size_t at, uint32_t *ret_set,
                           struct microstamp_error *err)
{
    uint32_t set = 0;

    for (; at < length && text[at] != ']'; at++) {
        int symbol = microstamp_r29_symbol((unsigned char)text[at]);

        if (symbol < 0) {
            microstamp_error_found(err, at, text[at], "a letter or digit of the code, or ']'");
            return 0;
        }
        set |= 1u << symbol;
    }
    if (at == length) {
        microstamp_error_set(err, at, "expected ']' to end the choice");
        return 0;
    }
    if (set == 0) {
        microstamp_error_set(err, at, "expected a letter or digit of the code in the choice");
        return 0;
    }
    *ret_set = set;
    return at + 1;
}

/* Reads one position. Returns the byte after it, or 0. */
static size_t parse_position(const char *text, size_t length, size_t at, uint32_t *ret_set,
                             struct microstamp_error *err)
{
    int symbol;

    if (text[at] == '[')
        return parse_choice(text, length, at + 1, ret_set, err);
    if (text[at] == '?') {
        *ret_set = ALL_SYMBOLS;
        return at + 1;
    }
    symbol = microstamp_r29_symbol((unsigned char)text[at]);
    if (symbol < 0) {
        microstamp_error_found(err, at, text[at], "a letter or digit of the code, '?' or '['");
        return 0;
    }
    *ret_set = 1u << symbol;
    return at + 1;
}

enum microstamp_status microstamp_reading_parse(const char *text, size_t length,
                                                struct microstamp_reading *ret_reading,
                                                struct microstamp_error *err)
{
    struct microstamp_reading reading = {{0}};
    unsigned count = 0;
    size_t at = 0;

    while (at < length) {
        uint32_t set;

        if (microstamp_is_separator(text[at])) {
            at++;
            continue;
        }
        if (count == LENGTH) {
            microstamp_error_set(err, at, "expected the end after %d positions", LENGTH);
            return MICROSTAMP_BAD_INPUT;
        }
        at = parse_position(text, length, at, &set, err);
        if (at == 0)
            return MICROSTAMP_BAD_INPUT;
        reading.set[count++] = set;
    }
    if (count < LENGTH) {
        microstamp_error_set(err, length, "expected %d positions, found only %u", LENGTH, count);
        return MICROSTAMP_BAD_INPUT;
    }
    *ret_reading = reading;
    return MICROSTAMP_OK;
}

/* The mean over the members' rows. The transform is linear, so its mean is the mean's transform. */
static void mean_row(const struct microstamp_matrix *matrix, uint32_t set,
                     struct microstamp_row *ret_row)
{
    const double share = 1.0 / (double)__builtin_popcount(set);

    memset(ret_row, 0, sizeof(*ret_row));
    for (; set != 0; set &= set - 1) {
        const struct microstamp_row *row = &matrix->row[__builtin_ctz(set)];

        for (unsigned i = 0; i < 32; i++)
            ret_row->p[i] += share * row->p[i];
        for (unsigned i = 0; i < 64; i++) {
            ret_row->re[i] += share * row->re[i];
            ret_row->im[i] += share * row->im[i];
        }
    }
}

void microstamp_evidence_init(const struct microstamp_matrix *matrix,
                              const struct microstamp_reading *reading,
                              struct microstamp_evidence *ret_evidence)
{
    ret_evidence->matrix = matrix;
    ret_evidence->reading = *reading;
    for (unsigned i = 0; i < LENGTH; i++) {
        uint32_t set = reading->set[i];

        if (set == ALL_SYMBOLS) {
            ret_evidence->row[i] = MICROSTAMP_ROW_UNREAD;
        } else if ((set & (set - 1)) == 0) {
            ret_evidence->row[i] = (uint8_t)__builtin_ctz(set);
        } else {
            ret_evidence->row[i] = MICROSTAMP_ROW_OWN;
            mean_row(matrix, set, &ret_evidence->own[i]);
        }
    }
}

double microstamp_evidence_likelihood(const struct microstamp_evidence *evidence,
                                      const struct microstamp_code *code)
{
    double likelihood = 1.0;

    for (unsigned i = 0; i < LENGTH; i++)
        likelihood *= microstamp_evidence_row(evidence, i)->p[code->symbol[i]];
    return likelihood;
}

void microstamp_agreement(const struct microstamp_evidence *evidence,
                          const struct microstamp_code *code, char ret_text[9])
{
    for (unsigned i = 0; i < LENGTH; i++) {
        uint32_t set = evidence->reading.set[i];
        uint32_t symbol = 1u << code->symbol[i];

        if (set == ALL_SYMBOLS)
            ret_text[i] = '.';
        else if (set == symbol)
            ret_text[i] = '=';
        else if ((set & symbol) != 0 || (set & evidence->matrix->confusable[code->symbol[i]]) != 0)
            ret_text[i] = '~';
        else
            ret_text[i] = 'x';
    }
    ret_text[LENGTH] = '\0';
}
