// SPDX-License-Identifier: Apache-2.0
#include "api/trace.h"
#include "api/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#define OPAQUE_NAME "opaque"
/* An unregistered code is named as a lead only if it explains the reading about as well as the best
 * code does: else the holder of some other block would be named. */
#define LEAD_SHARE 0.1
#define FURTHER_MS 10000 /* for the look-ups that only some traces need */

static const char *scheme_name(enum microstamp_alphabet alphabet)
{
    return alphabet == MICROSTAMP_OPAQUE ? OPAQUE_NAME : MICROSTAMP_R29_NAME;
}

static struct api_trace *trace_of(const struct api_request *request)
{
    return request->own;
}

/* ---- what is asked of the registry ----------------------------------------------------------- */

static bool is_whole(const struct microstamp_lookup *lookup)
{
    return lookup->part == MICROSTAMP_WHOLE;
}

/* Adds one array to params: of every look-up of the batch that is whole, or of every one that is
 * not. */
static void add_lookups(struct store_params *params, struct api_request **requests, size_t count,
                        bool whole, enum store_type type,
                        void (*add)(struct store_params *, const struct microstamp_lookup *))
{
    store_array_open(params, type);
    for (size_t i = 0; i < count; i++) {
        const struct api_trace *trace = trace_of(requests[i]);
        for (size_t k = 0; k < trace->lookup_count; k++) {
            if (is_whole(&trace->lookup[k]) == whole)
                add(params, &trace->lookup[k]);
        }
    }
    store_array_close(params);
}

static void add_scheme(struct store_params *params, const struct microstamp_lookup *lookup)
{
    store_element_text(params, scheme_name(lookup->alphabet));
}

static void add_text(struct store_params *params, const struct microstamp_lookup *lookup)
{
    store_element_text(params, lookup->text);
}

static void add_half(struct store_params *params, const struct microstamp_lookup *lookup)
{
    store_element_int(params, lookup->part == MICROSTAMP_FIRST_HALF ? 1 : 2);
}

static void add_length(struct store_params *params, const struct microstamp_lookup *lookup)
{
    store_element_int(params, (int32_t)lookup->length);
}

enum ct_status api_trace_start(struct api_context *context, struct store *store,
                               const uint8_t batch[CT_UUID_BYTES], struct api_request **requests,
                               size_t count)
{
    (void)context;
    (void)batch;
    struct store_params params;
    size_t whole = 0;
    size_t half = 0;
    for (size_t i = 0; i < count; i++) {
        struct api_trace *trace = trace_of(requests[i]);
        trace->first_whole = whole;
        trace->first_half = half;
        for (size_t k = 0; k < trace->lookup_count; k++) {
            if (is_whole(&trace->lookup[k]))
                whole++;
            else
                half++;
        }
    }
    store_params_init(&params);
    add_lookups(&params, requests, count, true, STORE_TEXT, add_scheme);
    add_lookups(&params, requests, count, true, STORE_TEXT, add_text);
    enum ct_status status = store_queue(store, API_SQL_trace_lookup, &params);
    store_params_free(&params);
    return status;
}

/* ---- what only some traces ask --------------------------------------------------------------- */

static enum ct_status run_one(struct store *store, enum api_sql statement,
                              const struct store_params *params, struct store_result **ret,
                              struct ct_error *err)
{
    enum ct_status status = store_queue(store, statement, params);
    if (status == CT_OK)
        status = store_run(store, ct_mono_ms() + FURTHER_MS, ret, 1, err);
    return status;
}

static enum ct_status look_up_halves(struct store *store, struct api_request **requests,
                                     size_t count, struct store_result **ret, struct ct_error *err)
{
    struct store_params params;
    bool any = false;
    for (size_t i = 0; i < count && !any; i++) {
        const struct api_trace *trace = trace_of(requests[i]);
        for (size_t k = 0; k < trace->lookup_count && !any; k++)
            any = !is_whole(&trace->lookup[k]);
    }
    if (!any)
        return CT_OK;
    store_params_init(&params);
    add_lookups(&params, requests, count, false, STORE_TEXT, add_scheme);
    add_lookups(&params, requests, count, false, STORE_TEXT, add_text);
    add_lookups(&params, requests, count, false, STORE_INT, add_half);
    add_lookups(&params, requests, count, false, STORE_INT, add_length);
    enum ct_status status = run_one(store, API_SQL_trace_lookup_halves, &params, ret, err);
    store_params_free(&params);
    return status;
}

/* A trace of several marks, or of one whose place is not known, is judged by all marks of a
 * firearm; else the one that was found is the one that counts. */
static bool needs_all_marks(const struct api_trace *trace)
{
    return trace->specimens.mark_count > 1 ||
           trace->specimens.mark[0].placement == MICROSTAMP_PLACEMENT_UNKNOWN;
}

/* ---- rows by trace --------------------------------------------------------------------------- */

/* The rows of a result, those of one trace next to each other: of trace i they are
 * row[start[i]] to row[start[i + 1] - 1]. */
struct sorted {
    const struct store_result *result;
    size_t *row;
    size_t *start;
};

static void sorted_free(struct sorted *sorted)
{
    free(sorted->row);
    free(sorted->start);
}

/* Whose a look-up is: look-ups were numbered through the batch, so the last trace that begins at or
 * before it. */
static size_t owner_of(struct api_request **requests, size_t count, size_t lookup, bool whole)
{
    size_t low = 0;
    size_t high = count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        const struct api_trace *trace = trace_of(requests[middle]);
        if ((whole ? trace->first_whole : trace->first_half) <= lookup)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Sorts by counting. A result that is NULL has no rows. */
static enum ct_status sort_rows(struct api_request **requests, size_t count,
                                const struct store_result *result, bool whole, struct sorted *ret)
{
    size_t rows = result == NULL ? 0 : store_rows(result);
    ret->result = result;
    ret->row = malloc((rows + 1) * sizeof *ret->row);
    ret->start = calloc(count + 2, sizeof *ret->start);
    if (ret->row == NULL || ret->start == NULL)
        return CT_NO_MEMORY;
    for (size_t row = 0; row < rows; row++)
        ret->start[owner_of(requests, count, (size_t)store_get_int(result, row, TRACE_LOOKUP) - 1,
                            whole) +
                   2]++;
    for (size_t i = 2; i < count + 2; i++)
        ret->start[i] += ret->start[i - 1];
    for (size_t row = 0; row < rows; row++) {
        size_t owner =
            owner_of(requests, count, (size_t)store_get_int(result, row, TRACE_LOOKUP) - 1, whole);
        ret->row[ret->start[owner + 1]++] = row;
    }
    return CT_OK;
}

/* ---- firearms that were found ---------------------------------------------------------------- */

static void *grown(void *array, size_t room, size_t size, bool *whole)
{
    void *larger = reallocarray(array, room, size);
    *whole = *whole && larger != NULL;
    return larger == NULL ? array : larger;
}

static bool make_room(struct api_trace_found *found, size_t wanted)
{
    bool whole = true;
    size_t room = found->room == 0 ? 256 : found->room;
    if (wanted <= found->room)
        return true;
    while (room < wanted)
        room *= 2;
    found->firearm = grown(found->firearm, room, sizeof *found->firearm, &whole);
    found->candidate = grown(found->candidate, room, sizeof *found->candidate, &whole);
    found->mark = grown(found->mark, room, sizeof *found->mark, &whole);
    found->recorded = grown(found->recorded, room, sizeof *found->recorded, &whole);
    if (whole)
        found->room = room;
    return whole;
}

/* The code that a row was found by. */
static const char *code_of(const struct api_trace *trace, const struct api_trace_row *at,
                           bool whole, enum microstamp_alphabet *ret_alphabet)
{
    *ret_alphabet = MICROSTAMP_OPAQUE;
    if (!whole)
        return store_get_text(at->result, at->row, TRACE_WORD);
    size_t wanted =
        (size_t)store_get_int(at->result, at->row, TRACE_LOOKUP) - 1 - trace->first_whole;
    for (size_t k = 0; k < trace->lookup_count; k++) {
        if (is_whole(&trace->lookup[k]) && wanted-- == 0) {
            *ret_alphabet = trace->lookup[k].alphabet;
            return trace->lookup[k].text;
        }
    }
    return NULL;
}

/* Dates compare as text, YYYY-MM-DD. valid_from and valid_to of the new mark are set. */
static void add_mark(struct api_trace *trace, struct api_trace_found *found,
                     enum microstamp_alphabet alphabet, const char *code, const char *placement)
{
    struct api_found_mark *mark = &found->mark[found->mark_count];
    mark->alphabet = alphabet;
    mark->placement = placement;
    mark->installed =
        strcmp(mark->valid_from, trace->incident_to) <= 0 &&
        (mark->valid_to[0] == '\0' || strcmp(mark->valid_to, trace->incident_from) >= 0);
    (void)snprintf(mark->code, sizeof mark->code, "%s", code == NULL ? "" : code);
    found->recorded[found->mark_count++] = (struct microstamp_recorded){
        .placement = api_specimens_number(&trace->specimens, placement),
        .alphabet = alphabet,
        .code = mark->code,
        .factor = mark->installed ? 1.0 : MICROSTAMP_FACTOR_NOT_INSTALLED,
    };
}

static void add_mark_of_row(struct api_trace *trace, struct api_trace_found *found,
                            const struct api_trace_row *at, bool whole)
{
    struct api_found_mark *mark = &found->mark[found->mark_count];
    enum microstamp_alphabet alphabet;
    const char *code = code_of(trace, at, whole, &alphabet);
    store_get_date(at->result, at->row, TRACE_VALID_FROM, mark->valid_from);
    store_get_date(at->result, at->row, TRACE_VALID_TO, mark->valid_to);
    add_mark(trace, found, alphabet, code, store_get_text(at->result, at->row, TRACE_PLACEMENT));
}

/* ---- all marks of a firearm ------------------------------------------------------------------ */

/* Columns of api.marks_of_firearms(). */
enum { MARKS_FIREARM, MARKS_ID, MARKS_PLACEMENT, MARKS_SCHEME, MARKS_WORD, MARKS_FROM, MARKS_TO };

/* Rows in the order of firearm, then mark. */
struct marks {
    struct store_result *result;
    struct api_trace_row *at;
    size_t count;
};

static int compare_columns(const struct api_trace_row *x, const struct api_trace_row *y,
                           int firearm, int mark)
{
    int order = memcmp(store_get_uuid(x->result, x->row, firearm),
                       store_get_uuid(y->result, y->row, firearm), CT_UUID_BYTES);
    return order != 0 ? order
                      : memcmp(store_get_uuid(x->result, x->row, mark),
                               store_get_uuid(y->result, y->row, mark), CT_UUID_BYTES);
}

static int compare_marks(const void *a, const void *b)
{
    return compare_columns(a, b, MARKS_FIREARM, MARKS_ID);
}

static int compare_found(const void *a, const void *b)
{
    return compare_columns(a, b, TRACE_FIREARM, TRACE_MARK);
}

static void add_firearms_of(struct store_params *params, const struct sorted *sorted, size_t trace)
{
    for (size_t i = sorted->start[trace]; i < sorted->start[trace + 1]; i++) {
        const uint8_t *id = store_get_uuid(sorted->result, sorted->row[i], TRACE_FIREARM);
        if (id != NULL)
            store_element_bytes(params, id, CT_UUID_BYTES);
    }
}

static enum ct_status look_up_marks(struct store *store, struct api_request **requests,
                                    size_t count, const struct sorted *whole,
                                    const struct sorted *half, struct marks *ret,
                                    struct ct_error *err)
{
    struct store_params params;
    bool any = false;
    store_params_init(&params);
    store_array_open(&params, STORE_UUID);
    for (size_t i = 0; i < count; i++) {
        if (!needs_all_marks(trace_of(requests[i])))
            continue;
        any = any || whole->start[i] < whole->start[i + 1] || half->start[i] < half->start[i + 1];
        add_firearms_of(&params, whole, i);
        add_firearms_of(&params, half, i);
    }
    store_array_close(&params);
    enum ct_status status =
        any ? run_one(store, API_SQL_marks_of_firearms, &params, &ret->result, err) : CT_OK;
    store_params_free(&params);
    if (!any || status != CT_OK)
        return status;
    ret->count = store_rows(ret->result);
    ret->at = malloc((ret->count + 1) * sizeof *ret->at);
    if (ret->at == NULL)
        return CT_NO_MEMORY;
    for (size_t row = 0; row < ret->count; row++)
        ret->at[row] = (struct api_trace_row){ret->result, row};
    qsort(ret->at, ret->count, sizeof *ret->at, compare_marks);
    return CT_OK;
}

static void marks_free(struct marks *marks)
{
    free(marks->at);
    store_result_free(marks->result);
}

static size_t first_mark_of(const struct marks *marks, const uint8_t *firearm)
{
    size_t low = 0;
    size_t high = marks->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct api_trace_row *at = &marks->at[middle];
        if (memcmp(store_get_uuid(at->result, at->row, MARKS_FIREARM), firearm, CT_UUID_BYTES) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A firearm that several traces of the batch found comes several times: each mark counts once. */
static bool add_all_marks(struct api_trace *trace, struct api_trace_found *found,
                          const struct marks *marks, const uint8_t *firearm)
{
    const uint8_t *last = NULL;
    for (size_t i = first_mark_of(marks, firearm); i < marks->count; i++) {
        const struct api_trace_row *at = &marks->at[i];
        const uint8_t *id = store_get_uuid(at->result, at->row, MARKS_ID);
        if (memcmp(store_get_uuid(at->result, at->row, MARKS_FIREARM), firearm, CT_UUID_BYTES) != 0)
            break;
        if (last != NULL && memcmp(last, id, CT_UUID_BYTES) == 0)
            continue;
        last = id;
        if (!make_room(found, found->mark_count + 1))
            return false;
        struct api_found_mark *mark = &found->mark[found->mark_count];
        const char *scheme = store_get_text(at->result, at->row, MARKS_SCHEME);
        store_get_date(at->result, at->row, MARKS_FROM, mark->valid_from);
        store_get_date(at->result, at->row, MARKS_TO, mark->valid_to);
        add_mark(trace, found,
                 scheme != NULL && strcmp(scheme, OPAQUE_NAME) == 0 ? MICROSTAMP_OPAQUE
                                                                    : MICROSTAMP_R29,
                 store_get_text(at->result, at->row, MARKS_WORD),
                 store_get_text(at->result, at->row, MARKS_PLACEMENT));
    }
    return true;
}

/* ---- one trace ------------------------------------------------------------------------------- */

/* Records speak as evidence: what disagrees costs likelihood and raises a flag, and nothing is left
 * out because of it. */
static void judge_records(const struct api_context *context, const struct api_trace *trace,
                          struct api_found_firearm *firearm, struct microstamp_candidate *candidate)
{
    char shipped[STORE_DATE_TEXT];
    const struct api_specimens *specimens = &trace->specimens;
    const char *caliber = store_get_text(firearm->at.result, firearm->at.row, TRACE_CALIBER);
    const char *serial = store_get_text(firearm->at.result, firearm->at.row, TRACE_SERIAL);
    store_get_date(firearm->at.result, firearm->at.row, TRACE_SHIPPED_ON, shipped);
    firearm->not_shipped = strcmp(shipped, trace->incident_to) > 0;
    firearm->caliber_differs = 0;
    for (unsigned i = 0; i < specimens->specimen_count; i++) {
        const struct api_specimen *specimen = &specimens->specimen[i];
        double factor = firearm->not_shipped ? MICROSTAMP_FACTOR_NOT_SHIPPED : 1.0;
        if (specimen->caliber != NULL && caliber != NULL &&
            !api_vocabulary_same(context->calibers, specimen->caliber, caliber)) {
            firearm->caliber_differs |= 1u << i;
            factor *= MICROSTAMP_FACTOR_CALIBER;
        }
        if (specimen->has_serial)
            factor *= microstamp_serial_ratio(context->matrix, &specimen->serial, serial);
        candidate->factor[i] = factor;
    }
    for (unsigned i = specimens->specimen_count; i < MICROSTAMP_SPECIMENS_MAX; i++)
        candidate->factor[i] = 1.0;
}

static void note_lead(const struct api_trace *trace, const struct store_result *result, size_t row,
                      double *best, struct api_trace_found *found)
{
    size_t wanted = (size_t)store_get_int(result, row, TRACE_LOOKUP) - 1 - trace->first_whole;
    for (size_t k = 0; k < trace->lookup_count; k++) {
        if (!is_whole(&trace->lookup[k]) || wanted-- != 0)
            continue;
        if (trace->lookup[k].likelihood >= LEAD_SHARE && trace->lookup[k].likelihood > *best) {
            *best = trace->lookup[k].likelihood;
            found->issued = true;
            found->lead = (struct api_trace_row){result, row};
            found->lead_by = &trace->lookup[k];
        }
        return;
    }
}

/* A half that more codes have than were given: what is missing counts as unlisted. */
static void note_more(const struct api_trace *trace, const struct store_result *result, size_t row)
{
    size_t wanted = (size_t)store_get_int(result, row, TRACE_LOOKUP) - 1 - trace->first_half;
    for (size_t k = 0; k < trace->lookup_count; k++) {
        if (!is_whole(&trace->lookup[k]) && wanted-- == 0) {
            microstamp_examination_overflowed(trace->examination, k);
            return;
        }
    }
}

/* The rows that are of firearms, in the order of firearms and marks, each mark once. */
static size_t rows_of(const struct api_trace *trace, size_t number, const struct sorted *whole,
                      const struct sorted *half, struct api_trace_row *rows,
                      struct api_trace_found *found)
{
    const struct sorted *from[2] = {whole, half};
    size_t count = 0;
    size_t kept = 0;
    double best_lead = 0;
    for (int s = 0; s < 2; s++) {
        for (size_t i = from[s]->start[number]; i < from[s]->start[number + 1]; i++) {
            size_t row = from[s]->row[i];
            if (from[s] == half && store_get_bool(half->result, row, TRACE_MORE))
                note_more(trace, half->result, row);
            if (!store_is_null(from[s]->result, row, TRACE_FIREARM))
                rows[count++] = (struct api_trace_row){from[s]->result, row};
            else
                note_lead(trace, from[s]->result, row, &best_lead, found);
        }
    }
    if (count > 1)
        qsort(rows, count, sizeof *rows, compare_found);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || compare_found(&rows[kept - 1], &rows[i]) != 0)
            rows[kept++] = rows[i];
    }
    return kept;
}

static bool same_firearm(const struct api_trace_row *a, const struct api_trace_row *b)
{
    return memcmp(store_get_uuid(a->result, a->row, TRACE_FIREARM),
                  store_get_uuid(b->result, b->row, TRACE_FIREARM), CT_UUID_BYTES) == 0;
}

static enum ct_status collect(const struct api_context *context, struct api_trace *trace,
                              const struct api_trace_row *rows, size_t row_count,
                              const struct sorted *whole, const struct marks *marks,
                              struct api_trace_found *found)
{
    bool all = needs_all_marks(trace);
    found->count = 0;
    found->mark_count = 0;
    for (size_t i = 0; i < row_count; i++) {
        bool same = i > 0 && same_firearm(&rows[i - 1], &rows[i]);
        if (!make_room(found, found->mark_count + 1) || !make_room(found, found->count + 1))
            return CT_NO_MEMORY;
        if (!same) {
            struct api_found_firearm *firearm = &found->firearm[found->count];
            firearm->at = rows[i];
            firearm->first_mark = found->mark_count;
            judge_records(context, trace, firearm, &found->candidate[found->count++]);
            if (all && !add_all_marks(trace, found, marks,
                                      store_get_uuid(rows[i].result, rows[i].row, TRACE_FIREARM)))
                return CT_NO_MEMORY;
        }
        if (!all)
            add_mark_of_row(trace, found, &rows[i], rows[i].result == whole->result);
        found->firearm[found->count - 1].mark_count =
            found->mark_count - found->firearm[found->count - 1].first_mark;
    }
    /* Only now do the arrays stay where they are. */
    for (size_t i = 0; i < found->mark_count; i++)
        found->recorded[i].code = found->mark[i].code;
    for (size_t i = 0; i < found->count; i++) {
        found->candidate[i].mark = found->recorded + found->firearm[i].first_mark;
        found->candidate[i].mark_count = found->firearm[i].mark_count;
    }
    return CT_OK;
}

static void choose_main_group(struct api_trace_found *found)
{
    found->main_group = 0;
    for (size_t i = 1; i < found->group_count; i++) {
        if (__builtin_popcount(found->group[i].specimens) >
            __builtin_popcount(found->group[found->main_group].specimens))
            found->main_group = i;
    }
}

/* A reading that identifies what the agency was shown again and again may be made of those answers:
 * it counts as one that came after an answer. */
static void distrust(const struct api_context *context, struct api_request *request,
                     const struct api_trace_found *found)
{
    const struct microstamp_group *group = &found->group[found->main_group];
    if (context->shown_often == NULL || group->ranking.state != MICROSTAMP_IDENTIFIED)
        return;
    const struct api_trace_row *at = &found->firearm[group->ranked[0].candidate].at;
    if (context->shown_often(context->shown_closure, request->identity.organization,
                             store_get_uuid(at->result, at->row, TRACE_FIREARM)))
        request->version.after_answer = true;
}

static enum ct_status answer_one(const struct api_context *context, struct api_request *request,
                                 size_t number, const struct sorted *whole,
                                 const struct sorted *half, const struct marks *marks,
                                 struct api_trace_row *rows, struct api_trace_found *found)
{
    struct api_trace *trace = trace_of(request);
    found->issued = false;
    size_t row_count = rows_of(trace, number, whole, half, rows, found);
    enum ct_status status = collect(context, trace, rows, row_count, whole, marks, found);
    if (status != CT_OK)
        return status;
    if (microstamp_examination_resolve(trace->examination, found->candidate, found->count) !=
        MICROSTAMP_OK)
        return CT_NO_MEMORY;
    found->group = microstamp_examination_groups(trace->examination, &found->group_count);
    choose_main_group(found);
    distrust(context, request, found);
    return api_trace_answer(context, request, found);
}

/* ---- the batch ------------------------------------------------------------------------------- */

enum ct_status api_trace_finish(struct api_context *context, struct store *store,
                                struct api_request **requests, size_t count,
                                const struct store_result *result, struct ct_error *err)
{
    struct store_result *halves = NULL;
    struct sorted whole = {0};
    struct sorted half = {0};
    struct marks marks = {0};
    struct api_trace_row *rows = NULL;
    struct api_trace_found *found = context->own;
    enum ct_status status = look_up_halves(store, requests, count, &halves, err);
    if (status == CT_OK)
        status = sort_rows(requests, count, result, true, &whole);
    if (status == CT_OK)
        status = sort_rows(requests, count, halves, false, &half);
    if (status == CT_OK)
        status = look_up_marks(store, requests, count, &whole, &half, &marks, err);
    if (status == CT_OK) {
        size_t room = store_rows(result) + (halves == NULL ? 0 : store_rows(halves));
        rows = malloc((room + 1) * sizeof *rows);
        if (found == NULL)
            found = context->own = calloc(1, sizeof *found); /* kept for the next batch */
        status = rows == NULL || found == NULL ? CT_NO_MEMORY : CT_OK;
    }
    for (size_t i = 0; i < count && status == CT_OK; i++)
        status = answer_one(context, requests[i], i, &whole, &half, &marks, rows, found);
    free(rows);
    marks_free(&marks);
    sorted_free(&half);
    sorted_free(&whole);
    store_result_free(halves);
    return status;
}

void api_trace_scratch_free(void *own)
{
    struct api_trace_found *found = own;
    if (found == NULL)
        return;
    free(found->firearm);
    free(found->candidate);
    free(found->mark);
    free(found->recorded);
    free(found);
}
