// SPDX-License-Identifier: Apache-2.0
/* casetrace log override: an operator's word that the log is whole, for one takeover. The keeper
 * reads it beside its anchor, puts it into the takeover's entry and removes it. */
#include "cli/cli.h"
#include "server/config.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REASON_MAX_BYTES 500

struct override {
    const char *config_path;
    const char *reason;
    long long epoch;
};

static void take_reason(const char *text, struct override *override, struct argp_state *state)
{
    json_t *valid = json_string(text);
    size_t length = strlen(text);
    if (valid == NULL || length > REASON_MAX_BYTES || strspn(text, " ") == length)
        argp_error(state, "a reason is text of 1 to %d bytes in UTF-8", REASON_MAX_BYTES);
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            argp_error(state, "a reason has no control characters");
    }
    json_decref(valid);
    override->reason = text;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct override *override = state->input;
    char *end;
    switch (key) {
    case 'c':
        override->config_path = text;
        return 0;
    case 'e':
        override->epoch = strtoll(text, &end, 10);
        if (text[0] < '0' || text[0] > '9' || *end != '\0')
            argp_error(state, "an epoch is a number: the refusal names it");
        return 0;
    case 'r':
        take_reason(text, override, state);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "what is %s?", text);
        return 0;
    case ARGP_KEY_END:
        if (override->config_path == NULL || override->reason == NULL || override->epoch < 0)
            argp_error(state, "--config, --epoch and --reason are required");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const char *user_name(void)
{
    /* Who became root by sudo is named by it; nobody else can set that for root. */
    const char *name = geteuid() == 0 ? getenv("SUDO_USER") : NULL;
    const struct passwd *user = name == NULL ? getpwuid(getuid()) : NULL;
    return name != NULL ? name : user != NULL ? user->pw_name : "unknown";
}

static enum ct_status write_override(const struct override *override, const struct config *config,
                                     char **ret_path, struct ct_error *err)
{
    char now[CT_TIME_TEXT];
    size_t room = strlen(config->anchor) + sizeof ".override";
    char *path = malloc(room);
    uid_t owner = (uid_t)-1;
    gid_t group = (gid_t)-1;
    const struct passwd *keeper = geteuid() == 0 ? getpwnam(config->keeper_user) : NULL;
    if (keeper != NULL) {
        owner = keeper->pw_uid;
        group = keeper->pw_gid;
    }
    ct_time_format(ct_now_ms(), now);
    json_t *json =
        json_pack("{s:i, s:I, s:s, s:s, s:s}", "v", 1, "epoch", (json_int_t) override->epoch,
                  "reason", override->reason, "by", user_name(), "at", now);
    char *text = json == NULL ? NULL : ct_json_text(json);
    enum ct_status status = CT_NO_MEMORY;
    if (path != NULL && text != NULL) {
        (void)snprintf(path, room, "%s.override", config->anchor);
        status = cli_file_create(path, text, strlen(text), 0600, owner, group, err);
    }
    json_decref(json);
    free(text);
    if (status == CT_OK)
        *ret_path = path;
    else
        free(path);
    return status;
}

int cli_log_override(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"config", 'c', "FILE", 0, "the configuration file (required)", 0},
        {"epoch", 'e', "N", 0, "the epoch that the refusal named (required)", 0},
        {"reason", 'r', "TEXT", 0,
         "why you know that the database has all that was ever answered; it goes into the log "
         "(required)",
         0},
        {0},
    };
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc =
            "Lets the keeper of this host take over the log once, from the writer of that epoch, "
            "although it does not know what that one released last. What contradicts this host's "
            "own anchor stays refused. The takeover's entry names the reason and who gave it."};
    struct override override = {.epoch = -1};
    struct config config = {.threads = 0};
    struct ct_error err = {.text = "it did not work"};
    char *path = NULL;
    (void)argp_parse(&argp, argc, argv, 0, NULL, &override);
    enum ct_status status = config_load(override.config_path, CONFIG_TOOL, &config, &err);
    if (status == CT_OK && config.anchor[0] == '\0') {
        ct_error_set(&err, "%s: [keeper] anchor: required and not given", override.config_path);
        status = CT_BAD_INPUT;
    }
    if (status == CT_OK)
        status = write_override(&override, &config, &path, &err);
    if (status == CT_OK)
        (void)printf("%s is used when casetraced is started again, and once\n", path);
    else
        cli_complain("%s", err.text);
    free(path);
    config_clear(&config);
    return cli_finish(status == CT_OK ? CLI_DONE : CLI_FAILED);
}
