// SPDX-License-Identifier: Apache-2.0
#include "api/table.h"

#include <string.h>

static const char *const method_names[API_METHODS] = {
    [API_METHOD_GET] = "GET",     [API_METHOD_POST] = "POST",     [API_METHOD_PUT] = "PUT",
    [API_METHOD_PATCH] = "PATCH", [API_METHOD_DELETE] = "DELETE",
};

static int compare_segment(const struct api_segment *segment, const char *text, size_t length)
{
    size_t shorter = segment->length < length ? segment->length : length;
    int order = memcmp(segment->text, text, shorter);
    if (order != 0)
        return order;
    return segment->length < length ? -1 : segment->length > length;
}

/* The child for one segment of the path: a literal before a parameter. NULL if there is none. */
static const struct api_segment *child_of(const struct api_segment *node, const char *text,
                                          size_t length)
{
    const struct api_segment *children = &api_segments[node->first_child];
    size_t low = 0;
    size_t high = node->child_count;
    const struct api_segment *parameter = NULL;
    if (high > 0 && children[high - 1].text == NULL)
        parameter = &children[--high];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_segment(&children[middle], text, length);
        if (order == 0)
            return &children[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return parameter;
}

static bool served_on(int operation, enum api_listener listener)
{
    return operation >= 0 && api_routes[operation].listener == listener;
}

/* Writes the methods of the node, as an Allow header lists them; false if there is none. */
static bool list_methods(const struct api_segment *node, enum api_listener listener,
                         char *ret_allow, size_t room)
{
    size_t used = 0;
    ret_allow[0] = '\0';
    for (size_t m = 0; m < API_METHODS; m++) {
        if (!served_on(node->operations[m], listener))
            continue;
        const char *comma = used > 0 ? ", " : "";
        size_t need = strlen(comma) + strlen(method_names[m]);
        if (used + need + 1 > room)
            break;
        memcpy(ret_allow + used, comma, strlen(comma));
        memcpy(ret_allow + used + strlen(comma), method_names[m], strlen(method_names[m]) + 1);
        used += need;
    }
    return used > 0;
}

enum api_route_result api_route_find(enum api_listener listener, const char *method,
                                     const char *path, size_t length, struct api_route_match *ret)
{
    const struct api_segment *node = &api_segments[0];
    const char *end = path + length;
    struct api_route_match match = {.operation = API_OPERATIONS};
    if (length == 0 || path[0] != '/')
        return API_ROUTE_NO_PATH;
    while (path < end) {
        const char *text = path + 1;
        const char *slash = memchr(text, '/', (size_t)(end - text));
        const char *stop = slash != NULL ? slash : end;
        size_t size = (size_t)(stop - text);
        node = size > 0 ? child_of(node, text, size) : NULL;
        if (node == NULL)
            return API_ROUTE_NO_PATH;
        if (node->rest) {
            stop = end;
            size = (size_t)(stop - text);
        }
        if (node->text == NULL) {
            /* api/generate refuses a template with more parameters than there is room for. */
            match.parameters[match.parameter_count].text = text;
            match.parameters[match.parameter_count++].length = size;
        }
        path = stop;
    }
    for (size_t m = 0; m < API_METHODS; m++) {
        if (!served_on(node->operations[m], listener) || strcmp(method, method_names[m]) != 0)
            continue;
        match.operation = (enum api_operation)node->operations[m];
        *ret = match;
        return API_ROUTE_FOUND;
    }
    if (!list_methods(node, listener, match.allow, sizeof match.allow))
        return API_ROUTE_NO_PATH;
    *ret = match;
    return API_ROUTE_NO_METHOD;
}

enum api_operation api_operation_of(const char *name)
{
    int found = 0;
    while (found < API_OPERATIONS && strcmp(api_routes[found].name, name) != 0)
        found++;
    return (enum api_operation)found;
}

static enum api_role role_of(const char *name, size_t length)
{
    int found = 0;
    while (found < API_ROLES && (strlen(api_role_names[found]) != length ||
                                 memcmp(api_role_names[found], name, length) != 0))
        found++;
    return (enum api_role)found;
}

enum api_role api_role_of(const char *name)
{
    return role_of(name, strlen(name));
}

bool api_roles_parse(const char *list, uint32_t *ret)
{
    uint32_t roles = 0;
    while (*list != '\0') {
        size_t length = strcspn(list, ",");
        enum api_role role = role_of(list, length);
        if (role == API_ROLES)
            return false;
        roles |= UINT32_C(1) << role;
        list += length;
        if (*list == ',' && *++list == '\0')
            return false;
    }
    *ret = roles;
    return true;
}

bool api_permitted(uint32_t roles, enum api_operation operation, enum api_role *ret_role)
{
    if ((int)operation < 0 || operation >= API_OPERATIONS)
        return false;
    size_t word = (size_t)operation / 64;
    uint64_t bit = UINT64_C(1) << ((unsigned)operation % 64);
    for (int role = 0; role < API_ROLES; role++) {
        if ((roles >> role & 1) == 0 || (api_role_operations[role][word] & bit) == 0)
            continue;
        *ret_role = (enum api_role)role;
        return true;
    }
    return false;
}

enum api_error api_error_of(const char *name)
{
    size_t low = 0;
    size_t high = API_ERRORS;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(api_errors[api_errors_by_name[middle]].name, name);
        if (order == 0)
            return (enum api_error)api_errors_by_name[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return API_ERRORS;
}
