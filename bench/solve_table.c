// SPDX-License-Identifier: Apache-2.0
/* The whole table: every combination of what is varied, as markdown. */

#include "bench/solve_rate.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LEVELS 3
#define LEGIBILITIES 5
#define CLUSTERS 3
#define MISREADS 2
#define CASINGS 3
#define POPULATIONS 3
#define CELLS (LEGIBILITIES * CLUSTERS * MISREADS * CASINGS * POPULATIONS)
#define EXTRAS 7 /* more cases, beside the table */
#define RUNS (CELLS + EXTRAS * POPULATIONS)
#define THREADS_MAX 16

static const size_t sizes[LEVELS] = {100000, 2000000, 10000000};
static const double legibilities[LEGIBILITIES] = {0.95, 0.926, 0.90, 0.85, 0.75};
static const double clusters[CLUSTERS] = {0.0, 0.2, 0.3};
static const double misreads[MISREADS] = {0.0, 0.02};

/* What the table leaves out. 54 % of casings are legible in full at 0.926 without correlation, and
 * at 0.8756 and 0.8491 with correlation 0.2 and 0.3. */
static const struct {
    const char *what;
    double legibility, cluster, misread, pin_faults;
    bool look_alikes;
    unsigned casings;
} extras[EXTRAS] = {
    {"54 % of casings legible in full", 0.926, 0.0, 0.0, 0.0, false, 1},
    {"the same 54 %, illegibility correlated 0.2", 0.8756, 0.2, 0.0, 0.0, false, 1},
    {"the same 54 %, illegibility correlated 0.3", 0.8491, 0.3, 0.0, 0.0, false, 1},
    {"2 % misread, always as a look-alike", 0.926, 0.0, 0.02, 0.0, true, 1},
    {"2 % misread, and 1 % of the pin's characters faulty", 0.926, 0.0, 0.02, 0.01, false, 1},
    {"the same, two casings of that pin", 0.926, 0.0, 0.02, 0.01, false, 2},
    {"the same, three casings of that pin", 0.926, 0.0, 0.02, 0.01, false, 3},
};

struct table {
    struct solve_registry registry;
    struct solve_case what[RUNS];
    struct solve_tally tally[RUNS][LEVELS];
    atomic_uint next;
    atomic_bool failed;
};

static unsigned cell(unsigned legibility, unsigned cluster, unsigned misread, unsigned casings,
                     unsigned population)
{
    return (((legibility * CLUSTERS + cluster) * MISREADS + misread) * CASINGS + casings) *
               POPULATIONS +
           population;
}

/* Where much is illegible or misread, a trace costs milliseconds instead of microseconds, and the
 * shares are far from 0 and 1, so that fewer trials tell as much. By legibility. */
static uint64_t trials_of(unsigned legibility, double cluster, double misread, double effort)
{
    static const double with_misreads[LEGIBILITIES] = {2000, 2000, 1000, 500, 200};
    static const double with_both[LEGIBILITIES] = {700, 700, 400, 350, 200};
    static const double with_cluster[LEGIBILITIES] = {1400, 1400, 1400, 700, 400};
    double trials = 3000.0;

    if (misread > 0.0)
        trials = cluster > 0.0 ? with_both[legibility] : with_misreads[legibility];
    else if (cluster > 0.0)
        trials = with_cluster[legibility];
    return (uint64_t)fmax(1.0, trials * effort);
}

static void fill_extras(struct table *table, uint64_t seed, double effort)
{
    for (unsigned e = 0; e < EXTRAS; e++)
        for (unsigned p = 0; p < POPULATIONS; p++)
            table->what[CELLS + e * POPULATIONS + p] = (struct solve_case){
                .legibility = extras[e].legibility,
                .cluster = extras[e].cluster,
                .misread = extras[e].misread,
                .pin_faults = extras[e].pin_faults,
                .look_alikes = extras[e].look_alikes,
                .casings = extras[e].casings,
                .population = (enum solve_population)p,
                .seed = seed,
                .trials = (uint64_t)fmax(1.0, 5000.0 * effort),
            };
}

static void fill_cases(struct table *table, uint64_t seed, double effort)
{
    for (unsigned l = 0; l < LEGIBILITIES; l++)
        for (unsigned c = 0; c < CLUSTERS; c++)
            for (unsigned m = 0; m < MISREADS; m++)
                for (unsigned k = 0; k < CASINGS; k++)
                    for (unsigned p = 0; p < POPULATIONS; p++)
                        table->what[cell(l, c, m, k, p)] = (struct solve_case){
                            .legibility = legibilities[l],
                            .cluster = clusters[c],
                            .misread = misreads[m],
                            .casings = k + 1,
                            .population = (enum solve_population)p,
                            .seed = seed,
                            .trials = trials_of(l, clusters[c], misreads[m], effort),
                        };
}

/* The cells that cost most come last in the list: taken from its end, they do not leave one thread
 * alone with the last of them. */
static void *work(void *argument)
{
    struct table *table = argument;

    for (;;) {
        unsigned taken = atomic_fetch_add(&table->next, 1);

        if (taken >= RUNS || atomic_load(&table->failed))
            return NULL;
        taken = RUNS - 1 - taken;
        if (!solve_run(&table->registry, &table->what[taken], table->tally[taken]))
            atomic_store(&table->failed, true);
    }
}

static bool run(struct table *table)
{
    pthread_t thread[THREADS_MAX];
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned wanted = cores < 1 ? 1 : cores > THREADS_MAX ? THREADS_MAX : (unsigned)cores;
    unsigned started = 0;

    while (started + 1 < wanted && pthread_create(&thread[started], NULL, work, table) == 0)
        started++;
    (void)work(table);
    for (unsigned i = 0; i < started; i++)
        (void)pthread_join(thread[i], NULL);
    return !atomic_load(&table->failed);
}

static double percent(double count, double of)
{
    return of > 0.0 ? 100.0 * count / of : 0.0;
}

/* The columns after those that name a row; tally: of the three populations, one after another. */
static void print_columns(const struct solve_tally (*tally)[LEVELS], unsigned level)
{
    const struct solve_tally *in = &tally[SOLVE_REGISTERED][level];
    const struct solve_tally *out = &tally[SOLVE_UNREGISTERED][level];
    const struct solve_tally *other = &tally[SOLVE_FOREIGN][level];
    double n = in->trials, all = n + out->trials + other->trials;

    (void)printf("%.1f | %.2f | %.1f | %.1f | %.1f | %.1f | ", percent(in->identified_right, n),
                 percent(in->identified_wrong, n), percent(in->candidates_with_right, n),
                 percent(in->candidates_without_right, n), percent(in->no_match, n),
                 percent(in->insufficient, n));
    if (in->ranks > 0.0)
        (void)printf("%.2f", in->rank_sum / in->ranks);
    (void)printf(" | %.2f | %.1f | %.2f | %.1f | %.0f | %.0f |\n",
                 percent(out->identified_wrong, out->trials), percent(out->no_match, out->trials),
                 percent(other->identified_wrong, other->trials),
                 percent(other->no_match, other->trials),
                 (in->pure_ns + out->pure_ns + other->pure_ns) / all / 1000.0, n);
}

static void print_head(const char *names, const char *lines)
{
    (void)printf(
        "| %s | right | wrong | right among candidates | other candidates only | no match "
        "| insufficient | mean rank | not registered: wrong | no match | foreign: wrong | "
        "no match | µs | trials |\n|%s--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        names, lines);
}

static void print_block(const struct table *table, unsigned level, unsigned m)
{
    (void)printf("\n### %zu registered codes, %g %% misread\n\n", sizes[level],
                 100.0 * misreads[m]);
    print_head("legible | correlation | casings", "--:|--:|--:|");
    for (unsigned l = 0; l < LEGIBILITIES; l++) {
        for (unsigned c = 0; c < CLUSTERS; c++) {
            for (unsigned k = 0; k < CASINGS; k++) {
                (void)printf("| %g | %g | %u | ", legibilities[l], clusters[c], k + 1);
                print_columns(&table->tally[cell(l, c, m, k, 0)], level);
            }
        }
    }
}

static void print_extras(const struct table *table)
{
    (void)printf("\n### Beside the table\n\n");
    print_head("codes | what", "--:|--|");
    for (unsigned level = 0; level < LEVELS; level++) {
        for (unsigned e = 0; e < EXTRAS; e++) {
            (void)printf("| %zu | %s | ", sizes[level], extras[e].what);
            print_columns(&table->tally[CELLS + e * POPULATIONS], level);
        }
    }
}

/* All cells of a registry and misread rate together, by population as the engine assumes them
 * beforehand: half registered, a quarter each of the others. */
static void print_calibration(const struct table *table)
{
    (void)printf("\n### Calibration\n\n| codes | misread | posterior said | answers | mean "
                 "posterior | right |\n|--:|--:|--|--:|--:|--:|\n");
    for (unsigned level = 0; level < LEVELS; level++) {
        for (unsigned m = 0; m < MISREADS; m++) {
            struct solve_tally sum = {0};

            for (unsigned i = 0; i < CELLS; i++) {
                if (table->what[i].misread == misreads[m])
                    solve_tally_add(&sum, &table->tally[i][level],
                                    table->what[i].population == SOLVE_REGISTERED ? 2.0 : 1.0);
            }
            for (unsigned b = 0; b < SOLVE_BINS; b++) {
                const struct solve_bin *bin = &sum.bin[b];

                if (bin->answers == 0.0)
                    continue;
                (void)printf("| %zu | %g %% | %g – %g | %.0f | %.2f %% | %.2f %% |\n", sizes[level],
                             100.0 * misreads[m], solve_bin_from[b], solve_bin_from[b + 1],
                             bin->answers, percent(bin->posterior_sum, bin->answers),
                             percent(bin->right, bin->answers));
            }
        }
    }
}

int solve_table_print(uint64_t seed, double effort)
{
    struct table *table = calloc(1, sizeof(*table));
    int status = EXIT_FAILURE;

    if (table == NULL || !solve_registry_make(&table->registry, sizes, LEVELS, seed)) {
        (void)fprintf(stderr, "solve-trials: no memory for the registry\n");
        goto out;
    }
    fill_cases(table, seed, effort);
    fill_extras(table, seed, effort);
    if (!run(table))
        goto out;
    for (unsigned level = 0; level < LEVELS; level++)
        for (unsigned m = 0; m < MISREADS; m++)
            print_block(table, level, m);
    print_extras(table);
    print_calibration(table);
    status = EXIT_SUCCESS;
out:
    if (table != NULL)
        solve_registry_free(&table->registry);
    free(table);
    return status;
}
