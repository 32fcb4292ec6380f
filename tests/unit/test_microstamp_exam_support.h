// SPDX-License-Identifier: Apache-2.0
#ifndef TEST_MICROSTAMP_EXAM_SUPPORT_H
#define TEST_MICROSTAMP_EXAM_SUPPORT_H

/* A registry in memory that answers look-ups as the database does, and examinations that ask it. */

#include "tests/unit/test_microstamp_support.h"

#include "microstamp/exam.h"

#define GUNS_MAX 4000
#define GUN_MARKS_MAX 3
#define FOUND_MAX GUNS_MAX

struct gun {
    char code[GUN_MARKS_MAX][MICROSTAMP_TEXT];
    struct microstamp_recorded mark[GUN_MARKS_MAX];
    size_t mark_count;
};

static struct gun guns[GUNS_MAX];
static size_t gun_count;
static struct microstamp_registry registry;
static struct microstamp_examination *exam;
static struct microstamp_observation seen[MICROSTAMP_MARKS_MAX];
static struct microstamp_candidate found[FOUND_MAX];
static size_t found_gun[FOUND_MAX], found_count, lookup_count;

static inline void registry_clear(double firearms)
{
    gun_count = 0;
    registry = (struct microstamp_registry){.firearms = firearms, .pi0 = 0.5};
}

/* Adds a mark to the gun that was added last, or to a new one. */
static inline size_t add_recorded(bool new_gun, int placement, enum microstamp_alphabet alphabet,
                                  const char *code)
{
    struct gun *gun;
    size_t m;

    if (new_gun) {
        assert_true(gun_count < GUNS_MAX);
        guns[gun_count++].mark_count = 0;
    }
    gun = &guns[gun_count - 1];
    m = gun->mark_count++;
    assert_true(m < GUN_MARKS_MAX);
    (void)snprintf(gun->code[m], MICROSTAMP_TEXT, "%s", code);
    gun->mark[m] = (struct microstamp_recorded){placement, alphabet, gun->code[m], 1.0};
    if (alphabet == MICROSTAMP_R29)
        registry.r29 += 1.0;
    else
        registry.opaque[strlen(code)] += 1.0;
    return gun_count - 1;
}

static inline size_t add_r29(const struct microstamp_code *code)
{
    char text[9];

    microstamp_r29_canonical(code, text);
    return add_recorded(true, 0, MICROSTAMP_R29, text);
}

static inline void random_opaque(uint64_t *random, unsigned length, char *ret_text)
{
    for (unsigned i = 0; i < length; i++)
        ret_text[i] = microstamp_character(MICROSTAMP_OPAQUE, random_below(random, 36));
    ret_text[length] = '\0';
}

static inline void begin_exam(const struct microstamp_matrix *matrix)
{
    if (exam == NULL)
        assert_int_equal(microstamp_examination_make(&exam), MICROSTAMP_OK);
    microstamp_examination_begin(exam, matrix, &registry);
}

static inline void observe(unsigned specimen, int placement, enum microstamp_alphabet alphabet,
                           const char *text)
{
    struct microstamp_observation *one = &seen[exam->mark_count];
    struct microstamp_mark mark = {.specimen = specimen, .placement = placement};

    assert_int_equal(microstamp_observation_parse(alphabet, text, strlen(text), one, NULL),
                     MICROSTAMP_OK);
    if (alphabet == MICROSTAMP_R29)
        mark.r29 = one;
    else
        mark.opaque = one;
    assert_int_equal(microstamp_examination_add(exam, &mark), MICROSTAMP_OK);
}

static inline bool answers(const struct microstamp_recorded *mark,
                           const struct microstamp_lookup *lookup)
{
    size_t length = strlen(mark->code), count = strlen(lookup->text);

    if (mark->alphabet != lookup->alphabet || length != lookup->length)
        return false;
    if (lookup->part == MICROSTAMP_WHOLE)
        return strcmp(mark->code, lookup->text) == 0;
    if (lookup->part == MICROSTAMP_FIRST_HALF)
        return count == length / 2 && strncmp(mark->code, lookup->text, count) == 0;
    return count == length - length / 2 && strcmp(mark->code + length / 2, lookup->text) == 0;
}

static inline int compare_texts(const void *a, const void *b)
{
    const struct microstamp_lookup *x = a, *y = b;

    return strcmp(x->text, y->text);
}

/* Whether any of the look-ups finds the mark: whole ones stand first, sorted. */
static inline bool any_answers(const struct microstamp_recorded *mark,
                               const struct microstamp_lookup *sorted, size_t whole, size_t count)
{
    struct microstamp_lookup key = {.length = 0};

    (void)snprintf(key.text, sizeof(key.text), "%s", mark->code);
    if (whole > 0) {
        const struct microstamp_lookup *at =
            bsearch(&key, sorted, whole, sizeof(key), compare_texts);

        /* Codes of both alphabets may be spelled alike, and then stand side by side. */
        for (; at != NULL && at > sorted && compare_texts(at - 1, &key) == 0; at--)
            ;
        for (; at != NULL && at < sorted + whole && compare_texts(at, &key) == 0; at++) {
            if (answers(mark, at))
                return true;
        }
    }
    for (size_t n = whole; n < count; n++) {
        if (answers(mark, &sorted[n]))
            return true;
    }
    return false;
}

/* All guns that an answer names, each once, in the registry's order. */
static inline void look_up(size_t max)
{
    static struct microstamp_lookup sorted[MICROSTAMP_WORDS_MAX];
    const struct microstamp_lookup *lookup;
    size_t whole = 0, others;

    assert_int_equal(microstamp_examination_plan(exam, max, &lookup, &lookup_count), MICROSTAMP_OK);
    others = lookup_count;
    for (size_t n = 0; n < lookup_count; n++)
        sorted[lookup[n].part == MICROSTAMP_WHOLE ? whole++ : --others] = lookup[n];
    qsort(sorted, whole, sizeof(*sorted), compare_texts);
    found_count = 0;
    for (size_t g = 0; g < gun_count; g++) {
        bool here = false;

        for (size_t m = 0; m < guns[g].mark_count && !here; m++)
            here = any_answers(&guns[g].mark[m], sorted, whole, lookup_count);
        if (!here)
            continue;
        found[found_count] =
            (struct microstamp_candidate){.mark = guns[g].mark, .mark_count = guns[g].mark_count};
        for (unsigned s = 0; s < MICROSTAMP_SPECIMENS_MAX; s++)
            found[found_count].factor[s] = 1.0;
        found_gun[found_count++] = g;
    }
}

/* Resolves, and checks what must hold of every group. */
static inline const struct microstamp_group *resolve(size_t *ret_groups)
{
    const struct microstamp_group *group;
    uint32_t all = 0;

    assert_int_equal(microstamp_examination_resolve(exam, found, found_count), MICROSTAMP_OK);
    group = microstamp_examination_groups(exam, ret_groups);
    for (size_t g = 0; g < *ret_groups; g++) {
        double sum = group[g].ranking.not_registered + group[g].ranking.unlisted;

        assert_int_equal(group[g].ranked_count, found_count);
        assert_int_equal(all & group[g].specimens, 0);
        all |= group[g].specimens;
        for (size_t r = 0; r < found_count; r++) {
            sum += group[g].ranked[r].posterior;
            assert_true(r == 0 || group[g].ranked[r].posterior <= group[g].ranked[r - 1].posterior);
        }
        assert_near(sum, 1.0, 1e-12);
    }
    assert_true((*ret_groups > 1) == microstamp_examination_more_than_one(exam));
    return group;
}

static inline const struct microstamp_group *examine(size_t *ret_groups)
{
    look_up(0);
    return resolve(ret_groups);
}

/* The gun that a group ranks first. */
static inline size_t best_gun(const struct microstamp_group *group)
{
    return group->ranked_count == 0 ? SIZE_MAX : found_gun[group->ranked[0].candidate];
}

static inline int free_exam(void **state)
{
    microstamp_examination_free(exam);
    exam = NULL;
    return free_matrix(state);
}

#endif
