// SPDX-License-Identifier: Apache-2.0
/* Scheme R29-8: the Reed-Solomon code [8,6,3] over the integers mod 29.
 *
 * A code c is valid iff  sum c[i] = 0  and  sum 2^i c[i] = 0  (mod 29). The parity check matrix has
 * the columns (1, 2^i), any two of which are linearly independent, because the powers 2^0 to 2^7
 * differ mod 29. So no valid code but zero has fewer than three characters that are not 0, the
 * distance is 3, and any two unknown characters follow from the other six. */

#include "microstamp/internal.h"

#include <string.h>

const uint8_t microstamp_r29_weight[LENGTH] = {1, 2, 4, 8, 16, 3, 6, 12};

/* inverse[a] * a = 1 (mod 29); inverse[0] is never used. */
static const uint8_t inverse[SIZE] = {0, 1,  15, 10, 22, 6,  5,  25, 11, 13, 3, 8,  17, 9, 27,
                                      2, 20, 12, 21, 26, 16, 18, 4,  24, 23, 7, 19, 14, 28};

enum microstamp_status microstamp_r29_parse(const char *text, size_t length,
                                            struct microstamp_code *ret_code,
                                            struct microstamp_error *err)
{
    struct microstamp_code code = {0};
    unsigned count = 0;

    for (size_t i = 0; i < length; i++) {
        int symbol = microstamp_r29_symbol((unsigned char)text[i]);

        if (microstamp_is_separator(text[i]))
            continue;
        if (symbol < 0) {
            microstamp_error_found(err, i, text[i], "a letter or digit of the code");
            return MICROSTAMP_BAD_INPUT;
        }
        if (count == LENGTH) {
            microstamp_error_set(err, i, "expected the end after %d characters", LENGTH);
            return MICROSTAMP_BAD_INPUT;
        }
        code.symbol[count++] = (uint8_t)symbol;
    }
    if (count < LENGTH) {
        microstamp_error_set(err, length, "expected %d characters, found only %u", LENGTH, count);
        return MICROSTAMP_BAD_INPUT;
    }
    *ret_code = code;
    return MICROSTAMP_OK;
}

void microstamp_r29_canonical(const struct microstamp_code *code, char ret_text[9])
{
    for (unsigned i = 0; i < LENGTH; i++)
        ret_text[i] = microstamp_character(MICROSTAMP_R29, code->symbol[i]);
    ret_text[LENGTH] = '\0';
}

void microstamp_r29_format(const struct microstamp_code *code, char ret_text[10])
{
    char canonical[LENGTH + 1];

    microstamp_r29_canonical(code, canonical);
    memcpy(ret_text, canonical, 4);
    ret_text[4] = ' ';
    memcpy(ret_text + 5, canonical + 4, 5);
}

void microstamp_r29_syndromes(const struct microstamp_code *code, unsigned *ret_s0,
                              unsigned *ret_s1)
{
    unsigned s0 = 0, s1 = 0;

    for (unsigned i = 0; i < LENGTH; i++) {
        s0 += code->symbol[i];
        s1 += (unsigned)code->symbol[i] * microstamp_r29_weight[i];
    }
    *ret_s0 = s0 % SIZE;
    *ret_s1 = s1 % SIZE;
}

bool microstamp_r29_is_valid(const struct microstamp_code *code)
{
    unsigned s0, s1;

    microstamp_r29_syndromes(code, &s0, &s1);
    return s0 == 0 && s1 == 0;
}

/* With the sums s0, s1 over the other six characters, x and y at positions i and j must satisfy
 * x + y = -s0 and w[i] x + w[j] y = -s1. Taking w[i] times the first from the second gives
 * (w[j] - w[i]) y = w[i] s0 - s1. */
void microstamp_r29_solve(struct microstamp_code *code, unsigned i, unsigned j)
{
    unsigned wi = microstamp_r29_weight[i], wj = microstamp_r29_weight[j];
    unsigned s0, s1, y;

    code->symbol[i] = 0;
    code->symbol[j] = 0;
    microstamp_r29_syndromes(code, &s0, &s1);
    y = (wi * s0 + SIZE - s1) * inverse[(wj + SIZE - wi) % SIZE] % SIZE;
    code->symbol[j] = (uint8_t)y;
    code->symbol[i] = (uint8_t)((2 * SIZE - s0 - y) % SIZE);
}

void microstamp_r29_complete(const uint8_t random[MICROSTAMP_R29_RANDOM],
                             struct microstamp_code *ret_code)
{
    struct microstamp_code code = {0};

    memcpy(code.symbol, random, MICROSTAMP_R29_RANDOM);
    microstamp_r29_solve(&code, LENGTH - 2, LENGTH - 1);
    *ret_code = code;
}

enum microstamp_status microstamp_r29_recover(const struct microstamp_code *code, unsigned unread,
                                              struct microstamp_code *ret_code)
{
    struct microstamp_code found = *code;
    unsigned first, second;

    unread &= (1u << LENGTH) - 1u;
    if (__builtin_popcount(unread) > 2)
        return MICROSTAMP_UNCORRECTABLE;
    if (unread != 0) {
        first = (unsigned)__builtin_ctz(unread);
        /* With one unread, any other position may take the second unknown's place: what comes out
         * there must be what was read, or the reading contradicts itself. */
        second = (unread & (unread - 1)) != 0 ? 31u - (unsigned)__builtin_clz(unread)
                                              : (first + 1) % LENGTH;
        microstamp_r29_solve(&found, first, second);
        if ((unread >> second & 1u) == 0 && found.symbol[second] != code->symbol[second])
            return MICROSTAMP_NOT_VALID;
    } else if (!microstamp_r29_is_valid(&found)) {
        return MICROSTAMP_NOT_VALID;
    }
    *ret_code = found;
    return MICROSTAMP_OK;
}

/* One error e at position p makes s0 = e and s1 = 2^p e. Hence e = s0 and 2^p = s1 / s0; if that
 * is none of the eight weights, more than one character is wrong. */
enum microstamp_status microstamp_r29_correct(const struct microstamp_code *code,
                                              struct microstamp_code *ret_code, int *ret_position)
{
    unsigned s0, s1, ratio;

    microstamp_r29_syndromes(code, &s0, &s1);
    if (s0 == 0 && s1 == 0) {
        *ret_code = *code;
        *ret_position = -1;
        return MICROSTAMP_OK;
    }
    if (s0 == 0 || s1 == 0)
        return MICROSTAMP_UNCORRECTABLE;
    ratio = s1 * inverse[s0] % SIZE;
    for (unsigned i = 0; i < LENGTH; i++) {
        if (microstamp_r29_weight[i] != ratio)
            continue;
        *ret_code = *code;
        ret_code->symbol[i] = (uint8_t)((code->symbol[i] + SIZE - s0) % SIZE);
        *ret_position = (int)i;
        return MICROSTAMP_OK;
    }
    return MICROSTAMP_UNCORRECTABLE;
}
