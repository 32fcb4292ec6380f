// SPDX-License-Identifier: Apache-2.0
/* One trace from its marks to its answer: the same as the steps by themselves for one plain mark,
 * and what several marks, placements and schemes add. */

#include "tests/unit/test_microstamp_exam_support.h"

static void fill_registry(uint64_t *random, size_t count)
{
    for (size_t g = 0; g < count; g++) {
        struct microstamp_code code = random_code(random);

        (void)add_r29(&code);
    }
}

/* Writes a code with trouble: unread, wrong, or one of two. */
static void spoil(uint64_t *random, const struct microstamp_code *code, unsigned unread,
                  unsigned wrong, unsigned choices, char ret_text[64])
{
    unsigned start = random_below(random, LENGTH);
    char *at = ret_text;

    for (unsigned i = 0; i < LENGTH; i++) {
        unsigned k = (i + LENGTH - start) % LENGTH;
        char c = microstamp_character(MICROSTAMP_R29, code->symbol[i]);
        char other = microstamp_character(
            MICROSTAMP_R29, (code->symbol[i] + 1 + random_below(random, SIZE - 1)) % SIZE);

        if (k < unread)
            *at++ = '?';
        else if (k < unread + wrong)
            *at++ = other;
        else if (k < unread + wrong + choices)
            at += snprintf(at, 5, "[%c%c]", c, other);
        else
            *at++ = c;
    }
    *at = '\0';
}

/* The old way for one plain line: words, hits, microstamp_rank(). */
static void rank_by_hand(const struct microstamp_matrix *matrix, const char *text,
                         struct microstamp_ranking *ret_ranking, double *ret_best)
{
    static struct microstamp_hit hits[GUNS_MAX];
    static struct microstamp_ranked_hit ranked[GUNS_MAX];
    struct microstamp_reading reading = reading_from(text);
    struct microstamp_words words = {0};
    struct microstamp_evidence evidence;
    size_t count = 0;

    microstamp_evidence_init(matrix, &reading, &evidence);
    assert_int_equal(microstamp_words_find(&evidence, 0, &words), MICROSTAMP_OK);
    for (size_t g = 0; g < gun_count; g++) {
        struct microstamp_code code = code_from(guns[g].code[0]);

        for (size_t w = 0; w < words.count; w++) {
            if (memcmp(&code, &words.word[w].code, sizeof(code)) == 0)
                hits[count++] = (struct microstamp_hit){w, 1.0};
        }
    }
    microstamp_rank(&words, hits, count, registry.firearms, registry.pi0, ranked, ret_ranking);
    assert_int_equal(count, found_count);
    *ret_best = count > 0 ? ranked[0].posterior : 0.0;
    microstamp_words_free(&words);
}

static void test_one_plain_mark_is_as_before(void **state)
{
    const double sizes[] = {300, 2e6, 2e7};
    uint64_t random = 40;

    registry_clear(300);
    fill_registry(&random, 300);
    for (int round = 0; round < 60; round++) {
        bool foreign = round % 5 == 4;
        struct microstamp_code code =
            foreign ? random_code(&random) : code_from(guns[random_below(&random, 300)].code[0]);
        struct microstamp_ranking ranking;
        const struct microstamp_group *group;
        unsigned kind = (unsigned)round % 6;
        double posterior;
        size_t groups;
        char text[64];

        spoil(&random, &code, kind < 4 ? kind : 0, kind == 4, kind == 5 ? 2 : kind % 2, text);
        registry.firearms = sizes[round % 3];
        begin_exam(*state);
        observe(0, 0, MICROSTAMP_R29, text);
        group = examine(&groups);
        assert_int_equal(groups, 1);
        rank_by_hand(*state, text, &ranking, &posterior);
        assert_int_equal(group->ranking.state, ranking.state);
        assert_near(group->ranking.not_registered, ranking.not_registered, 1e-12);
        assert_near(group->ranking.likelihood_ratio, ranking.likelihood_ratio, 1e-12);
        assert_near(group->ranking.reading_characters, ranking.reading_characters, 1e-9);
        assert_near(group->ranking.expected_chance_matches, ranking.expected_chance_matches, 1e-9);
        /* What is left is a difference of sums that are nearly equal. */
        assert_true(fabs(group->ranking.unlisted - ranking.unlisted) < 1e-12);
        if (found_count > 0)
            assert_near(group->ranked[0].posterior, posterior, 1e-12);
    }
}

static void test_nothing_legible(void **state)
{
    size_t groups;
    const struct microstamp_group *group;

    registry_clear(2e6);
    begin_exam(*state);
    observe(0, 0, MICROSTAMP_R29, "????????");
    observe(0, 1, MICROSTAMP_OPAQUE, "??????");
    group = examine(&groups);
    assert_int_equal(lookup_count, 0);
    assert_int_equal(groups, 1);
    assert_int_equal(group->ranking.state, MICROSTAMP_INSUFFICIENT);
    assert_near(group->ranking.likelihood_ratio, 1.0, 1e-12);
    assert_near(group->ranking.expected_chance_matches, 2e6, 1e-9);
    begin_exam(*state);
    look_up(0);
    (void)resolve(&groups);
    assert_int_equal(groups, 0);
}

/* Nothing may be looked up, as for a comparison, by one that never looked anything up. */
static void test_nothing_to_look_up(void **state)
{
    registry_clear(2000);
    microstamp_examination_free(exam);
    exam = NULL;
    begin_exam(*state);
    observe(0, 0, MICROSTAMP_OPAQUE, "?K[EAVY]??");
    look_up(1);
    assert_int_equal(lookup_count, 0);
}

/* Two half-read placements of one gun: neither would do, both do. The other placement's look-up
 * finds the gun as well. */
static void test_placements_add_up(void **state)
{
    uint64_t random = 41;
    const struct microstamp_group *group;
    size_t groups, recorded;

    registry_clear(2e6);
    for (int g = 0; g < 200; g++) {
        struct microstamp_code pin = random_code(&random), breech = random_code(&random);
        char text[9];

        (void)add_r29(&pin);
        microstamp_r29_canonical(&breech, text);
        (void)add_recorded(false, 1, MICROSTAMP_R29, text);
    }
    for (size_t g = 0; g < 200; g += 40) {
        char pin[9], breech[9];

        (void)snprintf(pin, 9, "%.5s???", guns[g].code[0]);
        (void)snprintf(breech, 9, "???%s", guns[g].code[1] + 3);
        begin_exam(*state);
        observe(0, 0, MICROSTAMP_R29, pin);
        group = examine(&groups);
        assert_int_equal(group->ranking.state, MICROSTAMP_CANDIDATES);
        begin_exam(*state);
        observe(0, 0, MICROSTAMP_R29, pin);
        observe(0, 1, MICROSTAMP_R29, breech);
        group = examine(&groups);
        assert_int_equal(groups, 1);
        assert_int_equal(group->ranking.state, MICROSTAMP_IDENTIFIED);
        assert_int_equal(best_gun(group), g);
        assert_true(microstamp_examination_support(exam, 0, 0, 0, &recorded) > 5.0);
        assert_int_equal(recorded, 0);
        assert_true(microstamp_examination_support(exam, 0, 0, 1, &recorded) > 5.0);
        assert_int_equal(recorded, 1);
        /* The ratio is the product of the lines'. */
        assert_near(log10(group->ranked[0].ratio),
                    microstamp_examination_support(exam, 0, 0, 0, &recorded) +
                        microstamp_examination_support(exam, 0, 0, 1, &recorded),
                    1e-12);
    }
}

/* A gun without a mark at the second placement is neither favoured nor held against by it; one
 * whose mark there is another is. */
static void test_other_placement_is_neutral_or_disagrees(void **state)
{
    const struct microstamp_group *group;
    struct microstamp_code other = code_from("00000000");
    size_t groups, recorded;
    uint64_t random = 42;
    double alone;
    char text[9];

    registry_clear(2000);
    (void)add_r29(&other);
    begin_exam(*state);
    observe(0, 0, MICROSTAMP_R29, "00000000");
    group = examine(&groups);
    alone = group->ranked[0].ratio;
    other = random_code(&random);
    microstamp_r29_canonical(&other, text);
    begin_exam(*state);
    observe(0, 0, MICROSTAMP_R29, "00000000");
    observe(0, 1, MICROSTAMP_R29, text);
    group = examine(&groups);
    assert_near(group->ranked[0].ratio, alone, 1e-12);
    assert_true(microstamp_examination_support(exam, 0, 0, 1, &recorded) == 0.0);
    assert_true(recorded == SIZE_MAX);
    other = random_code(&random);
    microstamp_r29_canonical(&other, text);
    (void)add_recorded(false, 1, MICROSTAMP_R29, text);
    group = examine(&groups);
    assert_true(group->ranked[0].ratio < 1e-3 * alone);
    assert_true(microstamp_examination_support(exam, 0, 0, 0, &recorded) > 8.0);
    assert_true(microstamp_examination_support(exam, 0, 0, 1, &recorded) < -2.0);
    assert_true(group->ranking.state != MICROSTAMP_IDENTIFIED);
}

static void test_unknown_placement(void **state)
{
    const struct microstamp_group *group;
    size_t groups;
    double known;

    registry_clear(2000);
    (void)add_recorded(true, 0, MICROSTAMP_R29, "00000000");
    begin_exam(*state);
    observe(0, 0, MICROSTAMP_R29, "00000000");
    known = examine(&groups)->ranked[0].ratio;
    begin_exam(*state);
    observe(0, MICROSTAMP_PLACEMENT_UNKNOWN, MICROSTAMP_R29, "00000000");
    group = examine(&groups);
    assert_near(group->ranked[0].ratio, known, 1e-12);
    /* One of two placements shows it, the other hardly. */
    (void)add_recorded(false, 1, MICROSTAMP_R29, "16G0000Y");
    group = examine(&groups);
    assert_near(group->ranked[0].ratio, known / 2.0, 1e-3);
    /* A replaced part's mark at the same placement: the better one counts. */
    guns[0].mark[1].placement = 0;
    group = examine(&groups);
    assert_near(group->ranked[0].ratio, known, 1e-12);
    guns[0].mark[0].factor = MICROSTAMP_FACTOR_NOT_INSTALLED;
    group = examine(&groups);
    assert_near(group->ranked[0].ratio, known * MICROSTAMP_FACTOR_NOT_INSTALLED, 1e-12);
    assert_int_equal(group->ranked[0].recorded, 0);
}

static void test_unknown_scheme(void **state)
{
    struct microstamp_mark mark = {.specimen = 0, .placement = 0};
    const struct microstamp_group *group;
    size_t groups;
    char text[MICROSTAMP_TEXT];

    registry_clear(2000);
    (void)add_recorded(true, 0, MICROSTAMP_R29, "00000000");
    (void)add_recorded(true, 0, MICROSTAMP_OPAQUE, "4H7K2M9B");
    for (int k = 0; k < 2; k++) {
        const char *written = k == 0 ? "00000000" : "4H7K2M9B";

        begin_exam(*state);
        assert_int_equal(microstamp_observation_parse(MICROSTAMP_R29, written, 8, &seen[0], NULL),
                         MICROSTAMP_OK);
        assert_int_equal(
            microstamp_observation_parse(MICROSTAMP_OPAQUE, written, 8, &seen[1], NULL),
            MICROSTAMP_OK);
        mark.r29 = &seen[0];
        mark.opaque = &seen[1];
        assert_int_equal(microstamp_examination_add(exam, &mark), MICROSTAMP_OK);
        group = examine(&groups);
        assert_int_equal(group->ranking.state, MICROSTAMP_IDENTIFIED);
        assert_int_equal(best_gun(group), (size_t)k);
        microstamp_examination_agreement(exam, 0, &guns[k].mark[0], text);
        assert_string_equal(text, "========");
    }
}

static void test_agreement(void **state)
{
    struct microstamp_recorded r29 = {0, MICROSTAMP_R29, "00000000", 1.0};
    struct microstamp_recorded opaque = {0, MICROSTAMP_OPAQUE, "AB12", 1.0};
    char text[MICROSTAMP_TEXT];

    registry_clear(2000);
    begin_exam(*state);
    observe(0, 0, MICROSTAMP_R29, "0?[01]DX000");
    observe(0, 1, MICROSTAMP_OPAQUE, "A8?X");
    microstamp_examination_agreement(exam, 0, &r29, text);
    assert_string_equal(text, "=.~~x===");
    microstamp_examination_agreement(exam, 0, &opaque, text);
    assert_string_equal(text, "....");
    microstamp_examination_agreement(exam, 1, &opaque, text);
    assert_string_equal(text, "=~.x");
}

static void test_limits(void **state)
{
    struct microstamp_mark mark = {.specimen = MICROSTAMP_SPECIMENS_MAX, .placement = 0};

    registry_clear(2000);
    begin_exam(*state);
    assert_int_equal(microstamp_examination_add(exam, &mark), MICROSTAMP_LIMIT);
    mark.specimen = 0;
    assert_int_equal(microstamp_examination_add(exam, &mark), MICROSTAMP_BAD_INPUT);
    for (unsigned m = 0; m < MICROSTAMP_MARKS_MAX; m++)
        observe(m % MICROSTAMP_SPECIMENS_MAX, 0, MICROSTAMP_R29, "00000000");
    mark.r29 = &seen[0];
    assert_int_equal(microstamp_examination_add(exam, &mark), MICROSTAMP_LIMIT);
    look_up(0);
    assert_int_equal(lookup_count, 1);
}

/* A reading that would use up all look-ups leaves room for one that is clear. */
static void test_clear_marks_come_first(void **state)
{
    const struct microstamp_lookup *lookup;
    size_t count;

    registry_clear(2e6);
    begin_exam(*state);
    observe(0, 0, MICROSTAMP_R29, "000?????");
    observe(1, 0, MICROSTAMP_R29, "00000000");
    assert_int_equal(microstamp_examination_plan(exam, 50, &lookup, &count), MICROSTAMP_OK);
    assert_true(count > 45 && count <= 50);
    assert_string_equal(lookup[0].text, "00000000");
    assert_true(lookup[0].likelihood == 1.0);
    for (size_t n = 1; n < count; n++)
        assert_true(lookup[n].likelihood <= lookup[n - 1].likelihood);
}

/* Specimens that disagree with one record are one disagreement; a serial number supports. */
static void test_factors_over_specimens(void **state)
{
    struct microstamp_code zero = {{0}};
    size_t groups;
    double plain;

    registry_clear(2000);
    (void)add_r29(&zero);
    begin_exam(*state);
    for (unsigned s = 0; s < 3; s++)
        observe(s, 0, MICROSTAMP_R29, "00000000");
    look_up(0);
    plain = resolve(&groups)->ranked[0].ratio;
    assert_int_equal(groups, 1);
    for (unsigned s = 0; s < 3; s++)
        found[0].factor[s] = MICROSTAMP_FACTOR_CALIBER;
    assert_near(resolve(&groups)->ranked[0].ratio, plain * MICROSTAMP_FACTOR_CALIBER, 1e-12);
    found[0].factor[1] = 30.0;
    assert_near(resolve(&groups)->ranked[0].ratio, plain * MICROSTAMP_FACTOR_CALIBER * 30.0, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_plain_mark_is_as_before),
        cmocka_unit_test(test_nothing_legible),
        cmocka_unit_test(test_nothing_to_look_up),
        cmocka_unit_test(test_placements_add_up),
        cmocka_unit_test(test_other_placement_is_neutral_or_disagrees),
        cmocka_unit_test(test_unknown_placement),
        cmocka_unit_test(test_unknown_scheme),
        cmocka_unit_test(test_agreement),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_clear_marks_come_first),
        cmocka_unit_test(test_factors_over_specimens),
    };

    return cmocka_run_group_tests(tests, make_matrix, free_exam);
}
