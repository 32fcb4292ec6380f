// SPDX-License-Identifier: Apache-2.0
/* The whole way from a reading to the ranking against a scorer written apart in Python:
 * tests/property/microstamp_reference.py made the file that this compares with, to 1e-9. */

#include "tests/unit/test_microstamp_support.h"

#define REGISTRY_MAX 200

struct registry {
    struct microstamp_code code[REGISTRY_MAX];
    double factor[REGISTRY_MAX];
    size_t count;
};

/* One case of the file. */
struct expected {
    char reading[64], state[64];
    double n, pi0, z, random_mean, not_registered, unlisted, ratio, effective, characters, chance;
    size_t words, hits;
};

/* The next word of the file, or "" at its end. */
static void next_word(FILE *file, char ret_word[64])
{
    if (fscanf(file, " %63s", ret_word) != 1)
        ret_word[0] = '\0';
}

static double next_number(FILE *file)
{
    char word[64], *end;
    double number;

    next_word(file, word);
    number = strtod(word, &end);
    assert_true(end != word && *end == '\0');
    return number;
}

static void read_expected(FILE *file, struct expected *ret_expected)
{
    next_word(file, ret_expected->reading);
    ret_expected->n = next_number(file);
    ret_expected->pi0 = next_number(file);
    next_word(file, ret_expected->state);
    ret_expected->words = (size_t)next_number(file);
    ret_expected->z = next_number(file);
    ret_expected->random_mean = next_number(file);
    ret_expected->not_registered = next_number(file);
    ret_expected->unlisted = next_number(file);
    ret_expected->ratio = next_number(file);
    ret_expected->effective = next_number(file);
    ret_expected->characters = next_number(file);
    ret_expected->chance = next_number(file);
    ret_expected->hits = (size_t)next_number(file);
}

static void look_up(const struct registry *registry, const struct microstamp_words *words,
                    struct microstamp_hit *hits, size_t *ret_count)
{
    size_t count = 0;

    for (size_t w = 0; w < words->count; w++) {
        for (size_t r = 0; r < registry->count; r++) {
            if (differences(&words->word[w].code, &registry->code[r]) != 0)
                continue;
            hits[count].word = w;
            hits[count].factor = registry->factor[r];
            count++;
        }
    }
    *ret_count = count;
}

static void compare_hits(FILE *file, const struct microstamp_words *words,
                         const struct microstamp_hit *hits,
                         const struct microstamp_ranked_hit *ranked, size_t count)
{
    struct {
        struct microstamp_code code;
        double posterior;
        bool seen;
    } expected[REGISTRY_MAX];
    char text[64];

    for (size_t i = 0; i < count; i++) {
        next_word(file, text);
        assert_string_equal(text, "hit");
        next_word(file, text);
        expected[i].code = code_from(text);
        expected[i].posterior = next_number(file);
        expected[i].seen = false;
    }
    /* Equal posteriors may stand in any order. */
    for (size_t i = 0; i < count; i++) {
        const struct microstamp_word *word = &words->word[hits[ranked[i].hit].word];
        size_t e = 0;

        assert_near(ranked[i].posterior, expected[i].posterior, 1e-9);
        while (e < count && (expected[e].seen || differences(&expected[e].code, &word->code) != 0))
            e++;
        assert_true(e < count);
        expected[e].seen = true;
        assert_near(ranked[i].posterior, expected[e].posterior, 1e-9);
    }
}

static void compare_case(FILE *file, const struct microstamp_matrix *matrix,
                         const struct registry *registry, const struct expected *expected,
                         struct microstamp_words *words)
{
    struct microstamp_reading reading = reading_from(expected->reading);
    struct microstamp_evidence evidence;
    struct microstamp_hit hits[REGISTRY_MAX];
    struct microstamp_ranked_hit ranked[REGISTRY_MAX];
    struct microstamp_ranking ranking;
    size_t count;

    microstamp_evidence_init(matrix, &reading, &evidence);
    assert_int_equal(microstamp_words_find(&evidence, 0, words), MICROSTAMP_OK);
    look_up(registry, words, hits, &count);
    microstamp_rank(words, hits, count, expected->n, expected->pi0, ranked, &ranking);
    assert_string_equal(microstamp_state_name(ranking.state), expected->state);
    assert_int_equal(words->count, expected->words);
    assert_int_equal(count, expected->hits);
    assert_near(words->z, expected->z, 1e-9);
    assert_near(words->random_mean, expected->random_mean, 1e-9);
    assert_near(ranking.not_registered, expected->not_registered, 1e-9);
    /* What is left of Z is a difference of nearly equal numbers: compare it as a probability. */
    assert_true(fabs(ranking.unlisted - expected->unlisted) < 1e-9);
    assert_near(ranking.likelihood_ratio, expected->ratio, 1e-9);
    assert_near(ranking.effective_characters, expected->effective, 1e-9);
    assert_near(ranking.reading_characters, expected->characters, 1e-9);
    assert_near(ranking.expected_chance_matches, expected->chance, 1e-9);
    compare_hits(file, words, hits, ranked, count);
}

static void test_reference(void **state)
{
    FILE *file = open_source_file("tests/property/microstamp_reference.txt");
    struct registry registry = {.count = 0};
    struct microstamp_words words = {0};
    struct expected e;
    char text[64];
    size_t cases = 0;

    for (next_word(file, text); text[0] != '\0'; next_word(file, text)) {
        if (strcmp(text, "code") == 0) {
            assert_true(registry.count < REGISTRY_MAX);
            next_word(file, text);
            registry.code[registry.count] = code_from(text);
            registry.factor[registry.count++] = next_number(file);
            continue;
        }
        assert_string_equal(text, "case");
        read_expected(file, &e);
        compare_case(file, *state, &registry, &e, &words);
        cases++;
    }
    assert_true(feof(file));
    assert_int_equal(cases, 72);
    microstamp_words_free(&words);
    (void)fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),
    };

    return cmocka_run_group_tests(tests, make_matrix, free_matrix);
}
