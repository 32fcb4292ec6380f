// SPDX-License-Identifier: Apache-2.0
#include "keeper/repeats.h"

#include <stdlib.h>
#include <string.h>

#define WAYS 8
#define BUCKETS (1u << 15)
#define PREFIX "frm_"

/* Both ids are random, and nobody chooses them: no hash is needed beyond putting them together. */
static uint64_t key_of(const uint8_t whom[CT_UUID_BYTES], const uint8_t firearm[8])
{
    uint64_t a;
    uint64_t b;
    memcpy(&a, whom, sizeof a);
    memcpy(&b, firearm, sizeof b);
    uint64_t key = (a ^ b) * 0x9e3779b97f4a7c15u;
    key ^= key >> 29;
    return key == 0 ? 1 : key;
}

static struct repeats_entry *place_of(struct repeats *repeats, uint64_t key)
{
    struct repeats_entry *bucket = &repeats->entries[(key & (BUCKETS - 1)) * WAYS];
    struct repeats_entry *least = bucket;
    for (unsigned i = 0; i < WAYS; i++) {
        if (bucket[i].key == key)
            return &bucket[i];
        if (bucket[i].count < least->count)
            least = &bucket[i];
    }
    *least = (struct repeats_entry){.key = key};
    return least;
}

static bool has_entries(struct repeats *repeats)
{
    if (repeats->entries == NULL)
        repeats->entries = calloc((size_t)BUCKETS * WAYS, sizeof *repeats->entries);
    return repeats->entries != NULL;
}

void repeats_add(struct repeats *repeats, const uint8_t whom[CT_UUID_BYTES],
                 const uint8_t firearm[CT_UUID_BYTES], uint32_t times, int64_t entry)
{
    if (!has_entries(repeats))
        return;
    struct repeats_entry *place = place_of(repeats, key_of(whom, firearm));
    if (place->count == 0)
        place->first_entry = entry;
    place->count += times;
}

uint32_t repeats_note(struct repeats *repeats, const uint8_t whom[CT_UUID_BYTES],
                      const char *touched, int64_t entry, int64_t *ret_first)
{
    uint32_t most = 0;
    if (!has_entries(repeats))
        return 0;
    for (const char *at = touched; (at = strstr(at, PREFIX)) != NULL;) {
        uint8_t firearm[8];
        at += strlen(PREFIX);
        if (strnlen(at, 16) < 16 || ct_hex_decode(at, 16, firearm, sizeof firearm) != CT_OK)
            continue;
        struct repeats_entry *place = place_of(repeats, key_of(whom, firearm));
        if (place->count++ == 0)
            place->first_entry = entry;
        if (place->count > most) {
            most = place->count;
            *ret_first = place->first_entry;
        }
    }
    return most;
}

uint32_t repeats_of(const struct repeats *repeats, const uint8_t whom[CT_UUID_BYTES],
                    const uint8_t firearm[CT_UUID_BYTES])
{
    uint64_t key = key_of(whom, firearm);
    for (unsigned i = 0; repeats->entries != NULL && i < WAYS; i++) {
        const struct repeats_entry *entry = &repeats->entries[(key & (BUCKETS - 1)) * WAYS + i];
        if (entry->key == key)
            return entry->count;
    }
    return 0;
}

void repeats_forget(struct repeats *repeats)
{
    if (repeats->entries != NULL)
        memset(repeats->entries, 0, (size_t)BUCKETS * WAYS * sizeof *repeats->entries);
}

void repeats_free(struct repeats *repeats)
{
    free(repeats->entries);
    repeats->entries = NULL;
}
