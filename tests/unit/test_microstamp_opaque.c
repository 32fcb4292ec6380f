// SPDX-License-Identifier: Apache-2.0
/* Codes of manufacturers' own: what is looked up finds them, sums and chances are exact, and few
 * look-ups are needed. */

#include "tests/unit/test_microstamp_exam_support.h"

#define LETTERS MICROSTAMP_OPAQUE_SIZE

static struct microstamp_line line;

static void make_line(const struct microstamp_matrix *matrix, const char *text)
{
    const struct microstamp_observation *one = &seen[0];

    assert_int_equal(
        microstamp_observation_parse(MICROSTAMP_OPAQUE, text, strlen(text), &seen[0], NULL),
        MICROSTAMP_OK);
    assert_int_equal(microstamp_line_fuse(matrix, &one, 1, &line), MICROSTAMP_OK);
}

/* The n-th of all strings of a length. */
static void nth_string(size_t n, unsigned length, uint8_t *ret_symbol)
{
    for (unsigned i = length; i-- > 0; n /= LETTERS)
        ret_symbol[i] = (uint8_t)(n % LETTERS);
}

static void test_list_is_best_first_and_complete(void **state)
{
    const char *const readings[] = {"A?[8B]5", "????", "0O1I", "[A1][B2][C3][D4]"};
    struct exam_strings strings = {0};
    struct exam_order order;

    for (size_t k = 0; k < 4; k++) {
        double sum = 0.0, all = 0.0;
        size_t better = 0;

        make_line(*state, readings[k]);
        microstamp_opaque_order(&line.pattern[0], &order);
        assert_int_equal(microstamp_opaque_list(&order, 0, 4, 0.0, 0.0, 3000, &strings),
                         MICROSTAMP_OK);
        assert_int_equal(strings.count, 3000);
        for (size_t n = 0; n < 3000; n++) {
            assert_true(n == 0 || strings.string[n].likelihood <= strings.string[n - 1].likelihood);
            assert_near(strings.string[n].likelihood,
                        microstamp_line_likelihood(&line, strings.string[n].symbol), 1e-12);
            sum += strings.string[n].likelihood;
        }
        for (size_t n = 0; n < LETTERS * LETTERS * LETTERS * LETTERS; n++) {
            uint8_t symbol[4];
            double likelihood;

            nth_string(n, 4, symbol);
            likelihood = microstamp_line_likelihood(&line, symbol);
            all += likelihood;
            better += likelihood > strings.string[2999].likelihood * (1.0 + 1e-9);
        }
        assert_true(better <= 3000);
        assert_near(strings.left + sum, all, 1e-9);
    }
    free(strings.string);
    free(strings.heap);
}

/* Uneven frequencies; rows sum to 1. */
static void fill_frequency(float frequency[][LETTERS], unsigned length)
{
    for (unsigned i = 0; i < length; i++) {
        float sum = 0.0F;

        for (unsigned t = 0; t < LETTERS; t++)
            sum += frequency[i][t] = (float)(1 + (t * (i + 3)) % 7);
        for (unsigned t = 0; t < LETTERS; t++)
            frequency[i][t] /= sum;
    }
}

static void test_mean_and_chance_by_counting(void **state)
{
    const char *const readings[] = {"A?[8B]5", "0OQD", "????", "Z[12]?X"};
    static float table[4][LETTERS];
    double frequency[MICROSTAMP_LENGTH_MAX][LETTERS];

    registry_clear(1000);
    fill_frequency(table, 4);
    registry.frequency[4] = (const float(*)[LETTERS])table;
    microstamp_exam_frequency(&registry, 4, frequency);
    for (size_t k = 0; k < 4; k++) {
        double limit, mean = 0.0, chance = 0.0;
        uint8_t symbol[4];

        make_line(*state, readings[k]);
        nth_string(36 * 36 * 36 * 10 + 36 * 36 * 3 + 36 * 11 + 5, 4, symbol);
        limit = microstamp_line_likelihood(&line, symbol) * EXAM_SAME;
        for (size_t n = 0; n < LETTERS * LETTERS * LETTERS * LETTERS; n++) {
            double likelihood, share = 1.0;

            nth_string(n, 4, symbol);
            for (unsigned i = 0; i < 4; i++)
                share *= frequency[i][symbol[i]];
            likelihood = microstamp_line_likelihood(&line, symbol);
            mean += share * likelihood;
            chance += likelihood >= limit ? share : 0.0;
        }
        /* The rows sum to 1 in float only. */
        assert_near(microstamp_opaque_mean(&line, frequency), mean, 1e-6);
        assert_near(microstamp_opaque_chance(&line, frequency, limit), chance, 1e-6);
    }
}

static bool listed[LETTERS * LETTERS * LETTERS * LETTERS];

/* Marks what a look-up finds among all strings of four characters. */
static void mark_listed(const struct microstamp_lookup *lookup)
{
    const size_t half = LETTERS * LETTERS;
    size_t n = 0;

    for (const char *c = lookup->text; *c != '\0'; c++)
        n = n * LETTERS + (size_t)microstamp_symbol(MICROSTAMP_OPAQUE, *c);
    if (lookup->part == MICROSTAMP_WHOLE)
        listed[n] = true;
    for (size_t other = 0; other < half && lookup->part != MICROSTAMP_WHOLE; other++)
        listed[lookup->part == MICROSTAMP_FIRST_HALF ? n * half + other : other * half + n] = true;
}

/* What is left after look-ups: all strings that none of them finds, counted one by one. */
static void test_left_by_counting(void **state)
{
    const char *const readings[] = {"AB15", "A?15", "??15", "[AX]?1?"};
    static float table[4][LETTERS];
    double frequency[MICROSTAMP_LENGTH_MAX][LETTERS];

    registry_clear(1000);
    fill_frequency(table, 4);
    registry.frequency[4] = (const float(*)[LETTERS])table;
    microstamp_exam_frequency(&registry, 4, frequency);
    for (size_t k = 0; k < 8; k++) {
        const struct microstamp_lookup *lookup;
        size_t count, cut;
        double left = 0.0;

        /* Codes in plenty: whole words are cheaper. Few: halves. */
        registry.opaque[4] = k < 4 ? 1000.0 : 1e6;
        begin_exam(*state);
        observe(0, 0, MICROSTAMP_OPAQUE, readings[k % 4]);
        assert_int_equal(microstamp_examination_plan(exam, 0, &lookup, &count), MICROSTAMP_OK);
        cut = k % 2 == 1 ? count / 2 : SIZE_MAX;
        microstamp_examination_overflowed(exam, cut);
        memset(listed, 0, sizeof(listed));
        for (size_t l = 0; l < count; l++) {
            if (l != cut)
                mark_listed(&lookup[l]);
        }
        for (size_t n = 0; n < LETTERS * LETTERS * LETTERS * LETTERS; n++) {
            uint8_t symbol[4];
            double share = 1.0;

            nth_string(n, 4, symbol);
            for (unsigned i = 0; i < 4; i++)
                share *= frequency[i][symbol[i]];
            if (!listed[n])
                left += share * microstamp_line_likelihood(&exam->set[0]->line[0]->opaque, symbol);
        }
        assert_near(microstamp_opaque_left(exam, &exam->set[0]->line[0]->opaque, frequency), left,
                    1e-4);
    }
}

struct need {
    const char *reading;
    size_t lookups; /* at most */
};

static void test_few_lookups(void **state)
{
    const struct need needs[] = {{"AB12CD34", 3},       {"A?12CD34", 40},    {"AB12[C6][D0]34", 10},
                                 {"A?12C?34", 75},      {"??12CD34", 160},   {"????CD34", 160},
                                 {"A?12????", 4096},    {"????????34", 256}, {"AB12CD34EF56", 5},
                                 {"A?12CD3?EF5?", 2000}};

    registry_clear(1e6);
    registry.opaque[8] = registry.opaque[10] = registry.opaque[12] = 1e6;
    for (size_t k = 0; k < sizeof(needs) / sizeof(needs[0]); k++) {
        begin_exam(*state);
        observe(0, 0, MICROSTAMP_OPAQUE, needs[k].reading);
        look_up(0);
        if (lookup_count > needs[k].lookups)
            fail_msg("%s: %zu look-ups", needs[k].reading, lookup_count);
        assert_true(lookup_count > 0);
        /* As was foreseen, but for what could never be enough and is cut short. */
        if (needs[k].lookups != 256) {
            double foreseen = microstamp_observation_lookups(&seen[0]);

            if (foreseen < 0.7 * (double)lookup_count || foreseen > 3.0 * (double)lookup_count)
                fail_msg("%s: %zu look-ups, foreseen %g", needs[k].reading, lookup_count, foreseen);
        }
    }
}

/* A registry of codes that begin alike, and readings with up to three unread and one wrong. */
static void test_recall(void **state)
{
    const unsigned lengths[] = {4, 6, 8, 11};
    uint64_t random = 50;
    size_t missed = 0, rounds = 0, identified = 0;

    registry_clear(2000);
    for (size_t g = 0; g < 1000; g++) {
        char text[MICROSTAMP_TEXT];

        random_opaque(&random, lengths[g % 4], text);
        if (g % 3 == 0)
            memcpy(text, "GK", 2);
        (void)add_recorded(true, 0, MICROSTAMP_OPAQUE, text);
    }
    for (int round = 0; round < 300; round++) {
        size_t g = random_below(&random, 1000), groups;
        unsigned length = (unsigned)strlen(guns[g].code[0]);
        const struct microstamp_group *group;
        char text[MICROSTAMP_TEXT];

        if (length < 8)
            continue;
        (void)snprintf(text, sizeof(text), "%s", guns[g].code[0]);
        for (unsigned k = random_below(&random, 4); k > 0; k--)
            text[random_below(&random, length)] = '?';
        if (round % 3 == 0)
            text[random_below(&random, length)] = 'W';
        begin_exam(*state);
        observe(0, 0, MICROSTAMP_OPAQUE, text);
        group = examine(&groups);
        rounds++;
        missed += best_gun(group) != g;
        identified += best_gun(group) == g && group->ranking.state == MICROSTAMP_IDENTIFIED;
        assert_true(group->ranking.state != MICROSTAMP_IDENTIFIED || best_gun(group) == g);
    }
    assert_true(rounds > 100);
    assert_true(missed * 20 <= rounds);
    assert_true(identified * 10 >= rounds * 6);
}

static void test_foreign_code_is_no_match(void **state)
{
    uint64_t random = 51;

    for (int round = 0; round < 50; round++) {
        const struct microstamp_group *group;
        char text[MICROSTAMP_TEXT];
        size_t groups;

        random_opaque(&random, 9, text);
        begin_exam(*state);
        observe(0, 0, MICROSTAMP_OPAQUE, text);
        group = examine(&groups);
        assert_int_equal(group->ranking.state, MICROSTAMP_NO_MATCH);
    }
}

/* A common half that was cut short is not forgotten. */
static void test_overflow_is_unlisted(void **state)
{
    const struct microstamp_lookup *lookup;
    double before, after;
    size_t groups, count;

    registry_clear(1e6);
    registry.opaque[8] = 1e6;
    begin_exam(*state);
    observe(0, 0, MICROSTAMP_OPAQUE, "GK12CD34");
    look_up(0);
    before = resolve(&groups)->ranking.unlisted;
    assert_int_equal(microstamp_examination_plan(exam, 0, &lookup, &count), MICROSTAMP_OK);
    for (size_t n = 0; n < count; n++) {
        if (lookup[n].part == MICROSTAMP_FIRST_HALF)
            microstamp_examination_overflowed(exam, n);
    }
    after = resolve(&groups)->ranking.unlisted;
    assert_true(after > 5.0 * before);
}

static int finish(void **state)
{
    microstamp_line_free(&line);
    return free_exam(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_is_best_first_and_complete),
        cmocka_unit_test(test_mean_and_chance_by_counting),
        cmocka_unit_test(test_left_by_counting),
        cmocka_unit_test(test_few_lookups),
        cmocka_unit_test(test_recall),
        cmocka_unit_test(test_foreign_code_is_no_match),
        cmocka_unit_test(test_overflow_is_unlisted),
    };

    return cmocka_run_group_tests(tests, make_matrix, finish);
}
