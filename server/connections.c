// SPDX-License-Identifier: Apache-2.0
#include "server/connections.h"

#include "keeper/limits.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_EVERY_MS 250

struct connections {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stop;
    bool stopping;
    struct connection *first;
    unsigned count;
};

static const int64_t never_ms = INT64_MAX;

static void shut_late(struct connections *connections)
{
    int64_t now = ct_mono_ms();
    for (struct connection *c = connections->first; c != NULL; c = c->next) {
        if (atomic_load_explicit(&c->deadline_ms, memory_order_relaxed) > now)
            continue;
        /* The library sees an error on the socket and closes it; until then it stays open, so
         * that the number cannot mean another connection. */
        (void)shutdown(c->fd, SHUT_RDWR);
        connection_rest(c);
    }
}

static void *run(void *argument)
{
    struct connections *connections = argument;
    (void)pthread_mutex_lock(&connections->lock);
    while (!connections->stopping) {
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += LOOK_EVERY_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        (void)pthread_cond_timedwait(&connections->stop, &connections->lock, &until);
        shut_late(connections);
    }
    (void)pthread_mutex_unlock(&connections->lock);
    return NULL;
}

enum ct_status connections_start(struct connections **ret)
{
    struct connections *connections = calloc(1, sizeof *connections);
    if (connections == NULL)
        return CT_NO_MEMORY;
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&connections->lock, NULL);
    (void)pthread_cond_init(&connections->stop, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    if (pthread_create(&connections->thread, NULL, run, connections) != 0) {
        (void)pthread_cond_destroy(&connections->stop);
        (void)pthread_mutex_destroy(&connections->lock);
        free(connections);
        return CT_IO;
    }
    *ret = connections;
    return CT_OK;
}

void connections_stop(struct connections *connections)
{
    if (connections == NULL)
        return;
    (void)pthread_mutex_lock(&connections->lock);
    connections->stopping = true;
    (void)pthread_cond_signal(&connections->stop);
    (void)pthread_mutex_unlock(&connections->lock);
    (void)pthread_join(connections->thread, NULL);
    (void)pthread_cond_destroy(&connections->stop);
    (void)pthread_mutex_destroy(&connections->lock);
    free(connections);
}

static void name_peer(const struct sockaddr *address, char *ret, socklen_t room)
{
    const void *number = NULL;
    if (address != NULL && address->sa_family == AF_INET)
        number = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
    else if (address != NULL && address->sa_family == AF_INET6)
        number = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    if (number == NULL || inet_ntop(address->sa_family, number, ret, room) == NULL)
        memcpy(ret, "unknown", sizeof "unknown");
}

struct connection *connections_add(struct connections *connections, int fd,
                                   const struct sockaddr *address)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return NULL;
    connection->fd = fd;
    name_peer(address, connection->peer, sizeof connection->peer);
    connection_expect(connection, LIMIT_HEADER_MS);
    (void)pthread_mutex_lock(&connections->lock);
    connection->next = connections->first;
    if (connection->next != NULL)
        connection->next->previous = connection;
    connections->first = connection;
    connections->count++;
    (void)pthread_mutex_unlock(&connections->lock);
    return connection;
}

void connections_remove(struct connections *connections, struct connection *connection)
{
    if (connection == NULL)
        return;
    (void)pthread_mutex_lock(&connections->lock);
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        connections->first = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    connections->count--;
    (void)pthread_mutex_unlock(&connections->lock);
    free(connection);
}

void connection_expect(struct connection *connection, int64_t within_ms)
{
    atomic_store_explicit(&connection->deadline_ms, ct_mono_ms() + within_ms, memory_order_relaxed);
}

void connection_rest(struct connection *connection)
{
    atomic_store_explicit(&connection->deadline_ms, never_ms, memory_order_relaxed);
}

unsigned connections_count(struct connections *connections)
{
    (void)pthread_mutex_lock(&connections->lock);
    unsigned count = connections->count;
    (void)pthread_mutex_unlock(&connections->lock);
    return count;
}
