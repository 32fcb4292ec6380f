// SPDX-License-Identifier: Apache-2.0
/* What the log knows of an entry: a commitment to two private parts. */
#include "accesslog/internal.h"

#include <sodium.h>
#include <string.h>

/* HMAC by hand, for the same reason for which hash.c does not use libsodium's SHA-256. */
#define BLOCK_BYTES 64

void accesslog_entry_digest(const uint8_t salt[ACCESSLOG_SALT_BYTES], const void *part,
                            size_t part_bytes, struct accesslog_hash *ret_digest)
{
    uint8_t inner_key[BLOCK_BYTES];
    uint8_t outer_key[BLOCK_BYTES];
    memset(inner_key, 0x36, sizeof inner_key);
    memset(outer_key, 0x5c, sizeof outer_key);
    for (size_t i = 0; i < ACCESSLOG_SALT_BYTES; i++) {
        inner_key[i] ^= salt[i];
        outer_key[i] ^= salt[i];
    }
    struct accesslog_hash inner;
    const struct hash_part first[] = {{inner_key, sizeof inner_key}, {part, part_bytes}};
    hash_parts(first, 2, &inner);
    const struct hash_part second[] = {{outer_key, sizeof outer_key},
                                       {inner.bytes, sizeof inner.bytes}};
    hash_parts(second, 2, ret_digest);
    /* Whoever has a salt can guess at a subject. */
    sodium_memzero(inner_key, sizeof inner_key);
    sodium_memzero(outer_key, sizeof outer_key);
}

void accesslog_entry_leaf(const struct accesslog_hash *d_header,
                          const struct accesslog_hash *d_subject,
                          uint8_t ret_leaf[ACCESSLOG_LEAF_BYTES],
                          struct accesslog_hash *ret_leaf_hash)
{
    static const char label[] = "audit-entry/v1"; /* its NUL is part of what is hashed */
    const struct hash_part parts[] = {{label, sizeof label},
                                      {d_header->bytes, sizeof d_header->bytes},
                                      {d_subject->bytes, sizeof d_subject->bytes}};
    struct accesslog_hash commitment;
    hash_parts(parts, 3, &commitment);
    ret_leaf[0] = 0x01;
    memcpy(ret_leaf + 1, commitment.bytes, sizeof commitment.bytes);
    accesslog_leaf_hash(ret_leaf, ACCESSLOG_LEAF_BYTES, ret_leaf_hash);
}

void accesslog_entry_commit(const void *header, size_t header_bytes,
                            const uint8_t salt_header[ACCESSLOG_SALT_BYTES], const void *subject,
                            size_t subject_bytes, const uint8_t salt_subject[ACCESSLOG_SALT_BYTES],
                            struct accesslog_entry *ret_entry)
{
    accesslog_entry_digest(salt_header, header, header_bytes, &ret_entry->d_header);
    accesslog_entry_digest(salt_subject, subject, subject_bytes, &ret_entry->d_subject);
    accesslog_entry_leaf(&ret_entry->d_header, &ret_entry->d_subject, ret_entry->leaf,
                         &ret_entry->leaf_hash);
}
