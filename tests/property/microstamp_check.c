// SPDX-License-Identifier: Apache-2.0
/* Runs the engine on cases given as lines of words on standard input and prints its numbers, for
 * tests/property/engine_matches to compare with its own. A line that is not understood ends it. */

#include "microstamp/microstamp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CANDIDATES_MAX 512
#define RECORDED_MAX 4
#define OBSERVATIONS_MAX 64
#define WORDS_MAX 512 /* of one line */

struct check {
    struct microstamp_matrix *matrix;
    struct microstamp_examination *examination;
    struct microstamp_registry registry;
    float frequency[MICROSTAMP_LENGTH_MAX + 1][MICROSTAMP_LENGTH_MAX][MICROSTAMP_OPAQUE_SIZE];
    struct microstamp_observation observation[OBSERVATIONS_MAX];
    unsigned observation_count;
    struct microstamp_mark mark[MICROSTAMP_MARKS_MAX];
    unsigned mark_count;
    unsigned link[MICROSTAMP_MARKS_MAX][2];
    unsigned link_count;
    struct microstamp_recorded recorded[CANDIDATES_MAX][RECORDED_MAX];
    char code[CANDIDATES_MAX][RECORDED_MAX][MICROSTAMP_TEXT];
    struct microstamp_candidate candidate[CANDIDATES_MAX];
    unsigned candidate_count;
    char *word[WORDS_MAX];
    unsigned word_count;
    unsigned at; /* the next word of the line */
};

static void require(bool is_so, const char *what)
{
    if (is_so)
        return;
    (void)fprintf(stderr, "microstamp-check: %s\n", what);
    exit(EXIT_FAILURE);
}

static const char *next_word(struct check *check)
{
    require(check->at < check->word_count, "a line is too short");
    return check->word[check->at++];
}

static double next_number(struct check *check)
{
    const char *word = next_word(check);
    char *end;
    double number = strtod(word, &end);

    require(end != word && *end == '\0', "expected a number");
    return number;
}

static int next_int(struct check *check, int least, int most)
{
    double number = next_number(check);

    require(number >= least && number <= most && number == (double)(int)number,
            "a number is out of range");
    return (int)number;
}

static enum microstamp_alphabet next_alphabet(struct check *check)
{
    return strcmp(next_word(check), "r29") == 0 ? MICROSTAMP_R29 : MICROSTAMP_OPAQUE;
}

static void begin_case(struct check *check)
{
    struct microstamp_rates rates;
    double error_rate = next_number(check);

    microstamp_matrix_free(check->matrix);
    microstamp_rates_default(error_rate, &rates);
    require(microstamp_matrix_make("check", &rates, &check->matrix, NULL) == MICROSTAMP_OK,
            "the matrix was refused");
    check->observation_count = check->mark_count = check->link_count = check->candidate_count = 0;
    memset(&check->registry, 0, sizeof(check->registry));
}

static void read_registry(struct check *check)
{
    check->registry.firearms = next_number(check);
    check->registry.pi0 = next_number(check);
    check->registry.r29 = next_number(check);
    for (unsigned n = MICROSTAMP_LENGTH_MIN; n <= MICROSTAMP_LENGTH_MAX; n++)
        check->registry.opaque[n] = next_number(check);
}

/* "frequency LENGTH POSITION" and 36 numbers; a length is given for all of its positions. */
static void read_frequency(struct check *check)
{
    int length = next_int(check, MICROSTAMP_LENGTH_MIN, MICROSTAMP_LENGTH_MAX);
    int position = next_int(check, 0, length - 1);

    for (unsigned s = 0; s < MICROSTAMP_OPAQUE_SIZE; s++)
        check->frequency[length][position][s] = (float)next_number(check);
    check->registry.frequency[length] = check->frequency[length];
}

static void read_observation(struct check *check)
{
    struct microstamp_observation *observation;
    enum microstamp_alphabet alphabet = next_alphabet(check);
    const char *text = next_word(check);

    require(check->observation_count < OBSERVATIONS_MAX, "too many observations");
    observation = &check->observation[check->observation_count++];
    require(microstamp_observation_parse(alphabet, text, strlen(text), observation, NULL) ==
                MICROSTAMP_OK,
            "a reading was refused");
    observation->orientation_unknown = next_int(check, 0, 1) != 0;
    observation->rows_unknown = next_int(check, 0, 1) != 0;
}

static struct microstamp_observation *last_observation(struct check *check)
{
    require(check->observation_count > 0, "no observation yet");
    return &check->observation[check->observation_count - 1];
}

/* "weigh POSITION CHARACTERS" and a number for each. */
static void read_weights(struct check *check)
{
    double weights[MICROSTAMP_SYMBOLS_MAX];
    unsigned position = (unsigned)next_int(check, 0, MICROSTAMP_LENGTH_MAX - 1);
    const char *characters = next_word(check);
    size_t count = strlen(characters);

    require(count <= MICROSTAMP_SYMBOLS_MAX, "too many weights");
    for (size_t i = 0; i < count; i++)
        weights[i] = next_number(check);
    require(microstamp_observation_weigh(last_observation(check), position, characters, weights,
                                         count, NULL) == MICROSTAMP_OK,
            "weights were refused");
}

static void read_gear(struct check *check)
{
    const char *teeth = next_word(check);

    require(microstamp_observation_gear(last_observation(check), teeth, strlen(teeth), NULL) ==
                MICROSTAMP_OK,
            "a gear was refused");
    last_observation(check)->gear_index_unknown = next_int(check, 0, 1) != 0;
}

static const struct microstamp_observation *next_observation(struct check *check)
{
    int number = next_int(check, -1, (int)check->observation_count - 1);

    return number < 0 ? NULL : &check->observation[number];
}

static void read_mark(struct check *check)
{
    struct microstamp_mark *mark;

    require(check->mark_count < MICROSTAMP_MARKS_MAX, "too many marks");
    mark = &check->mark[check->mark_count++];
    mark->specimen = (unsigned)next_int(check, 0, MICROSTAMP_SPECIMENS_MAX - 1);
    mark->placement = next_int(check, -1, 100);
    mark->r29 = next_observation(check);
    mark->opaque = next_observation(check);
}

static void read_link(struct check *check)
{
    require(check->link_count < MICROSTAMP_MARKS_MAX, "too many links");
    check->link[check->link_count][0] = (unsigned)next_int(check, 0, MICROSTAMP_SPECIMENS_MAX - 1);
    check->link[check->link_count][1] = (unsigned)next_int(check, 0, MICROSTAMP_SPECIMENS_MAX - 1);
    check->link_count++;
}

/* "candidate MARKS", for each mark placement, scheme, code and factor; then a factor for each
 * specimen as far as the line goes. */
static void read_candidate(struct check *check)
{
    struct microstamp_candidate *candidate;
    unsigned number = check->candidate_count++;

    require(number < CANDIDATES_MAX, "too many candidates");
    candidate = &check->candidate[number];
    candidate->mark_count = (size_t)next_int(check, 0, RECORDED_MAX);
    candidate->mark = check->recorded[number];
    for (size_t m = 0; m < candidate->mark_count; m++) {
        struct microstamp_recorded *recorded = &check->recorded[number][m];
        const char *code;

        recorded->placement = next_int(check, 0, 100);
        recorded->alphabet = next_alphabet(check);
        code = next_word(check);
        require(strlen(code) < MICROSTAMP_TEXT, "a code is too long");
        memcpy(check->code[number][m], code, strlen(code) + 1);
        recorded->code = check->code[number][m];
        recorded->factor = next_number(check);
    }
    for (unsigned s = 0; s < MICROSTAMP_SPECIMENS_MAX; s++)
        candidate->factor[s] = check->at < check->word_count ? next_number(check) : 1.0;
}

/* "serial PATTERN RECORDED": answered at once. */
static void check_serial(struct check *check)
{
    const char *pattern = next_word(check), *recorded = next_word(check);
    struct microstamp_serial serial;

    require(microstamp_serial_parse(pattern, strlen(pattern), &serial, NULL) == MICROSTAMP_OK,
            "a serial pattern was refused");
    (void)printf("serial %.17g\n", microstamp_serial_ratio(check->matrix, &serial, recorded));
}

static bool is_asked_for(const struct microstamp_recorded *recorded,
                         const struct microstamp_lookup *lookups, size_t count)
{
    const size_t length = strlen(recorded->code);

    for (size_t i = 0; i < count; i++) {
        size_t part = strlen(lookups[i].text);

        if (lookups[i].alphabet != recorded->alphabet || lookups[i].length != length)
            continue;
        if (lookups[i].part == MICROSTAMP_SECOND_HALF
                ? strcmp(recorded->code + length - part, lookups[i].text) == 0
                : strncmp(recorded->code, lookups[i].text, part) == 0)
            return true;
    }
    return false;
}

static void print_groups(const struct check *check, const unsigned *number)
{
    size_t count;
    const struct microstamp_group *group =
        microstamp_examination_groups(check->examination, &count);

    for (size_t g = 0; g < count; g++) {
        const struct microstamp_ranking *r = &group[g].ranking;

        (void)printf("group %u %s %.17g %.17g %.17g %.17g %.17g %.17g\n", group[g].specimens,
                     microstamp_state_name(r->state), r->not_registered, r->unlisted,
                     r->likelihood_ratio, r->effective_characters, r->reading_characters,
                     r->expected_chance_matches);
        for (size_t i = 0; i < group[g].ranked_count; i++)
            (void)printf("ranked %u %.17g %.17g\n", number[group[g].ranked[i].candidate],
                         group[g].ranked[i].ratio, group[g].ranked[i].posterior);
    }
    (void)printf("several %d\n", microstamp_examination_more_than_one(check->examination));
}

/* Looks up as the keeper does: a firearm is a candidate if a code of it was asked for. */
static void run_case(struct check *check)
{
    static const char *const parts[] = {"whole", "first", "second"};
    struct microstamp_candidate found[CANDIDATES_MAX];
    unsigned number[CANDIDATES_MAX];
    const struct microstamp_lookup *lookups;
    size_t count, found_count = 0;

    microstamp_examination_begin(check->examination, check->matrix, &check->registry);
    for (unsigned m = 0; m < check->mark_count; m++)
        require(microstamp_examination_add(check->examination, &check->mark[m]) == MICROSTAMP_OK,
                "a mark was refused");
    for (unsigned l = 0; l < check->link_count; l++)
        microstamp_examination_link(check->examination, check->link[l][0], check->link[l][1]);
    require(microstamp_examination_plan(check->examination, 0, &lookups, &count) == MICROSTAMP_OK,
            "no plan");
    for (size_t i = 0; i < count; i++)
        (void)printf("lookup %s %s %u %s\n",
                     lookups[i].alphabet == MICROSTAMP_R29 ? "r29" : "opaque",
                     parts[lookups[i].part], lookups[i].length, lookups[i].text);
    for (unsigned c = 0; c < check->candidate_count; c++) {
        bool any = false;

        for (size_t m = 0; m < check->candidate[c].mark_count && !any; m++)
            any = is_asked_for(&check->candidate[c].mark[m], lookups, count);
        if (!any)
            continue;
        number[found_count] = c;
        found[found_count++] = check->candidate[c];
    }
    require(microstamp_examination_resolve(check->examination, found, found_count) == MICROSTAMP_OK,
            "not resolved");
    print_groups(check, number);
    (void)printf("end\n");
    require(fflush(stdout) == 0, "cannot write");
}

static const struct {
    const char *name;
    void (*read)(struct check *check);
} commands[] = {
    {"case", begin_case},
    {"registry", read_registry},
    {"frequency", read_frequency},
    {"observation", read_observation},
    {"weigh", read_weights},
    {"gear", read_gear},
    {"mark", read_mark},
    {"link", read_link},
    {"candidate", read_candidate},
    {"serial", check_serial},
    {"run", run_case},
};

static void read_line(struct check *check, char *line)
{
    char *rest = line, *word;

    check->word_count = check->at = 0;
    while ((word = strsep(&rest, " \n")) != NULL) {
        if (*word == '\0')
            continue;
        require(check->word_count < WORDS_MAX, "a line has too many words");
        check->word[check->word_count++] = word;
    }
    if (check->word_count == 0)
        return;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(check->word[0], commands[i].name) == 0) {
            check->at = 1;
            commands[i].read(check);
            return;
        }
    }
    require(false, "a line is not understood");
}

int main(void)
{
    struct check *check = calloc(1, sizeof(*check));
    char *line = NULL;
    size_t size = 0;

    require(check != NULL, "no memory");
    require(microstamp_examination_make(&check->examination) == MICROSTAMP_OK, "no memory");
    while (getline(&line, &size, stdin) >= 0)
        read_line(check, line);
    free(line);
    microstamp_examination_free(check->examination);
    microstamp_matrix_free(check->matrix);
    free(check);
    return EXIT_SUCCESS;
}
