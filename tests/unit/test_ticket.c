// SPDX-License-Identifier: Apache-2.0
/* What becomes of a frame of the front's: what is refused, and who may share its batch. */
#include "keeper/ticket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define FRAME_HEAD 5 /* length and type, which the reader takes off */

static enum ct_status ticket_of(const struct message_request *request, struct ticket **ret)
{
    struct ct_buf out;
    ct_buf_init(&out, MESSAGE_FRAME_MAX);
    assert_int_equal(message_request_encode(&out, request), CT_OK);
    enum ct_status status = ticket_new(out.data + FRAME_HEAD, out.length - FRAME_HEAD, ret);
    ct_buf_free(&out);
    return status;
}

static struct message_request request_of(enum api_operation operation, const char *body)
{
    return (struct message_request){.operation = (uint16_t)operation,
                                    .peer = "192.0.2.1",
                                    .thumbprint = "",
                                    .authorization = "Bearer x",
                                    .body = (const uint8_t *)body,
                                    .body_length = strlen(body)};
}

/* What the contract says of sharing a batch is what the scheduler is told. */
static void test_exclusive(void **state)
{
    (void)state;
    static const char body[] = "{\"firearm\":{\"serial\":\"A 1\"},\"case_number\":\"26-1\","
                               "\"specimens\":[{\"exhibit\":\"E-1\"},{\"exhibit\":\"E-1\"}]}";
    for (unsigned op = 0; op < API_OPERATIONS; op++) {
        const struct api_route *route = &api_routes[op];
        struct message_request request = request_of((enum api_operation)op, body);
        struct ticket *ticket = NULL;
        request.path_count = route->parameter_count;
        for (unsigned i = 0; i < request.path_count; i++)
            request.path[i] = "x";
        assert_int_equal(ticket_of(&request, &ticket), CT_OK);
        if (route->exclusive == API_EXCLUSIVE_ALONE)
            assert_true(ticket->solo);
        else if (route->exclusive == API_EXCLUSIVE_NONE)
            assert_int_equal(ticket->key_count, 0);
        else if (route->rows == NULL)
            assert_int_equal(ticket->key_count, 1);
        ticket_free(ticket);
    }
}

/* Two requests on one exhibit exclude each other; on another exhibit or case they do not. */
static void test_exhibits(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{\"case_number\":\"26-1\",\"specimens\":[{\"exhibit\":\"E-1\"},{\"exhibit\":\"E-2\"}]}",
        "{\"case_number\":\"26-1\",\"specimens\":[{\"exhibit\":\"E-2\"}]}",
        "{\"case_number\":\"26-2\",\"specimens\":[{\"exhibit\":\"E-2\"}]}",
    };
    struct ticket *tickets[CT_ARRAY_LENGTH(bodies)];
    for (size_t i = 0; i < CT_ARRAY_LENGTH(bodies); i++) {
        struct message_request request = request_of(API_OP_CREATE_TRACE, bodies[i]);
        assert_int_equal(ticket_of(&request, &tickets[i]), CT_OK);
    }
    assert_int_equal(tickets[0]->key_count, 2);
    assert_int_equal(tickets[1]->key_count, 1);
    assert_true(tickets[0]->keys[1] == tickets[1]->keys[0]);
    assert_true(tickets[0]->keys[0] != tickets[1]->keys[0]);
    assert_true(tickets[1]->keys[0] != tickets[2]->keys[0]);
    for (size_t i = 0; i < CT_ARRAY_LENGTH(bodies); i++)
        ticket_free(tickets[i]);
}

/* A front that was broken into may send anything. */
static void test_texts_are_utf8(void **state)
{
    (void)state;
    struct ticket *ticket = NULL;
    struct message_request good = request_of(API_OP_REVOKE_ACCOUNT_KEY, "");
    good.idempotency_key = "k";
    good.path_count = 2;
    good.path[0] = good.path[1] = "x";
    good.query_count = 1;
    good.query[0] = (struct message_pair){"name", "Fünfkirchen"};
    assert_int_equal(ticket_of(&good, &ticket), CT_OK);
    ticket_free(ticket);
    const char **texts[] = {
        &good.peer,    &good.thumbprint,    &good.authorization, &good.idempotency_key,
        &good.path[1], &good.query[0].name, &good.query[0].value};
    static const char *const bad[] = {"\xff", "\xc0\xaf", "\xed\xa0\x80", "a\xc3"};
    for (size_t i = 0; i < CT_ARRAY_LENGTH(texts); i++) {
        const char *kept = *texts[i];
        for (size_t k = 0; k < CT_ARRAY_LENGTH(bad); k++) {
            *texts[i] = bad[k];
            assert_int_equal(ticket_of(&good, &ticket), CT_BAD_INPUT);
        }
        *texts[i] = kept;
    }
}

/* A reading of more positions than R29-8 has is of an opaque code, and weighs what that weighs. */
static void test_weight(void **state)
{
    (void)state;
    static const struct {
        const char *mark;
        enum lane_kind lane;
    } rows[] = {
        {"{\"reading\":\"4H7K2M9X\"}", LANE_INTERACTIVE},
        {"{\"reading\":\"4H7K??9X\"}", LANE_INTERACTIVE},
        {"{\"reading\":\"4???2M?X\"}", LANE_BULK},
        {"{\"reading\":\"AB12345678\"}", LANE_INTERACTIVE},
        {"{\"reading\":\"A????????8\"}", LANE_BULK},
        {"{\"reading\":\"A????????8\",\"scheme\":\"opaque\"}", LANE_BULK},
    };
    for (size_t i = 0; i < CT_ARRAY_LENGTH(rows); i++) {
        char body[256];
        struct ticket *ticket = NULL;
        (void)snprintf(body, sizeof body, "{\"specimens\":[{\"marks\":[%s]}]}", rows[i].mark);
        struct message_request request = request_of(API_OP_CREATE_TRACE, body);
        assert_int_equal(ticket_of(&request, &ticket), CT_OK);
        assert_int_equal(ticket->lane, rows[i].lane);
        ticket_free(ticket);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exclusive),
        cmocka_unit_test(test_exhibits),
        cmocka_unit_test(test_weight),
        cmocka_unit_test(test_texts_are_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
