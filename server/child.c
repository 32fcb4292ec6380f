// SPDX-License-Identifier: Apache-2.0
#include "server/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* By enum child_link. */
static const char link_words[][4] = {{'L', 'I', 'N', 'K'}, {'C', 'O', 'U', 'R'}};

#define WORD_BYTES sizeof link_words[0]
#define LINK_BYTES (WORD_BYTES + MESSAGE_BOOT_BYTES)

int child_begin(const char *name, int argc, char **argv)
{
    ct_log_name(name);
    if (fcntl(CHILD_CONTROL_FD, F_GETFD) < 0 || fcntl(CHILD_CONFIG_FD, F_GETFD) < 0 || argc < 1) {
        (void)fprintf(stderr, "%s is started by casetraced, not by hand\n",
                      argc < 1 ? "this program" : argv[0]);
        exit(2);
    }
    (void)fcntl(CHILD_CONTROL_FD, F_SETFD, FD_CLOEXEC);
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)signal(SIGPIPE, SIG_IGN);
    sigset_t ends;
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGINT);
    (void)sigaddset(&ends, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &ends, NULL);
    /* An interrupt at a terminal reaches the whole group, but it is the parent's to act on. */
    (void)sigdelset(&ends, SIGINT);
    (void)sigdelset(&ends, SIGHUP);
    int fd = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        ct_log(CT_LOG_ERROR, "signalfd: %s", strerror(errno));
        exit(CHILD_EXIT_AGAIN);
    }
    return fd;
}

enum ct_status child_send_link(int control_fd, enum child_link kind,
                               const uint8_t boot[MESSAGE_BOOT_BYTES], int fd)
{
    uint8_t bytes[LINK_BYTES];
    memcpy(bytes, link_words[kind], WORD_BYTES);
    memcpy(bytes + WORD_BYTES, boot, MESSAGE_BOOT_BYTES);
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    struct iovec vector = {.iov_base = bytes, .iov_len = sizeof bytes};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    ssize_t count;
    do {
        count = sendmsg(control_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (count < 0 && errno == EINTR);
    return count == (ssize_t)sizeof bytes ? CT_OK : CT_IO;
}

enum ct_status child_receive_link(int control_fd, enum child_link *ret_kind,
                                  uint8_t ret_boot[MESSAGE_BOOT_BYTES], int *ret_fd)
{
    uint8_t bytes[LINK_BYTES];
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    struct iovec vector = {.iov_base = bytes, .iov_len = sizeof bytes};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    ssize_t count;
    do {
        count = recvmsg(control_fd, &message, MSG_CMSG_CLOEXEC);
    } while (count < 0 && errno == EINTR);
    if (count == 0 || (count < 0 && errno == ECONNRESET))
        return CT_NOT_FOUND;
    struct cmsghdr *header = count < 0 ? NULL : CMSG_FIRSTHDR(&message);
    if (header == NULL || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
        header->cmsg_len != CMSG_LEN(sizeof(int)))
        return CT_IO;
    int fd;
    memcpy(&fd, CMSG_DATA(header), sizeof fd);
    size_t kind = 0;
    while (kind < CT_ARRAY_LENGTH(link_words) && memcmp(bytes, link_words[kind], WORD_BYTES) != 0)
        kind++;
    if (count != (ssize_t)sizeof bytes || kind == CT_ARRAY_LENGTH(link_words)) {
        (void)close(fd);
        return CT_IO;
    }
    *ret_kind = (enum child_link)kind;
    memcpy(ret_boot, bytes + WORD_BYTES, MESSAGE_BOOT_BYTES);
    *ret_fd = fd;
    return CT_OK;
}
