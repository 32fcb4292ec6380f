// SPDX-License-Identifier: Apache-2.0
/* What batches know of the registry: one newest, never changed, alive as long as it is used. */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "keeper/knowledge.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

static void begin(struct knowledge_box *box)
{
    struct microstamp_matrix *matrix;
    assert_int_equal(microstamp_matrix_make_default(&matrix), MICROSTAMP_OK);
    memset(box, 0, sizeof *box);
    assert_int_equal(knowledge_init(box, matrix), CT_OK);
}

static void test_counts(void **state)
{
    (void)state;
    struct knowledge_box box;
    static struct knowledge_counts counts;
    memset(&counts, 0, sizeof counts);
    begin(&box);
    const struct knowledge *empty = knowledge_use(&box);
    assert_true(empty->registry.firearms == 0.0 && empty->registry.frequency[7] == NULL);
    assert_string_equal(microstamp_matrix_name(empty->matrix), "default-1");

    counts.firearms = 5;
    counts.r29 = 3;
    counts.opaque[4] = 4;
    counts.character[4][0]['R' - 'A' + 10] = 4;
    assert_int_equal(knowledge_renew(&box, &counts, NULL), CT_OK);
    const struct knowledge *full = knowledge_use(&box);
    assert_ptr_not_equal(full, empty);
    assert_true(full->registry.firearms == 5.0 && full->registry.r29 == 3.0);
    assert_true(full->registry.opaque[4] == 4.0 && full->registry.opaque[5] == 0.0);
    assert_null(full->registry.frequency[5]);
    assert_ptr_equal(full->matrix, empty->matrix);
    assert_true(empty->registry.firearms == 0.0); /* whoever has the old one keeps it */
    for (unsigned position = 0; position < 4; position++) {
        double sum = 0.0;
        for (unsigned c = 0; c < MICROSTAMP_OPAQUE_SIZE; c++) {
            assert_true(full->registry.frequency[4][position][c] > 0.0f);
            sum += (double)full->registry.frequency[4][position][c];
        }
        assert_true(fabs(sum - 1.0) < 1e-6);
    }
    assert_true(fabs((double)full->registry.frequency[4][0][27] - 5.0 / 40.0) < 1e-6);
    knowledge_done(&box, empty);
    knowledge_done(&box, full);
    knowledge_free(&box);
    knowledge_free(&box);
}

static void test_matrix(void **state)
{
    (void)state;
    struct knowledge_box box;
    static struct knowledge_counts counts;
    struct microstamp_matrix *other;
    begin(&box);
    const struct knowledge *before = knowledge_use(&box);
    assert_int_equal(microstamp_matrix_make_default(&other), MICROSTAMP_OK);
    assert_int_equal(knowledge_renew(&box, &counts, other), CT_OK);
    const struct knowledge *after = knowledge_use(&box);
    assert_ptr_equal(after->matrix, other);
    assert_ptr_not_equal(before->matrix, other);
    assert_int_equal(knowledge_renew(&box, &counts, NULL), CT_OK);
    knowledge_done(&box, before); /* frees the first matrix: a sanitizer sees it if not */
    assert_string_equal(microstamp_matrix_name(after->matrix), "default-1");
    knowledge_done(&box, after);
    knowledge_free(&box);
}

static void *use(void *argument)
{
    struct knowledge_box *box = argument;
    double last = 0.0;
    for (int i = 0; i < 20000; i++) {
        const struct knowledge *knowledge = knowledge_use(box);
        /* All of it is of one moment, and none is older than one seen before. */
        if (knowledge->registry.r29 != knowledge->registry.firearms ||
            knowledge->registry.firearms < last ||
            microstamp_matrix_name(knowledge->matrix)[0] != 'd')
            last = INFINITY;
        else
            last = knowledge->registry.firearms;
        knowledge_done(box, knowledge);
    }
    return isinf(last) ? argument : NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct knowledge_box box;
    static struct knowledge_counts counts;
    pthread_t threads[3];
    memset(&counts, 0, sizeof counts);
    begin(&box);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, &box), 0);
    for (int i = 1; i <= 2000; i++) {
        struct microstamp_matrix *matrix = NULL;
        counts.firearms = counts.r29 = i;
        if (i % 100 == 0)
            assert_int_equal(microstamp_matrix_make_default(&matrix), MICROSTAMP_OK);
        assert_int_equal(knowledge_renew(&box, &counts, matrix), CT_OK);
    }
    for (int i = 0; i < 3; i++) {
        void *wrong = NULL;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    knowledge_free(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_matrix),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
