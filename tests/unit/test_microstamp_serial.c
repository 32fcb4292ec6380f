// SPDX-License-Identifier: Apache-2.0
/* What is left of a ground-off serial number: it supports the right gun and never excludes one. */

#include "tests/unit/test_microstamp_support.h"

#include "microstamp/words.h"

static struct microstamp_serial serial_of(const char *text)
{
    struct microstamp_serial serial = {0};

    assert_int_equal(microstamp_serial_parse(text, strlen(text), &serial, NULL), MICROSTAMP_OK);
    return serial;
}

static double ratio(void **state, const char *pattern, const char *recorded)
{
    struct microstamp_serial serial = serial_of(pattern);

    return microstamp_serial_ratio(*state, &serial, recorded);
}

static void test_parse_kinds(void **state)
{
    struct microstamp_serial serial = serial_of("a-1?.[38]/*");

    (void)state;
    assert_int_equal(serial.length, 5);
    assert_int_equal(serial.set[0], UINT64_C(1) << 10);
    assert_int_equal(serial.set[1], 2);
    assert_int_equal(serial.set[2], 0);
    assert_int_equal(serial.set[3], 8 | 256);
    assert_true(serial.set[4] == MICROSTAMP_SERIAL_RUN);
}

static void test_parse_points_at_the_fault(void **state)
{
    static const struct {
        const char *text;
        size_t offset;
    } faults[] = {{"", 0},
                  {"  -", 3},
                  {"AB#1", 2},
                  {"A[12", 4},
                  {"A[]1", 2},
                  {"A[1?]", 3},
                  {"0123456789012345678901234", 24}};

    (void)state;
    for (size_t k = 0; k < sizeof(faults) / sizeof(faults[0]); k++) {
        struct microstamp_serial serial = {.length = 77};
        struct microstamp_error err = {.offset = 999};

        assert_int_equal(
            microstamp_serial_parse(faults[k].text, strlen(faults[k].text), &serial, &err),
            MICROSTAMP_BAD_INPUT);
        if (err.offset != faults[k].offset)
            fail_msg("%s: offset %zu, %s", faults[k].text, err.offset, err.text);
        assert_int_equal(serial.length, 77);
        assert_int_equal(
            microstamp_serial_parse(faults[k].text, strlen(faults[k].text), &serial, NULL),
            MICROSTAMP_BAD_INPUT);
    }
}

/* P(A|A) = 0.98; over an even character (1/36) sum over t of P(A|t). */
static void test_ratio_by_hand(void **state)
{
    double even = 0.0;

    for (unsigned t = 0; t < 36; t++)
        even += microstamp_matrix_probability(*state, MICROSTAMP_OPAQUE, t, 10) / 36.0;
    assert_near(ratio(state, "A???", "A123"), 0.98 / even, 1e-12);
    assert_near(ratio(state, "A??A", "A12A"), 0.98 * 0.98 / even / even, 1e-12);
    assert_true(ratio(state, "????", "A123") == 1.0);
    assert_true(ratio(state, "*", "A123") == 1.0);
    assert_true(ratio(state, "A", NULL) == 1.0);
}

static void test_agreement_supports(void **state)
{
    double full = ratio(state, "AB1234", "AB-1234"), gap = ratio(state, "AB1?34", "ab1234");

    assert_true(full > 1e8);
    assert_true(gap > 1e6 && gap < full);
    assert_true(ratio(state, "AB1[23]34", "AB1234") > gap);
    assert_true(ratio(state, "AB1234", "AB1235") < 1e-2 * full);
    /* A look-alike costs less than another. */
    assert_true(ratio(state, "AB1234", "AB1Z34") > ratio(state, "AB1234", "AB1W34"));
    /* Where the pattern ends is known, where a run does is not. */
    assert_true(ratio(state, "AB*34", "AB1234") > 1e4);
    assert_true(ratio(state, "AB*34", "AB1299934") > 1e4);
    assert_true(ratio(state, "*34*", "AB1234") < ratio(state, "*34", "AB1234"));
    assert_true(ratio(state, "*34*", "AB1234") > 1.0);
}

static void test_disagreement_never_excludes(void **state)
{
    assert_true(ratio(state, "AB1234", "XX9999") == 0.01);
    assert_true(ratio(state, "AB1234", "AB12345") == 0.01);
    assert_true(ratio(state, "AB*34", "A34") == 0.01);
    assert_true(ratio(state, "AB1234", "") == 0.01);
    assert_true(ratio(state, "*", "0123456789012345678901234567890123456789012345678") == 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_kinds),
        cmocka_unit_test(test_parse_points_at_the_fault),
        cmocka_unit_test(test_ratio_by_hand),
        cmocka_unit_test(test_agreement_supports),
        cmocka_unit_test(test_disagreement_never_excludes),
    };

    return cmocka_run_group_tests(tests, make_matrix, free_matrix);
}
