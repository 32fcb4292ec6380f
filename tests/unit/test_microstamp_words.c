// SPDX-License-Identifier: Apache-2.0
/* Z, the search for the best words, and the near ones, against plain ways to the same. */

#include "tests/unit/test_microstamp_support.h"

/* A reading of a random code with some positions unread, wrong, or a choice of up to four. */
static struct microstamp_reading random_reading(uint64_t *random, unsigned unread, unsigned wrong,
                                                unsigned choices)
{
    struct microstamp_code code = random_code(random);
    struct microstamp_reading reading = reading_of(&code);
    unsigned order[LENGTH] = {0, 1, 2, 3, 4, 5, 6, 7}, at = 0;

    for (unsigned i = 0; i < LENGTH; i++) {
        unsigned other = i + random_below(random, LENGTH - i), swap = order[i];

        order[i] = order[other];
        order[other] = swap;
    }
    for (; unread > 0; unread--)
        reading.set[order[at++]] = ALL_SYMBOLS;
    for (; wrong > 0; wrong--, at++)
        reading.set[order[at]] =
            1u << (code.symbol[order[at]] + 1 + random_below(random, SIZE - 1)) % SIZE;
    for (; choices > 0; choices--, at++) {
        for (unsigned more = 1 + random_below(random, 3); more > 0; more--)
            reading.set[order[at]] |= 1u << random_below(random, SIZE);
    }
    return reading;
}

/* Kinds of readings: how many unread, wrong, choices. */
static const unsigned kinds[][3] = {{0, 0, 0}, {1, 0, 0}, {2, 0, 0}, {0, 1, 0}, {0, 2, 0},
                                    {1, 1, 0}, {0, 0, 1}, {0, 0, 2}, {1, 0, 1}, {2, 1, 0},
                                    {0, 3, 0}, {0, 1, 2}, {2, 0, 2}, {3, 0, 0}, {0, 0, 5}};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

static void test_z(void **state)
{
    uint64_t random = 10;

    for (unsigned round = 0; round < 20 * KIND_COUNT; round++) {
        const unsigned *kind = kinds[round % KIND_COUNT];
        struct microstamp_reading reading = random_reading(&random, kind[0], kind[1], kind[2]);
        struct microstamp_evidence evidence;
        double total, plain;

        microstamp_evidence_init(*state, &reading, &evidence);
        plain = plain_z(&evidence);
        assert_near(microstamp_sum_table(&evidence), plain, 1e-13);
        assert_near(microstamp_sum_transform(&evidence, &total), plain, 1e-9);
        assert_near(microstamp_sum(&evidence, &total), plain, 1e-9);
    }
}

/* Where errors are rare, a reading that is far from all codes has a Z of which the transform keeps
 * no digit; the sum must then come from the table. */
static void test_z_when_small(void **state)
{
    struct microstamp_matrix *sharp;
    struct microstamp_rates rates;
    double worst = 0.0;
    uint64_t random = 11;

    (void)state;
    microstamp_rates_default(MICROSTAMP_DEFAULT_ERROR_RATE, &rates);
    for (unsigned t = 0; t < SIZE; t++) {
        for (unsigned r = 0; r < SIZE; r++)
            rates.r29[t][r] = r == t ? 1.0 - 28e-8 : 1e-8;
    }
    assert_int_equal(microstamp_matrix_make("sharp", &rates, &sharp, NULL), MICROSTAMP_OK);
    for (unsigned round = 0; round < 20 * KIND_COUNT; round++) {
        const unsigned *kind = kinds[round % KIND_COUNT];
        struct microstamp_reading reading = random_reading(&random, kind[0], kind[1], kind[2]);
        struct microstamp_evidence evidence;
        double total, plain, error;

        microstamp_evidence_init(sharp, &reading, &evidence);
        plain = plain_z(&evidence);
        assert_near(microstamp_sum(&evidence, &total), plain, 1e-9);
        error = fabs(microstamp_sum_transform(&evidence, &total) / plain - 1.0);
        worst = fmax(worst, error);
    }
    assert_true(worst > 1e-3);
    microstamp_matrix_free(sharp);
}

/* Counts the valid words of at least some likelihood by trying all beginnings that can still reach
 * it: no tables, no order. */
struct count {
    const struct microstamp_evidence *evidence;
    double limit;
    double rest[LENGTH + 1]; /* greatest likelihood of the positions from here on */
    struct microstamp_code code;
    size_t found;
};

static void count_from(struct count *count, unsigned depth, double value)
{
    const double *p = microstamp_evidence_row(count->evidence, depth)->p;

    if (value * count->rest[depth] < count->limit)
        return;
    if (depth == LENGTH - 2) {
        microstamp_r29_complete(count->code.symbol, &count->code);
        if (microstamp_evidence_likelihood(count->evidence, &count->code) >= count->limit)
            count->found++;
        return;
    }
    for (unsigned t = 0; t < SIZE; t++) {
        count->code.symbol[depth] = (uint8_t)t;
        count_from(count, depth + 1, value * p[t]);
    }
}

static size_t count_words(const struct microstamp_evidence *evidence, double limit)
{
    struct count count = {.evidence = evidence, .limit = limit};

    count.rest[LENGTH] = 1.0;
    for (unsigned i = LENGTH; i-- > 0;) {
        const double *p = microstamp_evidence_row(evidence, i)->p;
        double best = 0.0;

        for (unsigned t = 0; t < SIZE; t++)
            best = fmax(best, p[t]);
        count.rest[i] = best * count.rest[i + 1];
    }
    count_from(&count, 0, 1.0);
    return count.found;
}

static int compare_words(const void *a, const void *b)
{
    const struct microstamp_word *x = a, *y = b;

    return memcmp(&x->code, &y->code, sizeof(x->code));
}

/* What must hold of any result. */
static void check_words(const struct microstamp_evidence *evidence, struct microstamp_words *words,
                        size_t max)
{
    double left = words->z;

    assert_true(words->count >= 1 && words->best_count >= 1 && words->best_count <= max);
    for (size_t i = 0; i < words->count; i++) {
        const struct microstamp_word *word = &words->word[i];

        assert_true(microstamp_r29_is_valid(&word->code));
        assert_near(word->likelihood, microstamp_evidence_likelihood(evidence, &word->code), 1e-14);
        if (i > 0 && i < words->best_count)
            assert_true(word->likelihood <= words->word[i - 1].likelihood * (1.0 + 1e-12));
        if (i >= words->best_count)
            assert_true(word->near);
        left -= word->likelihood;
        if (i + 1 == words->best_count)
            assert_int_equal(words->complete, left < words->word[0].likelihood / 100.0);
    }
    assert_true(fabs(words->left - fmax(left, 0.0)) <= 1e-12 * words->z);
    qsort(words->word, words->count, sizeof(*words->word), compare_words);
    for (size_t i = 1; i < words->count; i++)
        assert_true(compare_words(&words->word[i - 1], &words->word[i]) < 0);
}

/* No valid word of a likelihood over the last one's is missing, and no more are there than exist.
 */
static void test_search_is_complete(void **state)
{
    struct microstamp_words words = {0};
    uint64_t random = 12;

    for (unsigned round = 0; round < 6 * KIND_COUNT; round++) {
        const unsigned *kind = kinds[round % KIND_COUNT];
        struct microstamp_reading reading = random_reading(&random, kind[0], kind[1], kind[2]);
        size_t max = kind[0] == 3 ? 500 : MICROSTAMP_WORDS_MAX;
        struct microstamp_evidence evidence;
        double last;

        microstamp_evidence_init(*state, &reading, &evidence);
        assert_int_equal(microstamp_words_find(&evidence, max, &words), MICROSTAMP_OK);
        last = words.word[words.best_count - 1].likelihood;
        /* Ties with the last one may or may not be in. */
        assert_true(count_words(&evidence, last * (1.0 + 1e-9)) <= words.best_count);
        assert_true(count_words(&evidence, last * (1.0 - 1e-9)) >= words.best_count);
        check_words(&evidence, &words, max);
    }
    microstamp_words_free(&words);
}

static void test_search_stops_at_max(void **state)
{
    struct microstamp_reading reading = reading_from("????4A7K");
    struct microstamp_evidence evidence;
    struct microstamp_words words = {0};

    microstamp_evidence_init(*state, &reading, &evidence);
    assert_int_equal(microstamp_words_find(&evidence, 0, &words), MICROSTAMP_OK);
    assert_int_equal(words.count, MICROSTAMP_WORDS_MAX);
    assert_false(words.complete);
    /* Four unread leave 29 * 29 words that fit exactly. */
    assert_near(words.word[840].likelihood, pow(0.98, 4), 1e-12);
    assert_true(words.word[841].likelihood < 0.5 * pow(0.98, 4));
    check_words(&evidence, &words, MICROSTAMP_WORDS_MAX);
    assert_int_equal(microstamp_words_find(&evidence, 1, &words), MICROSTAMP_OK);
    assert_int_equal(words.count, 1);
    microstamp_words_free(&words);
}

/* Any two erasures recovered, any one error located: the right word is among the words, and alone
 * when one character at most was not read. */
static void test_right_word_is_found(void **state)
{
    struct microstamp_words words = {0};
    uint64_t random = 13;

    for (unsigned round = 0; round < 3000; round++) {
        struct microstamp_code code = random_code(&random);
        struct microstamp_reading reading = reading_of(&code);
        unsigned i = random_below(&random, LENGTH), j = random_below(&random, LENGTH);
        struct microstamp_evidence evidence;
        bool found = false;

        switch (round % 3) {
        case 1:
            reading.set[i] = reading.set[j] = ALL_SYMBOLS;
            break;
        case 2:
            reading.set[i] = 1u << (code.symbol[i] + 1 + random_below(&random, SIZE - 1)) % SIZE;
            break;
        default:
            break;
        }
        microstamp_evidence_init(*state, &reading, &evidence);
        assert_int_equal(microstamp_words_find(&evidence, 0, &words), MICROSTAMP_OK);
        for (size_t w = 0; w < words.count; w++)
            found = found || (differences(&words.word[w].code, &code) == 0 && words.word[w].near);
        assert_true(found);
        if (round % 3 == 0 || (round % 3 == 1 && i == j)) {
            assert_int_equal(words.best_count, 1);
            assert_int_equal(words.word[0].code.symbol[i], code.symbol[i]);
        }
        if (round % 3 == 0)
            assert_int_equal(words.count, 1);
    }
    microstamp_words_free(&words);
}

/* How many substitutions lie between a word and a reading; unread positions are one each. */
static unsigned substitutions(const struct microstamp_reading *reading,
                              const struct microstamp_code *code)
{
    unsigned count = 0;

    for (unsigned i = 0; i < LENGTH; i++)
        count += reading->set[i] == ALL_SYMBOLS || (reading->set[i] >> code->symbol[i] & 1u) == 0;
    return count;
}

/* All valid words within two substitutions, by trying every character at every two positions. */
static size_t count_near(const struct microstamp_reading *reading)
{
    size_t found = 0;

    /* Each six characters make one word: change at most two of them, or leave it to the last two.
     */
    for (unsigned i = 0; i < 6; i++) {
        for (unsigned j = i + 1; j < 7; j++) {
            for (unsigned x = 0; x < SIZE * (j < 6 ? SIZE : 1); x++) {
                struct microstamp_code code;

                for (unsigned k = 0; k < LENGTH; k++)
                    code.symbol[k] = (uint8_t)__builtin_ctz(reading->set[k]);
                /* j = 6 stands for: of the first six only i is changed. */
                if (code.symbol[i] == x % SIZE || (j < 6 && code.symbol[j] == x / SIZE))
                    continue;
                code.symbol[i] = (uint8_t)(x % SIZE);
                if (j < 6)
                    code.symbol[j] = (uint8_t)(x / SIZE);
                microstamp_r29_complete(code.symbol, &code);
                found += substitutions(reading, &code) <= 2;
            }
        }
    }
    return found + 1; /* and the first six unchanged */
}

static void test_near_words(void **state)
{
    struct microstamp_words words = {0};
    uint64_t random = 14;

    for (unsigned round = 0; round < 300; round++) {
        struct microstamp_reading reading = random_reading(&random, 0, round % 4, 0);
        struct microstamp_evidence evidence;
        size_t near = 0;

        microstamp_evidence_init(*state, &reading, &evidence);
        assert_int_equal(microstamp_words_find(&evidence, 0, &words), MICROSTAMP_OK);
        for (size_t i = 0; i < words.count; i++) {
            assert_int_equal(words.word[i].near, substitutions(&reading, &words.word[i].code) <= 2);
            near += words.word[i].near;
        }
        assert_int_equal(near, count_near(&reading));
        if (round % 4 == 0)
            assert_int_equal(near, 1);
        if (round % 4 == 1)
            assert_int_equal(near, 22); /* the right one stands for 7 of the 28 pairs */
    }
    microstamp_words_free(&words);
}

/* With choices and unread positions: what is marked is near, and nothing that is near is missing
 * among all words that a deep search finds. */
static void test_near_words_of_choices(void **state)
{
    struct microstamp_words words = {0}, deep = {0};
    uint64_t random = 15;

    for (unsigned round = 0; round < 40; round++) {
        struct microstamp_reading reading = random_reading(&random, round % 3, 0, 1 + round % 4);
        struct microstamp_evidence evidence;
        size_t near = 0, expected = 0;

        microstamp_evidence_init(*state, &reading, &evidence);
        assert_int_equal(microstamp_words_find(&evidence, 0, &words), MICROSTAMP_OK);
        for (size_t i = 0; i < words.count; i++)
            near += words.word[i].near;
        /* The search itself, without its stop. */
        deep.count = 0;
        deep.left = INFINITY;
        assert_int_equal(microstamp_search_run(&evidence, 20000, &deep), MICROSTAMP_OK);
        for (size_t i = 0; i < deep.count; i++)
            expected += substitutions(&reading, &deep.word[i].code) <= 2;
        assert_true(near >= expected);
        for (size_t i = 0; i < words.count; i++)
            assert_int_equal(words.word[i].near, substitutions(&reading, &words.word[i].code) <= 2);
    }
    microstamp_words_free(&words);
    microstamp_words_free(&deep);
}

/* Choices so wide that their words would be too many are bounded. */
static void test_near_words_are_bounded(void **state)
{
    static const char *const texts[] = {"[01234567][01234567][01234567][01234567]4A7K",
                                        "[0123][0123][0123][0123][0123][0123][0123][0123]",
                                        "[01][01][01][01][01][01][01][01]",
                                        "[0123456789ACDEFGHJKMNPRTUVWX]??4A7K9"};
    struct microstamp_words words = {0};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct microstamp_reading reading = reading_from(texts[i]);
        struct microstamp_evidence evidence;

        microstamp_evidence_init(*state, &reading, &evidence);
        assert_int_equal(microstamp_words_find(&evidence, 100, &words), MICROSTAMP_OK);
        assert_true(words.count <= words.best_count + MICROSTAMP_WORDS_NEAR_MAX);
        check_words(&evidence, &words, 100);
    }
    microstamp_words_free(&words);
    microstamp_words_free(&words);
    microstamp_words_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_z),
        cmocka_unit_test(test_z_when_small),
        cmocka_unit_test(test_search_is_complete),
        cmocka_unit_test(test_search_stops_at_max),
        cmocka_unit_test(test_right_word_is_found),
        cmocka_unit_test(test_near_words),
        cmocka_unit_test(test_near_words_of_choices),
        cmocka_unit_test(test_near_words_are_bounded),
    };

    return cmocka_run_group_tests(tests, make_matrix, free_matrix);
}
