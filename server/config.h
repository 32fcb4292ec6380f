// SPDX-License-Identifier: Apache-2.0
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

/* The configuration file: one typed table of options for the parent, the front, the keeper and the
 * tool. The table, the manual page casetrace.conf(5) and deploy/casetrace.conf.sample say the same;
 * tests/check_options compares them. */

#include "base/base.h"

#include <sys/socket.h>

#define CONFIG_OPTIONS_MAX 64
#define CONFIG_LINE_MAX 1000 /* characters of one line */

/* Who reads an option. A program is given no option that it does not read. */
enum config_reader {
    CONFIG_PARENT = 1,
    CONFIG_FRONT = 2,
    CONFIG_KEEPER = 4,
    CONFIG_TOOL = 8,
    CONFIG_COURIER = 16,
};

struct config_address {
    struct sockaddr_storage address;
    socklen_t length;
    char text[80]; /* as written */
};

/* The options' values. Strings belong to the configuration; "" where an option without a default
 * is not given. */
struct config {
    struct config_address listen;
    struct config_address operator_listen;
    const char *tls_certificate;
    const char *tls_key;
    unsigned threads;
    unsigned connection_limit;
    unsigned connections_per_address;
    const char *front_user;
    const char *keeper_user;
    const char *courier_user;
    const char *database;
    const char *owner_database;
    const char *keyring;
    const char *anchor;
    const char *name;
    unsigned batch_count;
    unsigned batch_weight;
    unsigned queue_count;
    unsigned trace_budget_account;
    unsigned trace_budget_agency;
    unsigned trace_no_match_limit;
    double pi0;
    bool log_public;
    unsigned tile_queue;
    unsigned tile_cache_bytes;
    const char *policy;
    unsigned witness_interval_s;
    unsigned witness_alert_s;
    bool witness_required;
    unsigned witness_stop_s;
    const char *witness_cacert;

    char *text[CONFIG_OPTIONS_MAX]; /* each option as written, in the table's order; owned */
};

#define CONFIG_NAME_MAX 127

enum config_type {
    CONFIG_STRING,
    CONFIG_NAME,     /* UTF-8 without control characters, at most CONFIG_NAME_MAX bytes */
    CONFIG_PATH,     /* absolute */
    CONFIG_INTEGER,  /* in decimal, from min to max */
    CONFIG_REAL,     /* from min to max */
    CONFIG_BOOLEAN,  /* yes or no */
    CONFIG_ADDRESS,  /* 127.0.0.1:8443 or [::1]:8443, no names */
    CONFIG_LOOPBACK, /* an address that only this host reaches */
};

struct config_option {
    const char *section;
    const char *name;
    enum config_type type;
    size_t offset;            /* of its field in struct config */
    const char *default_text; /* NULL: none */
    unsigned required;        /* of whom, bits of enum config_reader */
    unsigned readers;
    double min;
    double max;
    const char *description;
};

extern const struct config_option config_options[];
extern const size_t config_option_count;

/* Reads and checks the whole file. Options that none of readers reads are checked too, but those
 * that only others require may be missing.
 * Owner:  *ret is to be cleared with config_clear(); untouched on failure.
 * Errors: CT_IO (cannot be read), CT_BAD_INPUT, CT_NO_MEMORY; err->text has file, line, option. */
enum ct_status config_load(const char *path, unsigned readers, struct config *ret,
                           struct ct_error *err) CT_MUST_CHECK;
/* The same from an open file, which it closes. */
enum ct_status config_load_fd(int fd_take, unsigned readers, struct config *ret,
                              struct ct_error *err) CT_MUST_CHECK;
void config_clear(struct config *config);

/* A file in memory, positioned at its start, with the options that one of readers reads: what a
 * child is given instead of the file, so that it learns nothing that is not its business.
 * Owner:  *ret_fd is the caller's, close().
 * Errors: CT_IO. */
enum ct_status config_extract(const struct config *config, unsigned readers,
                              int *ret_fd) CT_MUST_CHECK;

#endif
