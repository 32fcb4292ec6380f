// SPDX-License-Identifier: Apache-2.0
#ifndef CLI_TRACE_TEXT_H
#define CLI_TRACE_TEXT_H

#include <jansson.h>
#include <stdio.h>

/* Prints the answer of a trace for people: what the evidence is worth, for each gun if there are
 * several; each candidate, its first purchaser or why none is shown; what to read again; and the
 * entry of the log. Specimens, marks and characters are counted from 1. Members that are missing
 * are left out. */
void cli_trace_print(FILE *stream, const json_t *answer);

#endif
