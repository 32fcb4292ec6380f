// SPDX-License-Identifier: Apache-2.0
#ifdef HAVE_CONFIG_H
#include <config.h>
#endif
#include "server/process.h"

#include "server/child.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKOFF_FIRST_MS 100
#define BACKOFF_LAST_MS 5000
#define STEADY_MS 10000 /* ran that long: the next restart is a first one again */
#define LOCKED_MEMORY (64u << 20)

enum ct_status process_find(struct process *process, const char *file)
{
    char own[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    if (length > 0) {
        own[length] = '\0';
        const char *slash = strrchr(own, '/');
        int folder = slash == NULL ? 0 : (int)(slash - own);
        int used =
            snprintf(process->program, sizeof process->program, "%.*s/%s", folder, own, file);
        if (used > 0 && (size_t)used < sizeof process->program &&
            access(process->program, X_OK) == 0)
            return CT_OK;
    }
    int used = snprintf(process->program, sizeof process->program, "%s/%s", CT_LIBEXECDIR, file);
    if (used > 0 && (size_t)used < sizeof process->program && access(process->program, X_OK) == 0)
        return CT_OK;
    return CT_NOT_FOUND;
}

/* ---- in the child, before its program ---------------------------------------------------- */

static _Noreturn void child_fail(const char *what)
{
    ct_log(CT_LOG_ERROR, "%s: %s", what, strerror(errno));
    _exit(CHILD_EXIT_REFUSED);
}

/* Puts the two descriptors where the program looks for them. */
static void place_descriptors(int control_fd, int config_fd)
{
    int control = fcntl(control_fd, F_DUPFD_CLOEXEC, 16);
    int config = fcntl(config_fd, F_DUPFD_CLOEXEC, 16);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (control < 0 || config < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(control, CHILD_CONTROL_FD) < 0 || dup2(config, CHILD_CONFIG_FD) < 0)
        child_fail("descriptors");
    if (close_range(CHILD_CONFIG_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC) != 0 && errno != ENOSYS)
        child_fail("close_range");
}

static void become(const char *user)
{
    errno = 0;
    const struct passwd *entry = getpwnam(user);
    if (entry == NULL) {
        ct_log(CT_LOG_ERROR, "there is no user %s", user);
        _exit(CHILD_EXIT_REFUSED);
    }
    uid_t uid = entry->pw_uid;
    gid_t gid = entry->pw_gid;
    if (initgroups(user, gid) != 0 || setresgid(gid, gid, gid) != 0 ||
        setresuid(uid, uid, uid) != 0)
        child_fail(user);
    if (uid != 0 && setuid(0) == 0) {
        ct_log(CT_LOG_ERROR, "privileges could not be given up");
        _exit(CHILD_EXIT_REFUSED);
    }
}

static _Noreturn void run_child(const struct process *process, pid_t parent, int control_fd,
                                int config_fd)
{
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};
    const struct rlimit locked = {.rlim_cur = LOCKED_MEMORY, .rlim_max = LOCKED_MEMORY};
    char name[64];
    (void)snprintf(name, sizeof name, "casetraced-%s", process->name);
    ct_log_name(name);
    place_descriptors(control_fd, config_fd);
    if (setrlimit(RLIMIT_CORE, &none) != 0)
        child_fail("setrlimit");
    /* Only root may raise it; without, the keeper says what it could not lock. */
    if (process->locks_memory && geteuid() == 0)
        (void)setrlimit(RLIMIT_MEMLOCK, &locked);
    if (process->user != NULL)
        become(process->user);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        child_fail("no new privileges");
    /* After the change of user, which clears it. The parent may be gone already. */
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0)
        child_fail("parent's death");
    if (getppid() != parent)
        _exit(0);
    sigset_t nothing;
    (void)sigemptyset(&nothing);
    (void)sigprocmask(SIG_SETMASK, &nothing, NULL);
    char *argv[] = {name, NULL, NULL};
    char argument[64];
    if (process->argument != NULL) {
        (void)snprintf(argument, sizeof argument, "%s", process->argument);
        argv[1] = argument;
    }
    (void)execv(process->program, argv);
    child_fail(process->program);
}

/* ---- in the parent ----------------------------------------------------------------------- */

enum ct_status process_start(struct process *process, const struct config *config)
{
    int control[2] = {-1, -1};
    int config_fd = -1;
    pid_t parent = getpid();
    process->starts++;
    process->started_ms = ct_mono_ms();
    if (config_extract(config, process->readers, &config_fd) != CT_OK ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) != 0)
        goto fail;
    pid_t pid = fork();
    if (pid < 0)
        goto fail;
    if (pid == 0)
        run_child(process, parent, control[1], config_fd);
    (void)close(control[1]);
    (void)close(config_fd);
    process->pid = pid;
    process->control_fd = control[0];
    ct_log(CT_LOG_NOTICE, "%s started, process %ld", process->name, (long)pid);
    return CT_OK;
fail:
    ct_log(CT_LOG_ERROR, "cannot start %s: %s", process->name, strerror(errno));
    for (unsigned i = 0; i < 2; i++) {
        if (control[i] >= 0)
            (void)close(control[i]);
    }
    if (config_fd >= 0)
        (void)close(config_fd);
    process_ended(process);
    return CT_IO;
}

void process_ended(struct process *process)
{
    int64_t now = ct_mono_ms();
    if (process->control_fd >= 0)
        (void)close(process->control_fd);
    process->control_fd = -1;
    process->pid = 0;
    if (process->backoff_ms == 0 || now - process->started_ms >= STEADY_MS)
        process->backoff_ms = BACKOFF_FIRST_MS;
    else if (process->backoff_ms < BACKOFF_LAST_MS / 2)
        process->backoff_ms *= 2;
    else
        process->backoff_ms = BACKOFF_LAST_MS;
    process->start_at_ms = now + process->backoff_ms;
}
