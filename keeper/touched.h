// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_TOUCHED_H
#define KEEPER_TOUCHED_H

/* Tokens of what an entry of the log touched: the firearms that its subject names, and entries of
 * the log that its answer showed. */

#include "api/api.h"

/* Appends them to tokens, AUTH_TOKEN_BYTES each. Returns how many; out of memory is left in
 * tokens->failed. */
size_t touched_add(const struct auth_keyring *keyring, const struct api_request *request,
                   struct ct_buf *tokens);

#endif
