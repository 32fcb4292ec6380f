// SPDX-License-Identifier: Apache-2.0
/* The header of a log entry: who asked what, when and why. */
#include "cli/log_verify.h"

#include <stdlib.h>
#include <string.h>

#define BACKWARDS_MS 5000 /* clocks are corrected by less than this */
#define AHEAD_MS 300000   /* of this machine's clock */

typedef unsigned long long number; /* for printf */

static const struct ct_json_limits header_limits = {.depth = 8, .values = 256};

/* Days from 1970-01-01 to a date of the Gregorian calendar. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    /* Years that begin in March have the leap day at their end. */
    year -= month <= 2 ? 1 : 0;
    int64_t era = year / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

/* The digits at this place of a text whose form was checked. */
static int64_t digits(const char *text, size_t at, size_t count)
{
    int64_t value = 0;
    for (size_t i = at; i < at + count; i++)
        value = value * 10 + (text[i] - '0');
    return value;
}

/* 2026-11-01T12:34:56.789Z, and nothing else. */
static bool time_read(const char *text, int64_t *ret_ms)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    if (text == NULL || strlen(text) != sizeof form - 1)
        return false;
    for (size_t i = 0; i < sizeof form - 1; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (form[i] == 'd' ? !digit : text[i] != form[i])
            return false;
    }
    int64_t month = digits(text, 5, 2);
    int64_t day = digits(text, 8, 2);
    int64_t hour = digits(text, 11, 2);
    int64_t minute = digits(text, 14, 2);
    int64_t second = digits(text, 17, 2);
    if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
        return false;
    int64_t days = days_of(digits(text, 0, 4), month, day);
    *ret_ms = (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + digits(text, 20, 3);
    return true;
}

static bool text_read(const json_t *header, const char *member, char *ret, size_t room)
{
    const char *text = ct_json_string(header, member);
    size_t length = text == NULL ? 0 : strlen(text);
    if (length == 0 || length >= room)
        return false;
    memcpy(ret, text, length + 1);
    return true;
}

enum ct_status log_verify_header_read(const void *bytes, size_t length,
                                      struct log_verify_header *ret, struct ct_error *err)
{
    json_t *header = NULL;
    enum ct_status status = ct_json_decode(bytes, length, header_limits, &header, err);
    if (status != CT_OK)
        return CT_BAD_INPUT;
    const json_t *epoch = json_object_get(header, "epoch");
    const char *wrong = NULL;
    if (json_integer_value(json_object_get(header, "v")) != 1)
        wrong = "v";
    else if (!text_read(header, "origin", ret->origin, sizeof ret->origin))
        wrong = "origin";
    else if (!text_read(header, "operation", ret->operation, sizeof ret->operation))
        wrong = "operation";
    else if (!json_is_integer(epoch) || json_integer_value(epoch) < 0)
        wrong = "epoch";
    else if (!time_read(ct_json_string(header, "time"), &ret->time_ms))
        wrong = "time";
    ret->epoch = json_integer_value(epoch);
    json_decref(header);
    if (wrong == NULL)
        return CT_OK;
    ct_error_set(err, "\"%s\" is not as in version 1", wrong);
    return CT_BAD_INPUT;
}

/* Only a takeover begins a new epoch. What is between two entries that do not follow each other is
 * not known. */
static enum ct_status check_epoch(const struct log_verify_course *course, uint64_t index,
                                  const struct log_verify_header *header)
{
    bool takeover = strcmp(header->operation, "takeover") == 0;
    bool follows = index == course->index + 1;
    bool fits = header->epoch == course->epoch ||
                (header->epoch == course->epoch + 1 && takeover) ||
                (!follows && header->epoch > course->epoch);
    if (!fits)
        return LOG_VERIFY_FAIL("entry %llu: epoch %lld after %lld, which no takeover explains",
                               (number)index, (long long)header->epoch, (long long)course->epoch);
    if (takeover && header->epoch == course->epoch)
        return LOG_VERIFY_FAIL("entry %llu: a takeover without a new epoch", (number)index);
    return CT_OK;
}

static enum ct_status check_time(const struct log_verify_course *course, uint64_t index,
                                 const struct log_verify_header *header)
{
    if (course->begun && header->time_ms < course->latest_ms - BACKWARDS_MS)
        return LOG_VERIFY_FAIL("entry %llu: its time is %lld ms before that of an earlier entry",
                               (number)index, (long long)(course->latest_ms - header->time_ms));
    if (header->time_ms > ct_now_ms() + AHEAD_MS)
        return LOG_VERIFY_FAIL("entry %llu: its time is in the future by this machine's clock",
                               (number)index);
    return CT_OK;
}

enum ct_status log_verify_course_check(struct log_verify_course *course, const char *origin,
                                       uint64_t index, const struct log_verify_header *header)
{
    if (strcmp(header->origin, origin) != 0)
        return LOG_VERIFY_FAIL("entry %llu: its header names another log, %s", (number)index,
                               header->origin);
    enum ct_status status = course->begun ? check_epoch(course, index, header) : CT_OK;
    if (status == CT_OK)
        status = check_time(course, index, header);
    if (!course->begun)
        course->first_ms = header->time_ms;
    if (!course->begun || header->time_ms > course->latest_ms)
        course->latest_ms = header->time_ms;
    course->begun = true;
    course->index = index;
    course->epoch = header->epoch;
    return status;
}

static void print_member(const char *label, const json_t *value)
{
    char decimal[32];
    const char *text = json_string_value(value);
    char *made = NULL;
    if (value == NULL)
        return;
    if (json_is_integer(value)) {
        (void)snprintf(decimal, sizeof decimal, "%lld", (long long)json_integer_value(value));
        text = decimal;
    } else if (text == NULL) {
        text = made = ct_json_text(value);
    }
    (void)printf("%-16s ", label);
    /* A line feed inside a value must not look like the next member. */
    for (const char *line = text == NULL ? "" : text; *line != '\0';) {
        char part[256];
        size_t count = strcspn(line, "\n");
        if (count > sizeof part - 1)
            count = sizeof part - 1;
        memcpy(part, line, count);
        part[count] = '\0';
        cli_print_text(stdout, part);
        line += count;
        if (*line == '\n') {
            (void)fputs("\\n", stdout);
            line++;
        }
    }
    (void)fputc('\n', stdout);
    free(made);
}

void log_verify_header_print(const void *bytes, size_t length)
{
    static const struct {
        const char *member;
        const char *label;
    } order[] = {{"time", "when"},
                 {"account", "account"},
                 {"organization", "organization"},
                 {"licence", "licence"},
                 {"role", "role"},
                 {"operation", "operation"},
                 {"purpose", "purpose"},
                 {"case_number", "case number"},
                 {"outcome", "outcome"},
                 {"status", "status"},
                 {"candidates", "candidates"},
                 {"disclosed", "disclosed"},
                 {"replayed", "replayed"},
                 {"request_id", "request id"},
                 {"server", "server"},
                 {"epoch", "epoch"},
                 {"origin", "log"}};
    json_t *header = NULL;
    if (ct_json_decode(bytes, length, header_limits, &header, NULL) != CT_OK)
        return;
    for (size_t i = 0; i < CT_ARRAY_LENGTH(order); i++)
        print_member(order[i].label, json_object_get(header, order[i].member));
    json_decref(header);
}
