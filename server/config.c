// SPDX-License-Identifier: Apache-2.0
#ifdef HAVE_CONFIG_H
#include <config.h> /* not ours, which lies in this folder */
#endif
#include "server/config.h"

#include "server/http_check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <math.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Debian's libinih takes the longest line from a variable, which is 200 unless changed; a plain
 * build has the number fixed in it. Weak, so that either links. */
extern int inih_max_line __asm__("ini_max_line") __attribute__((weak));

/* One pass over the file. The first error is kept. */
struct parse {
    FILE *file;
    const char *path;
    unsigned line;
    struct config config;
    bool failed;
    bool no_memory;
    struct ct_error *err;
};

static void fail(struct parse *parse, const char *section, const char *name, const char *why)
{
    if (parse->failed)
        return;
    parse->failed = true;
    if (section == NULL)
        ct_error_set(parse->err, "%s:%u: %s", parse->path, parse->line, why);
    else
        ct_error_set(parse->err, "%s:%u: [%s] %s: %s", parse->path, parse->line, section, name,
                     why);
}

/* ---- values ---------------------------------------------------------------------------- */

static const char *parse_number(const struct config_option *option, const char *text, double *ret)
{
    char *end;
    errno = 0;
    if (option->type == CONFIG_INTEGER) {
        if (text[strspn(text, "0123456789")] != '\0' || *text == '\0')
            return "not a whole number";
        *ret = (double)strtoul(text, &end, 10);
    } else {
        if (text[strspn(text, "0123456789.")] != '\0' || *text == '\0')
            return "not a number";
        *ret = strtod(text, &end);
    }
    if (errno != 0 || *end != '\0' || isnan(*ret))
        return "not a number";
    if (*ret < option->min || *ret > option->max)
        return "out of range";
    return NULL;
}

static bool is_loopback(const struct config_address *address)
{
    if (address->address.ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, &address->address, sizeof in);
        return ntohl(in.sin_addr.s_addr) >> 24 == 127;
    }
    struct sockaddr_in6 in6;
    memcpy(&in6, &address->address, sizeof in6);
    return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
}

static const char *parse_address(const char *text, struct config_address *ret)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text)
        return "not an address and a port, as in 127.0.0.1:8443 or [::1]:8443";
    size_t length = (size_t)(colon - text);
    const char *start = text;
    if (text[0] == '[') {
        if (text[length - 1] != ']' || length < 3)
            return "an IPv6 address ends with ]";
        start++;
        length -= 2;
    } else if (memchr(text, ':', length) != NULL) {
        return "an IPv6 address is written in brackets";
    }
    if (length >= sizeof host)
        return "not an IP address";
    memcpy(host, start, length);
    host[length] = '\0';

    if (colon[1 + strspn(colon + 1, "0123456789")] != '\0' || colon[1] == '\0' ||
        strtoul(colon + 1, NULL, 10) < 1 || strtoul(colon + 1, NULL, 10) > 65535)
        return "the port is a number from 1 to 65535";
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *found;
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
        return "not an IP address";
    (void)snprintf(ret->text, sizeof ret->text, "%s", text);
    memcpy(&ret->address, found->ai_addr, found->ai_addrlen);
    ret->length = found->ai_addrlen;
    freeaddrinfo(found);
    return NULL;
}

static const char *check_name(const char *text)
{
    size_t length = strlen(text);
    if (length == 0)
        return "empty";
    if (length > CONFIG_NAME_MAX)
        return "longer than 127 bytes";
    return http_is_plain_utf8(text, length) ? NULL : "not UTF-8, or has a control character";
}

/* Sets the option's field. Returns what is wrong with the text, NULL if nothing. */
static const char *set_value(const struct config_option *option, struct config *config, char *text)
{
    char *field = (char *)config + option->offset;
    const char *wrong = NULL;
    double number = 0;
    switch (option->type) {
    case CONFIG_PATH:
        if (text[0] != '/')
            return "not an absolute path";
        memcpy(field, &text, sizeof text);
        break;
    case CONFIG_STRING:
        if (text[0] == '\0')
            return "empty";
        memcpy(field, &text, sizeof text);
        break;
    case CONFIG_NAME:
        wrong = check_name(text);
        if (wrong == NULL)
            memcpy(field, &text, sizeof text);
        break;
    case CONFIG_INTEGER:
        wrong = parse_number(option, text, &number);
        if (wrong == NULL)
            memcpy(field, &(unsigned){(unsigned)number}, sizeof(unsigned));
        break;
    case CONFIG_REAL:
        wrong = parse_number(option, text, &number);
        if (wrong == NULL)
            memcpy(field, &number, sizeof number);
        break;
    case CONFIG_BOOLEAN:
        if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
            return "neither yes nor no";
        memcpy(field, &(bool){text[0] == 'y'}, sizeof(bool));
        break;
    case CONFIG_ADDRESS:
    case CONFIG_LOOPBACK: {
        struct config_address address = {.length = 0};
        wrong = parse_address(text, &address);
        if (wrong == NULL && option->type == CONFIG_LOOPBACK && !is_loopback(&address))
            wrong = "not a loopback address";
        if (wrong == NULL)
            memcpy(field, &address, sizeof address);
        break;
    }
    }
    return wrong;
}

/* ---- the file -------------------------------------------------------------------------- */

/* Counts lines, which libinih does not tell its handler, and refuses what it would cut. */
static char *next_line(char *text, int size, void *stream)
{
    struct parse *parse = stream;
    if (parse->failed || fgets(text, size, parse->file) == NULL)
        return NULL;
    parse->line++;
    if (strchr(text, '\n') == NULL && !feof(parse->file)) {
        fail(parse, NULL, NULL, "the line is too long or has a NUL character");
        return NULL;
    }
    return text;
}

static int take_option(void *user, const char *section, const char *name, const char *value)
{
    struct parse *parse = user;
    for (size_t i = 0; i < config_option_count; i++) {
        const struct config_option *option = &config_options[i];
        if (strcmp(option->section, section) != 0 || strcmp(option->name, name) != 0)
            continue;
        if (parse->config.text[i] != NULL) {
            fail(parse, section, name, "given twice, or its line is followed by an indented one");
            return 0;
        }
        parse->config.text[i] = strdup(value);
        if (parse->config.text[i] == NULL) {
            parse->no_memory = true;
            return 0;
        }
        const char *wrong = set_value(option, &parse->config, parse->config.text[i]);
        if (wrong != NULL) {
            fail(parse, section, name, wrong);
            return 0;
        }
        return 1;
    }
    fail(parse, section, name, "unknown option");
    return 0;
}

/* Gives what was not written its default, or says that it is missing. */
static void complete(struct parse *parse, unsigned readers)
{
    static char nothing[] = "";
    for (size_t i = 0; i < config_option_count && !parse->failed; i++) {
        const struct config_option *option = &config_options[i];
        if (parse->config.text[i] != NULL)
            continue;
        if ((option->required & readers) != 0) {
            parse->failed = true;
            ct_error_set(parse->err, "%s: [%s] %s: required and not given", parse->path,
                         option->section, option->name);
            return;
        }
        if (option->default_text == NULL) {
            char *text = nothing;
            memcpy((char *)&parse->config + option->offset, &text, sizeof text);
            continue;
        }
        parse->config.text[i] = strdup(option->default_text);
        if (parse->config.text[i] == NULL)
            parse->no_memory = true;
        else if (set_value(option, &parse->config, parse->config.text[i]) != NULL)
            fail(parse, option->section, option->name, "the default is not valid");
    }
}

static enum ct_status load(FILE *file, const char *path, unsigned readers, struct config *ret,
                           struct ct_error *err)
{
    struct parse parse = {.file = file, .path = path, .err = err};
    if (&inih_max_line != NULL)
        inih_max_line = CONFIG_LINE_MAX + 3;
    int line = ini_parse_stream(next_line, &parse, take_option, &parse);
    if (line < 0)
        parse.no_memory = true;
    if (ferror(file) && !parse.failed) {
        config_clear(&parse.config);
        ct_error_set(err, "%s: %s", path, strerror(errno));
        return CT_IO;
    }
    /* libinih reads on after a line that it does not understand, and tells the first at the end. */
    if (line > 0 && !parse.no_memory && (!parse.failed || (unsigned)line < parse.line)) {
        parse.failed = false;
        parse.line = (unsigned)line;
        fail(&parse, NULL, NULL, "neither a section nor an option");
    }
    if (!parse.failed && !parse.no_memory)
        complete(&parse, readers);
    if (parse.failed || parse.no_memory) {
        config_clear(&parse.config);
        if (parse.no_memory)
            ct_error_set(err, "out of memory");
        return parse.no_memory ? CT_NO_MEMORY : CT_BAD_INPUT;
    }
    *ret = parse.config;
    return CT_OK;
}

enum ct_status config_load(const char *path, unsigned readers, struct config *ret,
                           struct ct_error *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        ct_error_set(err, "%s: %s", path, strerror(errno));
        return CT_IO;
    }
    enum ct_status status = load(file, path, readers, ret, err);
    (void)fclose(file);
    return status;
}

enum ct_status config_load_fd(int fd_take, unsigned readers, struct config *ret,
                              struct ct_error *err)
{
    FILE *file = fdopen(fd_take, "r");
    if (file == NULL) {
        ct_error_set(err, "configuration: %s", strerror(errno));
        (void)close(fd_take);
        return CT_IO;
    }
    enum ct_status status = load(file, "configuration", readers, ret, err);
    (void)fclose(file);
    return status;
}

void config_clear(struct config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < CONFIG_OPTIONS_MAX; i++)
        free(config->text[i]);
    *config = (struct config){.threads = 0};
}

enum ct_status config_extract(const struct config *config, unsigned readers, int *ret_fd)
{
    int fd = memfd_create("configuration", MFD_CLOEXEC);
    if (fd < 0)
        return CT_IO;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    FILE *file = copy < 0 ? NULL : fdopen(copy, "w");
    if (file == NULL) {
        if (copy >= 0)
            (void)close(copy);
        (void)close(fd);
        return CT_IO;
    }
    for (size_t i = 0; i < config_option_count; i++) {
        const struct config_option *option = &config_options[i];
        if ((option->readers & readers) != 0 && config->text[i] != NULL)
            (void)fprintf(file, "[%s]\n%s=%s\n", option->section, option->name, config->text[i]);
    }
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed || lseek(fd, 0, SEEK_SET) != 0) {
        (void)close(fd);
        return CT_IO;
    }
    *ret_fd = fd;
    return CT_OK;
}
