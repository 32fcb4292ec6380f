// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_REPEATS_H
#define KEEPER_REPEATS_H

/* How often one account, or one agency, was shown one firearm today. A table of fixed size that
 * keeps those that come again: where there is no room, what was counted least goes. Nothing is
 * locked here. */

#include "base/base.h"

struct repeats_entry {
    uint64_t key; /* 0: free */
    int64_t first_entry;
    uint32_t count;
};

struct repeats {
    struct repeats_entry *entries; /* NULL until the first is noted */
};

/* Counts one firearm so many times. entry: of the log. Out of memory: it is not counted. */
void repeats_add(struct repeats *repeats, const uint8_t whom[CT_UUID_BYTES],
                 const uint8_t firearm[CT_UUID_BYTES], uint32_t times, int64_t entry);

/* Counts the firearms named in touched, what the log's subject says was touched. Returns the
 * highest count that one of them has by now, 0 if none, and the log's entry that was its first.
 * Out of memory: 0. */
uint32_t repeats_note(struct repeats *repeats, const uint8_t whom[CT_UUID_BYTES],
                      const char *touched, int64_t entry, int64_t *ret_first);
/* How often it was. */
uint32_t repeats_of(const struct repeats *repeats, const uint8_t whom[CT_UUID_BYTES],
                    const uint8_t firearm[CT_UUID_BYTES]);
void repeats_forget(struct repeats *repeats); /* a new day */
void repeats_free(struct repeats *repeats);

#endif
