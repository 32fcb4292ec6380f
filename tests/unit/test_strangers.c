// SPDX-License-Identifier: Apache-2.0
#include "keeper/strangers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MINUTE_MS 60000
#define THREADS 4
#define NOTES 20000

static int setup(void **state)
{
    struct strangers *strangers = malloc(sizeof *strangers);
    if (strangers == NULL)
        return -1;
    strangers_init(strangers);
    *state = strangers;
    return 0;
}

static int teardown(void **state)
{
    struct strangers *strangers = *state;
    int failed = pthread_mutex_destroy(&strangers->mutex);
    free(strangers);
    return failed;
}

/* How often a network stands in a subject; -1: not at all. Twice is a failure. */
static int64_t count_of(const json_t *subject, const char *network)
{
    int64_t count = -1;
    size_t index;
    json_t *row;
    json_array_foreach(json_object_get(subject, "networks"), index, row)
    {
        if (strcmp(ct_json_string(row, "network"), network) != 0)
            continue;
        assert_int_equal(count, -1);
        count = json_integer_value(json_object_get(row, "count"));
    }
    return count;
}

static size_t networks_of(const json_t *subject)
{
    return json_array_size(json_object_get(subject, "networks"));
}

static int64_t others_of(const json_t *subject)
{
    return json_integer_value(json_object_get(subject, "others"));
}

/* All that were counted, wherever they came from. */
static int64_t sum_of(const json_t *subject)
{
    int64_t sum = others_of(subject);
    size_t index;
    json_t *row;
    json_array_foreach(json_object_get(subject, "networks"), index, row)
    {
        sum += json_integer_value(json_object_get(row, "count"));
    }
    return sum;
}

static void test_nobody(void **state)
{
    assert_null(strangers_take(*state, false));
    assert_null(strangers_take(*state, true));
}

/* An address alone must not be found in the log: networks of at most these sizes are. */
static void test_networks(void **state)
{
    static const struct {
        const char *address;
        const char *network;
    } cases[] = {
        {"192.0.2.1", "192.0.2.0/24"},
        {"192.0.3.255", "192.0.3.0/24"},
        {"255.255.255.255", "255.255.255.0/24"},
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"},
        {"2001:db8:2::1", "2001:db8:2::/48"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff::/48"},
        {"::1", "::/48"},
        {"not an address", "unknown"},
    };
    for (size_t i = 0; i < CT_ARRAY_LENGTH(cases); i++)
        strangers_note(*state, cases[i].address);
    strangers_note(*state, "192.0.2.200");
    strangers_note(*state, "2001:db8:1:ffff::");
    strangers_note(*state, "");
    json_t *subject = strangers_take(*state, true);
    assert_non_null(subject);
    assert_int_equal(networks_of(subject), CT_ARRAY_LENGTH(cases));
    for (size_t i = 0; i < CT_ARRAY_LENGTH(cases); i++) {
        bool twice = i == 0 || i == 3 || i + 1 == CT_ARRAY_LENGTH(cases);
        assert_int_equal(count_of(subject, cases[i].network), twice ? 2 : 1);
    }
    assert_int_equal(others_of(subject), 0);
    json_decref(subject);
}

static void test_once_a_minute(void **state)
{
    struct strangers *strangers = *state;
    int64_t before_ms = ct_now_ms();
    strangers_note(strangers, "192.0.2.1");
    assert_in_range(strangers->since_ms, before_ms, ct_now_ms());
    assert_null(strangers_take(strangers, false));

    /* The minute counts from the first one on, whoever follows. */
    strangers->since_ms -= MINUTE_MS;
    char since[CT_TIME_TEXT];
    ct_time_format(strangers->since_ms, since);
    strangers_note(strangers, "192.0.2.2");
    json_t *subject = strangers_take(strangers, false);
    assert_non_null(subject);
    assert_int_equal(count_of(subject, "192.0.2.0/24"), 2);
    assert_string_equal(ct_json_string(subject, "since"), since);
    json_decref(subject);

    /* Taken is taken, and the next minute begins with the next one. */
    assert_null(strangers_take(strangers, true));
    strangers_note(strangers, "192.0.2.1");
    assert_null(strangers_take(strangers, false));
    subject = strangers_take(strangers, true);
    assert_int_equal(count_of(subject, "192.0.2.0/24"), 1);
    json_decref(subject);
}

/* A clock set back must not keep counts for as long as it was set back. */
static void test_clock_set_back(void **state)
{
    struct strangers *strangers = *state;
    strangers_note(strangers, "192.0.2.1");
    strangers->since_ms += 3600 * 1000;
    json_t *subject = strangers_take(strangers, false);
    assert_int_equal(count_of(subject, "192.0.2.0/24"), 1);
    json_decref(subject);
}

static void note_networks(struct strangers *strangers, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        char address[32];
        (void)snprintf(address, sizeof address, "10.%u.%u.1", i >> 8, i & 255);
        strangers_note(strangers, address);
    }
}

/* Whoever comes from everywhere fills no memory and no entry, and is counted all the same. */
static void test_too_many_networks(void **state)
{
    note_networks(*state, 0, STRANGERS_MAX + 1000);
    note_networks(*state, 0, 10);
    json_t *subject = strangers_take(*state, true);
    assert_int_equal(networks_of(subject), STRANGERS_MAX);
    assert_int_equal(others_of(subject), 1000);
    assert_int_equal(count_of(subject, "10.0.0.0/24"), 2);
    assert_int_equal(count_of(subject, "10.0.63.0/24"), 1);
    assert_int_equal(count_of(subject, "10.0.64.0/24"), -1);
    json_decref(subject);

    /* The next minute has its own networks. */
    note_networks(*state, 5000, 1);
    subject = strangers_take(*state, true);
    assert_int_equal(networks_of(subject), 1);
    assert_int_equal(others_of(subject), 0);
    json_decref(subject);
}

/* What could not be written is counted again, together with what came meanwhile. */
static void test_put_back(void **state)
{
    note_networks(*state, 0, STRANGERS_MAX + 3);
    json_t *subject = strangers_take(*state, true);
    strangers_note(*state, "10.0.0.77");
    strangers_note(*state, "192.0.2.1");
    strangers_put_back(*state, subject);
    json_decref(subject);
    subject = strangers_take(*state, true);
    assert_int_equal(sum_of(subject), STRANGERS_MAX + 3 + 2);
    assert_int_equal(count_of(subject, "10.0.0.0/24"), 2);
    assert_int_equal(count_of(subject, "192.0.2.0/24"), 1);
    assert_int_equal(networks_of(subject), STRANGERS_MAX);
    json_decref(subject);
    assert_null(strangers_take(*state, true));
}

static void *note_many(void *argument)
{
    for (unsigned i = 0; i < NOTES; i++)
        strangers_note(argument, i % 2 == 0 ? "192.0.2.1" : "2001:db8::1");
    return NULL;
}

/* None is lost and none counted twice while others take and put back. */
static void test_threads(void **state)
{
    pthread_t threads[THREADS];
    int64_t sum = 0;
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, note_many, *state), 0);
    for (unsigned i = 0; i < 1000; i++) {
        json_t *subject = strangers_take(*state, true);
        if (subject != NULL && i % 2 == 0)
            strangers_put_back(*state, subject);
        else if (subject != NULL)
            sum += sum_of(subject);
        json_decref(subject);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    json_t *rest = strangers_take(*state, true);
    sum += rest == NULL ? 0 : sum_of(rest);
    json_decref(rest);
    assert_int_equal(sum, THREADS * NOTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_networks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_once_a_minute, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clock_set_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_networks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_put_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
