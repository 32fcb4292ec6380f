// SPDX-License-Identifier: Apache-2.0
/* What is known of the log from elsewhere: signed checkpoints, anchors, receipts. */
#include "cli/log_verify.h"

#include <string.h>
#include <unistd.h>

#define FACT_FILE_MAX (1u << 20)

typedef unsigned long long number; /* for printf */

enum ct_status log_verify_fact_add(struct log_verify *verify, const char *source, const char *note,
                                   size_t length, struct log_verify_fact **ret_fact,
                                   struct ct_error *err)
{
    if (verify->fact_count == LOG_VERIFY_FACTS_MAX) {
        ct_error_set(err, "more than %d checkpoints and receipts", LOG_VERIFY_FACTS_MAX);
        return CT_LIMIT;
    }
    struct log_verify_fact *fact = &verify->facts[verify->fact_count];
    enum accesslog_status status = accesslog_checkpoint_open(
        note, length, verify->keys, verify->key_count, &fact->checkpoint, NULL);
    if (status != ACCESSLOG_OK) {
        ct_error_set(err, "%s: checkpoint: %s", source, accesslog_status_text(status));
        return CT_CRYPTO;
    }
    fact->source = source;
    verify->fact_count++;
    if (ret_fact != NULL)
        *ret_fact = fact;
    return CT_OK;
}

enum ct_status log_verify_facts_read(struct log_verify *verify, const char *path)
{
    struct ct_buf text;
    struct ct_error err = {.text = ""};
    size_t before = verify->fact_count;
    ct_buf_init(&text, FACT_FILE_MAX);
    enum ct_status status = cli_file_read(path, &text, &err);
    /* Longer than any: it is none. */
    if (status == CT_LIMIT)
        status = CT_BAD_INPUT;
    if (status == CT_OK) {
        ct_error_set(&err, "%s holds no checkpoint", path);
        status = CT_BAD_INPUT;
        for (size_t at = 0; at < text.length;) {
            const char *note = (const char *)text.data + at;
            size_t length = strnlen(note, text.length - at);
            if (length != 0)
                status = log_verify_fact_add(verify, path, note, length, NULL, &err);
            at += length + 1;
        }
    }
    if (verify->fact_count != before && status != CT_LIMIT)
        status = CT_OK;
    if (status != CT_OK)
        cli_complain("%s", err.text);
    ct_buf_free(&text);
    return status;
}

enum ct_status log_verify_resume_read(struct log_verify *verify, const char *path)
{
    struct ct_buf text;
    struct ct_error err = {.text = ""};
    struct log_verify_fact *fact = NULL;
    if (access(path, F_OK) != 0)
        return CT_OK;
    ct_buf_init(&text, ACCESSLOG_NOTE_BYTES_MAX);
    enum ct_status status = cli_file_read(path, &text, &err);
    if (status == CT_OK)
        status = log_verify_fact_add(verify, path, text.length == 0 ? "" : (char *)text.data,
                                     text.length, &fact, &err);
    ct_buf_free(&text);
    if (status != CT_OK) {
        cli_complain("%s", err.text);
        return status;
    }
    fact->published = true;
    /* An empty log is where a check begins anyway. */
    verify->resume = fact->checkpoint.size == 0 ? NULL : fact;
    return CT_OK;
}

enum ct_status log_verify_facts_agree(const struct log_verify *verify)
{
    for (size_t i = 0; i < verify->fact_count; i++) {
        const struct log_verify_fact *a = &verify->facts[i];
        for (size_t j = 0; j < i; j++) {
            const struct log_verify_fact *b = &verify->facts[j];
            if (a->checkpoint.size == b->checkpoint.size &&
                !accesslog_hash_equal(&a->checkpoint.root, &b->checkpoint.root))
                return LOG_VERIFY_FAIL("size %llu: %s and %s are both signed and differ: the log "
                                       "was forked",
                                       (number)a->checkpoint.size, b->source, a->source);
        }
    }
    return CT_OK;
}

enum ct_status log_verify_facts_reached(const struct log_verify *verify, uint64_t end,
                                        bool published)
{
    for (size_t i = 0; i < verify->fact_count; i++) {
        const struct log_verify_fact *fact = &verify->facts[i];
        if (fact->checkpoint.size <= end)
            continue;
        if (!published || fact->published)
            return LOG_VERIFY_FAIL("the log ends at size %llu, but %s shows that it had %llu "
                                   "entries",
                                   (number)end, fact->source, (number)fact->checkpoint.size);
        cli_complain("%s is of size %llu, which is not published yet: the checkpoint is of size "
                     "%llu; a new one comes every minute",
                     fact->source, (number)fact->checkpoint.size, (number)end);
        return CT_STALE;
    }
    return CT_OK;
}

bool log_verify_facts_have(const struct log_verify *verify, uint64_t size)
{
    for (size_t i = 0; i < verify->fact_count; i++) {
        if (verify->facts[i].checkpoint.size == size)
            return true;
    }
    return false;
}

enum ct_status log_verify_leaf_check(const struct log_verify *verify, uint64_t index,
                                     const struct accesslog_hash *leaf_hash)
{
    for (size_t i = 0; i < verify->fact_count; i++) {
        const struct log_verify_fact *fact = &verify->facts[i];
        if (fact->has_leaf && fact->index == index &&
            !accesslog_hash_equal(leaf_hash, &fact->leaf_hash))
            return LOG_VERIFY_FAIL("entry %llu is not the one of the receipt %s", (number)index,
                                   fact->source);
    }
    return CT_OK;
}

enum ct_status log_verify_root_check(const struct log_verify *verify, uint64_t size,
                                     const struct accesslog_hash *root,
                                     const struct log_verify_fact **agreed)
{
    for (size_t i = 0; i < verify->fact_count; i++) {
        const struct log_verify_fact *fact = &verify->facts[i];
        if (fact->checkpoint.size != size)
            continue;
        if (accesslog_hash_equal(&fact->checkpoint.root, root)) {
            *agreed = fact;
            continue;
        }
        if (*agreed == NULL)
            return LOG_VERIFY_FAIL("size %llu: the root is not the one signed in %s: the log was "
                                   "rewritten or forked",
                                   (number)size, fact->source);
        return LOG_VERIFY_FAIL("size %llu: the root is not the one signed in %s: the log was "
                               "rewritten or forked after size %llu, where it is as %s has it",
                               (number)size, fact->source, (number)(*agreed)->checkpoint.size,
                               (*agreed)->source);
    }
    return CT_OK;
}

enum ct_status log_verify_facts_before(const struct log_verify *verify, uint64_t from,
                                       const struct accesslog_storage *storage, uint64_t size,
                                       const struct accesslog_hash *root)
{
    struct accesslog_hash proof[ACCESSLOG_PROOF_MAX];
    for (size_t i = 0; i < verify->fact_count; i++) {
        const struct log_verify_fact *fact = &verify->facts[i];
        size_t count = 0;
        if (fact->checkpoint.size > from)
            continue;
        enum accesslog_status status =
            accesslog_prove_consistency(storage, fact->checkpoint.size, size, proof, &count);
        if (status != ACCESSLOG_OK) {
            cli_complain("no proof from size %llu to %llu: %s", (number)fact->checkpoint.size,
                         (number)size, accesslog_status_text(status));
            return CT_IO;
        }
        if (accesslog_check_consistency(fact->checkpoint.size, &fact->checkpoint.root, size, root,
                                        proof, count) != ACCESSLOG_OK)
            return LOG_VERIFY_FAIL("size %llu: the log of size %llu does not go on from what is "
                                   "signed in %s: it was rewritten or forked",
                                   (number)fact->checkpoint.size, (number)size, fact->source);
    }
    return CT_OK;
}
