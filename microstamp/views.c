// SPDX-License-Identifier: Apache-2.0
/* What one observation says of a code, held one way. */

#include "microstamp/internal.h"

#include <string.h>

/* Reads as it reads upright, as another character, or not at all when turned by 180 degrees. */
static const char turns_from[] = "018HNX69MW", turns_to[] = "018HNX96WM";

/* The symbol that a character shows upside down, or -1 where it would not be taken for one. */
static int turned_symbol(enum microstamp_alphabet alphabet, unsigned symbol)
{
    const char *at = strchr(turns_from, microstamp_character(alphabet, symbol));

    return at == NULL ? -1 : microstamp_symbol(alphabet, turns_to[at - turns_from]);
}

/* A gear in which no tooth was seen leaves nothing to turn. */
static unsigned rotations(const struct microstamp_observation *observation)
{
    bool seen = false;

    if (!observation->has_gear || !observation->gear_index_unknown)
        return 1;
    for (unsigned i = 0; i < MICROSTAMP_GEAR_TEETH; i++)
        seen = seen || observation->gear[i] != '?';
    return seen ? LENGTH : 1;
}

unsigned microstamp_ways(const struct microstamp_observation *observation,
                         struct microstamp_way ret_ways[WAYS_MAX])
{
    const unsigned turns = observation->orientation_unknown ? 2 : 1;
    const unsigned swaps = observation->rows_unknown && observation->length == LENGTH ? 2 : 1;
    unsigned count = 0;

    for (unsigned turned = 0; turned < turns; turned++) {
        for (unsigned swapped = 0; swapped < swaps; swapped++) {
            for (unsigned rotation = 0; rotation < rotations(observation); rotation++)
                ret_ways[count++] =
                    (struct microstamp_way){(uint8_t)turned, (uint8_t)swapped, (uint8_t)rotation};
        }
    }
    return count;
}

/* Turned, the last is the first, over both rows; swapped, the rows of four change places. The two
 * commute. */
unsigned microstamp_way_position(struct microstamp_way way, unsigned length, unsigned written)
{
    if (way.turned != 0)
        written = length - 1 - written;
    return way.swapped != 0 ? (written + length / 2) % length : written;
}

/* p(t) = sum over m of weight(m) P(m|t). */
static void weigh(const struct microstamp_matrix *matrix, enum microstamp_alphabet alphabet,
                  const double *weight, double *ret_p)
{
    const unsigned size = microstamp_alphabet_size(alphabet);

    memset(ret_p, 0, size * sizeof(*ret_p));
    for (unsigned m = 0; m < size; m++) {
        const double *p = microstamp_matrix_read(matrix, alphabet, m);

        if (weight[m] == 0.0)
            continue;
        for (unsigned t = 0; t < size; t++)
            ret_p[t] += weight[m] * p[t];
    }
}

static void weights_of(const struct microstamp_position *position, unsigned size, double *ret)
{
    const double share = 1.0 / (double)__builtin_popcountll(position->set);

    for (unsigned s = 0; s < size; s++) {
        if (position->weighed)
            ret[s] = position->weight[s];
        else
            ret[s] = (position->set >> s & 1u) != 0 ? share : 0.0;
    }
}

/* Turns weights by 180 degrees, character by character. What cannot be turned is as likely any
 * character, so it is spread over all. Returns that share. */
static double turn_weights(enum microstamp_alphabet alphabet, double *weight)
{
    const unsigned size = microstamp_alphabet_size(alphabet);
    double turned[MICROSTAMP_SYMBOLS_MAX] = {0.0}, lost = 0.0;

    for (unsigned s = 0; s < size; s++) {
        int to = turned_symbol(alphabet, s);

        if (to < 0)
            lost += weight[s];
        else
            turned[to] += weight[s];
    }
    for (unsigned s = 0; s < size; s++)
        weight[s] = turned[s] + lost / size;
    return lost;
}

static void view_position(const struct microstamp_matrix *matrix,
                          const struct microstamp_observation *observation,
                          const struct microstamp_position *written, bool turned, unsigned at,
                          struct microstamp_view *view)
{
    const enum microstamp_alphabet alphabet = observation->alphabet;
    const unsigned size = microstamp_alphabet_size(alphabet);
    double weight[MICROSTAMP_SYMBOLS_MAX] = {0.0};
    int symbol;

    view->symbol[at] = NO_SYMBOL;
    view->set[at] = microstamp_all_symbols(alphabet);
    if (!written->read)
        return;
    if (!written->weighed && (written->set & (written->set - 1)) == 0) {
        symbol = __builtin_ctzll(written->set);
        if (turned)
            symbol = turned_symbol(alphabet, (unsigned)symbol);
        if (symbol >= 0) {
            view->symbol[at] = (uint8_t)symbol;
            view->set[at] = UINT64_C(1) << symbol;
            view->read |= 1u << at;
            memcpy(view->p[at], microstamp_matrix_read(matrix, alphabet, (unsigned)symbol),
                   size * sizeof(double));
            return;
        }
    }
    weights_of(written, size, weight);
    /* The laboratory did write a character here. Held so, it could as well have been any other: its
     * probability is 1/A whatever the code. Were it 1, as for '?', then among views the one that
     * explains least would win. */
    if (turned && turn_weights(alphabet, weight) > 1.0 - 1e-9) {
        view->scale /= size;
        return;
    }
    view->set[at] = microstamp_heavy_set(weight, size);
    view->read |= 1u << at;
    weigh(matrix, alphabet, weight, view->p[at]);
}

/* The gear is cut by the same pin but read apart from the characters: their likelihoods multiply.
 */
static void add_gear(const struct microstamp_observation *observation, unsigned rotation,
                     struct microstamp_view *view)
{
    for (unsigned sector = 0; sector < LENGTH; sector++) {
        unsigned at = (sector + rotation) % LENGTH;
        double teeth[SIZE];
        uint64_t best;

        if (!microstamp_gear_sector(observation, sector, teeth, &best))
            continue;
        if ((view->read >> at & 1u) != 0) {
            for (unsigned t = 0; t < SIZE; t++)
                view->p[at][t] *= teeth[t];
        } else {
            memcpy(view->p[at], teeth, sizeof(teeth));
            view->set[at] = best;
            view->read |= 1u << at;
        }
        view->symbol[at] = NO_SYMBOL;
    }
}

void microstamp_view_of(const struct microstamp_matrix *matrix,
                        const struct microstamp_observation *observation, struct microstamp_way way,
                        struct microstamp_view *ret_view)
{
    ret_view->scale = 1.0;
    ret_view->read = 0;
    for (unsigned i = 0; i < observation->length; i++)
        view_position(matrix, observation, &observation->position[i], way.turned != 0,
                      microstamp_way_position(way, observation->length, i), ret_view);
    if (observation->has_gear)
        add_gear(observation, way.rotation, ret_view);
}
