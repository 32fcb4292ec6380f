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

static void print_candidate(FILE *stream, const json_t *candidate)
{
    const json_t *firearm = json_object_get(candidate, "firearm");
    const json_t *mark = json_object_get(candidate, "mark");
    size_t i;
    const json_t *item;
    (void)fprintf(stream, "%2lld. ",
                  (long long)json_integer_value(json_object_get(candidate, "rank")));
    cli_print_text(stream, text_of(firearm, "maker"));
    print_item(stream, " ", firearm, "model");
    print_item(stream, ", serial ", firearm, "serial");
    print_item(stream, ", ", firearm, "caliber");
    print_item(stream, ", imported by ", firearm, "importer");
    print_number(stream, "\n    probability ", candidate, "posterior");
    print_item(stream, "\n    mark on ", mark, "placement");
    print_item(stream, ", code ", mark, "code");
    print_item(stream, ", agreement ", mark, "agreement");
    print_item(stream, "\n    firearm ", firearm, "id");
    (void)fputc('\n', stream);
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
    json_array_foreach(json_object_get(candidate, "flags"), i, item)
    {
        print_item(stream, "    note: ", item, "code");
        print_item(stream, ": ", item, "detail");
        (void)fputc('\n', stream);
    }
}

static void print_issued(FILE *stream, const json_t *detail)
{
    if (!json_is_object(detail))
        return;
    print_item(stream, "the code is known (", detail, "code");
    print_item(stream, "): issued to ", detail, "block_holder");
    print_item(stream, ", ask ", detail, "contact");
    (void)fputc('\n', stream);
}

void cli_trace_print(FILE *stream, const json_t *answer)
{
    const json_t *entry = json_object_get(json_object_get(answer, "receipt"), "entry");
    size_t i;
    const json_t *candidate;
    cli_print_text(stream, text_of(answer, "state"));
    print_item(stream, "  ", answer, "id");
    print_number(stream, "\nprobability that the firearm is not registered: ", answer,
                 "not_registered");
    print_number(stream, "\nexpected chance matches: ", answer, "expected_chance_matches");
    (void)fputc('\n', stream);
    print_issued(stream, json_object_get(answer, "detail"));
    json_array_foreach(json_object_get(answer, "candidates"), i, candidate)
        print_candidate(stream, candidate);
    if (json_is_integer(entry))
        (void)fprintf(stream, "logged as entry %lld\n", (long long)json_integer_value(entry));
}
