// SPDX-License-Identifier: Apache-2.0
#include "api/trace.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX (1u << 20)
#define ANSWER_USUAL 2048 /* room that most answers need not be moved out of */
#define TOUCHED_USUAL 256
#define NEXT_MAX 3 /* positions that are worth another look */

/* ---- columns --------------------------------------------------------------------------------- */

static void write_text_or_null(struct ct_buf *out, const char *name, const char *text)
{
    ct_json_write_text(out, name, text == NULL || text[0] == '\0' ? NULL : text);
}

static void write_column(struct ct_buf *out, const char *name, const struct api_trace_row *at,
                         enum api_trace_column column)
{
    write_text_or_null(out, name, store_get_text(at->result, at->row, (int)column));
}

static void write_date(struct ct_buf *out, const char *name, const struct api_trace_row *at,
                       enum api_trace_column column)
{
    char text[STORE_DATE_TEXT];
    store_get_date(at->result, at->row, (int)column, text);
    write_text_or_null(out, name, text);
}

static void write_id(struct ct_buf *out, const char *name, const struct api_trace_row *at,
                     enum api_trace_column column, const char *prefix)
{
    char text[CT_ID_TEXT];
    const uint8_t *uuid = store_get_uuid(at->result, at->row, (int)column);
    if (uuid != NULL)
        ct_id_format(prefix, uuid, text);
    ct_json_write_text(out, name, uuid == NULL ? NULL : text);
}

/* A list that the database keeps as JSON: it goes through as it is. */
static void write_list(struct ct_buf *out, const char *name, const struct api_trace_row *at,
                       enum api_trace_column column, bool shown)
{
    const char *list = shown ? store_get_text(at->result, at->row, (int)column) : NULL;
    ct_json_write_raw(out, name, list == NULL ? "[]" : list);
}

/* ---- one candidate --------------------------------------------------------------------------- */

/* A candidate on its way into the answer. */
struct shown {
    const struct api_trace *trace;
    const struct api_trace_found *found;
    const struct microstamp_group *group;
    const struct microstamp_ranked *ranked;
    const struct api_found_firearm *firearm;
    size_t group_number;
    size_t rank;     /* within the group, from 0 */
    bool identified; /* its code is shown, and its purchaser disclosed */
    bool after_answer;
};

/* The recorded code that the candidate rests on; of one that has none at any place that was read,
 * the one that was found. */
static size_t leading_mark(const struct shown *shown)
{
    size_t recorded = shown->ranked->recorded;
    return shown->firearm->first_mark + (recorded == SIZE_MAX ? 0 : recorded);
}

static void write_firearm(struct ct_buf *out, const struct api_trace_row *at)
{
    ct_json_write_open(out, "firearm", '{');
    write_id(out, "id", at, TRACE_FIREARM, "frm");
    write_column(out, "maker", at, TRACE_MAKER);
    write_column(out, "importer", at, TRACE_IMPORTER);
    write_column(out, "model", at, TRACE_MODEL);
    write_column(out, "serial", at, TRACE_SERIAL);
    write_column(out, "caliber", at, TRACE_CALIBER);
    write_column(out, "type", at, TRACE_FIREARM_TYPE);
    ct_json_write_close(out, '}');
}

/* As people read it: R29-8 in two groups of four. */
static void write_code(struct ct_buf *out, const struct api_found_mark *mark)
{
    struct microstamp_code code;
    char written[MICROSTAMP_R29_LENGTH + 2];
    if (mark->alphabet == MICROSTAMP_R29 &&
        microstamp_r29_parse(mark->code, strlen(mark->code), &code, NULL) == MICROSTAMP_OK) {
        microstamp_r29_format(&code, written);
        ct_json_write_text(out, "code", written);
    } else {
        ct_json_write_text(out, "code", mark->code);
    }
}

/* The code is shown when a first reading has identified it, and never else: it could be sent back
 * as a reading. */
static void write_mark(struct ct_buf *out, const struct shown *shown)
{
    char agreement[MICROSTAMP_TEXT];
    size_t number = leading_mark(shown);
    const struct api_found_mark *mark = &shown->found->mark[number];
    microstamp_examination_agreement(shown->trace->examination, shown->ranked->mark,
                                     &shown->found->recorded[number], agreement);
    ct_json_write_open(out, "mark", '{');
    write_text_or_null(out, "placement", mark->placement);
    ct_json_write_text(out, "agreement", agreement);
    write_text_or_null(out, "valid_from", mark->valid_from);
    write_text_or_null(out, "valid_to", mark->valid_to);
    if (shown->identified && !shown->after_answer)
        write_code(out, mark);
    ct_json_write_close(out, '}');
}

static bool of_group(const struct shown *shown, unsigned specimen)
{
    return (shown->group->specimens >> specimen & 1u) != 0;
}

/* The code of the firearm that a mark is to be compared with: recorded at its place, and the one
 * that agrees in most positions where there are several. False: none is recorded there. */
static bool compare_mark(const struct shown *shown, unsigned number,
                         char ret_agreement[MICROSTAMP_TEXT], size_t *ret_recorded)
{
    const struct api_mark *mark = &shown->trace->specimens.mark[number];
    int best = -1;
    for (size_t i = 0; i < shown->firearm->mark_count; i++) {
        size_t at = shown->firearm->first_mark + i;
        const struct microstamp_recorded *recorded = &shown->found->recorded[at];
        char agreement[MICROSTAMP_TEXT];
        int equal = 0;
        if (mark->placement != MICROSTAMP_PLACEMENT_UNKNOWN &&
            mark->placement != recorded->placement)
            continue;
        microstamp_examination_agreement(shown->trace->examination, number, recorded, agreement);
        for (const char *c = agreement; *c != '\0'; c++)
            equal += *c == '=';
        if (equal > best) {
            best = equal;
            *ret_recorded = at;
            memcpy(ret_agreement, agreement, MICROSTAMP_TEXT);
        }
    }
    return best >= 0;
}

/* Returns how many marks tell of the code that they are not, or not only. */
static uint32_t write_agreements(struct ct_buf *out, const struct shown *shown)
{
    uint32_t telling = 0;
    const struct api_specimens *specimens = &shown->trace->specimens;
    ct_json_write_open(out, "agreements", '[');
    for (unsigned i = 0; i < specimens->mark_count; i++) {
        char agreement[MICROSTAMP_TEXT];
        size_t recorded;
        if (!of_group(shown, specimens->mark[i].specimen))
            continue;
        bool known = compare_mark(shown, i, agreement, &recorded);
        ct_json_write_open(out, NULL, '{');
        ct_json_write_int(out, "specimen", specimens->mark[i].specimen);
        ct_json_write_int(out, "mark", specimens->mark[i].number);
        ct_json_write_text(out, "agreement", known ? agreement : NULL);
        ct_json_write_close(out, '}');
        telling += known && strpbrk(agreement, "x~") != NULL;
    }
    ct_json_write_close(out, ']');
    return telling;
}

/* specimen, mark: -1 if it is not about one. */
static void write_flag(struct ct_buf *out, const char *code, int specimen, int mark,
                       const char *detail)
{
    ct_json_write_open(out, NULL, '{');
    ct_json_write_text(out, "code", code);
    if (specimen >= 0)
        ct_json_write_int(out, "specimen", specimen);
    if (mark >= 0)
        ct_json_write_int(out, "mark", mark);
    ct_json_write_text(out, "detail", detail);
    ct_json_write_close(out, '}');
}

/* Whether a kind of event is recorded before the incident ends. The list is short and most have
 * none, so it is read only if the word is in it. */
static bool happened_before(const struct shown *shown, const char *kind)
{
    const struct api_trace_row *at = &shown->firearm->at;
    const char *text = store_get_text(at->result, at->row, TRACE_CUSTODY);
    bool found = false;
    size_t index;
    json_t *event;
    if (text == NULL || strstr(text, kind) == NULL)
        return false;
    json_t *list = json_loads(text, 0, NULL);
    json_array_foreach(list, index, event)
    {
        const char *is = ct_json_string(event, "kind");
        const char *date = ct_json_string(event, "date");
        found = found || (is != NULL && date != NULL && strcmp(is, kind) == 0 &&
                          strcmp(date, shown->trace->incident_to) <= 0);
    }
    json_decref(list);
    return found;
}

static void write_record_flags(struct ct_buf *out, const struct shown *shown)
{
    static const struct {
        const char *kind;
        const char *code;
        const char *detail;
    } events[] = {
        {"destroyed", "destroyed_before", "it is recorded as destroyed before the incident"},
        {"stolen", "reported_stolen_before", "it is recorded as stolen before the incident"},
        {"lost", "reported_lost_before", "it is recorded as lost before the incident"},
        {"exported", "exported", "it is recorded as exported before the incident"},
    };
    const struct api_trace_row *at = &shown->firearm->at;
    char delivered[STORE_DATE_TEXT];
    store_get_date(at->result, at->row, TRACE_SALE_DELIVERED_ON, delivered);
    for (unsigned i = 0; i < shown->trace->specimens.specimen_count; i++) {
        if (of_group(shown, i) && (shown->firearm->caliber_differs >> i & 1u) != 0)
            write_flag(out, "caliber_mismatch", (int)i, -1,
                       "the specimen's caliber is not the one recorded");
    }
    if (shown->firearm->not_shipped)
        write_flag(out, "not_yet_made", -1, -1, "it was shipped after the incident");
    if (delivered[0] != '\0' && strcmp(delivered, shown->trace->incident_to) > 0)
        write_flag(out, "not_yet_sold", -1, -1, "it was first sold after the incident");
    for (size_t i = 0; i < CT_ARRAY_LENGTH(events); i++) {
        if (happened_before(shown, events[i].kind))
            write_flag(out, events[i].code, -1, -1, events[i].detail);
    }
}

#define CONTRADICTION                                                                              \
    3               /* characters that differ: one or two are misread, and a pin is worn there */
#define SUPPORT 3.0 /* log10 of a likelihood ratio that speaks clearly, for or against */

static bool is_on_slide(const char *placement)
{
    return placement != NULL &&
           (strcmp(placement, "firing_pin") == 0 || strcmp(placement, "breech_face") == 0 ||
            strcmp(placement, "extractor") == 0);
}

/* What one mark says of a candidate. */
struct verdict {
    size_t recorded; /* the candidate's mark that it was held against, or SIZE_MAX */
    bool speaks_for;
    bool speaks_against;
};

/* Casings of one placement have their likelihood together, so that one which contradicts the others
 * shows in its characters alone. */
static struct verdict judge(const struct shown *shown, unsigned mark)
{
    struct verdict verdict = {.recorded = SIZE_MAX};
    char agreement[MICROSTAMP_TEXT];
    unsigned differing = 0;
    double support = microstamp_examination_support(shown->trace->examination, shown->group_number,
                                                    shown->rank, mark, &verdict.recorded);
    if (verdict.recorded == SIZE_MAX)
        return verdict;
    microstamp_examination_agreement(
        shown->trace->examination, mark,
        &shown->found->recorded[shown->firearm->first_mark + verdict.recorded], agreement);
    for (const char *c = agreement; *c != '\0'; c++)
        differing += *c == 'x';
    verdict.speaks_against = support < -SUPPORT || differing >= CONTRADICTION;
    verdict.speaks_for = !verdict.speaks_against && support > SUPPORT;
    return verdict;
}

static void write_verdict(struct ct_buf *out, const struct shown *shown,
                          const struct api_mark *mark, const struct verdict *verdict, bool disagree)
{
    const struct api_found_mark *best = &shown->found->mark[leading_mark(shown)];
    const struct api_found_mark *held =
        &shown->found->mark[shown->firearm->first_mark + verdict->recorded];
    if (!held->installed)
        write_flag(out, "part_replaced", (int)mark->specimen, (int)mark->number,
                   "the mark is not recorded as installed at the incident");
    if (!disagree)
        return;
    write_flag(out, "marks_disagree", (int)mark->specimen, (int)mark->number,
               "this mark is not the one recorded on the firearm that another mark leads to");
    if (is_on_slide(best->placement) != is_on_slide(held->placement))
        write_flag(out, "slide_may_be_exchanged", (int)mark->specimen, (int)mark->number,
                   "marks of the slide and of the rest lead to different firearms");
}

/* One mark says that it is this firearm and another that it is not: a part was exchanged, or a
 * casing planted. */
static void write_mark_flags(struct ct_buf *out, const struct shown *shown)
{
    const struct api_specimens *specimens = &shown->trace->specimens;
    struct verdict verdict[MICROSTAMP_MARKS_MAX];
    bool any_for = false;
    if (shown->ranked->recorded == SIZE_MAX)
        write_flag(out, "placement_differs", -1, -1,
                   "no code is recorded at the place where the mark was read");
    for (unsigned i = 0; i < specimens->mark_count; i++) {
        verdict[i] = (struct verdict){.recorded = SIZE_MAX};
        if (of_group(shown, specimens->mark[i].specimen))
            verdict[i] = judge(shown, i);
        any_for = any_for || verdict[i].speaks_for;
    }
    for (unsigned i = 0; i < specimens->mark_count; i++) {
        if (verdict[i].recorded != SIZE_MAX)
            write_verdict(out, shown, &specimens->mark[i], &verdict[i],
                          any_for && verdict[i].speaks_against);
    }
}

static void write_not_disclosed(struct ct_buf *out, const char *reason)
{
    ct_json_write_bool(out, "disclosed", false);
    ct_json_write_text(out, "reason", reason);
}

static void write_chain_complete(struct ct_buf *out, const struct api_trace_row *at)
{
    if (store_is_null(at->result, at->row, TRACE_CHAIN_COMPLETE))
        ct_json_write_null(out, "chain_complete");
    else
        ct_json_write_bool(out, "chain_complete",
                           store_get_bool(at->result, at->row, TRACE_CHAIN_COMPLETE));
}

static void write_disclosed(struct ct_buf *out, const struct api_trace_row *at)
{
    ct_json_write_bool(out, "disclosed", true);
    write_column(out, "basis", at, TRACE_BASIS);
    write_chain_complete(out, at);
    write_date(out, "returned_on", at, TRACE_RETURNED_ON);
    ct_json_write_open(out, "sale", '{');
    write_column(out, "dealer", at, TRACE_SALE_DEALER);
    write_date(out, "delivered_on", at, TRACE_SALE_DELIVERED_ON);
    write_column(out, "transaction_number", at, TRACE_SALE_TRANSACTION_NUMBER);
    ct_json_write_close(out, '}');
}

/* The reading came after an answer: what would have been shown waits for a second examiner. */
static void write_withheld(struct ct_buf *out, const struct api_trace_row *at,
                           struct api_version *version, const uint8_t sale[CT_UUID_BYTES])
{
    struct ct_buf withheld;
    ct_buf_init(&withheld, ANSWER_MAX);
    ct_json_write_open(&withheld, NULL, '{');
    write_disclosed(&withheld, at);
    ct_json_write_close(&withheld, '}');
    free(version->withheld);
    version->withheld = ct_json_write_end(&withheld);
    memcpy(version->withheld_sale, sale, CT_UUID_BYTES);
    write_not_disclosed(out, "second_examiner");
    write_chain_complete(out, at);
}

/* The purchaser's own data are added after the commit; what is recorded never has them. */
static void write_purchaser(struct ct_buf *out, const struct api_trace_row *at,
                            struct api_request *request)
{
    struct api_trace *trace = request->own;
    const char *reason = store_get_text(at->result, at->row, TRACE_NO_PURCHASER_REASON);
    size_t length;
    const uint8_t *sealed = store_get_bytes(at->result, at->row, TRACE_PURCHASER_SEALED, &length);
    const uint8_t *sale = store_get_uuid(at->result, at->row, TRACE_SALE);
    const char *key = store_get_text(at->result, at->row, TRACE_PURCHASER_KEY);
    if (reason != NULL || sealed == NULL || sale == NULL || key == NULL) {
        write_not_disclosed(out, reason == NULL ? "expunged" : reason);
        write_chain_complete(out, at);
        return;
    }
    if (request->version.after_answer) {
        write_withheld(out, at, &request->version, sale);
        return;
    }
    if (!api_sealed_set(&trace->sealed, sale, key, sealed, length)) {
        write_not_disclosed(out, "seal_broken");
        return;
    }
    request->disclosed = 1;
    write_disclosed(out, at);
    trace->purchaser_end = out->length;
}

/* What is shown of a firearm that is not identified tells whether a reading fits its code: the
 * whole of a trace once, and each mark of which a position is compared and does not simply agree.
 */
static void note_told(struct ct_buf *out, const struct shown *shown, struct api_request *request,
                      uint32_t telling)
{
    const struct api_trace_row *at = &shown->firearm->at;
    const struct microstamp_group *first = &shown->found->group[shown->found->main_group];
    /* What the answer identifies, with its code, may come last among another gun's candidates. */
    if (first->ranking.state == MICROSTAMP_IDENTIFIED && !shown->after_answer &&
        first->ranked[0].candidate == shown->ranked->candidate)
        return;
    if (shown->identified)
        return;
    if (request->told == NULL)
        request->told = calloc(MICROSTAMP_SHOWN_MAX, sizeof *request->told);
    if (request->told == NULL) {
        out->failed = true;
        return;
    }
    struct api_told *told = &request->told[request->told_count++];
    memcpy(told->firearm, store_get_uuid(at->result, at->row, TRACE_FIREARM), CT_UUID_BYTES);
    told->times = telling == 0 ? 1 : telling;
}

static void write_candidate(struct ct_buf *out, const struct shown *shown,
                            struct api_request *request)
{
    const struct api_trace_row *at = &shown->firearm->at;
    bool of_main_group = shown->group_number == shown->found->main_group;
    uint32_t telling = 0;
    ct_json_write_open(out, NULL, '{');
    ct_json_write_int(out, "rank", (int64_t)shown->rank + 1);
    ct_json_write_real(out, "posterior", shown->ranked->posterior);
    if (shown->found->group_count > 1)
        ct_json_write_int(out, "group", (int64_t)shown->group_number);
    write_firearm(out, at);
    write_mark(out, shown);
    if (shown->trace->specimens.mark_count > 1)
        telling = write_agreements(out, shown);
    note_told(out, shown, request, telling);
    write_list(out, "custody", at, TRACE_CUSTODY, shown->identified);
    write_list(out, "later_holders", at, TRACE_LATER_HOLDERS, shown->identified);
    ct_json_write_open(out, "flags", '[');
    write_record_flags(out, shown);
    write_mark_flags(out, shown);
    ct_json_write_close(out, ']');
    /* api_trace_answer_text() adds to the end of the one that is disclosed. */
    ct_json_write_open(out, "first_purchaser", '{');
    if (shown->identified)
        write_purchaser(out, at, request);
    else
        write_not_disclosed(out, shown->group->ranking.state == MICROSTAMP_IDENTIFIED &&
                                         shown->rank == 0 && !of_main_group
                                     ? "another_group"
                                     : "not_identified");
    ct_json_write_close(out, '}');
    ct_json_write_close(out, '}');
}

/* ---- all of it ------------------------------------------------------------------------------- */

static size_t count_shown(const struct microstamp_group *group)
{
    if (group->ranking.state == MICROSTAMP_IDENTIFIED)
        return 1;
    if (group->ranking.state != MICROSTAMP_CANDIDATES)
        return 0;
    return group->ranked_count < MICROSTAMP_SHOWN_MAX ? group->ranked_count : MICROSTAMP_SHOWN_MAX;
}

/* The groups in the order in which they are shown: the main one first. */
static size_t nth_group(const struct api_trace_found *found, size_t n)
{
    if (n == 0)
        return found->main_group;
    return n <= found->main_group ? n - 1 : n;
}

/* Calls visit for every candidate that is shown, and returns how many those are. */
static size_t each_shown(const struct api_trace *trace, const struct api_trace_found *found,
                         struct ct_buf *out, struct api_request *request,
                         void (*visit)(struct ct_buf *, const struct shown *, struct api_request *))
{
    size_t total = 0;
    for (size_t n = 0; n < found->group_count; n++) {
        struct shown shown = {.trace = trace,
                              .found = found,
                              .group_number = nth_group(found, n),
                              .after_answer = request->version.after_answer};
        shown.group = &found->group[shown.group_number];
        size_t count = count_shown(shown.group);
        for (size_t rank = 0; rank < count && total < MICROSTAMP_SHOWN_MAX; rank++, total++) {
            shown.rank = rank;
            shown.ranked = &shown.group->ranked[rank];
            shown.firearm = &found->firearm[shown.ranked->candidate];
            shown.identified =
                n == 0 && rank == 0 && shown.group->ranking.state == MICROSTAMP_IDENTIFIED;
            visit(out, &shown, request);
        }
    }
    return total;
}

static void write_ranking(struct ct_buf *out, const struct microstamp_ranking *ranking)
{
    ct_json_write_text(out, "state", microstamp_state_name(ranking->state));
    ct_json_write_real(out, "likelihood_ratio", ranking->likelihood_ratio);
    ct_json_write_real(out, "effective_characters", ranking->effective_characters);
    ct_json_write_real(out, "not_registered", ranking->not_registered);
    ct_json_write_real(out, "expected_chance_matches", ranking->expected_chance_matches);
}

static void write_groups(struct ct_buf *out, const struct api_trace_found *found)
{
    ct_json_write_open(out, "groups", '[');
    for (size_t n = 0; n < found->group_count; n++) {
        const struct microstamp_group *group = &found->group[n];
        ct_json_write_open(out, NULL, '{');
        ct_json_write_open(out, "specimens", '[');
        for (unsigned i = 0; i < MICROSTAMP_SPECIMENS_MAX; i++) {
            if ((group->specimens >> i & 1u) != 0)
                ct_json_write_int(out, NULL, i);
        }
        ct_json_write_close(out, ']');
        write_ranking(out, &group->ranking);
        ct_json_write_close(out, '}');
    }
    ct_json_write_close(out, ']');
}

/* Of several guns the lead may be another one's than the one that the answer speaks of: its code
 * agrees with none of that one's marks then. */
static bool leads_to_main(const struct api_trace *trace, const struct api_trace_found *found)
{
    const struct api_specimens *specimens = &trace->specimens;
    const struct microstamp_recorded code = {.alphabet = found->lead_by->alphabet,
                                             .code = found->lead_by->text};
    for (unsigned i = 0; i < specimens->mark_count; i++) {
        char agreement[MICROSTAMP_TEXT];
        unsigned differing = 0;
        bool any = false;
        if ((found->group[found->main_group].specimens >> specimens->mark[i].specimen & 1u) == 0)
            continue;
        microstamp_examination_agreement(trace->examination, i, &code, agreement);
        for (const char *c = agreement; *c != '\0'; c++) {
            differing += *c == 'x';
            any = any || *c == '=' || *c == '~';
        }
        if (any && differing < CONTRADICTION)
            return true;
    }
    return false;
}

/* A code that was issued and is on no firearm is a lead: who holds its block. */
static void write_detail(struct ct_buf *out, const struct api_trace *trace,
                         const struct api_trace_found *found)
{
    const struct microstamp_ranking *ranking = &found->group[found->main_group].ranking;
    if (!found->issued || (found->group_count > 1 && !leads_to_main(trace, found)) ||
        ranking->state == MICROSTAMP_IDENTIFIED || ranking->state == MICROSTAMP_INSUFFICIENT) {
        ct_json_write_null(out, "detail");
        return;
    }
    const struct api_trace_row *at = &found->lead;
    const char *state = store_get_text(at->result, at->row, TRACE_CODE_STATE);
    const char *code = "issued_unregistered";
    if (state != NULL && strcmp(state, "spoiled") == 0)
        code = "spoiled";
    else if (!store_is_null(at->result, at->row, TRACE_MARK))
        code = "issued_to_part";
    ct_json_write_open(out, "detail", '{');
    ct_json_write_text(out, "code", code);
    ct_json_write_text(out, "scheme", MICROSTAMP_R29_NAME);
    write_id(out, "block_id", at, TRACE_BLOCK, "cbk");
    write_column(out, "block_holder", at, TRACE_BLOCK_HOLDER);
    write_column(out, "contact", at, TRACE_BLOCK_CONTACT);
    ct_json_write_close(out, '}');
}

static const char *scheme_of(const struct api_trace *trace)
{
    bool r29 = false;
    bool opaque = false;
    for (unsigned i = 0; i < trace->specimens.mark_count; i++) {
        r29 = r29 || trace->specimens.mark[i].has_r29;
        opaque = opaque || trace->specimens.mark[i].has_opaque;
    }
    return r29 && opaque ? "any" : r29 ? MICROSTAMP_R29_NAME : "opaque";
}

static void write_method(struct ct_buf *out, const struct api_context *context,
                         const struct api_trace *trace)
{
    ct_json_write_open(out, "method", '{');
    ct_json_write_text(out, "scheme", scheme_of(trace));
    ct_json_write_text(out, "matrix", microstamp_matrix_name(context->matrix));
    ct_json_write_real(out, "pi0", context->registry.pi0);
    ct_json_write_int(out, "n", (int64_t)context->registry.firearms);
    ct_json_write_text(out, "software", API_SOFTWARE);
    ct_json_write_close(out, '}');
}

static void write_next_best(struct ct_buf *out, const struct api_trace *trace,
                            const struct api_trace_found *found)
{
    struct microstamp_next next[NEXT_MAX];
    size_t count = 0;
    if (found->group[found->main_group].ranking.state == MICROSTAMP_CANDIDATES)
        count =
            microstamp_examination_next_best(trace->examination, found->main_group, next, NEXT_MAX);
    ct_json_write_open(out, "next_best", '[');
    for (size_t i = 0; i < count; i++) {
        ct_json_write_open(out, NULL, '{');
        ct_json_write_int(out, "specimen", next[i].specimen);
        ct_json_write_int(out, "mark", trace->specimens.mark[next[i].mark].number);
        ct_json_write_int(out, "position", next[i].position);
        ct_json_write_real(out, "bits", next[i].bits);
        ct_json_write_close(out, '}');
    }
    ct_json_write_close(out, ']');
}

static char *answer_text(const struct api_context *context, struct api_request *request,
                         const struct api_trace_found *found)
{
    const struct api_trace *trace = request->own;
    struct ct_buf out;
    ct_buf_init(&out, ANSWER_MAX);
    if (ct_buf_reserve(&out, ANSWER_USUAL) != CT_OK)
        return NULL;
    ct_json_write_open(&out, NULL, '{');
    ct_json_write_text(&out, "id", trace->id_text);
    write_ranking(&out, &found->group[found->main_group].ranking);
    write_method(&out, context, trace);
    write_detail(&out, trace, found);
    ct_json_write_open(&out, "flags", '[');
    if (found->group_count > 1)
        write_flag(&out, "more_than_one_gun", -1, -1,
                   "the readings speak for more than one gun, by 100 to 1 or more");
    ct_json_write_close(&out, ']');
    if (found->group_count > 1)
        write_groups(&out, found);
    write_next_best(&out, trace, found);
    ct_json_write_raw(&out, "linked_cases", "[]");
    ct_json_write_null(&out, "links_as_of");
    ct_json_write_bool(&out, "after_answer", request->version.after_answer);
    ct_json_write_open(&out, "candidates", '['); /* last, as the purchaser in each of them */
    request->candidates = (int)each_shown(trace, found, &out, request, write_candidate);
    ct_json_write_close(&out, ']');
    ct_json_write_close(&out, '}');
    return ct_json_write_end(&out);
}

static void write_touched(struct ct_buf *out, const struct shown *shown,
                          struct api_request *request)
{
    (void)request;
    write_id(out, NULL, &shown->firearm->at, TRACE_FIREARM, "frm");
}

static char *touched_text(struct api_request *request, const struct api_trace_found *found)
{
    const struct api_trace *trace = request->own;
    struct ct_buf out;
    ct_buf_init(&out, ANSWER_MAX);
    if (ct_buf_reserve(&out, TOUCHED_USUAL) != CT_OK)
        return NULL;
    ct_json_write_open(&out, NULL, '{');
    ct_json_write_text(&out, "trace", trace->id_text);
    ct_json_write_open(&out, "firearms", '[');
    (void)each_shown(trace, found, &out, request, write_touched);
    ct_json_write_close(&out, ']');
    if (request->disclosed > 0) {
        char sale[CT_ID_TEXT];
        ct_id_format("sal", trace->sealed.sale, sale);
        ct_json_write_text(&out, "disclosed", sale);
    }
    ct_json_write_close(&out, '}');
    return ct_json_write_end(&out);
}

enum ct_status api_trace_answer(const struct api_context *context, struct api_request *request,
                                const struct api_trace_found *found)
{
    struct api_trace *trace = request->own;
    trace->state = microstamp_state_name(found->group[found->main_group].ranking.state);
    request->state = trace->state;
    request->guns = (uint32_t)found->group_count;
    for (size_t i = 0; i < found->group_count; i++)
        request->unmatched += found->group[i].ranking.state == MICROSTAMP_NO_MATCH;
    request->recorded = answer_text(context, request, found);
    request->touched = touched_text(request, found);
    memcpy(request->resource, trace->id, CT_UUID_BYTES);
    request->has_resource = true;
    return request->recorded == NULL || request->touched == NULL ? CT_NO_MEMORY : CT_OK;
}

/* ---- after the commit ------------------------------------------------------------------------ */

/* What was recorded is the answer already, but for two things that join it after the commit: the
 * purchaser, whose document goes to the end of the object that is disclosed, and the receipt. */
bool api_trace_answer_text(struct api_context *context, struct api_request *request,
                           const struct api_receipt *receipt, struct ct_buf *out)
{
    const struct api_trace *trace = request->own;
    const char *recorded = request->recorded;
    size_t length = strlen(recorded) - 1;
    if (request->disclosed > 0) {
        size_t end = trace->purchaser_end;
        size_t plain_length = 0;
        char *plain = api_sealed_open(context, &trace->sealed, &plain_length);
        if (plain == NULL || plain_length <= 2 || end >= length || recorded[end] != '}') {
            free(plain);
            return false; /* a broken seal is render's to say */
        }
        (void)ct_buf_append(out, recorded, end);
        (void)ct_buf_append_u8(out, ',');
        (void)ct_buf_append(out, plain + 1, plain_length - 1); /* with the brace that ends it */
        (void)ct_buf_append(out, recorded + end + 1, length - end - 1);
        sodium_memzero(plain, plain_length);
        free(plain);
    } else {
        (void)ct_buf_append(out, recorded, length);
    }
    ct_json_write_open(out, "receipt", '{');
    ct_json_write_int(out, "entry", (int64_t)receipt->entry);
    ct_json_write_text(out, "tlog_proof", receipt->proof);
    ct_json_write_close(out, '}');
    ct_json_write_close(out, '}');
    return true;
}

/* Reads what was recorded: only a broken seal comes this way. */
json_t *api_trace_answer_render(struct api_context *context, struct api_request *request,
                                const struct api_receipt *receipt)
{
    struct api_trace *trace = request->own;
    json_t *answer = json_loads(request->recorded, 0, NULL);
    if (answer == NULL)
        return NULL;
    return api_trace_render(context, request, answer, &trace->sealed, receipt);
}
