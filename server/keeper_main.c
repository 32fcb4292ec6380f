// SPDX-License-Identifier: Apache-2.0
#include "keeper/keeper.h"

#include "server/child.h"
#include "server/config.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* casetraced-keeper: the keeper's library as a process. */

#define LOCK_PROBE_BYTES (64u << 10)

/* Keys must not reach the swap. Without the right to lock memory the service runs, and says so. */
static void probe_locked_memory(void)
{
    void *memory = malloc(LOCK_PROBE_BYTES);
    if (memory == NULL || sodium_mlock(memory, LOCK_PROBE_BYTES) != 0)
        ct_log(CT_LOG_WARNING, "memory cannot be locked (%s): keys may be written to swap",
               strerror(errno));
    else
        (void)sodium_munlock(memory, LOCK_PROBE_BYTES);
    free(memory);
}

/* Until the parent says stop or goes, or the keeper ends by itself. Returns the exit status. */
static int serve(struct keeper *keeper, int stop_fd)
{
    for (;;) {
        struct pollfd waits[3] = {{.fd = CHILD_CONTROL_FD, .events = POLLIN},
                                  {.fd = stop_fd, .events = POLLIN},
                                  {.fd = keeper_exit_fd(keeper), .events = POLLIN}};
        if (poll(waits, 3, -1) < 0 && errno != EINTR)
            return CHILD_EXIT_AGAIN;
        if (waits[1].revents != 0)
            return 0;
        if (waits[2].revents != 0) {
            ct_log(CT_LOG_WARNING, "ends: %s", keeper_exit_reason(keeper));
            return CHILD_EXIT_AGAIN;
        }
        if (waits[0].revents != 0) {
            uint8_t boot[MESSAGE_BOOT_BYTES];
            enum child_link kind;
            int fd;
            enum ct_status status = child_receive_link(CHILD_CONTROL_FD, &kind, boot, &fd);
            if (status == CT_NOT_FOUND)
                return 0; /* the parent has gone */
            if (status != CT_OK)
                return CHILD_EXIT_AGAIN;
            if (kind == CHILD_LINK_COURIER)
                keeper_link_courier(keeper, fd);
            else
                keeper_link(keeper, fd, boot);
        }
    }
}

/* For casetraced --check: what is wrong with a policy, in place of serving. */
static int check_policy(const char *path)
{
    struct ct_error err = {.text = ""};
    ct_log_name("casetraced");
    if (keeper_check_policy(path, &err) == CT_OK)
        return 0;
    ct_log(CT_LOG_ERROR, "%s", err.text);
    return CHILD_EXIT_REFUSED;
}

int main(int argc, char **argv)
{
    if (sodium_init() < 0)
        return CHILD_EXIT_REFUSED;
    if (argc == 3 && strcmp(argv[1], "--check-policy") == 0)
        return check_policy(argv[2]);
    int stop_fd = child_begin("keeper", argc, argv);
    struct config config;
    struct ct_error err = {.text = ""};
    char host[256] = "unnamed";
    if (config_load_fd(CHILD_CONFIG_FD, CONFIG_KEEPER, &config, &err) != CT_OK) {
        ct_log(CT_LOG_ERROR, "%s", err.text);
        return CHILD_EXIT_REFUSED;
    }
    json_object_seed(0); /* before there are threads */
    probe_locked_memory();
    (void)gethostname(host, sizeof host - 1);
    const struct keeper_options options = {
        .database = config.database,
        .keyring = config.keyring,
        .anchor = config.anchor,
        .name = config.name[0] != '\0' ? config.name : host,
        .batch_count = config.batch_count,
        .batch_weight = config.batch_weight,
        .queue_count = config.queue_count,
        .trace_budget_account = config.trace_budget_account,
        .trace_budget_agency = config.trace_budget_agency,
        .trace_no_match_limit = config.trace_no_match_limit,
        .pi0 = config.pi0,
        .log_public = config.log_public,
        .tile_queue = config.tile_queue,
        .tile_cache_bytes = config.tile_cache_bytes,
        .policy = config.policy,
        .witness_interval_s = config.witness_interval_s,
        .witness_alert_s = config.witness_alert_s,
        .witness_stop_s = config.witness_stop_s,
        .witness_required = config.witness_required,
        .shared_user = argc > 1 && strcmp(argv[1], "--shared-user") == 0,
    };
    struct keeper *keeper = NULL;
    int status = CHILD_EXIT_REFUSED;
    if (keeper_start(&options, &keeper, &err) != CT_OK) {
        ct_log(CT_LOG_ERROR, "%s", err.text);
    } else {
        status = serve(keeper, stop_fd);
        keeper_stop(keeper);
    }
    config_clear(&config);
    return status;
}
