// SPDX-License-Identifier: Apache-2.0
/* The packets between keeper and courier: what is sent arrives, what is none is refused and gone.
 */
#include "keeper/courier.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int ends[2];
static uint8_t packet[COURIER_REQUEST_MAX];
static uint8_t big[COURIER_REQUEST_MAX + 1];

static int prepare(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
}

static int clean(void **state)
{
    (void)state;
    (void)close(ends[0]);
    if (ends[1] >= 0)
        (void)close(ends[1]);
    return 0;
}

static void test_round_trip(void **state)
{
    (void)state;
    struct courier_request request;
    struct courier_answer answer;
    assert_int_equal(courier_receive_request(ends[1], packet, &request), CT_NOT_FOUND);
    assert_int_equal(courier_send_request(ends[0], 7, "https://w/add-checkpoint", "old 0\n", 6),
                     CT_OK);
    assert_int_equal(courier_receive_request(ends[1], packet, &request), CT_OK);
    assert_int_equal(request.id, 7);
    assert_string_equal(request.url, "https://w/add-checkpoint");
    assert_int_equal(request.body_length, 6);
    assert_memory_equal(request.body, "old 0\n", 6);
    memset(big, 'x', sizeof big);
    for (size_t length = 0; length <= COURIER_BODY_MAX; length += COURIER_BODY_MAX) {
        assert_int_equal(courier_send_answer(ends[1], 0xfffffffeu, 409, big, length), CT_OK);
        assert_int_equal(courier_receive_answer(ends[0], packet, &answer), CT_OK);
        assert_int_equal(answer.id, 0xfffffffeu);
        assert_int_equal(answer.status, 409);
        assert_int_equal(answer.body_length, length);
    }
    assert_int_equal(courier_receive_answer(ends[0], packet, &answer), CT_NOT_FOUND);
}

static void test_what_is_too_long(void **state)
{
    (void)state;
    char url[COURIER_URL_MAX + 2] = {0};
    memset(url, 'u', sizeof url - 1);
    assert_int_equal(courier_send_request(ends[0], 1, url, "", 0), CT_LIMIT);
    url[COURIER_URL_MAX] = '\0';
    assert_int_equal(courier_send_request(ends[0], 1, url, "", 0), CT_OK);
    assert_int_equal(courier_send_request(ends[0], 1, "u", big, COURIER_REQUEST_MAX - 6), CT_LIMIT);
    assert_int_equal(courier_send_request(ends[0], 1, "u", big, COURIER_REQUEST_MAX - 7), CT_OK);
    assert_int_equal(courier_send_answer(ends[1], 1, 200, big, COURIER_BODY_MAX + 1), CT_LIMIT);
}

static void refused(const void *bytes, size_t length)
{
    struct courier_request request;
    assert_int_equal(send(ends[0], bytes, length, 0), length);
    assert_int_equal(courier_receive_request(ends[1], packet, &request), CT_BAD_INPUT);
    assert_int_equal(courier_receive_request(ends[1], packet, &request), CT_NOT_FOUND);
}

static void test_what_is_none(void **state)
{
    (void)state;
    struct courier_request request;
    struct courier_answer answer;
    refused("x", 1);
    refused("\0\0\0\1\0", 5);
    refused("\0\0\0\1\0\2u", 7);
    refused("\0\0\0\1\0\2u\0", 8);
    memset(big, 0xff, sizeof big);
    refused(big, sizeof big);
    assert_int_equal(send(ends[1], big, COURIER_ANSWER_MAX + 1, 0), COURIER_ANSWER_MAX + 1);
    assert_int_equal(courier_receive_answer(ends[0], packet, &answer), CT_BAD_INPUT);
    assert_int_equal(send(ends[1], "12345", 5, 0), 5);
    assert_int_equal(courier_receive_answer(ends[0], packet, &answer), CT_BAD_INPUT);
    (void)close(ends[1]);
    ends[1] = -1;
    assert_int_equal(courier_receive_answer(ends[0], packet, &answer), CT_IO);
    assert_int_equal(courier_send_request(ends[0], 1, "u", "", 0), CT_IO);
    assert_int_equal(courier_receive_request(ends[0], packet, &request), CT_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, prepare, clean),
        cmocka_unit_test_setup_teardown(test_what_is_too_long, prepare, clean),
        cmocka_unit_test_setup_teardown(test_what_is_none, prepare, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
