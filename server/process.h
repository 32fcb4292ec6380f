// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_PROCESS_H
#define SERVER_PROCESS_H

/* One of the parent's children: how it is started, and when again. */

#include "server/config.h"

#include <limits.h>
#include <sys/types.h>

struct process {
    const char *name; /* "front" */
    char program[PATH_MAX];
    unsigned readers;     /* its part of the configuration, bits of enum config_reader */
    const char *user;     /* NULL: that of the parent */
    const char *argument; /* NULL: none */
    bool locks_memory;
    pid_t pid;      /* 0: not running */
    int control_fd; /* -1: not running */
    unsigned starts;
    int64_t started_ms;
    int64_t start_at_ms; /* if not running */
    int64_t backoff_ms;
};

/* Fills in the program's path: beside the parent's own, as in a build, else where it is installed.
 * Errors: CT_NOT_FOUND. */
enum ct_status process_find(struct process *process, const char *file) CT_MUST_CHECK;

/* Starts it: with its own user, no new privileges, its part of the configuration and a control
 * socket. Errors: CT_IO, after a line in the log. */
enum ct_status process_start(struct process *process, const struct config *config) CT_MUST_CHECK;

/* It has ended: sets when it may start again. */
void process_ended(struct process *process);

#endif
