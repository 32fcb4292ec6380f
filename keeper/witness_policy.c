// SPDX-License-Identifier: Apache-2.0
#include "keeper/courier.h"
#include "keeper/keeper.h"
#include "keeper/witness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STORED_NAME_MAX 200 /* of a key, as log_signature takes it */

static enum ct_status read_text(const char *path, char *text, size_t room, size_t *ret_length,
                                struct ct_error *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        ct_error_set(err, "%s: %s", path, strerror(errno));
        return CT_IO;
    }
    *ret_length = fread(text, 1, room, file);
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    if (failed)
        ct_error_set(err, "%s: cannot be read", path);
    return failed ? CT_IO : CT_OK;
}

/* Whether a courier may be sent there: a scheme, a host and a path, nothing that hides a credential
 * or changes the path that is put behind it. */
static bool is_url(const char *url)
{
    const char *host = strncmp(url, "https://", 8) == 0  ? url + 8
                       : strncmp(url, "http://", 7) == 0 ? url + 7
                                                         : "";
    size_t length = strlen(url);
    for (const char *at = url; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~' || strchr("\"<>\\^`{|}@?#", *at) != NULL)
            return false;
    }
    return host[0] != '\0' && host[0] != '/' && host[0] != ':' && length + 16 < COURIER_URL_MAX;
}

static enum ct_status check_witnesses(const struct accesslog_policy *policy, const char *path,
                                      struct ct_error *err)
{
    uint32_t reachable = 0;
    for (size_t i = 0; i < policy->witness_count; i++) {
        const struct accesslog_policy_witness *witness = &policy->witnesses[i];
        if (strlen(witness->key.name) > STORED_NAME_MAX) {
            ct_error_set(err, "%s: the key of witness %.60s has a name of more than %d bytes", path,
                         witness->name, STORED_NAME_MAX);
            return CT_BAD_INPUT;
        }
        if (witness->url[0] == '\0')
            continue;
        if (!is_url(witness->url)) {
            ct_error_set(err, "%s: the URL of witness %.60s is not one that can be asked", path,
                         witness->name);
            return CT_BAD_INPUT;
        }
        reachable |= (uint32_t)1 << i;
    }
    if (accesslog_policy_reached(policy, reachable))
        return CT_OK;
    ct_error_set(err, "%s: the witnesses that have a URL can make no quorum", path);
    return CT_BAD_INPUT;
}

static enum ct_status check_log(const struct accesslog_policy *policy, const char *path,
                                const struct accesslog_signer *signers, size_t count,
                                struct ct_error *err)
{
    bool found = policy->log_count == 0 || count == 0;
    for (size_t i = 0; i < policy->log_count; i++) {
        const struct accesslog_verifier *key = &policy->logs[i].key;
        for (size_t j = 0; j < count; j++)
            found = found || (strcmp(key->name, signers[j].verifier.name) == 0 &&
                              memcmp(key->public_key, signers[j].verifier.public_key,
                                     sizeof key->public_key) == 0);
    }
    if (!found)
        ct_error_set(err, "%s: no log line has a key of this log", path);
    return found ? CT_OK : CT_BAD_INPUT;
}

enum ct_status witness_policy_load(const char *path, const struct accesslog_signer *signers,
                                   size_t count, struct accesslog_policy **ret,
                                   struct ct_error *err)
{
    const size_t room = ACCESSLOG_POLICY_BYTES_MAX + 1;
    size_t length = 0;
    unsigned line = 0;
    const char *reason = NULL;
    char *text = malloc(room);
    struct accesslog_policy *policy = malloc(sizeof *policy);
    enum ct_status status = CT_NO_MEMORY;
    ct_error_set(err, "out of memory");
    if (text != NULL && policy != NULL)
        status = read_text(path, text, room, &length, err);
    if (status == CT_OK &&
        accesslog_policy_parse(text, length, policy, &line, &reason) != ACCESSLOG_OK) {
        status = CT_BAD_INPUT;
        if (line == 0)
            ct_error_set(err, "%s: %s", path, reason);
        else
            ct_error_set(err, "%s:%u: %s", path, line, reason);
    }
    if (status == CT_OK)
        status = check_witnesses(policy, path, err);
    if (status == CT_OK)
        status = check_log(policy, path, signers, count, err);
    free(text);
    if (status == CT_OK)
        *ret = policy;
    else
        free(policy);
    return status;
}

enum ct_status keeper_check_policy(const char *path, struct ct_error *err)
{
    struct accesslog_policy *policy = NULL;
    enum ct_status status = witness_policy_load(path, NULL, 0, &policy, err);
    free(policy);
    return status;
}
