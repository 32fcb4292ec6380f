// SPDX-License-Identifier: Apache-2.0
/* The valid codes within two substitutions of a reading, of each view that counts.
 *
 * A code that differs in at most two positions i, j agrees with the reading at the other six, and
 * follows from them: so for every pair (i, j) and every choice of what the other six positions
 * allow there is exactly one code. Unread positions are always among the two. */

#include "microstamp/internal.h"

#include <string.h>

/* Open addressing, never more than half full. */
#define SLOTS 4096
_Static_assert(SLOTS >= 2 * MICROSTAMP_WORDS_NEAR_MAX,
               "the table of near words must stay half empty");

struct near {
    struct microstamp_code code[SLOTS];
    bool used[SLOTS];
    bool listed[SLOTS]; /* already among the words */
    unsigned count;
};

/* Where code is, or the free slot where it belongs. */
static unsigned slot_of(const struct near *near, const struct microstamp_code *code)
{
    uint64_t key;
    unsigned slot;

    memcpy(&key, code->symbol, sizeof(key));
    slot = (unsigned)(key * UINT64_C(0x9E3779B97F4A7C15) >> 52);
    while (near->used[slot] && memcmp(&near->code[slot], code, sizeof(*code)) != 0)
        slot = (slot + 1) % SLOTS;
    return slot;
}

static void insert(struct near *near, const struct microstamp_code *code)
{
    unsigned slot = slot_of(near, code);

    if (near->used[slot])
        return;
    near->used[slot] = true;
    near->code[slot] = *code;
    near->count++;
}

/* How many codes all pairs together make (with repeats), counted only until it is too many. open:
 * bits of the positions that use up a substitution whatever the character. */
static size_t count_codes(const uint32_t set[LENGTH], unsigned open)
{
    size_t total = 0;

    for (unsigned i = 0; i < LENGTH; i++) {
        for (unsigned j = i + 1; j < LENGTH; j++) {
            unsigned pair = 1u << i | 1u << j;
            size_t product = 1;

            if ((open & ~pair) != 0)
                continue;
            for (unsigned k = 0; k < LENGTH; k++) {
                if ((pair >> k & 1u) == 0 && product <= MICROSTAMP_WORDS_NEAR_MAX)
                    product *= (size_t)__builtin_popcount(set[k]);
            }
            total += product;
        }
    }
    return total;
}

unsigned microstamp_near_open(const uint32_t set[LENGTH])
{
    unsigned open = 0;

    for (unsigned i = 0; i < LENGTH; i++) {
        if (set[i] == ALL_SYMBOLS)
            open |= 1u << i;
    }
    while (count_codes(set, open) > MICROSTAMP_WORDS_NEAR_MAX) {
        unsigned widest = LENGTH;

        for (unsigned i = 0; i < LENGTH; i++) {
            if ((open >> i & 1u) == 0 &&
                (widest == LENGTH || __builtin_popcount(set[i]) > __builtin_popcount(set[widest])))
                widest = i;
        }
        open |= 1u << widest;
    }
    return open;
}

/* All codes whose characters outside of positions i, j are allowed there: counts through the
 * choices like an odometer. */
static void insert_pair(struct near *near, const uint32_t set[LENGTH], unsigned i, unsigned j)
{
    struct microstamp_code code = {{0}};
    uint32_t rest[LENGTH] = {0};
    unsigned k;

    for (k = 0; k < LENGTH; k++)
        rest[k] = set[k];
    do {
        for (k = 0; k < LENGTH; k++)
            code.symbol[k] = (uint8_t)__builtin_ctz(rest[k]);
        microstamp_r29_solve(&code, i, j);
        insert(near, &code);
        for (k = 0; k < LENGTH; k++) {
            if (k == i || k == j)
                continue;
            rest[k] &= rest[k] - 1;
            if (rest[k] != 0)
                break;
            rest[k] = set[k];
        }
    } while (k < LENGTH);
}

/* A reading of eight characters that is a valid code is near to no other: they differ in three. */
static bool is_valid_code(const struct microstamp_reading *reading,
                          struct microstamp_code *ret_code)
{
    for (unsigned i = 0; i < LENGTH; i++) {
        if ((reading->set[i] & (reading->set[i] - 1)) != 0)
            return false;
        ret_code->symbol[i] = (uint8_t)__builtin_ctz(reading->set[i]);
    }
    return microstamp_r29_is_valid(ret_code);
}

static enum microstamp_status add_from_table(const struct microstamp_views *views,
                                             struct near *near, struct microstamp_words *words)
{
    enum microstamp_status status;

    for (size_t i = 0; i < words->count; i++) {
        unsigned slot = slot_of(near, &words->word[i].code);

        if (near->used[slot]) {
            words->word[i].near = true;
            near->listed[slot] = true;
        }
    }
    status = microstamp_words_reserve(words, near->count);
    if (status != MICROSTAMP_OK)
        return status;
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        struct microstamp_word *word = &words->word[words->count];

        if (!near->used[slot] || near->listed[slot])
            continue;
        word->code = near->code[slot];
        word->likelihood = microstamp_views_likelihood(views, &word->code);
        word->near = true;
        words->left -= word->likelihood;
        words->count++;
    }
    return MICROSTAMP_OK;
}

/* All codes near to one view's reading, or none when they would not fit beside those of others. */
static void insert_view(struct near *near, const uint32_t set[LENGTH])
{
    unsigned open = microstamp_near_open(set);

    if (__builtin_popcount(open) > 2 ||
        (near->count > 0 && near->count + count_codes(set, open) > MICROSTAMP_WORDS_NEAR_MAX))
        return;
    for (unsigned i = 0; i < LENGTH; i++) {
        for (unsigned j = i + 1; j < LENGTH; j++) {
            if ((open & ~(1u << i | 1u << j)) == 0)
                insert_pair(near, set, i, j);
        }
    }
}

/* Whether an earlier view in the order has the same reading: rotations of the gear do. */
static bool seen_before(const struct microstamp_views *views, unsigned rank)
{
    const struct microstamp_reading *reading = &views->evidence[views->order[rank]].reading;

    for (unsigned other = 0; other < rank; other++) {
        if (memcmp(&views->evidence[views->order[other]].reading, reading, sizeof(*reading)) == 0)
            return true;
    }
    return false;
}

/* A view that explains less than this share of Z is no doubt worth having: its readings are of a
 * part held the wrong way, and random words lie near to them. */
#define VIEW_SHARE 0.01

enum microstamp_status microstamp_near_add(const struct microstamp_views *views,
                                           struct microstamp_words *words)
{
    struct microstamp_code code;
    struct near near;

    if (words->count == 1 && views->count == 1 &&
        is_valid_code(&views->evidence[0].reading, &code) &&
        memcmp(&code, &words->word[0].code, sizeof(code)) == 0) {
        words->word[0].near = true;
        return MICROSTAMP_OK;
    }
    memset(near.used, 0, sizeof(near.used));
    memset(near.listed, 0, sizeof(near.listed));
    near.count = 0;
    for (unsigned rank = 0; rank < views->count; rank++) {
        unsigned v = views->order[rank];

        if (views->z[v] >= VIEW_SHARE * words->z && !seen_before(views, rank))
            insert_view(&near, views->evidence[v].reading.set);
    }
    return near.count == 0 ? MICROSTAMP_OK : add_from_table(views, &near, words);
}
