// SPDX-License-Identifier: Apache-2.0
/* A copy of the log's public view on one's own disk. Its checkpoint is the last one that was
 * checked: what is above it is not vouched for, and is checked before a new one takes its place. */
#include "cli/log_source.h"
#include "cli/log_verify.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct arguments {
    struct log_verify *verify;
    struct cli_connection connection;
    const char *folder;
    bool stats;
};

enum { OPTION_URL = 0x1001, OPTION_KEY_FILE, OPTION_CACERT, OPTION_STATS };

static const struct argp_option options[] = {
    {"vkey", 'k', "VKEY", 0, "a verifier key of the log, or of a witness; may be given many times",
     0},
    {"url", OPTION_URL, "URL", 0, "the prefix of the public view, as https://host/log", 0},
    {"cacert", OPTION_CACERT, "FILE", 0,
     "certificates to trust instead of the system's, PEM (CASETRACE_CACERT)", 0},
    {"key-file", OPTION_KEY_FILE, "FILE", 0,
     "file with an auditor's API key, mode 600, where the view is not for everybody", 0},
    {"stats", OPTION_STATS, NULL, 0, "print figures as a last line of JSON", 0},
    {0}};

static error_t parse_option(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'k':
        log_verify_key_add(state, arguments->verify, text);
        return 0;
    case OPTION_URL:
        log_verify_url_check(state, text);
        arguments->connection.url = text;
        return 0;
    case OPTION_CACERT:
        arguments->connection.cacert = text;
        return 0;
    case OPTION_KEY_FILE:
        arguments->connection.key_file = text;
        return 0;
    case OPTION_STATS:
        arguments->stats = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->folder != NULL)
            argp_error(state, "what is %s?", text);
        arguments->folder = text;
        return 0;
    case ARGP_KEY_END:
        if (arguments->verify->origin == NULL)
            argp_error(state, "give the log's verifier key with --vkey");
        if (arguments->connection.url == NULL || arguments->folder == NULL)
            argp_error(state, "give --url and a folder");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Opens the folder, makes it if it is missing, and keeps others out while it is open. */
static enum ct_status lock_folder(const char *folder, int *ret_fd)
{
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        cli_complain("%s: %s", folder, strerror(errno));
        return CT_IO;
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        cli_complain("%s: %s", folder, strerror(errno));
        return CT_IO;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        cli_complain("%s: %s", folder,
                     errno == EWOULDBLOCK ? "another mirror works on it" : strerror(errno));
        (void)close(fd);
        return CT_IO;
    }
    *ret_fd = fd;
    return CT_OK;
}

/* Partial tiles of the checkpoint before, of which there are fuller ones now. */
static void drop_partial(const char *folder, uint64_t before, uint64_t now)
{
    for (int level = ACCESSLOG_TILE_ENTRIES; level < 8; level++) {
        uint64_t index = (before >> (8 * (level < 0 ? 0 : level))) / ACCESSLOG_TILE_WIDTH;
        size_t width = accesslog_tile_width(level, index, before);
        char path[ACCESSLOG_TILE_PATH_MAX];
        char name[PATH_MAX];
        if (width == 0 || width == ACCESSLOG_TILE_WIDTH ||
            accesslog_tile_width(level, index, now) == width ||
            accesslog_tile_path_format(level, index, width, path, sizeof path) == 0)
            continue;
        int length = snprintf(name, sizeof name, "%s/%s", folder, path);
        if (length < 0 || (size_t)length >= sizeof name)
            continue;
        (void)unlink(name);
        /* The folder ".p", if this was the last one in it. */
        char *slash = strrchr(name, '/');
        *slash = '\0';
        (void)rmdir(name);
    }
}

static enum ct_status mirror(struct log_verify *verify, const struct arguments *arguments,
                             const char *checkpoint)
{
    const struct log_source source = {.folder = arguments->folder,
                                      .connection = &arguments->connection};
    int fd = -1;
    enum ct_status status = lock_folder(arguments->folder, &fd);
    if (status != CT_OK)
        return status;
    status = log_verify_resume_read(verify, checkpoint);
    int64_t start_ms = ct_mono_ms();
    if (status == CT_OK) {
        status = log_verify_tiles(verify, &source);
        if (status == CT_CRYPTO)
            cli_complain("what was fetched is left in %s; its checkpoint is still the one that was "
                         "checked last",
                         arguments->folder);
    }
    int64_t spent_ms = ct_mono_ms() - start_ms;
    /* Tiles are on disk before the checkpoint that rests on them. */
    if (status == CT_OK && syncfs(fd) != 0) {
        cli_complain("%s: %s", arguments->folder, strerror(errno));
        status = CT_IO;
    }
    if (status == CT_OK)
        status = log_verify_state_write(verify, checkpoint);
    if (status == CT_OK && verify->resume != NULL)
        drop_partial(arguments->folder, verify->resume->checkpoint.size, verify->checked_size);
    if (status == CT_OK && arguments->stats)
        status = log_verify_stats_print(verify, (double)spent_ms / 1000, LOG_VERIFY_THREADS_REMOTE);
    (void)close(fd);
    return status;
}

int cli_log_mirror(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .args_doc = "DIR",
        .doc = "Fetches what is missing in DIR of the log's public view, checks it, and writes the "
               "new checkpoint only if all of it holds.\vExit status as of log verify."};
    struct log_verify *verify = calloc(1, sizeof *verify);
    struct arguments arguments = {.verify = verify};
    struct cli_connection environment;
    char checkpoint[PATH_MAX];
    if (verify == NULL) {
        cli_complain("out of memory");
        return CLI_UNREADABLE;
    }
    cli_connection_init(&environment);
    arguments.connection.cacert = environment.cacert;
    (void)argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    int length = snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint", arguments.folder);
    enum ct_status status = CT_IO;
    if (length > 0 && (size_t)length < sizeof checkpoint)
        status = mirror(verify, &arguments, checkpoint);
    else
        cli_complain("the folder's name is too long");
    free(verify);
    return cli_finish(log_verify_exit(status));
}
