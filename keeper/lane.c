// SPDX-License-Identifier: Apache-2.0
#include "keeper/internal.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RETRIES_MAX 5
#define RECONNECT_MS                                                                               \
    250 /* after a failure to connect, for so long requests are refused at once                    \
         */
#define OUT_BYTES_MAX (256u << 20)

enum ct_status lane_connect(struct lane *lane, int64_t deadline_ms)
{
    struct ct_error err = {0};
    char label[64];
    struct store_options options = {
        .connection = lane->keeper->database,
        .label = label,
        .statement_timeout_ms =
            lane->kind == LANE_BULK ? LIMIT_BULK_STATEMENT_MS : LIMIT_STATEMENT_MS,
        .statements = api_statements,
        .statement_count = API_SQL_COUNT,
    };
    if (lane->store != NULL && store_alive(lane->store))
        return CT_OK;
    lane_disconnect(lane);
    if (ct_mono_ms() < lane->no_connect_before_ms)
        return CT_DB_LOST;
    (void)snprintf(label, sizeof label, "casetrace lane %u", lane->number);
    enum ct_status status = store_open(&options, deadline_ms, &lane->store, &err);
    if (status != CT_OK) {
        ct_log(CT_LOG_WARNING, "lane %u: %s", lane->number, err.text);
        lane->no_connect_before_ms = ct_mono_ms() + RECONNECT_MS;
    }
    return status;
}

void lane_disconnect(struct lane *lane)
{
    store_close(lane->store);
    lane->store = NULL;
}

void lane_note_used(struct lane *lane, struct ticket *const *tickets, size_t count)
{
    struct keeper_view *view = &lane->keeper->view;
    int64_t day = ct_now_ms() / 86400000;
    if (day != lane->noted_day)
        memset(lane->noted, 0, sizeof lane->noted);
    lane->noted_day = day;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *credential = tickets[i]->request.identity.credential;
        uint8_t *place = lane->noted[credential[0]];
        if (memcmp(place, credential, CT_UUID_BYTES) == 0)
            continue;
        memcpy(place, credential, CT_UUID_BYTES);
        (void)pthread_mutex_lock(&view->mutex);
        if (view->used_count < KEEPER_USED_MAX)
            memcpy(view->used[view->used_count++], credential, CT_UUID_BYTES);
        (void)pthread_mutex_unlock(&view->mutex);
    }
}

/* ---- one batch, whole or in parts ---------------------------------------------------------- */

static void answer_each(struct lane *lane, struct ticket **tickets, size_t count,
                        enum api_error error)
{
    for (size_t i = 0; i < count; i++) {
        atomic_fetch_add(&lane->keeper->stats.errors[error], 1);
        answer_error(&lane->out, tickets[i], error, NULL);
    }
}

static void wait_jitter(unsigned attempt)
{
    struct timespec pause = {.tv_nsec = (long)randombytes_uniform(2000000u << attempt)};
    (void)nanosleep(&pause, NULL);
}

static enum batch_result try_batch(struct lane *lane, struct ticket **tickets, size_t count,
                                   bool poisoned)
{
    enum batch_result result = BATCH_AGAIN;
    for (unsigned attempt = 0;
         attempt < RETRIES_MAX && (result == BATCH_RETRY || result == BATCH_AGAIN); attempt++) {
        if (result == BATCH_RETRY)
            atomic_fetch_add(&lane->keeper->stats.retries, 1);
        if (attempt > 0)
            wait_jitter(attempt);
        enum ct_status status = lane_connect(lane, ct_mono_ms() + LIMIT_CONNECT_MS);
        if (status == CT_STALE)
            return BATCH_STALE;
        if (status != CT_OK)
            return BATCH_DATABASE;
        result = batch_run(lane, tickets, count, poisoned);
        if (lane->store != NULL && !store_alive(lane->store))
            lane_disconnect(lane);
    }
    return result;
}

static void end_superseded(struct lane *lane, struct ticket **tickets, size_t count)
{
    answer_each(lane, tickets, count, API_ERROR_STANDBY);
    keeper_end(lane->keeper, "the log's head is not as this keeper left it: another one writes");
}

/* A batch that fails for no declared reason is halved, so that a poisoned request fails alone. */
static void run_split(struct lane *lane, struct ticket **tickets, size_t count, bool poisoned)
{
    if (ct_mono_ms() > lane->split_until_ms) {
        answer_each(lane, tickets, count, API_ERROR_NOT_ATTEMPTED);
        return;
    }
    enum batch_result result = try_batch(lane, tickets, count, poisoned);
    switch (result) {
    case BATCH_DONE:
        break;
    case BATCH_BUSY:
    case BATCH_RETRY:
    case BATCH_AGAIN:
    case BATCH_FAILED:
        if (count > 1) {
            atomic_fetch_add(&lane->keeper->stats.halvings, 1);
            run_split(lane, tickets, count / 2, false);
            run_split(lane, tickets + count / 2, count - count / 2, false);
        } else if (result != BATCH_FAILED) {
            answer_each(lane, tickets, count, API_ERROR_OVERLOADED);
        } else if (!poisoned) {
            scheduler_suspect(&lane->keeper->scheduler, tickets[0]->credential);
            run_split(lane, tickets, count, true);
        } else {
            atomic_fetch_add(&lane->keeper->stats.log_failures, 1);
            answer_each(lane, tickets, count, API_ERROR_LOG_UNAVAILABLE);
        }
        break;
    case BATCH_DATABASE:
        answer_each(lane, tickets, count, API_ERROR_DATABASE_UNAVAILABLE);
        break;
    case BATCH_STALE:
        lane_disconnect(lane);
        worker_wake(lane->keeper);
        answer_each(lane, tickets, count, API_ERROR_SCHEMA_STALE);
        break;
    case BATCH_SUPERSEDED:
        end_superseded(lane, tickets, count);
        break;
    case BATCH_UNKNOWN:
        answer_each(lane, tickets, count, API_ERROR_OUTCOME_UNKNOWN);
        break;
    case BATCH_UNRELEASED:
        /* Committed, and no answer may leave without its anchor: the client asks again. */
        atomic_fetch_add(&lane->keeper->stats.log_failures, 1);
        answer_each(lane, tickets, count, API_ERROR_OUTCOME_UNKNOWN);
        keeper_end(lane->keeper, "a checkpoint could not be put on disk before its answers");
        break;
    }
}

/* ---- the loop ---------------------------------------------------------------------------------
 */

/* The newest ticket's link is the one that there is; older tickets may be of a former one. */
static void say_taken(struct lane *lane, struct ticket **tickets, size_t count)
{
    uint64_t ids[ACCESSLOG_BATCH_MAX];
    const uint8_t *boot = tickets[count - 1]->message.boot;
    struct ct_buf frame;
    size_t taken = 0;
    ct_buf_init(&frame, 64u << 10);
    for (size_t i = 0; i < count; i++) {
        if (memcmp(tickets[i]->message.boot, boot, MESSAGE_BOOT_BYTES) == 0)
            ids[taken++] = tickets[i]->message.id;
    }
    if (message_taken_encode(&frame, boot, ids, taken) == CT_OK)
        link_send(lane->keeper, boot, &frame);
    ct_buf_free(&frame);
}

static void answer_expired(struct lane *lane, struct ticket *expired)
{
    while (expired != NULL) {
        struct ticket *ticket = expired;
        expired = ticket->next;
        ticket->next = NULL;
        answer_list(lane->keeper, ticket, API_ERROR_NOT_ATTEMPTED);
    }
}

/* Tickets of a former link are as good as any other: what they ask is done, the answer dropped. */
static void send_out(struct lane *lane, struct ticket **tickets, size_t count)
{
    link_send(lane->keeper, tickets[count - 1]->message.boot, &lane->out);
    /* Purchasers and keys were in it. */
    if (lane->out.data != NULL)
        sodium_memzero(lane->out.data, lane->out.length);
    ct_buf_reset(&lane->out);
    if (lane->out.capacity > (4u << 20))
        ct_buf_free(&lane->out);
}

void *lane_main(void *argument)
{
    struct lane *lane = argument;
    struct keeper *keeper = lane->keeper;
    struct scheduler_limits limits = keeper->limits;
    struct ticket **tickets = calloc(limits.count, sizeof(struct ticket *));
    ct_buf_init(&lane->out, OUT_BYTES_MAX);
    ct_buf_init(&lane->body, MESSAGE_FRAME_MAX);
    while (tickets != NULL && !atomic_load(&keeper->stopping)) {
        struct ticket *expired = NULL;
        size_t count = scheduler_take(&keeper->scheduler, lane->kind, limits, tickets, &expired);
        answer_expired(lane, expired);
        if (count == 0)
            continue;
        say_taken(lane, tickets, count);
        atomic_fetch_add(&keeper->stats.batches, 1);
        lane->split_until_ms = ct_mono_ms() + LIMIT_SPLIT_MS;
        run_split(lane, tickets, count, false);
        scheduler_done(&keeper->scheduler, tickets, count);
        send_out(lane, tickets, count);
        for (size_t i = 0; i < count; i++)
            ticket_free(tickets[i]);
    }
    free(tickets);
    lane_disconnect(lane);
    api_examinations_free(&lane->context.examinations);
    api_trace_scratch_free(lane->context.own);
    ct_buf_free(&lane->out);
    ct_buf_free(&lane->body);
    return NULL;
}
