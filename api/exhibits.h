// SPDX-License-Identifier: Apache-2.0
#ifndef API_EXHIBITS_H
#define API_EXHIBITS_H

#include "api/api.h"

/* The first traced reading of an exhibit is locked. A trace of the exhibit with another reading
 * comes after the answer: it shows no code, and no purchaser before a second examiner has
 * confirmed it. Steps of the operations that trace, in this order. */

/* Before: what was read of each exhibit that the specimens name, into request->exhibits, and
 * request->unread. Several specimens with one number are one exhibit. */
void api_exhibits_read(struct api_request *request, const json_t *specimens);

/* Queues one look-up of all exhibits of the requests; they have their case number by then. */
enum ct_status api_exhibits_look(struct api_context *context, struct store *store,
                                 const uint8_t batch[CT_UUID_BYTES], struct api_request **requests,
                                 size_t count) CT_MUST_CHECK;
/* Reads its result: sets locked, and version.after_answer. Errors: CT_NO_MEMORY. */
enum ct_status api_exhibits_seen(struct api_request **requests, size_t count,
                                 const struct store_result *result) CT_MUST_CHECK;

/* The parameters of trace_record from `unread` on: what is locked by these requests, and what those
 * are that have a version to tell of. Errors: CT_NO_MEMORY. */
enum ct_status api_exhibits_record(struct store_params *params, struct api_request **requests,
                                   size_t count) CT_MUST_CHECK;

#endif
