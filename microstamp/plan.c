// SPDX-License-Identifier: Apache-2.0
/* What to look up: for each specimen by itself, for each pair and for all together, each code once.
 * Together they need fewer look-ups than alone, but only alone they show that there are two guns.
 */

#include "microstamp/exam.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS_UP_TO 6 /* specimens; more of them are looked up alone and together only */
#define SETS_MAX (MICROSTAMP_SPECIMENS_MAX + PAIRS_UP_TO * (PAIRS_UP_TO - 1) / 2 + 1)
#define LINES_MAX (SETS_MAX * MICROSTAMP_MARKS_MAX)

/* ---- each look-up once ------------------------------------------------------------------- */

static size_t hash_of(enum microstamp_part part, unsigned length, const char *text, size_t count)
{
    uint64_t hash = UINT64_C(0x9E3779B97F4A7C15) * (1 + (uint64_t)part * 16 + length);

    for (size_t i = 0; i < count; i++)
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001B3);
    return (size_t)(hash ^ hash >> 29);
}

/* An R29 code and an opaque one of eight characters may be spelled alike. */
static unsigned kind_of(enum microstamp_alphabet alphabet, unsigned length)
{
    return alphabet == MICROSTAMP_R29 ? 0 : length;
}

static uint32_t *slot_of(const struct microstamp_examination *exam, enum microstamp_part part,
                         unsigned kind, const char *text, size_t count)
{
    size_t mask = exam->table.size - 1, at = hash_of(part, kind, text, count) & mask;

    for (; exam->table.slot[at] != 0; at = (at + 1) & mask) {
        const struct microstamp_lookup *lookup = &exam->lookup[exam->table.slot[at] - 1];

        if (lookup->part == part && kind_of(lookup->alphabet, lookup->length) == kind &&
            strncmp(lookup->text, text, count) == 0 && lookup->text[count] == '\0')
            break;
    }
    return &exam->table.slot[at];
}

static void fill_table(struct microstamp_examination *exam)
{
    memset(exam->table.slot, 0, exam->table.size * sizeof(*exam->table.slot));
    for (size_t n = 0; n < exam->lookup_count; n++) {
        const struct microstamp_lookup *lookup = &exam->lookup[n];
        size_t count = strlen(lookup->text);

        *slot_of(exam, lookup->part, kind_of(lookup->alphabet, lookup->length), lookup->text,
                 count) = (uint32_t)n + 1;
    }
}

static enum microstamp_status reserve_slot(struct microstamp_examination *exam)
{
    size_t size = exam->table.size == 0 ? 256 : exam->table.size;
    uint32_t *slot;

    while (size < 2 * (exam->lookup_count + 1))
        size *= 2;
    if (size == exam->table.size)
        return MICROSTAMP_OK;
    slot = reallocarray(exam->table.slot, size, sizeof(*slot));
    if (slot == NULL)
        return MICROSTAMP_NO_MEMORY;
    exam->table.slot = slot;
    exam->table.size = size;
    fill_table(exam);
    return MICROSTAMP_OK;
}

static enum microstamp_status reserve_lookup(struct microstamp_examination *exam)
{
    size_t capacity = exam->lookup_capacity, cut_capacity = capacity;
    enum microstamp_status status;

    if (exam->lookup_count < capacity)
        return MICROSTAMP_OK;
    status = microstamp_exam_grow((void **)&exam->lookup, &capacity, exam->lookup_count + 1,
                                  sizeof(*exam->lookup));
    if (status == MICROSTAMP_OK)
        status = microstamp_exam_grow((void **)&exam->cut, &cut_capacity, exam->lookup_count + 1,
                                      sizeof(*exam->cut));
    if (status == MICROSTAMP_OK)
        exam->lookup_capacity = capacity;
    return status;
}

enum microstamp_status microstamp_exam_ask(struct microstamp_examination *exam,
                                           enum microstamp_alphabet alphabet,
                                           enum microstamp_part part, unsigned length,
                                           const uint8_t *symbols, unsigned count,
                                           double likelihood, double expected_rows)
{
    enum microstamp_status status = reserve_lookup(exam);
    struct microstamp_lookup *lookup;
    uint32_t *slot = NULL;

    if (status != MICROSTAMP_OK)
        return status;
    likelihood = fmin(likelihood, 1.0);
    lookup = &exam->lookup[exam->lookup_count];
    for (unsigned i = 0; i < count; i++)
        lookup->text[i] = microstamp_character(alphabet, symbols[i]);
    lookup->text[count] = '\0';
    if (!exam->one_line) {
        status = reserve_slot(exam);
        if (status != MICROSTAMP_OK)
            return status;
        slot = slot_of(exam, part, kind_of(alphabet, length), lookup->text, count);
        if (*slot != 0) {
            lookup = &exam->lookup[*slot - 1];
            lookup->likelihood = fmax(lookup->likelihood, likelihood);
            return MICROSTAMP_OK;
        }
    }
    lookup->alphabet = alphabet;
    lookup->part = part;
    lookup->length = length;
    lookup->likelihood = likelihood;
    lookup->expected_rows = expected_rows;
    exam->cut[exam->lookup_count++] = false;
    if (slot != NULL)
        *slot = (uint32_t)exam->lookup_count;
    return MICROSTAMP_OK;
}

bool microstamp_exam_asked(const struct microstamp_examination *exam, enum microstamp_part part,
                           unsigned length, const char *text, size_t count)
{
    uint32_t slot = *slot_of(exam, part, length, text, count);

    return slot != 0 && !exam->cut[slot - 1];
}

/* ---- lines ------------------------------------------------------------------------------- */

struct wanted {
    struct exam_line *line;
    double cost; /* grows with the look-ups */
};

/* Whether any character was read. What says nothing asks for nothing. */
static bool is_legible(const struct exam_line *line)
{
    for (unsigned v = 0; line->has_r29 && v < line->r29.count; v++) {
        for (unsigned i = 0; i < LENGTH; i++) {
            if (line->r29.evidence[v].row[i] != MICROSTAMP_ROW_UNREAD)
                return true;
        }
    }
    for (unsigned v = 0; line->has_opaque && v < line->opaque.count; v++) {
        if (line->opaque.pattern[v].read != 0)
            return true;
    }
    return false;
}

/* sum over characters of p / greatest p, multiplied over positions: how many codes explain a line
 * about as well as the best, check sums aside. In the way of holding the parts that weighs most. */
static double strings_of(const struct exam_line *line)
{
    double r29 = line->has_r29 ? 1.0 : 0.0, opaque = line->has_opaque ? 1.0 : 0.0;

    for (unsigned i = 0; line->has_r29 && i < LENGTH; i++) {
        const double *p = microstamp_evidence_row(&line->r29.evidence[0], i)->p;
        double sum = 0.0, most = 0.0;

        for (unsigned t = 0; t < SIZE; t++) {
            sum += p[t];
            most = fmax(most, p[t]);
        }
        r29 *= sum / most;
    }
    for (unsigned i = 0; line->has_opaque && i < line->opaque.length; i++) {
        const double *p = line->opaque.pattern[0].p[i];
        double sum = 0.0, most = 0.0;

        for (unsigned t = 0; t < MICROSTAMP_OPAQUE_SIZE; t++) {
            sum += p[t];
            most = fmax(most, p[t]);
        }
        opaque *= sum / most;
    }
    return r29 + opaque;
}

/* Adds the lines of a set that are not there yet, the cheapest first: a hopeless line must not use
 * up what a clear one needs. */
static enum microstamp_status want(struct microstamp_examination *exam, uint32_t specimens,
                                   struct wanted *wanted, size_t *count)
{
    struct exam_set *set;
    enum microstamp_status status = microstamp_exam_set(exam, specimens, &set);

    if (status != MICROSTAMP_OK)
        return status;
    for (unsigned l = 0; l < set->count; l++) {
        struct exam_line *line = set->line[l];
        double cost;
        bool there = !is_legible(line);
        size_t at = *count;

        for (size_t w = 0; w < *count; w++)
            there = there || wanted[w].line->marks == line->marks;
        if (there)
            continue;
        cost = strings_of(line);
        for (; at > 0 && wanted[at - 1].cost > cost; at--)
            wanted[at] = wanted[at - 1];
        wanted[at] = (struct wanted){line, cost};
        ++*count;
    }
    return MICROSTAMP_OK;
}

static enum microstamp_status want_all(struct microstamp_examination *exam, struct wanted *wanted,
                                       size_t *count)
{
    uint32_t unit[MICROSTAMP_SPECIMENS_MAX], all = 0;
    size_t units = microstamp_exam_units(exam, unit);
    enum microstamp_status status = MICROSTAMP_OK;

    for (size_t u = 0; u < units && status == MICROSTAMP_OK; u++) {
        status = want(exam, unit[u], wanted, count);
        all |= unit[u];
    }
    for (size_t u = 0; u < units && units <= PAIRS_UP_TO; u++) {
        for (size_t w = u + 1; w < units && status == MICROSTAMP_OK; w++)
            status = want(exam, unit[u] | unit[w], wanted, count);
    }
    if (units > 1 && status == MICROSTAMP_OK)
        status = want(exam, all, wanted, count);
    return status;
}

static enum microstamp_status plan_r29(struct microstamp_examination *exam, struct exam_line *line,
                                       size_t max)
{
    struct microstamp_words *words = &exam->words;
    enum microstamp_status status = microstamp_line_find(&line->r29, max, words);
    double best;

    if (status != MICROSTAMP_OK)
        return status;
    microstamp_exam_line_sum(line, words->z, words->random_mean);
    best = words->word[0].likelihood;
    line->searched = words->count <= max;
    line->best = best * line->scale_r29;
    line->left_r29 = words->left * line->scale_r29;
    line->last_r29 = words->word[words->best_count - 1].likelihood * line->scale_r29;
    exam->searched_lines++;
    exam->sorted = exam->lookup_count == 0 ? words->best_count : 0;
    for (size_t w = 0; w < words->count && w < max && status == MICROSTAMP_OK; w++)
        status = microstamp_exam_ask(exam, MICROSTAMP_R29, MICROSTAMP_WHOLE, LENGTH,
                                     words->word[w].code.symbol, LENGTH,
                                     words->word[w].likelihood / best, 1.0);
    return status;
}

static int compare_lookups(const void *a, const void *b)
{
    const struct microstamp_lookup *x = a, *y = b;

    if (x->likelihood != y->likelihood)
        return x->likelihood > y->likelihood ? -1 : 1;
    if (x->part != y->part)
        return x->part < y->part ? -1 : 1;
    return strcmp(x->text, y->text);
}

/* The words of a single line come in order, but for the near ones behind them. */
static void sort_lookups(struct microstamp_examination *exam)
{
    size_t from = exam->one_line && exam->sorted < exam->lookup_count ? exam->sorted : 0;

    if (exam->lookup_count == 0 || (exam->one_line && exam->sorted == exam->lookup_count))
        return;
    qsort(exam->lookup + from, exam->lookup_count - from, sizeof(*exam->lookup), compare_lookups);
    if (!exam->one_line && exam->table.size > 0)
        fill_table(exam);
}

enum microstamp_status microstamp_examination_plan(struct microstamp_examination *exam, size_t max,
                                                   const struct microstamp_lookup **ret_lookups,
                                                   size_t *ret_count)
{
    struct wanted wanted[LINES_MAX];
    size_t count = 0;
    enum microstamp_status status;

    if (max == 0 || max > MICROSTAMP_WORDS_MAX)
        max = MICROSTAMP_WORDS_MAX;
    exam->lookup_count = exam->group_count = 0;
    exam->searched_lines = 0;
    exam->any_cut = false;
    status = want_all(exam, wanted, &count);
    /* Words of one line of R29 differ from each other anyhow. */
    exam->one_line = count == 0 || (count == 1 && !wanted[0].line->has_opaque);
    exam->sorted = 0;
    if (status == MICROSTAMP_OK && !exam->one_line) {
        status = reserve_slot(exam);
        if (status == MICROSTAMP_OK)
            fill_table(exam);
    }
    for (size_t w = 0; w < count && status == MICROSTAMP_OK; w++) {
        struct exam_line *line = wanted[w].line;

        if (line->has_r29 && exam->lookup_count < max)
            status = plan_r29(exam, line, max - exam->lookup_count);
        if (line->has_opaque && exam->lookup_count < max && status == MICROSTAMP_OK)
            status = microstamp_opaque_plan(exam, line, max - exam->lookup_count);
    }
    if (status != MICROSTAMP_OK) {
        exam->lookup_count = 0;
        return status;
    }
    sort_lookups(exam);
    *ret_lookups = exam->lookup;
    *ret_count = exam->lookup_count;
    return MICROSTAMP_OK;
}

void microstamp_examination_overflowed(struct microstamp_examination *exam, size_t lookup)
{
    if (lookup < exam->lookup_count) {
        exam->cut[lookup] = true;
        exam->any_cut = true;
    }
}
