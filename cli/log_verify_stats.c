// SPDX-License-Identifier: Apache-2.0
/* How far a check is, and how fast it was. */
#include "cli/log_verify.h"

#include <openssl/evp.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define DRAW_MS 100
#define BAR_WIDTH 30u

typedef unsigned long long number; /* for printf */

/* ---- progress ---------------------------------------------------------------------------------
 */

void log_verify_progress_begin(struct log_verify_progress *progress, uint64_t from, uint64_t end)
{
    int64_t now = ct_mono_ms();
    *progress = (struct log_verify_progress){.shown = isatty(STDERR_FILENO) == 1,
                                             .from = from,
                                             .end = end,
                                             .started_ms = now,
                                             .drawn_ms = now - DRAW_MS};
}

void log_verify_progress_at(struct log_verify_progress *progress, uint64_t size)
{
    static const char full[] = "##############################";
    if (!progress->shown || progress->end <= progress->from)
        return;
    int64_t now = ct_mono_ms();
    if (now - progress->drawn_ms < DRAW_MS)
        return;
    progress->drawn_ms = now;
    double part = (double)(size - progress->from) / (double)(progress->end - progress->from);
    double seconds = (double)(now - progress->started_ms) / 1000;
    unsigned filled = (unsigned)(part * BAR_WIDTH);
    /* The cursor stays at the line's start, so that whatever is said next takes its place. */
    (void)fprintf(stderr, "\r[%-*.*s] %3.0f %% of %llu entries, %.0f a second\033[K\r",
                  (int)BAR_WIDTH, (int)filled, full, part * 100, (number)progress->end,
                  seconds > 0 ? (double)(size - progress->from) / seconds : 0.0);
    (void)fflush(stderr);
}

void log_verify_progress_end(struct log_verify_progress *progress)
{
    if (progress->shown)
        (void)fputs("\r\033[K", stderr);
    progress->shown = false;
}

/* ---- figures ----------------------------------------------------------------------------------
 */

#define NODE_BYTES 65u         /* prefix and two hashes */
#define OUTER_BYTES 96u        /* of an HMAC: padded key and inner digest */
#define COMMITMENT_BYTES 79u   /* label and two digests */
#define INNER_PAD_BYTES 64u    /* what an HMAC puts before the header */
#define HASH_BLOCK_MAX 131072u /* headers are shorter */

/* As `openssl speed` does it: the same block again and again through one context. */
static bool hash_blocks(EVP_MD_CTX *context, const EVP_MD *sha256, uint64_t count, size_t bytes)
{
    static uint8_t block[HASH_BLOCK_MAX];
    uint8_t digest[EVP_MAX_MD_SIZE];
    if (bytes > sizeof block)
        bytes = sizeof block;
    for (uint64_t i = 0; i < count; i++) {
        if (EVP_DigestInit_ex2(context, sha256, NULL) != 1 ||
            EVP_DigestUpdate(context, block, bytes) != 1 ||
            EVP_DigestFinal_ex(context, digest, NULL) != 1)
            return false;
        /* Each block depends on the one before, so that none can be left out. */
        memcpy(block, digest, sizeof digest[0] * 8);
    }
    return true;
}

static double now_s(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static size_t mean(uint64_t bytes, uint64_t count)
{
    return count == 0 ? 0 : (size_t)(bytes / count);
}

enum ct_status log_verify_stats_print(const struct log_verify *verify, double seconds,
                                      unsigned threads)
{
    const struct log_verify_work *work = &verify->work;
    struct rusage usage;
    size_t leaf = mean(work->leaf_bytes, work->leaves) + 1;
    size_t header = mean(work->header_bytes, work->headers) + INNER_PAD_BYTES;
    /* A tree has as many nodes as leaves, but for one. */
    uint64_t bytes = work->leaves * (leaf + NODE_BYTES) +
                     work->headers * (header + OUTER_BYTES + COMMITMENT_BYTES);
    (void)getrusage(RUSAGE_SELF, &usage);
    EVP_MD *sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    double start = now_s();
    bool done = sha256 != NULL && context != NULL &&
                hash_blocks(context, sha256, work->leaves, leaf) &&
                hash_blocks(context, sha256, work->leaves, NODE_BYTES) &&
                hash_blocks(context, sha256, work->headers, header) &&
                hash_blocks(context, sha256, work->headers, OUTER_BYTES) &&
                hash_blocks(context, sha256, work->headers, COMMITMENT_BYTES);
    double hash_seconds = now_s() - start;
    EVP_MD_CTX_free(context);
    EVP_MD_free(sha256);
    if (!done) {
        cli_complain("SHA-256 cannot be had");
        return CT_CRYPTO;
    }
    (void)printf(
        "{\"entries\": %llu, \"headers\": %llu, \"seconds\": %.3f, \"entries_per_s\": %.0f, "
        "\"hashed_bytes\": %llu, \"hash_seconds\": %.3f, \"hash_bytes_per_s\": %.0f, "
        "\"ratio\": %.2f, \"threads\": %u, \"peak_rss_bytes\": %llu}\n",
        (number)work->leaves, (number)work->headers, seconds,
        seconds > 0 ? (double)work->leaves / seconds : 0.0, (number)bytes, hash_seconds,
        hash_seconds > 0 ? (double)bytes / hash_seconds : 0.0,
        hash_seconds > 0 ? seconds / hash_seconds : 0.0, threads, (number)usage.ru_maxrss * 1024);
    return CT_OK;
}
