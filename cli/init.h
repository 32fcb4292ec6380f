// SPDX-License-Identifier: Apache-2.0
#ifndef CLI_INIT_H
#define CLI_INIT_H

/* The parts of casetrace init: what the files hold, what the database holds, and entry 0. */

#include "accesslog/accesslog.h"
#include "auth/auth.h"
#include "base/base.h"
#include "store/store.h"

#define INIT_SIGNERS_MAX 4

/* What is to be entered. Strings are the caller's. */
struct init_names {
    const char *server; /* this host, for the entry's header */
    const char *organization;
    const char *administrator;
};

/* What was entered. */
struct init_ids {
    uint8_t organization[CT_UUID_BYTES];
    uint8_t account[CT_UUID_BYTES];
    uint8_t key[CT_UUID_BYTES];
};

/* The log's keys, for signing. To be cleared with init_signers_wipe(). */
struct init_signers {
    struct accesslog_signer signers[INIT_SIGNERS_MAX];
    size_t count;
};

/* ---- the database (init_database.c) ---------------------------------------------------------- */

/* What the database holds before anything is changed. */
struct init_state {
    bool ready; /* the schema is complete */
    uint64_t size;
    bool untouched; /* no keeper has written to the log yet */
};

/* Connects as the owner. Errors: CT_STALE (no schema), CT_DB_LOST, CT_DB. */
enum ct_status init_database_open(const char *connection, struct store **ret,
                                  struct ct_error *err) CT_MUST_CHECK;
enum ct_status init_database_state(struct store *store, struct init_state *ret,
                                   struct ct_error *err) CT_MUST_CHECK;

/* Begins a transaction and enters organization, account and credential.
 * Errors: CT_DB (done already, err->text), CT_DB_LOST; the transaction is then over. */
enum ct_status init_database_enter(struct store *store, const struct init_names *names,
                                   const uint8_t batch[CT_UUID_BYTES],
                                   const uint8_t digest[AUTH_DIGEST_BYTES], struct init_ids *ret,
                                   struct ct_error *err) CT_MUST_CHECK;

/* An entry as it is stored. */
struct init_entry {
    char *header; /* owned, init_entry_clear() */
    char *subject;
    uint8_t salt_header[ACCESSLOG_SALT_BYTES];
    uint8_t salt_subject[ACCESSLOG_SALT_BYTES];
    struct accesslog_entry commitment;
};
void init_entry_clear(struct init_entry *entry);

/* Appends entry 0 within the transaction. */
enum ct_status init_database_append(struct store *store, const struct auth_keyring *keyring,
                                    const uint8_t batch[CT_UUID_BYTES],
                                    const struct init_entry *entry,
                                    struct ct_error *err) CT_MUST_CHECK;
enum ct_status init_database_commit(struct store *store, struct ct_error *err) CT_MUST_CHECK;

/* Entry 0 as stored: its header and what its leaf is made of.
 * Owner: ret_entry is to be cleared; its subject and salt of the subject stay unset.
 * Errors: CT_NOT_FOUND, CT_DB… */
enum ct_status init_database_entry(struct store *store, struct init_entry *ret_entry,
                                   struct ct_error *err) CT_MUST_CHECK;

/* Whether a key of that name has signed a checkpoint; and storing a signature. */
enum ct_status init_database_signed(struct store *store, const char *name, bool *ret,
                                    struct ct_error *err) CT_MUST_CHECK;
enum ct_status init_database_sign(struct store *store, uint64_t size, const char *name,
                                  const char *line, struct ct_error *err) CT_MUST_CHECK;

/* ---- the log (init_log.c) ----------------------------------------------------------------------
 */

enum ct_status init_signers_load(const struct auth_keyring *keyring, struct init_signers *ret,
                                 struct ct_error *err) CT_MUST_CHECK;
void init_signers_wipe(struct init_signers *signers);
/* The verifier key of the current log key. */
enum ct_status init_verifier_text(const struct init_signers *signers,
                                  char ret[ACCESSLOG_VERIFIER_TEXT_MAX]) CT_MUST_CHECK;

/* Makes entry 0, which says who the first administrator is and which key signs the log. */
enum ct_status init_entry_make(const struct auth_keyring *keyring, const struct init_names *names,
                               const struct init_ids *ids, const char *verifier,
                               struct init_entry *ret) CT_MUST_CHECK;

/* Whether the stored header is that of an entry 0 of this origin and gives the stored leaf.
 * Errors: CT_STALE: it is not; err->text. */
enum ct_status init_entry_check(const struct init_entry *entry, const char *origin,
                                struct ct_error *err) CT_MUST_CHECK;

/* The signed checkpoint of size 1, only after entry 0 is committed. ret_line: the signature line of
 * the current key, with its line end, as it is stored. */
#define INIT_NOTE_ROOM 2048
enum ct_status init_checkpoint_sign(const struct init_signers *signers, const char *origin,
                                    const struct accesslog_hash *leaf,
                                    char ret_note[INIT_NOTE_ROOM],
                                    char ret_line[ACCESSLOG_SIGNATURE_LINE_MAX]) CT_MUST_CHECK;

#endif
