// SPDX-License-Identifier: Apache-2.0
#include "cli/trace_text.h"

#include "cli/cli.h"

#include <string.h>

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = ct_json_string(object, member);
    return text == NULL ? "" : text;
}

static void print_item(FILE *stream, const char *before, const json_t *object, const char *member)
{
    const char *text = text_of(object, member);
    if (text[0] == '\0')
        return;
    (void)fputs(before, stream);
    cli_print_text(stream, text);
}

static void print_number(FILE *stream, const char *before, const json_t *object, const char *member)
{
    const json_t *number = json_object_get(object, member);
    if (json_is_number(number))
        (void)fprintf(stream, "%s%.6g", before, json_number_value(number));
}

/* ---- purchasers --------------------------------------------------------------------------------
 */

static const char *reason_text(const char *reason)
{
    static const struct {
        const char *reason;
        const char *text;
    } reasons[] = {
        {"not_identified", "the firearm is not identified"},
        {"another_group", "it is of another gun: trace its specimens by themselves"},
        {"second_examiner", "a second examiner must confirm the reading"},
        {"rule", "the jurisdiction's rule asks for more"},
        {"seal_broken", "the sealed record does not open: report it"},
        {"unsold", "no retail sale is recorded"},
        {"first_sale_not_recorded", "the first sale was not recorded here"},
        {"stolen_before_sale", "stolen before it was sold"},
        {"lost_before_sale", "lost before it was sold"},
        {"exported", "exported before it was sold"},
        {"destroyed", "destroyed before it was sold"},
        {"expunged", "the record was expunged"},
    };
    for (size_t i = 0; i < CT_ARRAY_LENGTH(reasons); i++) {
        if (strcmp(reasons[i].reason, reason) == 0)
            return reasons[i].text;
    }
    return reason;
}

static void print_person(FILE *stream, const json_t *purchaser)
{
    const json_t *address = json_object_get(purchaser, "address");
    const json_t *document = json_object_get(purchaser, "id_document");
    print_item(stream, " ", purchaser, "organization_name");
    print_item(stream, " ", purchaser, "given_name");
    print_item(stream, " ", purchaser, "other_names");
    print_item(stream, " ", purchaser, "family_name");
    print_item(stream, ", born ", purchaser, "date_of_birth");
    if (text_of(address, "line1")[0] != '\0') {
        print_item(stream, "\n      ", address, "line1");
        print_item(stream, ", ", address, "line2");
        print_item(stream, ", ", address, "city");
        print_item(stream, ", ", address, "state");
        print_item(stream, " ", address, "postal_code");
        print_item(stream, ", ", address, "country");
    }
    print_item(stream, "\n      ", document, "type");
    print_item(stream, " ", document, "number");
    print_item(stream, ", ", document, "issuer");
}

static void print_purchaser(FILE *stream, const json_t *purchaser)
{
    const json_t *sale = json_object_get(purchaser, "sale");
    const json_t *complete = json_object_get(purchaser, "chain_complete");
    if (!json_is_object(purchaser))
        return;
    if (!json_is_true(json_object_get(purchaser, "disclosed"))) {
        (void)fputs("    first purchaser: not shown, ", stream);
        cli_print_text(stream, reason_text(text_of(purchaser, "reason")));
        (void)fputc('\n', stream);
        return;
    }
    (void)fputs("    first purchaser:", stream);
    print_person(stream, purchaser);
    print_item(stream, "\n      sold by ", sale, "dealer");
    print_item(stream, " on ", sale, "delivered_on");
    print_item(stream, ", transaction ", sale, "transaction_number");
    print_item(stream, "\n      returned on ", purchaser, "returned_on");
    if (json_is_false(complete))
        (void)fputs("\n      not every move from the maker to this sale is recorded", stream);
    (void)fputc('\n', stream);
}

/* ---- candidates --------------------------------------------------------------------------------
 */

/* Numbers of the answer begin at 0, those that people read at 1. */
static void print_place(FILE *stream, const char *before, const json_t *object, const char *member)
{
    const json_t *number = json_object_get(object, member);
    if (json_is_integer(number))
        (void)fprintf(stream, "%s%lld", before, (long long)json_integer_value(number) + 1);
}

static void print_flags(FILE *stream, const char *before, const json_t *flags)
{
    size_t i;
    const json_t *flag;
    json_array_foreach(flags, i, flag)
    {
        print_item(stream, before, flag, "code");
        print_place(stream, ", specimen ", flag, "specimen");
        print_place(stream, ", mark ", flag, "mark");
        print_item(stream, ": ", flag, "detail");
        (void)fputc('\n', stream);
    }
}

/* How each mark agrees with the code at its place: only there when several were sent. */
static void print_agreements(FILE *stream, const json_t *agreements)
{
    size_t i;
    const json_t *item;
    json_array_foreach(agreements, i, item)
    {
        print_place(stream, "    specimen ", item, "specimen");
        print_place(stream, ", mark ", item, "mark");
        print_item(stream, ": agreement ", item, "agreement");
        if (json_is_null(json_object_get(item, "agreement")))
            (void)fputs(": no code is recorded at this place", stream);
        (void)fputc('\n', stream);
    }
}

static void print_firearm(FILE *stream, const json_t *candidate)
{
    const json_t *firearm = json_object_get(candidate, "firearm");
    (void)fprintf(stream, "%2lld. ",
                  (long long)json_integer_value(json_object_get(candidate, "rank")));
    cli_print_text(stream, text_of(firearm, "maker"));
    print_item(stream, " ", firearm, "model");
    print_item(stream, ", serial ", firearm, "serial");
    print_item(stream, ", ", firearm, "caliber");
    print_item(stream, ", imported by ", firearm, "importer");
    print_place(stream, "\n    of group ", candidate, "group");
    print_number(stream, "\n    probability ", candidate, "posterior");
}

static void print_candidate(FILE *stream, const json_t *candidate)
{
    const json_t *mark = json_object_get(candidate, "mark");
    size_t i;
    const json_t *item;
    print_firearm(stream, candidate);
    print_item(stream, "\n    mark on ", mark, "placement");
    print_item(stream, ", code ", mark, "code");
    print_item(stream, ", agreement ", mark, "agreement");
    print_item(stream, "\n    firearm ", json_object_get(candidate, "firearm"), "id");
    (void)fputc('\n', stream);
    print_agreements(stream, json_object_get(candidate, "agreements"));
    json_array_foreach(json_object_get(candidate, "custody"), i, item)
    {
        print_item(stream, "    ", item, "date");
        print_item(stream, " ", item, "kind");
        print_item(stream, " from ", item, "from");
        print_item(stream, " to ", item, "to");
        (void)fputc('\n', stream);
    }
    print_purchaser(stream, json_object_get(candidate, "first_purchaser"));
    json_array_foreach(json_object_get(candidate, "later_holders"), i, item)
    {
        print_item(stream, "    later sold by ", item, "dealer");
        print_item(stream, " on ", item, "delivered_on");
        (void)fputc('\n', stream);
    }
    print_flags(stream, "    note: ", json_object_get(candidate, "flags"));
}

/* ---- the whole ---------------------------------------------------------------------------------
 */

static void print_issued(FILE *stream, const json_t *detail)
{
    if (!json_is_object(detail))
        return;
    print_item(stream, "the code is known (", detail, "code");
    print_item(stream, "): issued to ", detail, "block_holder");
    print_item(stream, ", ask ", detail, "contact");
    (void)fputc('\n', stream);
}

/* What the evidence is worth, the likelihood ratio first: it does not rest on the prior. */
static void print_ranking(FILE *stream, const char *before, const json_t *ranking)
{
    static const struct {
        const char *member;
        const char *text;
    } numbers[] = {
        {"likelihood_ratio", "likelihood ratio: "},
        {"effective_characters", "worth this many characters, fully read: "},
        {"not_registered", "probability that the firearm is not registered: "},
        {"expected_chance_matches", "expected chance matches: "},
    };
    for (size_t i = 0; i < CT_ARRAY_LENGTH(numbers); i++) {
        if (!json_is_number(json_object_get(ranking, numbers[i].member)))
            continue;
        (void)fputs(before, stream);
        print_number(stream, numbers[i].text, ranking, numbers[i].member);
        (void)fputc('\n', stream);
    }
}

static void print_groups(FILE *stream, const json_t *groups)
{
    size_t i;
    const json_t *group;
    json_array_foreach(groups, i, group)
    {
        size_t k;
        const json_t *specimen;
        (void)fprintf(stream, "group %zu, specimen", i + 1);
        json_array_foreach(json_object_get(group, "specimens"), k, specimen)(void) fprintf(
            stream, "%s %lld", k == 0 ? "" : ",", (long long)json_integer_value(specimen) + 1);
        print_item(stream, ": ", group, "state");
        (void)fputc('\n', stream);
        print_ranking(stream, "    ", group);
    }
}

static void print_next_best(FILE *stream, const json_t *next_best)
{
    size_t i;
    const json_t *next;
    json_array_foreach(next_best, i, next)
    {
        (void)fputs(i == 0 ? "worth another look:" : ";", stream);
        print_place(stream, " specimen ", next, "specimen");
        print_place(stream, ", mark ", next, "mark");
        print_place(stream, ", character ", next, "position");
        print_number(stream, " (", next, "bits");
        (void)fputs(json_is_number(json_object_get(next, "bits")) ? " bits)" : "", stream);
    }
    if (json_array_size(next_best) > 0)
        (void)fputc('\n', stream);
}

void cli_trace_print(FILE *stream, const json_t *answer)
{
    const json_t *entry = json_object_get(json_object_get(answer, "receipt"), "entry");
    size_t i;
    const json_t *candidate;
    cli_print_text(stream, text_of(answer, "state"));
    print_item(stream, "  ", answer, "id");
    (void)fputc('\n', stream);
    print_ranking(stream, "", answer);
    if (json_is_true(json_object_get(answer, "after_answer")))
        (void)fputs("an exhibit was traced before with another reading\n", stream);
    print_issued(stream, json_object_get(answer, "detail"));
    print_flags(stream, "note: ", json_object_get(answer, "flags"));
    print_groups(stream, json_object_get(answer, "groups"));
    json_array_foreach(json_object_get(answer, "candidates"), i, candidate)
        print_candidate(stream, candidate);
    print_next_best(stream, json_object_get(answer, "next_best"));
    if (json_is_integer(entry))
        (void)fprintf(stream, "logged as entry %lld\n", (long long)json_integer_value(entry));
}
