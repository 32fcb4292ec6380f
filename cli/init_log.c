// SPDX-License-Identifier: Apache-2.0
/* Entry 0 of the log and the checkpoint over it. */
#include "cli/init.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum ct_status init_signers_load(const struct auth_keyring *keyring, struct init_signers *ret,
                                 struct ct_error *err)
{
    struct auth_log_key key;
    size_t count = auth_keyring_log_key_count(keyring);
    ret->count = 0;
    for (size_t i = 0; i < count && i < INIT_SIGNERS_MAX; i++) {
        auth_keyring_log_key(keyring, i, &key);
        if (accesslog_signer_init(key.name, ACCESSLOG_KEY_ED25519, key.seed, &ret->signers[i]) !=
            ACCESSLOG_OK) {
            ct_error_set(err, "log key %zu of the keyring cannot be used", i + 1);
            init_signers_wipe(ret);
            return CT_CRYPTO;
        }
        ret->count = i + 1;
    }
    return CT_OK;
}

void init_signers_wipe(struct init_signers *signers)
{
    for (size_t i = 0; i < signers->count; i++)
        accesslog_signer_wipe(&signers->signers[i]);
    signers->count = 0;
}

enum ct_status init_verifier_text(const struct init_signers *signers,
                                  char ret[ACCESSLOG_VERIFIER_TEXT_MAX])
{
    return accesslog_verifier_format(&signers->signers[0].verifier, ret,
                                     ACCESSLOG_VERIFIER_TEXT_MAX) == 0
               ? CT_CRYPTO
               : CT_OK;
}

void init_entry_clear(struct init_entry *entry)
{
    free(entry->header);
    free(entry->subject);
    *entry = (struct init_entry){.header = NULL};
}

/* ---- entry 0 ------------------------------------------------------------------------------------
 */

enum ct_status init_entry_make(const struct auth_keyring *keyring, const struct init_names *names,
                               const struct init_ids *ids, const char *verifier,
                               struct init_entry *ret)
{
    char organization[CT_ID_TEXT], account[CT_ID_TEXT], key[CT_ID_TEXT], now[CT_TIME_TEXT];
    struct init_entry entry = {.header = NULL};
    ct_id_format("org", ids->organization, organization);
    ct_id_format("acc", ids->account, account);
    ct_id_format("key", ids->key, key);
    ct_time_format(ct_now_ms(), now);
    /* No request stands behind it: request, role and licence are empty. */
    json_t *header = json_pack("{s:i, s:s, s:s, s:i, s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s}",
                               "v", 1, "origin", auth_keyring_origin(keyring), "server",
                               names->server, "epoch", 0, "time", now, "operation", "init",
                               "outcome", "ok", "status", 201, "account", account, "organization",
                               organization, "role", "", "licence", "", "request_id", "");
    json_t *subject = json_pack("{s:s, s:{s:s, s:s}, s:{s:s, s:s, s:s}, s:s}", "address", "",
                                "asked", "organization", names->organization, "administrator",
                                names->administrator, "touched", "organization", organization,
                                "account", account, "key", key, "verifier", verifier);
    if (header != NULL && subject != NULL) {
        entry.header = ct_json_text(header);
        entry.subject = ct_json_text(subject);
    }
    json_decref(header);
    json_decref(subject);
    if (entry.header == NULL || entry.subject == NULL) {
        init_entry_clear(&entry);
        return CT_NO_MEMORY;
    }
    randombytes_buf(entry.salt_header, sizeof entry.salt_header);
    randombytes_buf(entry.salt_subject, sizeof entry.salt_subject);
    accesslog_entry_commit(entry.header, strlen(entry.header), entry.salt_header, entry.subject,
                           strlen(entry.subject), entry.salt_subject, &entry.commitment);
    *ret = entry;
    return CT_OK;
}

enum ct_status init_entry_check(const struct init_entry *entry, const char *origin,
                                struct ct_error *err)
{
    const struct ct_json_limits limits = {.depth = 4, .values = 100};
    struct accesslog_hash d_header, leaf_hash;
    uint8_t leaf[ACCESSLOG_LEAF_BYTES];
    json_t *header = NULL;
    accesslog_entry_digest(entry->salt_header, entry->header, strlen(entry->header), &d_header);
    accesslog_entry_leaf(&d_header, &entry->commitment.d_subject, leaf, &leaf_hash);
    if (!accesslog_hash_equal(&leaf_hash, &entry->commitment.leaf_hash)) {
        ct_error_set(err, "entry 0 of the log does not give its leaf");
        return CT_STALE;
    }
    if (ct_json_decode(entry->header, strlen(entry->header), limits, &header, err) != CT_OK)
        return CT_STALE;
    const char *stored = ct_json_string(header, "origin");
    bool same = stored != NULL && strcmp(stored, origin) == 0;
    if (!same)
        ct_error_set(err, "the log's origin is %.100s, that of the keyring %.100s",
                     stored == NULL ? "missing" : stored, origin);
    json_decref(header);
    return same ? CT_OK : CT_STALE;
}

/* ---- its checkpoint
 * -------------------------------------------------------------------------------- */

enum ct_status init_checkpoint_sign(const struct init_signers *signers, const char *origin,
                                    const struct accesslog_hash *leaf,
                                    char ret_note[INIT_NOTE_ROOM],
                                    char ret_line[ACCESSLOG_SIGNATURE_LINE_MAX])
{
    struct accesslog_checkpoint checkpoint = {.size = 1};
    struct accesslog_tree tree = {.size = 0};
    char text[ACCESSLOG_CHECKPOINT_TEXT_MAX];
    (void)snprintf(checkpoint.origin, sizeof checkpoint.origin, "%s", origin);
    accesslog_tree_append(&tree, leaf);
    accesslog_tree_root(&tree, &checkpoint.root);
    size_t length = accesslog_checkpoint_format(&checkpoint, text, sizeof text);
    if (length == 0 ||
        accesslog_note_sign(&signers->signers[0], text, length, ret_line,
                            ACCESSLOG_SIGNATURE_LINE_MAX) == 0 ||
        accesslog_checkpoint_sign(&checkpoint, signers->signers, signers->count, ret_note,
                                  INIT_NOTE_ROOM) == 0)
        return CT_CRYPTO;
    return CT_OK;
}
