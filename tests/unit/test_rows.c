// SPDX-License-Identifier: Apache-2.0
/* Bodies with rows of which some are refused before SQL sees them: each answer finds its place. */
#include "api/rows.h"

#include "api/statements.h"

#include <endian.h>
#include <libpq-fe.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ORDINAL 3
#define FITS "00000000" /* a code of the scheme; with any one character changed it is none */
#define FITS_NOT "00000001"

/* A row as it should be, but for its code; other members may be replaced afterwards. */
static json_t *row_of(const char *external_id, const char *code)
{
    json_t *row =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:[{s:s, s:s, s:s}], s:s, s:s}", "external_id",
                  external_id, "serial", "TD 437381", "model", "RL-9", "caliber", "9mm", "type",
                  "pistol", "marks", "placement", "firing_pin", "scheme", "R29-8", "code", code,
                  "shipped_to", "5-24-251-01-8D-61172", "shipped_on", "2026-03-06");
    assert_non_null(row);
    return row;
}

static struct api_request request_of(const char *mode, json_t *rows)
{
    struct api_request request = {
        .operation = API_OP_REGISTER_FIREARMS,
        .sql = API_SQL_register_firearms,
        .ordinal = ORDINAL,
        .body = json_pack("{s:s, s:o}", "mode", mode, "firearms", rows),
    };
    assert_non_null(request.body);
    return request;
}

static void before(struct api_request *request)
{
    struct api_context context = {0};
    api_firearms_register.before(&context, request);
}

static const json_t *input_rows(const struct api_request *request)
{
    return json_object_get(json_object_get(request->input, "body"), "firearms");
}

static const json_t *answer_row(const struct api_request *request, size_t index)
{
    return json_array_get(json_object_get(request->answer, "rows"), index);
}

static const char *first_pointer(const json_t *refusal)
{
    return ct_json_string(json_array_get(json_object_get(refusal, "errors"), 0), "pointer");
}

static int64_t number_of(const struct api_request *request, const char *member)
{
    return json_integer_value(json_object_get(request->answer, member));
}

/* ---- what SQL would have answered -------------------------------------------------------- */

static void set_value(PGresult *result, int column, const void *bytes, size_t length)
{
    char value[1024];
    assert_true(length < sizeof value);
    memcpy(value, bytes, length);
    assert_int_equal(PQsetvalue(result, 0, column, value, (int)length), 1);
}

/* One row (ordinal, outcome, answer, subject) in binary form; the answer may be NULL. */
static struct store_result *result_of(const char *outcome, const char *answer)
{
    static char name[] = "column";
    PGresAttDesc columns[4];
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    uint32_t ordinal = htobe32(ORDINAL);
    char jsonb[1024] = {1}; /* its version, then the text */
    memset(columns, 0, sizeof columns);
    for (int i = 0; i < 4; i++)
        columns[i].name = name;
    assert_non_null(result);
    assert_int_equal(PQsetResultAttrs(result, 4, columns), 1);
    set_value(result, 0, &ordinal, sizeof ordinal);
    set_value(result, 1, outcome, strlen(outcome));
    for (int column = 2; column < 4; column++) {
        if (answer == NULL || column == 3) {
            assert_int_equal(PQsetvalue(result, 0, column, NULL, -1), 1);
            continue;
        }
        assert_true(strlen(answer) + 1 < sizeof jsonb);
        memcpy(jsonb + 1, answer, strlen(answer));
        set_value(result, column, jsonb, strlen(answer) + 1);
    }
    return (struct store_result *)result;
}

static void finish(struct api_request *request, const char *outcome, const char *answer)
{
    struct api_context context = {0};
    struct ct_error err = {.text = ""};
    struct store_result *result = result_of(outcome, answer);
    assert_int_equal(api_firearms_register.finish(&context, NULL, &request, 1, result, &err),
                     CT_OK);
    store_result_free(result);
}

/* ---- tests ------------------------------------------------------------------------------- */

static void test_partial(void **state)
{
    (void)state;
    json_t *no_serial = row_of("B", FITS);
    assert_int_equal(json_object_del(no_serial, "serial"), 0);
    struct api_request request = request_of(
        "partial", json_pack("[o, o, o, o, o]", row_of("A", FITS_NOT), no_serial,
                             row_of("C", "0000 0000"), row_of("D", FITS_NOT), row_of("E", FITS)));
    before(&request);
    assert_int_equal(request.error, API_ERROR_NONE);
    assert_null(request.answer);
    /* SQL sees what is left of them, with codes in their one form; the request itself stays. */
    assert_int_equal(json_array_size(input_rows(&request)), 2);
    const json_t *kept = json_array_get(input_rows(&request), 0);
    assert_string_equal(ct_json_string(kept, "external_id"), "C");
    assert_string_equal(ct_json_string(json_array_get(json_object_get(kept, "marks"), 0), "code"),
                        FITS);
    assert_int_equal(json_array_size(json_object_get(request.body, "firearms")), 5);

    finish(&request, "ok",
           "{\"mode\":\"partial\",\"accepted\":1,\"refused\":1,\"rows\":["
           "{\"external_id\":\"C\",\"state\":\"stored\"},"
           "{\"external_id\":\"E\",\"state\":\"refused\"}]}");
    assert_int_equal(json_array_size(json_object_get(request.answer, "rows")), 5);
    static const char *const ids[] = {"A", "B", "C", "D", "E"};
    static const char *const states[] = {"refused", "refused", "stored", "refused", "refused"};
    for (size_t i = 0; i < CT_ARRAY_LENGTH(ids); i++) {
        assert_string_equal(ct_json_string(answer_row(&request, i), "external_id"), ids[i]);
        assert_string_equal(ct_json_string(answer_row(&request, i), "state"), states[i]);
    }
    assert_string_equal(first_pointer(answer_row(&request, 0)), "/firearms/0/marks/0/code");
    assert_string_equal(first_pointer(answer_row(&request, 1)), "/firearms/1/serial");
    assert_string_equal(first_pointer(answer_row(&request, 3)), "/firearms/3/marks/0/code");
    assert_int_equal(number_of(&request, "accepted"), 1);
    assert_int_equal(number_of(&request, "refused"), 4);
    api_request_clear(&request);
}

/* All were right: the answer is SQL's own. */
static void test_nothing_put_aside(void **state)
{
    (void)state;
    static const char answer[] = "{\"mode\":\"partial\",\"accepted\":2,\"refused\":0,\"rows\":["
                                 "{\"external_id\":\"A\"},{\"external_id\":\"B\"}]}";
    struct api_request request =
        request_of("partial", json_pack("[o, o]", row_of("A", FITS), row_of("B", FITS)));
    before(&request);
    assert_int_equal(json_array_size(input_rows(&request)), 2);
    finish(&request, "ok", answer);
    json_t *expected = json_loads(answer, 0, NULL);
    assert_true(json_equal(request.answer, expected));
    json_decref(expected);
    api_request_clear(&request);
}

/* SQL has nothing to say then, and is not asked: the answer is there. */
static void test_all_put_aside(void **state)
{
    (void)state;
    struct api_request request =
        request_of("partial", json_pack("[o, o]", row_of("A", FITS_NOT), row_of("B", FITS_NOT)));
    before(&request);
    assert_int_equal(request.error, API_ERROR_NONE);
    assert_non_null(request.answer);
    assert_int_equal(number_of(&request, "accepted"), 0);
    assert_int_equal(number_of(&request, "refused"), 2);
    assert_string_equal(first_pointer(answer_row(&request, 1)), "/firearms/1/marks/0/code");
    api_request_clear(&request);
}

/* One wrong row, and nothing of the request is done. */
static void test_atomic(void **state)
{
    (void)state;
    struct api_request request =
        request_of("atomic", json_pack("[o, o, o]", row_of("A", FITS), row_of("B", FITS_NOT),
                                       row_of("C", FITS_NOT)));
    before(&request);
    assert_int_equal(request.error, API_ERROR_ROWS_REFUSED);
    assert_int_equal(json_array_size(json_object_get(request.answer, "errors")), 2);
    assert_string_equal(first_pointer(request.answer), "/firearms/1/marks/0/code");
    api_request_clear(&request);
}

/* However many are wrong, the answer stays within bounds. */
static void test_many_wrong(void **state)
{
    (void)state;
    json_t *rows = json_array();
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(json_array_append_new(rows, row_of("A", FITS_NOT)), 0);
    struct api_request request = request_of("atomic", rows);
    before(&request);
    assert_int_equal(request.error, API_ERROR_ROWS_REFUSED);
    assert_in_range(json_array_size(json_object_get(request.answer, "errors")), 1, 200);
    api_request_clear(&request);
}

/* A name that is no name, or too long a one, is not given back. */
static void test_external_id(void **state)
{
    (void)state;
    char longer[66];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    json_t *number = row_of("A", FITS);
    assert_int_equal(json_object_set_new(number, "external_id", json_integer(7)), 0);
    struct api_request request =
        request_of("partial", json_pack("[o, o, o, o]", number, row_of(longer, FITS),
                                        json_string("no row"), row_of("D", FITS)));
    before(&request);
    assert_int_equal(json_array_size(input_rows(&request)), 1);
    finish(
        &request, "ok",
        "{\"mode\":\"partial\",\"accepted\":1,\"refused\":0,\"rows\":[{\"external_id\":\"D\"}]}");
    for (size_t i = 0; i < 3; i++)
        assert_true(json_is_null(json_object_get(answer_row(&request, i), "external_id")));
    assert_string_equal(ct_json_string(answer_row(&request, 3), "external_id"), "D");
    assert_int_equal(number_of(&request, "refused"), 3);
    api_request_clear(&request);
}

/* A refusal by SQL has no rows to be put anything between. */
static void test_refused_by_sql(void **state)
{
    (void)state;
    struct api_request request =
        request_of("partial", json_pack("[o, o]", row_of("A", FITS_NOT), row_of("B", FITS)));
    before(&request);
    finish(&request, "rows_refused", "{\"detail\":\"nothing was stored\"}");
    assert_int_equal(request.error, API_ERROR_ROWS_REFUSED);
    assert_null(json_object_get(request.answer, "rows"));
    api_request_clear(&request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_partial),        cmocka_unit_test(test_nothing_put_aside),
        cmocka_unit_test(test_all_put_aside),  cmocka_unit_test(test_atomic),
        cmocka_unit_test(test_many_wrong),     cmocka_unit_test(test_external_id),
        cmocka_unit_test(test_refused_by_sql),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
