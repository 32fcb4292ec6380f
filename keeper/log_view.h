// SPDX-License-Identifier: Apache-2.0
#ifndef KEEPER_LOG_VIEW_H
#define KEEPER_LOG_VIEW_H

/* The view of the log below /log/: the published checkpoint and its tiles. It is open to everybody,
 * or, by configuration, to whoever may read the log; then its requests are batched, decided and
 * logged as all others are, and only what they ask for is fetched by the tiles' thread. */

#include "api/api.h"
#include "keeper/ticket.h"
#include "keeper/tiles.h"

/* Whether the operation is one of the view. */
bool log_view_has(enum api_operation operation);
/* Whether it is, and no credential is asked for. */
bool log_view_is_open(const struct keeper *keeper, enum api_operation operation);

/* Answers a request of the open view, or hands it to the tiles' thread. Takes the ticket. */
void log_view_take(struct keeper *keeper, struct ticket *ticket_take);

/* For a request of the closed view whose fields are checked: refuses what the view does not have,
 * so that its entry says so. */
void log_view_decide(struct keeper *keeper, struct ticket *ticket);
/* After the commit: appends the answer to out, or hands the request to the tiles' thread. entry: as
 * the header Access-Log-Entry shall say it; NULL for who must not know it. */
void log_view_finish(struct keeper *keeper, const struct ticket *ticket, uint64_t index,
                     const char *entry, struct ct_buf *out);

/* Append the answer to a request for a tile. Threads: the tiles' thread. */
void log_view_answer_tile(struct keeper *keeper, const struct tile_job *job, const void *bytes,
                          size_t length, struct ct_buf *out);
void log_view_refuse_tile(struct keeper *keeper, const struct tile_job *job, enum api_error error,
                          struct ct_buf *out);

#endif
