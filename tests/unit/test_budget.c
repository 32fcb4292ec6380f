// SPDX-License-Identifier: Apache-2.0
/* What traces cost, that a budget is never overspent, and what is found by counting. */
#include "keeper/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define DAY_MS 86400000LL
#define NOON(day) ((day)*DAY_MS + DAY_MS / 2)

static struct budget_use use_of(const char *state, int candidates, int unread, int64_t entry)
{
    return (struct budget_use){.state = state,
                               .candidates = candidates,
                               .unread = unread,
                               .first_entry = entry,
                               .last_entry = entry,
                               .times = 1};
}

static void identify(struct api_request *request, uint8_t account, uint8_t organization)
{
    memset(request, 0, sizeof *request);
    memset(request->identity.account, account, CT_UUID_BYTES);
    memset(request->identity.organization, organization, CT_UUID_BYTES);
}

/* One trace from beginning to end; false when the budget refuses it. */
static bool spend(struct budget *budget, uint8_t account, int64_t now_ms, struct budget_use use)
{
    struct api_request request;
    int64_t day = 0;
    identify(&request, account, 200);
    bool goes_on = budget_reserve(budget, &request, now_ms, &day);
    if (goes_on)
        budget_settle(budget, &request.identity, day, &use, now_ms);
    json_decref(request.answer);
    return goes_on;
}

static void test_cost(void **state)
{
    (void)state;
    static const struct {
        int candidates;
        uint32_t guns;
        unsigned cost;
    } rows[] = {{-1, 0, 1}, {0, 1, 1},   {1, 1, 1}, {2, 1, 2}, {6, 1, 2},  {7, 1, 3},
                {11, 1, 3}, {50, 1, 11}, {0, 2, 2}, {2, 2, 3}, {0, 16, 16}};
    for (size_t i = 0; i < CT_ARRAY_LENGTH(rows); i++)
        assert_int_equal(budget_cost(rows[i].candidates, rows[i].guns), rows[i].cost);
}

static void test_limits(void **state)
{
    (void)state;
    struct budget budget;
    budget_init(&budget, &(struct budget_limits){.account = 3, .agency = 5});
    for (int i = 0; i < 3; i++)
        assert_true(spend(&budget, 1, NOON(10), use_of("identified", 1, 0, i)));
    assert_false(spend(&budget, 1, NOON(10), use_of("identified", 1, 0, 3)));
    for (int i = 0; i < 2; i++)
        assert_true(spend(&budget, 2, NOON(10), use_of("identified", 1, 0, i)));
    assert_false(spend(&budget, 2, NOON(10), use_of("identified", 1, 0, 3)));
    /* A new day is a new budget, and a clock that was put back does not give the old one back. */
    for (int i = 0; i < 3; i++)
        assert_true(spend(&budget, 1, NOON(11), use_of("identified", 1, 0, i)));
    assert_false(spend(&budget, 1, NOON(10), use_of("identified", 1, 0, 3)));
    budget_free(&budget);
}

static void test_reserved(void **state)
{
    (void)state;
    struct budget budget;
    struct api_request requests[4];
    int64_t day[4] = {0};
    budget_init(&budget, &(struct budget_limits){.account = 2});
    for (int i = 0; i < 4; i++)
        identify(&requests[i], 1, 200);
    assert_true(budget_reserve(&budget, &requests[0], NOON(10), &day[0]));
    assert_true(budget_reserve(&budget, &requests[1], NOON(10), &day[1]));
    assert_false(budget_reserve(&budget, &requests[2], NOON(10), &day[2]));
    assert_int_equal(requests[2].error, API_ERROR_BUDGET_SPENT);
    assert_int_equal(requests[2].retry_after_s, 43200);
    assert_non_null(strstr(ct_json_string(requests[2].answer, "detail"), "1970-01-12T00:00:00"));
    /* What failed is given back; what was put aside yesterday is not taken from today. */
    budget_settle(&budget, &requests[0].identity, day[0], NULL, NOON(10));
    assert_true(budget_reserve(&budget, &requests[3], NOON(10), &day[3]));
    assert_true(spend(&budget, 1, NOON(11), use_of("identified", 1, 0, 1)));
    budget_settle(&budget, &requests[1].identity, day[1], NULL, NOON(11));
    budget_settle(&budget, &requests[3].identity, day[3], NULL, NOON(11));
    assert_true(spend(&budget, 1, NOON(11), use_of("identified", 1, 0, 2)));
    assert_false(spend(&budget, 1, NOON(11), use_of("identified", 1, 0, 3)));
    json_decref(requests[2].answer);
    budget_free(&budget);
}

static size_t count_findings(const struct budget_finding *findings, size_t count, const char *kind)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += strcmp(findings[i].kind, kind) == 0;
    return found;
}

static void test_findings(void **state)
{
    (void)state;
    struct budget budget;
    size_t count;
    budget_init(&budget, &(struct budget_limits){.account = 100, .agency = 70, .no_match = 50});
    for (int i = 0; i < 19; i++)
        assert_true(spend(&budget, 1, NOON(10), use_of("no_match", 0, 1, 100 + i)));
    assert_null(budget_findings_take(&budget, &count));
    assert_true(spend(&budget, 1, NOON(10), use_of("no_match", 0, 1, 119)));
    struct budget_finding *findings = budget_findings_take(&budget, &count);
    assert_int_equal(count, 1);
    assert_string_equal(findings->kind, "no_match");
    assert_int_equal(findings->tally.count, 20);
    assert_int_equal(findings->tally.first_entry, 100);
    assert_int_equal(findings->tally.last_entry, 119);
    assert_int_equal(findings->day, 10);
    budget_findings_return(&budget, findings, count);
    for (int i = 0; i < 30; i++)
        assert_true(spend(&budget, 1, NOON(10), use_of("no_match", 0, 2, 120 + i)));
    assert_false(spend(&budget, 1, NOON(10), use_of("no_match", 0, 2, 150)));
    for (int i = 0; i < 2; i++)
        assert_true(spend(&budget, 2, NOON(10), use_of("candidates", 50, 2, 151 + i)));
    findings = budget_findings_take(&budget, &count);
    assert_int_equal(count_findings(findings, count, "no_match"), 1);
    assert_int_equal(count_findings(findings, count, "no_match_limit"), 1);
    assert_int_equal(count_findings(findings, count, "wildcards_in_bulk"), 1);
    assert_int_equal(count_findings(findings, count, "many_firearms_by_candidates"), 1);
    assert_int_equal(count_findings(findings, count, "agency_budget_spent"), 1);
    assert_int_equal(count, 5);
    free(findings);
    budget_free(&budget);
}

static void test_loaded(void **state)
{
    (void)state;
    struct budget budget;
    struct api_request request;
    size_t count;
    struct budget_use uses = {.state = "no_match", .first_entry = 7, .last_entry = 90, .times = 25};
    identify(&request, 1, 200);
    budget_init(&budget, &(struct budget_limits){.account = 30, .no_match = 50});
    budget_begin(&budget, 10);
    assert_int_equal(
        budget_load(&budget, request.identity.account, request.identity.organization, &uses),
        CT_OK);
    for (int i = 0; i < 5; i++)
        assert_true(spend(&budget, 1, NOON(10), use_of("identified", 1, 0, 100)));
    assert_false(spend(&budget, 1, NOON(10), use_of("identified", 1, 0, 101)));
    struct budget_finding *findings = budget_findings_take(&budget, &count);
    assert_int_equal(count, 2); /* no_match again, which is recorded once, and budget_spent */
    free(findings);
    budget_free(&budget);
}

/* One firearm among those that were shown, again and again; others came in between. */
static void test_one_firearm(void **state)
{
    (void)state;
    struct budget budget;
    size_t count;
    budget_init(&budget, &(struct budget_limits){0});
    for (unsigned i = 0; i < 5; i++) {
        char touched[256];
        struct budget_use use = use_of("candidates", 2, 0, 10 + i);
        (void)snprintf(touched, sizeof touched,
                       "{\"trace\":\"trc_%032x\",\"firearms\":[\"frm_%032x\",\"frm_a1b2c3d4e5f60718"
                       "00000000000000ff\"]}",
                       i, i + 1);
        use.touched = touched;
        assert_true(spend(&budget, 7, NOON(10), use));
        assert_true(spend(&budget, 8, NOON(10), use_of("identified", 1, 0, 100)));
        struct budget_finding *findings = budget_findings_take(&budget, &count);
        assert_int_equal(count, i == 4 ? 1 : 0);
        if (i == 4) {
            assert_string_equal(findings->kind, "one_firearm_repeatedly");
            assert_int_equal(findings->account[0], 7);
            assert_int_equal(findings->tally.first_entry, 10);
            assert_int_equal(findings->tally.last_entry, 14);
        }
        free(findings);
    }
    budget_free(&budget);
}

/* What one answer tells of a firearm counts for its agency, and not for another. */
static void test_told(void **state)
{
    (void)state;
    struct budget budget;
    struct api_request request;
    struct api_told told[2] = {{.times = 1}, {.times = 3}};
    struct budget_use use = use_of("candidates", 2, 0, 10);
    const uint8_t other[CT_UUID_BYTES] = {1};
    memset(told[0].firearm, 0xa0, CT_UUID_BYTES);
    memset(told[1].firearm, 0xb0, CT_UUID_BYTES);
    use.told = told;
    use.told_count = 2;
    budget_init(&budget, &(struct budget_limits){0});
    assert_true(spend(&budget, 7, NOON(10), use));
    identify(&request, 7, 200);
    const uint8_t *agency = request.identity.organization;
    assert_false(budget_shown_often(&budget, agency, told[0].firearm));
    assert_true(budget_shown_often(&budget, agency, told[1].firearm));
    assert_false(budget_shown_often(&budget, other, told[1].firearm));
    assert_true(spend(&budget, 8, NOON(10), use));
    assert_true(spend(&budget, 9, NOON(10), use));
    assert_true(budget_shown_often(&budget, agency, told[0].firearm));
    budget_free(&budget);
}

/* One answer of several guns is as many guesses. */
static void test_several_guns(void **state)
{
    (void)state;
    struct budget budget;
    size_t count;
    struct budget_use use = use_of("identified", 3, 0, 10);
    use.guns = 12;
    use.unmatched = 10;
    budget_init(&budget, &(struct budget_limits){.account = 30, .no_match = 25});
    assert_true(spend(&budget, 7, NOON(10), use)); /* 13 units */
    assert_true(spend(&budget, 7, NOON(10), use));
    struct budget_finding *findings = budget_findings_take(&budget, &count);
    assert_int_equal(count_findings(findings, count, "no_match"), 1);
    assert_int_equal(count, 1);
    free(findings);
    assert_true(spend(&budget, 7, NOON(10), use));
    assert_false(spend(&budget, 7, NOON(10), use));
    findings = budget_findings_take(&budget, &count);
    assert_int_equal(count_findings(findings, count, "no_match_limit"), 1);
    assert_int_equal(count_findings(findings, count, "budget_spent"), 1);
    assert_int_equal(count, 2);
    free(findings);
    budget_free(&budget);
}

/* More accounts than the first table holds. */
static void test_many(void **state)
{
    (void)state;
    struct budget budget;
    struct api_request request;
    budget_init(&budget, &(struct budget_limits){.account = 1});
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 5000; i++) {
            int64_t day = 0;
            struct budget_use use = use_of("identified", 1, 0, i);
            identify(&request, 0, 200);
            memcpy(request.identity.account, &i, sizeof i);
            bool goes_on = budget_reserve(&budget, &request, NOON(10), &day);
            assert_true(goes_on == (round == 0));
            if (goes_on)
                budget_settle(&budget, &request.identity, day, &use, NOON(10));
            json_decref(request.answer);
        }
    }
    budget_free(&budget);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cost),        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_told),        cmocka_unit_test(test_several_guns),
        cmocka_unit_test(test_reserved),    cmocka_unit_test(test_findings),
        cmocka_unit_test(test_loaded),      cmocka_unit_test(test_many),
        cmocka_unit_test(test_one_firearm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
