// SPDX-License-Identifier: Apache-2.0
/* Traces of simulated casings through the engine, as the daemon makes them, and what came out. */

#include "bench/solve_rate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PLACEMENT 0 /* all marks are firing pins */

const double solve_bin_from[SOLVE_BINS + 1] = {0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 1.0};

/* What one run keeps from trial to trial. */
struct bench {
    const struct solve_registry *registry;
    const struct solve_case *what;
    struct microstamp_matrix *matrix;
    struct microstamp_examination *examination;
    struct microstamp_observation observation[SOLVE_CASINGS_MAX];
    struct microstamp_recorded *recorded;
    struct microstamp_candidate *candidate;
    size_t count, capacity;
};

static double now_ns(void)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (double)at.tv_sec * 1e9 + (double)at.tv_nsec;
}

static bool reserve(struct bench *bench, size_t capacity)
{
    struct microstamp_recorded *recorded;
    struct microstamp_candidate *candidate;

    if (capacity <= bench->capacity)
        return true;
    recorded = reallocarray(bench->recorded, capacity, sizeof(*recorded));
    if (recorded == NULL)
        return false;
    bench->recorded = recorded;
    candidate = reallocarray(bench->candidate, capacity, sizeof(*candidate));
    if (candidate == NULL)
        return false;
    bench->candidate = candidate;
    bench->capacity = capacity;
    return true;
}

/* One firearm for each code that is looked up and registered. */
static bool look_up(struct bench *bench, unsigned level, const struct microstamp_lookup *lookups,
                    size_t count)
{
    bench->count = 0;
    if (!reserve(bench, count))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct microstamp_candidate *candidate = &bench->candidate[bench->count];
        struct microstamp_code code;

        if (microstamp_r29_parse(lookups[i].text, strlen(lookups[i].text), &code, NULL) !=
                MICROSTAMP_OK ||
            !solve_registry_has(bench->registry, level, &code))
            continue;
        bench->recorded[bench->count] = (struct microstamp_recorded){
            .placement = PLACEMENT,
            .alphabet = MICROSTAMP_R29,
            .code = lookups[i].text,
            .factor = 1.0,
        };
        candidate->mark = &bench->recorded[bench->count];
        candidate->mark_count = 1;
        for (unsigned s = 0; s < MICROSTAMP_SPECIMENS_MAX; s++)
            candidate->factor[s] = 1.0;
        bench->count++;
    }
    return true;
}

static enum microstamp_status begin(struct bench *bench, unsigned level)
{
    const double size = (double)bench->registry->size[level];
    const struct microstamp_registry registry = {.firearms = size, .pi0 = 0.5, .r29 = size};
    enum microstamp_status status = MICROSTAMP_OK;

    microstamp_examination_begin(bench->examination, bench->matrix, &registry);
    for (unsigned k = 0; k < bench->what->casings && status == MICROSTAMP_OK; k++) {
        const struct microstamp_mark mark = {
            .specimen = k, .placement = PLACEMENT, .r29 = &bench->observation[k]};

        status = microstamp_examination_add(bench->examination, &mark);
    }
    return status;
}

/* Counts an answer's best probability against the truth. Only what an answer shows counts. */
static void count_posterior(const struct microstamp_group *group, bool right,
                            struct solve_tally *tally)
{
    unsigned bin = SOLVE_BINS - 1;
    double posterior;

    if (group->ranked_count == 0 || (group->ranking.state != MICROSTAMP_IDENTIFIED &&
                                     group->ranking.state != MICROSTAMP_CANDIDATES))
        return;
    posterior = group->ranked[0].posterior;
    while (bin > 0 && posterior < solve_bin_from[bin])
        bin--;
    tally->bin[bin].answers += 1.0;
    tally->bin[bin].posterior_sum += posterior;
    tally->bin[bin].right += right;
}

/* What a trace comes to when its casings were taken apart: identified if any group is, wrong if
 * any identification is. */
struct verdict {
    bool identified_right, identified_wrong, shown_right, candidates, no_match;
    size_t rank; /* of the right firearm, the best of the groups; 0: nowhere */
};

static void judge_group(const struct bench *bench, const struct microstamp_group *group,
                        const char *truth, struct verdict *verdict, struct solve_tally *tally)
{
    bool best_is_right = false;

    for (size_t r = 0; r < group->ranked_count && truth != NULL; r++) {
        const struct microstamp_candidate *candidate =
            &bench->candidate[group->ranked[r].candidate];

        if (strcmp(candidate->mark[0].code, truth) != 0)
            continue;
        best_is_right = r == 0;
        if (verdict->rank == 0 || r + 1 < verdict->rank)
            verdict->rank = r + 1;
        if (r < MICROSTAMP_SHOWN_MAX && group->ranking.state == MICROSTAMP_CANDIDATES)
            verdict->shown_right = true;
        break;
    }
    count_posterior(group, best_is_right, tally);
    switch (group->ranking.state) {
    case MICROSTAMP_IDENTIFIED:
        if (best_is_right)
            verdict->identified_right = true;
        else
            verdict->identified_wrong = true;
        break;
    case MICROSTAMP_CANDIDATES:
        verdict->candidates = true;
        break;
    case MICROSTAMP_NO_MATCH:
        verdict->no_match = true;
        break;
    case MICROSTAMP_INSUFFICIENT:
        break;
    }
}

/* truth: the code of a registered gun, else NULL. */
static void judge(const struct bench *bench, const char *truth, struct solve_tally *tally)
{
    struct verdict verdict = {0};
    size_t count;
    const struct microstamp_group *group =
        microstamp_examination_groups(bench->examination, &count);

    for (size_t g = 0; g < count; g++)
        judge_group(bench, &group[g], truth, &verdict, tally);
    tally->trials += 1.0;
    tally->several_guns += count > 1;
    if (verdict.identified_wrong)
        tally->identified_wrong += 1.0;
    else if (verdict.identified_right)
        tally->identified_right += 1.0;
    else if (verdict.shown_right)
        tally->candidates_with_right += 1.0;
    else if (verdict.candidates)
        tally->candidates_without_right += 1.0;
    else if (verdict.no_match)
        tally->no_match += 1.0;
    else
        tally->insufficient += 1.0;
    if (verdict.rank > 0) {
        tally->ranks += 1.0;
        tally->rank_sum += (double)verdict.rank;
    }
}

static bool trace(struct bench *bench, unsigned level, const char *truth, struct solve_tally *tally)
{
    const struct microstamp_lookup *lookups;
    size_t count;
    double from = now_ns(), found_ns;
    enum microstamp_status status = begin(bench, level);

    if (status == MICROSTAMP_OK)
        status = microstamp_examination_plan(bench->examination, 0, &lookups, &count);
    if (status != MICROSTAMP_OK)
        return false;
    found_ns = now_ns() - from;
    if (!look_up(bench, level, lookups, count))
        return false;
    from = now_ns();
    status = microstamp_examination_resolve(bench->examination, bench->candidate, bench->count);
    if (status != MICROSTAMP_OK)
        return false;
    tally->pure_ns += found_ns + now_ns() - from;
    tally->look_ups += (double)count;
    judge(bench, truth, tally);
    return true;
}

static bool run_trial(struct bench *bench, uint64_t trial, struct solve_tally *ret_tally)
{
    struct solve_random random = solve_random_make(bench->what->seed, trial);
    char reading[SOLVE_CASINGS_MAX][9], truth[9];
    struct microstamp_code gun;
    bool registered;

    solve_gun_draw(bench->registry, bench->what->population, &random, &gun, &registered);
    microstamp_r29_canonical(&gun, truth);
    solve_casings_draw(bench->what, bench->matrix, &gun, &random, reading);
    for (unsigned k = 0; k < bench->what->casings; k++) {
        if (microstamp_observation_parse(MICROSTAMP_R29, reading[k], strlen(reading[k]),
                                         &bench->observation[k], NULL) != MICROSTAMP_OK)
            return false;
    }
    for (unsigned level = 0; level < bench->registry->level_count; level++) {
        if (!trace(bench, level, registered ? truth : NULL, &ret_tally[level]))
            return false;
    }
    return true;
}

bool solve_run(const struct solve_registry *registry, const struct solve_case *what,
               struct solve_tally *ret_tally)
{
    struct bench bench = {.registry = registry, .what = what};
    bool ok = solve_matrix_make(what->misread, &bench.matrix) &&
              microstamp_examination_make(&bench.examination) == MICROSTAMP_OK;

    memset(ret_tally, 0, registry->level_count * sizeof(*ret_tally));
    for (uint64_t trial = 0; ok && trial < what->trials; trial++)
        ok = run_trial(&bench, trial, ret_tally);
    if (!ok)
        (void)fprintf(stderr, "solve-trials: the engine refused a trace, or memory is short\n");
    microstamp_examination_free(bench.examination);
    microstamp_matrix_free(bench.matrix);
    free(bench.recorded);
    free(bench.candidate);
    return ok;
}

void solve_tally_add(struct solve_tally *sum, const struct solve_tally *more, double weight)
{
    sum->trials += weight * more->trials;
    sum->identified_right += weight * more->identified_right;
    sum->identified_wrong += weight * more->identified_wrong;
    sum->candidates_with_right += weight * more->candidates_with_right;
    sum->candidates_without_right += weight * more->candidates_without_right;
    sum->no_match += weight * more->no_match;
    sum->insufficient += weight * more->insufficient;
    sum->several_guns += weight * more->several_guns;
    sum->ranks += weight * more->ranks;
    sum->rank_sum += weight * more->rank_sum;
    sum->look_ups += weight * more->look_ups;
    sum->pure_ns += weight * more->pure_ns;
    for (unsigned b = 0; b < SOLVE_BINS; b++) {
        sum->bin[b].answers += weight * more->bin[b].answers;
        sum->bin[b].right += weight * more->bin[b].right;
        sum->bin[b].posterior_sum += weight * more->bin[b].posterior_sum;
    }
}
