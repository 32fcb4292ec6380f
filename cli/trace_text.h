// SPDX-License-Identifier: Apache-2.0
#ifndef CLI_TRACE_TEXT_H
#define CLI_TRACE_TEXT_H

#include <jansson.h>
#include <stdio.h>

/* Prints the answer of a trace for people: what was found, each candidate, its first purchaser or
 * why none is shown, and the entry of the log. Members that are missing are left out. */
void cli_trace_print(FILE *stream, const json_t *answer);

#endif
