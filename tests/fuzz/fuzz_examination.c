// SPDX-License-Identifier: Apache-2.0
/* A trace, one mark on each line: the first byte says which specimen, placement and kind, the rest
 * is the reading. What was looked up first is registered. Whatever is read, all probabilities are
 * probabilities and add up. */

#include "tests/fuzz/fuzz_microstamp.h"

#define LOOKUPS_MAX 200

static struct microstamp_examination *exam;
static struct microstamp_observation seen[2 * MICROSTAMP_MARKS_MAX];
static size_t seen_count;

static const struct microstamp_observation *see(enum microstamp_alphabet alphabet, const char *text,
                                                size_t size, uint8_t kind)
{
    struct microstamp_observation *one = &seen[seen_count];

    if (microstamp_observation_parse(alphabet, text, size, one, NULL) != MICROSTAMP_OK)
        return NULL;
    one->orientation_unknown = (kind & 64) != 0;
    one->rows_unknown = (kind & 128) != 0 && one->length == 8;
    seen_count++;
    return one;
}

static void add_line(const char *line, size_t size)
{
    uint8_t kind = (uint8_t)line[0];
    struct microstamp_mark mark = {.specimen = kind & 7, .placement = (kind >> 3 & 3) - 1};

    mark.r29 = see(MICROSTAMP_R29, line + 1, size - 1, kind);
    if (mark.r29 == NULL || (kind & 32) != 0)
        mark.opaque = see(MICROSTAMP_OPAQUE, line + 1, size - 1, kind);
    if (mark.r29 != NULL || mark.opaque != NULL)
        require(microstamp_examination_add(exam, &mark) == MICROSTAMP_OK);
}

static void add_lines(const char *text, size_t size)
{
    for (unsigned marks = 0; marks < 8 && size > 0; marks++) {
        const char *end = memchr(text, '\n', size);
        size_t length = end == NULL ? size : (size_t)(end - text);

        if (length > 0)
            add_line(text, length);
        text += end == NULL ? length : length + 1;
        size -= end == NULL ? length : length + 1;
    }
}

static bool is_probability(double p)
{
    return p >= 0.0 && p <= 1.0 + 1e-9;
}

static void check_group(const struct microstamp_group *group, size_t index)
{
    double sum = group->ranking.not_registered + group->ranking.unlisted;
    struct microstamp_next next[3];
    size_t recorded;

    require(is_probability(group->ranking.not_registered));
    require(is_probability(group->ranking.unlisted));
    require(isfinite(group->ranking.likelihood_ratio) && group->ranking.likelihood_ratio > 0.0);
    require(group->ranking.expected_chance_matches >= 0.0);
    require(group->ranking.expected_chance_matches <= 1e6 * (1.0 + 1e-9));
    for (size_t r = 0; r < group->ranked_count; r++) {
        require(is_probability(group->ranked[r].posterior));
        sum += group->ranked[r].posterior;
        require(isfinite(microstamp_examination_support(exam, index, r, 0, &recorded)));
    }
    require(fabs(sum - 1.0) < 1e-9);
    require(microstamp_examination_next_best(exam, index, next, 3) <= 3);
}

/* The first whole codes that were asked for, on one firearm each. */
static size_t register_some(const struct microstamp_lookup *lookup, size_t count,
                            struct microstamp_recorded *ret_mark,
                            struct microstamp_candidate *ret_candidate)
{
    size_t found = 0;

    for (size_t n = 0; n < count && found < 3; n++) {
        if (lookup[n].part != MICROSTAMP_WHOLE)
            continue;
        ret_mark[found] =
            (struct microstamp_recorded){(int)(n % 2), lookup[n].alphabet, lookup[n].text, 1.0};
        ret_candidate[found] =
            (struct microstamp_candidate){.mark = &ret_mark[found], .mark_count = 1};
        for (unsigned s = 0; s < MICROSTAMP_SPECIMENS_MAX; s++)
            ret_candidate[found].factor[s] = 0.5 + (double)(s % 3);
        found++;
    }
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct microstamp_registry registry = {
        .firearms = 1e6, .pi0 = 0.5, .r29 = 9e5, .opaque = {[4] = 1e3, [6] = 1e4, [8] = 8e4}};
    struct microstamp_recorded mark[3];
    struct microstamp_candidate candidate[3];
    const struct microstamp_lookup *lookup;
    const struct microstamp_group *group;
    char *text = copy_of(data, size);
    size_t count, found;

    if (exam == NULL)
        require(microstamp_examination_make(&exam) == MICROSTAMP_OK);
    microstamp_examination_begin(exam, default_matrix(), &registry);
    seen_count = 0;
    add_lines(text, size);
    require(microstamp_examination_plan(exam, LOOKUPS_MAX, &lookup, &count) == MICROSTAMP_OK);
    require(count <= LOOKUPS_MAX);
    found = register_some(lookup, count, mark, candidate);
    if (size % 3 == 0)
        microstamp_examination_overflowed(exam, size % 7);
    require(microstamp_examination_resolve(exam, candidate, found) == MICROSTAMP_OK);
    group = microstamp_examination_groups(exam, &count);
    for (size_t g = 0; g < count; g++)
        check_group(&group[g], g);
    free(text);
    return 0;
}
