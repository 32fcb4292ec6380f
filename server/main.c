// SPDX-License-Identifier: Apache-2.0
#ifdef HAVE_CONFIG_H
#include <config.h>
#endif

#include "keeper/limits.h"
#include "server/child.h"
#include "server/config.h"
#include "server/process.h"

#include <argp.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* casetraced, the parent: starts the front, the keeper and, if there are witnesses, the courier,
 * starts them again, joins them with links, stops them. It reads nothing but its configuration and
 * its children's exit statuses. */

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

const char *argp_program_version = "casetraced " PACKAGE_VERSION;

enum { KEEPER, FRONT, COURIER, PROCESSES };

struct parent {
    struct config config;
    struct process processes[PROCESSES];
    int signal_fd;
    bool stopping;
    int64_t kill_at_ms; /* while stopping: for the one that is being stopped */
    int exit_status;
};

/* ---- command line ------------------------------------------------------------------------ */

struct arguments {
    const char *config;
    bool check;
};

static const struct argp_option options[] = {
    {"config", 'c', "FILE", 0, "Configuration file, see casetrace.conf(5)", 0},
    {"check", 't', NULL, 0, "Check the configuration and exit", 0},
    {0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'c':
        arguments->config = value;
        return 0;
    case 't':
        arguments->check = true;
        return 0;
    case ARGP_KEY_END:
        if (arguments->config == NULL)
            argp_error(state, "--config FILE is required");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .doc = "The casing-trace registry's server: starts and watches its two processes.",
};

/* ---- the link ---------------------------------------------------------------------------- */

/* A fresh link for both, whenever one of them is new: what was asked on the one before can then
 * not be answered to somebody else. */
static void join_children(struct parent *parent)
{
    const struct process *front = &parent->processes[FRONT];
    const struct process *keeper = &parent->processes[KEEPER];
    uint8_t boot[MESSAGE_BOOT_BYTES];
    int ends[2];
    if (front->pid == 0 || keeper->pid == 0)
        return;
    if (getrandom(boot, sizeof boot, 0) != (long)sizeof boot ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        ct_log(CT_LOG_ERROR, "cannot make a link: %s", strerror(errno));
        return;
    }
    /* A child that cannot take it is at its end, and gets the next when it starts again. */
    if (child_send_link(keeper->control_fd, CHILD_LINK_FRONT, boot, ends[0]) != CT_OK)
        ct_log(CT_LOG_WARNING, "the keeper did not take its link");
    if (child_send_link(front->control_fd, CHILD_LINK_FRONT, boot, ends[1]) != CT_OK)
        ct_log(CT_LOG_WARNING, "the front did not take its link");
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* Between keeper and courier, likewise. */
static void join_courier(struct parent *parent)
{
    const struct process *courier = &parent->processes[COURIER];
    const struct process *keeper = &parent->processes[KEEPER];
    const uint8_t boot[MESSAGE_BOOT_BYTES] = {0};
    int ends[2];
    if (courier->pid == 0 || keeper->pid == 0)
        return;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        ct_log(CT_LOG_ERROR, "cannot make a link: %s", strerror(errno));
        return;
    }
    if (child_send_link(keeper->control_fd, CHILD_LINK_COURIER, boot, ends[0]) != CT_OK)
        ct_log(CT_LOG_WARNING, "the keeper did not take its link to the courier");
    if (child_send_link(courier->control_fd, CHILD_LINK_COURIER, boot, ends[1]) != CT_OK)
        ct_log(CT_LOG_WARNING, "the courier did not take its link");
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* ---- stopping ---------------------------------------------------------------------------- */

/* The front goes first, so that what it has asked the keeper is answered. */
static struct process *next_to_stop(struct parent *parent)
{
    if (parent->processes[FRONT].pid != 0)
        return &parent->processes[FRONT];
    if (parent->processes[COURIER].pid != 0)
        return &parent->processes[COURIER];
    return parent->processes[KEEPER].pid != 0 ? &parent->processes[KEEPER] : NULL;
}

static void ask_to_stop(struct parent *parent)
{
    const struct process *process = next_to_stop(parent);
    if (process == NULL)
        return;
    parent->kill_at_ms = ct_mono_ms() + LIMIT_STOP_MS;
    (void)kill(process->pid, SIGTERM);
}

static void begin_stop(struct parent *parent, int exit_status)
{
    if (parent->stopping)
        return;
    parent->stopping = true;
    parent->exit_status = exit_status;
    ask_to_stop(parent);
}

/* ---- children that end ------------------------------------------------------------------- */

static void child_ended(struct parent *parent, struct process *process, int status)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (WIFSIGNALED(status))
        ct_log(CT_LOG_WARNING, "%s was ended by signal %d", process->name, WTERMSIG(status));
    else if (!parent->stopping || code != 0)
        ct_log(CT_LOG_WARNING, "%s ended with status %d", process->name, code);
    process_ended(process);
    if (parent->stopping) {
        ask_to_stop(parent);
        return;
    }
    /* A keeper that refuses must not be started again by a machine: its log may have forked. A
     * front that ran before found, say, a certificate half written, and may try again. */
    bool keeper = process == &parent->processes[KEEPER];
    if (code == CHILD_EXIT_REFUSED && (keeper || process->starts == 1)) {
        ct_log(CT_LOG_ERROR, "%s cannot run as things are; stopping", process->name);
        begin_stop(parent, CHILD_EXIT_REFUSED);
    }
}

static void reap(struct parent *parent)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < PROCESSES; i++) {
            if (parent->processes[i].pid == pid)
                child_ended(parent, &parent->processes[i], status);
        }
    }
}

/* ---- the loop ---------------------------------------------------------------------------- */

static void read_signals(struct parent *parent)
{
    struct signalfd_siginfo info;
    while (read(parent->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            begin_stop(parent, 0);
    }
    reap(parent);
}

static void start_due(struct parent *parent)
{
    bool started[PROCESSES] = {false};
    for (size_t i = 0; i < PROCESSES; i++) {
        struct process *process = &parent->processes[i];
        if (process->pid == 0 && ct_mono_ms() >= process->start_at_ms)
            started[i] = process_start(process, &parent->config) == CT_OK;
    }
    if (started[FRONT] || started[KEEPER])
        join_children(parent);
    if (started[COURIER] || started[KEEPER])
        join_courier(parent);
}

/* Milliseconds until something is to be done, -1: nothing. */
static int until_next(const struct parent *parent)
{
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < PROCESSES && !parent->stopping; i++) {
        if (parent->processes[i].pid == 0 && parent->processes[i].start_at_ms < next)
            next = parent->processes[i].start_at_ms;
    }
    if (parent->stopping)
        next = parent->kill_at_ms;
    if (next == INT64_MAX)
        return -1;
    int64_t left = next - ct_mono_ms();
    return left < 0 ? 0 : (int)left;
}

static void supervise(struct parent *parent)
{
    while (!parent->stopping || next_to_stop(parent) != NULL) {
        if (!parent->stopping)
            start_due(parent);
        struct pollfd wait = {.fd = parent->signal_fd, .events = POLLIN};
        (void)poll(&wait, 1, until_next(parent));
        read_signals(parent);
        struct process *last = parent->stopping ? next_to_stop(parent) : NULL;
        if (last != NULL && ct_mono_ms() >= parent->kill_at_ms) {
            ct_log(CT_LOG_WARNING, "%s does not stop and is killed", last->name);
            (void)kill(last->pid, SIGKILL);
            parent->kill_at_ms += LIMIT_STOP_MS;
        }
    }
}

/* ---- start ------------------------------------------------------------------------------- */

static bool prepare(struct parent *parent)
{
    bool root = geteuid() == 0;
    bool shared = !root || strcmp(parent->config.front_user, parent->config.keeper_user) == 0;
    parent->processes[KEEPER] = (struct process){.name = "keeper",
                                                 .readers = CONFIG_KEEPER,
                                                 .user = root ? parent->config.keeper_user : NULL,
                                                 .argument = shared ? "--shared-user" : NULL,
                                                 .locks_memory = true,
                                                 .control_fd = -1};
    parent->processes[FRONT] = (struct process){.name = "front",
                                                .readers = CONFIG_FRONT,
                                                .user = root ? parent->config.front_user : NULL,
                                                .control_fd = -1};
    bool witnessed = parent->config.policy[0] != '\0';
    parent->processes[COURIER] = (struct process){.name = "courier",
                                                  .readers = CONFIG_COURIER,
                                                  .user = root ? parent->config.courier_user : NULL,
                                                  .control_fd = -1,
                                                  .start_at_ms = witnessed ? 0 : INT64_MAX};
    if (process_find(&parent->processes[KEEPER], "casetraced-keeper") != CT_OK ||
        process_find(&parent->processes[FRONT], "casetraced-front") != CT_OK ||
        (witnessed && process_find(&parent->processes[COURIER], "casetraced-courier") != CT_OK)) {
        ct_log(CT_LOG_ERROR,
               "casetraced-keeper, casetraced-front and casetraced-courier are neither beside "
               "this program nor in %s",
               CT_LIBEXECDIR);
        return false;
    }
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGCHLD);
    (void)sigaddset(&signals, SIGHUP); /* taken and ignored: nothing is read again */
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    parent->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (parent->signal_fd < 0)
        ct_log(CT_LOG_ERROR, "signalfd: %s", strerror(errno));
    return parent->signal_fd >= 0;
}

/* A policy is the keeper's to read: this process parses nothing. Returns the exit status. */
static int check_policy(const struct config *config)
{
    struct process keeper = {.name = "keeper"};
    char name[] = "casetraced";
    char option[] = "--check-policy";
    char *path = config->policy[0] == '\0' ? NULL : strdup(config->policy);
    char *const words[] = {name, option, path, NULL};
    if (config->policy[0] == '\0')
        return 0;
    if (path != NULL && process_find(&keeper, "casetraced-keeper") == CT_OK)
        (void)execv(keeper.program, words);
    ct_log(CT_LOG_ERROR, "casetraced-keeper cannot be run to check the policy");
    free(path);
    return CHILD_EXIT_REFUSED;
}

int main(int argc, char **argv)
{
    static struct parent parent;
    struct arguments arguments = {.config = NULL};
    struct ct_error err = {.text = ""};
    ct_log_name("casetraced");
    (void)argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    unsigned readers = CONFIG_PARENT | CONFIG_FRONT | CONFIG_KEEPER;
    if (config_load(arguments.config, readers, &parent.config, &err) != CT_OK) {
        ct_log(CT_LOG_ERROR, "%s", err.text);
        return CHILD_EXIT_REFUSED;
    }
    int status = CHILD_EXIT_REFUSED;
    if (arguments.check) {
        status = check_policy(&parent.config);
    } else if (prepare(&parent)) {
        supervise(&parent);
        status = parent.exit_status;
    }
    config_clear(&parent.config);
    return status;
}
