// SPDX-License-Identifier: Apache-2.0
#ifndef API_TRACE_ANSWER_H
#define API_TRACE_ANSWER_H

#include "api/traces.h"

/* The answer of a trace, as text: what the registry knows of the ranked firearms is written once,
 * and recorded, hashed and sent as it is. api/traces.c finds and ranks; this writes. */

/* A trace between its steps. */
struct api_trace {
    uint8_t id[CT_UUID_BYTES];
    char id_text[CT_ID_TEXT];
    struct microstamp_reading reading;
    struct microstamp_words words; /* word[] is ours */
    const char *caliber;           /* as sent; NULL: unknown */
    const char *incident_from;
    const char *incident_to;
    const char *state;
    size_t first_lookup; /* of this trace's words among the batch's */
    struct api_sealed sealed;
};

/* Columns of api.trace_lookup(). */
enum api_trace_column {
    TRACE_LOOKUP,
    TRACE_CODE_STATE,
    TRACE_BLOCK,
    TRACE_BLOCK_HOLDER,
    TRACE_MARK,
    TRACE_PLACEMENT,
    TRACE_VALID_FROM,
    TRACE_VALID_TO,
    TRACE_FIREARM,
    TRACE_MAKER,
    TRACE_IMPORTER,
    TRACE_MODEL,
    TRACE_SERIAL,
    TRACE_CALIBER,
    TRACE_FIREARM_TYPE,
    TRACE_SHIPPED_ON,
    TRACE_CUSTODY,
    TRACE_BASIS,
    TRACE_NO_PURCHASER_REASON,
    TRACE_CHAIN_COMPLETE,
    TRACE_RETURNED_ON,
    TRACE_LATER_HOLDERS,
    TRACE_SALE,
    TRACE_SALE_DEALER,
    TRACE_SALE_DELIVERED_ON,
    TRACE_SALE_TRANSACTION_NUMBER,
    TRACE_PURCHASER_SEALED,
    TRACE_PURCHASER_KEY,
};

#define API_TRACE_HITS_MAX                                                                         \
    4096 /* registered firearms of one reading; a code marks one part at a time */

struct api_trace_found {
    size_t rows[API_TRACE_HITS_MAX]; /* of the result, one per hit */
    struct microstamp_hit hits[API_TRACE_HITS_MAX];
    bool caliber_differs[API_TRACE_HITS_MAX];
    bool not_installed[API_TRACE_HITS_MAX];
    bool not_shipped[API_TRACE_HITS_MAX];
    size_t count;
    bool issued;       /* a word was issued and is on no firearm */
    size_t issued_row; /* of the likeliest such word */
    size_t issued_word;
    struct microstamp_ranked_hit ranked[API_TRACE_HITS_MAX];
    struct microstamp_ranking ranking;
};

/* Writes request->recorded, request->touched and what the log's header says of the answer.
 * Errors: CT_NO_MEMORY. */
enum ct_status api_trace_answer(const struct api_context *context,
                                const struct store_result *result, struct api_request *request,
                                const struct api_trace_found *found) CT_MUST_CHECK;

/* Steps render_text and render of struct api_handler. */
bool api_trace_answer_text(struct api_context *context, struct api_request *request,
                           const struct api_receipt *receipt, struct ct_buf *out);
json_t *api_trace_answer_render(struct api_context *context, struct api_request *request,
                                const struct api_receipt *receipt);

#endif
