// SPDX-License-Identifier: Apache-2.0
/* Readings, the confusion matrix, evidence, agreement. */

#include "tests/unit/test_microstamp_support.h"

static void test_reading(void **state)
{
    struct microstamp_reading reading = reading_from("4H7? 2[mN]9[0O]");

    (void)state;
    assert_int_equal(reading.set[0], 1u << 4);
    assert_int_equal(reading.set[3], ALL_SYMBOLS);
    assert_int_equal(reading.set[5], 1u << 19 | 1u << 20);
    assert_int_equal(reading.set[6], 1u << 9);
    /* Both fold to 0: then it was read. */
    assert_int_equal(reading.set[7], 1u);
    reading = reading_from("? ? ? ? - ? ? ? ?");
    for (unsigned i = 0; i < LENGTH; i++)
        assert_int_equal(reading.set[i], ALL_SYMBOLS);
}

static void assert_reading_fails(const char *text, size_t offset, const char *message)
{
    struct microstamp_reading reading = {{1, 2, 3, 4, 5, 6, 7, 8}}, before = reading;
    struct microstamp_error err;

    assert_int_equal(microstamp_reading_parse(text, strlen(text), &reading, &err),
                     MICROSTAMP_BAD_INPUT);
    assert_int_equal(err.offset, offset);
    assert_string_equal(err.text, message);
    assert_memory_equal(&reading, &before, sizeof(before));
    assert_int_equal(microstamp_reading_parse(text, strlen(text), &reading, NULL),
                     MICROSTAMP_BAD_INPUT);
}

static void test_reading_that_is_wrong(void **state)
{
    (void)state;
    assert_reading_fails("", 0, "expected 8 positions, found only 0");
    assert_reading_fails("4H7K 2M9 ", 9, "expected 8 positions, found only 7");
    assert_reading_fails("4H7K2M9X?", 8, "expected the end after 8 positions");
    assert_reading_fails("4H7K2M9X]", 8, "expected the end after 8 positions");
    assert_reading_fails("4H7K2M9[", 8, "expected ']' to end the choice");
    assert_reading_fails("4H7K2M9[AC", 10, "expected ']' to end the choice");
    assert_reading_fails("4[]", 2, "expected a letter or digit of the code in the choice");
    assert_reading_fails("4[A?]", 3, "expected a letter or digit of the code, or ']', found '?'");
    assert_reading_fails("4[A-F]", 3, "expected a letter or digit of the code, or ']', found '-'");
    assert_reading_fails("4[A F]", 3,
                         "expected a letter or digit of the code, or ']', found a space");
    assert_reading_fails("4[[A]]", 2, "expected a letter or digit of the code, or ']', found '['");
    assert_reading_fails("4]", 1, "expected a letter or digit of the code, '?' or '[', found ']'");
    assert_reading_fails("4*", 1, "expected a letter or digit of the code, '?' or '[', found '*'");
    assert_reading_fails("4\t", 1,
                         "expected a letter or digit of the code, '?' or '[', found a byte outside "
                         "of printable ASCII");
}

static void test_rows_sum_to_one(void **state)
{
    const struct microstamp_matrix *matrix = *state;

    assert_string_equal(microstamp_matrix_name(matrix), "default-1");
    for (unsigned t = 0; t < SIZE; t++) {
        double sum = 0.0;

        for (unsigned r = 0; r < SIZE; r++) {
            assert_true(microstamp_matrix_probability(matrix, t, r) > 0.0);
            sum += microstamp_matrix_probability(matrix, t, r);
        }
        assert_near(sum, 1.0, 1e-14);
        assert_near(microstamp_matrix_probability(matrix, t, t), 0.98, 1e-15);
    }
}

static double read_as(const struct microstamp_matrix *matrix, char t, char r)
{
    return microstamp_matrix_probability(matrix, (unsigned)microstamp_r29_symbol((unsigned char)t),
                                         (unsigned)microstamp_r29_symbol((unsigned char)r));
}

/* By hand from the groups: 7 stands in 1IL7T and 7TY, so it is confused with 1, T and Y; of 0D and
 * 0OQD only D is left for 0; 9 stands in no group; Z drops out of 2Z, so 2 is alone. */
static void test_matrix_by_hand(void **state)
{
    const struct microstamp_matrix *matrix = *state;

    assert_near(read_as(matrix, '7', '1'), 0.016 / 3, 1e-14);
    assert_near(read_as(matrix, '7', 'T'), 0.016 / 3, 1e-14);
    assert_near(read_as(matrix, '7', 'Y'), 0.016 / 3, 1e-14);
    assert_near(read_as(matrix, '7', '4'), 0.004 / 25, 1e-14);
    assert_near(read_as(matrix, '0', 'D'), 0.016, 1e-14);
    assert_near(read_as(matrix, '0', 'A'), 0.004 / 27, 1e-14);
    assert_near(read_as(matrix, '9', 'A'), 0.02 / 28, 1e-14);
    assert_near(read_as(matrix, '2', '5'), 0.02 / 28, 1e-14);
    assert_near(read_as(matrix, 'N', 'M'), 0.008, 1e-14);
    assert_near(read_as(matrix, 'N', 'H'), 0.008, 1e-14);
    assert_near(read_as(matrix, 'M', 'N'), 0.016, 1e-14);
}

static void test_another_matrix(void **state)
{
    const struct microstamp_matrix *standard = *state;
    struct microstamp_matrix *matrix = NULL;
    double probability[SIZE][SIZE];
    char name[65] = "";

    memcpy(probability, standard->probability, sizeof(probability));
    /* A lost stroke: E is read as F more often than F as E. */
    probability[13][14] += 0.01;
    probability[13][13] -= 0.01;
    assert_int_equal(microstamp_matrix_make("range-7", probability, &matrix), MICROSTAMP_OK);
    assert_string_equal(microstamp_matrix_name(matrix), "range-7");
    assert_near(read_as(matrix, 'E', 'F'), 0.026, 1e-14);
    assert_near(read_as(matrix, 'F', 'E'), 0.016, 1e-14);
    microstamp_matrix_free(matrix);

    matrix = NULL;
    assert_int_equal(microstamp_matrix_make("", probability, &matrix), MICROSTAMP_BAD_INPUT);
    memset(name, 'a', 64);
    assert_int_equal(microstamp_matrix_make(name, probability, &matrix), MICROSTAMP_BAD_INPUT);
    probability[0][0] += 1e-6;
    assert_int_equal(microstamp_matrix_make("sum", probability, &matrix), MICROSTAMP_BAD_INPUT);
    probability[0][0] = NAN;
    assert_int_equal(microstamp_matrix_make("nan", probability, &matrix), MICROSTAMP_BAD_INPUT);
    memcpy(probability, standard->probability, sizeof(probability));
    probability[3][3] += probability[3][4];
    probability[3][4] = 0.0;
    assert_int_equal(microstamp_matrix_make("zero", probability, &matrix), MICROSTAMP_BAD_INPUT);
    assert_null(matrix);
}

static void test_evidence(void **state)
{
    const struct microstamp_matrix *matrix = *state;
    struct microstamp_reading reading = reading_from("4H7?2[MN]9X");
    struct microstamp_code code = code_from("4H772N9K");
    struct microstamp_evidence evidence;
    double expected = pow(0.98, 5) /* 4 H 7 2 9 */ * (0.98 + 0.008) / 2 /* N as [MN] */ * 0.016;

    microstamp_evidence_init(matrix, &reading, &evidence);
    assert_near(microstamp_evidence_likelihood(&evidence, &code), expected, 1e-13);
    /* Whatever the unread character is. */
    code.symbol[3] = 12;
    assert_near(microstamp_evidence_likelihood(&evidence, &code), expected, 1e-13);
}

/* The transform by its definition, for a choice, whose row is a mean of rows. */
static void test_transform_of_a_choice(void **state)
{
    struct microstamp_reading reading = reading_from("[A7K]1111111");
    struct microstamp_evidence evidence;
    const struct microstamp_row *row;

    microstamp_evidence_init(*state, &reading, &evidence);
    row = microstamp_evidence_row(&evidence, 0);
    for (unsigned h = 0; h < 2 * SIZE; h++) {
        double re = 0.0, im = 0.0;

        for (unsigned t = 0; t < SIZE; t++) {
            re += row->p[t] * cos(2.0 * acos(-1.0) * h * t / SIZE);
            im += row->p[t] * sin(2.0 * acos(-1.0) * h * t / SIZE);
        }
        assert_true(fabs(row->re[h] - re) < 1e-13);
        assert_true(fabs(row->im[h] - im) < 1e-13);
    }
}

static void assert_agreement(const struct microstamp_matrix *matrix, const char *read,
                             const char *text, const char *expected)
{
    struct microstamp_reading reading = reading_from(read);
    struct microstamp_code code = code_from(text);
    struct microstamp_evidence evidence;
    char agreement[9];

    microstamp_evidence_init(matrix, &reading, &evidence);
    microstamp_agreement(&evidence, &code, agreement);
    assert_string_equal(agreement, expected);
}

static void test_agreement(void **state)
{
    assert_agreement(*state, "4H7? 2[MN]9X", "4H7K 2M9X", "===.=~==");
    assert_agreement(*state, "4H7K2M9X", "4H7K2M9X", "========");
    assert_agreement(*state, "????????", "4H7K2M9X", "........");
    /* 7 as 1 and N as M are easily confused, 4 as 5 is not, nor 9 with anything. */
    assert_agreement(*state, "4H1K2M9X", "5H7K2NAX", "x=~==~x=");
    /* None of the choice fits; M is confused with N, K with none of A and C. */
    assert_agreement(*state, "[NC]H7[AC]2M9X", "MH7K2M9X", "~==x====");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_reading_that_is_wrong),
        cmocka_unit_test(test_rows_sum_to_one),
        cmocka_unit_test(test_matrix_by_hand),
        cmocka_unit_test(test_another_matrix),
        cmocka_unit_test(test_evidence),
        cmocka_unit_test(test_transform_of_a_choice),
        cmocka_unit_test(test_agreement),
    };

    return cmocka_run_group_tests(tests, make_matrix, free_matrix);
}
