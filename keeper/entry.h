// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_ENTRY_H
#define KEEPER_ENTRY_H

/* The two private parts of a log entry as text: header (who, when, why, outcome) and subject (what
 * was asked and touched). Neither ever holds a purchaser's data, a token or a password. */

#include "api/api.h"
#include "keeper/chain.h"

/* What the server itself says of every entry. */
struct entry_origin {
    const char *origin;
    const char *server;
    int64_t epoch;
    int64_t time_ms;
    const char *verifier; /* of an entry that announces a key; NULL in all others */
};

/* "ok", "replayed" or the name of an error. */
const char *entry_outcome(const struct api_request *request);

/* Text of one request's entry; status: HTTP. salt_subject keys the MAC of the outcome as recorded
 * and must be the salt of the entry. Owner: *ret_header and *ret_subject are the caller's, free().
 * Errors: CT_NO_MEMORY. */
enum ct_status entry_of_request(const struct entry_origin *origin,
                                const struct api_request *request, const char *request_id,
                                const uint8_t salt_subject[ACCESSLOG_SALT_BYTES], char **ret_header,
                                char **ret_subject) CT_MUST_CHECK;

/* Appends an entry that the keeper makes of itself (takeover, unseal, bad_credentials) to the
 * transaction that is open on store, commits it and releases its checkpoint.
 * subject_take: an object. batch: room for the paths.
 * Errors: as chain_append() and chain_release(). */
enum ct_status entry_append_own(struct chain *chain, struct store *store, const char *operation,
                                const char *outcome, json_t *subject_take,
                                struct accesslog_batch *batch, struct ct_error *err) CT_MUST_CHECK;

/* Appends the entry, operation `key`, that announces a log key, with its verifier key in the
 * header, so that every reader of the log learns it. Begins the transaction itself.
 * Errors: as entry_append_own(). */
enum ct_status entry_append_key(struct chain *chain, struct store *store, const char *verifier,
                                struct accesslog_batch *batch, struct ct_error *err) CT_MUST_CHECK;

#endif
