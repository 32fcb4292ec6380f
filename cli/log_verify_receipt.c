// SPDX-License-Identifier: Apache-2.0
/* Checking a receipt with nothing but the log's verifier key. */
#include "cli/log_verify.h"

#include <stdlib.h>
#include <string.h>

#define YEAR_9999_S 253402300799u /* the last time that is written with four digits */

/* What `extra` carries. Texts belong to the decoded JSON. */
struct receipt_extra {
    json_t *json;
    const char *header;
    uint8_t header_salt[ACCESSLOG_SALT_BYTES];
    struct accesslog_hash d_subject;
    const char *subject; /* NULL: its holder may not see it */
    uint8_t subject_salt[ACCESSLOG_SALT_BYTES];
};

static bool read_hex(const json_t *json, const char *member, uint8_t ret[32])
{
    const char *text = ct_json_string(json, member);
    return text != NULL && ct_hex_decode(text, strlen(text), ret, 32) == CT_OK;
}

static enum ct_status extra_read(const struct accesslog_receipt *receipt, struct receipt_extra *ret,
                                 struct ct_error *err)
{
    static const struct ct_json_limits limits = {.depth = 8, .values = 64};
    if (receipt->extra == NULL) {
        ct_error_set(err, "it has no extra line, from which its entry could be rebuilt");
        return CT_BAD_INPUT;
    }
    enum ct_status status =
        ct_json_decode(receipt->extra, receipt->extra_bytes, limits, &ret->json, err);
    if (status != CT_OK)
        return CT_BAD_INPUT;
    ret->header = ct_json_string(ret->json, "header");
    ret->subject = ct_json_string(ret->json, "subject");
    if (json_integer_value(json_object_get(ret->json, "v")) != 1 || ret->header == NULL ||
        !read_hex(ret->json, "header_salt", ret->header_salt) ||
        !read_hex(ret->json, "d_subject", ret->d_subject.bytes) ||
        (ret->subject != NULL && !read_hex(ret->json, "subject_salt", ret->subject_salt))) {
        ct_error_set(err, "its extra is not as in version 1");
        return CT_BAD_INPUT;
    }
    return CT_OK;
}

/* The entry that extra speaks of is the one at the receipt's index, in a tree that the log signed.
 */
static enum ct_status check(const struct log_verify *verify,
                            const struct accesslog_receipt *receipt,
                            const struct receipt_extra *extra, struct log_verify_fact *ret_fact,
                            struct accesslog_signed *ret_signed, struct ct_error *err)
{
    struct log_verify_header header;
    struct accesslog_hash digest;
    uint8_t leaf[ACCESSLOG_LEAF_BYTES];
    accesslog_entry_digest(extra->header_salt, extra->header, strlen(extra->header), &digest);
    accesslog_entry_leaf(&digest, &extra->d_subject, leaf, &ret_fact->leaf_hash);
    enum accesslog_status status =
        accesslog_receipt_check(receipt, &ret_fact->leaf_hash, verify->keys, verify->key_count,
                                &ret_fact->checkpoint, ret_signed);
    if (status != ACCESSLOG_OK) {
        ct_error_set(err, "entry %llu: %s", (unsigned long long)receipt->index,
                     accesslog_status_text(status));
        return CT_CRYPTO;
    }
    ret_fact->has_leaf = true;
    ret_fact->index = receipt->index;
    if (extra->subject != NULL) {
        accesslog_entry_digest(extra->subject_salt, extra->subject, strlen(extra->subject),
                               &digest);
        if (!accesslog_hash_equal(&digest, &extra->d_subject)) {
            ct_error_set(err, "the subject is not the one that entry %llu was logged with",
                         (unsigned long long)receipt->index);
            return CT_CRYPTO;
        }
    }
    if (log_verify_header_read(extra->header, strlen(extra->header), &header, err) != CT_OK)
        return CT_CRYPTO;
    if (strcmp(header.origin, ret_fact->checkpoint.origin) != 0) {
        ct_error_set(err, "the header names another log, %s", header.origin);
        return CT_CRYPTO;
    }
    return CT_OK;
}

static void print(const struct log_verify *verify, const char *path,
                  const struct receipt_extra *extra, const struct log_verify_fact *fact,
                  const struct accesslog_signed *signatures)
{
    cli_print_text(stdout, path);
    (void)printf(": entry %llu is in the log of %llu entries that %s signed\n",
                 (unsigned long long)fact->index, (unsigned long long)fact->checkpoint.size,
                 fact->checkpoint.origin);
    for (size_t i = 0; i < verify->key_count; i++) {
        char time[CT_TIME_TEXT];
        if (!signatures[i].valid || verify->keys[i].type != ACCESSLOG_KEY_COSIGNATURE ||
            signatures[i].time_s > YEAR_9999_S)
            continue;
        ct_time_format((int64_t)signatures[i].time_s * 1000, time);
        (void)printf("%-16s %s at %s\n", "witness", verify->keys[i].name, time);
    }
    log_verify_header_print(extra->header, strlen(extra->header));
    if (extra->subject != NULL) {
        (void)printf("%-16s ", "subject");
        cli_print_text(stdout, extra->subject);
        (void)fputc('\n', stdout);
    }
}

static enum ct_status verify_text(struct log_verify *verify, const char *path,
                                  const struct ct_buf *text, struct ct_error *err)
{
    struct accesslog_receipt receipt;
    struct receipt_extra extra = {.json = NULL};
    struct log_verify_fact fact = {.source = path};
    struct accesslog_signed signatures[ACCESSLOG_KNOWN_MAX];
    uint8_t *buffer = malloc(text->length + 1);
    enum ct_status status = CT_NO_MEMORY;
    if (buffer == NULL)
        goto out;
    enum accesslog_status parsed = accesslog_receipt_parse((const char *)text->data, text->length,
                                                           buffer, text->length + 1, &receipt);
    status = CT_BAD_INPUT;
    if (parsed != ACCESSLOG_OK) {
        ct_error_set(err, "not a receipt: %s", accesslog_status_text(parsed));
        goto out;
    }
    status = extra_read(&receipt, &extra, err);
    if (status == CT_OK)
        status = check(verify, &receipt, &extra, &fact, signatures, err);
    if (status == CT_OK && verify->fact_count == LOG_VERIFY_FACTS_MAX) {
        ct_error_set(err, "more than %d checkpoints and receipts", LOG_VERIFY_FACTS_MAX);
        status = CT_LIMIT;
    }
    if (status != CT_OK)
        goto out;
    verify->facts[verify->fact_count++] = fact;
    print(verify, path, &extra, &fact, signatures);
out:
    json_decref(extra.json);
    free(buffer);
    return status;
}

enum ct_status log_verify_receipt(struct log_verify *verify, const char *path)
{
    struct ct_buf text;
    struct ct_error err = {.text = "out of memory"};
    ct_buf_init(&text, ACCESSLOG_RECEIPT_BYTES_MAX);
    enum ct_status status = cli_file_read(path, &text, &err);
    if (status != CT_OK)
        cli_complain("%s", err.text);
    /* Longer than any: it is none. */
    if (status == CT_LIMIT)
        status = CT_BAD_INPUT;
    if (status == CT_OK) {
        status = verify_text(verify, path, &text, &err);
        if (status != CT_OK)
            cli_complain("%s: %s", path, err.text);
    }
    ct_buf_free(&text);
    return status;
}
