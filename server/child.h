// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_CHILD_H
#define SERVER_CHILD_H

/* What the parent and its children agree on: two inherited descriptors, exit statuses, and the
 * one message that the parent sends. */

#include "keeper/message.h"

#define CHILD_CONTROL_FD 3 /* SOCK_SEQPACKET to the parent; a child ends when it closes */
#define CHILD_CONFIG_FD 4  /* the child's part of the configuration */

/* Statuses of <sysexits.h>, by their meaning here. */
#define CHILD_EXIT_AGAIN 75   /* ended by itself, to be started again */
#define CHILD_EXIT_REFUSED 78 /* cannot start until somebody has mended something */

/* What all children do first: name the log's lines, forbid core dumps and tracing, have signals
 * that ask for an end read from a descriptor. Ends the program when it was not started by the
 * parent. Returns the descriptor. */
int child_begin(const char *name, int argc, char **argv);

enum child_link {
    CHILD_LINK_FRONT,   /* between front and keeper */
    CHILD_LINK_COURIER, /* between keeper and courier; its boot id says nothing */
};

/* Hands one end of a link to a child; fd stays the caller's. Errors: CT_IO. */
enum ct_status child_send_link(int control_fd, enum child_link kind,
                               const uint8_t boot[MESSAGE_BOOT_BYTES], int fd) CT_MUST_CHECK;
/* Takes one. Owner: *ret_fd is the caller's. Errors: CT_NOT_FOUND (the parent has gone), CT_IO. */
enum ct_status child_receive_link(int control_fd, enum child_link *ret_kind,
                                  uint8_t ret_boot[MESSAGE_BOOT_BYTES], int *ret_fd) CT_MUST_CHECK;

#endif
