// SPDX-License-Identifier: Apache-2.0
/* Each allocation of the engine fails in turn: an error comes out, nothing leaks, and the same
 * words serve for the next reading. Linked with --wrap, so that only our own calls come here. */

#include "tests/unit/test_microstamp_support.h"

static int calls_before_failure;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
    return calls_before_failure-- == 0 ? NULL : __real_calloc(count, size);
}

void *__wrap_malloc(size_t size)
{
    return calls_before_failure-- == 0 ? NULL : __real_malloc(size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return calls_before_failure-- == 0 ? NULL : __real_reallocarray(old, count, size);
}

static void test_matrix(void **state)
{
    struct microstamp_matrix *matrix = NULL;

    (void)state;
    calls_before_failure = 0;
    assert_int_equal(microstamp_matrix_make_default(&matrix), MICROSTAMP_NO_MEMORY);
    assert_null(matrix);
}

/* Three unread: the list and the heap both grow many times. */
static void test_words(void **state)
{
    struct microstamp_reading many = reading_from("4H7???9X"), one = reading_from("00000000");
    struct microstamp_matrix *matrix = NULL;
    struct microstamp_evidence evidence;
    struct microstamp_words words = {0};
    int failures = 0;
    bool failed;

    (void)state;
    calls_before_failure = -1;
    assert_int_equal(microstamp_matrix_make_default(&matrix), MICROSTAMP_OK);
    do {
        microstamp_evidence_init(matrix, &many, &evidence);
        calls_before_failure = failures;
        failed = microstamp_words_find(&evidence, 0, &words) == MICROSTAMP_NO_MEMORY;
        calls_before_failure = -1;
        if (failed) {
            failures++;
            assert_int_equal(words.count, 0);
            microstamp_evidence_init(matrix, &one, &evidence);
            assert_int_equal(microstamp_words_find(&evidence, 0, &words), MICROSTAMP_OK);
            assert_int_equal(words.count, 1);
            /* From the start again, or the next round would find the memory of this one. */
            microstamp_words_free(&words);
        }
    } while (failed);
    assert_true(failures >= 10);
    assert_int_equal(words.best_count, MICROSTAMP_WORDS_MAX);
    microstamp_words_free(&words);
    microstamp_matrix_free(matrix);
}

/* Three casings held in any way: combinations are scored, views have searches of their own. */
static void test_line(void **state)
{
    struct microstamp_observation many[3], one = {0};
    const struct microstamp_observation *pointers[3] = {&many[0], &many[1], &many[2]};
    const struct microstamp_observation *pointer = &one;
    struct microstamp_matrix *matrix = NULL;
    struct microstamp_line line = {0};
    struct microstamp_words words = {0};
    int failures = 0;
    bool failed;

    (void)state;
    calls_before_failure = -1;
    assert_int_equal(microstamp_matrix_make_default(&matrix), MICROSTAMP_OK);
    one = observation_from(MICROSTAMP_R29, "00000000");
    for (size_t k = 0; k < 3; k++) {
        many[k] = observation_from(MICROSTAMP_R29, "18M?9[HN]?0");
        many[k].orientation_unknown = many[k].rows_unknown = true;
    }
    do {
        calls_before_failure = failures;
        failed = microstamp_line_fuse(matrix, pointers, 3, &line) == MICROSTAMP_NO_MEMORY ||
                 microstamp_line_find(&line, 3000, &words) == MICROSTAMP_NO_MEMORY;
        calls_before_failure = -1;
        if (failed) {
            failures++;
            assert_int_equal(microstamp_line_fuse(matrix, &pointer, 1, &line), MICROSTAMP_OK);
            assert_int_equal(microstamp_line_find(&line, 0, &words), MICROSTAMP_OK);
            assert_int_equal(words.count, 1);
            microstamp_line_free(&line);
            microstamp_words_free(&words);
        }
    } while (failed);
    assert_true(failures >= 15);
    assert_int_equal(line.count, MICROSTAMP_VIEWS_MAX);
    microstamp_line_free(&line);
    microstamp_words_free(&words);
    microstamp_matrix_free(matrix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matrix),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
