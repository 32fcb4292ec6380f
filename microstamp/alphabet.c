// SPDX-License-Identifier: Apache-2.0
/* The two alphabets, and what parsers say of a byte that they did not expect. */

#include "microstamp/internal.h"

#include <stdarg.h>
#include <stdio.h>

static const char r29[SIZE + 1] = "0123456789ACDEFGHJKMNPRTUVWXY";
static const char opaque[MICROSTAMP_OPAQUE_SIZE + 1] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/* R29 values of the bytes. Folded look-alikes stand with the value of what they are folded to. 0
 * means none of the alphabet, so that all other bytes need not be written down; the values are one
 * higher. */
static const uint8_t value_plus_one[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['A'] = 11, ['C'] = 12, ['D'] = 13, ['E'] = 14, ['F'] = 15, ['G'] = 16,
    ['H'] = 17, ['J'] = 18, ['K'] = 19, ['M'] = 20, ['N'] = 21, ['P'] = 22, ['R'] = 23, ['T'] = 24,
    ['U'] = 25, ['V'] = 26, ['W'] = 27, ['X'] = 28, ['Y'] = 29, ['a'] = 11, ['c'] = 12, ['d'] = 13,
    ['e'] = 14, ['f'] = 15, ['g'] = 16, ['h'] = 17, ['j'] = 18, ['k'] = 19, ['m'] = 20, ['n'] = 21,
    ['p'] = 22, ['r'] = 23, ['t'] = 24, ['u'] = 25, ['v'] = 26, ['w'] = 27, ['x'] = 28, ['y'] = 29,
    ['B'] = 9,  ['I'] = 2,  ['L'] = 2,  ['O'] = 1,  ['Q'] = 1,  ['S'] = 6,  ['Z'] = 3,  ['b'] = 9,
    ['i'] = 2,  ['l'] = 2,  ['o'] = 1,  ['q'] = 1,  ['s'] = 6,  ['z'] = 3,
};

int microstamp_r29_symbol(unsigned char byte)
{
    return (int)value_plus_one[byte] - 1;
}

unsigned microstamp_alphabet_size(enum microstamp_alphabet alphabet)
{
    return alphabet == MICROSTAMP_R29 ? SIZE : MICROSTAMP_OPAQUE_SIZE;
}

int microstamp_symbol(enum microstamp_alphabet alphabet, char character)
{
    if (alphabet == MICROSTAMP_R29)
        return microstamp_r29_symbol((unsigned char)character);
    if (character >= '0' && character <= '9')
        return character - '0';
    if (character >= 'A' && character <= 'Z')
        return character - 'A' + 10;
    return character >= 'a' && character <= 'z' ? character - 'a' + 10 : -1;
}

char microstamp_character(enum microstamp_alphabet alphabet, unsigned symbol)
{
    return alphabet == MICROSTAMP_R29 ? r29[symbol] : opaque[symbol];
}

void microstamp_error_set(struct microstamp_error *err, size_t offset, const char *format, ...)
{
    va_list args;

    if (err == NULL)
        return;
    err->offset = offset;
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
}

void microstamp_error_found(struct microstamp_error *err, size_t offset, char found,
                            const char *expected)
{
    if (found > ' ' && found <= '~')
        microstamp_error_set(err, offset, "expected %s, found '%c'", expected, found);
    else if (found == ' ')
        microstamp_error_set(err, offset, "expected %s, found a space", expected);
    else
        microstamp_error_set(err, offset, "expected %s, found a byte outside of printable ASCII",
                             expected);
}
