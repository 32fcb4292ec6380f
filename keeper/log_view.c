// SPDX-License-Identifier: Apache-2.0
#include "keeper/log_view.h"

#include "keeper/internal.h"

#include <string.h>

/* A new checkpoint comes once a minute; one that is ten seconds old is as true. */
#define CHECKPOINT_OPEN "public, max-age=10"
#define CHECKPOINT_CLOSED "private, max-age=10"
#define TILE_OPEN "public, max-age=31536000, immutable"
#define TILE_CLOSED "private, max-age=31536000, immutable"

bool log_view_has(enum api_operation operation)
{
    return operation == API_OP_GET_CHECKPOINT || operation == API_OP_GET_LOG_TILE;
}

bool log_view_is_open(const struct keeper *keeper, enum api_operation operation)
{
    return log_view_has(operation) && keeper->log_public;
}

/* ---- what is asked for -------------------------------------------------------------------------
 */

/* The published checkpoint; false if there is none. */
static bool copy_checkpoint(struct keeper *keeper, char ret_note[CHAIN_NOTE_ROOM])
{
    struct keeper_view *view = &keeper->view;
    (void)pthread_mutex_lock(&view->mutex);
    bool is_there = view->published.size > 0;
    memcpy(ret_note, view->published.note, CHAIN_NOTE_ROOM);
    (void)pthread_mutex_unlock(&view->mutex);
    return is_there;
}

/* The request as a job, if the published tree has the tile. */
static enum api_error find_tile(struct keeper *keeper, const struct ticket *ticket,
                                struct tile_job *ret)
{
    struct keeper_view *view = &keeper->view;
    char path[ACCESSLOG_TILE_PATH_MAX];
    size_t width = 0;
    int length = snprintf(path, sizeof path, "tile/%s", ticket->message.path[0]);
    *ret = (struct tile_job){.id = ticket->message.id, .deadline_ms = ticket->message.deadline_ms};
    memcpy(ret->boot, ticket->message.boot, sizeof ret->boot);
    if ((size_t)length >= sizeof path ||
        accesslog_tile_path_parse(path, (size_t)length, &ret->key.level, &ret->key.index, &width) !=
            ACCESSLOG_OK)
        return API_ERROR_NOT_FOUND;
    ret->key.width = (unsigned)width;
    /* Hashes do not shrink. */
    ret->key.gzip = ret->key.level == ACCESSLOG_TILE_ENTRIES &&
                    (ticket->message.accepts & MESSAGE_ACCEPTS_GZIP) != 0;
    (void)pthread_mutex_lock(&view->mutex);
    bool has = published_has_tile(&view->published, ret->key.level, ret->key.index, width);
    bool any = view->published.size > 0;
    (void)pthread_mutex_unlock(&view->mutex);
    return has ? API_ERROR_NONE : any ? API_ERROR_NOT_FOUND : API_ERROR_NOT_PUBLISHED;
}

/* ---- answers ------------------------------------------------------------------------------------
 */

static void answer_checkpoint(const struct keeper *keeper, const struct ticket *ticket,
                              const char *note, const char *entry, struct ct_buf *out)
{
    struct message_pair headers[] = {
        {"Content-Type", api_routes[API_OP_GET_CHECKPOINT].media_type},
        {"Cache-Control", keeper->log_public ? CHECKPOINT_OPEN : CHECKPOINT_CLOSED},
        {"Access-Log-Entry", entry},
    };
    answer_bytes(out, ticket, headers, entry == NULL ? 2 : 3, note, strlen(note));
}

/* All that an answer needs of a ticket that is gone. */
static struct ticket ticket_of(const struct tile_job *job)
{
    struct ticket ticket = {.message = {.id = job->id}};
    ticket.request.operation = API_OP_GET_LOG_TILE;
    memcpy(ticket.message.boot, job->boot, sizeof job->boot);
    return ticket;
}

void log_view_answer_tile(struct keeper *keeper, const struct tile_job *job, const void *bytes,
                          size_t length, struct ct_buf *out)
{
    struct ticket ticket = ticket_of(job);
    struct message_pair headers[MESSAGE_HEADERS_MAX] = {
        {"Content-Type", api_routes[API_OP_GET_LOG_TILE].media_type},
        {"Cache-Control", keeper->log_public ? TILE_OPEN : TILE_CLOSED},
    };
    char entry[24];
    unsigned count = 2;
    if (job->key.level == ACCESSLOG_TILE_ENTRIES)
        headers[count++] = (struct message_pair){"Vary", "Accept-Encoding"};
    if (job->key.gzip)
        headers[count++] = (struct message_pair){"Content-Encoding", "gzip"};
    if (job->has_entry) {
        (void)snprintf(entry, sizeof entry, "%llu", (unsigned long long)job->entry);
        headers[count++] = (struct message_pair){"Access-Log-Entry", entry};
    }
    answer_bytes(out, &ticket, headers, count, bytes, length);
}

void log_view_refuse_tile(struct keeper *keeper, const struct tile_job *job, enum api_error error,
                          struct ct_buf *out)
{
    struct ticket ticket = ticket_of(job);
    atomic_fetch_add(&keeper->stats.errors[error], 1);
    answer_error(out, &ticket, error, NULL);
}

/* ---- the open view ------------------------------------------------------------------------------
 */

void log_view_take(struct keeper *keeper, struct ticket *ticket_take)
{
    char note[CHAIN_NOTE_ROOM];
    struct tile_job job;
    struct ct_buf out;
    enum api_error error;
    ticket_take->next = NULL;
    if (ticket_take->request.operation == API_OP_GET_CHECKPOINT) {
        error = copy_checkpoint(keeper, note) ? API_ERROR_NONE : API_ERROR_NOT_PUBLISHED;
        if (error == API_ERROR_NONE) {
            ct_buf_init(&out, 1u << 16);
            answer_checkpoint(keeper, ticket_take, note, NULL, &out);
            link_send(keeper, ticket_take->message.boot, &out);
            ct_buf_free(&out);
        }
    } else {
        error = find_tile(keeper, ticket_take, &job);
        if (error == API_ERROR_NONE && !tiles_put(keeper, &job))
            error = API_ERROR_OVERLOADED;
    }
    if (error == API_ERROR_NONE)
        ticket_free(ticket_take);
    else
        answer_list(keeper, ticket_take, error);
}

/* ---- the closed view ----------------------------------------------------------------------------
 */

void log_view_decide(struct keeper *keeper, struct ticket *ticket)
{
    char note[CHAIN_NOTE_ROOM];
    struct tile_job job;
    enum api_error error = API_ERROR_NONE;
    if (ticket->request.operation == API_OP_GET_LOG_TILE)
        error = find_tile(keeper, ticket, &job);
    else if (!copy_checkpoint(keeper, note))
        error = API_ERROR_NOT_PUBLISHED;
    if (error != API_ERROR_NONE)
        api_refuse(&ticket->request, error, NULL, api_errors[error].title);
}

void log_view_finish(struct keeper *keeper, const struct ticket *ticket, uint64_t index,
                     const char *entry, struct ct_buf *out)
{
    char note[CHAIN_NOTE_ROOM];
    struct tile_job job;
    enum api_error error = API_ERROR_NONE;
    if (ticket->request.operation == API_OP_GET_CHECKPOINT) {
        (void)copy_checkpoint(keeper, note);
        answer_checkpoint(keeper, ticket, note, entry, out);
        return;
    }
    /* Decided before, but a partial tile may have become full since. */
    error = find_tile(keeper, ticket, &job);
    job.deadline_ms = INT64_MAX; /* it was taken in time */
    job.has_entry = entry != NULL;
    job.entry = index;
    if (error == API_ERROR_NONE && !tiles_put(keeper, &job))
        error = API_ERROR_OVERLOADED;
    if (error != API_ERROR_NONE)
        log_view_refuse_tile(keeper, &job, error, out);
}
