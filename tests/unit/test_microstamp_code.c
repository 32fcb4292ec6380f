// SPDX-License-Identifier: Apache-2.0
/* Scheme R29-8: text, validity, issue, recovery, correction. */

#include "tests/unit/test_microstamp_support.h"

static void assert_parse_fails(const char *text, size_t offset, const char *message)
{
    struct microstamp_code code;
    struct microstamp_error err;

    assert_int_equal(microstamp_r29_parse(text, strlen(text), &code, &err), MICROSTAMP_BAD_INPUT);
    assert_int_equal(err.offset, offset);
    assert_string_equal(err.text, message);
}

static void test_text(void **state)
{
    struct microstamp_code code = code_from("4H7K 2M9X");
    char canonical[9], written[10];

    (void)state;
    microstamp_r29_canonical(&code, canonical);
    microstamp_r29_format(&code, written);
    assert_string_equal(canonical, "4H7K2M9X");
    assert_string_equal(written, "4H7K 2M9X");
    code = code_from(" -4h-7k 2m--9x ");
    microstamp_r29_canonical(&code, canonical);
    assert_string_equal(canonical, "4H7K2M9X");
    code = code_from("bilo qszB");
    microstamp_r29_canonical(&code, canonical);
    assert_string_equal(canonical, "81100528");
}

static void test_text_that_is_wrong(void **state)
{
    (void)state;
    assert_parse_fails("", 0, "expected 8 characters, found only 0");
    assert_parse_fails("4H7K 2M9", 8, "expected 8 characters, found only 7");
    assert_parse_fails("4H7K 2M9XA", 9, "expected the end after 8 characters");
    assert_parse_fails("4H7K_2M9X", 4, "expected a letter or digit of the code, found '_'");
    assert_parse_fails("4H7?2M9X", 3, "expected a letter or digit of the code, found '?'");
    assert_parse_fails("4H\n", 2,
                       "expected a letter or digit of the code, found a byte outside of printable "
                       "ASCII");
    assert_parse_fails("4H7\xc3\x84"
                       "2M9",
                       3,
                       "expected a letter or digit of the code, found a byte outside of printable "
                       "ASCII");
}

static void assert_opaque_fails(const char *text, size_t offset, const char *message)
{
    char code[MICROSTAMP_TEXT] = "before";
    struct microstamp_error err;

    assert_int_equal(microstamp_opaque_parse(text, strlen(text), code, &err), MICROSTAMP_BAD_INPUT);
    assert_int_equal(err.offset, offset);
    assert_string_equal(err.text, message);
    assert_string_equal(code, "before");
}

static void test_opaque(void **state)
{
    char code[MICROSTAMP_TEXT];

    (void)state;
    assert_int_equal(microstamp_opaque_parse("ab-O0 1lz", 9, code, NULL), MICROSTAMP_OK);
    assert_string_equal(code, "ABO01LZ");
    assert_int_equal(microstamp_opaque_parse("0123456789AB", 12, code, NULL), MICROSTAMP_OK);
    assert_string_equal(code, "0123456789AB");
    assert_opaque_fails("", 0, "expected 4 characters or more, found only 0");
    assert_opaque_fails("A-B C", 5, "expected 4 characters or more, found only 3");
    assert_opaque_fails("0123456789AB C", 13, "expected the end after 12 characters");
    assert_opaque_fails("AB?D", 2, "expected a letter or digit of the code, found '?'");
}

static void test_output_untouched_on_failure(void **state)
{
    struct microstamp_code code = code_from("4H7K2M9X"), before = code;

    (void)state;
    assert_int_equal(microstamp_r29_parse("4H7K2M9!", 8, &code, NULL), MICROSTAMP_BAD_INPUT);
    assert_memory_equal(&code, &before, sizeof(code));
    assert_int_equal(microstamp_r29_parse("4H7K\0"
                                          "2M9X",
                                          9, &code, NULL),
                     MICROSTAMP_BAD_INPUT);
    assert_memory_equal(&code, &before, sizeof(code));
}

/* The sums by hand: 4H7K 2M9X is 4 16 7 18 2 19 9 27; s0 = 102 = 15 (mod 29);
 * s1 = 4 + 32 + 28 + 144 + 32 + 57 + 54 + 324 = 675 = 8 (mod 29). */
static void test_sums_by_hand(void **state)
{
    struct microstamp_code code = code_from("4H7K2M9X"), zero = {{0}};
    unsigned s0, s1;

    (void)state;
    microstamp_r29_syndromes(&code, &s0, &s1);
    assert_int_equal(s0, 15);
    assert_int_equal(s1, 8);
    assert_false(microstamp_r29_is_valid(&code));
    assert_true(microstamp_r29_is_valid(&zero));
    /* 1 at position 0: x + y = -1, 6 x + 12 y = -1, so 6 y = 5 and y = 25, x = 3. */
    code = code_from("10000000");
    microstamp_r29_complete(code.symbol, &code);
    assert_int_equal(code.symbol[6], 3);
    assert_int_equal(code.symbol[7], 25);
    assert_true(microstamp_r29_is_valid(&code));
}

static void test_sums_of_codes_are_codes(void **state)
{
    uint64_t random = 1;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct microstamp_code a = random_code(&random), b = random_code(&random);

        assert_true(microstamp_r29_is_valid(&a));
        for (unsigned i = 0; i < LENGTH; i++)
            a.symbol[i] = (uint8_t)((a.symbol[i] + b.symbol[i]) % SIZE);
        assert_true(microstamp_r29_is_valid(&a));
    }
}

/* The code is linear, so the distance of two codes is that of their difference from zero. Few
 * random pairs are close; so take each pair of positions too, and change only those. */
static void test_distance_is_three(void **state)
{
    uint64_t random = 2;
    unsigned least = LENGTH;

    (void)state;
    for (int round = 0; round < 200000; round++) {
        struct microstamp_code a = random_code(&random), b = random_code(&random);
        unsigned distance = differences(&a, &b);

        if (distance > 0 && distance < least)
            least = distance;
    }
    assert_true(least >= 3);
    for (unsigned i = 0; i < LENGTH; i++) {
        for (unsigned j = i + 1; j < LENGTH; j++) {
            for (unsigned x = 0; x < SIZE * SIZE; x++) {
                struct microstamp_code code = {{0}};

                code.symbol[i] = (uint8_t)(x % SIZE);
                code.symbol[j] = (uint8_t)(x / SIZE);
                assert_int_equal(microstamp_r29_is_valid(&code), x == 0);
            }
        }
    }
}

static void test_any_two_unread_are_recovered(void **state)
{
    uint64_t random = 3;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct microstamp_code code = random_code(&random), read, found;

        for (unsigned i = 0; i < LENGTH; i++) {
            for (unsigned j = i; j < LENGTH; j++) {
                read = code;
                read.symbol[i] = (uint8_t)random_below(&random, SIZE);
                read.symbol[j] = (uint8_t)random_below(&random, SIZE);
                assert_int_equal(microstamp_r29_recover(&read, 1u << i | 1u << j, &found),
                                 MICROSTAMP_OK);
                assert_memory_equal(&found, &code, sizeof(code));
            }
        }
        assert_int_equal(microstamp_r29_recover(&code, 0, &found), MICROSTAMP_OK);
        assert_int_equal(microstamp_r29_recover(&code, 7, &found), MICROSTAMP_UNCORRECTABLE);
    }
}

static void test_seven_characters_detect_an_error(void **state)
{
    uint64_t random = 4;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct microstamp_code code = random_code(&random), found = code;
        unsigned unread = random_below(&random, LENGTH);
        unsigned wrong = (unread + 1 + random_below(&random, LENGTH - 1)) % LENGTH;

        code.symbol[wrong] =
            (uint8_t)((code.symbol[wrong] + 1 + random_below(&random, SIZE - 1)) % SIZE);
        assert_int_equal(microstamp_r29_recover(&code, 1u << unread, &found), MICROSTAMP_NOT_VALID);
        assert_int_equal(microstamp_r29_recover(&code, 0, &found), MICROSTAMP_NOT_VALID);
    }
}

static void test_any_error_is_located(void **state)
{
    uint64_t random = 5;

    (void)state;
    for (int round = 0; round < 500; round++) {
        struct microstamp_code code = random_code(&random), read, found;
        int position;

        assert_int_equal(microstamp_r29_correct(&code, &found, &position), MICROSTAMP_OK);
        assert_int_equal(position, -1);
        for (unsigned i = 0; i < LENGTH; i++) {
            for (unsigned error = 1; error < SIZE; error++) {
                read = code;
                read.symbol[i] = (uint8_t)((read.symbol[i] + error) % SIZE);
                assert_int_equal(microstamp_r29_correct(&read, &found, &position), MICROSTAMP_OK);
                assert_int_equal(position, (int)i);
                assert_memory_equal(&found, &code, sizeof(code));
            }
        }
    }
}

/* Two errors are taken for one, or refused; what comes out is a valid code, never the right one. */
static void test_two_errors_are_not_undone(void **state)
{
    uint64_t random = 6;
    int refused = 0;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct microstamp_code code = random_code(&random), read = code, found;
        unsigned i = random_below(&random, LENGTH);
        unsigned j = (i + 1 + random_below(&random, LENGTH - 1)) % LENGTH;
        int position;

        read.symbol[i] = (uint8_t)((read.symbol[i] + 1 + random_below(&random, SIZE - 1)) % SIZE);
        read.symbol[j] = (uint8_t)((read.symbol[j] + 1 + random_below(&random, SIZE - 1)) % SIZE);
        if (microstamp_r29_correct(&read, &found, &position) != MICROSTAMP_OK) {
            refused++;
            continue;
        }
        assert_true(microstamp_r29_is_valid(&found));
        assert_memory_not_equal(&found, &code, sizeof(code));
    }
    assert_true(refused > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_text_that_is_wrong),
        cmocka_unit_test(test_opaque),
        cmocka_unit_test(test_output_untouched_on_failure),
        cmocka_unit_test(test_sums_by_hand),
        cmocka_unit_test(test_sums_of_codes_are_codes),
        cmocka_unit_test(test_distance_is_three),
        cmocka_unit_test(test_any_two_unread_are_recovered),
        cmocka_unit_test(test_seven_characters_detect_an_error),
        cmocka_unit_test(test_any_error_is_located),
        cmocka_unit_test(test_two_errors_are_not_undone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
