// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"

#include <stdarg.h>
#include <string.h>

/* Both C0 and C1 (U+0080 … U+009F, two bytes in UTF-8) can steer a terminal. */
static void print_escaped(FILE *stream, const char *text, bool keep_line_feeds)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f) {
            (void)fprintf(stream, "\\u00%02x", (unsigned)c[1]);
            c++;
        } else if ((*c < 0x20 && !(keep_line_feeds && *c == '\n')) || *c == 0x7f) {
            (void)fprintf(stream, "\\x%02x", (unsigned)*c);
        } else {
            (void)fputc(*c, stream);
        }
    }
}

void cli_complain(const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    /* libpq says some things in several lines. */
    for (char *c = text; *c != '\0'; c++) {
        if (*c == '\n' || *c == '\t')
            *c = ' ';
    }
    for (size_t length = strlen(text); length > 0 && text[length - 1] == ' '; length--)
        text[length - 1] = '\0';
    (void)fputs("casetrace: ", stderr);
    print_escaped(stderr, text, false);
    (void)fputc('\n', stderr);
}

void cli_print_text(FILE *stream, const char *text)
{
    print_escaped(stream, text, true);
}

void cli_print_json(const json_t *json)
{
    (void)json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    (void)fputc('\n', stdout);
}

int cli_finish(int status)
{
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        cli_complain("cannot write standard output");
        return CLI_FAILED;
    }
    return status;
}
