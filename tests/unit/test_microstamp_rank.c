// SPDX-License-Identifier: Apache-2.0
/* Posteriors and states: examples by hand, each kind of reading, and what must always hold. */

#include "tests/unit/test_microstamp_support.h"

#define REGISTRY 2000

/* What came of a reading. place is where the registry's first code is ranked, or -1. */
struct outcome {
    struct microstamp_ranking ranking;
    struct microstamp_ranked_hit best;
    size_t hits;
    int place;
};

static int compare_codes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct microstamp_code));
}

/* The words that are in the registry, as often as they are. */
static size_t look_up(const struct microstamp_words *words, const struct microstamp_code *registry,
                      size_t count, double factor, struct microstamp_hit *hits)
{
    static struct microstamp_code sorted[REGISTRY];
    size_t found = 0;

    if (count == 0)
        return 0;
    memcpy(sorted, registry, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), compare_codes);
    for (size_t w = 0; w < words->count; w++) {
        const struct microstamp_code *code = &words->word[w].code;
        const struct microstamp_code *at =
            bsearch(code, sorted, count, sizeof(*sorted), compare_codes);

        if (at == NULL)
            continue;
        while (at > sorted && compare_codes(at - 1, code) == 0)
            at--;
        for (; at < sorted + count && compare_codes(at, code) == 0; at++)
            hits[found++] = (struct microstamp_hit){w, factor};
    }
    return found;
}

static struct outcome trace(const struct microstamp_matrix *matrix,
                            const struct microstamp_reading *reading,
                            const struct microstamp_code *registry, size_t count, double factor,
                            double registered)
{
    static struct microstamp_hit hits[REGISTRY];
    static struct microstamp_ranked_hit ranked[REGISTRY];
    struct microstamp_words words = {0};
    struct microstamp_evidence evidence;
    struct outcome outcome = {.place = -1};
    double sum;

    microstamp_evidence_init(matrix, reading, &evidence);
    assert_int_equal(microstamp_words_find(&evidence, 0, &words), MICROSTAMP_OK);
    outcome.hits = look_up(&words, registry, count, factor, hits);
    microstamp_rank(&words, hits, outcome.hits, registered, 0.5, ranked, &outcome.ranking);
    sum = outcome.ranking.not_registered + outcome.ranking.unlisted;
    for (size_t i = 0; i < outcome.hits; i++) {
        const struct microstamp_hit *hit = &hits[ranked[i].hit];

        sum += ranked[i].posterior;
        if (i > 0)
            assert_true(ranked[i].posterior <= ranked[i - 1].posterior);
        if (count > 0 && differences(&words.word[hit->word].code, &registry[0]) == 0)
            outcome.place = (int)i;
    }
    assert_near(sum, 1.0, 1e-12);
    if (outcome.hits > 0)
        outcome.best = ranked[0];
    microstamp_words_free(&words);
    return outcome;
}

/* A clean reading: Z is L and a millionth, the mean over all strings 1/29^8 but for the columns'
 * sums. LR = L / (L/2/29^6 + 1/2/29^8) = 2 * 29^6 / (1 + 1/(841 L)), L = 0.98^8 = 0.85076, so
 * 1.188e9 and log29 of that 6.205. With N = 2 million: odds of not registered to the firearm
 * N * pi0/(1-pi0) / LR = 0.00168; chance matches N / 29^6 = 0.00336. */
static void test_clean_reading_by_hand(void **state)
{
    struct microstamp_code zero = {{0}};
    struct microstamp_reading reading = reading_of(&zero);
    struct outcome outcome = trace(*state, &reading, &zero, 1, 1.0, 2e6);

    assert_int_equal(outcome.ranking.state, MICROSTAMP_IDENTIFIED);
    assert_near(outcome.ranking.likelihood_ratio, 1.188e9, 1e-3);
    assert_near(outcome.ranking.effective_characters, 6.205, 1e-3);
    assert_near(outcome.ranking.not_registered, 0.00168, 2e-3);
    assert_near(outcome.ranking.expected_chance_matches, 0.0033623, 1e-4);
    assert_near(outcome.best.posterior, 1.0 - outcome.ranking.not_registered, 1e-6);
    assert_near(outcome.ranking.reading_characters, outcome.ranking.effective_characters, 1e-12);
}

/* One registered code, N as told, and a reading of it with trouble of one kind. A wrong character
 * that is not easily confused with the right one is evidence that something else is on the pin; the
 * greater the registry, the less it can be overcome. */
struct kind {
    const char *name;
    unsigned unread, choices, confused, wrong;
    double identified_up_to; /* the largest N for which every reading of the kind is identified */
};

static const struct kind kinds[] = {
    {"full", 0, 0, 0, 0, 1e7},       {"one unread", 1, 0, 0, 0, 1e7},
    {"two unread", 2, 0, 0, 0, 4e6}, {"one of two", 0, 1, 0, 0, 1e7},
    {"two of two", 0, 2, 0, 0, 1e7}, {"one confused", 0, 0, 1, 0, 2e6},
    {"one wrong", 0, 0, 0, 1, 4e5},
};

static struct microstamp_reading spoil(uint64_t *random, const struct microstamp_matrix *matrix,
                                       const struct microstamp_code *code, const struct kind *kind)
{
    struct microstamp_reading reading = reading_of(code);
    unsigned start = random_below(random, LENGTH), i;

    for (unsigned k = 0; k < kind->unread + kind->choices + kind->confused + kind->wrong; k++) {
        uint32_t confusable;
        unsigned other;

        i = (start + 3 * k) % LENGTH;
        confusable = (uint32_t)matrix->confusable[code->symbol[i]];
        other = (code->symbol[i] + 1 + random_below(random, SIZE - 1)) % SIZE;
        if (k < kind->unread)
            reading.set[i] = ALL_SYMBOLS;
        else if (k < kind->unread + kind->choices)
            reading.set[i] |= 1u << other;
        else if (kind->wrong > 0)
            reading.set[i] = 1u << other;
        else if (confusable != 0)
            reading.set[i] = confusable & -confusable;
    }
    return reading;
}

static void test_kinds_are_identified(void **state)
{
    uint64_t random = 20;

    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        const double sizes[] = {2000, kinds[k].identified_up_to, 2e7};

        for (int round = 0; round < 100; round++) {
            struct microstamp_code code = random_code(&random);
            struct microstamp_reading reading = spoil(&random, *state, &code, &kinds[k]);

            for (size_t n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++) {
                struct outcome outcome = trace(*state, &reading, &code, 1, 1.0, sizes[n]);

                if (sizes[n] <= kinds[k].identified_up_to &&
                    outcome.ranking.state != MICROSTAMP_IDENTIFIED)
                    fail_msg("%s at N = %g: %s, posterior %g, ratio %g", kinds[k].name, sizes[n],
                             microstamp_state_name(outcome.ranking.state), outcome.best.posterior,
                             outcome.ranking.likelihood_ratio);
                assert_int_equal(outcome.place, 0);
                assert_true(outcome.ranking.state == MICROSTAMP_IDENTIFIED ||
                            outcome.ranking.state == MICROSTAMP_CANDIDATES);
            }
        }
    }
}

/* The same readings of a code that nobody registered. */
static void test_kinds_are_no_match(void **state)
{
    uint64_t random = 21;

    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        for (int round = 0; round < 50; round++) {
            struct microstamp_code code = random_code(&random);
            struct microstamp_reading reading = spoil(&random, *state, &code, &kinds[k]);
            struct outcome outcome = trace(*state, &reading, NULL, 0, 1.0, 2e6);

            assert_int_equal(outcome.ranking.state, MICROSTAMP_NO_MATCH);
            assert_true(outcome.ranking.not_registered > 0.98);
            outcome = trace(*state, &reading, NULL, 0, 1.0, 0);
            assert_int_equal(outcome.ranking.state, MICROSTAMP_NO_MATCH);
            assert_near(outcome.ranking.not_registered, 1.0, 1e-15);
            assert_true(outcome.ranking.expected_chance_matches == 0.0);
        }
    }
}

/* Two characters wrong, and unlikely ones: the posterior says no match, but the registered code two
 * substitutions away forbids to say so. Three away, it does not. */
static void test_two_substitutions_forbid_no_match(void **state)
{
    struct microstamp_code zero = {{0}};
    struct microstamp_reading reading = reading_from("00900A00");
    struct outcome outcome = trace(*state, &reading, &zero, 1, 1.0, 1e7);

    assert_true(outcome.ranking.not_registered > 0.9);
    assert_int_equal(outcome.place, 0);
    assert_int_equal(outcome.ranking.state, MICROSTAMP_CANDIDATES);
    reading = reading_from("009W0A00");
    outcome = trace(*state, &reading, &zero, 1, 1.0, 1e7);
    assert_int_equal(outcome.ranking.state, MICROSTAMP_NO_MATCH);
}

static void test_insufficient(void **state)
{
    struct microstamp_code zero = {{0}};
    struct microstamp_reading reading = reading_from("00??????");
    struct outcome outcome = trace(*state, &reading, &zero, 1, 1.0, 10);

    /* However small the registry: two characters are not enough. */
    assert_int_equal(outcome.ranking.state, MICROSTAMP_INSUFFICIENT);
    assert_true(outcome.ranking.effective_characters < 3.0);
    reading = reading_from("????????");
    outcome = trace(*state, &reading, NULL, 0, 1.0, 2e6);
    assert_int_equal(outcome.ranking.state, MICROSTAMP_INSUFFICIENT);
    assert_near(outcome.ranking.likelihood_ratio, 1.0, 1e-12);
    assert_true(fabs(outcome.ranking.effective_characters) < 1e-12);
    /* All registered codes fit, however few were looked up. */
    assert_near(outcome.ranking.expected_chance_matches, 2e6, 1e-9);
    /* Three are just too few: the ratio is 29^3 times 0.98^3, if other registries count too. */
    reading = reading_from("000?????");
    outcome = trace(*state, &reading, &zero, 1, 1.0, 10);
    assert_int_equal(outcome.ranking.state, MICROSTAMP_INSUFFICIENT);
    assert_near(outcome.ranking.reading_characters, 2.98, 2e-3);
    reading = reading_from("0000????");
    outcome = trace(*state, &reading, &zero, 1, 1.0, 2e6);
    assert_int_equal(outcome.ranking.state, MICROSTAMP_CANDIDATES);
    reading = reading_from("00000???");
    outcome = trace(*state, &reading, &zero, 1, 1.0, 2e6);
    assert_int_equal(outcome.ranking.state, MICROSTAMP_CANDIDATES);
}

/* Records that disagree lower the ratio and the posterior, but never hide a candidate. */
static void test_factors(void **state)
{
    struct microstamp_code zero = {{0}};
    struct microstamp_reading reading = reading_of(&zero);
    double all =
        MICROSTAMP_FACTOR_CALIBER * MICROSTAMP_FACTOR_NOT_INSTALLED * MICROSTAMP_FACTOR_NOT_SHIPPED;
    struct outcome plain = trace(*state, &reading, &zero, 1, 1.0, 2000);
    struct outcome caliber = trace(*state, &reading, &zero, 1, MICROSTAMP_FACTOR_CALIBER, 2000);
    struct outcome worst = trace(*state, &reading, &zero, 1, all, 2000);

    assert_near(caliber.ranking.likelihood_ratio, 0.02 * plain.ranking.likelihood_ratio, 1e-12);
    assert_int_equal(caliber.ranking.state, MICROSTAMP_IDENTIFIED);
    assert_int_equal(worst.ranking.state, MICROSTAMP_CANDIDATES);
    assert_int_equal(worst.place, 0);
    assert_near(worst.ranking.reading_characters, plain.ranking.effective_characters, 1e-12);
}

/* Two firearms under one code (a slide was moved) share the posterior, in the order given. */
static void test_shared_code(void **state)
{
    struct microstamp_code codes[2] = {{{0}}, {{0}}};
    struct microstamp_reading reading = reading_of(&codes[0]);
    struct outcome outcome = trace(*state, &reading, codes, 2, 1.0, 2000);

    assert_int_equal(outcome.hits, 2);
    assert_int_equal(outcome.ranking.state, MICROSTAMP_CANDIDATES);
    assert_true(outcome.best.posterior > 0.499 && outcome.best.posterior < 0.5);
    assert_int_equal(outcome.best.hit, 0);
    /* The registry cannot hold fewer than were found in it. */
    outcome = trace(*state, &reading, codes, 2, 1.0, 0);
    assert_true(outcome.best.posterior > 0.499 && outcome.best.posterior < 0.5);
}

static void test_state_names(void **state)
{
    (void)state;
    assert_string_equal(microstamp_state_name(MICROSTAMP_IDENTIFIED), "identified");
    assert_string_equal(microstamp_state_name(MICROSTAMP_CANDIDATES), "candidates");
    assert_string_equal(microstamp_state_name(MICROSTAMP_NO_MATCH), "no_match");
    assert_string_equal(microstamp_state_name(MICROSTAMP_INSUFFICIENT), "insufficient");
}

/* Codes of a registry that explain the evidence better than the first one does. */
static size_t better_than_first(const struct microstamp_evidence *evidence,
                                const struct microstamp_code *registry)
{
    double own = microstamp_evidence_likelihood(evidence, &registry[0]) * (1.0 + 1e-12);
    size_t better = 0;

    for (size_t r = 1; r < REGISTRY; r++)
        better += microstamp_evidence_likelihood(evidence, &registry[r]) > own;
    return better;
}

static void test_more_read_never_ranks_lower(void **state)
{
    static struct microstamp_code registry[REGISTRY];
    uint64_t random = 22;

    for (size_t r = 0; r < REGISTRY; r++)
        registry[r] = random_code(&random);
    for (int round = 0; round < 120; round++) {
        const struct microstamp_code code = random_code(&random);
        struct microstamp_reading reading = reading_of(&code);
        unsigned wrong = random_below(&random, LENGTH), unread = random_below(&random, 4);
        int before = -1;
        size_t better_before = REGISTRY;

        registry[0] = code;
        if (round % 2 == 0)
            reading.set[wrong] = 1u << random_below(&random, SIZE);
        for (unsigned k = 1; k <= unread; k++)
            reading.set[(wrong + k) % LENGTH] = ALL_SYMBOLS;
        for (unsigned k = unread + 1; k-- > 0;) {
            struct microstamp_evidence evidence;
            size_t better;

            microstamp_evidence_init(*state, &reading, &evidence);
            better = better_than_first(&evidence, registry);
            assert_true(better <= better_before);
            better_before = better;
            /* The ranking proper, where the code can restore what is missing. */
            if (round % 2 == 1 || k <= 1) {
                struct outcome outcome = trace(*state, &reading, registry, REGISTRY, 1.0, REGISTRY);

                assert_true(outcome.place >= 0);
                assert_true(before < 0 || outcome.place <= before);
                before = outcome.place;
            }
            if (k > 0)
                reading.set[(wrong + k) % LENGTH] = 1u << code.symbol[(wrong + k) % LENGTH];
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean_reading_by_hand),
        cmocka_unit_test(test_kinds_are_identified),
        cmocka_unit_test(test_kinds_are_no_match),
        cmocka_unit_test(test_two_substitutions_forbid_no_match),
        cmocka_unit_test(test_insufficient),
        cmocka_unit_test(test_factors),
        cmocka_unit_test(test_shared_code),
        cmocka_unit_test(test_state_names),
        cmocka_unit_test(test_more_read_never_ranks_lower),
    };

    return cmocka_run_group_tests(tests, make_matrix, free_matrix);
}
