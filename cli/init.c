// SPDX-License-Identifier: Apache-2.0
/* casetrace init. Killed anywhere, the same command completes it or says that it is complete:
 *
 *   keyring written        the next run uses it
 *   key file written       the next run enters that key
 *   committed              the next run finds entry 0 and writes what is missing of the two below
 *   anchor, signature      nothing is left to do, the next run refuses
 *
 * The key is on paper or in its file before the commit, since nobody could ever get in without it.
 */
#include "cli/cli.h"
#include "cli/init.h"
#include "server/config.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_MAX_BYTES 120

struct init {
    const char *config_path;
    const char *origin; /* NULL: the keyring's, or one made of the host's name */
    const char *key_file;
    struct init_names names;
    struct config config;
    uid_t owner; /* of keyring and anchor */
    gid_t group;
    struct auth_keyring *keyring;
    struct init_signers signers;
    struct store *store;
    char host[256];
    char verifier[ACCESSLOG_VERIFIER_TEXT_MAX];
    char key[CLI_SECRET_MAX];
};

/* ---- the command line --------------------------------------------------------------------------
 */

enum {
    OPTION_CONFIG = 'c',
    OPTION_ORIGIN = 0x2000,
    OPTION_ORGANIZATION,
    OPTION_ADMINISTRATOR,
    OPTION_KEY_FILE
};

static const struct argp_option options[] = {
    {"config", OPTION_CONFIG, "FILE", 0, "the configuration file (required)", 0},
    {"origin", OPTION_ORIGIN, "ORIGIN", 0,
     "the log's name for ever: a URL without scheme, such as casetrace.example/log; <host>/log "
     "unless given",
     0},
    {"organization", OPTION_ORGANIZATION, "NAME", 0, "the authority that runs the registry", 0},
    {"administrator", OPTION_ADMINISTRATOR, "NAME", 0, "the first administrator", 0},
    {"key-file", OPTION_KEY_FILE, "FILE", 0,
     "also write the administrator's key to this new file, mode 600", 0},
    {0},
};

static const char *take_name(const char *text, struct argp_state *state)
{
    json_t *valid = json_string(text);
    size_t length = strlen(text);
    if (valid == NULL || length == 0 || length > NAME_MAX_BYTES || strspn(text, " ") == length)
        argp_error(state, "a name is text of 1 to %d bytes in UTF-8", NAME_MAX_BYTES);
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            argp_error(state, "a name has no control characters");
    }
    json_decref(valid);
    return text;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct init *init = state->input;
    switch (key) {
    case OPTION_CONFIG:
        init->config_path = text;
        return 0;
    case OPTION_ORIGIN:
        init->origin = text;
        return 0;
    case OPTION_ORGANIZATION:
        init->names.organization = take_name(text, state);
        return 0;
    case OPTION_ADMINISTRATOR:
        init->names.administrator = take_name(text, state);
        return 0;
    case OPTION_KEY_FILE:
        init->key_file = text;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "what is %s?", text);
        return 0;
    case ARGP_KEY_END:
        if (init->config_path == NULL)
            argp_error(state, "--config is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- files
 * --------------------------------------------------------------------------------------- */

/* Who keyring and anchor shall belong to: the keeper's user, who cannot be root. */
static enum ct_status find_owner(struct init *init, struct ct_error *err)
{
    init->owner = AUTH_OWNER_SELF;
    init->group = AUTH_GROUP_SELF;
    if (geteuid() != 0)
        return CT_OK;
    const struct passwd *user = getpwnam(init->config.keeper_user);
    if (user == NULL) {
        ct_error_set(err,
                     "there is no user %.100s, whose the keyring shall be ([server] keeper_user)",
                     init->config.keeper_user);
        return CT_NOT_FOUND;
    }
    init->owner = user->pw_uid;
    init->group = user->pw_gid;
    return CT_OK;
}

/* A keeper that was started too early leaves an anchor of zeros: that is none. */
static enum ct_status anchor_written(const struct init *init, bool *ret_file, bool *ret_written,
                                     struct ct_error *err)
{
    char bytes[8192];
    *ret_file = false;
    *ret_written = false;
    int fd = open(init->config.anchor, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        if (errno == ENOENT)
            return CT_OK;
        ct_error_set(err, "anchor %s: %s", init->config.anchor, strerror(errno));
        return CT_IO;
    }
    ssize_t count = read(fd, bytes, sizeof bytes);
    (void)close(fd);
    if (count < 0) {
        ct_error_set(err, "anchor %s: %s", init->config.anchor, strerror(errno));
        return CT_IO;
    }
    *ret_file = true;
    *ret_written = count > 0 && !sodium_is_zero((const unsigned char *)bytes, (size_t)count);
    return CT_OK;
}

static enum ct_status load_keyring(struct init *init, struct ct_error *err)
{
    enum ct_status status =
        auth_keyring_load(init->config.keyring, init->owner, &init->keyring, err);
    if (status != CT_OK)
        return status;
    if (init->origin != NULL && strcmp(init->origin, auth_keyring_origin(init->keyring)) != 0) {
        ct_error_set(err, "keyring %s is of another origin: %.100s", init->config.keyring,
                     auth_keyring_origin(init->keyring));
        return CT_REFUSED;
    }
    status = init_signers_load(init->keyring, &init->signers, err);
    return status == CT_OK ? init_verifier_text(&init->signers, init->verifier) : status;
}

static enum ct_status make_keyring(struct init *init, struct ct_error *err)
{
    char origin[sizeof init->host + 8];
    (void)snprintf(origin, sizeof origin, "%s/log", init->host);
    enum ct_status status =
        auth_keyring_create(init->config.keyring, init->origin == NULL ? origin : init->origin,
                            init->owner, init->group, err);
    /* Another init may have been faster: then its keyring is ours. */
    if (status == CT_OK || status == CT_REFUSED)
        status = load_keyring(init, err);
    return status;
}

/* The administrator's key: that of the file, if an earlier run got so far. */
static enum ct_status make_key(struct init *init, uint8_t ret_digest[AUTH_DIGEST_BYTES],
                               struct ct_error *err)
{
    char line[CLI_SECRET_MAX + 2];
    if (init->key_file != NULL) {
        enum ct_status status = cli_secret_read(init->key_file, init->key, err);
        if (status == CT_OK) {
            status = auth_key_digest(init->keyring, init->key, strlen(init->key), ret_digest);
            if (status != CT_OK)
                ct_error_set(err, "%s exists and does not hold a key", init->key_file);
            return status;
        }
        if (status != CT_NOT_FOUND)
            return status;
    }
    auth_key_generate(init->keyring, init->key, ret_digest);
    if (init->key_file == NULL)
        return CT_OK;
    (void)snprintf(line, sizeof line, "%s\n", init->key);
    enum ct_status status =
        cli_file_create(init->key_file, line, strlen(line), 0600, (uid_t)-1, (gid_t)-1, err);
    sodium_memzero(line, sizeof line);
    return status;
}

/* ---- the steps
 * ------------------------------------------------------------------------------------- */

/* Signs size 1 and keeps the signature on disk and in the database. The anchor is written only if
 * there is none: a keeper may have it open. */
static enum ct_status finish(struct init *init, const struct accesslog_hash *leaf,
                             struct ct_error *err)
{
    const char *origin = auth_keyring_origin(init->keyring);
    char note[INIT_NOTE_ROOM];
    char line[ACCESSLOG_SIGNATURE_LINE_MAX];
    bool file = false, written = false;
    enum ct_status status = init_checkpoint_sign(&init->signers, origin, leaf, note, line);
    if (status != CT_OK) {
        ct_error_set(err, "cannot sign the log's checkpoint");
        return status;
    }
    status = anchor_written(init, &file, &written, err);
    if (status == CT_OK && !file)
        status = cli_file_create(init->config.anchor, note, strlen(note), 0600, init->owner,
                                 init->group, err);
    if (ct_injection_point("init-anchor"))
        status = CT_IO;
    if (status == CT_OK)
        status = init_database_sign(init->store, 1, origin, line, err);
    return status;
}

static void show_id(const char *what, const char *prefix, const uint8_t uuid[CT_UUID_BYTES])
{
    char text[CT_ID_TEXT];
    ct_id_format(prefix, uuid, text);
    (void)printf("%s: %s\n", what, text);
}

/* All in one transaction. The key is shown before the commit: see above. */
static enum ct_status enter(struct init *init, const uint8_t digest[AUTH_DIGEST_BYTES],
                            struct accesslog_hash *ret_leaf, struct ct_error *err)
{
    struct init_ids ids;
    struct init_entry entry = {.header = NULL};
    uint8_t batch[CT_UUID_BYTES];
    randombytes_buf(batch, sizeof batch);
    randombytes_buf(ids.key, sizeof ids.key);
    enum ct_status status =
        init_database_enter(init->store, &init->names, batch, digest, &ids, err);
    if (status == CT_OK)
        status = init_entry_make(init->keyring, &init->names, &ids, init->verifier, &entry);
    if (status == CT_OK)
        status = init_database_append(init->store, init->keyring, batch, &entry, err);
    if (ct_injection_point("init-appended"))
        status = CT_IO;
    if (status == CT_OK) {
        show_id("organization", "org", ids.organization);
        show_id("account", "acc", ids.account);
        (void)printf("administrator's key, shown this once: %s\n", init->key);
        if (cli_finish(CLI_DONE) != CLI_DONE) {
            ct_error_set(err, "the key could not be shown: nothing was entered");
            status = CT_IO;
        }
    }
    if (status == CT_OK)
        status = init_database_commit(init->store, err);
    if (ct_injection_point("init-committed"))
        status = CT_DB_LOST;
    if (status == CT_OK)
        *ret_leaf = entry.commitment.leaf_hash;
    init_entry_clear(&entry);
    return status;
}

static enum ct_status first_time(struct init *init, struct ct_error *err)
{
    uint8_t digest[AUTH_DIGEST_BYTES];
    struct accesslog_hash leaf;
    bool file = false, written = false;
    enum ct_status status = anchor_written(init, &file, &written, err);
    if (status != CT_OK)
        return status;
    if (written) {
        /* The same keys would sign a second log under one name. */
        ct_error_set(err,
                     "anchor %s is of a log that this database does not hold: another database, or "
                     "one put back to before it was initialised",
                     init->config.anchor);
        return CT_REFUSED;
    }
    status = load_keyring(init, err);
    if (status == CT_NOT_FOUND)
        status = make_keyring(init, err);
    if (ct_injection_point("init-keyring"))
        status = CT_IO;
    if (status == CT_OK)
        status = make_key(init, digest, err);
    if (ct_injection_point("init-key"))
        status = CT_IO;
    if (status == CT_OK)
        status = enter(init, digest, &leaf, err);
    return status == CT_OK ? finish(init, &leaf, err) : status;
}

/* Entry 0 is there. Completes what a run that was killed after the commit left undone. */
static enum ct_status again(struct init *init, const struct init_state *state, struct ct_error *err)
{
    struct init_entry entry = {.header = NULL};
    bool file = false, written = false, has_signature = false;
    const char done[] = "the registry is initialised already (%llu entries in its log)";
    if (state->size != 1 || !state->untouched) {
        ct_error_set(err, done, (unsigned long long)state->size);
        return CT_REFUSED;
    }
    enum ct_status status = load_keyring(init, err);
    if (status == CT_OK)
        status = anchor_written(init, &file, &written, err);
    if (status == CT_OK)
        status = init_database_signed(init->store, auth_keyring_origin(init->keyring),
                                      &has_signature, err);
    if (status == CT_OK && file && has_signature) {
        ct_error_set(err, done, 1ULL);
        status = CT_REFUSED;
    }
    if (status == CT_OK)
        status = init_database_entry(init->store, &entry, err);
    if (status == CT_OK)
        status = init_entry_check(&entry, auth_keyring_origin(init->keyring), err);
    if (status == CT_OK)
        status = finish(init, &entry.commitment.leaf_hash, err);
    if (status == CT_OK)
        (void)printf(
            "completed an initialisation that was cut off; the administrator's key was shown "
            "then\n");
    init_entry_clear(&entry);
    return status;
}

static enum ct_status run(struct init *init, struct ct_error *err)
{
    struct init_state state;
    enum ct_status status = config_load(init->config_path, CONFIG_TOOL, &init->config, err);
    if (status != CT_OK)
        return status;
    if (init->config.anchor[0] == '\0') {
        ct_error_set(err, "%s: [keeper] anchor: required and not given", init->config_path);
        return CT_BAD_INPUT;
    }
    init->names.server = init->config.name[0] == '\0' ? init->host : init->config.name;
    status = find_owner(init, err);
    if (status == CT_OK)
        status = init_database_open(init->config.owner_database, &init->store, err);
    if (status == CT_OK)
        status = init_database_state(init->store, &state, err);
    if (status != CT_OK)
        return status;
    if (!state.ready) {
        ct_error_set(err, "the database's schema is not complete: run casetrace migrate first");
        return CT_STALE;
    }
    return state.size == 0 ? first_time(init, err) : again(init, &state, err);
}

int cli_init(int argc, char **argv)
{
    const struct argp argp = {
        .options = options,
        .parser = parse,
        .doc =
            "Makes the keyring, the first organization and its administrator, and entry 0 of the "
            "access log. The administrator's key is shown once. Refuses a registry that is "
            "initialised already."};
    struct init init = {
        .names = {.organization = "Registry authority", .administrator = "Administrator"}};
    struct ct_error err = {.text = "it did not work"};
    if (gethostname(init.host, sizeof init.host - 1) != 0 || init.host[0] == '\0')
        (void)snprintf(init.host, sizeof init.host, "localhost");
    (void)argp_parse(&argp, argc, argv, 0, NULL, &init);
    if (auth_init() != CT_OK) {
        cli_complain("libsodium cannot be used");
        return CLI_FAILED;
    }
    enum ct_status status = run(&init, &err);
    if (status == CT_OK)
        (void)printf("origin: %s\nverifier key: %s\n", auth_keyring_origin(init.keyring),
                     init.verifier);
    else
        cli_complain("init: %s", err.text);
    if (status == CT_DB_LOST && init.key[0] != '\0')
        cli_complain("  whether it was entered is not known: keep the key and run init again");
    store_close(init.store);
    init_signers_wipe(&init.signers);
    auth_keyring_free(init.keyring);
    sodium_memzero(init.key, sizeof init.key);
    config_clear(&init.config);
    return cli_finish(status == CT_OK ? CLI_DONE : CLI_FAILED);
}
