// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_CREDENTIALS_H
#define KEEPER_CREDENTIALS_H

#include "keeper/internal.h"

#define CREDENTIALS_NONE SIZE_MAX

/* What the first statement of a batch answered. */
struct credentials {
    struct store_result *result; /* rows of batch_open */
    size_t *rows;                /* per ticket: its row, or CREDENTIALS_NONE: nobody's */
};

/* Begins the transaction and resolves all credentials of the batch in one query, with what is
 * stored under their Idempotency-Keys. Nothing is remembered from batch to batch: a revoked
 * credential fails on the next request.
 * Owner:  *ret is the caller's, credentials_free().
 * Errors: as store_run(); the caller rolls back. */
enum ct_status credentials_resolve(struct lane *lane, struct ticket *const *tickets, size_t count,
                                   struct credentials *ret, struct ct_error *err) CT_MUST_CHECK;
void credentials_free(struct credentials *credentials);

#endif
