// SPDX-License-Identifier: Apache-2.0
#include "server/request_ids.h"

#include <sys/random.h>

static uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

/* SipHash-2-4 of one eight-byte word. */
static uint64_t sip_hash(const uint64_t key[2], uint64_t word)
{
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                     key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
    const uint64_t blocks[2] = {word, UINT64_C(8) << 56};
    for (unsigned i = 0; i < 2; i++) {
        v[3] ^= blocks[i];
        sip_round(v);
        sip_round(v);
        v[0] ^= blocks[i];
    }
    v[2] ^= 0xff;
    for (unsigned i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t request_ids_permute(const uint64_t key[2], uint64_t counter)
{
    uint32_t left = (uint32_t)(counter >> 32);
    uint32_t right = (uint32_t)counter;
    /* Four rounds of a Feistel network: a permutation whatever the round function is. */
    for (uint64_t round = 0; round < 4; round++) {
        uint32_t mixed = left ^ (uint32_t)sip_hash(key, round << 32 | right);
        left = right;
        right = mixed;
    }
    return (uint64_t)left << 32 | right;
}

int request_ids_init(struct request_ids *ids)
{
    atomic_init(&ids->counter, 0);
    return getrandom(ids->key, sizeof ids->key, 0) == (long)sizeof ids->key ? 0 : -1;
}

uint64_t request_ids_next(struct request_ids *ids)
{
    return request_ids_permute(ids->key,
                               atomic_fetch_add_explicit(&ids->counter, 1, memory_order_relaxed));
}
