// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_CONNECTIONS_H
#define SERVER_CONNECTIONS_H

/* The connections of the front, each with a total deadline for what it is doing. libmicrohttpd
 * only knows inactivity, so that one byte a second would live for ever: a thread of ours shuts down
 * what is late. */

#include "base/base.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>

struct connections;

struct connection {
    struct connection *previous;
    struct connection *next;
    int fd;
    _Atomic int64_t deadline_ms;
    char peer[INET6_ADDRSTRLEN]; /* without port */
};

/* Starts the thread.
 * Owner:  *ret is the caller's, connections_stop().
 * Errors: CT_NO_MEMORY, CT_IO. */
enum ct_status connections_start(struct connections **ret) CT_MUST_CHECK;
/* After the last connection was removed. NULL is safe. */
void connections_stop(struct connections *connections);

/* A connection was accepted on fd, which stays the library's. NULL when out of memory.
 * Owner: the list's, connections_remove(). Threads: any, as the next. */
struct connection *connections_add(struct connections *connections, int fd,
                                   const struct sockaddr *address);
/* Before fd is closed. NULL is safe. */
void connections_remove(struct connections *connections, struct connection *connection);

/* The connection is shut down if this is not called again within that time. */
void connection_expect(struct connection *connection, int64_t within_ms);
/* No deadline: somebody else watches. */
void connection_rest(struct connection *connection);

unsigned connections_count(struct connections *connections);

#endif
