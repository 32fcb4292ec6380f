// SPDX-License-Identifier: Apache-2.0
#include "keeper/limits.h"
#include "keeper/ticket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* The queue alone: tickets are made by hand and never freed by their content. */
static struct ticket *make(uint64_t key, unsigned weight)
{
    struct ticket *ticket = calloc(1, sizeof *ticket);
    assert_non_null(ticket);
    ticket->arrived_ms = ct_mono_ms();
    ticket->message.deadline_ms = ticket->arrived_ms + LIMIT_QUEUE_MS;
    ticket->weight = weight;
    if (key != 0)
        ticket->keys[ticket->key_count++] = key;
    return ticket;
}

static void put(struct scheduler *scheduler, struct ticket *ticket)
{
    assert_null(scheduler_put(scheduler, ticket));
}

static size_t take(struct scheduler *scheduler, struct ticket **batch)
{
    struct scheduler_limits limits = {.count = 4, .weight = 10};
    struct ticket *expired = NULL;
    size_t count = scheduler_take(scheduler, LANE_INTERACTIVE, limits, batch, &expired);
    assert_null(expired);
    return count;
}

static void drop(struct scheduler *scheduler, struct ticket **batch, size_t count)
{
    scheduler_done(scheduler, batch, count);
    for (size_t i = 0; i < count; i++)
        free(batch[i]);
}

static void test_count_and_weight(void **state)
{
    (void)state;
    struct scheduler scheduler;
    struct ticket *batch[4];
    assert_int_equal(scheduler_init(&scheduler, 100), CT_OK);
    for (int i = 0; i < 6; i++)
        put(&scheduler, make(0, 1));
    assert_int_equal(take(&scheduler, batch), 4);
    drop(&scheduler, batch, 4);
    assert_int_equal(take(&scheduler, batch), 2);
    drop(&scheduler, batch, 2);
    put(&scheduler, make(0, 6));
    put(&scheduler, make(0, 6));
    assert_int_equal(take(&scheduler, batch), 1);
    drop(&scheduler, batch, 1);
    assert_int_equal(take(&scheduler, batch), 1);
    drop(&scheduler, batch, 1);
    put(&scheduler, make(0, 5000)); /* heavier than any batch: alone */
    assert_int_equal(take(&scheduler, batch), 1);
    drop(&scheduler, batch, 1);
    scheduler_free(&scheduler);
}

static void test_exclusive_keys(void **state)
{
    (void)state;
    struct scheduler scheduler;
    struct ticket *first[4];
    struct ticket *second[4];
    struct ticket *third[4];
    assert_int_equal(scheduler_init(&scheduler, 100), CT_OK);
    struct ticket *a = make(7, 1);
    struct ticket *b = make(7, 1);
    struct ticket *c = make(8, 1);
    put(&scheduler, a);
    put(&scheduler, b);
    put(&scheduler, c);
    assert_int_equal(take(&scheduler, first), 2); /* b shares a's key */
    assert_ptr_equal(first[0], a);
    assert_ptr_equal(first[1], c);
    put(&scheduler, make(0, 1));
    assert_int_equal(take(&scheduler, second), 1); /* b still waits: a's batch runs */
    drop(&scheduler, second, 1);
    drop(&scheduler, first, 2);
    assert_int_equal(take(&scheduler, third), 1);
    assert_ptr_equal(third[0], b);
    assert_false(b->repeats); /* what it waited for is no Idempotency-Key */
    drop(&scheduler, third, 1);
    scheduler_free(&scheduler);
}

/* Nothing overtakes a request with the same key that is itself held back. */
static void test_no_overtaking(void **state)
{
    (void)state;
    struct scheduler scheduler;
    struct ticket *running[4];
    struct ticket *batch[4];
    assert_int_equal(scheduler_init(&scheduler, 100), CT_OK);
    put(&scheduler, make(7, 1));
    assert_int_equal(take(&scheduler, running), 1);
    struct ticket *held = make(7, 1);
    held->keys[held->key_count++] = 9;
    struct ticket *later = make(9, 1);
    put(&scheduler, held);
    put(&scheduler, later);
    put(&scheduler, make(0, 1));
    assert_int_equal(take(&scheduler, batch), 1);
    assert_int_equal(batch[0]->key_count, 0);
    drop(&scheduler, batch, 1);
    drop(&scheduler, running, 1);
    assert_int_equal(take(&scheduler, batch), 1);
    assert_ptr_equal(batch[0], held);
    drop(&scheduler, batch, 1);
    assert_int_equal(take(&scheduler, batch), 1);
    assert_ptr_equal(batch[0], later);
    drop(&scheduler, batch, 1);
    scheduler_free(&scheduler);
}

static void test_alone(void **state)
{
    (void)state;
    struct scheduler scheduler;
    struct ticket *batch[4];
    assert_int_equal(scheduler_init(&scheduler, 100), CT_OK);
    struct ticket *suspect = make(0, 1);
    suspect->credential = 5;
    scheduler_suspect(&scheduler, 5);
    put(&scheduler, make(0, 1));
    put(&scheduler, suspect);
    put(&scheduler, make(0, 1));
    assert_int_equal(take(&scheduler, batch), 1);
    drop(&scheduler, batch, 1);
    assert_int_equal(take(&scheduler, batch), 1);
    assert_ptr_equal(batch[0], suspect);
    drop(&scheduler, batch, 1);
    assert_int_equal(take(&scheduler, batch), 1);
    drop(&scheduler, batch, 1);
    scheduler_free(&scheduler);
}

static void test_bounds(void **state)
{
    (void)state;
    struct scheduler scheduler;
    struct scheduler_limits limits = {.count = 4, .weight = 10};
    struct ticket *batch[4];
    struct ticket *expired = NULL;
    assert_int_equal(scheduler_init(&scheduler, 1), CT_OK);
    struct ticket *late = make(0, 1);
    late->message.deadline_ms = ct_mono_ms() - 1;
    put(&scheduler, late);
    struct ticket *refused = make(0, 1);
    assert_ptr_equal(scheduler_put(&scheduler, refused), refused);
    assert_int_equal(scheduler_take(&scheduler, LANE_INTERACTIVE, limits, batch, &expired), 0);
    assert_ptr_equal(expired, late);
    free(late);
    free(refused);
    assert_null(scheduler_stop(&scheduler));
    assert_int_equal(scheduler_take(&scheduler, LANE_INTERACTIVE, limits, batch, &expired), 0);
    scheduler_free(&scheduler);
}

/* What waits when all ends comes back, to be answered; nothing is taken any more. */
static void test_stop(void **state)
{
    (void)state;
    struct scheduler scheduler;
    struct scheduler_limits limits = {.count = 4, .weight = 10};
    struct ticket *batch[4];
    struct ticket *expired = NULL;
    size_t count = 0;
    assert_int_equal(scheduler_init(&scheduler, 100), CT_OK);
    for (unsigned i = 0; i < 6; i++) {
        struct ticket *ticket = make(7, 1);
        ticket->lane = i % 2 == 0 ? LANE_INTERACTIVE : LANE_BULK;
        put(&scheduler, ticket);
    }
    assert_int_equal(take(&scheduler, batch), 1);
    drop(&scheduler, batch, 1);
    for (struct ticket *waiting = scheduler_stop(&scheduler); waiting != NULL; count++) {
        struct ticket *ticket = waiting;
        waiting = ticket->next;
        free(ticket);
    }
    assert_int_equal(count, 5);
    assert_int_equal(scheduler_waiting(&scheduler), 0);
    assert_int_equal(scheduler_take(&scheduler, LANE_BULK, limits, batch, &expired), 0);
    struct ticket *late = make(0, 1);
    assert_ptr_equal(scheduler_put(&scheduler, late), late);
    free(late);
    scheduler_free(&scheduler);
}

/* Who waits for its own Idempotency-Key as long as it may is refused in a batch, with an entry. */
static void test_in_flight(void **state)
{
    (void)state;
    struct scheduler scheduler;
    struct ticket *first[4];
    struct ticket *batch[4];
    assert_int_equal(scheduler_init(&scheduler, 100), CT_OK);
    put(&scheduler, make(7, 1));
    assert_int_equal(take(&scheduler, first), 1);
    struct ticket *again = make(7, 1);
    again->message.idempotency_key = "key";
    put(&scheduler, again);
    put(&scheduler, make(0, 1));
    assert_int_equal(take(&scheduler, batch), 1); /* the other one; again is passed over */
    drop(&scheduler, batch, 1);
    assert_true(again->repeats);
    again->message.deadline_ms = ct_mono_ms() - 1;
    assert_int_equal(take(&scheduler, batch), 1);
    assert_ptr_equal(batch[0], again);
    assert_true(again->in_flight);
    drop(&scheduler, batch, 1);
    drop(&scheduler, first, 1);
    scheduler_free(&scheduler);
}

/* Heavy readings have a queue of their own with a bound of its own. */
static void test_bulk_is_bounded(void **state)
{
    (void)state;
    struct scheduler scheduler;
    unsigned refused = 0;
    assert_int_equal(scheduler_init(&scheduler, 1000), CT_OK);
    for (unsigned i = 0; i < 300; i++) {
        struct ticket *ticket = make(0, 300);
        ticket->lane = LANE_BULK;
        struct ticket *back = scheduler_put(&scheduler, ticket);
        refused += back != NULL;
        free(back);
    }
    assert_int_equal(refused, 300 - 256);
    put(&scheduler, make(0, 1)); /* there is still room for others */
    scheduler_free(&scheduler);
}

static int64_t take_bulk(struct scheduler *scheduler, struct ticket **batch)
{
    struct scheduler_limits limits = {.count = 4, .weight = 10};
    struct ticket *expired = NULL;
    int64_t before_ms = ct_mono_ms();
    struct ticket *ticket = make(0, 300);
    ticket->lane = LANE_BULK;
    put(scheduler, ticket);
    assert_int_equal(scheduler_take(scheduler, LANE_BULK, limits, batch, &expired), 1);
    return ct_mono_ms() - before_ms;
}

/* The bulk lane rests three times as long as its batch took, if others worked meanwhile. */
static void test_bulk_rests(void **state)
{
    (void)state;
    struct scheduler scheduler;
    struct ticket *bulk[4];
    struct ticket *batch[4];
    assert_int_equal(scheduler_init(&scheduler, 100), CT_OK);
    (void)take_bulk(&scheduler, bulk);
    scheduler.bulk_since_ms -= 30;
    drop(&scheduler, bulk, 1);
    assert_true(take_bulk(&scheduler, bulk) < 60); /* alone: no rest */
    scheduler.bulk_since_ms -= 30;
    put(&scheduler, make(0, 1));
    assert_int_equal(take(&scheduler, batch), 1);
    drop(&scheduler, batch, 1);
    drop(&scheduler, bulk, 1);
    assert_true(take_bulk(&scheduler, bulk) >= 85);
    drop(&scheduler, bulk, 1);
    scheduler_free(&scheduler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count_and_weight), cmocka_unit_test(test_bulk_is_bounded),
        cmocka_unit_test(test_bulk_rests),       cmocka_unit_test(test_exclusive_keys),
        cmocka_unit_test(test_no_overtaking),    cmocka_unit_test(test_alone),
        cmocka_unit_test(test_bounds),           cmocka_unit_test(test_stop),
        cmocka_unit_test(test_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
