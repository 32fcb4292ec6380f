// SPDX-License-Identifier: Apache-2.0
#include "keeper/internal.h"

#include "keeper/log_view.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What is answered without being tried, or ERROR_NONE if it is to be tried. */
static enum api_error refusal_of(struct keeper *keeper)
{
    switch ((enum keeper_state)atomic_load(&keeper->state)) {
    case KEEPER_ACTIVE:
        return witness_stops(keeper) ? API_ERROR_NOT_WITNESSED : API_ERROR_NONE;
    case KEEPER_STARTING:
        return API_ERROR_DATABASE_UNAVAILABLE;
    case KEEPER_MIGRATING:
        return API_ERROR_SCHEMA_STALE;
    case KEEPER_STANDBY:
    case KEEPER_UNVOUCHED:
    case KEEPER_ENDING:
        break;
    }
    return API_ERROR_STANDBY;
}

static bool is_for_this_listener(const struct ticket *ticket)
{
    bool is_operators = ticket->message.listener == MESSAGE_OPERATOR;
    return is_operators ==
           (api_routes[ticket->request.operation].listener == API_LISTENER_OPERATOR);
}

/* Answers at once what needs no batch; puts the rest at the end of *list. */
static void sort_in(struct keeper *keeper, struct ticket *ticket, struct ticket ***list_end)
{
    if (!is_for_this_listener(ticket)) {
        answer_list(keeper, ticket, API_ERROR_NOT_FOUND);
    } else if (log_view_is_open(keeper, ticket->request.operation)) {
        log_view_take(keeper, ticket);
    } else if (!log_view_has(ticket->request.operation) &&
               api_routes[ticket->request.operation].permission == API_PERMISSION_NONE) {
        status_answer(keeper, ticket);
        ticket_free(ticket);
    } else {
        ticket->next = NULL;
        **list_end = ticket;
        *list_end = &ticket->next;
    }
}

/* All frames that one read brought. Errors: CT_BAD_INPUT: the other side is not our front. */
static enum ct_status take_frames(struct keeper *keeper, struct message_reader *reader,
                                  const uint8_t boot[MESSAGE_BOOT_BYTES])
{
    struct ticket *list = NULL;
    struct ticket **list_end = &list;
    enum ct_status status;
    uint8_t type;
    const uint8_t *payload;
    size_t length;
    while ((status = message_reader_next(reader, &type, &payload, &length)) == CT_OK) {
        struct ticket *ticket;
        if (type != MESSAGE_REQUEST) {
            status = CT_BAD_INPUT;
            break;
        }
        status = ticket_new(payload, length, &ticket);
        if (status == CT_NO_MEMORY)
            continue; /* the front's deadline answers it */
        if (status != CT_OK)
            break;
        if (memcmp(ticket->message.boot, boot, MESSAGE_BOOT_BYTES) != 0) {
            ticket_free(ticket);
            continue;
        }
        atomic_fetch_add(&keeper->stats.requests, 1);
        sort_in(keeper, ticket, &list_end);
    }
    enum api_error refusal = refusal_of(keeper);
    struct ticket *refused =
        refusal == API_ERROR_NONE ? scheduler_put(&keeper->scheduler, list) : list;
    if (refusal == API_ERROR_NONE)
        refusal = atomic_load(&keeper->stopping) ? API_ERROR_NOT_ATTEMPTED : API_ERROR_OVERLOADED;
    answer_list(keeper, refused, refusal);
    return status == CT_NOT_FOUND ? CT_OK : status;
}

static void serve(struct keeper *keeper, int fd, const uint8_t boot[MESSAGE_BOOT_BYTES])
{
    struct message_reader reader;
    enum ct_status status;
    message_reader_init(&reader);
    do {
        status = message_reader_fill(&reader, fd);
        if (status == CT_OK)
            status = take_frames(keeper, &reader, boot);
    } while (status == CT_OK);
    if (status == CT_BAD_INPUT)
        ct_log(CT_LOG_ERROR, "the front sent what is not a request: link given up");
    message_reader_free(&reader);
}

static void *reader_main(void *argument)
{
    struct keeper *keeper = argument;
    struct link *link = &keeper->link;
    (void)pthread_mutex_lock(&link->mutex);
    while (!link->stopping) {
        uint8_t boot[MESSAGE_BOOT_BYTES];
        if (link->fd < 0) {
            (void)pthread_cond_wait(&link->changed, &link->mutex);
            continue;
        }
        /* A descriptor of our own: the link's may be closed by keeper_link() meanwhile. */
        int fd = fcntl(link->fd, F_DUPFD_CLOEXEC, 0);
        memcpy(boot, link->boot, sizeof boot);
        (void)pthread_mutex_unlock(&link->mutex);
        if (fd >= 0) {
            serve(keeper, fd, boot);
            (void)shutdown(fd, SHUT_RDWR);
            (void)close(fd);
        }
        (void)pthread_mutex_lock(&link->mutex);
        if (link->fd >= 0 && memcmp(boot, link->boot, sizeof boot) == 0) {
            (void)close(link->fd);
            link->fd = -1;
        }
    }
    (void)pthread_mutex_unlock(&link->mutex);
    return NULL;
}

enum ct_status link_start(struct keeper *keeper)
{
    struct link *link = &keeper->link;
    (void)pthread_mutex_init(&link->mutex, NULL);
    (void)pthread_cond_init(&link->changed, NULL);
    link->fd = -1;
    link->reader_runs = pthread_create(&link->reader, NULL, reader_main, keeper) == 0;
    return link->reader_runs ? CT_OK : CT_NO_MEMORY;
}

void link_stop(struct keeper *keeper)
{
    struct link *link = &keeper->link;
    if (!link->reader_runs)
        return;
    (void)pthread_mutex_lock(&link->mutex);
    link->stopping = true;
    if (link->fd >= 0)
        (void)shutdown(link->fd, SHUT_RDWR);
    (void)pthread_cond_broadcast(&link->changed);
    (void)pthread_mutex_unlock(&link->mutex);
    (void)pthread_join(link->reader, NULL);
    link->reader_runs = false;
    if (link->fd >= 0)
        (void)close(link->fd);
    link->fd = -1;
    (void)pthread_cond_destroy(&link->changed);
    (void)pthread_mutex_destroy(&link->mutex);
}

void keeper_link(struct keeper *keeper, int fd_take, const uint8_t boot[MESSAGE_BOOT_BYTES])
{
    struct link *link = &keeper->link;
    (void)pthread_mutex_lock(&link->mutex);
    if (link->fd >= 0) {
        (void)shutdown(link->fd, SHUT_RDWR); /* wakes the reader */
        (void)close(link->fd);
    }
    link->fd = fd_take;
    memcpy(link->boot, boot, MESSAGE_BOOT_BYTES);
    (void)pthread_cond_broadcast(&link->changed);
    (void)pthread_mutex_unlock(&link->mutex);
}

void link_send(struct keeper *keeper, const uint8_t boot[MESSAGE_BOOT_BYTES],
               const struct ct_buf *frames)
{
    struct link *link = &keeper->link;
    if (frames->length == 0)
        return;
    (void)pthread_mutex_lock(&link->mutex);
    if (link->fd >= 0 && memcmp(boot, link->boot, MESSAGE_BOOT_BYTES) == 0 &&
        message_write(link->fd, frames->data, frames->length, ct_mono_ms() + LIMIT_LINK_WRITE_MS) !=
            CT_OK)
        (void)shutdown(link->fd, SHUT_RDWR); /* half a frame may be out: nothing more may follow */
    (void)pthread_mutex_unlock(&link->mutex);
}
