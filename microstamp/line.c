// SPDX-License-Identifier: Apache-2.0
/* Marks of one placement become one line; a candidate is scored line by line. */

#include "microstamp/exam.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- which marks belong together --------------------------------------------------------- */

/* Marks before this one of the same specimen whose placement is unknown too: they are certainly
 * not the same mark. */
static unsigned ordinal_of(const struct microstamp_examination *exam, unsigned mark)
{
    unsigned ordinal = 0;

    if (exam->mark[mark].placement != MICROSTAMP_PLACEMENT_UNKNOWN)
        return 0;
    for (unsigned m = 0; m < mark; m++) {
        if (exam->mark[m].placement == MICROSTAMP_PLACEMENT_UNKNOWN &&
            exam->mark[m].specimen == exam->mark[mark].specimen)
            ordinal++;
    }
    return ordinal;
}

/* The first mark of a line whose scheme and length the mark may share with all of the line. */
static bool may_join(const struct microstamp_examination *exam, const struct exam_line *line,
                     unsigned mark, bool *ret_r29, bool *ret_opaque)
{
    const struct microstamp_mark *first = &exam->mark[__builtin_ctz(line->marks)];
    const struct microstamp_mark *other = &exam->mark[mark];

    if (line->placement != other->placement || line->ordinal != ordinal_of(exam, mark))
        return false;
    *ret_r29 = line->has_r29 && other->r29 != NULL;
    *ret_opaque =
        line->has_opaque && other->opaque != NULL && first->opaque->length == other->opaque->length;
    return *ret_r29 || *ret_opaque;
}

static void line_free(struct exam_line *line)
{
    if (line == NULL)
        return;
    microstamp_line_free(&line->r29);
    microstamp_line_free(&line->opaque);
    free(line);
}

/* A line more, with the memory that it had before, not counted yet. */
static struct exam_line *next_line(struct exam_set *set)
{
    size_t capacity = set->capacity;

    if (set->count == set->capacity) {
        if (microstamp_exam_grow((void **)&set->line, &capacity, set->count + 1,
                                 sizeof(struct exam_line *)) != MICROSTAMP_OK)
            return NULL;
        for (size_t i = set->capacity; i < capacity; i++)
            set->line[i] = NULL;
        set->capacity = (unsigned)capacity;
    }
    if (set->line[set->count] == NULL)
        set->line[set->count] = calloc(1, sizeof(struct exam_line));
    return set->line[set->count];
}

static enum microstamp_status add_mark(const struct microstamp_examination *exam,
                                       struct exam_set *set, unsigned mark)
{
    struct exam_line *line;
    bool r29, opaque;

    for (unsigned l = 0; l < set->count; l++) {
        if (may_join(exam, set->line[l], mark, &r29, &opaque)) {
            set->line[l]->marks |= 1u << mark;
            set->line[l]->has_r29 = r29;
            set->line[l]->has_opaque = opaque;
            return MICROSTAMP_OK;
        }
    }
    line = next_line(set);
    if (line == NULL)
        return MICROSTAMP_NO_MEMORY;
    line->marks = 1u << mark;
    line->placement = exam->mark[mark].placement;
    line->ordinal = ordinal_of(exam, mark);
    line->has_r29 = exam->mark[mark].r29 != NULL;
    line->has_opaque = exam->mark[mark].opaque != NULL;
    line->searched = false;
    set->count++;
    return MICROSTAMP_OK;
}

/* ---- what a line says before anything is looked up ------------------------------------------- */

static enum microstamp_status fuse(const struct microstamp_examination *exam,
                                   const struct exam_line *line, bool opaque,
                                   struct microstamp_line *ret_line)
{
    const struct microstamp_observation *observation[MICROSTAMP_MARKS_MAX];
    size_t count = 0;

    for (uint32_t rest = line->marks; rest != 0; rest &= rest - 1) {
        const struct microstamp_mark *mark = &exam->mark[__builtin_ctz(rest)];

        observation[count++] = opaque ? mark->opaque : mark->r29;
    }
    return microstamp_line_fuse(exam->matrix, observation, count, ret_line);
}

/* The shares of the registered codes that each scheme has: even if there are none at all. */
static void set_shares(const struct microstamp_examination *exam, struct exam_line *line)
{
    double r29 = exam->registry.r29, opaque;

    line->share_r29 = line->has_r29;
    line->share_opaque = line->has_opaque;
    if (!line->has_r29 || !line->has_opaque)
        return;
    opaque = exam->registry.opaque[line->opaque.length];
    line->share_r29 = r29 + opaque > 0.0 ? r29 / (r29 + opaque) : 0.5;
    line->share_opaque = 1.0 - line->share_r29;
}

/* L(not registered) of R29-8: half of the guns outside of the registry bear a valid code of another
 * issue (mean over valid words: Z/29^6), half any eight characters (mean over all 29^8 strings). */
void microstamp_exam_line_sum(struct exam_line *line, double z, double random_mean)
{
    line->z = z * line->scale_r29;
    line->nobody_r29 = 0.5 * line->z / MICROSTAMP_R29_WORDS + 0.5 * random_mean * line->scale_r29;
    line->summed = true;
}

/* L(not registered) of opaque codes: the mean over strings by the frequencies. */
static void open_line(const struct microstamp_examination *exam, struct exam_line *line)
{
    double frequency[MICROSTAMP_LENGTH_MAX][MICROSTAMP_OPAQUE_SIZE];

    set_shares(exam, line);
    line->log_scale = -INFINITY;
    if (line->has_r29)
        line->log_scale = line->r29.log_scale;
    if (line->has_opaque)
        line->log_scale = fmax(line->log_scale, line->opaque.log_scale);
    line->z = line->nobody_r29 = line->nobody_opaque = 0.0;
    line->scale_r29 = line->scale_opaque = 1.0;
    line->summed = !line->has_r29;
    if (line->has_r29)
        line->scale_r29 = exp(line->r29.log_scale - line->log_scale);
    if (line->has_opaque) {
        line->scale_opaque = exp(line->opaque.log_scale - line->log_scale);
        microstamp_exam_frequency(&exam->registry, line->opaque.length, frequency);
        line->nobody_opaque = microstamp_opaque_mean(&line->opaque, frequency) * line->scale_opaque;
    }
}

/* Scheme unknown: the mean over schemes by their registered codes. */
static void close_nobody(struct exam_line *line)
{
    double random_mean, z;

    if (!line->summed) {
        z = microstamp_line_z(&line->r29, &random_mean);
        microstamp_exam_line_sum(line, z, random_mean);
    }
    line->nobody = line->share_r29 * line->nobody_r29 + line->share_opaque * line->nobody_opaque;
    line->mean =
        line->share_r29 * line->z / MICROSTAMP_R29_WORDS + line->share_opaque * line->nobody_opaque;
}

/* Until look-ups are closed: nothing is listed. */
static enum microstamp_status make_line(const struct microstamp_examination *exam,
                                        struct exam_line *line)
{
    enum microstamp_status status = MICROSTAMP_OK;

    if (line->has_r29)
        status = fuse(exam, line, false, &line->r29);
    if (status == MICROSTAMP_OK && line->has_opaque)
        status = fuse(exam, line, true, &line->opaque);
    if (status == MICROSTAMP_OK)
        open_line(exam, line);
    return status;
}

static struct exam_set *next_set(struct microstamp_examination *exam)
{
    size_t capacity = exam->set_capacity;

    if (exam->set_count == exam->set_capacity) {
        if (microstamp_exam_grow((void **)&exam->set, &capacity, exam->set_count + 1,
                                 sizeof(struct exam_set *)) != MICROSTAMP_OK)
            return NULL;
        for (size_t i = exam->set_capacity; i < capacity; i++)
            exam->set[i] = NULL;
        exam->set_capacity = (unsigned)capacity;
    }
    if (exam->set[exam->set_count] == NULL)
        exam->set[exam->set_count] = calloc(1, sizeof(struct exam_set));
    return exam->set[exam->set_count];
}

enum microstamp_status microstamp_exam_set(struct microstamp_examination *exam, uint32_t specimens,
                                           struct exam_set **ret_set)
{
    enum microstamp_status status = MICROSTAMP_OK;
    struct exam_set *set;

    for (unsigned s = 0; s < exam->set_count; s++) {
        if (exam->set[s]->specimens == specimens) {
            *ret_set = exam->set[s];
            return MICROSTAMP_OK;
        }
    }
    set = next_set(exam);
    if (set == NULL)
        return MICROSTAMP_NO_MEMORY;
    set->specimens = specimens;
    set->count = 0;
    for (unsigned m = 0; m < exam->mark_count && status == MICROSTAMP_OK; m++) {
        if ((specimens >> exam->mark[m].specimen & 1u) != 0)
            status = add_mark(exam, set, m);
    }
    for (unsigned l = 0; l < set->count && status == MICROSTAMP_OK; l++)
        status = make_line(exam, set->line[l]);
    if (status != MICROSTAMP_OK)
        return status;
    exam->set_count++;
    *ret_set = set;
    return MICROSTAMP_OK;
}

void microstamp_exam_set_free(struct exam_set *set)
{
    if (set == NULL)
        return;
    for (unsigned l = 0; l < set->capacity; l++)
        line_free(set->line[l]);
    free(set->line);
    free(set);
}

/* ---- what was looked up ------------------------------------------------------------------ */

/* Sums the line's likelihood over all R29 words that were looked up, for whichever line. */
static void close_r29(const struct microstamp_examination *exam, struct exam_line *line)
{
    double listed = 0.0, best = 0.0;

    for (size_t n = 0; n < exam->lookup_count; n++) {
        struct exam_code code;
        double likelihood;

        if (exam->lookup[n].alphabet != MICROSTAMP_R29)
            continue;
        microstamp_exam_code(MICROSTAMP_R29, exam->lookup[n].text, &code);
        likelihood = microstamp_line_likelihood(&line->r29, code.symbol) * line->scale_r29;
        best = fmax(best, likelihood);
        if (!exam->cut[n])
            listed += likelihood;
    }
    line->left_r29 = fmax(line->z - listed, 0.0);
    line->best = fmax(line->best, best);
    line->last_r29 = INFINITY;
}

void microstamp_exam_line_close(const struct microstamp_examination *exam, struct exam_line *line)
{
    double frequency[MICROSTAMP_LENGTH_MAX][MICROSTAMP_OPAQUE_SIZE];
    bool known = line->searched && exam->searched_lines == 1 && !exam->any_cut;

    close_nobody(line);
    line->unlisted = 0.0;
    if (!known)
        line->best = 0.0;
    if (line->has_r29) {
        if (!known)
            close_r29(exam, line);
        line->unlisted += line->share_r29 * line->left_r29 / MICROSTAMP_R29_WORDS;
    }
    if (line->has_opaque) {
        microstamp_exam_frequency(&exam->registry, line->opaque.length, frequency);
        line->unlisted += line->share_opaque * line->scale_opaque *
                          microstamp_opaque_left(exam, &line->opaque, frequency);
        line->best = fmax(line->best, microstamp_opaque_best(&line->opaque) * line->scale_opaque);
    }
    /* Nothing was looked up for it: no code can be worse than all of them together. */
    if (line->best < line->mean)
        line->best = line->mean;
}

enum microstamp_status microstamp_exam_set_closed(struct microstamp_examination *exam,
                                                  uint32_t specimens, struct exam_set **ret_set)
{
    unsigned before = exam->set_count;
    enum microstamp_status status = microstamp_exam_set(exam, specimens, ret_set);

    if (status != MICROSTAMP_OK || exam->set_count == before)
        return status;
    for (unsigned l = 0; l < (*ret_set)->count; l++)
        microstamp_exam_line_close(exam, (*ret_set)->line[l]);
    return MICROSTAMP_OK;
}

/* ---- candidates -------------------------------------------------------------------------- */

void microstamp_exam_code(enum microstamp_alphabet alphabet, const char *text,
                          struct exam_code *ret_code)
{
    size_t length = strnlen(text, MICROSTAMP_LENGTH_MAX + 1);

    ret_code->length = 0;
    if (length > MICROSTAMP_LENGTH_MAX)
        return;
    for (size_t i = 0; i < length; i++) {
        int symbol = microstamp_symbol(alphabet, text[i]);

        if (symbol < 0)
            return;
        ret_code->symbol[i] = (uint8_t)symbol;
    }
    ret_code->length = (uint8_t)length;
}

bool microstamp_exam_line_fits(const struct exam_line *line, enum microstamp_alphabet alphabet,
                               unsigned length)
{
    if (alphabet == MICROSTAMP_R29)
        return line->has_r29 && length == LENGTH;
    return line->has_opaque && length == line->opaque.length;
}

static double likelihood_of(const struct exam_line *line, enum microstamp_alphabet alphabet,
                            const struct exam_code *code)
{
    return alphabet == MICROSTAMP_R29
               ? microstamp_line_likelihood(&line->r29, code->symbol) * line->scale_r29
               : microstamp_line_likelihood(&line->opaque, code->symbol) * line->scale_opaque;
}

/* The best of factor times likelihood over the marks at one placement; negative if none fits. A
 * part that was replaced leaves several marks there, and the casing shows one of them. */
static double best_at(const struct exam_line *line, const struct microstamp_candidate *candidate,
                      const struct exam_code *code, int placement, size_t *ret_mark)
{
    double best = -1.0;

    for (size_t m = 0; m < candidate->mark_count; m++) {
        const struct microstamp_recorded *mark = &candidate->mark[m];
        double likelihood;

        if (mark->placement != placement ||
            !microstamp_exam_line_fits(line, mark->alphabet, code[m].length))
            continue;
        likelihood = mark->factor * likelihood_of(line, mark->alphabet, &code[m]);
        if (likelihood > best) {
            best = likelihood;
            *ret_mark = m;
        }
    }
    return best;
}

static bool placement_came_before(const struct microstamp_candidate *candidate, size_t mark)
{
    for (size_t m = 0; m < mark; m++) {
        if (candidate->mark[m].placement == candidate->mark[mark].placement)
            return true;
    }
    return false;
}

/* The mark may be any of the firearm's placements, each as probable: the mean over those that have
 * a code of the line's kind. */
static double mean_over_placements(const struct exam_line *line,
                                   const struct microstamp_candidate *candidate,
                                   const struct exam_code *code, size_t *ret_mark)
{
    double sum = 0.0, most = -1.0;
    unsigned count = 0;

    for (size_t m = 0; m < candidate->mark_count; m++) {
        size_t at = m;
        double best;

        if (placement_came_before(candidate, m))
            continue;
        best = best_at(line, candidate, code, candidate->mark[m].placement, &at);
        if (best < 0.0)
            continue;
        if (best > most) {
            most = best;
            *ret_mark = at;
        }
        sum += best;
        count++;
    }
    return count == 0 ? -1.0 : sum / count;
}

double microstamp_exam_line_score(const struct microstamp_examination *exam,
                                  const struct exam_line *line, size_t candidate,
                                  size_t *ret_recorded)
{
    const struct microstamp_candidate *c = &exam->candidate[candidate];
    const struct exam_code *code = &exam->code[exam->first_code[candidate]];
    double score;

    *ret_recorded = SIZE_MAX;
    if (line->placement == MICROSTAMP_PLACEMENT_UNKNOWN)
        score = mean_over_placements(line, c, code, ret_recorded);
    else
        score = best_at(line, c, code, line->placement, ret_recorded);
    return score < 0.0 ? line->nobody : score;
}

/* ---- near -------------------------------------------------------------------------------- */

/* Positions that use up a substitution: what is unread, and what differs. A wide choice counts as
 * microstamp_near_open() says. */
static bool near_view(const struct microstamp_line *line, unsigned view, const uint8_t *symbol)
{
    uint32_t used = 0;

    if (line->alphabet == MICROSTAMP_R29) {
        const uint32_t *set = line->evidence[view].reading.set;

        used = microstamp_near_open(set);
        for (unsigned i = 0; i < LENGTH; i++)
            used |= (set[i] >> symbol[i] & 1u) == 0 ? 1u << i : 0;
    } else {
        const struct microstamp_pattern *pattern = &line->pattern[view];

        for (unsigned i = 0; i < line->length; i++) {
            if ((pattern->read >> i & 1u) == 0 || (pattern->set[i] >> symbol[i] & 1u) == 0)
                used |= 1u << i;
        }
    }
    return __builtin_popcount(used) <= 2;
}

bool microstamp_exam_line_near(const struct exam_line *line, enum microstamp_alphabet alphabet,
                               const struct exam_code *code)
{
    const struct microstamp_line *held = alphabet == MICROSTAMP_R29 ? &line->r29 : &line->opaque;

    if (!microstamp_exam_line_fits(line, alphabet, code->length))
        return false;
    for (unsigned v = 0; v < held->count; v++) {
        /* A way of holding the part that hardly explains the reading makes nothing near. */
        if (held->weight[v] >= 0.01 * held->weight[0] && near_view(held, v, code->symbol))
            return true;
    }
    return false;
}
