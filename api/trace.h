// SPDX-License-Identifier: Apache-2.0
#ifndef API_TRACE_H
#define API_TRACE_H

/* Making a trace, between its files: traces.c reads the request and records, trace_find.c looks up
 * and ranks, trace_answer.c writes the answer. */

#include "api/specimens.h"
#include "api/traces.h"

/* A trace between its steps. */
struct api_trace {
    uint8_t id[CT_UUID_BYTES];
    char id_text[CT_ID_TEXT];
    struct api_specimens specimens;
    struct microstamp_examination *examination; /* taken from the context */
    struct api_examinations *examinations;      /* where it goes back to */
    const struct microstamp_lookup *lookup;     /* of the examination */
    size_t lookup_count;
    size_t first_whole; /* of its whole codes among the batch's, as the next */
    size_t first_half;
    /* Of a new version: the whole question, since the request has its specimens alone. Owned. */
    json_t *asked;
    char *asked_text;
    const char *incident_from;
    const char *incident_to;
    const char *state;
    struct api_sealed sealed;
    size_t purchaser_end; /* where the disclosed purchaser's object ends in what is recorded */
};

/* Columns of api.trace_lookup(); api.trace_lookup_halves() adds two. */
enum api_trace_column {
    TRACE_LOOKUP,
    TRACE_CODE_STATE,
    TRACE_BLOCK,
    TRACE_BLOCK_HOLDER,
    TRACE_BLOCK_CONTACT,
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
    TRACE_WORD,
    TRACE_MORE,
};

/* Where a row is. */
struct api_trace_row {
    const struct store_result *result;
    size_t row;
};

/* A code as recorded on a firearm. */
struct api_found_mark {
    char code[MICROSTAMP_TEXT];
    char valid_from[STORE_DATE_TEXT];
    char valid_to[STORE_DATE_TEXT]; /* "": it still is */
    const char *placement;          /* of the result */
    enum microstamp_alphabet alphabet;
    bool installed; /* at the incident, as recorded */
};

/* A firearm that a look-up found. */
struct api_found_firearm {
    struct api_trace_row at; /* what is recorded of it */
    size_t first_mark;
    size_t mark_count;
    uint32_t caliber_differs; /* bit by specimen */
    bool not_shipped;
};

/* What was found for one trace, in scratch memory of the lane that is used again. */
struct api_trace_found {
    size_t room; /* of each of the arrays */
    struct api_found_firearm *firearm;
    struct microstamp_candidate *candidate; /* of the firearm of the same number */
    struct api_found_mark *mark;
    struct microstamp_recorded *recorded; /* of the mark of the same number */
    size_t count;
    size_t mark_count;
    bool issued;               /* a code was issued and is on no firearm */
    struct api_trace_row lead; /* of the likeliest such code */
    const struct microstamp_lookup *lead_by;
    const struct microstamp_group *group;
    size_t group_count;
    size_t main_group; /* the one of most specimens: the answer speaks of it first */
};

/* Begins a trace: request->own. NULL: refused, out of memory. */
struct api_trace *api_trace_make(struct api_context *context, struct api_request *request);

/* Reads what was seen and plans what to look up; may refuse. request->asked says what was asked. */
void api_trace_read_specimens(struct api_context *context, struct api_request *request,
                              const json_t *specimens);

/* Step record of struct api_handler. */
enum ct_status api_trace_record(struct api_context *context, struct store *store,
                                const uint8_t batch[CT_UUID_BYTES], struct api_request **requests,
                                size_t count, bool *ret_queued) CT_MUST_CHECK;

/* Looks everything up and answers every request: steps start and finish of struct api_handler. */
enum ct_status api_trace_start(struct api_context *context, struct store *store,
                               const uint8_t batch[CT_UUID_BYTES], struct api_request **requests,
                               size_t count);
enum ct_status api_trace_finish(struct api_context *context, struct store *store,
                                struct api_request **requests, size_t count,
                                const struct store_result *result, struct ct_error *err);

/* Writes request->recorded, request->touched and what the log's header says of the answer.
 * Errors: CT_NO_MEMORY. */
enum ct_status api_trace_answer(const struct api_context *context, struct api_request *request,
                                const struct api_trace_found *found) CT_MUST_CHECK;

/* Steps render_text and render of struct api_handler. */
bool api_trace_answer_text(struct api_context *context, struct api_request *request,
                           const struct api_receipt *receipt, struct ct_buf *out);
json_t *api_trace_answer_render(struct api_context *context, struct api_request *request,
                                const struct api_receipt *receipt);

#endif
