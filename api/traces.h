// SPDX-License-Identifier: Apache-2.0
#ifndef API_TRACES_H
#define API_TRACES_H

#include "api/api.h"

/* What making a trace and reading it again share. */

/* A purchaser as sealed, kept until the commit. */
struct api_sealed {
    uint8_t *bytes; /* owned; NULL: nothing to open */
    size_t length;
    char key[AUTH_KEY_ID_TEXT];
    uint8_t sale[CT_UUID_BYTES];
};

/* Copies. False when out of memory or key is none of ours. */
bool api_sealed_set(struct api_sealed *sealed, const uint8_t sale[CT_UUID_BYTES], const char *key,
                    const uint8_t *bytes, size_t length);

/* The purchaser's document as text, or NULL when the seal does not open. Owner: the caller's, to be
 * cleared and freed. */
char *api_sealed_open(const struct api_context *context, const struct api_sealed *sealed,
                      size_t *ret_length);

/* The answer that leaves: opens the sealed purchaser into the first candidate and adds the
 * receipt. answer_take: as recorded. NULL when out of memory. Only after the commit. */
json_t *api_trace_render(struct api_context *context, struct api_request *request,
                         json_t *answer_take, const struct api_sealed *sealed,
                         const struct api_receipt *receipt);

/* Steps finish and render of operations whose function answers as api.get_trace() does. */
enum ct_status api_trace_read_finish(struct api_context *context, struct store *store,
                                     struct api_request **requests, size_t count,
                                     const struct store_result *result,
                                     struct ct_error *err) CT_MUST_CHECK;
json_t *api_trace_read_render(struct api_context *context, struct api_request *request,
                              const struct api_receipt *receipt);

#endif
