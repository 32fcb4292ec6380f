// SPDX-License-Identifier: Apache-2.0
/* One trace from its marks to its answer: what the parts of the examination are called with. */

#include "microstamp/exam.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum microstamp_status microstamp_exam_grow(void **array, size_t *capacity, size_t needed,
                                            size_t size)
{
    size_t more = *capacity == 0 ? 8 : *capacity;
    void *grown;

    if (needed <= *capacity)
        return MICROSTAMP_OK;
    while (more < needed)
        more *= 2;
    grown = reallocarray(*array, more, size);
    if (grown == NULL)
        return MICROSTAMP_NO_MEMORY;
    *array = grown;
    *capacity = more;
    return MICROSTAMP_OK;
}

void microstamp_exam_frequency(const struct microstamp_registry *registry, unsigned length,
                               double ret_frequency[][MICROSTAMP_OPAQUE_SIZE])
{
    const float(*table)[MICROSTAMP_OPAQUE_SIZE] = registry->frequency[length];

    for (unsigned i = 0; i < length; i++) {
        for (unsigned t = 0; t < MICROSTAMP_OPAQUE_SIZE; t++)
            ret_frequency[i][t] =
                table == NULL ? 1.0 / MICROSTAMP_OPAQUE_SIZE : (double)table[i][t];
    }
}

enum microstamp_status microstamp_examination_make(struct microstamp_examination **ret_examination)
{
    struct microstamp_examination *exam = calloc(1, sizeof(*exam));

    if (exam == NULL)
        return MICROSTAMP_NO_MEMORY;
    exam->scratch = calloc(1, sizeof(*exam->scratch));
    if (exam->scratch == NULL) {
        free(exam);
        return MICROSTAMP_NO_MEMORY;
    }
    *ret_examination = exam;
    return MICROSTAMP_OK;
}

static void strings_free(struct exam_strings *strings)
{
    free(strings->string);
    free(strings->heap);
}

void microstamp_examination_free(struct microstamp_examination *exam)
{
    if (exam == NULL)
        return;
    for (unsigned s = 0; s < exam->set_capacity; s++)
        microstamp_exam_set_free(exam->set[s]);
    free(exam->set);
    microstamp_words_free(&exam->words);
    strings_free(&exam->first);
    strings_free(&exam->second);
    strings_free(&exam->whole);
    free(exam->lookup);
    free(exam->cut);
    free(exam->table.slot);
    free(exam->code);
    free(exam->first_code);
    free(exam->ranked);
    microstamp_line_free(exam->scratch);
    free(exam->scratch);
    free(exam);
}

void microstamp_examination_begin(struct microstamp_examination *exam,
                                  const struct microstamp_matrix *matrix,
                                  const struct microstamp_registry *registry)
{
    exam->matrix = matrix;
    exam->registry = *registry;
    exam->mark_count = exam->set_count = 0;
    exam->lookup_count = exam->group_count = exam->candidate_count = 0;
    exam->more_than_one = false;
    for (unsigned s = 0; s < MICROSTAMP_SPECIMENS_MAX; s++)
        exam->linked[s] = (uint8_t)s;
}

enum microstamp_status microstamp_examination_add(struct microstamp_examination *exam,
                                                  const struct microstamp_mark *mark)
{
    if (exam->mark_count == MICROSTAMP_MARKS_MAX || mark->specimen >= MICROSTAMP_SPECIMENS_MAX)
        return MICROSTAMP_LIMIT;
    if (mark->r29 == NULL && mark->opaque == NULL)
        return MICROSTAMP_BAD_INPUT; /* it would be a line of no scheme */
    exam->mark[exam->mark_count++] = *mark;
    return MICROSTAMP_OK;
}

void microstamp_examination_link(struct microstamp_examination *exam, unsigned specimen_a,
                                 unsigned specimen_b)
{
    uint8_t a = exam->linked[specimen_a], b = exam->linked[specimen_b];
    uint8_t first = a < b ? a : b, other = a < b ? b : a;

    for (unsigned s = 0; s < MICROSTAMP_SPECIMENS_MAX; s++) {
        if (exam->linked[s] == other)
            exam->linked[s] = first;
    }
}

size_t microstamp_exam_units(const struct microstamp_examination *exam,
                             uint32_t ret_unit[MICROSTAMP_SPECIMENS_MAX])
{
    uint32_t with_marks = 0;
    size_t count = 0;

    for (unsigned m = 0; m < exam->mark_count; m++)
        with_marks |= 1u << exam->mark[m].specimen;
    for (unsigned first = 0; first < MICROSTAMP_SPECIMENS_MAX; first++) {
        uint32_t unit = 0;

        for (unsigned s = first; s < MICROSTAMP_SPECIMENS_MAX; s++) {
            if (exam->linked[s] == first)
                unit |= 1u << s & with_marks;
        }
        if (unit != 0)
            ret_unit[count++] = unit;
    }
    return count;
}

/* ---- candidates -------------------------------------------------------------------------- */

static enum microstamp_status take_candidates(struct microstamp_examination *exam,
                                              const struct microstamp_candidate *candidates,
                                              size_t count)
{
    size_t codes = 0, capacity = exam->candidate_capacity;
    enum microstamp_status status;

    for (size_t c = 0; c < count; c++)
        codes += candidates[c].mark_count;
    status = microstamp_exam_grow((void **)&exam->code, &exam->code_capacity, codes,
                                  sizeof(*exam->code));
    if (status == MICROSTAMP_OK)
        status = microstamp_exam_grow((void **)&exam->first_code, &capacity, count,
                                      sizeof(*exam->first_code));
    if (status != MICROSTAMP_OK)
        return status;
    exam->candidate_capacity = capacity;
    exam->candidate = candidates;
    exam->candidate_count = count;
    codes = 0;
    for (size_t c = 0; c < count; c++) {
        exam->first_code[c] = codes;
        for (size_t m = 0; m < candidates[c].mark_count; m++)
            microstamp_exam_code(candidates[c].mark[m].alphabet, candidates[c].mark[m].code,
                                 &exam->code[codes++]);
    }
    return MICROSTAMP_OK;
}

enum microstamp_status microstamp_examination_resolve(struct microstamp_examination *exam,
                                                      const struct microstamp_candidate *candidates,
                                                      size_t count)
{
    uint32_t specimens[MICROSTAMP_SPECIMENS_MAX];
    size_t groups = 0;
    bool more_than_one = false;
    enum microstamp_status status;

    exam->group_count = 0;
    exam->more_than_one = false;
    status = take_candidates(exam, candidates, count);
    for (unsigned s = 0; s < exam->set_count; s++) {
        for (unsigned l = 0; l < exam->set[s]->count; l++)
            microstamp_exam_line_close(exam, exam->set[s]->line[l]);
    }
    if (status == MICROSTAMP_OK)
        status = microstamp_exam_group(exam, specimens, &groups, &more_than_one);
    if (status == MICROSTAMP_OK)
        status = microstamp_exam_grow((void **)&exam->ranked, &exam->ranked_capacity,
                                      groups * count, sizeof(*exam->ranked));
    for (size_t g = 0; g < groups && status == MICROSTAMP_OK; g++) {
        struct microstamp_group *group = &exam->group[g];
        struct microstamp_ranked *ranked = count == 0 ? NULL : &exam->ranked[g * count];
        struct exam_score score;
        struct exam_set *set;

        status = microstamp_exam_set_closed(exam, specimens[g], &set);
        if (status != MICROSTAMP_OK)
            break;
        exam->group_set[g] = set;
        *group = (struct microstamp_group){
            .specimens = specimens[g], .ranked = ranked, .ranked_count = count};
        microstamp_exam_score(exam, set, ranked, &score);
        microstamp_exam_rank(exam, set, &score, ranked, &group->ranking);
    }
    if (status != MICROSTAMP_OK)
        return status;
    exam->group_count = groups;
    exam->more_than_one = more_than_one;
    return MICROSTAMP_OK;
}

const struct microstamp_group *
microstamp_examination_groups(const struct microstamp_examination *exam, size_t *ret_count)
{
    *ret_count = exam->group_count;
    return exam->group;
}

bool microstamp_examination_more_than_one(const struct microstamp_examination *exam)
{
    return exam->more_than_one;
}

/* ---- details for the answer -------------------------------------------------------------- */

void microstamp_examination_agreement(const struct microstamp_examination *exam, unsigned mark,
                                      const struct microstamp_recorded *recorded,
                                      char ret_text[MICROSTAMP_TEXT])
{
    const struct microstamp_observation *observation =
        recorded->alphabet == MICROSTAMP_R29 ? exam->mark[mark].r29 : exam->mark[mark].opaque;
    struct exam_code code;

    microstamp_exam_code(recorded->alphabet, recorded->code, &code);
    memset(ret_text, '.', code.length);
    ret_text[code.length] = '\0';
    if (observation == NULL || observation->length != code.length ||
        microstamp_line_fuse(exam->matrix, &observation, 1, exam->scratch) != MICROSTAMP_OK)
        return;
    microstamp_line_agreement(exam->scratch, code.symbol, ret_text);
}

double microstamp_examination_support(const struct microstamp_examination *exam, size_t group,
                                      size_t ranked, unsigned mark, size_t *ret_recorded)
{
    const struct exam_set *set = exam->group_set[group];

    *ret_recorded = SIZE_MAX;
    for (unsigned l = 0; l < set->count; l++) {
        const struct exam_line *line = set->line[l];
        double score;

        if ((line->marks >> mark & 1u) == 0)
            continue;
        score = microstamp_exam_line_score(exam, line, exam->group[group].ranked[ranked].candidate,
                                           ret_recorded);
        return log10(fmax(score / line->nobody, 1e-300));
    }
    return 0.0;
}
