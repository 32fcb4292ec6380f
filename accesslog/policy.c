// SPDX-License-Identifier: Apache-2.0
/* Policies (C2SP tlog-policy): which logs and witnesses are known, and who of the witnesses makes a
 * quorum. */
#include "accesslog/internal.h"

#include <string.h>

#define ITEMS_MAX (4u + ACCESSLOG_POLICY_WITNESSES_MAX + ACCESSLOG_POLICY_GROUPS_MAX)

struct item {
    const char *text;
    size_t length;
};

/* One pass over the text. */
struct parse {
    struct accesslog_policy *policy;
    struct item items[ITEMS_MAX]; /* of the line */
    size_t count;
    uint64_t members; /* of any group so far */
    bool has_quorum;
};

static bool item_is(const struct item *item, const char *word)
{
    return strlen(word) == item->length && memcmp(word, item->text, item->length) == 0;
}

static bool item_copy(const struct item *item, char *ret, size_t capacity)
{
    if (item->length >= capacity)
        return false;
    memcpy(ret, item->text, item->length);
    ret[item->length] = '\0';
    return true;
}

/* The witness or group of that name as a bit, 0 if there is none. */
static uint64_t find(const struct accesslog_policy *policy, const struct item *name)
{
    for (size_t i = 0; i < policy->witness_count; i++) {
        if (item_is(name, policy->witnesses[i].name))
            return (uint64_t)1 << i;
    }
    for (size_t i = 0; i < policy->group_count; i++) {
        if (item_is(name, policy->groups[i].name))
            return (uint64_t)1 << (ACCESSLOG_POLICY_WITNESSES_MAX + i);
    }
    return 0;
}

/* Returns what is wrong with a new name, NULL if nothing. */
static const char *take_name(const struct parse *parse, char ret[ACCESSLOG_NAME_MAX + 1])
{
    const struct item *name = &parse->items[1];
    if (item_is(name, "none"))
        return "the name none is not free";
    if (find(parse->policy, name) != 0)
        return "the name is given twice";
    return item_copy(name, ret, ACCESSLOG_NAME_MAX + 1) ? NULL : "the name is too long";
}

static const char *take_url(const struct parse *parse, size_t at,
                            char ret[ACCESSLOG_POLICY_URL_MAX + 1])
{
    ret[0] = '\0';
    if (parse->count > at + 1)
        return "something stands behind the URL";
    if (parse->count == at + 1 && !item_copy(&parse->items[at], ret, ACCESSLOG_POLICY_URL_MAX + 1))
        return "the URL is too long";
    return NULL;
}

static const char *take_key(const struct parse *parse, size_t at, enum accesslog_key_type type,
                            struct accesslog_verifier *ret)
{
    if (parse->count <= at)
        return "a verifier key is missing";
    if (accesslog_verifier_parse(parse->items[at].text, parse->items[at].length, ret) !=
        ACCESSLOG_OK)
        return "not a verifier key";
    if (ret->type != type)
        return type == ACCESSLOG_KEY_ED25519 ? "not the key of a log" : "not the key of a witness";
    return NULL;
}

static bool same_key(const struct accesslog_verifier *a, const struct accesslog_verifier *b)
{
    return memcmp(a->public_key, b->public_key, sizeof a->public_key) == 0;
}

static const char *take_log(struct parse *parse)
{
    struct accesslog_policy *policy = parse->policy;
    if (policy->log_count == ACCESSLOG_POLICY_LOGS_MAX)
        return "too many logs";
    struct accesslog_policy_log *log = &policy->logs[policy->log_count];
    const char *wrong = take_key(parse, 1, ACCESSLOG_KEY_ED25519, &log->key);
    if (wrong == NULL)
        wrong = take_url(parse, 2, log->url);
    for (size_t i = 0; wrong == NULL && i < policy->log_count; i++) {
        if (same_key(&policy->logs[i].key, &log->key))
            wrong = "the log's key is given twice";
    }
    policy->log_count += wrong == NULL;
    return wrong;
}

static const char *take_witness(struct parse *parse)
{
    struct accesslog_policy *policy = parse->policy;
    if (policy->witness_count == ACCESSLOG_POLICY_WITNESSES_MAX)
        return "too many witnesses";
    if (parse->count < 3)
        return "a witness has a name and a verifier key";
    struct accesslog_policy_witness *witness = &policy->witnesses[policy->witness_count];
    const char *wrong = take_name(parse, witness->name);
    if (wrong == NULL)
        wrong = take_key(parse, 2, ACCESSLOG_KEY_COSIGNATURE, &witness->key);
    if (wrong == NULL)
        wrong = take_url(parse, 3, witness->url);
    for (size_t i = 0; wrong == NULL && i < policy->witness_count; i++) {
        if (same_key(&policy->witnesses[i].key, &witness->key))
            wrong = "the witness' key is given twice";
    }
    policy->witness_count += wrong == NULL;
    return wrong;
}

static const char *take_threshold(const struct item *item, size_t members, unsigned *ret)
{
    uint64_t value;
    if (item_is(item, "all"))
        value = members;
    else if (item_is(item, "any"))
        value = 1;
    else if (!text_decimal(item->text, item->length, ITEMS_MAX, &value))
        return "a group needs all, any or a number of its members";
    if (value < 1 || value > members)
        return "the group has not that many members";
    *ret = (unsigned)value;
    return NULL;
}

static const char *take_group(struct parse *parse)
{
    struct accesslog_policy *policy = parse->policy;
    if (policy->group_count == ACCESSLOG_POLICY_GROUPS_MAX)
        return "too many groups";
    if (parse->count < 4)
        return "a group has a name, a number and members";
    struct accesslog_policy_group *group = &policy->groups[policy->group_count];
    *group = (struct accesslog_policy_group){.threshold = 0};
    const char *wrong = take_name(parse, group->name);
    if (wrong == NULL)
        wrong = take_threshold(&parse->items[2], parse->count - 3, &group->threshold);
    for (size_t i = 3; wrong == NULL && i < parse->count; i++) {
        uint64_t member = find(policy, &parse->items[i]);
        if (member == 0)
            wrong = "a member is not defined above";
        else if ((parse->members & member) != 0)
            wrong = "a member is one of a group already";
        parse->members |= member;
        group->members |= member;
    }
    policy->group_count += wrong == NULL;
    return wrong;
}

static const char *take_quorum(struct parse *parse)
{
    if (parse->has_quorum)
        return "a second quorum";
    if (parse->count != 2)
        return "a quorum has one name";
    parse->has_quorum = true;
    parse->policy->quorum = find(parse->policy, &parse->items[1]);
    if (parse->policy->quorum == 0 && !item_is(&parse->items[1], "none"))
        return "the quorum's name is not defined above";
    return NULL;
}

static bool has_control(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)line[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

/* Into items between blanks; false if there are too many. A comment has none. */
static bool split(struct parse *parse, const char *line, size_t length)
{
    const char *end = line + length;
    parse->count = 0;
    while (line != end) {
        const char *start = line;
        while (line != end && *line != ' ' && *line != '\t')
            line++;
        if (line != start) {
            if (parse->count == 0 && *start == '#')
                return true;
            if (parse->count == ITEMS_MAX)
                return false;
            parse->items[parse->count++] = (struct item){start, (size_t)(line - start)};
        }
        if (line != end)
            line++;
    }
    return true;
}

static const char *take_line(struct parse *parse, const char *line, size_t length)
{
    if (has_control(line, length))
        return "a control character";
    if (!split(parse, line, length))
        return "the line has too many items";
    if (parse->count == 0)
        return NULL;
    if (item_is(&parse->items[0], "log"))
        return take_log(parse);
    if (item_is(&parse->items[0], "witness"))
        return take_witness(parse);
    if (item_is(&parse->items[0], "group"))
        return take_group(parse);
    if (item_is(&parse->items[0], "quorum"))
        return take_quorum(parse);
    return "neither log, witness, group nor quorum";
}

enum accesslog_status accesslog_policy_parse(const char *text, size_t length,
                                             struct accesslog_policy *ret_policy,
                                             unsigned *ret_line, const char **ret_reason)
{
    struct parse parse = {.policy = ret_policy};
    struct text_reader r = text_read(text, length);
    const char *wrong = NULL;
    const char *line;
    size_t line_length;
    ret_policy->log_count = ret_policy->witness_count = ret_policy->group_count = 0;
    ret_policy->quorum = 0;
    *ret_line = 0;
    if (length > ACCESSLOG_POLICY_BYTES_MAX) {
        *ret_reason = "the policy is too long";
        return ACCESSLOG_TOO_LARGE;
    }
    while (wrong == NULL && text_take_line(&r, &line, &line_length)) {
        (*ret_line)++;
        wrong = take_line(&parse, line, line_length);
    }
    if (wrong == NULL && r.at != r.end) {
        (*ret_line)++;
        wrong = "the line does not end";
    } else if (wrong == NULL && !parse.has_quorum) {
        *ret_line = 0;
        wrong = "there is no quorum line";
    }
    *ret_reason = wrong == NULL ? "" : wrong;
    return wrong == NULL ? ACCESSLOG_OK : ACCESSLOG_MALFORMED;
}

bool accesslog_policy_reached(const struct accesslog_policy *policy, uint32_t witnesses)
{
    uint64_t reached = witnesses;
    /* Members are defined before their group, so one pass suffices. */
    for (size_t i = 0; i < policy->group_count; i++) {
        const struct accesslog_policy_group *group = &policy->groups[i];
        if ((unsigned)__builtin_popcountll(reached & group->members) >= group->threshold)
            reached |= (uint64_t)1 << (ACCESSLOG_POLICY_WITNESSES_MAX + i);
    }
    return policy->quorum == 0 || (reached & policy->quorum) != 0;
}
