// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_ANSWER_H
#define SERVER_ANSWER_H

/* Answers as clients see them: headers that every answer has, problem documents (RFC 9457). */

#include "api/generated.h"
#include "keeper/message.h"

#include <microhttpd.h>

#define ANSWER_PROBLEM_TYPE "application/problem+json"

/* What every answer needs to know of its request. */
struct answer_frame {
    struct MHD_Connection *connection;
    enum api_listener listener;
    char request_id[MESSAGE_REQUEST_ID_TEXT];
    bool close; /* the connection is not to be used again */
};

/* A refusal or failure by the front itself.
 * detail:  for people; NULL: the error's title.
 * pointer: of the field at fault, NULL or "" if none.
 * allow:   the Allow header of a 405, else NULL. */
enum MHD_Result answer_problem(const struct answer_frame *frame, enum api_error error,
                               const char *detail, const char *pointer, const char *allow);

/* An answer of the keeper. memory_take, which the answer points into, is freed when it was sent.
 * media_type: of the body, unless the answer says. */
enum MHD_Result answer_message(const struct answer_frame *frame,
                               const struct message_answer *answer, uint8_t *memory_take,
                               const char *media_type);

/* /metrics: the keeper's text and the front's after it. Frees text_take's memory. */
enum MHD_Result answer_metrics(const struct answer_frame *frame, struct ct_buf *text_take,
                               const char *media_type);

/* /livez: this process answers. */
enum MHD_Result answer_live(const struct answer_frame *frame);
/* /readyz when the keeper cannot be asked. */
enum MHD_Result answer_keeper_away(const struct answer_frame *frame);

#endif
