// SPDX-License-Identifier: Apache-2.0
#include "keeper/ticket.h"

#include "keeper/limits.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SUSPECT_MS (10 * 60 * 1000)
#define WAITING_BYTES_MAX (64u << 20)
/* While another lane works, a lane waits so long, or for so many requests, before it begins a
 * batch. With 64 connections batches become 27 large, which costs the processor a tenth less per
 * request than 18 does. */
#define GATHER_COUNT 24
#define GATHER_MS 3
/* Heavy readings and long registrations wait here; more are turned away at once. */
#define BULK_WAITING_MAX 256
/* While there is interactive work, the bulk lane rests so many times as long as its last batch
 * took, and never longer than this: two processors serve all lanes, and exact readings come first.
 */
#define BULK_REST_FACTOR 3
#define BULK_REST_MS 250
#define WAKE_MS 50 /* how often a lane looks whether something that waits for a key has expired */

enum ct_status scheduler_init(struct scheduler *scheduler, unsigned max_waiting)
{
    *scheduler = (struct scheduler){.max_waiting = max_waiting};
    scheduler->running_room = (size_t)TICKET_KEYS_MAX * 1024;
    scheduler->running = calloc(scheduler->running_room, sizeof *scheduler->running);
    if (scheduler->running == NULL)
        return CT_NO_MEMORY;
    pthread_condattr_t monotonic;
    (void)pthread_mutex_init(&scheduler->mutex, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    for (unsigned i = 0; i < LANE_KINDS; i++) {
        (void)pthread_cond_init(&scheduler->work[i], &monotonic);
        scheduler->last[i] = &scheduler->first[i];
    }
    (void)pthread_condattr_destroy(&monotonic);
    return CT_OK;
}

void scheduler_free(struct scheduler *scheduler)
{
    if (scheduler->running == NULL)
        return;
    struct ticket *waiting = scheduler_stop(scheduler);
    while (waiting != NULL) {
        struct ticket *ticket = waiting;
        waiting = ticket->next;
        ticket_free(ticket);
    }
    for (unsigned i = 0; i < LANE_KINDS; i++)
        (void)pthread_cond_destroy(&scheduler->work[i]);
    (void)pthread_mutex_destroy(&scheduler->mutex);
    free(scheduler->running);
    scheduler->running = NULL;
}

static unsigned waiting_max(const struct scheduler *scheduler, enum lane_kind lane)
{
    if (lane == LANE_BULK && scheduler->max_waiting > BULK_WAITING_MAX)
        return BULK_WAITING_MAX;
    return scheduler->max_waiting;
}

struct ticket *scheduler_put(struct scheduler *scheduler, struct ticket *list)
{
    struct ticket *refused = NULL;
    unsigned added[LANE_KINDS] = {0};
    (void)pthread_mutex_lock(&scheduler->mutex);
    while (list != NULL) {
        struct ticket *ticket = list;
        list = ticket->next;
        enum lane_kind lane = ticket->lane;
        if (scheduler->waiting[lane] >= waiting_max(scheduler, lane) || scheduler->stopping ||
            scheduler->waiting_bytes + ticket->frame_length > WAITING_BYTES_MAX) {
            ticket->next = refused;
            refused = ticket;
            continue;
        }
        ticket->next = NULL;
        *scheduler->last[lane] = ticket;
        scheduler->last[lane] = &ticket->next;
        scheduler->waiting[lane]++;
        scheduler->waiting_bytes += ticket->frame_length;
        added[lane]++;
    }
    for (unsigned i = 0; i < LANE_KINDS; i++) {
        if (added[i] > 0)
            (void)pthread_cond_signal(&scheduler->work[i]);
    }
    (void)pthread_mutex_unlock(&scheduler->mutex);
    return refused;
}

/* ---- gathering a batch; the mutex is held ------------------------------------------------ */

static bool is_suspect(struct scheduler *scheduler, uint64_t credential, int64_t now_ms)
{
    if (credential == 0)
        return false;
    for (size_t i = 0; i < CT_ARRAY_LENGTH(scheduler->suspects); i++) {
        if (scheduler->suspects[i].credential == credential &&
            scheduler->suspects[i].until_ms > now_ms)
            return true;
    }
    return false;
}

static bool is_taken(const struct scheduler *scheduler, uint64_t key, const uint64_t *passed,
                     size_t passed_count)
{
    for (size_t i = 0; i < scheduler->running_count; i++) {
        if (scheduler->running[i] == key)
            return true;
    }
    for (size_t i = 0; i < passed_count; i++) {
        if (passed[i] == key)
            return true;
    }
    return false;
}

static bool keys_free(const struct scheduler *scheduler, const struct ticket *ticket,
                      const uint64_t *passed, size_t passed_count)
{
    for (unsigned i = 0; i < ticket->key_count; i++) {
        if (is_taken(scheduler, ticket->keys[i], passed, passed_count))
            return false;
    }
    return true;
}

static bool keys_claim(struct scheduler *scheduler, const struct ticket *ticket)
{
    if (scheduler->running_count + ticket->key_count > scheduler->running_room)
        return false;
    for (unsigned i = 0; i < ticket->key_count; i++)
        scheduler->running[scheduler->running_count++] = ticket->keys[i];
    return true;
}

static bool has_expired(const struct ticket *ticket, int64_t now_ms)
{
    return ticket->message.deadline_ms < now_ms || ticket->arrived_ms + LIMIT_QUEUE_MS < now_ms;
}

static void unlink_ticket(struct scheduler *scheduler, enum lane_kind lane, struct ticket **at)
{
    struct ticket *ticket = *at;
    *at = ticket->next;
    if (scheduler->last[lane] == &ticket->next)
        scheduler->last[lane] = at;
    scheduler->waiting[lane]--;
    scheduler->waiting_bytes -= ticket->frame_length;
}

#define PASSED_MAX 1024 /* keys of requests that wait for a key; beyond that the gathering ends */

static size_t gather(struct scheduler *scheduler, enum lane_kind lane,
                     struct scheduler_limits limits, struct ticket **ret_batch,
                     struct ticket **ret_expired)
{
    int64_t now_ms = ct_mono_ms();
    uint64_t passed[PASSED_MAX];
    size_t passed_count = 0;
    size_t count = 0;
    unsigned weight = 0;
    struct ticket **at = &scheduler->first[lane];
    while (*at != NULL && count < limits.count) {
        struct ticket *ticket = *at;
        if (has_expired(ticket, now_ms)) {
            unlink_ticket(scheduler, lane, at);
            if (ticket->repeats) {
                ticket->in_flight = true;
                ticket->key_count = 0;
                ret_batch[count++] = ticket;
                continue;
            }
            ticket->next = *ret_expired;
            *ret_expired = ticket;
            continue;
        }
        bool alone = ticket->solo || is_suspect(scheduler, ticket->credential, now_ms);
        if (count > 0 && (alone || weight + ticket->weight > limits.weight))
            break;
        if (!keys_free(scheduler, ticket, passed, passed_count)) {
            if (passed_count + ticket->key_count > PASSED_MAX)
                break;
            memcpy(passed + passed_count, ticket->keys, ticket->key_count * sizeof passed[0]);
            passed_count += ticket->key_count;
            ticket->repeats =
                ticket->message.idempotency_key != NULL &&
                is_taken(scheduler, ticket->keys[0], passed, passed_count - ticket->key_count);
            at = &ticket->next;
            continue;
        }
        if (!keys_claim(scheduler, ticket))
            break;
        unlink_ticket(scheduler, lane, at);
        ret_batch[count++] = ticket;
        weight += ticket->weight;
        if (alone)
            break;
    }
    return count;
}

static void wait_until(struct scheduler *scheduler, enum lane_kind lane, long nanoseconds)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += nanoseconds;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    (void)pthread_cond_timedwait(&scheduler->work[lane], &scheduler->mutex, &until);
}

static bool is_worth_waiting(const struct scheduler *scheduler, enum lane_kind lane)
{
    return scheduler->running_lanes[lane] > 0 && scheduler->first[lane] != NULL &&
           scheduler->waiting[lane] < GATHER_COUNT &&
           ct_mono_ms() - scheduler->first[lane]->arrived_ms < GATHER_MS;
}

static void begin_batch(struct scheduler *scheduler, enum lane_kind lane)
{
    scheduler->running_lanes[lane]++;
    scheduler->taken[lane]++;
    if (lane == LANE_BULK) {
        scheduler->bulk_since_ms = ct_mono_ms();
        scheduler->interactive_before = scheduler->taken[LANE_INTERACTIVE];
    }
}

static void end_bulk_batch(struct scheduler *scheduler)
{
    int64_t now_ms = ct_mono_ms();
    int64_t rest_ms = BULK_REST_FACTOR * (now_ms - scheduler->bulk_since_ms);
    if (scheduler->taken[LANE_INTERACTIVE] == scheduler->interactive_before)
        return;
    scheduler->bulk_rests_until_ms = now_ms + (rest_ms < BULK_REST_MS ? rest_ms : BULK_REST_MS);
}

size_t scheduler_take(struct scheduler *scheduler, enum lane_kind lane,
                      struct scheduler_limits limits, struct ticket **ret_batch,
                      struct ticket **ret_expired)
{
    size_t count = 0;
    *ret_expired = NULL;
    (void)pthread_mutex_lock(&scheduler->mutex);
    while (!scheduler->stopping) {
        int64_t rest_ms = lane == LANE_BULK ? scheduler->bulk_rests_until_ms - ct_mono_ms() : 0;
        if (rest_ms > 0) {
            wait_until(scheduler, lane, (long)rest_ms * 1000000L);
            continue;
        }
        if (is_worth_waiting(scheduler, lane)) {
            wait_until(scheduler, lane, GATHER_MS * 1000000L / 6);
            continue;
        }
        count = gather(scheduler, lane, limits, ret_batch, ret_expired);
        if (count > 0 || *ret_expired != NULL)
            break;
        if (scheduler->first[lane] == NULL) {
            (void)pthread_cond_wait(&scheduler->work[lane], &scheduler->mutex);
        } else {
            wait_until(scheduler, lane, WAKE_MS * 1000000L);
        }
    }
    if (count > 0)
        begin_batch(scheduler, lane);
    if (count > 0 && scheduler->first[lane] != NULL)
        (void)pthread_cond_signal(&scheduler->work[lane]);
    (void)pthread_mutex_unlock(&scheduler->mutex);
    return count;
}

void scheduler_done(struct scheduler *scheduler, struct ticket *const *batch, size_t count)
{
    bool freed = false;
    (void)pthread_mutex_lock(&scheduler->mutex);
    for (size_t i = 0; i < count; i++) {
        for (unsigned k = 0; k < batch[i]->key_count; k++) {
            for (size_t r = 0; r < scheduler->running_count; r++) {
                if (scheduler->running[r] == batch[i]->keys[k]) {
                    scheduler->running[r] = scheduler->running[--scheduler->running_count];
                    freed = true;
                    break;
                }
            }
        }
    }
    enum lane_kind lane = batch[0]->lane;
    if (lane == LANE_BULK)
        end_bulk_batch(scheduler);
    if (--scheduler->running_lanes[lane] == 0)
        (void)pthread_cond_signal(&scheduler->work[lane]);
    for (unsigned i = 0; freed && i < LANE_KINDS; i++)
        (void)pthread_cond_broadcast(&scheduler->work[i]);
    (void)pthread_mutex_unlock(&scheduler->mutex);
}

void scheduler_suspect(struct scheduler *scheduler, uint64_t credential)
{
    (void)pthread_mutex_lock(&scheduler->mutex);
    size_t oldest = 0;
    for (size_t i = 0; i < CT_ARRAY_LENGTH(scheduler->suspects); i++) {
        if (scheduler->suspects[i].credential == credential) {
            oldest = i;
            break;
        }
        if (scheduler->suspects[i].until_ms < scheduler->suspects[oldest].until_ms)
            oldest = i;
    }
    scheduler->suspects[oldest].credential = credential;
    scheduler->suspects[oldest].until_ms = ct_mono_ms() + SUSPECT_MS;
    (void)pthread_mutex_unlock(&scheduler->mutex);
}

unsigned scheduler_waiting(struct scheduler *scheduler)
{
    (void)pthread_mutex_lock(&scheduler->mutex);
    unsigned waiting = 0;
    for (unsigned i = 0; i < LANE_KINDS; i++)
        waiting += scheduler->waiting[i];
    (void)pthread_mutex_unlock(&scheduler->mutex);
    return waiting;
}

struct ticket *scheduler_stop(struct scheduler *scheduler)
{
    struct ticket *waiting = NULL;
    struct ticket **end = &waiting;
    (void)pthread_mutex_lock(&scheduler->mutex);
    scheduler->stopping = true;
    for (unsigned i = 0; i < LANE_KINDS; i++) {
        *end = scheduler->first[i];
        if (scheduler->first[i] != NULL)
            end = scheduler->last[i];
        scheduler->first[i] = NULL;
        scheduler->last[i] = &scheduler->first[i];
        scheduler->waiting[i] = 0;
        (void)pthread_cond_broadcast(&scheduler->work[i]);
    }
    *end = NULL;
    scheduler->waiting_bytes = 0;
    (void)pthread_mutex_unlock(&scheduler->mutex);
    return waiting;
}
