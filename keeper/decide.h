// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_DECIDE_H
#define KEEPER_DECIDE_H

#include "keeper/internal.h"

/* What is decided of one request before any function of the database sees it. */

/* Reads who asks from a row of batch_open. */
void decide_identity(struct ticket *ticket, const struct store_result *rows, size_t row);

/* Permission, then what is asked for, then its fields: 403 or 404, then 400 or 422; then what a
 * repeated Idempotency-Key means, and the operation's own before step. Leaves an error in the
 * request, or an answer (a replay), or neither: it is to be carried out. */
void decide_request(struct lane *lane, struct ticket *ticket, const struct store_result *rows,
                    size_t row);

/* Parameters of idempotency_store for requests that went well under a key. */
void decide_outcome_params(struct lane *lane, struct store_params *params,
                           const uint8_t batch[CT_UUID_BYTES], struct ticket *const *tickets,
                           size_t count);

#endif
