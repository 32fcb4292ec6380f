// SPDX-License-Identifier: Apache-2.0
/* The sample registry: every casing of casings.ndjson leads to the firearm that it should. */

#include "tests/unit/test_microstamp_support.h"

#include <jansson.h>

#define FIREARM_MAX 2100
#define LINE_MAX_BYTES 4096

struct firearm {
    char maker[32], serial[32], caliber[32];
    struct microstamp_code code;
};

static struct firearm firearms[FIREARM_MAX];
static size_t firearm_count;

/* Columns: external_id,maker,importer,model,caliber,type,serial,placement,scheme,code,… The file
 * has no quoted fields. */
static void read_firearm(char *line)
{
    struct firearm *firearm = &firearms[firearm_count];
    const char *field[12];
    char *next = line;

    assert_true(firearm_count < FIREARM_MAX);
    for (size_t i = 0; i < 12; i++)
        field[i] = next == NULL ? "" : strsep(&next, ",\r\n");
    assert_string_equal(field[8], MICROSTAMP_R29_NAME);
    (void)snprintf(firearm->maker, sizeof(firearm->maker), "%s", field[1]);
    (void)snprintf(firearm->caliber, sizeof(firearm->caliber), "%s", field[4]);
    (void)snprintf(firearm->serial, sizeof(firearm->serial), "%s", field[6]);
    firearm->code = code_from(field[9]);
    assert_true(microstamp_r29_is_valid(&firearm->code));
    firearm_count++;
}

static int read_firearms(void **state)
{
    FILE *file = open_source_file("tests/data/sample/firearms.csv");
    char line[LINE_MAX_BYTES];

    if (make_matrix(state) != 0)
        return -1;
    if (fgets(line, sizeof(line), file) == NULL)
        return -1;
    while (fgets(line, sizeof(line), file) != NULL)
        read_firearm(line);
    (void)fclose(file);
    return firearm_count == 2000 ? 0 : -1;
}

/* An examination of the same reading and firearms comes to the same answer. */
static void check_examination(const struct microstamp_matrix *matrix, const char *text,
                              double registered, const struct microstamp_hit *hits,
                              const struct firearm *const *found, size_t count,
                              const struct microstamp_ranking *ranking,
                              const struct microstamp_ranked_hit *ranked)
{
    struct microstamp_registry registry = {
        .firearms = registered, .pi0 = 0.5, .r29 = (double)firearm_count};
    struct microstamp_recorded recorded[16];
    struct microstamp_candidate candidates[16];
    struct microstamp_observation observation;
    struct microstamp_mark mark = {.r29 = &observation};
    struct microstamp_examination *exam = NULL;
    const struct microstamp_lookup *lookups;
    const struct microstamp_group *group;
    char code[16][9];
    size_t size;

    for (size_t i = 0; i < count; i++) {
        microstamp_r29_canonical(&found[i]->code, code[i]);
        recorded[i] = (struct microstamp_recorded){0, MICROSTAMP_R29, code[i], 1.0};
        candidates[i] = (struct microstamp_candidate){
            .mark = &recorded[i], .mark_count = 1, .factor = {hits[i].factor}};
    }
    assert_int_equal(
        microstamp_observation_parse(MICROSTAMP_R29, text, strlen(text), &observation, NULL),
        MICROSTAMP_OK);
    assert_int_equal(microstamp_examination_make(&exam), MICROSTAMP_OK);
    microstamp_examination_begin(exam, matrix, &registry);
    assert_int_equal(microstamp_examination_add(exam, &mark), MICROSTAMP_OK);
    assert_int_equal(microstamp_examination_plan(exam, 0, &lookups, &size), MICROSTAMP_OK);
    assert_int_equal(microstamp_examination_resolve(exam, candidates, count), MICROSTAMP_OK);
    group = microstamp_examination_groups(exam, &size);
    assert_int_equal(size, 1);
    assert_int_equal(group->ranking.state, ranking->state);
    assert_near(group->ranking.likelihood_ratio, ranking->likelihood_ratio, 1e-12);
    assert_near(group->ranking.not_registered, ranking->not_registered, 1e-12);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(group->ranked[i].candidate, ranked[i].hit);
        assert_near(group->ranked[i].posterior, ranked[i].posterior, 1e-12);
    }
    microstamp_examination_free(exam);
}

static void check_casing(const struct microstamp_matrix *matrix, json_t *casing, double registered,
                         struct microstamp_words *words)
{
    const char *text = json_string_value(json_object_get(casing, "reading"));
    const char *caliber = json_string_value(json_object_get(casing, "caliber"));
    json_t *expected = json_object_get(casing, "expected");
    struct microstamp_reading reading = reading_from(text);
    struct microstamp_evidence evidence;
    struct microstamp_hit hits[16];
    struct microstamp_ranked_hit ranked[16];
    struct microstamp_ranking ranking;
    const struct firearm *found[16], *best;
    size_t count = 0;

    microstamp_evidence_init(matrix, &reading, &evidence);
    assert_int_equal(microstamp_words_find(&evidence, 0, words), MICROSTAMP_OK);
    for (size_t w = 0; w < words->count; w++) {
        for (size_t f = 0; f < firearm_count; f++) {
            if (differences(&words->word[w].code, &firearms[f].code) != 0)
                continue;
            assert_true(count < 16);
            hits[count].word = w;
            hits[count].factor =
                strcmp(firearms[f].caliber, caliber) == 0 ? 1.0 : MICROSTAMP_FACTOR_CALIBER;
            found[count++] = &firearms[f];
        }
    }
    microstamp_rank(words, hits, count, registered, 0.5, ranked, &ranking);
    check_examination(matrix, text, registered, hits, found, count, &ranking, ranked);
    if (json_is_null(expected)) {
        assert_string_equal(microstamp_state_name(ranking.state), "no_match");
        return;
    }
    if (ranking.state != MICROSTAMP_IDENTIFIED)
        fail_msg("%s: %s, ratio %g", text, microstamp_state_name(ranking.state),
                 ranking.likelihood_ratio);
    best = found[ranked[0].hit];
    assert_string_equal(best->maker, json_string_value(json_object_get(expected, "maker")));
    assert_string_equal(best->serial, json_string_value(json_object_get(expected, "serial")));
}

/* As large as the sample, and as it would be among a million marked pistols in circulation. */
static void test_casings(void **state)
{
    FILE *file = open_source_file("tests/data/sample/casings.ndjson");
    char line[LINE_MAX_BYTES];
    struct microstamp_words words = {0};
    int casings = 0;

    while (fgets(line, sizeof(line), file) != NULL) {
        json_t *casing = json_loads(line, 0, NULL);

        assert_non_null(casing);
        check_casing(*state, casing, 2000.0, &words);
        check_casing(*state, casing, 1e6, &words);
        json_decref(casing);
        casings++;
    }
    assert_int_equal(casings, 300);
    microstamp_words_free(&words);
    (void)fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_casings),
    };

    return cmocka_run_group_tests(tests, read_firearms, free_matrix);
}
