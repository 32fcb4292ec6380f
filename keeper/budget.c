// SPDX-License-Identifier: Apache-2.0
#include "keeper/budget.h"

#include <stdlib.h>
#include <string.h>

#define DAY_MS 86400000
#define DAY_S 86400u
#define ROOM_FIRST 1024
#define FINDINGS_MAX 4096 /* that wait; more of a day are found again at the next start */
#define WILDCARDS_UNREAD 2
#define SHOWN_OFTEN 3 /* traces: halving what two characters may be takes about ten */

/* All kinds of findings that come of counting. A threshold of 0 is one that is configured. */
static const struct finding_kind {
    const char *name;
    enum budget_counter counter;
    bool of_agency;
    uint32_t threshold;
} kinds[] = {
    {"no_match", BUDGET_NO_MATCH, false, 20},
    {"no_match_limit", BUDGET_NO_MATCH, false, 0},
    {"wildcards_in_bulk", BUDGET_WILDCARDS, false, 20},
    {"many_firearms_by_candidates", BUDGET_CANDIDATES, false, 100},
    {"one_firearm_repeatedly", BUDGET_FIREARM, false, 5},
    {"budget_spent", BUDGET_SPENT, false, 0},
    {"agency_budget_spent", BUDGET_SPENT, true, 0},
};

void budget_init(struct budget *budget, const struct budget_limits *limits)
{
    *budget = (struct budget){.limits = *limits};
    (void)pthread_mutex_init(&budget->mutex, NULL);
}

void budget_free(struct budget *budget)
{
    free(budget->rows);
    repeats_free(&budget->repeats);
    repeats_free(&budget->shown);
    free(budget->findings);
    (void)pthread_mutex_destroy(&budget->mutex);
}

/* What found nothing costs as much: its guess was tried. */
unsigned budget_cost(int candidates, uint32_t guns)
{
    unsigned cost = guns <= 1 ? 1 : guns;
    return candidates <= 1 ? cost : cost + ((unsigned)candidates - 1 + 4) / 5;
}

/* ---- rows; the mutex is held ------------------------------------------------------------------
 */

static struct budget_row *place_of(struct budget_row *rows, size_t room,
                                   const uint8_t id[CT_UUID_BYTES])
{
    uint64_t hash;
    memcpy(&hash, id, sizeof hash); /* random already */
    size_t at = (size_t)hash & (room - 1);
    while (rows[at].used && memcmp(rows[at].id, id, CT_UUID_BYTES) != 0)
        at = (at + 1) & (room - 1);
    return &rows[at];
}

static bool grow(struct budget *budget)
{
    size_t room = budget->room == 0 ? ROOM_FIRST : 2 * budget->room;
    struct budget_row *rows = calloc(room, sizeof *rows);
    if (rows == NULL)
        return false;
    for (size_t i = 0; i < budget->room; i++) {
        if (budget->rows[i].used)
            *place_of(rows, room, budget->rows[i].id) = budget->rows[i];
    }
    free(budget->rows);
    budget->rows = rows;
    budget->room = room;
    return true;
}

/* Makes the row if there is none. NULL when out of memory. A row found before may have moved. */
static struct budget_row *row_of(struct budget *budget, const uint8_t id[CT_UUID_BYTES])
{
    if (4 * (budget->count + 1) > 3 * budget->room && !grow(budget))
        return NULL;
    struct budget_row *row = place_of(budget->rows, budget->room, id);
    if (!row->used) {
        *row = (struct budget_row){.used = true};
        memcpy(row->id, id, CT_UUID_BYTES);
        for (unsigned i = 0; i < BUDGET_COUNTERS; i++)
            row->tally[i].first_entry = row->tally[i].last_entry = -1;
        budget->count++;
    }
    return row;
}

static void begin_day(struct budget *budget, int64_t day)
{
    if (budget->rows != NULL)
        memset(budget->rows, 0, budget->room * sizeof *budget->rows);
    repeats_forget(&budget->repeats);
    repeats_forget(&budget->shown);
    budget->count = 0;
    budget->day = day;
}

/* A clock that was put back does not give a spent day back. */
static void look_at_day(struct budget *budget, int64_t now_ms)
{
    if (now_ms / DAY_MS > budget->day)
        begin_day(budget, now_ms / DAY_MS);
}

/* ---- findings; the mutex is held ---------------------------------------------------------------
 */

static uint32_t threshold_of(const struct budget *budget, const struct finding_kind *kind)
{
    if (kind->threshold > 0)
        return kind->threshold;
    if (kind->counter == BUDGET_NO_MATCH)
        return budget->limits.no_match;
    return kind->of_agency ? budget->limits.agency : budget->limits.account;
}

static void push_finding(struct budget *budget, const struct budget_finding *finding)
{
    if (budget->finding_count == budget->finding_room) {
        size_t room = budget->finding_room == 0 ? 16 : 2 * budget->finding_room;
        struct budget_finding *findings =
            room > FINDINGS_MAX ? NULL : realloc(budget->findings, room * sizeof *findings);
        if (findings == NULL) {
            ct_log(CT_LOG_ERROR, "a finding has no room and is not recorded before a restart");
            return;
        }
        budget->findings = findings;
        budget->finding_room = room;
    }
    budget->findings[budget->finding_count++] = *finding;
}

/* Who is counted: an account, or its organization. */
struct party {
    const uint8_t *account;
    const uint8_t *organization;
    bool of_agency;
};

/* Whether a counter has come to what makes a finding, for the first time on this day. */
static void find(struct budget *budget, struct budget_row *row, const struct party *party,
                 enum budget_counter counter, const struct budget_tally *tally)
{
    for (size_t i = 0; i < CT_ARRAY_LENGTH(kinds); i++) {
        uint32_t threshold = threshold_of(budget, &kinds[i]);
        if (kinds[i].counter != counter || kinds[i].of_agency != party->of_agency ||
            threshold == 0 || tally->count < threshold || (row->found & 1u << i) != 0)
            continue;
        row->found |= 1u << i;
        struct budget_finding finding = {.kind = kinds[i].name,
                                         .of_agency = party->of_agency,
                                         .day = budget->day,
                                         .tally = *tally};
        memcpy(finding.account, party->account, CT_UUID_BYTES);
        memcpy(finding.organization, party->organization, CT_UUID_BYTES);
        push_finding(budget, &finding);
    }
}

/* ---- counting; the mutex is held ---------------------------------------------------------------
 */

static void count_up(struct budget *budget, struct budget_row *row, const struct party *party,
                     enum budget_counter counter, uint32_t amount, const struct budget_use *use)
{
    struct budget_tally *tally = &row->tally[counter];
    uint32_t before = tally->count;
    if (amount == 0)
        return;
    tally->count = before > UINT32_MAX - amount ? UINT32_MAX : before + amount;
    if (use->first_entry >= 0 && (tally->first_entry < 0 || use->first_entry < tally->first_entry))
        tally->first_entry = use->first_entry;
    if (use->last_entry > tally->last_entry)
        tally->last_entry = use->last_entry;
    find(budget, row, party, counter, tally);
}

/* Those firearms that an account was shown again and again: a bisection looks like that. It is
 * counted from the keeper's start, for it is not in the records that are loaded. */
static void count_firearms(struct budget *budget, struct budget_row *row, const struct party *party,
                           const struct budget_use *use)
{
    struct budget_tally tally = {.first_entry = -1, .last_entry = use->last_entry};
    if (use->touched == NULL)
        return;
    tally.count = repeats_note(&budget->repeats, party->account, use->touched, use->first_entry,
                               &tally.first_entry);
    find(budget, row, party, BUDGET_FIREARM, &tally);
}

/* Whoever is shown a firearm again and again, for readings that fit it more or less, can work out
 * its code from that alone: see budget_shown_often(). */
static void count_shown(struct budget *budget, const struct party *party,
                        const struct budget_use *use)
{
    for (size_t i = 0; i < use->told_count; i++)
        repeats_add(&budget->shown, party->organization, use->told[i].firearm, use->told[i].times,
                    use->first_entry);
}

static bool is_state(const struct budget_use *use, const char *state)
{
    return use->state != NULL && strcmp(use->state, state) == 0;
}

static uint32_t unmatched_of(const struct budget_use *use)
{
    return use->guns > 1 ? use->unmatched : is_state(use, "no_match");
}

/* An answer that identifies one firearm may speak of others beside it. */
static uint32_t unidentified_of(const struct budget_use *use)
{
    int identified = is_state(use, "identified");
    return use->candidates > identified ? (uint32_t)(use->candidates - identified) : 0;
}

static bool book(struct budget *budget, const uint8_t account[CT_UUID_BYTES],
                 const uint8_t organization[CT_UUID_BYTES], const struct budget_use *use)
{
    const struct party party = {account, organization, false};
    const struct party agency = {account, organization, true};
    uint32_t cost = budget_cost(use->candidates, use->guns) * use->times;
    struct budget_row *row = row_of(budget, account);
    if (row == NULL)
        return false;
    count_up(budget, row, &party, BUDGET_SPENT, cost, use);
    count_up(budget, row, &party, BUDGET_NO_MATCH, unmatched_of(use) * use->times, use);
    if (use->unread >= WILDCARDS_UNREAD)
        count_up(budget, row, &party, BUDGET_WILDCARDS, use->times, use);
    count_up(budget, row, &party, BUDGET_CANDIDATES, unidentified_of(use) * use->times, use);
    count_firearms(budget, row, &party, use);
    count_shown(budget, &party, use);
    row = row_of(budget, organization);
    if (row == NULL)
        return false;
    count_up(budget, row, &agency, BUDGET_SPENT, cost, use);
    return true;
}

/* ---- a trace's way ------------------------------------------------------------------------------
 */

static bool is_spent(const struct budget_row *row, unsigned limit)
{
    return limit > 0 && (uint64_t)row->tally[BUDGET_SPENT].count + row->reserved >= limit;
}

static void refuse(struct api_request *request, enum api_error error, const char *what,
                   int64_t now_ms)
{
    char detail[256];
    char renews[CT_TIME_TEXT];
    ct_time_format((now_ms / DAY_MS + 1) * DAY_MS, renews);
    (void)snprintf(detail, sizeof detail, "%s; it renews at %s", what, renews);
    api_refuse(request, error, NULL, detail);
    request->retry_after_s = DAY_S - (unsigned)(now_ms / 1000 % DAY_S);
}

bool budget_reserve(struct budget *budget, struct api_request *request, int64_t now_ms,
                    int64_t *ret_day)
{
    const struct budget_limits *limits = &budget->limits;
    const struct api_identity *identity = &request->identity;
    const char *spent = NULL;
    enum api_error error = API_ERROR_BUDGET_SPENT;
    (void)pthread_mutex_lock(&budget->mutex);
    look_at_day(budget, now_ms);
    bool made =
        row_of(budget, identity->account) != NULL && row_of(budget, identity->organization) != NULL;
    if (made) {
        struct budget_row *account = place_of(budget->rows, budget->room, identity->account);
        struct budget_row *agency = place_of(budget->rows, budget->room, identity->organization);
        if (limits->no_match > 0 && account->tally[BUDGET_NO_MATCH].count >= limits->no_match) {
            spent = "the account has had as many traces without a match today as it may";
            error = API_ERROR_NO_MATCH_LIMIT;
        } else if (is_spent(account, limits->account)) {
            spent = "the account's budget of traces is spent";
        } else if (is_spent(agency, limits->agency)) {
            spent = "the agency's budget of traces is spent";
        } else {
            account->reserved++;
            agency->reserved++;
            *ret_day = budget->day;
        }
    }
    (void)pthread_mutex_unlock(&budget->mutex);
    if (!made)
        api_refuse(request, API_ERROR_INTERNAL, NULL, "out of memory");
    else if (spent != NULL)
        refuse(request, error, spent, now_ms);
    return made && spent == NULL;
}

static void give_back(struct budget *budget, const uint8_t id[CT_UUID_BYTES])
{
    struct budget_row *row = place_of(budget->rows, budget->room, id);
    if (row->used && row->reserved > 0)
        row->reserved--;
}

void budget_settle(struct budget *budget, const struct api_identity *identity, int64_t day,
                   const struct budget_use *use, int64_t now_ms)
{
    bool booked = true;
    (void)pthread_mutex_lock(&budget->mutex);
    look_at_day(budget, now_ms);
    if (day == budget->day && budget->room > 0) {
        give_back(budget, identity->account);
        give_back(budget, identity->organization);
    }
    if (use != NULL)
        booked = book(budget, identity->account, identity->organization, use);
    (void)pthread_mutex_unlock(&budget->mutex);
    if (!booked)
        ct_log(CT_LOG_ERROR, "out of memory: a trace is not in its account's budget");
}

bool budget_shown_often(struct budget *budget, const uint8_t organization[CT_UUID_BYTES],
                        const uint8_t firearm[CT_UUID_BYTES])
{
    (void)pthread_mutex_lock(&budget->mutex);
    uint32_t times = repeats_of(&budget->shown, organization, firearm);
    (void)pthread_mutex_unlock(&budget->mutex);
    return times >= SHOWN_OFTEN;
}

/* ---- the start
 * ------------------------------------------------------------------------------------
 */

void budget_begin(struct budget *budget, int64_t day)
{
    (void)pthread_mutex_lock(&budget->mutex);
    begin_day(budget, day);
    (void)pthread_mutex_unlock(&budget->mutex);
}

enum ct_status budget_load(struct budget *budget, const uint8_t account[CT_UUID_BYTES],
                           const uint8_t organization[CT_UUID_BYTES], const struct budget_use *use)
{
    (void)pthread_mutex_lock(&budget->mutex);
    bool booked = book(budget, account, organization, use);
    (void)pthread_mutex_unlock(&budget->mutex);
    return booked ? CT_OK : CT_NO_MEMORY;
}

/* ---- findings on their way to the database
 * -------------------------------------------------------- */

struct budget_finding *budget_findings_take(struct budget *budget, size_t *ret_count)
{
    (void)pthread_mutex_lock(&budget->mutex);
    struct budget_finding *findings = NULL;
    *ret_count = budget->finding_count;
    if (budget->finding_count > 0) {
        findings = budget->findings;
        budget->findings = NULL;
        budget->finding_count = budget->finding_room = 0;
    }
    (void)pthread_mutex_unlock(&budget->mutex);
    return findings;
}

void budget_findings_return(struct budget *budget, struct budget_finding *findings_take,
                            size_t count)
{
    (void)pthread_mutex_lock(&budget->mutex);
    for (size_t i = 0; i < count; i++)
        push_finding(budget, &findings_take[i]);
    (void)pthread_mutex_unlock(&budget->mutex);
    free(findings_take);
}
