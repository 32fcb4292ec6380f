// SPDX-License-Identifier: Apache-2.0
/* How often a casing finds its firearm: options, and one case as JSON.
 *
 *   solve-trials [--registry N] [--legibility P] [--cluster RHO] [--misread E]
 *                [--misread-as rows|look-alikes] [--pin-faults F] [--casings K]
 *                [--population registered|unregistered|foreign|mixed] [--seed S] [--trials T]
 *   solve-trials --table [--seed S] [--effort X]
 */

#include "bench/solve_rate.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const population_names[] = {"registered", "unregistered", "foreign", "mixed"};

struct options {
    struct solve_case what;
    double registry, effort;
    bool table;
};

static const char usage[] =
    "usage: bench/solve-rate [--registry N] [--legibility P] [--cluster RHO] [--misread E]\n"
    "                        [--misread-as rows|look-alikes] [--pin-faults F] [--casings K]\n"
    "                        [--population registered|unregistered|foreign|mixed]\n"
    "                        [--seed S] [--trials T]\n"
    "       bench/solve-rate --table [--seed S] [--effort X]\n";

/* Reads a number between two bounds, of which whole numbers may be required. */
static bool read_number(const char *name, const char *text, double least, double most, bool whole,
                        double *ret_number)
{
    char *end;
    double number;

    errno = 0;
    number = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !(number >= least && number <= most) ||
        (whole && number != (double)(uint64_t)number)) {
        (void)fprintf(stderr, "solve-trials: --%s: expected a %snumber from %g to %g\n", name,
                      whole ? "whole " : "", least, most);
        return false;
    }
    *ret_number = number;
    return true;
}

static bool read_population(const char *text, enum solve_population *ret_population)
{
    for (unsigned i = 0; i < 4; i++) {
        if (strcmp(text, population_names[i]) == 0) {
            *ret_population = (enum solve_population)i;
            return true;
        }
    }
    (void)fprintf(stderr, "solve-trials: --population: expected registered, unregistered, foreign "
                          "or mixed\n");
    return false;
}

static bool read_option(int option, const char *name, const char *text, struct options *options)
{
    double number = 0.0;
    bool ok = false;

    switch (option) {
    case 'n':
        return read_number(name, text, 1, 1e8, true, &options->registry);
    case 'l':
        return read_number(name, text, 0, 1, false, &options->what.legibility);
    case 'c':
        return read_number(name, text, 0, 0.99, false, &options->what.cluster);
    case 'm':
        return read_number(name, text, 0, 0.5, false, &options->what.misread);
    case 'a':
        if (strcmp(text, "rows") == 0 || strcmp(text, "look-alikes") == 0) {
            options->what.look_alikes = strcmp(text, "look-alikes") == 0;
            return true;
        }
        (void)fprintf(stderr, "solve-trials: --%s: expected rows or look-alikes\n", name);
        return false;
    case 'f':
        return read_number(name, text, 0, 0.5, false, &options->what.pin_faults);
    case 'k':
        ok = read_number(name, text, 1, SOLVE_CASINGS_MAX, true, &number);
        options->what.casings = (unsigned)number;
        return ok;
    case 'p':
        return read_population(text, &options->what.population);
    case 's':
        ok = read_number(name, text, 0, 1e15, true, &number);
        options->what.seed = (uint64_t)number;
        return ok;
    case 't':
        ok = read_number(name, text, 1, 1e9, true, &number);
        options->what.trials = (uint64_t)number;
        return ok;
    case 'e':
        return read_number(name, text, 0.001, 1000, false, &options->effort);
    case 'T':
        options->table = true;
        return true;
    default:
        return false;
    }
}

static bool read_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"registry", required_argument, NULL, 'n'},
        {"legibility", required_argument, NULL, 'l'},
        {"cluster", required_argument, NULL, 'c'},
        {"misread", required_argument, NULL, 'm'},
        {"pin-faults", required_argument, NULL, 'f'},
        {"misread-as", required_argument, NULL, 'a'},
        {"casings", required_argument, NULL, 'k'},
        {"population", required_argument, NULL, 'p'},
        {"seed", required_argument, NULL, 's'},
        {"trials", required_argument, NULL, 't'},
        {"effort", required_argument, NULL, 'e'},
        {"table", no_argument, NULL, 'T'},
        {NULL, 0, NULL, 0},
    };
    int option, index = 0;

    while ((option = getopt_long(argc, argv, "", known, &index)) != -1) {
        if (option == '?' || !read_option(option, known[index].name, optarg, options))
            return false;
    }
    return optind == argc;
}

static double share(double count, double of)
{
    return of > 0.0 ? count / of : 0.0;
}

static void print_calibration(const struct solve_tally *tally)
{
    (void)printf("\"calibration\":[");
    for (unsigned b = 0; b < SOLVE_BINS; b++) {
        const struct solve_bin *bin = &tally->bin[b];

        (void)printf("%s{\"from\":%g,\"to\":%g,\"answers\":%.0f", b > 0 ? "," : "",
                     solve_bin_from[b], solve_bin_from[b + 1], bin->answers);
        if (bin->answers > 0.0)
            (void)printf(",\"posterior\":%.5f,\"right\":%.5f}", bin->posterior_sum / bin->answers,
                         bin->right / bin->answers);
        else
            (void)printf(",\"posterior\":null,\"right\":null}");
    }
    (void)printf("]");
}

static void print_json(const struct options *options, const struct solve_tally *tally)
{
    const struct solve_case *what = &options->what;
    const double trials = tally->trials;

    (void)printf("{\"registry\":%.0f,\"legibility\":%g,\"cluster\":%g,\"misread\":%g,"
                 "\"misread_assumed\":%g,\"misread_as\":\"%s\",\"pin_faults\":%g,\"casings\":%u,"
                 "\"population\":\"%s\","
                 "\"seed\":%llu,"
                 "\"trials\":%.0f,",
                 options->registry, what->legibility, what->cluster, what->misread,
                 what->misread > SOLVE_MISREAD_LEAST ? what->misread : SOLVE_MISREAD_LEAST,
                 what->look_alikes ? "look-alikes" : "rows", what->pin_faults, what->casings,
                 population_names[what->population], (unsigned long long)what->seed, trials);
    (void)printf("\"identified_right\":%.6f,\"identified_wrong\":%.6f,"
                 "\"candidates_with_right\":%.6f,\"candidates_without_right\":%.6f,"
                 "\"no_match\":%.6f,\"insufficient\":%.6f,\"several_guns\":%.6f,",
                 share(tally->identified_right, trials), share(tally->identified_wrong, trials),
                 share(tally->candidates_with_right, trials),
                 share(tally->candidates_without_right, trials), share(tally->no_match, trials),
                 share(tally->insufficient, trials), share(tally->several_guns, trials));
    if (tally->ranks > 0.0)
        (void)printf("\"mean_rank\":%.4f,", tally->rank_sum / tally->ranks);
    else
        (void)printf("\"mean_rank\":null,");
    print_calibration(tally);
    (void)printf(",\"look_ups_per_trace\":%.1f,\"microseconds_per_trace\":%.2f}\n",
                 share(tally->look_ups, trials), share(tally->pure_ns, trials) / 1000.0);
}

static int run_one(const struct options *options)
{
    const size_t size = (size_t)options->registry;
    struct solve_registry registry;
    struct solve_tally tally;
    bool ok = solve_registry_make(&registry, &size, 1, options->what.seed);

    if (!ok)
        (void)fprintf(stderr, "solve-trials: no memory for the registry\n");
    ok = ok && solve_run(&registry, &options->what, &tally);
    if (ok)
        print_json(options, &tally);
    solve_registry_free(&registry);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct options options = {
        .what = {.legibility = 0.926,
                 .cluster = 0.0,
                 .misread = 0.02,
                 .casings = 1,
                 .population = SOLVE_REGISTERED,
                 .seed = 1,
                 .trials = 10000},
        .registry = 2e6,
        .effort = 1.0,
    };
    int status;

    if (!read_options(argc, argv, &options)) {
        (void)fputs(usage, stderr);
        return 2;
    }
    status =
        options.table ? solve_table_print(options.what.seed, options.effort) : run_one(&options);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        (void)fprintf(stderr, "solve-trials: cannot write\n");
        return EXIT_FAILURE;
    }
    return status;
}
