// SPDX-License-Identifier: Apache-2.0
/* Routes, permissions and errors as the tables hold them. */
#include "api/table.h"

#include "api/validate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static enum api_route_result find(enum api_listener listener, const char *method, const char *path,
                                  struct api_route_match *ret)
{
    return api_route_find(listener, method, path, strlen(path), ret);
}

static void test_every_route_finds_itself(void **state)
{
    (void)state;
    static const char *const methods[API_METHODS] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    for (int op = 0; op < API_OPERATIONS; op++) {
        const struct api_route *route = &api_routes[op];
        struct api_route_match match;
        assert_int_equal(find(route->listener, methods[route->method], route->path, &match),
                         API_ROUTE_FOUND);
        assert_int_equal(match.operation, op);
        assert_int_equal(match.parameter_count, route->parameter_count);
        assert_int_equal(api_intakes[op].path_count, route->parameter_count);
        for (size_t i = 0; i < match.parameter_count; i++) {
            size_t length = strlen(route->parameters[i]);
            assert_int_equal(match.parameters[i].length, length + 2);
            assert_memory_equal(match.parameters[i].text + 1, route->parameters[i], length);
            assert_string_equal(api_intakes[op].path[i].name, route->parameters[i]);
        }
        assert_int_equal(api_operation_of(route->name), op);
        assert_int_equal((route->body_limit > 0), (api_intakes[op].body != NULL));
        assert_int_equal((route->rows != NULL), (api_intakes[op].rows != NULL));
    }
    assert_int_equal(api_operation_of("drop_table"), API_OPERATIONS);
}

static void test_what_is_not_a_route(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "",           "/",          "*",        "v1/me",         "/v1",
        "/v1/",       "/v1//me",    "//v1/me",  "/v1/me/",       "/v1/ME",
        "/v1/mee",    "/v1/m",      "/v1/%6de", "/v1/firearms/", "/v1/firearms/a/b",
        "/v1/log",    "/v1/keys/a", "/log",     "/log/tile",     "/v1/accounts/a/keys/b/c",
        "/v1/me?x=1", "/v1/./me",   "/v2/me",   "/v1/\xff"};
    struct api_route_match match;
    for (size_t i = 0; i < CT_ARRAY_LENGTH(paths); i++)
        assert_int_equal(find(API_LISTENER_PUBLIC, "GET", paths[i], &match), API_ROUTE_NO_PATH);
    /* length bounds the path, not a NUL */
    assert_int_equal(api_route_find(API_LISTENER_PUBLIC, "GET", "/v1/me\0", 7, &match),
                     API_ROUTE_NO_PATH);
    assert_int_equal(api_route_find(API_LISTENER_PUBLIC, "GET", "/v1/meXX", 6, &match),
                     API_ROUTE_FOUND);
}

/* A parameter that takes what is left of the path, however many segments that is. */
static void test_rest_of_a_path(void **state)
{
    (void)state;
    static const char *const rests[] = {"0", "0/000", "0/x001/x234/067.p/255", "a//b/", "0/"};
    struct api_route_match match;
    char path[64];
    for (size_t i = 0; i < CT_ARRAY_LENGTH(rests); i++) {
        (void)snprintf(path, sizeof path, "/log/tile/%s", rests[i]);
        assert_int_equal(find(API_LISTENER_PUBLIC, "GET", path, &match), API_ROUTE_FOUND);
        assert_int_equal(match.operation, API_OP_GET_LOG_TILE);
        assert_int_equal(match.parameter_count, 1);
        assert_int_equal(match.parameters[0].length, strlen(rests[i]));
        assert_memory_equal(match.parameters[0].text, rests[i], strlen(rests[i]));
        assert_int_equal(find(API_LISTENER_PUBLIC, "POST", path, &match), API_ROUTE_NO_METHOD);
    }
    assert_int_equal(find(API_LISTENER_PUBLIC, "GET", "/log/tile/", &match), API_ROUTE_NO_PATH);
    assert_int_equal(find(API_LISTENER_PUBLIC, "GET", "/log/tile//0", &match), API_ROUTE_NO_PATH);
}

static void test_methods(void **state)
{
    (void)state;
    static const char *const methods[] = {"PUT", "get", "TRACE", "CONNECT", "HEAD", "OPTIONS", ""};
    struct api_route_match match;
    for (size_t i = 0; i < CT_ARRAY_LENGTH(methods); i++) {
        assert_int_equal(find(API_LISTENER_PUBLIC, methods[i], "/v1/traces", &match),
                         API_ROUTE_NO_METHOD);
        assert_string_equal(match.allow, "GET, POST");
    }
    assert_int_equal(find(API_LISTENER_PUBLIC, "GET", "/v1/accounts/a/keys/b", &match),
                     API_ROUTE_NO_METHOD);
    assert_string_equal(match.allow, "DELETE");
}

static void test_listeners_do_not_mix(void **state)
{
    (void)state;
    struct api_route_match match;
    assert_int_equal(find(API_LISTENER_PUBLIC, "GET", "/metrics", &match), API_ROUTE_NO_PATH);
    assert_int_equal(find(API_LISTENER_PUBLIC, "POST", "/readyz", &match), API_ROUTE_NO_PATH);
    assert_int_equal(find(API_LISTENER_OPERATOR, "GET", "/v1/me", &match), API_ROUTE_NO_PATH);
    assert_int_equal(find(API_LISTENER_OPERATOR, "POST", "/livez", &match), API_ROUTE_NO_METHOD);
}

static void test_limits(void **state)
{
    (void)state;
    for (int op = 0; op < API_OPERATIONS; op++) {
        const struct api_route *route = &api_routes[op];
        if (op == API_OP_REGISTER_FIREARMS) {
            assert_int_equal(route->body_limit, 8u << 20);
            assert_int_equal(route->value_limit, 200000);
        } else {
            assert_true(route->body_limit <= 512u << 10);
            assert_true(route->value_limit <= 20000);
        }
    }
    assert_int_equal(api_routes[API_OP_CREATE_SALE].body_limit, 65536);
    assert_int_equal(api_routes[API_OP_CREATE_SALE].value_limit, 4096);
    assert_string_equal(api_routes[API_OP_RECORD_CUSTODY_EVENTS].rows, "events");
}

static bool may(const char *role, enum api_operation operation)
{
    uint32_t roles = 0;
    enum api_role by = API_ROLES;
    assert_true(api_roles_parse(role, &roles));
    bool permitted = api_permitted(roles, operation, &by);
    assert_true(!permitted || by == api_role_of(role));
    return permitted;
}

/* What design and duties demand, apart from what permissions.yaml happens to say. */
static void test_separation_of_duties(void **state)
{
    (void)state;
    for (int i = 0; i < API_OPERATIONS; i++) {
        enum api_operation op = (enum api_operation)i;
        const char *name = api_routes[op].name;
        bool secret = strstr(name, "trace") != NULL || strstr(name, "sale") != NULL ||
                      strstr(name, "firearm") != NULL || strstr(name, "log_") != NULL;
        bool people = strstr(name, "account") != NULL || strstr(name, "organization") != NULL;
        if (secret)
            assert_false(may("administrator", op));
        if (api_routes[op].method != API_METHOD_GET) {
            assert_false(may("auditor", op));
            assert_false(may("reviewer", op));
        }
        assert_int_equal(may("administrator", op) && people, people);
        for (int role = 0; people && role < API_ROLES; role++)
            assert_true(role == API_ROLE_ADMINISTRATOR || !may(api_role_names[role], op));
    }
    for (int role = 0; role < API_ROLES; role++) {
        const char *name = api_role_names[role];
        assert_int_equal(may(name, API_OP_CREATE_TRACE), role == API_ROLE_INVESTIGATOR);
        assert_int_equal(may(name, API_OP_CREATE_SALE), role == API_ROLE_DEALER);
        assert_int_equal(may(name, API_OP_GET_LOG_ENTRY), role == API_ROLE_AUDITOR);
        assert_true(may(name, API_OP_GET_ME));
        assert_false(may(name, API_OP_GET_CHECKPOINT)); /* public: no credential is looked at */
        assert_false(may(name, API_OP_METRICS));
    }
}

static void test_denied_by_default(void **state)
{
    (void)state;
    enum api_role role = API_ROLES;
    for (int op = 0; op < API_OPERATIONS; op++)
        assert_false(api_permitted(0, (enum api_operation)op, &role));
    assert_false(api_permitted(UINT32_MAX, API_OPERATIONS, &role));
    assert_false(api_permitted(UINT32_MAX, (enum api_operation) - 1, &role));
    assert_int_equal(role, API_ROLES);
}

static void test_roles_parse(void **state)
{
    (void)state;
    static const char *const bad[] = {"root",   "dealer,", ",dealer", "dealer,,auditor",
                                      "Dealer", "dealers", "deale",   " dealer",
                                      ","};
    uint32_t roles = 7;
    for (size_t i = 0; i < CT_ARRAY_LENGTH(bad); i++)
        assert_false(api_roles_parse(bad[i], &roles));
    assert_int_equal(roles, 7);
    assert_true(api_roles_parse("dealer,auditor", &roles));
    assert_int_equal(roles, 1u << API_ROLE_DEALER | 1u << API_ROLE_AUDITOR);
    assert_true(api_roles_parse("", &roles));
    assert_int_equal(roles, 0);
    enum api_role role;
    assert_true(api_roles_parse("auditor,investigator", &roles));
    assert_true(api_permitted(roles, API_OP_CREATE_TRACE, &role));
    assert_int_equal(role, API_ROLE_INVESTIGATOR);
}

static void test_errors(void **state)
{
    (void)state;
    for (int error = 0; error < API_ERRORS; error++) {
        const struct api_error_entry *entry = &api_errors[error];
        assert_int_equal(api_error_of(entry->name), error);
        assert_true(error == API_ERROR_NONE || (entry->status >= 400 && entry->status <= 599));
        if (entry->status == 503 || entry->status == 429)
            assert_true(entry->retry_after_s > 0);
    }
    assert_int_equal(api_error_of("ok"), API_ERROR_NONE);
    assert_int_equal(api_error_of("no_such_error"), API_ERRORS);
    assert_int_equal(api_error_of(""), API_ERRORS);
    assert_int_equal(api_errors[API_ERROR_UNAVAILABLE].status, 409);
    assert_int_equal(api_errors[API_ERROR_PURPOSE_REFUSED].status, 422);
}

static void test_contract_is_embedded(void **state)
{
    (void)state;
    static const char start[] = "# SPDX-License-Identifier: Apache-2.0\n";
    assert_true(api_openapi_yaml_length > 10000);
    assert_memory_equal(api_openapi_yaml, start, sizeof start - 1);
    assert_int_equal(api_openapi_yaml[api_openapi_yaml_length - 1], '\n');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_route_finds_itself),
        cmocka_unit_test(test_what_is_not_a_route),
        cmocka_unit_test(test_rest_of_a_path),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_listeners_do_not_mix),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_separation_of_duties),
        cmocka_unit_test(test_denied_by_default),
        cmocka_unit_test(test_roles_parse),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_contract_is_embedded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
