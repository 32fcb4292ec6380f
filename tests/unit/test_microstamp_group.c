// SPDX-License-Identifier: Apache-2.0
/* Several casings: one gun is not split, two are told apart, and the errors of a pin, which are the
 * same on every casing, do not hide its gun. */

#include "tests/unit/test_microstamp_exam_support.h"

#define REGISTERED 400

static void fill_registry(uint64_t *random, double firearms)
{
    registry_clear(firearms);
    for (size_t g = 0; g < REGISTERED; g++) {
        struct microstamp_code code = random_code(random);

        (void)add_r29(&code);
    }
}

/* A casing of a code: unread characters at random, the rest read rightly. */
static void observe_casing(uint64_t *random, unsigned specimen, const char *code, unsigned unread)
{
    char text[9];

    (void)snprintf(text, sizeof(text), "%s", code);
    for (; unread > 0; unread--)
        text[random_below(random, LENGTH)] = '?';
    observe(specimen, 0, MICROSTAMP_R29, text);
}

static const char *random_gun(uint64_t *random, size_t *ret_gun)
{
    *ret_gun = random_below(random, REGISTERED);
    return guns[*ret_gun].code[0];
}

static void test_one_gun(void **state)
{
    uint64_t random = 60;

    fill_registry(&random, 2e6);
    for (int round = 0; round < 40; round++) {
        const struct microstamp_group *group;
        unsigned casings = 2 + (unsigned)round % 4;
        size_t groups, gun;
        const char *code = random_gun(&random, &gun);

        begin_exam(*state);
        for (unsigned s = 0; s < casings; s++)
            observe_casing(&random, s, code, 2);
        group = examine(&groups);
        assert_int_equal(groups, 1);
        assert_int_equal(group->specimens, (1u << casings) - 1u);
        assert_int_equal(group->ranking.state, MICROSTAMP_IDENTIFIED);
        assert_int_equal(best_gun(group), gun);
    }
}

/* Neither casing is enough; the two together are, although each alone leaves thousands of codes. */
static void test_halves_of_a_code(void **state)
{
    const struct microstamp_group *group;
    uint64_t random = 61;
    size_t groups;
    char text[9];

    fill_registry(&random, 2e6);
    (void)snprintf(text, sizeof(text), "%.4s????", guns[7].code[0]);
    begin_exam(*state);
    observe(0, 0, MICROSTAMP_R29, text);
    memset(text, '?', 4);
    memcpy(text + 4, guns[7].code[0] + 4, 5);
    observe(1, 0, MICROSTAMP_R29, text);
    look_up(100);
    group = resolve(&groups);
    assert_int_equal(groups, 1);
    assert_int_equal(group->ranking.state, MICROSTAMP_IDENTIFIED);
    assert_int_equal(best_gun(group), 7);
}

static void test_two_guns(void **state)
{
    uint64_t random = 62;

    fill_registry(&random, 2e6);
    for (int round = 0; round < 25; round++) {
        const struct microstamp_group *group;
        size_t groups, a, b;
        const char *code_a = random_gun(&random, &a), *code_b = random_gun(&random, &b);

        if (a == b)
            continue;
        begin_exam(*state);
        observe_casing(&random, 0, code_a, 1);
        observe_casing(&random, 1, code_b, 1);
        observe_casing(&random, 2, code_a, 2);
        observe_casing(&random, 3, code_b, 1);
        observe_casing(&random, 4, code_a, 1);
        group = examine(&groups);
        assert_int_equal(groups, 2);
        assert_true(microstamp_examination_more_than_one(exam));
        assert_int_equal(group[0].specimens, 0x15);
        assert_int_equal(group[1].specimens, 0x0A);
        assert_int_equal(best_gun(&group[0]), a);
        assert_int_equal(best_gun(&group[1]), b);
        assert_int_equal(group[0].ranking.state, MICROSTAMP_IDENTIFIED);
        assert_int_equal(group[1].ranking.state, MICROSTAMP_IDENTIFIED);
    }
}

/* One registered gun and one that is not: the registered one is near to nothing of the other. */
static void test_registered_and_foreign(void **state)
{
    const struct microstamp_group *group;
    uint64_t random = 63;
    struct microstamp_code foreign;
    size_t groups;
    char text[9];

    fill_registry(&random, 2e6);
    foreign = random_code(&random);
    microstamp_r29_canonical(&foreign, text);
    begin_exam(*state);
    observe_casing(&random, 0, text, 1);
    observe_casing(&random, 1, guns[3].code[0], 1);
    observe_casing(&random, 2, text, 1);
    group = examine(&groups);
    assert_int_equal(groups, 2);
    assert_int_equal(group[0].specimens, 5);
    assert_int_equal(group[0].ranking.state, MICROSTAMP_NO_MATCH);
    assert_int_equal(group[1].ranking.state, MICROSTAMP_IDENTIFIED);
    assert_int_equal(best_gun(&group[1]), 3);
}

static void test_linked_specimens_stay_together(void **state)
{
    uint64_t random = 64;
    size_t groups;

    fill_registry(&random, 2e6);
    begin_exam(*state);
    observe_casing(&random, 0, guns[1].code[0], 0);
    observe_casing(&random, 3, guns[2].code[0], 0);
    observe_casing(&random, 5, guns[1].code[0], 0);
    microstamp_examination_link(exam, 5, 3);
    microstamp_examination_link(exam, 0, 5);
    (void)examine(&groups);
    assert_int_equal(groups, 1);
    assert_false(microstamp_examination_more_than_one(exam));
}

/* The pin shows one wrong character, on every casing. As if casings were independent, the right
 * gun would be excluded; it must be first, and never no_match. */
static void test_worn_pin(void **state)
{
    uint64_t random = 65;
    int identified = 0;

    fill_registry(&random, 2e6);
    for (int round = 0; round < 40; round++) {
        const struct microstamp_matrix *matrix = *state;
        const struct microstamp_group *group;
        size_t groups, gun;
        unsigned at = random_below(&random, LENGTH), t;
        uint64_t confusable;
        char text[9];

        (void)snprintf(text, sizeof(text), "%s", random_gun(&random, &gun));
        t = (unsigned)microstamp_symbol(MICROSTAMP_R29, text[at]);
        confusable = matrix->confusable[t];
        text[at] = microstamp_character(MICROSTAMP_R29, confusable != 0
                                                            ? (unsigned)__builtin_ctzll(confusable)
                                                            : (t + 1) % SIZE);
        begin_exam(matrix);
        for (unsigned s = 0; s < 5; s++)
            observe(s, 0, MICROSTAMP_R29, text);
        group = examine(&groups);
        assert_int_equal(groups, 1);
        assert_int_equal(best_gun(group), gun);
        assert_true(group->ranking.state == MICROSTAMP_IDENTIFIED ||
                    group->ranking.state == MICROSTAMP_CANDIDATES);
        identified += group->ranking.state == MICROSTAMP_IDENTIFIED;
    }
    assert_true(identified >= 20);
}

static void test_as_many_as_there_may_be(void **state)
{
    const struct microstamp_group *group;
    uint64_t random = 66;
    size_t groups;

    fill_registry(&random, 2e6);
    begin_exam(*state);
    for (unsigned s = 0; s < MICROSTAMP_SPECIMENS_MAX; s++)
        observe_casing(&random, s, guns[s % 2].code[0], 1);
    group = examine(&groups);
    assert_int_equal(groups, 2);
    assert_int_equal(group[0].specimens, 0x5555);
    assert_int_equal(group[1].specimens, 0xAAAA);
    /* One specimen with all the marks. */
    begin_exam(*state);
    for (int m = 0; m < MICROSTAMP_MARKS_MAX; m++)
        observe(0, m, MICROSTAMP_R29, guns[0].code[0]);
    group = examine(&groups);
    assert_int_equal(groups, 1);
    assert_int_equal(best_gun(group), 0);
}

/* Whatever is read, in whatever groups: resolve() checks that all adds up. */
static void test_anything_adds_up(void **state)
{
    const char *const kinds = "0123456789ACDEFGHJKMNPRTUVWXY????????????";
    uint64_t random = 67;

    fill_registry(&random, 1000);
    for (int round = 0; round < 40; round++) {
        unsigned casings = 1 + random_below(&random, 8);
        size_t groups;

        begin_exam(*state);
        for (unsigned s = 0; s < casings; s++) {
            char text[9] = {0};

            for (unsigned i = 0; i < LENGTH; i++)
                text[i] = random_below(&random, 3) == 0 ? kinds[random_below(&random, 41)]
                                                        : guns[random_below(&random, 2)].code[0][i];
            observe(s, (int)random_below(&random, 3) - 1, MICROSTAMP_R29, text);
        }
        look_up(500);
        (void)resolve(&groups);
        assert_true(groups >= 1 && groups <= casings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_gun),
        cmocka_unit_test(test_halves_of_a_code),
        cmocka_unit_test(test_two_guns),
        cmocka_unit_test(test_registered_and_foreign),
        cmocka_unit_test(test_linked_specimens_stay_together),
        cmocka_unit_test(test_worn_pin),
        cmocka_unit_test(test_as_many_as_there_may_be),
        cmocka_unit_test(test_anything_adds_up),
    };

    return cmocka_run_group_tests(tests, make_matrix, free_exam);
}
