// SPDX-License-Identifier: Apache-2.0
/* What is left of a serial number that was ground off, as evidence on the candidates. */

#include "microstamp/internal.h"

#include <math.h>
#include <string.h>

/* The least that a pattern can do to a candidate: frames and slides are exchanged and numbers
 * recorded wrongly, one time in a hundred at most. */
#define RATIO_LEAST 0.01

static bool is_ignored(char c)
{
    return microstamp_is_separator(c) || c == '.' || c == '/';
}

/* Reads the members of a choice; at is the byte after '['. Returns the byte after ']', or 0. */
static size_t parse_choice(const char *text, size_t length, size_t at, uint64_t *ret_set,
                           struct microstamp_error *err)
{
    uint64_t set = 0;

    for (; at < length && text[at] != ']'; at++) {
        int symbol = microstamp_symbol(MICROSTAMP_OPAQUE, text[at]);

        if (symbol < 0) {
            microstamp_error_found(err, at, text[at], "a letter, a digit or ']'");
            return 0;
        }
        set |= UINT64_C(1) << symbol;
    }
    if (at == length) {
        microstamp_error_set(err, at, "expected ']' to end the choice");
        return 0;
    }
    if (set == 0) {
        microstamp_error_set(err, at, "expected a letter or digit in the choice");
        return 0;
    }
    *ret_set = set;
    return at + 1;
}

/* Reads one position. Returns the byte after it, or 0. */
static size_t parse_position(const char *text, size_t length, size_t at, uint64_t *ret_set,
                             struct microstamp_error *err)
{
    int symbol;

    if (text[at] == '[')
        return parse_choice(text, length, at + 1, ret_set, err);
    *ret_set = text[at] == '*' ? MICROSTAMP_SERIAL_RUN : 0;
    if (text[at] == '?' || text[at] == '*')
        return at + 1;
    symbol = microstamp_symbol(MICROSTAMP_OPAQUE, text[at]);
    if (symbol < 0) {
        microstamp_error_found(err, at, text[at], "a letter, a digit, '?', '*' or '['");
        return 0;
    }
    *ret_set = UINT64_C(1) << symbol;
    return at + 1;
}

enum microstamp_status microstamp_serial_parse(const char *text, size_t length,
                                               struct microstamp_serial *ret_serial,
                                               struct microstamp_error *err)
{
    struct microstamp_serial serial = {0};
    size_t at = 0;

    while (at < length) {
        uint64_t set;

        if (is_ignored(text[at])) {
            at++;
            continue;
        }
        if (serial.length == MICROSTAMP_SERIAL_MAX) {
            microstamp_error_set(err, at, "expected the end after %d positions",
                                 MICROSTAMP_SERIAL_MAX);
            return MICROSTAMP_BAD_INPUT;
        }
        at = parse_position(text, length, at, &set, err);
        if (at == 0)
            return MICROSTAMP_BAD_INPUT;
        serial.set[serial.length++] = set;
    }
    if (serial.length == 0) {
        microstamp_error_set(err, length, "expected at least one position");
        return MICROSTAMP_BAD_INPUT;
    }
    *ret_serial = serial;
    return MICROSTAMP_OK;
}

/* P(r|t) over what it is if t is any of 36 characters, both as means over the choice's members. */
static double ratio_at(const struct microstamp_matrix *matrix, uint64_t set, unsigned t)
{
    double fits = 0.0, even = 0.0;

    if (set == 0)
        return 1.0;
    for (; set != 0; set &= set - 1) {
        const double *p =
            microstamp_matrix_read(matrix, MICROSTAMP_OPAQUE, (unsigned)__builtin_ctzll(set));

        fits += p[t];
        for (unsigned other = 0; other < MICROSTAMP_OPAQUE_SIZE; other++)
            even += p[other] / MICROSTAMP_OPAQUE_SIZE;
    }
    return fits / even;
}

/* The symbols of a recorded serial number. false: too long to compare. What is no letter or digit
 * is left out, as it is of the pattern. */
static bool take_symbols(const char *recorded, uint8_t symbol[2 * MICROSTAMP_SERIAL_MAX],
                         unsigned *ret_count)
{
    unsigned count = 0;

    for (; *recorded != '\0'; recorded++) {
        int one = microstamp_symbol(MICROSTAMP_OPAQUE, *recorded);

        if (one < 0)
            continue;
        if (count == 2 * MICROSTAMP_SERIAL_MAX)
            return false;
        symbol[count++] = (uint8_t)one;
    }
    *ret_count = count;
    return true;
}

/* The mean, over all ways of laying the pattern along the number, of the product of the ratios. '*'
 * takes any number of characters, all numbers of them as probable. Dynamic programming along the
 * number: after a position of the pattern, sum[n] adds the ratios of all ways to have used up n
 * characters, ways[n] counts them. */
double microstamp_serial_ratio(const struct microstamp_matrix *matrix,
                               const struct microstamp_serial *serial, const char *recorded)
{
    double sum[2 * MICROSTAMP_SERIAL_MAX + 1] = {1.0};
    double ways[2 * MICROSTAMP_SERIAL_MAX + 1] = {1.0};
    uint8_t symbol[2 * MICROSTAMP_SERIAL_MAX];
    unsigned length;

    if (recorded == NULL)
        return 1.0;
    if (!take_symbols(recorded, symbol, &length))
        return RATIO_LEAST;
    for (unsigned i = 0; i < serial->length; i++) {
        if (serial->set[i] == MICROSTAMP_SERIAL_RUN) {
            for (unsigned n = 1; n <= length; n++) {
                sum[n] += sum[n - 1];
                ways[n] += ways[n - 1];
            }
            continue;
        }
        for (unsigned n = length; n > 0; n--) {
            sum[n] = sum[n - 1] * ratio_at(matrix, serial->set[i], symbol[n - 1]);
            ways[n] = ways[n - 1];
        }
        sum[0] = ways[0] = 0.0;
    }
    return ways[length] > 0.0 ? fmax(sum[length] / ways[length], RATIO_LEAST) : RATIO_LEAST;
}
