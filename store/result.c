// SPDX-License-Identifier: Apache-2.0
#include "store/store.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

/* A store_result is a PGresult under a name of ours: users of store/ need no libpq header. */
static const PGresult *pg(const struct store_result *result)
{
    return (const PGresult *)result;
}

void store_result_free(struct store_result *result)
{
    PQclear((PGresult *)result);
}

size_t store_rows(const struct store_result *result)
{
    return result == NULL ? 0 : (size_t)PQntuples(pg(result));
}

bool store_is_null(const struct store_result *result, size_t row, int column)
{
    return PQgetisnull(pg(result), (int)row, column) != 0;
}

static bool number(const struct store_result *result, size_t row, int column, size_t width,
                   uint64_t *ret)
{
    if (store_is_null(result, row, column) ||
        (size_t)PQgetlength(pg(result), (int)row, column) != width)
        return false;
    const uint8_t *bytes = (const uint8_t *)PQgetvalue(pg(result), (int)row, column);
    uint64_t value = 0;
    for (size_t i = 0; i < width; i++)
        value = value << 8 | bytes[i];
    *ret = value;
    return true;
}

int32_t store_get_int(const struct store_result *result, size_t row, int column)
{
    uint64_t value = 0;
    (void)number(result, row, column, 4, &value);
    return (int32_t)(uint32_t)value;
}

int64_t store_get_bigint(const struct store_result *result, size_t row, int column)
{
    uint64_t value = 0;
    (void)number(result, row, column, 8, &value);
    return (int64_t)value;
}

double store_get_double(const struct store_result *result, size_t row, int column)
{
    uint64_t bits = 0;
    double value;
    (void)number(result, row, column, 8, &bits);
    memcpy(&value, &bits, sizeof value);
    return value;
}

bool store_get_bool(const struct store_result *result, size_t row, int column)
{
    uint64_t value = 0;
    return number(result, row, column, 1, &value) && value != 0;
}

const char *store_get_text(const struct store_result *result, size_t row, int column)
{
    if (store_is_null(result, row, column))
        return NULL;
    return PQgetvalue(pg(result), (int)row, column);
}

const char *store_get_jsonb(const struct store_result *result, size_t row, int column)
{
    const char *text = store_get_text(result, row, column);
    return text == NULL || text[0] != 1 ? NULL : text + 1;
}

const uint8_t *store_get_bytes(const struct store_result *result, size_t row, int column,
                               size_t *ret_length)
{
    if (store_is_null(result, row, column)) {
        *ret_length = 0;
        return NULL;
    }
    *ret_length = (size_t)PQgetlength(pg(result), (int)row, column);
    return (const uint8_t *)PQgetvalue(pg(result), (int)row, column);
}

const uint8_t *store_get_uuid(const struct store_result *result, size_t row, int column)
{
    size_t length;
    const uint8_t *bytes = store_get_bytes(result, row, column, &length);
    return length == CT_UUID_BYTES ? bytes : NULL;
}

/* Days since 2000-03-01 to a civil date, by counting 400-year cycles (the proleptic Gregorian
 * calendar repeats every 146,097 days; years start in March so that the leap day is last). */
static void civil(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
    int64_t cycle = days >= 0 ? days / 146097 : (days - 146096) / 146097;
    int64_t in_cycle = days - cycle * 146097;
    int64_t year = (in_cycle - in_cycle / 1460 + in_cycle / 36524 - in_cycle / 146096) / 365;
    int64_t in_year = in_cycle - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * in_year + 2) / 153;
    *ret_day = (int)(in_year - (153 * month + 2) / 5 + 1);
    *ret_month = (int)(month < 10 ? month + 3 : month - 9);
    *ret_year = 2000 + cycle * 400 + year + (*ret_month <= 2 ? 1 : 0);
}

void store_get_date(const struct store_result *result, size_t row, int column,
                    char ret[STORE_DATE_TEXT])
{
    ret[0] = '\0';
    if (store_is_null(result, row, column))
        return;
    int64_t year;
    int month;
    int day;
    /* PostgreSQL counts from 2000-01-01, 60 days before 1 March of that leap year. */
    civil((int64_t)store_get_int(result, row, column) - 60, &year, &month, &day);
    (void)snprintf(ret, STORE_DATE_TEXT, "%04u-%02u-%02u", (unsigned)year % 10000,
                   (unsigned)month % 100, (unsigned)day % 100);
}
