// SPDX-License-Identifier: Apache-2.0
/* Observations: text, weights, gear; evidence, agreement. */

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

/* 'OPAQUE' folds nothing and takes 4 to 12 positions. */
static void test_opaque_observation(void **state)
{
    struct microstamp_observation observation = observation_from(MICROSTAMP_OPAQUE, "B1 l-?[OQ0]z");
    struct microstamp_error err;

    (void)state;
    assert_int_equal(observation.length, 6);
    assert_true(observation.position[0].set == UINT64_C(1) << 11);
    assert_true(observation.position[2].set == UINT64_C(1) << 21);
    assert_false(observation.position[3].read);
    assert_true(observation.position[4].set ==
                (UINT64_C(1) << 24 | UINT64_C(1) << 26 | UINT64_C(1)));
    assert_true(observation.position[5].set == UINT64_C(1) << 35);
    assert_int_equal(microstamp_observation_parse(MICROSTAMP_OPAQUE, "A1C", 3, &observation, &err),
                     MICROSTAMP_BAD_INPUT);
    assert_int_equal(err.offset, 3);
    assert_string_equal(err.text, "expected 4 positions or more, found only 3");
    assert_int_equal(
        microstamp_observation_parse(MICROSTAMP_OPAQUE, "0123456789ABC", 13, &observation, &err),
        MICROSTAMP_BAD_INPUT);
    assert_int_equal(err.offset, 12);
    assert_string_equal(err.text, "expected the end after 12 positions");
    assert_int_equal(observation.length, 6);
}

static void test_weights(void **state)
{
    struct microstamp_observation observation;
    const struct microstamp_position *position = &observation.position[3];
    const double weights[] = {0.5, 0.25, 0.15};

    (void)state;
    microstamp_observation_clear(MICROSTAMP_R29, LENGTH, &observation);
    assert_false(position->read);
    /* O folds to 0 and adds to it; 0.1 is spread over the 27 others, less than 1/29 for each. */
    assert_int_equal(microstamp_observation_weigh(&observation, 3, "O40", weights, 3, NULL),
                     MICROSTAMP_OK);
    assert_true(position->read && position->weighed);
    assert_true(position->set == (1u << 4 | 1u));
    assert_near(position->weight[0], 0.65, 1e-14);
    assert_near(position->weight[4], 0.25, 1e-14);
    assert_near(position->weight[28], 0.1 / 27, 1e-14);
    /* "It is not a 4": 0.99/28 is more than 1/29. */
    assert_int_equal(
        microstamp_observation_weigh(&observation, 3, "4", (const double[]){0.01}, 1, NULL),
        MICROSTAMP_OK);
    assert_true(position->set == (ALL_SYMBOLS & ~(1u << 4)));
    /* All of it on one character: that was read. */
    assert_int_equal(
        microstamp_observation_weigh(&observation, 3, "4", (const double[]){1.0}, 1, NULL),
        MICROSTAMP_OK);
    assert_false(position->weighed);
    assert_true(position->set == 1u << 4);
    assert_int_equal(microstamp_observation_weigh(&observation, 3, "", NULL, 0, NULL),
                     MICROSTAMP_OK);
    assert_false(position->read);
    /* In OPAQUE, O and 0 are two characters. */
    microstamp_observation_clear(MICROSTAMP_OPAQUE, 5, &observation);
    assert_int_equal(microstamp_observation_weigh(&observation, 3, "O40", weights, 3, NULL),
                     MICROSTAMP_OK);
    assert_near(position->weight[24], 0.5, 1e-14);
    assert_near(position->weight[0], 0.15, 1e-14);
    assert_near(position->weight[1], 0.1 / 33, 1e-14);
}

/* Ten times 0.1 is not 1 in binary, and must do. */
static void test_weights_that_round(void **state)
{
    double weights[SIZE];
    struct microstamp_observation observation;

    (void)state;
    microstamp_observation_clear(MICROSTAMP_R29, LENGTH, &observation);
    for (unsigned i = 0; i < 10; i++)
        weights[i] = 0.1;
    assert_int_equal(microstamp_observation_weigh(&observation, 0, "0123456789", weights, 10, NULL),
                     MICROSTAMP_OK);
    assert_true(observation.position[0].weight[28] < 1e-15);
    for (unsigned i = 0; i < SIZE; i++)
        weights[i] = 1.0 / SIZE;
    assert_int_equal(microstamp_observation_weigh(&observation, 0, "0123456789ACDEFGHJKMNPRTUVWXY",
                                                  weights, SIZE, NULL),
                     MICROSTAMP_OK);
    assert_false(observation.position[0].read);
}

static void assert_weigh_fails(const char *characters, const double *weights, size_t offset,
                               const char *message)
{
    struct microstamp_observation observation = observation_from(MICROSTAMP_R29, "4H7K2M9X");
    struct microstamp_error err;

    assert_int_equal(microstamp_observation_weigh(&observation, 0, characters, weights,
                                                  strlen(characters), &err),
                     MICROSTAMP_BAD_INPUT);
    assert_int_equal(err.offset, offset);
    assert_string_equal(err.text, message);
    assert_true(observation.position[0].set == 1u << 4);
}

static void test_weights_that_are_wrong(void **state)
{
    static const char over[] = "expected a weight over 0 and up to 1";
    double all[SIZE];

    (void)state;
    for (unsigned i = 0; i < SIZE; i++)
        all[i] = 0.9 / SIZE;
    assert_weigh_fails("4A", (const double[]){0.5, 0.0}, 1, over);
    assert_weigh_fails("4A", (const double[]){-0.1, 0.5}, 0, over);
    assert_weigh_fails("4A", (const double[]){0.1, 1.5}, 1, over);
    assert_weigh_fails("4A", (const double[]){0.1, (double)NAN}, 1, over);
    assert_weigh_fails("4A", (const double[]){(double)INFINITY, 0.1}, 0, over);
    assert_weigh_fails("4A", (const double[]){0.5, 0.6}, 2,
                       "expected weights that sum to 1 or less");
    assert_weigh_fails("4?", (const double[]){0.5, 0.5}, 1,
                       "expected a letter or digit of the code, found '?'");
    assert_weigh_fails("0123456789ACDEFGHJKMNPRTUVWXY", all, SIZE,
                       "expected weights that sum to 1, as every character is listed");
}

static void test_gear(void **state)
{
    static const char text[] = "10100 01??1 ????? 00000-11100 00111 01010 1?0?1";
    struct microstamp_observation observation = observation_from(MICROSTAMP_R29, "????????");
    double p[SIZE];
    uint64_t best;

    (void)state;
    assert_int_equal(microstamp_observation_gear(&observation, text, strlen(text), NULL),
                     MICROSTAMP_OK);
    assert_true(microstamp_gear_sector(&observation, 0, p, &best));
    assert_true(best == 1u << 20);
    assert_near(p[20], pow(0.98, 5), 1e-14);
    assert_near(p[21], pow(0.98, 4) * 0.02, 1e-14);
    assert_near(p[11], 0.02 * 0.02 * 0.02 * 0.02 * 0.02, 1e-14); /* 01011: all five wrong */
    /* 01??1 is 9, 11, 13 or 15. */
    assert_true(microstamp_gear_sector(&observation, 1, p, &best));
    assert_true(best == (1u << 9 | 1u << 11 | 1u << 13 | 1u << 15));
    assert_near(p[13], pow(0.98, 3), 1e-14);
    assert_near(p[28], pow(0.98, 1) * 0.02 * 0.02, 1e-14); /* 11100: two of three wrong */
    assert_false(microstamp_gear_sector(&observation, 2, p, &best));
}

static void assert_gear_fails(const char *text, size_t offset, const char *message)
{
    struct microstamp_observation observation = observation_from(MICROSTAMP_R29, "????????");
    struct microstamp_error err;

    assert_int_equal(microstamp_observation_gear(&observation, text, strlen(text), &err),
                     MICROSTAMP_BAD_INPUT);
    assert_int_equal(err.offset, offset);
    assert_string_equal(err.text, message);
    assert_false(observation.has_gear);
}

static void test_gear_that_is_wrong(void **state)
{
    struct microstamp_observation observation = observation_from(MICROSTAMP_OPAQUE, "????????");
    struct microstamp_error err;

    (void)state;
    assert_gear_fails("", 0, "expected 40 teeth, found only 0");
    assert_gear_fails("10100 0112", 9, "expected a tooth as '1', '0' or '?', found '2'");
    assert_gear_fails("00000 00000 00000 00000 00000 00000 00000 0000", 46,
                      "expected 40 teeth, found only 39");
    assert_gear_fails("00000 00000 00000 00000 00000 00000 00000 000000", 47,
                      "expected the end after 40 teeth");
    assert_int_equal(microstamp_observation_gear(&observation, "1", 1, &err), MICROSTAMP_BAD_INPUT);
    assert_string_equal(err.text, "expected no gear: only R29-8 codes have one");
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
        cmocka_unit_test(test_opaque_observation),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_weights_that_round),
        cmocka_unit_test(test_weights_that_are_wrong),
        cmocka_unit_test(test_gear),
        cmocka_unit_test(test_gear_that_is_wrong),
        cmocka_unit_test(test_evidence),
        cmocka_unit_test(test_transform_of_a_choice),
        cmocka_unit_test(test_agreement),
    };

    return cmocka_run_group_tests(tests, make_matrix, free_matrix);
}
