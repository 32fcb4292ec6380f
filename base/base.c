// SPDX-License-Identifier: Apache-2.0
#include "base/base.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void ct_error_set(struct ct_error *err, const char *format, ...)
{
    if (err == NULL)
        return;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
}

/* ---- text ------------------------------------------------------------------------------ */

void ct_hex_encode(const uint8_t *bytes, size_t count, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        ret_text[2 * i] = digits[bytes[i] >> 4];
        ret_text[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_text[2 * count] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

enum ct_status ct_hex_decode(const char *text, size_t length, uint8_t *ret_bytes, size_t count)
{
    if (length != 2 * count)
        return CT_BAD_INPUT;
    for (size_t i = 0; i < length; i++) {
        if (hex_value(text[i]) < 0)
            return CT_BAD_INPUT;
    }
    for (size_t i = 0; i < count; i++)
        ret_bytes[i] = (uint8_t)(hex_value(text[2 * i]) << 4 | hex_value(text[2 * i + 1]));
    return CT_OK;
}

void ct_id_format(const char *prefix, const uint8_t uuid[CT_UUID_BYTES], char ret[CT_ID_TEXT])
{
    memcpy(ret, prefix, 3);
    ret[3] = '_';
    ct_hex_encode(uuid, CT_UUID_BYTES, ret + 4);
}

void ct_uuid_format(const uint8_t uuid[CT_UUID_BYTES], char ret[CT_UUID_TEXT])
{
    char hex[2 * CT_UUID_BYTES + 1];
    ct_hex_encode(uuid, CT_UUID_BYTES, hex);
    (void)snprintf(ret, CT_UUID_TEXT, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
                   hex + 20);
}

enum ct_status ct_uuid_parse(const char *text, uint8_t ret[CT_UUID_BYTES])
{
    char hex[2 * CT_UUID_BYTES];
    size_t count = 0;
    if (strlen(text) > 4 && text[3] == '_')
        text += 4;
    for (; *text != '\0'; text++) {
        if (*text == '-')
            continue;
        if (count == sizeof hex)
            return CT_BAD_INPUT;
        hex[count++] = *text;
    }
    return ct_hex_decode(hex, count, ret, CT_UUID_BYTES);
}

/* ---- clocks ---------------------------------------------------------------------------- */

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t ct_now_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int64_t ct_mono_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

void ct_time_format(int64_t ms, char ret[CT_TIME_TEXT])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    (void)gmtime_r(&seconds, &parts);
    (void)snprintf(ret, CT_TIME_TEXT, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
                   (unsigned)(parts.tm_year + 1900) % 10000, (unsigned)(parts.tm_mon + 1) % 100,
                   (unsigned)parts.tm_mday % 100, (unsigned)parts.tm_hour % 100,
                   (unsigned)parts.tm_min % 100, (unsigned)parts.tm_sec % 100,
                   (unsigned)(ms % 1000) % 1000);
}

/* ---- operational log ------------------------------------------------------------------- */

static const char *log_name = "casetrace";
static enum ct_log_level log_most = CT_LOG_NOTICE;

void ct_log_name(const char *name)
{
    log_name = name;
}

void ct_log_threshold(enum ct_log_level most)
{
    log_most = most;
}

void ct_log(enum ct_log_level level, const char *format, ...)
{
    static const char *const names[] = {"error", "warning", "notice", "debug"};
    char text[1024];
    char line[2 * sizeof text + 128];
    char now[CT_TIME_TEXT];
    va_list args;

    if (level > log_most)
        return;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ct_time_format(ct_now_ms(), now);
    int used = snprintf(line, 128, "%s %s[%ld] %s: ", now, log_name, (long)getpid(), names[level]);
    size_t length = used < 0 ? 0 : (size_t)used;
    for (const char *c = text; *c != '\0' && length + 5 < sizeof line; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            length += (size_t)snprintf(line + length, 5, "\\x%02x", (unsigned)(unsigned char)*c);
        } else {
            line[length++] = *c;
        }
    }
    line[length++] = '\n';
    /* One write, so that lines of several processes do not mix; nowhere to report a failure. */
    ssize_t written = write(STDERR_FILENO, line, length);
    (void)written;
}

/* ---- injection points ------------------------------------------------------------------ */

#ifdef CT_INJECTION
bool ct_injection_point(const char *name)
{
    const char *wanted = getenv("CASETRACE_INJECT");
    size_t length = strlen(name);
    if (wanted == NULL || strncmp(wanted, name, length) != 0 || wanted[length] != '=')
        return false;
    if (strcmp(wanted + length + 1, "kill") == 0)
        (void)raise(SIGKILL);
    if (strcmp(wanted + length + 1, "stop") == 0)
        (void)raise(SIGSTOP);
    return strcmp(wanted + length + 1, "fail") == 0;
}
#endif
