// SPDX-License-Identifier: Apache-2.0
#ifndef CLI_TRACE_REQUEST_H
#define CLI_TRACE_REQUEST_H

/* What `casetrace trace` sends: specimens and their marks, put together in the order in which the
 * command line names them. A word belongs to the specimen or mark that was begun last. */

#include "base/base.h"

struct cli_trace_request {
    json_t *specimens; /* owned, an array; the two below are its last ones */
    json_t *specimen;
    json_t *mark;
    bool memory; /* there was too little memory */
};

/* Starts with nothing. Owner: free with cli_trace_request_free(). */
void cli_trace_request_init(struct cli_trace_request *request);
void cli_trace_request_free(struct cli_trace_request *request);

/* Each of these returns NULL, or what is wrong with the command line. Text that is not UTF-8 is
 * wrong. */

/* Begins the next specimen. */
const char *cli_trace_request_specimen(struct cli_trace_request *request);
/* Begins another mark of the same specimen. */
const char *cli_trace_request_mark(struct cli_trace_request *request);
/* A reading: of the mark that has none yet, else it begins the next specimen. */
const char *cli_trace_request_reading(struct cli_trace_request *request, const char *reading);
/* A member of the specimen, or of the mark, that has not got it yet. */
const char *cli_trace_request_of_specimen(struct cli_trace_request *request, const char *member,
                                          const char *text);
const char *cli_trace_request_of_mark(struct cli_trace_request *request, const char *member,
                                      const char *text);
/* The end: specimens without an exhibit get one, E-1, E-2 and so on, that no other has, and are
 * casings unless they say what else. */
const char *cli_trace_request_end(struct cli_trace_request *request);

#endif
