// SPDX-License-Identifier: Apache-2.0
/* Which position to look at again: where the candidates differ, of the mark that does not show it.
 */

#include "tests/unit/test_microstamp_exam_support.h"

/* Two codes that differ at positions 0, 1 and 2 only. */
static const char code_a[] = "00000000";
static char code_b[9];

static void fill_registry(void)
{
    struct microstamp_code code = code_from(code_a);

    code.symbol[0] = 1;
    microstamp_r29_solve(&code, 1, 2);
    microstamp_r29_canonical(&code, code_b);
    assert_int_equal(strspn(code_b + 3, "0"), 5);
    registry_clear(2);
    (void)add_recorded(true, 0, MICROSTAMP_R29, code_a);
    (void)add_recorded(true, 0, MICROSTAMP_R29, code_b);
}

static void test_where_candidates_differ(void **state)
{
    const struct microstamp_group *group;
    struct microstamp_next next[8];
    size_t groups, count;

    fill_registry();
    begin_exam(*state);
    observe(2, 0, MICROSTAMP_R29, "???0000?");
    group = examine(&groups);
    assert_int_equal(group->ranking.state, MICROSTAMP_CANDIDATES);
    assert_int_equal(found_count, 2);
    count = microstamp_examination_next_best(exam, 0, next, 8);
    assert_true(count >= 3);
    for (size_t n = 0; n < 3; n++) {
        assert_int_equal(next[n].specimen, 2);
        assert_int_equal(next[n].mark, 0);
        assert_true(next[n].position <= 2);
        /* Two even candidates: one bit, less what a misreading costs. */
        assert_true(next[n].bits > 0.8 && next[n].bits < 1.1);
        assert_true(n == 0 || next[n].bits <= next[n - 1].bits);
    }
    /* The position where they agree tells only what little else it could be. */
    assert_true(count == 3 || (next[3].position == 7 && next[3].bits < 0.1));
    assert_int_equal(microstamp_examination_next_best(exam, 0, next, 2), 2);
    assert_int_equal(microstamp_examination_next_best(exam, 0, next, 0), 0);
}

/* A choice that leaves the candidates open is worth as much as nothing read. */
static void test_choice(void **state)
{
    struct microstamp_next next[3];
    size_t groups;

    fill_registry();
    begin_exam(*state);
    observe(0, 0, MICROSTAMP_R29, "[01]??00000");
    (void)examine(&groups);
    assert_int_equal(microstamp_examination_next_best(exam, 0, next, 3), 3);
    for (size_t n = 0; n < 3; n++)
        assert_true(next[n].bits > 0.8);
}

static void test_nothing_to_ask(void **state)
{
    struct microstamp_next next[3];
    const struct microstamp_group *group;
    size_t groups;

    fill_registry();
    begin_exam(*state);
    observe(0, 0, MICROSTAMP_R29, code_a);
    group = examine(&groups);
    assert_int_equal(group->ranking.state, MICROSTAMP_IDENTIFIED);
    assert_int_equal(microstamp_examination_next_best(exam, 0, next, 3), 0);
}

/* Held upside down, perhaps: the position is counted as it was written down. */
static void test_unknown_orientation(void **state)
{
    struct microstamp_next next[3];
    size_t groups, count;

    fill_registry();
    registry.firearms = 1000;
    begin_exam(*state);
    observe(0, 0, MICROSTAMP_R29, "???0000H");
    seen[0].orientation_unknown = true;
    (void)examine(&groups);
    count = microstamp_examination_next_best(exam, 0, next, 3);
    for (size_t n = 0; n < count; n++)
        assert_true(next[n].position <= 2);
}

static void test_opaque(void **state)
{
    struct microstamp_next next[3];
    const struct microstamp_group *group;
    size_t groups;

    registry_clear(10);
    (void)add_recorded(true, 4, MICROSTAMP_OPAQUE, "AB12CX");
    (void)add_recorded(true, 4, MICROSTAMP_OPAQUE, "AB12DX");
    begin_exam(*state);
    observe(0, 4, MICROSTAMP_OPAQUE, "AB12??");
    group = examine(&groups);
    assert_int_equal(found_count, 2);
    assert_int_equal(group->ranking.state, MICROSTAMP_CANDIDATES);
    assert_true(microstamp_examination_next_best(exam, 0, next, 3) >= 1);
    assert_int_equal(next[0].position, 4);
    assert_true(next[0].bits > 0.7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_candidates_differ),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_nothing_to_ask),
        cmocka_unit_test(test_unknown_orientation),
        cmocka_unit_test(test_opaque),
    };

    return cmocka_run_group_tests(tests, make_matrix, free_exam);
}
