// SPDX-License-Identifier: Apache-2.0
#include "server/link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUT_MAX (48u << 20) /* frames waiting for the keeper to read */
#define OUT_KEEP (1u << 20) /* a larger buffer is given back when empty */
#define TICK_MS 100         /* how late a deadline may be noticed */
#define IDLE_TICK_MS 500    /* the same for a request sent while nothing was pending */
#define TAKEN_MAX 8192      /* ids of one TAKEN */

struct front_link {
    struct link_limits limits;
    pthread_t thread;
    int wake_fd; /* eventfd: there is room to wait for, a new connection, or the end */
    uint64_t taken_ids[TAKEN_MAX]; /* scratch of the thread */

    pthread_mutex_t lock;
    pthread_cond_t idle; /* nobody writes any more */
    /* The fields below are guarded by the lock. */
    struct link_entry **buckets;
    size_t bucket_mask;
    struct link_entry *first; /* in the order sent */
    struct link_entry *last;
    unsigned pending;
    uint64_t dropped;
    int fd; /* -1: no keeper */
    uint8_t boot[MESSAGE_BOOT_BYTES];
    bool broken; /* writing failed: the thread gives the connection up */
    bool stopping;
    int next_fd; /* handed over by front_link_connect(), -1: none */
    uint8_t next_boot[MESSAGE_BOOT_BYTES];
    struct ct_buf out;    /* frames that nobody has begun to write */
    struct ct_buf flight; /* the writer's, while writing */
    size_t flight_start;
    bool awake;   /* the link's thread is not waiting, and writes before it waits */
    bool writing; /* some thread is the writer */
    bool blocked; /* the socket is full: the link's thread is the writer when there is room */
};

/* ---- the table of what is pending ------------------------------------------------------- */

static struct link_entry **bucket_of(struct front_link *link, uint64_t id)
{
    /* Ids are a permutation's output, as good as a hash. */
    return &link->buckets[id & link->bucket_mask];
}

static void pending_add(struct front_link *link, struct link_entry *entry)
{
    struct link_entry **bucket = bucket_of(link, entry->id);
    entry->next_in_bucket = *bucket;
    *bucket = entry;
    entry->previous = link->last;
    entry->next = NULL;
    if (link->last != NULL)
        link->last->next = entry;
    else
        link->first = entry;
    link->last = entry;
    link->pending++;
}

static void pending_remove(struct front_link *link, struct link_entry *entry)
{
    struct link_entry **at = bucket_of(link, entry->id);
    while (*at != entry)
        at = &(*at)->next_in_bucket;
    *at = entry->next_in_bucket;
    if (entry->previous != NULL)
        entry->previous->next = entry->next;
    else
        link->first = entry->next;
    if (entry->next != NULL)
        entry->next->previous = entry->previous;
    else
        link->last = entry->previous;
    entry->next = NULL;
    link->pending--;
}

static struct link_entry *pending_find(struct front_link *link, uint64_t id)
{
    struct link_entry *entry = *bucket_of(link, id);
    while (entry != NULL && entry->id != id)
        entry = entry->next_in_bucket;
    return entry;
}

/* Takes the entry out as lost and puts it before the list. */
static struct link_entry *lose(struct front_link *link, struct link_entry *entry,
                               struct link_entry *list)
{
    pending_remove(link, entry);
    entry->outcome = entry->taken ? LINK_OUTCOME_UNKNOWN : LINK_NOT_ATTEMPTED;
    entry->next = list;
    return entry;
}

static void finish_all(struct link_entry *list)
{
    while (list != NULL) {
        struct link_entry *next = list->next;
        list->finished(list);
        list = next;
    }
}

/* ---- writing --------------------------------------------------------------------------- */

static void wake(struct front_link *link)
{
    uint64_t one = 1;
    ssize_t written = write(link->wake_fd, &one, sizeof one);
    (void)written; /* full means that it is awake already */
}

static void buf_empty(struct ct_buf *buf)
{
    if (buf->capacity > OUT_KEEP)
        ct_buf_free(buf);
    ct_buf_reset(buf);
}

/* Writes what is there until it is gone or the socket is full. The caller holds the lock and is
 * the writer (link->writing); the lock is given up around each send. */
static void write_out(struct front_link *link)
{
    while (!link->broken && link->fd >= 0) {
        if (link->flight_start == link->flight.length) {
            buf_empty(&link->flight);
            link->flight_start = 0;
            if (link->out.length == 0)
                break;
            struct ct_buf empty = link->flight;
            link->flight = link->out;
            link->out = empty;
        }
        int fd = link->fd;
        (void)pthread_mutex_unlock(&link->lock);
        ssize_t count = send(fd, link->flight.data + link->flight_start,
                             link->flight.length - link->flight_start, MSG_NOSIGNAL | MSG_DONTWAIT);
        int error = errno;
        (void)pthread_mutex_lock(&link->lock);
        if (count >= 0) {
            link->flight_start += (size_t)count;
        } else if (error == EAGAIN || error == EWOULDBLOCK) {
            link->blocked = true;
            wake(link);
            break;
        } else if (error != EINTR) {
            link->broken = true;
            wake(link);
        }
    }
    link->writing = false;
    (void)pthread_cond_broadcast(&link->idle);
}

/* Becomes the writer if there is none. The caller holds the lock. */
static void begin_write(struct front_link *link)
{
    if (link->writing || link->blocked)
        return;
    link->writing = true;
    write_out(link);
}

enum ct_status front_link_submit(struct front_link *link, struct link_entry *entry, uint64_t id,
                                 struct message_request *request)
{
    enum ct_status status = CT_REFUSED;
    (void)pthread_mutex_lock(&link->lock);
    if (link->fd < 0 || link->broken || link->stopping)
        goto out;
    entry->id = id;
    entry->taken = false;
    entry->memory = NULL;
    entry->sent_ms = ct_mono_ms();
    memcpy(entry->boot, link->boot, sizeof entry->boot);
    memcpy(request->boot, link->boot, sizeof request->boot);
    request->id = id;
    request->deadline_ms = entry->sent_ms + link->limits.queue_ms;

    size_t before = link->out.length;
    status = message_request_encode(&link->out, request);
    if (status != CT_OK) {
        /* Half a frame must not be sent, and the buffer serves others. */
        link->out.length = before;
        link->out.failed = false;
        goto out;
    }
    pending_add(link, entry);
    /* While the thread hands out a batch of answers it writes for all: many requests, one write. */
    if (!link->awake)
        begin_write(link);
out:
    (void)pthread_mutex_unlock(&link->lock);
    return status;
}

/* ---- reading --------------------------------------------------------------------------- */

static enum ct_status take_answer(struct front_link *link, const uint8_t *payload, size_t length,
                                  struct link_entry **list)
{
    uint8_t *memory = malloc(length > 0 ? length : 1);
    if (memory == NULL)
        return CT_NO_MEMORY;
    memcpy(memory, payload, length);
    struct message_answer answer;
    enum ct_status status = message_answer_decode(memory, length, &answer);
    if (status != CT_OK) {
        free(memory);
        return status;
    }
    (void)pthread_mutex_lock(&link->lock);
    struct link_entry *entry = NULL;
    if (memcmp(answer.boot, link->boot, sizeof link->boot) == 0)
        entry = pending_find(link, answer.id);
    if (entry == NULL) {
        link->dropped++;
    } else {
        pending_remove(link, entry);
        entry->outcome = LINK_ANSWERED;
        entry->answer = answer;
        entry->memory = memory;
        entry->next = *list;
        *list = entry;
    }
    (void)pthread_mutex_unlock(&link->lock);
    if (entry == NULL)
        free(memory);
    return CT_OK;
}

static enum ct_status take_taken(struct front_link *link, const uint8_t *payload, size_t length)
{
    uint8_t boot[MESSAGE_BOOT_BYTES];
    size_t count;
    enum ct_status status =
        message_taken_decode(payload, length, boot, link->taken_ids, TAKEN_MAX, &count);
    if (status != CT_OK)
        return status;
    (void)pthread_mutex_lock(&link->lock);
    if (memcmp(boot, link->boot, sizeof boot) == 0) {
        for (size_t i = 0; i < count; i++) {
            struct link_entry *entry = pending_find(link, link->taken_ids[i]);
            if (entry != NULL)
                entry->taken = true;
        }
    }
    (void)pthread_mutex_unlock(&link->lock);
    return CT_OK;
}

/* Handles every whole frame that was read. */
static enum ct_status take_frames(struct front_link *link, struct message_reader *reader)
{
    struct link_entry *list = NULL;
    enum ct_status status = CT_OK;
    while (status == CT_OK) {
        uint8_t type;
        const uint8_t *payload;
        size_t length;
        status = message_reader_next(reader, &type, &payload, &length);
        if (status != CT_OK)
            break;
        if (type == MESSAGE_ANSWER)
            status = take_answer(link, payload, length, &list);
        else if (type == MESSAGE_TAKEN)
            status = take_taken(link, payload, length);
        else
            status = CT_BAD_INPUT;
    }
    finish_all(list);
    return status == CT_NOT_FOUND ? CT_OK : status;
}

/* ---- the link's thread ----------------------------------------------------------------- */

/* Closes the connection and finishes what was pending on it. What the keeper has said before it
 * went is read first: a request that it took must not be reported as not attempted. */
static void disconnect(struct front_link *link, struct message_reader *reader)
{
    enum ct_status status = CT_OK;
    int fd = link->fd; /* changed by this thread only */
    if (fd < 0)
        return;
    (void)shutdown(fd, SHUT_WR);
    size_t before;
    do {
        before = reader->buf.length - reader->start;
        status = message_reader_fill(reader, fd);
        size_t after = reader->buf.length - reader->start;
        if (status == CT_OK && after == before)
            break; /* nothing more for now; nobody waits for a keeper that was replaced */
        if (status == CT_OK)
            status = take_frames(link, reader);
    } while (status == CT_OK);

    struct link_entry *list = NULL;
    (void)pthread_mutex_lock(&link->lock);
    link->fd = -1;
    while (link->writing)
        (void)pthread_cond_wait(&link->idle, &link->lock);
    while (link->last != NULL)
        list = lose(link, link->last, list);
    buf_empty(&link->out);
    buf_empty(&link->flight);
    link->flight_start = 0;
    link->broken = false;
    link->blocked = false;
    (void)pthread_mutex_unlock(&link->lock);
    (void)close(fd);
    message_reader_free(reader);
    message_reader_init(reader);
    finish_all(list);
}

static void expire(struct front_link *link)
{
    struct link_entry *list = NULL;
    int64_t now = ct_mono_ms();
    (void)pthread_mutex_lock(&link->lock);
    for (struct link_entry *entry = link->first; entry != NULL;) {
        struct link_entry *next = entry->next;
        int64_t limit =
            entry->taken ? link->limits.answer_ms : link->limits.queue_ms + link->limits.grace_ms;
        if (now - entry->sent_ms > limit)
            list = lose(link, entry, list);
        entry = next;
    }
    (void)pthread_mutex_unlock(&link->lock);
    finish_all(list);
}

/* Takes over a new connection if there is one. Returns false when the link is to end. */
static bool take_orders(struct front_link *link, struct message_reader *reader)
{
    uint64_t count;
    ssize_t got = read(link->wake_fd, &count, sizeof count);
    (void)got;
    (void)pthread_mutex_lock(&link->lock);
    bool stopping = link->stopping;
    bool give_up = link->broken;
    int next_fd = link->next_fd;
    uint8_t boot[MESSAGE_BOOT_BYTES];
    memcpy(boot, link->next_boot, sizeof boot);
    link->next_fd = -1;
    (void)pthread_mutex_unlock(&link->lock);

    if (stopping || give_up || next_fd >= 0)
        disconnect(link, reader);
    if (stopping) {
        if (next_fd >= 0)
            (void)close(next_fd);
        return false;
    }
    if (next_fd >= 0) {
        (void)fcntl(next_fd, F_SETFL, O_NONBLOCK);
        (void)pthread_mutex_lock(&link->lock);
        link->fd = next_fd;
        memcpy(link->boot, boot, sizeof boot);
        (void)pthread_mutex_unlock(&link->lock);
    }
    return true;
}

static void wait_and_serve(struct front_link *link, struct message_reader *reader)
{
    (void)pthread_mutex_lock(&link->lock);
    link->awake = false;
    begin_write(link);
    bool blocked = link->blocked;
    bool any = link->first != NULL;
    (void)pthread_mutex_unlock(&link->lock);
    struct pollfd waits[2] = {
        {.fd = link->wake_fd, .events = POLLIN},
        {.fd = link->fd, .events = (short)(blocked ? POLLIN | POLLOUT : POLLIN)},
    };
    int count = poll(waits, 2, any ? TICK_MS : IDLE_TICK_MS);
    (void)pthread_mutex_lock(&link->lock);
    link->awake = true;
    if (count > 0 && (waits[1].revents & POLLOUT) != 0) {
        link->blocked = false;
        begin_write(link);
    }
    (void)pthread_mutex_unlock(&link->lock);
    if (count < 0)
        return;
    if ((waits[1].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
        enum ct_status status = message_reader_fill(reader, link->fd);
        if (status == CT_OK)
            status = take_frames(link, reader);
        if (status != CT_OK) {
            ct_log(CT_LOG_WARNING, status == CT_NOT_FOUND ? "the keeper has gone"
                                                          : "the link to the keeper is given up");
            disconnect(link, reader);
        }
    }
}

static void *run(void *argument)
{
    struct front_link *link = argument;
    struct message_reader reader;
    int64_t next_tick = 0;
    message_reader_init(&reader);
    while (take_orders(link, &reader)) {
        wait_and_serve(link, &reader);
        /* After what had come was read: an answer that is here is not late. */
        int64_t now = ct_mono_ms();
        if (now >= next_tick) {
            expire(link);
            next_tick = now + TICK_MS;
        }
    }
    message_reader_free(&reader);
    return NULL;
}

/* ---- start and stop -------------------------------------------------------------------- */

enum ct_status front_link_start(unsigned pending_max, struct link_limits limits,
                                struct front_link **ret)
{
    struct front_link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return CT_NO_MEMORY;
    size_t count = 64;
    while (count < 2 * (size_t)pending_max)
        count *= 2;
    link->limits = limits;
    link->fd = -1;
    link->next_fd = -1;
    link->bucket_mask = count - 1;
    link->buckets = calloc(count, sizeof(struct link_entry *));
    link->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ct_buf_init(&link->out, OUT_MAX);
    ct_buf_init(&link->flight, OUT_MAX);
    enum ct_status status = link->buckets == NULL ? CT_NO_MEMORY : CT_IO;
    if (link->buckets == NULL || link->wake_fd < 0)
        goto fail;
    (void)pthread_mutex_init(&link->lock, NULL);
    (void)pthread_cond_init(&link->idle, NULL);
    if (pthread_create(&link->thread, NULL, run, link) != 0) {
        (void)pthread_cond_destroy(&link->idle);
        (void)pthread_mutex_destroy(&link->lock);
        goto fail;
    }
    *ret = link;
    return CT_OK;
fail:
    if (link->wake_fd >= 0)
        (void)close(link->wake_fd);
    free(link->buckets);
    free(link);
    return status;
}

void front_link_connect(struct front_link *link, int fd_take,
                        const uint8_t boot[MESSAGE_BOOT_BYTES])
{
    (void)pthread_mutex_lock(&link->lock);
    int unused = link->next_fd;
    link->next_fd = fd_take;
    memcpy(link->next_boot, boot, sizeof link->next_boot);
    (void)pthread_mutex_unlock(&link->lock);
    if (unused >= 0)
        (void)close(unused);
    wake(link);
}

void front_link_count(struct front_link *link, struct link_counts *ret)
{
    (void)pthread_mutex_lock(&link->lock);
    *ret = (struct link_counts){
        .dropped = link->dropped, .pending = link->pending, .up = link->fd >= 0};
    (void)pthread_mutex_unlock(&link->lock);
}

void front_link_stop(struct front_link *link)
{
    (void)pthread_mutex_lock(&link->lock);
    link->stopping = true;
    (void)pthread_mutex_unlock(&link->lock);
    wake(link);
    (void)pthread_join(link->thread, NULL);
}

void front_link_free(struct front_link *link)
{
    if (link == NULL)
        return;
    ct_buf_free(&link->out);
    ct_buf_free(&link->flight);
    (void)close(link->wake_fd);
    free(link->buckets);
    (void)pthread_cond_destroy(&link->idle);
    (void)pthread_mutex_destroy(&link->lock);
    free(link);
}
