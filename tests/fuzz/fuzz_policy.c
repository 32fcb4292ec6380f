// SPDX-License-Identifier: Apache-2.0
/* Policies: what parses is within its bounds, more witnesses never undo a quorum, and what is
 * refused says where and why. */
#include "accesslog/accesslog.h"

#include <sodium.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct accesslog_policy policy;
    unsigned line;
    const char *reason = NULL;
    if (sodium_init() < 0)
        abort();
    if (accesslog_policy_parse((const char *)data, size, &policy, &line, &reason) != ACCESSLOG_OK) {
        if (reason == NULL || reason[0] == '\0' || line > size)
            abort();
        return 0;
    }
    if (policy.log_count > ACCESSLOG_POLICY_LOGS_MAX ||
        policy.witness_count > ACCESSLOG_POLICY_WITNESSES_MAX ||
        policy.group_count > ACCESSLOG_POLICY_GROUPS_MAX)
        abort();
    bool before = accesslog_policy_reached(&policy, 0);
    if (before != (policy.quorum == 0))
        abort();
    for (unsigned count = 1; count <= ACCESSLOG_POLICY_WITNESSES_MAX; count++) {
        bool reached = accesslog_policy_reached(&policy, UINT32_MAX >> (32 - count));
        if (before && !reached)
            abort();
        before = reached;
    }
    /* Everybody together is a quorum of any policy. */
    if (!before)
        abort();
    return 0;
}
