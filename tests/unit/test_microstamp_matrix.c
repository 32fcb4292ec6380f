// SPDX-License-Identifier: Apache-2.0
/* Confusion matrices: the default, measured and learned ones. */

#include "tests/unit/test_microstamp_support.h"

static const enum microstamp_alphabet alphabets[] = {MICROSTAMP_R29, MICROSTAMP_OPAQUE};

static void assert_rows_sum_to_one(const struct microstamp_matrix *matrix)
{
    for (unsigned a = 0; a < 2; a++) {
        unsigned size = microstamp_alphabet_size(alphabets[a]);

        for (unsigned t = 0; t < size; t++) {
            double sum = 0.0;

            for (unsigned r = 0; r < size; r++) {
                double p = microstamp_matrix_probability(matrix, alphabets[a], t, r);

                assert_true(p >= MICROSTAMP_PROBABILITY_MIN);
                sum += p;
            }
            assert_near(sum, 1.0, 1e-13);
        }
    }
}

static void test_rows_sum_to_one(void **state)
{
    const struct microstamp_matrix *matrix = *state;

    assert_string_equal(microstamp_matrix_name(matrix), "default-1");
    assert_rows_sum_to_one(matrix);
    for (unsigned t = 0; t < SIZE; t++)
        assert_near(microstamp_matrix_probability(matrix, MICROSTAMP_R29, t, t), 0.98, 1e-15);
}

static double read_as(const struct microstamp_matrix *matrix, enum microstamp_alphabet alphabet,
                      char t, char r)
{
    return microstamp_matrix_probability(matrix, alphabet, (unsigned)microstamp_symbol(alphabet, t),
                                         (unsigned)microstamp_symbol(alphabet, r));
}

/* By hand from the groups: 7 stands in 1IL7T and 7TY, so it is confused with 1, T and Y; of 0D and
 * 0OQD only D is left for 0; 9 stands in no group; Z drops out of 2Z, so 2 is alone. */
static void test_r29_by_hand(void **state)
{
    const struct microstamp_matrix *matrix = *state;

    assert_near(read_as(matrix, MICROSTAMP_R29, '7', '1'), 0.016 / 3, 1e-14);
    assert_near(read_as(matrix, MICROSTAMP_R29, '7', 'T'), 0.016 / 3, 1e-14);
    assert_near(read_as(matrix, MICROSTAMP_R29, '7', 'Y'), 0.016 / 3, 1e-14);
    assert_near(read_as(matrix, MICROSTAMP_R29, '7', '4'), 0.004 / 25, 1e-14);
    assert_near(read_as(matrix, MICROSTAMP_R29, '0', 'D'), 0.016, 1e-14);
    assert_near(read_as(matrix, MICROSTAMP_R29, '0', 'A'), 0.004 / 27, 1e-14);
    assert_near(read_as(matrix, MICROSTAMP_R29, '9', 'A'), 0.02 / 28, 1e-14);
    assert_near(read_as(matrix, MICROSTAMP_R29, '2', '5'), 0.02 / 28, 1e-14);
    assert_near(read_as(matrix, MICROSTAMP_R29, 'N', 'M'), 0.008, 1e-14);
    assert_near(read_as(matrix, MICROSTAMP_R29, 'N', 'H'), 0.008, 1e-14);
    assert_near(read_as(matrix, MICROSTAMP_R29, 'M', 'N'), 0.016, 1e-14);
}

/* In OPAQUE all are there: 7 with 1 I L T Y, 0 with O Q D, 2 with Z. */
static void test_opaque_by_hand(void **state)
{
    const struct microstamp_matrix *matrix = *state;

    assert_near(read_as(matrix, MICROSTAMP_OPAQUE, '7', 'I'), 0.016 / 5, 1e-14);
    assert_near(read_as(matrix, MICROSTAMP_OPAQUE, '7', '4'), 0.004 / 30, 1e-14);
    assert_near(read_as(matrix, MICROSTAMP_OPAQUE, '0', 'O'), 0.016 / 3, 1e-14);
    assert_near(read_as(matrix, MICROSTAMP_OPAQUE, '2', 'Z'), 0.016, 1e-14);
    assert_near(read_as(matrix, MICROSTAMP_OPAQUE, '9', 'A'), 0.02 / 35, 1e-14);
}

static void assert_make_fails(const char *name, const struct microstamp_rates *rates, size_t offset,
                              const char *message)
{
    struct microstamp_matrix *matrix = NULL;
    struct microstamp_error err;

    assert_int_equal(microstamp_matrix_make(name, rates, &matrix, &err), MICROSTAMP_BAD_INPUT);
    assert_int_equal(err.offset, offset);
    assert_string_equal(err.text, message);
    assert_int_equal(microstamp_matrix_make(name, rates, &matrix, NULL), MICROSTAMP_BAD_INPUT);
    assert_null(matrix);
}

static void test_another_matrix(void **state)
{
    static const char row3[] = "expected the row of 3 in R29-8 to be at least 1e-9 and sum to 1";
    const struct microstamp_matrix *standard = *state;
    struct microstamp_matrix *matrix = NULL;
    struct microstamp_rates rates = standard->rates;
    char name[65] = "";

    /* A lost stroke: E is read as F more often than F as E. */
    rates.r29[13][14] += 0.01;
    rates.r29[13][13] -= 0.01;
    assert_int_equal(microstamp_matrix_make("range-7", &rates, &matrix, NULL), MICROSTAMP_OK);
    assert_string_equal(microstamp_matrix_name(matrix), "range-7");
    assert_near(read_as(matrix, MICROSTAMP_R29, 'E', 'F'), 0.026, 1e-14);
    assert_near(read_as(matrix, MICROSTAMP_R29, 'F', 'E'), 0.016, 1e-14);
    microstamp_matrix_free(matrix);

    assert_make_fails("", &rates, 65, "expected a name of 1 to 63 bytes");
    memset(name, 'a', 64);
    assert_make_fails(name, &rates, 65, "expected a name of 1 to 63 bytes");
    rates.r29[3][3] += 1e-6;
    assert_make_fails("sum", &rates, 3, row3);
    rates.r29[3][3] = NAN;
    assert_make_fails("nan", &rates, 3, row3);
    rates = standard->rates;
    rates.r29[3][3] += rates.r29[3][4];
    rates.r29[3][4] = 0.0;
    assert_make_fails("zero", &rates, 3, row3);
    rates = standard->rates;
    rates.opaque[35][0] += 0.1;
    assert_make_fails("opaque", &rates, 64,
                      "expected the row of Z in opaque to be at least 1e-9 and sum to 1");
}

/* 8 was read 300 times: 250 times right, 30 as B, 20 as 3. */
static void test_learned_by_hand(void **state)
{
    static struct microstamp_counts counts; /* zero */
    struct microstamp_rates rates;
    struct microstamp_matrix *matrix;

    (void)state;
    counts.count[8][8] = 250;
    counts.count[8][11] = 30;
    counts.count[8][3] = 20;
    microstamp_rates_learn(&counts, &rates);
    assert_int_equal(microstamp_matrix_make("learned", &rates, &matrix, NULL), MICROSTAMP_OK);
    assert_rows_sum_to_one(matrix);
    /* 8 is taken for B and 3 at 0.008 each by default, which counts for 100 readings. */
    assert_near(read_as(matrix, MICROSTAMP_OPAQUE, '8', '8'), (250 + 98.0) / 400, 1e-7);
    assert_near(read_as(matrix, MICROSTAMP_OPAQUE, '8', 'B'), (30 + 0.8) / 400, 1e-7);
    assert_near(read_as(matrix, MICROSTAMP_OPAQUE, '8', '3'), (20 + 0.8) / 400, 1e-7);
    assert_near(read_as(matrix, MICROSTAMP_OPAQUE, '3', '8'), 0.008, 1e-6);
    /* In R29-8 a B is an 8: that was read right. 8 is taken for 3 only. */
    assert_near(read_as(matrix, MICROSTAMP_R29, '8', '8'), (280 + 98.0) / 400, 1e-7);
    assert_near(read_as(matrix, MICROSTAMP_R29, '8', '3'), (20 + 1.6) / 400, 1e-7);
    microstamp_matrix_free(matrix);
}

static void test_learned_rows_sum_to_one(void **state)
{
    static struct microstamp_counts counts;
    struct microstamp_rates rates;
    struct microstamp_matrix *matrix;
    uint64_t random = 40;

    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned t = 0; t < MICROSTAMP_OPAQUE_SIZE; t++) {
            for (unsigned r = 0; r < MICROSTAMP_OPAQUE_SIZE; r++) {
                unsigned kind = random_below(&random, 8);

                counts.count[t][r] = kind == 0  ? UINT32_MAX
                                     : kind < 4 ? random_below(&random, 1000)
                                                : 0;
            }
        }
        microstamp_rates_learn(&counts, &rates);
        assert_int_equal(microstamp_matrix_make("learned", &rates, &matrix, NULL), MICROSTAMP_OK);
        assert_rows_sum_to_one(matrix);
        microstamp_matrix_free(matrix);
    }
}

/* Nothing counted: the default, but for the least probability mixed in. */
static void test_learned_of_nothing(void **state)
{
    static struct microstamp_counts counts;
    const struct microstamp_matrix *standard = *state;
    struct microstamp_rates rates;

    microstamp_rates_learn(&counts, &rates);
    for (unsigned t = 0; t < SIZE; t++) {
        for (unsigned r = 0; r < SIZE; r++)
            assert_true(fabs(rates.r29[t][r] - standard->rates.r29[t][r]) < 1e-7);
    }
}

/* What the pin presents: 0.99 what was engraved, the rest as that is confused. */
static void test_presented(void **state)
{
    const struct microstamp_matrix *matrix = *state;

    for (unsigned a = 0; a < 2; a++) {
        unsigned size = microstamp_alphabet_size(alphabets[a]);

        for (unsigned t = 0; t < size; t++) {
            double sum = 0.0;

            for (unsigned s = 0; s < size; s++)
                sum += matrix->present[alphabets[a]][s][t];
            assert_near(sum, 1.0, 1e-14);
            assert_near(matrix->present[alphabets[a]][t][t], 0.99, 1e-15);
        }
    }
    /* M is taken for N with 0.016 of 0.02. */
    assert_near(matrix->present[MICROSTAMP_R29][20][19], 0.01 * 0.8, 1e-12);
}

static void test_symbols(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 2; a++) {
        unsigned size = microstamp_alphabet_size(alphabets[a]);

        assert_int_equal(size, a == 0 ? 29 : 36);
        for (unsigned s = 0; s < size; s++) {
            char c = microstamp_character(alphabets[a], s);

            assert_int_equal(microstamp_symbol(alphabets[a], c), (int)s);
            if (c >= 'A')
                assert_int_equal(microstamp_symbol(alphabets[a], (char)(c - 'A' + 'a')), (int)s);
        }
        for (int c = -128; c < 128; c++) {
            bool alphanumeric =
                (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

            assert_int_equal(microstamp_symbol(alphabets[a], (char)c) >= 0, alphanumeric);
        }
    }
    assert_int_equal(microstamp_symbol(MICROSTAMP_R29, 'o'), 0);
    assert_int_equal(microstamp_symbol(MICROSTAMP_OPAQUE, 'o'), 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_sum_to_one),
        cmocka_unit_test(test_r29_by_hand),
        cmocka_unit_test(test_opaque_by_hand),
        cmocka_unit_test(test_another_matrix),
        cmocka_unit_test(test_learned_by_hand),
        cmocka_unit_test(test_learned_rows_sum_to_one),
        cmocka_unit_test(test_learned_of_nothing),
        cmocka_unit_test(test_presented),
        cmocka_unit_test(test_symbols),
    };

    return cmocka_run_group_tests(tests, make_matrix, free_matrix);
}
