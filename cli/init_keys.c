// SPDX-License-Identifier: Apache-2.0
/* casetrace keys rotate: new keys in the keyring's file. The keeper uses them when it is started
 * again; every other host needs the same file before that. */
#include "cli/cli.h"
#include "cli/init.h"
#include "server/config.h"

#include <pwd.h>
#include <unistd.h>

struct rotate {
    const char *config_path;
    bool log;
    bool finish;
    bool subject;
};

enum { OPTION_LOG = 0x2000, OPTION_FINISH, OPTION_SUBJECT };

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct rotate *rotate = state->input;
    switch (key) {
    case 'c':
        rotate->config_path = text;
        return 0;
    case OPTION_LOG:
        rotate->log = true;
        return 0;
    case OPTION_FINISH:
        rotate->finish = true;
        return 0;
    case OPTION_SUBJECT:
        rotate->subject = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "what is %s?", text);
        return 0;
    case ARGP_KEY_END:
        if (rotate->config_path == NULL)
            argp_error(state, "--config is missing");
        if (rotate->log == rotate->subject)
            argp_error(state, "one of --log and --subject is required");
        if (rotate->finish && !rotate->log)
            argp_error(state, "--finish goes with --log");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static enum ct_status find_owner(const struct config *config, uid_t *ret, struct ct_error *err)
{
    *ret = AUTH_OWNER_SELF;
    if (geteuid() != 0)
        return CT_OK;
    const struct passwd *user = getpwnam(config->keeper_user);
    if (user == NULL) {
        ct_error_set(err, "there is no user %.100s, whose the keyring is ([server] keeper_user)",
                     config->keeper_user);
        return CT_NOT_FOUND;
    }
    *ret = user->pw_uid;
    return CT_OK;
}

static enum ct_status print_verifiers(const char *path, uid_t owner, struct ct_error *err)
{
    struct auth_keyring *keyring = NULL;
    struct init_signers signers = {.count = 0};
    char text[ACCESSLOG_VERIFIER_TEXT_MAX];
    enum ct_status status = auth_keyring_load(path, owner, &keyring, err);
    if (status == CT_OK)
        status = init_signers_load(keyring, &signers, err);
    for (size_t i = 0; status == CT_OK && i < signers.count; i++) {
        if (accesslog_verifier_format(&signers.signers[i].verifier, text, sizeof text) == 0)
            status = CT_CRYPTO;
        else
            (void)printf("verifier key: %s\n", text);
    }
    init_signers_wipe(&signers);
    auth_keyring_free(keyring);
    return status;
}

static enum ct_status run(const struct rotate *rotate, struct config *config, struct ct_error *err)
{
    uid_t owner;
    enum ct_status status = config_load(rotate->config_path, CONFIG_TOOL, config, err);
    if (status == CT_OK)
        status = find_owner(config, &owner, err);
    if (status == CT_OK)
        status = auth_keyring_rotate(config->keyring, owner,
                                     rotate->subject  ? AUTH_ROTATE_SUBJECT
                                     : rotate->finish ? AUTH_ROTATE_LOG_FINISH
                                                      : AUTH_ROTATE_LOG,
                                     err);
    if (status == CT_OK && rotate->log)
        status = print_verifiers(config->keyring, owner, err);
    if (status == CT_OK)
        (void)printf("next: back up the keyring, copy it to every host that stands by, and start "
                     "casetraced again, those hosts' first\n");
    return status;
}

int cli_keys_rotate(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"config", 'c', "FILE", 0, "the configuration file (required)", 0},
        {"log", OPTION_LOG, NULL, 0,
         "a second key that signs checkpoints; from then on both sign, and the log announces it",
         0},
        {"finish", OPTION_FINISH, NULL, 0, "with --log: remove the first one", 0},
        {"subject", OPTION_SUBJECT, NULL, 0,
         "a new key for the subjects of log entries; those before open what they sealed", 0},
        {0},
    };
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc = "Puts a new key into the keyring, which is replaced whole or not at all. The keeper "
               "uses it when it is started again."};
    struct rotate rotate = {.config_path = NULL};
    struct config config = {.threads = 0};
    struct ct_error err = {.text = "it did not work"};
    (void)argp_parse(&argp, argc, argv, 0, NULL, &rotate);
    if (auth_init() != CT_OK) {
        cli_complain("libsodium cannot be used");
        return CLI_FAILED;
    }
    enum ct_status status = run(&rotate, &config, &err);
    if (status != CT_OK)
        cli_complain("%s", err.text);
    config_clear(&config);
    return cli_finish(status == CT_OK ? CLI_DONE : CLI_FAILED);
}
