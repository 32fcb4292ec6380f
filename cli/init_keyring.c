// SPDX-License-Identifier: Apache-2.0
/* casetrace keyring public: what of a keyring everybody may know. */
#include "cli/cli.h"
#include "cli/init.h"

#include <sys/stat.h>
#include <unistd.h>

static error_t parse(int key, char *text, struct argp_state *state)
{
    const char **path = state->input;
    switch (key) {
    case 'k':
        *path = text;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "what is %s?", text);
        return 0;
    case ARGP_KEY_END:
        if (*path == NULL)
            argp_error(state, "--keyring is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* root may look at the keeper's keyring; everybody else at his own only. */
static uid_t expected_owner(const char *path)
{
    struct stat about;
    if (geteuid() == 0 && stat(path, &about) == 0)
        return about.st_uid;
    return AUTH_OWNER_SELF;
}

int cli_keyring_public(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"keyring", 'k', "FILE", 0, "the keyring (required)", 0},
        {0},
    };
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc =
            "Prints the verifier keys of the log, one a line, the current one first. Whoever has "
            "them can check every checkpoint and receipt. Never prints a secret."};
    const char *path = NULL;
    struct auth_keyring *keyring = NULL;
    struct init_signers signers = {.count = 0};
    struct ct_error err = {0};
    int status = CLI_FAILED;

    (void)argp_parse(&argp, argc, argv, 0, NULL, &path);
    if (auth_init() != CT_OK) {
        cli_complain("libsodium cannot be used");
    } else if (auth_keyring_load(path, expected_owner(path), &keyring, &err) != CT_OK ||
               init_signers_load(keyring, &signers, &err) != CT_OK) {
        cli_complain("%s", err.text);
    } else {
        char text[ACCESSLOG_VERIFIER_TEXT_MAX];
        status = CLI_DONE;
        for (size_t i = 0; i < signers.count; i++) {
            if (accesslog_verifier_format(&signers.signers[i].verifier, text, sizeof text) == 0)
                status = CLI_FAILED;
            else
                (void)printf("%s\n", text);
        }
        status = cli_finish(status);
    }
    init_signers_wipe(&signers);
    auth_keyring_free(keyring);
    return status;
}
