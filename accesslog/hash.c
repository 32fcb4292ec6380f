// SPDX-License-Identifier: Apache-2.0
/* SHA-256. OpenSSL's is three times as fast as libsodium's for a tree node where the processor
 * has SHA instructions, provided that the digest is fetched once and each thread keeps its
 * context. If either cannot be had (out of memory, a locked-down provider), libsodium's gives the
 * same bytes, so hashing never fails. */
#include "accesslog/internal.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>

struct digest_state {
    pthread_key_t key; /* only so that a thread's context is freed when the thread ends */
    bool ready;
    EVP_MD *sha256;
};

static struct digest_state digest;
static pthread_once_t digest_once = PTHREAD_ONCE_INIT;
static _Thread_local EVP_MD_CTX *thread_context;

static void context_free(void *context)
{
    EVP_MD_CTX_free(context);
    thread_context = NULL;
}

static void digest_prepare(void)
{
    digest.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (digest.sha256 == NULL)
        return;
    digest.ready = pthread_key_create(&digest.key, context_free) == 0;
}

static EVP_MD_CTX *context_of_thread(void)
{
    if (thread_context != NULL)
        return thread_context;
    (void)pthread_once(&digest_once, digest_prepare);
    if (!digest.ready)
        return NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL || pthread_setspecific(digest.key, context) != 0) {
        EVP_MD_CTX_free(context);
        return NULL;
    }
    thread_context = context;
    return context;
}

static bool hash_with_openssl(const struct hash_part *parts, size_t count, uint8_t *ret_bytes)
{
    EVP_MD_CTX *context = context_of_thread();
    if (context == NULL || EVP_DigestInit_ex2(context, digest.sha256, NULL) != 1)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (EVP_DigestUpdate(context, parts[i].data, parts[i].bytes) != 1)
            return false;
    }
    return EVP_DigestFinal_ex(context, ret_bytes, NULL) == 1;
}

void hash_parts(const struct hash_part *parts, size_t count, struct accesslog_hash *ret_hash)
{
    if (hash_with_openssl(parts, count, ret_hash->bytes))
        return;
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < count; i++)
        crypto_hash_sha256_update(&state, parts[i].data, parts[i].bytes);
    crypto_hash_sha256_final(&state, ret_hash->bytes);
}

bool accesslog_hash_equal(const struct accesslog_hash *a, const struct accesslog_hash *b)
{
    return memcmp(a->bytes, b->bytes, ACCESSLOG_HASH_BYTES) == 0;
}

void accesslog_leaf_hash(const void *data, size_t data_bytes, struct accesslog_hash *ret_hash)
{
    static const uint8_t prefix = 0x00;
    const struct hash_part parts[] = {{&prefix, 1}, {data, data_bytes}};
    hash_parts(parts, 2, ret_hash);
}

void accesslog_node_hash(const struct accesslog_hash *left, const struct accesslog_hash *right,
                         struct accesslog_hash *ret_hash)
{
    /* One piece is hashed faster than three. */
    uint8_t bytes[1 + 2 * ACCESSLOG_HASH_BYTES];
    bytes[0] = 0x01;
    memcpy(bytes + 1, left->bytes, ACCESSLOG_HASH_BYTES);
    memcpy(bytes + 1 + ACCESSLOG_HASH_BYTES, right->bytes, ACCESSLOG_HASH_BYTES);
    const struct hash_part part = {bytes, sizeof bytes};
    hash_parts(&part, 1, ret_hash);
}

const char *accesslog_status_text(enum accesslog_status status)
{
    switch (status) {
    case ACCESSLOG_OK:
        return "ok";
    case ACCESSLOG_BAD_INPUT:
        return "argument out of range";
    case ACCESSLOG_MALFORMED:
        return "malformed";
    case ACCESSLOG_TOO_LARGE:
        return "too large";
    case ACCESSLOG_BAD_PROOF:
        return "the proof does not lead to the root";
    case ACCESSLOG_BAD_SIGNATURE:
        return "a signature by a known key does not verify";
    case ACCESSLOG_UNKNOWN_KEY:
        return "not signed by a known key";
    case ACCESSLOG_STORAGE:
        return "stored hashes could not be read";
    }
    return "unknown status";
}
