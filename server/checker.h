// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_CHECKER_H
#define SERVER_CHECKER_H

/* One thread that checks large bodies one after the other. Decoding 8 MiB of JSON takes a tenth of
 * a second, in which a thread of the listener would serve nobody else; and as only one such
 * document is decoded at a time, the values in memory are bounded whatever clients send. */

#include "base/base.h"

struct checker;

struct checker_entry {
    struct checker_entry *next; /* the checker's */
    void (*check)(struct checker_entry *entry);
};

/* Owner:  *ret is the caller's, checker_stop() and then checker_free().
 * Errors: CT_NO_MEMORY, CT_IO. */
enum ct_status checker_start(struct checker **ret) CT_MUST_CHECK;
/* Has entry->check called once, later, in the checker's thread. false: it has stopped, and check
 * will not be called. Threads: any. */
bool checker_submit(struct checker *checker, struct checker_entry *entry) CT_MUST_CHECK;
/* Checks what waits and ends the thread. NULL is safe, as for the next. */
void checker_stop(struct checker *checker);
/* After checker_stop(), when nobody submits any more. */
void checker_free(struct checker *checker);

#endif
