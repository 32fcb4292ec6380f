// SPDX-License-Identifier: Apache-2.0
/* The HTTP of a witness: one path, one method, loopback only, since a proxy that speaks TLS stands
 * before it. */
#include "cli/witness.h"

#include "server/connections.h"
#include "server/http_check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH "/add-checkpoint"
#define THREADS 4
#define CONNECTIONS 256
#define CONNECTION_MEMORY (16u << 10)
#define EXCHANGE_MS 10000 /* from the connection or the last answer to the end of a request */
#define DISCARD_MAX (64u << 10)

struct server {
    struct witness *witness;
    struct connections *connections;
    bool parses_in_place;
};

struct request {
    struct connection *socket;
    const char *target; /* where the library has it */
    size_t target_length;
    bool begun;
    unsigned refused; /* HTTP status; 0: not */
    const char *why;
    struct ct_buf body;
    size_t discarded;
};

/* ---- callbacks of the library ------------------------------------------------------------ */

static size_t leave_escaped(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

static void notify_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                              enum MHD_ConnectionNotificationCode code)
{
    struct server *server = cls;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        connections_remove(server->connections, *socket_context);
        *socket_context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct connection *added = connections_add(server->connections, fd->connect_fd, NULL);
    if (added == NULL)
        (void)shutdown(fd->connect_fd, SHUT_RDWR); /* nobody would watch it */
    else
        connection_expect(added, EXCHANGE_MS);
    *socket_context = added;
}

static void *begin(void *cls, const char *target, struct MHD_Connection *connection)
{
    (void)cls;
    struct request *request = calloc(1, sizeof *request);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (request == NULL)
        return NULL;
    request->socket = info == NULL ? NULL : info->socket_context;
    request->target = target;
    request->target_length = target == NULL ? 0 : strlen(target);
    ct_buf_init(&request->body, WITNESS_BODY_MAX);
    return request;
}

static void end(void *cls, struct MHD_Connection *connection, void **con_cls,
                enum MHD_RequestTerminationCode code)
{
    struct request *request = *con_cls;
    (void)cls;
    (void)connection;
    (void)code;
    *con_cls = NULL;
    if (request == NULL)
        return;
    if (request->socket != NULL)
        connection_expect(request->socket, EXCHANGE_MS);
    ct_buf_free(&request->body);
    free(request);
}

static enum MHD_Result collect_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                      size_t name_length, const char *value, size_t value_length)
{
    struct http_head *head = cls;
    (void)kind;
    if (head->header_count == HTTP_HEADERS_MAX) {
        head->header_count++; /* says that there were more */
        return MHD_NO;
    }
    head->headers[head->header_count++] = (struct http_header){
        .name = name,
        .name_length = name_length,
        .value = value == NULL ? "" : value,
        .value_length = value == NULL ? 0 : value_length,
    };
    return MHD_YES;
}

/* ---- answers ----------------------------------------------------------------------------- */

static enum MHD_Result send_answer(struct MHD_Connection *connection, unsigned status,
                                   const char *type, const void *text, size_t length, bool close)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(length, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    bool done = MHD_add_response_header(response, "Content-Type", type) == MHD_YES &&
                MHD_add_response_header(response, "Cache-Control", "no-store") == MHD_YES &&
                MHD_add_response_header(response, "X-Content-Type-Options", "nosniff") == MHD_YES;
    if (done && close)
        done = MHD_add_response_header(response, "Connection", "close") == MHD_YES;
    if (done && status == 405)
        done = MHD_add_response_header(response, "Allow", "POST") == MHD_YES;
    enum MHD_Result result = done ? MHD_queue_response(connection, status, response) : MHD_NO;
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result send_refusal(struct MHD_Connection *connection,
                                    const struct request *request)
{
    char text[160];
    int length = snprintf(text, sizeof text, "%s\n", request->why);
    return send_answer(connection, request->refused, "text/plain; charset=utf-8", text,
                       (size_t)length, request->refused == 400 || request->refused == 413);
}

static void refuse(struct request *request, unsigned status, const char *why)
{
    if (request->refused != 0)
        return;
    request->refused = status;
    request->why = why;
}

/* ---- a request --------------------------------------------------------------------------- */

/* Whether the head can be trusted to mean what it says; facts are filled then. */
static bool check_head(const struct server *server, struct request *request,
                       struct MHD_Connection *connection, const char *method, const char *version,
                       struct http_facts *ret_facts)
{
    struct http_head head = {.method = method,
                             .target = request->target,
                             .target_length = request->target_length,
                             .version = version};
    struct http_refusal refusal = {.detail = ""};
    (void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, collect_header, &head);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    head.size = info == NULL ? 0 : info->header_size;
    if (head.header_count > HTTP_HEADERS_MAX) {
        refuse(request, 400, "too many header lines");
        return false;
    }
    enum http_verdict verdict = http_check_head(&head, ret_facts, &refusal);
    if (verdict == HTTP_MALFORMED) {
        refuse(request, 400, refusal.detail);
        return false;
    }
    if (server->parses_in_place && !http_check_layout(&head)) {
        refuse(request, 400, "not an acceptable HTTP request");
        return false;
    }
    if (verdict == HTTP_MEDIA_TYPE)
        refuse(request, 415, refusal.detail);
    return true;
}

static enum MHD_Result take_head(const struct server *server, struct request *request,
                                 struct MHD_Connection *connection, const char *method,
                                 const char *version)
{
    struct http_facts facts = {.authorization = ""};
    if (!check_head(server, request, connection, method, version, &facts))
        return send_refusal(connection, request);
    if (request->target_length != sizeof PATH - 1 ||
        memcmp(request->target, PATH, sizeof PATH - 1) != 0)
        refuse(request, 404, "nothing is here but " PATH);
    else if (strcmp(method, "POST") != 0)
        refuse(request, 405, "POST is the method here");
    else if (facts.content_length > WITNESS_BODY_MAX)
        refuse(request, 413, "the request is too large");
    /* A body that is on its way is read and forgotten if it is short. */
    bool has_body = facts.chunked || facts.content_length > 0;
    if (request->refused != 0 &&
        (!has_body || facts.expects_continue || facts.content_length > DISCARD_MAX))
        return send_refusal(connection, request);
    return MHD_YES;
}

static enum MHD_Result take_body(struct request *request, const char *bytes, size_t count)
{
    if (request->refused == 0) {
        enum ct_status status = ct_buf_append(&request->body, bytes, count);
        if (status == CT_OK)
            return MHD_YES;
        if (status == CT_LIMIT)
            refuse(request, 413, "the request is too large");
        else
            refuse(request, 503, "out of memory");
    }
    request->discarded += count;
    return request->discarded > DISCARD_MAX ? MHD_NO : MHD_YES;
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **con_cls)
{
    struct server *server = cls;
    struct request *request = *con_cls;
    (void)url;
    if (request == NULL)
        return MHD_NO;
    if (!request->begun) {
        request->begun = true;
        return take_head(server, request, connection, method, version);
    }
    if (*upload_size != 0) {
        size_t count = *upload_size;
        *upload_size = 0;
        return take_body(request, upload, count);
    }
    if (request->refused != 0)
        return send_refusal(connection, request);
    struct witness_answer answer;
    witness_add_checkpoint(server->witness, (const char *)request->body.data, request->body.length,
                           &answer);
    return send_answer(connection, answer.status, answer.type, answer.text, answer.length, false);
}

static void panic(void *cls, const char *file, unsigned line, const char *reason)
{
    (void)cls;
    ct_log(CT_LOG_ERROR, "libmicrohttpd gave up at %s:%u: %s", file, line,
           reason == NULL ? "" : reason);
    abort();
}

/* ---- listening --------------------------------------------------------------------------- */

/* 127.0.0.1:8445 or [::1]:8445. Returns a socket, -1 with err filled. */
static int open_listener(const char *text, struct ct_error *err)
{
    struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool six = strncmp(text, "[::1]:", 6) == 0;
    const char *port_text = six ? text + 6 : strncmp(text, "127.0.0.1:", 10) == 0 ? text + 10 : "";
    char *rest = NULL;
    unsigned long port = strtoul(port_text, &rest, 10);
    int on = 1;
    if (port_text[strspn(port_text, "0123456789")] != '\0' || port == 0 || port > 65535) {
        ct_error_set(err, "%s is neither 127.0.0.1:PORT nor [::1]:PORT", text);
        return -1;
    }
    in4.sin_port = in6.sin6_port = htons((uint16_t)port);
    int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(fd,
             six ? (const struct sockaddr *)(const void *)&in6
                 : (const struct sockaddr *)(const void *)&in4,
             six ? sizeof in6 : sizeof in4) == 0 &&
        listen(fd, SOMAXCONN) == 0)
        return fd;
    ct_error_set(err, "cannot listen on %s: %s", text, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static struct MHD_Daemon *start(struct server *server, int fd)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, handle, server, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS,
        MHD_OPTION_URI_LOG_CALLBACK, begin, server, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped,
        NULL, MHD_OPTION_NOTIFY_COMPLETED, end, server, MHD_OPTION_NOTIFY_CONNECTION,
        notify_connection, server, MHD_OPTION_END);
}

enum ct_status witness_serve(struct witness *witness, const char *address, struct ct_error *err)
{
    struct server server = {.witness = witness};
    sigset_t ends;
    int number;
    int fd = open_listener(address, err);
    if (fd < 0)
        return CT_IO;
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGINT);
    MHD_set_panic_func(panic, NULL);
    server.parses_in_place =
        MHD_get_version() != NULL && strncmp(MHD_get_version(), "0.9.", 4) == 0;
    enum ct_status status = connections_start(&server.connections);
    struct MHD_Daemon *daemon = status == CT_OK ? start(&server, fd) : NULL;
    if (daemon == NULL) {
        ct_error_set(err, "the threads cannot be started");
        connections_stop(server.connections);
        (void)close(fd);
        return CT_NO_MEMORY;
    }
    ct_log(CT_LOG_NOTICE, "%s witnesses on %s", witness->signer.verifier.name, address);
    while (sigwait(&ends, &number) != 0)
        continue;
    MHD_stop_daemon(daemon);
    connections_stop(server.connections);
    return CT_OK;
}
