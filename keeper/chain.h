// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_CHAIN_H
#define KEEPER_CHAIN_H

/* The log's head as this keeper remembers it, and the release of checkpoints. One mutex makes
 * appends follow each other; another one makes what is released only grow. */

#include "accesslog/accesslog.h"
#include "auth/auth.h"
#include "store/store.h"

#include <pthread.h>

#define CHAIN_WRITER_TEXT 128
/* A checkpoint with the lines of two own keys and of as many witnesses as a policy names. */
#define CHAIN_NOTE_ROOM (2048 + ACCESSLOG_POLICY_WITNESSES_MAX * ACCESSLOG_SIGNATURE_LINE_MAX)

/* One entry before it is appended. Bytes are the caller's. */
struct chain_entry {
    const char *header;  /* exact bytes that are hashed */
    const char *subject; /* the same, sealed before it is stored */
    uint8_t salt_header[ACCESSLOG_SALT_BYTES];
    uint8_t salt_subject[ACCESSLOG_SALT_BYTES];
    struct accesslog_entry commitment; /* filled by chain_commit_entry() */
    /* What auditors filter by, as in the header; of all entries of a batch or of none (operation
     * NULL), which are read from their headers later. */
    int64_t time_ms; /* the same for all of a batch */
    const uint8_t *account;
    const uint8_t *organization;
    const char *operation;
    const char *outcome;
    const char *case_number; /* NULL: none */
    /* Tokens of what was touched, one after the other, see keeper/touched.h. */
    const uint8_t (*tokens)[AUTH_TOKEN_BYTES];
    size_t token_count;
};

struct chain {
    const struct auth_keyring *keyring;
    pthread_mutex_t mutex; /* held from the lock of the head row to the end of COMMIT */
    struct accesslog_tree tree;
    struct accesslog_hash root; /* of tree */
    int64_t epoch;
    char writer[CHAIN_WRITER_TEXT];
    /* A batch whose COMMIT was sent and not confirmed: nothing is appended before it is known. */
    bool unresolved;
    uint8_t unresolved_batch[CT_UUID_BYTES];
    struct store_session unresolved_session; /* to which it was sent */
    struct accesslog_tree unresolved_tree;
    struct accesslog_hash unresolved_root;

    pthread_mutex_t release_mutex; /* of what follows */
    struct accesslog_signer signers[2];
    size_t signer_count;
    char *anchor_path;
    int anchor;             /* file of the last checkpoint released */
    unsigned anchor_slot;   /* to be written next */
    int64_t asked_ms;       /* when an operator was last told what is needed; monotonic */
    uint64_t released_size; /* of the newest checkpoint in the anchor; 0: none */
    struct accesslog_hash released_root;
    char released_note[CHAIN_NOTE_ROOM];
};

/* Opens the anchor and prepares the keys. Errors: CT_IO, CT_REFUSED, CT_CRYPTO; err->text. */
enum ct_status chain_init(struct chain *chain, const struct auth_keyring *keyring,
                          const char *writer, const char *anchor_path,
                          struct ct_error *err) CT_MUST_CHECK;
void chain_free(struct chain *chain);

/* Becomes the writer: checks the stored head (frontier against the last batch's root and the
 * highest index, the last own signature, that the head extends the anchor, and that the anchor, or
 * else somebody, knows what the former writer released), then takes the head under a new epoch with
 * a takeover entry, in one transaction on store.
 * Errors: CT_STALE (the head is not an extension of the anchor, or is damaged: err->text says
 *         which; never serve), CT_REFUSED (nobody vouches for it: wait until somebody does),
 *         CT_DB…, CT_DB_LOST (try again). */
enum ct_status chain_take_over(struct chain *chain, struct store *store,
                               struct ct_error *err) CT_MUST_CHECK;
/* The same checks, taking nothing. Of who vouches only whether anybody does at all: a host that
 * stands by learns the rest. Errors: CT_STALE for all that is refused. */
enum ct_status chain_check(struct chain *chain, struct store *store,
                           struct ct_error *err) CT_MUST_CHECK;
/* Standing by: puts the writer's newest stored checkpoint into the anchor, if it extends what is
 * there. An anchor that is empty stays so, since nothing would show that the log is whole.
 * Errors: as chain_check(); CT_IO. */
enum ct_status chain_follow(struct chain *chain, struct store *store,
                            struct ct_error *err) CT_MUST_CHECK;
/* Whether the stored head still names this writer and epoch. */
enum ct_status chain_check_writer(struct chain *chain, struct store *store, bool *ret_mine,
                                  struct ct_error *err) CT_MUST_CHECK;

/* The commitment of one entry whose texts and salts are set; before any lock. */
void chain_commit_entry(struct chain_entry *entry);

/* Appends the entries and commits the transaction that is open on store (with what is queued on
 * it). Returns after COMMIT is confirmed, with ret_batch holding the paths.
 * Errors: CT_STALE (another writer, or the head is not as remembered: end), CT_DB, CT_DB_RETRY,
 *         CT_DB_LOST (*ret_sent: COMMIT may have happened; ask chain_resolve() on a new
 *         connection). */
enum ct_status chain_append(struct chain *chain, struct store *store,
                            const uint8_t batch[CT_UUID_BYTES], const struct chain_entry *entries,
                            size_t count, struct accesslog_batch *ret_batch, bool *ret_sent,
                            struct ct_error *err) CT_MUST_CHECK;

/* Finds out on a new connection, with no transaction open, whether that batch committed. Ends the
 * session to which its COMMIT was sent first, so that the answer is final.
 * Errors: CT_DB, CT_DB_LOST: it is not known. */
enum ct_status chain_resolve(struct chain *chain, struct store *store,
                             const uint8_t batch[CT_UUID_BYTES], bool *ret_committed,
                             struct ct_error *err) CT_MUST_CHECK;

/* Signs the checkpoint of a committed batch and puts it on disk in the anchor, unless a newer one
 * is there already. ret_note: CHAIN_NOTE_ROOM bytes. Only after COMMIT.
 * Errors: CT_IO: the answers must not leave. */
enum ct_status chain_release(struct chain *chain, uint64_t size, const struct accesslog_hash *root,
                             char *ret_note, struct ct_error *err) CT_MUST_CHECK;
/* Puts a checkpoint that another host released into the anchor, unless a newer one is there. The
 * caller has verified it. Errors: CT_IO. */
enum ct_status chain_adopt(struct chain *chain, const struct accesslog_checkpoint *checkpoint,
                           const char *note, struct ct_error *err) CT_MUST_CHECK;
/* The newest released checkpoint; 0 and "" if none. */
uint64_t chain_released(struct chain *chain, char ret_note[CHAIN_NOTE_ROOM]);

#endif
