// SPDX-License-Identifier: Apache-2.0
/* Drawing codes while each allocation of jansson's fails in turn: refused, and nothing leaks. */
#include "api/api.h"

#include <sodium.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static long before_failure;
static long held;

static void *failing_malloc(size_t size)
{
    void *memory = before_failure-- == 0 ? NULL : malloc(size);
    held += memory != NULL;
    return memory;
}

static void counted_free(void *memory)
{
    held -= memory != NULL;
    free(memory);
}

static void test_no_memory(void **state)
{
    (void)state;
    const struct api_handler *handler = api_handler_of(API_SQL_create_code_block);
    long failures = 0;
    bool drawn = false;
    json_set_alloc_funcs(failing_malloc, counted_free);
    json_object_seed(1);
    while (!drawn) {
        struct api_request request = {.operation = API_OP_CREATE_CODE_BLOCK};
        before_failure = -1;
        request.body = json_pack("{s:i, s:s}", "count", 3, "scheme", "R29-8");
        before_failure = failures;
        handler->before(NULL, &request);
        before_failure = -1;
        drawn = request.error == API_ERROR_NONE;
        if (drawn)
            assert_int_equal(json_array_size(json_object_get(request.input, "codes")), 3 + 16);
        else
            assert_null(request.input);
        api_request_clear(&request);
        assert_int_equal(held, 0);
        failures++;
    }
    assert_true(failures > 19); /* one for each code at least */
    json_set_alloc_funcs(malloc, free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_memory),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
