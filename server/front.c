// SPDX-License-Identifier: Apache-2.0
#include "server/front.h"

#include "keeper/limits.h"
#include "server/child.h"
#include "server/config.h"
#include "server/request.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* casetraced-front: wires listeners, link and threads together and serves until it is told to
 * stop. */

#define CONNECTION_MEMORY (32u << 10) /* of one connection: its head must fit into it */
#define TLS_FILE_MAX (1u << 20)
#define LINK_WAIT_MS 8000 /* longer than the parent waits before it starts a keeper again */
#define DRAIN_MS 2000     /* at the end, for answers that are on their way */
#define LAST_ANSWERS_MS 500
#define OPERATOR_CONNECTIONS 32

/* TLS 1.2 and 1.3, AES-GCM, forward secrecy, nothing else. */
static const char tls_priorities[] =
    "NONE:+VERS-TLS1.3:+VERS-TLS1.2:+AES-256-GCM:+AES-128-GCM:+AEAD:+ECDHE-ECDSA:+ECDHE-RSA:"
    "+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+CTYPE-X509:+SIGN-ECDSA-SHA256:"
    "+SIGN-ECDSA-SECP256R1-SHA256:+SIGN-ECDSA-SHA384:+SIGN-ECDSA-SECP384R1-SHA384:"
    "+SIGN-EDDSA-ED25519:+SIGN-RSA-PSS-RSAE-SHA256:+SIGN-RSA-PSS-RSAE-SHA384:+SIGN-RSA-SHA256:"
    "+SIGN-RSA-SHA384:%SERVER_PRECEDENCE";

struct running {
    struct config config;
    struct front front;
    struct front_listener public;
    struct front_listener operator;
    struct MHD_Daemon *public_daemon;
    struct MHD_Daemon *operator_daemon;
    char *tls_certificate;
    char *tls_key;
    size_t tls_key_length;
};

/* ---- callbacks of the library ---------------------------------------------------------- */

/* Leaves the target as it is: http_parse_target() decodes it, strictly. */
static size_t leave_escaped(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

static void notify_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                              enum MHD_ConnectionNotificationCode code)
{
    const struct front_listener *listener = cls;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        connections_remove(listener->front->connections, *socket_context);
        *socket_context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *address =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    *socket_context = connections_add(listener->front->connections, fd->connect_fd,
                                      address == NULL ? NULL : address->client_addr);
    if (*socket_context == NULL)
        (void)shutdown(fd->connect_fd, SHUT_RDWR); /* nobody would watch it */
}

static void panic(void *cls, const char *file, unsigned line, const char *reason)
{
    (void)cls;
    ct_log(CT_LOG_ERROR, "libmicrohttpd gave up at %s:%u: %s", file, line,
           reason == NULL ? "" : reason);
    abort();
}

/* ---- listeners ------------------------------------------------------------------------- */

/* The methods that some operation of the listener has, for the Allow header of a request whose
 * method nothing here has. */
static void list_methods(struct front_listener *listener)
{
    static const char *const names[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    _Static_assert(CT_ARRAY_LENGTH(names) == API_METHODS, "a name for every method");
    bool used[API_METHODS] = {false};
    size_t length = 0;
    for (size_t i = 0; i < API_OPERATIONS; i++) {
        if (api_routes[i].listener == listener->listener)
            used[api_routes[i].method] = true;
    }
    for (size_t i = 0; i < API_METHODS; i++) {
        if (used[i])
            length += (size_t)snprintf(listener->allow + length, sizeof listener->allow - length,
                                       "%s%s", length > 0 ? ", " : "", names[i]);
    }
}

static int open_listener(const struct config_address *address)
{
    int family = address->address.ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    if (fd < 0)
        goto fail;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0))
        goto fail;
    if (bind(fd, (const struct sockaddr *)&address->address, address->length) != 0 ||
        listen(fd, SOMAXCONN) != 0)
        goto fail;
    return fd;
fail:
    ct_log(CT_LOG_ERROR, "cannot listen on %s: %s", address->text, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static struct MHD_Daemon *start_public(struct running *running, int fd)
{
    const struct config *config = &running->config;
    const struct MHD_OptionItem pool[] = {
        {MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)config->threads, NULL}, {MHD_OPTION_END, 0, NULL}};
    const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    /* Strict mode would close connections where http_check_head() can say why. */
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TLS | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
        request_handle, &running->public, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_HTTPS_MEM_CERT,
        running->tls_certificate, MHD_OPTION_HTTPS_MEM_KEY, running->tls_key,
        MHD_OPTION_HTTPS_PRIORITIES, tls_priorities, MHD_OPTION_CONNECTION_LIMIT,
        config->connection_limit, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        config->connections_per_address, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY, MHD_OPTION_URI_LOG_CALLBACK, request_begin, &running->public,
        MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_NOTIFY_COMPLETED, request_end,
        &running->public, MHD_OPTION_NOTIFY_CONNECTION, notify_connection, &running->public,
        MHD_OPTION_ARRAY, config->threads > 1 ? pool : none, MHD_OPTION_END);
}

static struct MHD_Daemon *start_operator(struct running *running, int fd)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, request_handle,
        &running->operator, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)OPERATOR_CONNECTIONS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY, MHD_OPTION_URI_LOG_CALLBACK, request_begin, &running->operator,
        MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_NOTIFY_COMPLETED, request_end,
        &running->operator, MHD_OPTION_NOTIFY_CONNECTION, notify_connection, &running->operator,
        MHD_OPTION_END);
}

static bool start_listeners(struct running *running)
{
    int fd = open_listener(&running->config.listen);
    if (fd < 0)
        return false;
    running->public_daemon = start_public(running, fd);
    if (running->public_daemon == NULL) {
        ct_log(CT_LOG_ERROR, "cannot start the listener; are %s and %s a certificate and its key?",
               running->config.tls_certificate, running->config.tls_key);
        (void)close(fd);
        return false;
    }
    fd = open_listener(&running->config.operator_listen);
    if (fd < 0)
        return false;
    running->operator_daemon = start_operator(running, fd);
    if (running->operator_daemon == NULL) {
        ct_log(CT_LOG_ERROR, "cannot start the operator's listener");
        (void)close(fd);
        return false;
    }
    return true;
}

/* ---- start ----------------------------------------------------------------------------- */

/* A whole file with a NUL after it. NULL, and a line in the log, if that fails. */
static char *read_file(const char *path, size_t *ret_length)
{
    struct stat status;
    char *text = NULL;
    size_t length = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0)
        goto fail;
    if (!S_ISREG(status.st_mode) || status.st_size > TLS_FILE_MAX) {
        errno = EINVAL;
        goto fail;
    }
    text = malloc((size_t)status.st_size + 1);
    if (text == NULL)
        goto fail;
    while (length < (size_t)status.st_size) {
        ssize_t count = read(fd, text + length, (size_t)status.st_size - length);
        if (count < 0)
            goto fail;
        if (count == 0)
            break;
        length += (size_t)count;
    }
    text[length] = '\0';
    (void)close(fd);
    *ret_length = length;
    return text;
fail:
    ct_log(CT_LOG_ERROR, "%s: %s", path, strerror(errno));
    free(text);
    if (fd >= 0)
        (void)close(fd);
    return NULL;
}

/* Descriptors for every connection, and for the rest. */
static void raise_file_limit(unsigned connection_limit)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)connection_limit + OPERATOR_CONNECTIONS + 128;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted)
        ct_log(CT_LOG_WARNING, "%lu files may be open, %lu are needed for %u connections",
               (unsigned long)limit.rlim_cur, (unsigned long)wanted, connection_limit);
}

static bool start_parts(struct running *running)
{
    struct front *front = &running->front;
    const struct link_limits limits = {
        .queue_ms = LIMIT_QUEUE_MS, .grace_ms = LIMIT_TAKEN_GRACE_MS, .answer_ms = LIMIT_ANSWER_MS};
    if (getrandom(front->own_boot, sizeof front->own_boot, 0) != (long)sizeof front->own_boot ||
        request_ids_init(&front->ids) != 0)
        return false;
    if (connections_start(&front->connections) != CT_OK ||
        checker_start(&front->checker) != CT_OK ||
        front_link_start(running->config.connection_limit, limits, &front->link) != CT_OK) {
        ct_log(CT_LOG_ERROR, "cannot start the threads of the front");
        return false;
    }
    /* Later versions of the library parse differently, and strictly by themselves. */
    front->parses_in_place =
        MHD_get_version() != NULL && strncmp(MHD_get_version(), "0.9.", 4) == 0;
    running->public = (struct front_listener){
        .front = front, .listener = API_LISTENER_PUBLIC, .message_listener = MESSAGE_PEOPLE};
    running->operator=(struct front_listener){
        .front = front, .listener = API_LISTENER_OPERATOR, .message_listener = MESSAGE_OPERATOR};
    list_methods(&running->public);
    list_methods(&running->operator);
    return true;
}

/* ---- serve and stop -------------------------------------------------------------------- */

/* Until the parent says stop or goes. Returns the exit status. */
static int serve(struct running *running, int stop_fd)
{
    int64_t seen_up_ms = ct_mono_ms();
    for (;;) {
        struct pollfd waits[2] = {{.fd = CHILD_CONTROL_FD, .events = POLLIN},
                                  {.fd = stop_fd, .events = POLLIN}};
        if (poll(waits, 2, 1000) < 0 && errno != EINTR)
            return CHILD_EXIT_AGAIN;
        if (waits[1].revents != 0)
            return 0;
        if (waits[0].revents != 0) {
            uint8_t boot[MESSAGE_BOOT_BYTES];
            enum child_link kind; /* there is but one for the front */
            int fd;
            enum ct_status status = child_receive_link(CHILD_CONTROL_FD, &kind, boot, &fd);
            if (status == CT_NOT_FOUND)
                return 0; /* the parent has gone */
            if (status != CT_OK)
                return CHILD_EXIT_AGAIN;
            front_link_connect(running->front.link, fd, boot);
        }
        /* A keeper that lives but gave up the link gets a new one when this process is new. */
        struct link_counts counts;
        front_link_count(running->front.link, &counts);
        int64_t now = ct_mono_ms();
        if (counts.up)
            seen_up_ms = now;
        else if (now - seen_up_ms > LINK_WAIT_MS) {
            ct_log(CT_LOG_WARNING, "no link to the keeper for %d ms", LINK_WAIT_MS);
            return CHILD_EXIT_AGAIN;
        }
    }
}

/* Waits until no request is between its last byte and the end of its answer. */
static void drain(struct front *front, int64_t within_ms)
{
    const struct timespec moment = {.tv_nsec = 10 * 1000000L};
    int64_t end = ct_mono_ms() + within_ms;
    while (atomic_load(&front->active) > 0 && ct_mono_ms() < end)
        (void)nanosleep(&moment, NULL);
}

static void quiesce(struct MHD_Daemon *daemon)
{
    int fd = daemon == NULL ? -1 : MHD_quiesce_daemon(daemon);
    if (fd >= 0)
        (void)close(fd);
}

static void stop(struct running *running)
{
    struct front *front = &running->front;
    atomic_store(&front->stopping, true);
    quiesce(running->public_daemon);
    quiesce(running->operator_daemon);
    drain(front, DRAIN_MS);
    /* What is still pending is told the truth; the library must have no suspended connection. */
    if (front->link != NULL)
        front_link_stop(front->link);
    checker_stop(front->checker);
    drain(front, LAST_ANSWERS_MS);
    if (running->public_daemon != NULL)
        MHD_stop_daemon(running->public_daemon);
    if (running->operator_daemon != NULL)
        MHD_stop_daemon(running->operator_daemon);
    front_link_free(front->link);
    checker_free(front->checker);
    connections_stop(front->connections);
    if (running->tls_key != NULL)
        explicit_bzero(running->tls_key, running->tls_key_length);
    free(running->tls_key);
    free(running->tls_certificate);
    config_clear(&running->config);
}

int main(int argc, char **argv)
{
    static struct running running;
    struct ct_error err = {.text = ""};
    size_t length;
    int stop_fd = child_begin("front", argc, argv);
    if (config_load_fd(CHILD_CONFIG_FD, CONFIG_FRONT, &running.config, &err) != CT_OK) {
        ct_log(CT_LOG_ERROR, "%s", err.text);
        return CHILD_EXIT_REFUSED;
    }
    json_object_seed(0); /* before there are threads */
    MHD_set_panic_func(panic, NULL);
    raise_file_limit(running.config.connection_limit);
    running.tls_certificate = read_file(running.config.tls_certificate, &length);
    running.tls_key = read_file(running.config.tls_key, &running.tls_key_length);
    int status = CHILD_EXIT_REFUSED;
    if (running.tls_certificate != NULL && running.tls_key != NULL && start_parts(&running) &&
        start_listeners(&running))
        status = serve(&running, stop_fd);
    stop(&running);
    return status;
}
