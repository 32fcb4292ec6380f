// SPDX-License-Identifier: Apache-2.0
/* The validator: every keyword seen to refuse, with the right pointer, and what is right accepted.
 */
#include "api/validate.h"

#include "api/validate_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ID32 "0123456789abcdef0123456789abcdef"

static const char trace_body[] =
    "{\"case_number\":\"26-001234\",\"purpose\":\"C\",\"offense\":\"homicide\",\"urgency\":"
    "\"routine\","
    "\"incident\":{\"from\":\"2026-10-30\",\"to\":\"2026-10-30\"},"
    "\"specimens\":[{\"exhibit\":\"E-1\",\"kind\":\"casing\",\"caliber\":\"9mm\","
    "\"marks\":[{\"placement\":\"firing_pin\",\"reading\":\"4H7? 2[MN]9X\"}]}]}";
static const char sale_body[] =
    "{\"firearm\":{\"maker\":\"8-91-265-07-8E-44117\",\"serial\":\"B 029718\"},"
    "\"purchaser\":{\"given_name\":\"Blair\",\"family_name\":\"Gu\\u00f0mundsd\\u00f3ttir\","
    "\"date_of_birth\":\"1976-07-28\",\"address\":{\"line1\":\"118 Cedar St\",\"city\":\"San "
    "Bernardino\",\"state\":\"CA\",\"postal_code\":\"92401\"},\"id_document\":{\"type\":"
    "\"driver_license\",\"number\":\"C7911838\",\"issuer\":\"CA\"}},"
    "\"transaction_number\":\"DR102233558\",\"delivered_on\":\"2026-01-25\"}";
static const char organization_body[] =
    "{\"name\":\"Ridgeline Arms\",\"kind\":\"manufacturer\",\"licence\":\"6-65-122-07-9G-87591\","
    "\"models\":[\"RL-9\",\"RL-45\"]}";
static const char registration_body[] =
    "{\"mode\":\"partial\",\"firearms\":[{\"external_id\":\"S1\",\"serial\":\"TD "
    "437381\",\"model\":"
    "\"RL-9\",\"caliber\":\"9mm\",\"type\":\"pistol\",\"marks\":[{\"placement\":\"firing_pin\","
    "\"scheme\":\"R29-8\",\"code\":\"4H7K 2M9X\"}],\"shipped_to\":\"5-24-251-01-8D-61172\","
    "\"shipped_on\":\"2026-03-06\"}]}";

static json_t *parse(const char *text)
{
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    assert_non_null(json);
    return json;
}

/* The value at a pointer without escapes, or NULL. */
static json_t *at(json_t *json, const char *pointer)
{
    char step[64];
    while (*pointer == '/' && json != NULL) {
        size_t length = strcspn(++pointer, "/");
        assert_true(length < sizeof step);
        memcpy(step, pointer, length);
        step[length] = '\0';
        json = json_is_array(json) ? json_array_get(json, strtoul(step, NULL, 10))
                                   : json_object_get(json, step);
        pointer += length;
    }
    return json;
}

/* Puts value (JSON text; NULL removes) at a pointer whose last step is a member. */
static json_t *changed(const char *text, const char *pointer, const char *value)
{
    json_t *json = parse(text);
    const char *last = strrchr(pointer, '/');
    char parent[128];
    assert_true((size_t)(last - pointer) < sizeof parent);
    memcpy(parent, pointer, (size_t)(last - pointer));
    parent[last - pointer] = '\0';
    json_t *object = at(json, parent);
    if (json_is_array(object) && value != NULL)
        assert_int_equal(json_array_set_new(object, strtoul(last + 1, NULL, 10), parse(value)), 0);
    else if (value == NULL)
        assert_int_equal(json_object_del(object, last + 1), 0);
    else
        assert_int_equal(json_object_set_new(object, last + 1, parse(value)), 0);
    return json;
}

static void accepts(enum api_operation operation, const char *text)
{
    struct api_field_errors errors = {0};
    json_t *json = parse(text);
    enum ct_status status = api_validate_body(operation, json, &errors);
    if (status != CT_OK)
        print_error("%s: %s\n", errors.at[0].pointer, errors.at[0].text);
    assert_int_equal(status, CT_OK);
    assert_int_equal(errors.count, 0);
    json_decref(json);
}

/* After the change the body must be refused with one error, at where (the change itself if NULL).
 */
static void refuses(enum api_operation operation, const char *text, const char *pointer,
                    const char *value, const char *where, const char *expected)
{
    struct api_field_errors errors = {0};
    json_t *json = changed(text, pointer, value);
    assert_int_equal(api_validate_body(operation, json, &errors), CT_BAD_INPUT);
    assert_int_equal(errors.count, 1);
    assert_string_equal(errors.at[0].pointer, where != NULL ? where : pointer);
    assert_non_null(strstr(errors.at[0].text, expected));
    json_decref(json);
}

static void accepts_change(enum api_operation operation, const char *text, const char *pointer,
                           const char *value)
{
    json_t *json = changed(text, pointer, value);
    char *again = json_dumps(json, 0);
    accepts(operation, again);
    free(again);
    json_decref(json);
}

static void test_accepts(void **state)
{
    (void)state;
    accepts(API_OP_CREATE_TRACE, trace_body);
    accepts(API_OP_CREATE_SALE, sale_body);
    accepts(API_OP_CREATE_ORGANIZATION, organization_body);
    accepts(API_OP_REGISTER_FIREARMS, registration_body);
    accepts(API_OP_CREATE_CODE_BLOCK, "{\"count\":10000,\"scheme\":\"R29-8\"}");
    accepts(API_OP_CREATE_CODE_BLOCK,
            "{\"scheme\":\"R29-8\",\"codes\":[\"4H7K 2M9X\"],\"organization\":"
            "\"6-65-122-07-9G-87591\",\"origin\":\"elsewhere\"}");
    accepts(API_OP_CREATE_ACCOUNT_KEY,
            "{\"name\":\"dock\",\"expires_at\":\"2027-01-01T00:00:00.123456789Z\"}");
}

static void test_type(void **state)
{
    (void)state;
    refuses(API_OP_CREATE_TRACE, trace_body, "/case_number", "17", NULL, "a string");
    refuses(API_OP_CREATE_TRACE, trace_body, "/incident", "[]", NULL, "an object");
    refuses(API_OP_CREATE_TRACE, trace_body, "/specimens", "{}", NULL, "an array");
    refuses(API_OP_CREATE_TRACE, trace_body, "/specimens/0", "null", NULL, "an object");
    refuses(API_OP_CREATE_CODE_BLOCK, "{\"count\":1,\"scheme\":\"R29-8\"}", "/count", "1.0", NULL,
            "an integer");
    refuses(API_OP_CREATE_CODE_BLOCK, "{\"count\":1,\"scheme\":\"R29-8\"}", "/count", "true", NULL,
            "an integer");
    accepts_change(API_OP_CREATE_ORGANIZATION, organization_body, "/licences",
                   "[{\"number\":\"1-12-345-07-6A-12345\",\"from\":null}]");
    refuses(API_OP_CREATE_ORGANIZATION, organization_body, "/licences",
            "[{\"number\":\"1-12-345-07-6A-12345\",\"from\":1}]", "/licences/0/from",
            "a string or null");
}

static void test_range(void **state)
{
    (void)state;
    static const char body[] = "{\"count\":1,\"scheme\":\"R29-8\"}";
    refuses(API_OP_CREATE_CODE_BLOCK, body, "/count", "0", NULL, "from 1 to 10000");
    refuses(API_OP_CREATE_CODE_BLOCK, body, "/count", "10001", NULL, "from 1 to 10000");
    refuses(API_OP_CREATE_CODE_BLOCK, body, "/count", "-9223372036854775808", NULL, "an integer");
}

static void test_length_counts_code_points(void **state)
{
    (void)state;
    char text[1024] = "\"";
    for (int i = 0; i < 120; i++)
        memcpy(text + 1 + 4 * i, "\xf0\x9f\x98\x80", 4);
    memcpy(text + 1 + 4 * 120, "\"", 2);
    accepts_change(API_OP_CREATE_ORGANIZATION, organization_body, "/name", text);
    memcpy(text + 1 + 4 * 120, "x\"", 3);
    refuses(API_OP_CREATE_ORGANIZATION, organization_body, "/name", text, NULL,
            "1 to 120 characters");
    refuses(API_OP_CREATE_ORGANIZATION, organization_body, "/name", "\"\"", NULL,
            "1 to 120 characters");
    assert_true(api_text_size("\xc3\xa9", 2, 1, 1));
    assert_false(api_text_size("\xc3\xa9", 2, 2, 4));
    assert_true(api_text_size("", 0, 0, 0));
    assert_false(api_text_size("abcde", 5, 0, 1));
}

static void test_enum_and_const(void **state)
{
    (void)state;
    refuses(API_OP_CREATE_TRACE, trace_body, "/purpose", "\"B\"", NULL, "one of: A, C, D");
    refuses(API_OP_CREATE_TRACE, trace_body, "/purpose", "\"CC\"", NULL, "one of: A, C, D");
    refuses(API_OP_CREATE_TRACE, trace_body, "/urgency", "\"Urgent\"", NULL, "routine, urgent");
    refuses(API_OP_CREATE_CODE_BLOCK,
            "{\"scheme\":\"R29-8\",\"codes\":[\"4H7K2M9X\"],\"organization\":\"x\",\"origin\":"
            "\"elsewhere\"}",
            "/origin", "\"here\"", NULL, "expected elsewhere");
}

static void test_pattern(void **state)
{
    (void)state;
    static const char *const bad[] = {"\"6-65-122-07-9G-8759\"", "\"6-65-122-07-9I-87591\"",
                                      "\"2-65-122-07-9G-87591\"", "\"6-65-122-07-9G-87591 \"",
                                      "\"\""};
    for (size_t i = 0; i < CT_ARRAY_LENGTH(bad); i++)
        refuses(API_OP_CREATE_ORGANIZATION, organization_body, "/licence", bad[i], NULL,
                "a licence number such as");
    refuses(API_OP_CREATE_ORGANIZATION, organization_body, "/name", "\"a\\nb\"", NULL,
            "no control characters");
    refuses(API_OP_CREATE_ORGANIZATION, organization_body, "/name", "\"  \"", NULL, "not blank");
    accepts_change(API_OP_CREATE_ORGANIZATION, organization_body, "/name", "\" \\u00e9\\u4e2d\"");
    refuses(API_OP_CREATE_SALE, sale_body, "/firearm", "{\"id\":\"frm_" ID32 "0\"}", "/firearm/id",
            "frm_ and 32 lower-case");
    refuses(API_OP_CREATE_SALE, sale_body, "/firearm", "{\"id\":\"sal_" ID32 "\"}", "/firearm/id",
            "frm_ and 32 lower-case");
    accepts_change(API_OP_CREATE_SALE, sale_body, "/firearm", "{\"id\":\"frm_" ID32 "\"}");
}

static void test_dates(void **state)
{
    (void)state;
    static const char *const good[] = {"2024-02-29", "2000-02-29", "0001-01-01", "9999-12-31"};
    static const char *const bad[] = {"2023-02-29", "1900-02-29", "2026-04-31",  "2026-13-01",
                                      "2026-00-10", "2026-01-00", "0000-01-01",  "2026-1-01",
                                      "2026-01-1",  "2026/01/01", "2026-01-011", "",
                                      "20260-01-1", "2026-01-0a", "+026-01-01"};
    for (size_t i = 0; i < CT_ARRAY_LENGTH(good); i++)
        assert_true(api_text_is_date(good[i], strlen(good[i])));
    for (size_t i = 0; i < CT_ARRAY_LENGTH(bad); i++)
        assert_false(api_text_is_date(bad[i], strlen(bad[i])));
    refuses(API_OP_CREATE_TRACE, trace_body, "/incident/to", "\"2026-02-30\"", NULL,
            "a date of the calendar");
}

static void test_times(void **state)
{
    (void)state;
    static const char *const good[] = {"2026-11-01T12:34:56Z", "2026-11-01T23:59:59.1Z",
                                       "2026-11-01T00:00:00.123456789Z"};
    static const char *const bad[] = {"2026-11-01T12:34:56",
                                      "2026-11-01T12:34:56+00:00",
                                      "2026-11-01 12:34:56Z",
                                      "2026-11-01T24:00:00Z",
                                      "2026-11-01T12:60:00Z",
                                      "2026-11-01T12:34:60Z",
                                      "2026-11-01T12:34:56.Z",
                                      "2026-11-31T12:34:56Z",
                                      "2026-11-01T12:34:56.1234567890Z",
                                      "2026-11-01T12:34:5Z",
                                      "2026-11-01T12:34:56.12aZ",
                                      "2026-11-01T12-34:56Z",
                                      "2026-11-01T12:34:561Z",
                                      ""};
    for (size_t i = 0; i < CT_ARRAY_LENGTH(good); i++)
        assert_true(api_text_is_time(good[i], strlen(good[i])));
    for (size_t i = 0; i < CT_ARRAY_LENGTH(bad); i++)
        assert_false(api_text_is_time(bad[i], strlen(bad[i])));
    refuses(API_OP_CREATE_ACCOUNT_KEY, "{\"name\":\"a\",\"expires_at\":\"\"}", "/expires_at",
            "\"2026-11-01\"", NULL, "a time in UTC");
}

static void test_required(void **state)
{
    (void)state;
    static const char *const members[] = {"/case_number", "/purpose", "/offense", "/incident",
                                          "/specimens"};
    for (size_t i = 0; i < CT_ARRAY_LENGTH(members); i++)
        refuses(API_OP_CREATE_TRACE, trace_body, members[i], NULL, NULL, "required");
    refuses(API_OP_CREATE_TRACE, trace_body, "/specimens/0/exhibit", NULL, NULL, "required");
    accepts_change(API_OP_CREATE_TRACE, trace_body, "/urgency", NULL);
    accepts_change(API_OP_CREATE_TRACE, trace_body, "/specimens/0/caliber", NULL);
}

static void test_unknown_members(void **state)
{
    (void)state;
    refuses(API_OP_CREATE_TRACE, trace_body, "/specimen", "1", NULL, "no other members than");
    refuses(API_OP_CREATE_TRACE, trace_body, "/incident/at", "1", NULL, "no other members than");
    refuses(API_OP_CREATE_SALE, sale_body, "/purchaser/race", "\"x\"", NULL, "no other members");
    refuses(API_OP_CREATE_SALE, sale_body, "/purchaser/ssn", "null", NULL, "no other members");
}

static void test_array_sizes(void **state)
{
    (void)state;
    refuses(API_OP_CREATE_TRACE, trace_body, "/specimens", "[]", NULL, "1 to 16 elements");
    refuses(API_OP_CREATE_TRACE, trace_body, "/specimens/0/marks", "[{},{},{},{},{}]", NULL,
            "1 to 4 elements");
    refuses(API_OP_CREATE_ACCOUNT,
            "{\"organization\":\"org_" ID32 "\",\"name\":\"a\",\"kind\":\"person\",\"roles\":[]}",
            "/roles", "[]", NULL, "1 to 12 elements");
    json_t *body = parse(registration_body);
    json_t *rows = json_object_get(body, "firearms");
    while (json_array_size(rows) < 10001)
        assert_int_equal(json_array_append(rows, json_array_get(rows, 0)), 0);
    struct api_field_errors errors = {0};
    assert_int_equal(api_validate_body(API_OP_REGISTER_FIREARMS, body, &errors), CT_BAD_INPUT);
    assert_string_equal(errors.at[0].pointer, "/firearms");
    json_decref(body);
}

static void test_unique_items(void **state)
{
    (void)state;
    refuses(API_OP_CREATE_ORGANIZATION, organization_body, "/models", "[\"a\",\"b\",\"a\"]",
            "/models/2", "differs");
    accepts_change(API_OP_CREATE_ORGANIZATION, organization_body, "/models", "[\"a\",\"A\"]");
}

static void test_choice_by_member(void **state)
{
    (void)state;
    refuses(API_OP_CREATE_SALE, sale_body, "/firearm", "{}", NULL, "by maker and serial");
    refuses(API_OP_CREATE_SALE, sale_body, "/firearm", "{\"serial\":\"1\"}", NULL, "by id (id)");
    refuses(API_OP_CREATE_SALE, sale_body, "/firearm", "{\"maker\":\"x\"}", "/firearm/serial",
            "required");
    refuses(API_OP_CREATE_SALE, sale_body, "/firearm", "\"frm_x\"", NULL, "an object");
    refuses(API_OP_CREATE_SALE, sale_body, "/firearm", "{\"id\":\"frm_" ID32 "\",\"serial\":\"1\"}",
            "/firearm/serial", "no other members");
    struct api_field_errors errors = {0};
    json_t *empty = json_object();
    assert_int_equal(api_validate_body(API_OP_CREATE_CODE_BLOCK, empty, &errors), CT_BAD_INPUT);
    assert_string_equal(errors.at[0].pointer, "");
    json_decref(empty);
}

static void test_choice_by_value(void **state)
{
    (void)state;
    static const char agency[] = "{\"kind\":\"agency\",\"organization_name\":\"PD\",\"address\":{"
                                 "\"line1\":\"1\",\"city\":\"c\",\"state\":\"CA\",\"postal_code\":"
                                 "\"1\"}}";
    accepts_change(API_OP_CREATE_SALE, sale_body, "/purchaser", agency);
    accepts_change(API_OP_CREATE_SALE, sale_body, "/purchaser/kind", "\"person\"");
    refuses(API_OP_CREATE_SALE, sale_body, "/purchaser/kind", "\"trust\"", NULL,
            "one of: person, organization, agency");
    refuses(API_OP_CREATE_SALE, sale_body, "/purchaser/kind", "1", NULL, "one of: person");
    refuses(API_OP_CREATE_SALE, sale_body, "/purchaser/family_name", NULL, NULL, "required");
    refuses(API_OP_CREATE_SALE, sale_body, "/purchaser/address/state", "\"\"", NULL,
            "1 to 40 characters");
}

static void test_no_secret_is_repeated(void **state)
{
    (void)state;
    struct api_field_errors errors = {0};
    json_t *body = parse(sale_body);
    json_t *purchaser = json_object_get(body, "purchaser");
    json_object_set_new(purchaser, "given_name", json_string("Secret\nName"));
    json_object_set_new(purchaser, "date_of_birth", json_string("Secret"));
    json_object_set_new(purchaser, "id_document", json_string("Secret"));
    json_object_set_new(purchaser, "kind", json_string("person"));
    assert_int_equal(api_validate_body(API_OP_CREATE_SALE, body, &errors), CT_BAD_INPUT);
    assert_int_equal(errors.count, 3);
    for (unsigned i = 0; i < errors.count; i++) {
        assert_null(strstr(errors.at[i].text, "Secret"));
        assert_null(strstr(errors.at[i].pointer, "Secret"));
    }
    json_decref(body);
}

static void test_stops_at_twenty(void **state)
{
    (void)state;
    struct api_field_errors errors = {0};
    json_t *codes = json_array();
    for (int i = 0; i < 10000; i++)
        json_array_append_new(codes, json_integer(i));
    json_t *body = json_pack("{s:s,s:o,s:s,s:s}", "scheme", "R29-8", "codes", codes, "organization",
                             "x", "origin", "elsewhere");
    assert_int_equal(api_validate_body(API_OP_CREATE_CODE_BLOCK, body, &errors), CT_BAD_INPUT);
    assert_int_equal(errors.count, API_FIELD_ERRORS_MAX);
    assert_string_equal(errors.at[19].pointer, "/codes/19");
    assert_int_equal(api_validate_body(API_OP_CREATE_CODE_BLOCK, body, &errors), CT_BAD_INPUT);
    assert_int_equal(errors.count, API_FIELD_ERRORS_MAX);
    json_decref(body);
}

static void test_pointers(void **state)
{
    (void)state;
    refuses(API_OP_CREATE_MODEL, "{\"name\":\"a\",\"a/b~c\":1}", "/name", "\"b\"", "/a~1b~0c",
            "no other members");
    char text[API_POINTER_TEXT];
    struct api_pointer pointer = {.text = text};
    char name[400];
    memset(name, 'x', sizeof name);
    memcpy(name + API_POINTER_TEXT - 3, "\xc3\xa9", 2);
    name[sizeof name - 1] = '\0';
    api_pointer_member(&pointer, name);
    assert_true(pointer.full);
    assert_int_equal(strlen(text), API_POINTER_TEXT - 2); /* not half a character */
    api_pointer_index(&pointer, 7);
    assert_int_equal(strlen(text), API_POINTER_TEXT - 2);
    pointer = (struct api_pointer){.text = text};
    api_pointer_member(&pointer, "a\xff/\xc3");
    api_pointer_index(&pointer, 18446744073709551615u);
    assert_string_equal(text, "/a?~1?/18446744073709551615");
}

static void test_utf8(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "a",
                                       "\xc2\x80",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {
        "\x80",         "\xc0\x80",         "\xc1\xbf",         "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xc3",         "\xe2\x82",         "\xf0\x9f\x98",     "\xc3x"};
    for (size_t i = 0; i < CT_ARRAY_LENGTH(good); i++)
        assert_true(api_text_is_utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < CT_ARRAY_LENGTH(bad); i++)
        assert_false(api_text_is_utf8(bad[i], strlen(bad[i])));
    assert_false(api_text_is_utf8("a\0b", 3));
}

static void test_rows(void **state)
{
    (void)state;
    struct api_field_errors errors = {0};
    json_t *body = changed(registration_body, "/firearms/0/shipped_on", "\"2026-02-30\"");
    json_t *row = at(body, "/firearms/0");
    assert_int_equal(api_validate_envelope(API_OP_REGISTER_FIREARMS, body, &errors), CT_OK);
    assert_int_equal(api_validate_row(API_OP_REGISTER_FIREARMS, row, 17, &errors), CT_BAD_INPUT);
    assert_int_equal(errors.count, 1);
    assert_string_equal(errors.at[0].pointer, "/firearms/17/shipped_on");
    errors.count = 0;
    assert_int_equal(json_object_set_new(row, "shipped_on", json_string("2026-02-28")), 0);
    assert_int_equal(api_validate_row(API_OP_REGISTER_FIREARMS, row, 0, &errors), CT_OK);
    assert_int_equal(json_object_set_new(body, "mode", json_string("some")), 0);
    assert_int_equal(api_validate_envelope(API_OP_REGISTER_FIREARMS, body, &errors), CT_BAD_INPUT);
    assert_string_equal(errors.at[0].pointer, "/mode");
    errors.count = 0;
    assert_int_equal(api_validate_row(API_OP_CREATE_SALE, row, 0, &errors), CT_BAD_INPUT);
    assert_int_equal(api_validate_body(API_OP_GET_ME, body, &errors), CT_BAD_INPUT);
    json_decref(body);
}

static void query_refused(enum api_operation operation, const char *name, const char *value,
                          const char *pointer, const char *expected)
{
    struct api_field_errors errors = {0};
    json_t *typed = NULL;
    assert_int_equal(api_validate_query(operation, &name, &value, 1, &typed, &errors),
                     CT_BAD_INPUT);
    assert_null(typed);
    assert_int_equal(errors.count, 1);
    assert_string_equal(errors.at[0].pointer, pointer);
    assert_non_null(strstr(errors.at[0].text, expected));
}

static void test_query(void **state)
{
    (void)state;
    static const char *const names[] = {"limit", "state", "transaction_number"};
    static const char *const values[] = {"200", "pending", "DR1"};
    struct api_field_errors errors = {0};
    json_t *typed = NULL;
    assert_int_equal(api_validate_query(API_OP_LIST_SALES, names, values, 3, &typed, &errors),
                     CT_OK);
    assert_int_equal(json_integer_value(json_object_get(typed, "limit")), 200);
    assert_string_equal(json_string_value(json_object_get(typed, "state")), "pending");
    assert_int_equal(json_object_size(typed), 3);
    json_decref(typed);
    assert_int_equal(api_validate_query(API_OP_GET_ME, NULL, NULL, 0, &typed, &errors), CT_OK);
    assert_int_equal(json_object_size(typed), 0);
    json_decref(typed);

    static const char *const bad[] = {
        "0", "201", "-1", "1e2", "+5", "05", "", " 1", "1 ", "1.0", "99999999999999999999", "-0"};
    for (size_t i = 0; i < CT_ARRAY_LENGTH(bad); i++)
        query_refused(API_OP_LIST_SALES, "limit", bad[i], "/query/limit", "from 1 to 200");
    query_refused(API_OP_LIST_SALES, "Limit", "1", "/query/Limit", "parameter that this operation");
    query_refused(API_OP_LIST_SALES, "\xff", "1", "/query/?", "parameter that this operation");
    query_refused(API_OP_LIST_SALES, "state", "sold", "/query/state", "one of: pending");
    query_refused(API_OP_LIST_SALES, "state", "\xff", "/query/state", "one of: pending");
    query_refused(API_OP_LIST_SALES, "external_id", "\xc3", "/query/external_id", "characters");
    query_refused(API_OP_LIST_SALES, "from", "2026-02-30", "/query/from", "a date");
    query_refused(API_OP_GET_ME, "x", "1", "/query/x", "parameter that this operation");

    static const char *const twice[] = {"limit", "limit"};
    assert_int_equal(api_validate_query(API_OP_LIST_SALES, twice, values, 2, &typed, &errors),
                     CT_BAD_INPUT);
    assert_string_equal(errors.at[0].pointer, "/query/limit");
    assert_non_null(strstr(errors.at[0].text, "once"));
}

static void test_query_error_is_not_lost(void **state)
{
    (void)state;
    static const char *const names[] = {"limit", "state"};
    static const char *const values[] = {"x", "pending"};
    struct api_field_errors errors = {0};
    json_t *typed = NULL;
    assert_int_equal(api_validate_query(API_OP_LIST_SALES, names, values, 2, &typed, &errors),
                     CT_BAD_INPUT);
    assert_null(typed);
}

static void test_path(void **state)
{
    (void)state;
    static const char *const good[] = {"acc_" ID32, "key_" ID32};
    static const char *const bad[] = {"acc_" ID32, "acc_" ID32};
    struct api_field_errors errors = {0};
    json_t *typed = NULL;
    assert_int_equal(api_validate_path(API_OP_REVOKE_ACCOUNT_KEY, good, 2, &typed, &errors), CT_OK);
    assert_string_equal(json_string_value(json_object_get(typed, "key")), good[1]);
    json_decref(typed);
    typed = NULL;
    assert_int_equal(api_validate_path(API_OP_REVOKE_ACCOUNT_KEY, bad, 2, &typed, &errors),
                     CT_BAD_INPUT);
    assert_string_equal(errors.at[0].pointer, "/path/key");
    assert_int_equal(api_validate_path(API_OP_REVOKE_ACCOUNT_KEY, good, 1, &typed, &errors),
                     CT_BAD_INPUT);
    static const char *const index[] = {"9007199254740991"};
    assert_int_equal(api_validate_path(API_OP_GET_LOG_ENTRY, index, 1, &typed, &errors), CT_OK);
    assert_true(json_is_integer(json_object_get(typed, "index")));
    json_decref(typed);
    static const char *const beyond[] = {"9007199254740992"};
    assert_int_equal(api_validate_path(API_OP_GET_LOG_ENTRY, beyond, 1, &typed, &errors),
                     CT_BAD_INPUT);
}

static void test_idempotency_key(void **state)
{
    (void)state;
    struct api_field_errors errors = {0};
    char long_key[130];
    memset(long_key, 'k', 129);
    long_key[129] = '\0';
    assert_int_equal(api_validate_idempotency_key(API_OP_CREATE_SALE, "k-1", &errors),
                     API_ERROR_NONE);
    assert_int_equal(api_validate_idempotency_key(API_OP_CREATE_SALE, NULL, &errors),
                     API_ERROR_IDEMPOTENCY_KEY_REQUIRED);
    assert_int_equal(api_validate_idempotency_key(API_OP_CREATE_TRACE, NULL, &errors),
                     API_ERROR_NONE);
    assert_int_equal(api_validate_idempotency_key(API_OP_CREATE_ACCOUNT_KEY, "k", &errors),
                     API_ERROR_IDEMPOTENCY_KEY_REFUSED);
    assert_int_equal(api_validate_idempotency_key(API_OP_GET_ME, "k", &errors), API_ERROR_NONE);
    assert_int_equal(errors.count, 0);
    static const char *const bad[] = {"", "a b", "\xc3\xa9", "a\n"};
    for (size_t i = 0; i < CT_ARRAY_LENGTH(bad); i++)
        assert_int_equal(api_validate_idempotency_key(API_OP_CREATE_TRACE, bad[i], &errors),
                         API_ERROR_INVALID_REQUEST);
    assert_int_equal(api_validate_idempotency_key(API_OP_CREATE_SALE, long_key, &errors),
                     API_ERROR_INVALID_REQUEST);
    assert_int_equal(errors.count, 5);
    assert_string_equal(errors.at[0].pointer, "/header/Idempotency-Key");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_type),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_length_counts_code_points),
        cmocka_unit_test(test_enum_and_const),
        cmocka_unit_test(test_pattern),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_required),
        cmocka_unit_test(test_unknown_members),
        cmocka_unit_test(test_array_sizes),
        cmocka_unit_test(test_unique_items),
        cmocka_unit_test(test_choice_by_member),
        cmocka_unit_test(test_choice_by_value),
        cmocka_unit_test(test_no_secret_is_repeated),
        cmocka_unit_test(test_stops_at_twenty),
        cmocka_unit_test(test_pointers),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_query_error_is_not_lost),
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_idempotency_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
