// SPDX-License-Identifier: Apache-2.0
#include "server/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALL (CONFIG_PARENT | CONFIG_FRONT | CONFIG_KEEPER)

#define REQUIRED                                                                                   \
    "[server]\ntls_certificate=/c\ntls_key=/k\n"                                                   \
    "[database]\nconnection=host=/run dbname=x\n"                                                  \
    "[keeper]\nkeyring=/r\nanchor=/a\n"

static char path[] = "/tmp/test-config-XXXXXX";

static enum ct_status load(const char *text, size_t length, unsigned readers, struct config *config,
                           struct ct_error *err)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    return config_load(path, readers, config, err);
}

static void refused(const char *text, const char *expected)
{
    struct config config = {.threads = 77};
    struct ct_error err = {.text = ""};
    char whole[512];
    assert_int_equal(load(text, strlen(text), ALL, &config, &err), CT_BAD_INPUT);
    (void)snprintf(whole, sizeof whole, "%s%s", path, expected);
    assert_string_equal(err.text, whole);
    assert_int_equal(config.threads, 77); /* untouched on failure */
}

static void test_defaults(void **state)
{
    (void)state;
    struct config config;
    struct ct_error err = {.text = ""};
    assert_int_equal(load(REQUIRED, strlen(REQUIRED), ALL, &config, &err), CT_OK);
    assert_int_equal(config.threads, 2);
    assert_int_equal(config.connection_limit, 1024);
    assert_int_equal(config.connections_per_address, 512);
    assert_int_equal(config.batch_count, 256);
    assert_int_equal(config.batch_weight, 1024);
    assert_int_equal(config.queue_count, 4096);
    assert_true(config.pi0 > 0.499 && config.pi0 < 0.501);
    assert_string_equal(config.name, "");
    assert_string_equal(config.owner_database, "");
    assert_string_equal(config.database, "host=/run dbname=x");
    assert_string_equal(config.front_user, "casetrace-front");
    assert_string_equal(config.listen.text, "127.0.0.1:8443");
    struct sockaddr_in in;
    memcpy(&in, &config.listen.address, sizeof in);
    assert_int_equal(in.sin_family, AF_INET);
    assert_int_equal(ntohs(in.sin_port), 8443);
    assert_int_equal(ntohl(in.sin_addr.s_addr), 0x7f000001);
    config_clear(&config);
    config_clear(NULL);
}

static void test_values(void **state)
{
    (void)state;
    static const char text[] = "# a comment\n; another\n" REQUIRED
                               "name = host one ; a remark\npi0=0.25\nbatch_count = 7\n"
                               "[server]\nlisten = [::]:443\noperator_listen=[::1]:9\n";
    struct config config;
    struct ct_error err = {.text = ""};
    assert_int_equal(load(text, strlen(text), ALL, &config, &err), CT_OK);
    assert_string_equal(config.name, "host one");
    assert_int_equal(config.batch_count, 7);
    assert_true(config.pi0 > 0.249 && config.pi0 < 0.251);
    struct sockaddr_in6 in6;
    memcpy(&in6, &config.listen.address, sizeof in6);
    assert_int_equal(in6.sin6_family, AF_INET6);
    assert_int_equal(ntohs(in6.sin6_port), 443);
    config_clear(&config);
}

static void test_refused(void **state)
{
    (void)state;
    refused("[server]\nlsten = 1\n", ":2: [server] lsten: unknown option");
    refused("[srver]\nlisten = 1\n", ":2: [srver] listen: unknown option");
    refused("listen = 1\n", ":1: [] listen: unknown option");
    refused("[server]\nthreads\n", ":2: neither a section nor an option");
    refused("[server\nthreads=1\n", ":1: neither a section nor an option");
    refused("[server]\nthreads = 1\nthreads = 2\n",
            ":3: [server] threads: given twice, or its line is followed by an indented one");
    refused("[server]\n\nthreads = 0\n", ":3: [server] threads: out of range");
    refused("[server]\nthreads = 65\n", ":2: [server] threads: out of range");
    refused("[server]\nthreads = -1\n", ":2: [server] threads: not a whole number");
    refused("[server]\nthreads = 0x2\n", ":2: [server] threads: not a whole number");
    refused("[server]\nthreads =\n", ":2: [server] threads: not a whole number");
    refused("[server]\nthreads = 99999999999999999999999\n", ":2: [server] threads: not a number");
    refused("[keeper]\npi0 = 1.5\n", ":2: [keeper] pi0: out of range");
    refused("[keeper]\npi0 = nan\n", ":2: [keeper] pi0: not a number");
    refused("[keeper]\npi0 = 0.5.5\n", ":2: [keeper] pi0: not a number");
    refused("[keeper]\nkeyring = ring\n", ":2: [keeper] keyring: not an absolute path");
    refused("[keeper]\nname =\n", ":2: [keeper] name: empty");
    /* It becomes part of the log's entries, which are JSON, and must not be cut. */
    refused("[keeper]\nname = a\xff\n", ":2: [keeper] name: not UTF-8, or has a control character");
    refused("[keeper]\nname = a\x1b[1m\n",
            ":2: [keeper] name: not UTF-8, or has a control character");
    char text[200];
    (void)snprintf(text, sizeof text, "[keeper]\nname = %0128d\n", 1);
    refused(text, ":2: [keeper] name: longer than 127 bytes");
}

static void test_addresses(void **state)
{
    (void)state;
    refused("[server]\nlisten = 8443\n",
            ":2: [server] listen: not an address and a port, as in 127.0.0.1:8443 or [::1]:8443");
    refused("[server]\nlisten = ::1:8443\n",
            ":2: [server] listen: an IPv6 address is written in brackets");
    refused("[server]\nlisten = [::1:8443\n", ":2: [server] listen: an IPv6 address ends with ]");
    refused("[server]\nlisten = localhost:8443\n", ":2: [server] listen: not an IP address");
    refused("[server]\nlisten = 127.0.0.1:\n",
            ":2: [server] listen: the port is a number from 1 to 65535");
    refused("[server]\nlisten = 127.0.0.1:0\n",
            ":2: [server] listen: the port is a number from 1 to 65535");
    refused("[server]\nlisten = 127.0.0.1:65536\n",
            ":2: [server] listen: the port is a number from 1 to 65535");
    refused("[server]\nlisten = 127.0.0.1:http\n",
            ":2: [server] listen: the port is a number from 1 to 65535");
    refused("[server]\noperator_listen = 0.0.0.0:8444\n",
            ":2: [server] operator_listen: not a loopback address");
    refused("[server]\noperator_listen = [::]:8444\n",
            ":2: [server] operator_listen: not a loopback address");
}

static void test_required(void **state)
{
    (void)state;
    struct config config;
    struct ct_error err = {.text = ""};
    refused("", ": [server] tls_certificate: required and not given");
    refused("[server]\ntls_certificate=/c\ntls_key=/k\n",
            ": [database] connection: required and not given");
    /* The tool needs less of some and more of others. */
    static const char tool[] = "[database]\nowner_connection=host=/run\n[keeper]\nkeyring=/r\n";
    assert_int_equal(load(tool, strlen(tool), CONFIG_TOOL, &config, &err), CT_OK);
    assert_string_equal(config.owner_database, "host=/run");
    assert_string_equal(config.tls_key, "");
    config_clear(&config);
    assert_int_equal(load(REQUIRED, strlen(REQUIRED), CONFIG_TOOL, &config, &err), CT_BAD_INPUT);
}

static void test_lines(void **state)
{
    (void)state;
    struct config config;
    struct ct_error err = {.text = ""};
    char text[CONFIG_LINE_MAX + 200];
    /* The longest line is taken whole, with and without its end. */
    (void)snprintf(text, sizeof text, "[database]\nconnection=%0*d\n", CONFIG_LINE_MAX - 12, 1);
    assert_int_equal(load(text, strlen(text), 0, &config, &err), CT_OK);
    assert_int_equal(strlen(config.database), CONFIG_LINE_MAX - 12);
    config_clear(&config);
    assert_int_equal(load(text, strlen(text) - 1, 0, &config, &err), CT_OK);
    config_clear(&config);
    (void)snprintf(text, sizeof text, "[keeper]\nname=%0*d\n", CONFIG_LINE_MAX + 1, 1);
    refused(text, ":2: the line is too long or has a NUL character");
    static const char nul[] = "[keeper]\nname=a\0b\n";
    assert_int_equal(load(nul, sizeof nul - 1, 0, &config, &err), CT_BAD_INPUT);
    assert_int_equal(config_load("/nonexistent/casetrace.conf", 0, &config, &err), CT_IO);
    assert_non_null(strstr(err.text, "/nonexistent/casetrace.conf"));
}

/* A child learns its own options only, exactly as they were written. */
static void test_extract(void **state)
{
    (void)state;
    struct config config;
    struct config front;
    struct ct_error err = {.text = ""};
    int fd;
    static const char text[] = REQUIRED "name = a  b;c\n[server]\nthreads=3\n";
    assert_int_equal(load(text, strlen(text), ALL, &config, &err), CT_OK);
    assert_int_equal(config_extract(&config, CONFIG_FRONT, &fd), CT_OK);
    char part[4096] = "";
    assert_true(pread(fd, part, sizeof part - 1, 0) > 0);
    assert_null(strstr(part, "database"));
    assert_null(strstr(part, "keyring"));
    assert_int_equal(config_load_fd(fd, CONFIG_FRONT, &front, &err), CT_OK);
    assert_int_equal(front.threads, 3);
    assert_string_equal(front.tls_key, "/k");
    assert_string_equal(front.database, "");
    config_clear(&front);
    assert_int_equal(config_extract(&config, CONFIG_KEEPER, &fd), CT_OK);
    assert_int_equal(config_load_fd(fd, CONFIG_KEEPER, &front, &err), CT_OK);
    assert_string_equal(front.name, "a  b;c");
    assert_string_equal(front.database, "host=/run dbname=x");
    assert_string_equal(front.tls_key, "");
    config_clear(&front);
    config_clear(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_values),
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_required), cmocka_unit_test(test_lines),
        cmocka_unit_test(test_extract),
    };
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    (void)close(fd);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(path);
    return failed;
}
