// SPDX-License-Identifier: Apache-2.0
/* Each allocation of an examination fails in turn: an error comes out, nothing leaks, and the same
 * examination serves for the next trace. Linked with --wrap, so that only our own calls come here.
 */

#include "tests/unit/test_microstamp_exam_support.h"

static int calls_before_failure = -1;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);

void *__wrap_malloc(size_t size)
{
    return calls_before_failure-- == 0 ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return calls_before_failure-- == 0 ? NULL : __real_calloc(count, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return calls_before_failure-- == 0 ? NULL : __real_reallocarray(old, count, size);
}

static enum microstamp_status whole_trace(const struct microstamp_matrix *matrix,
                                          const struct microstamp_candidate *candidates)
{
    const struct microstamp_lookup *lookup;
    enum microstamp_status status;
    size_t count;

    microstamp_examination_begin(exam, matrix, &registry);
    observe(0, 0, MICROSTAMP_R29, "0000??00");
    observe(1, 0, MICROSTAMP_R29, "00000?00");
    observe(2, 1, MICROSTAMP_OPAQUE, "A?12CD34");
    observe(3, -1, MICROSTAMP_OPAQUE, "[AX]B12C");
    status = microstamp_examination_plan(exam, 0, &lookup, &count);
    if (status == MICROSTAMP_OK)
        status = microstamp_examination_resolve(exam, candidates, 3);
    return status;
}

static void test_trace(void **state)
{
    struct microstamp_candidate candidates[3];
    enum microstamp_status status;
    int failures = 0;
    size_t groups;

    calls_before_failure = -1;
    registry_clear(1000);
    for (size_t c = 0; c < 3; c++) {
        (void)add_recorded(true, 0, MICROSTAMP_R29, "00000000");
        candidates[c] = (struct microstamp_candidate){.mark = guns[c].mark, .mark_count = 1};
        for (unsigned s = 0; s < MICROSTAMP_SPECIMENS_MAX; s++)
            candidates[c].factor[s] = 1.0;
    }
    do {
        exam = NULL;
        calls_before_failure = failures;
        status = microstamp_examination_make(&exam);
        if (status == MICROSTAMP_OK)
            status = whole_trace(*state, candidates);
        calls_before_failure = -1;
        if (status != MICROSTAMP_OK) {
            assert_int_equal(status, MICROSTAMP_NO_MEMORY);
            failures++;
            if (exam != NULL) {
                (void)microstamp_examination_groups(exam, &groups);
                assert_int_equal(groups, 0);
                assert_int_equal(whole_trace(*state, candidates), MICROSTAMP_OK);
                (void)microstamp_examination_groups(exam, &groups);
                assert_true(groups >= 1);
            }
            microstamp_examination_free(exam);
        }
    } while (status != MICROSTAMP_OK);
    assert_true(failures >= 20);
}

/* Used again, an examination needs nothing more. */
static void test_no_allocation_after_the_first_use(void **state)
{
    const struct microstamp_lookup *lookup;
    size_t count;

    begin_exam(*state);
    observe(0, 0, MICROSTAMP_R29, "00000000");
    assert_int_equal(microstamp_examination_plan(exam, 0, &lookup, &count), MICROSTAMP_OK);
    found_count = 0;
    assert_int_equal(microstamp_examination_resolve(exam, found, 0), MICROSTAMP_OK);
    calls_before_failure = 0;
    begin_exam(*state);
    observe(0, 0, MICROSTAMP_R29, "4H7K2M9X");
    assert_int_equal(microstamp_examination_plan(exam, 0, &lookup, &count), MICROSTAMP_OK);
    assert_int_equal(microstamp_examination_resolve(exam, found, 0), MICROSTAMP_OK);
    calls_before_failure = -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trace),
        cmocka_unit_test(test_no_allocation_after_the_first_use),
    };

    return cmocka_run_group_tests(tests, make_matrix, free_exam);
}
