// SPDX-License-Identifier: Apache-2.0
#include "cli/trace_request.h"

#include <stdio.h>
#include <string.h>

#define NOT_UTF8 "an argument is not UTF-8"

void cli_trace_request_init(struct cli_trace_request *request)
{
    *request = (struct cli_trace_request){.specimens = json_array()};
    request->memory = request->specimens == NULL;
}

void cli_trace_request_free(struct cli_trace_request *request)
{
    json_decref(request->specimens);
    *request = (struct cli_trace_request){0};
}

/* Appends a new object to a list and returns it: the list owns it. */
static json_t *append_object(struct cli_trace_request *request, json_t *list)
{
    json_t *object = json_object();
    if (object == NULL || json_array_append_new(list, object) != 0) {
        request->memory = true;
        return NULL;
    }
    return object;
}

static const char *set(json_t *object, const char *member, const char *text, const char *twice)
{
    if (json_object_get(object, member) != NULL)
        return twice;
    return json_object_set_new(object, member, json_string(text)) == 0 ? NULL : NOT_UTF8;
}

const char *cli_trace_request_specimen(struct cli_trace_request *request)
{
    request->mark = NULL;
    request->specimen = append_object(request, request->specimens);
    return NULL;
}

const char *cli_trace_request_mark(struct cli_trace_request *request)
{
    json_t *marks = json_object_get(request->specimen, "marks");
    if (request->mark == NULL)
        return "--mark begins another mark: the specimen has none yet";
    request->mark = append_object(request, marks);
    return NULL;
}

/* The specimen, and the mark, that words belong to: the first of each is begun by any word. */
static json_t *specimen_of(struct cli_trace_request *request)
{
    if (request->specimen == NULL && !request->memory)
        (void)cli_trace_request_specimen(request);
    return request->specimen;
}

static json_t *mark_of(struct cli_trace_request *request)
{
    json_t *specimen = specimen_of(request);
    if (request->mark != NULL || specimen == NULL)
        return request->mark;
    json_t *marks = json_array();
    if (marks == NULL || json_object_set_new(specimen, "marks", marks) != 0) {
        request->memory = true;
        return NULL;
    }
    request->mark = append_object(request, marks);
    return request->mark;
}

const char *cli_trace_request_of_specimen(struct cli_trace_request *request, const char *member,
                                          const char *text)
{
    json_t *specimen = specimen_of(request);
    return specimen == NULL ? NULL
                            : set(specimen, member, text,
                                  "one specimen has it twice; --specimen or a further READING "
                                  "begins the next");
}

const char *cli_trace_request_of_mark(struct cli_trace_request *request, const char *member,
                                      const char *text)
{
    json_t *mark = mark_of(request);
    return mark == NULL ? NULL
                        : set(mark, member, text,
                              "one mark has it twice; --mark begins another mark of the same "
                              "specimen");
}

const char *cli_trace_request_reading(struct cli_trace_request *request, const char *reading)
{
    if (json_object_get(request->mark, "reading") != NULL)
        (void)cli_trace_request_specimen(request);
    return cli_trace_request_of_mark(request, "reading", reading);
}

/* ---- the end --------------------------------------------------------------------------------- */

static bool has_exhibit(const struct cli_trace_request *request, const char *exhibit)
{
    size_t i;
    json_t *specimen;
    json_array_foreach(request->specimens, i, specimen)
    {
        const char *is = ct_json_string(specimen, "exhibit");
        if (is != NULL && strcmp(is, exhibit) == 0)
            return true;
    }
    return false;
}

static void name_exhibit(struct cli_trace_request *request, json_t *specimen)
{
    char name[32];
    size_t number = 1;
    do
        (void)snprintf(name, sizeof name, "E-%zu", number++);
    while (has_exhibit(request, name));
    if (!ct_json_set_text(specimen, "exhibit", name))
        request->memory = true;
}

const char *cli_trace_request_end(struct cli_trace_request *request)
{
    size_t i;
    json_t *specimen;
    json_array_foreach(request->specimens, i, specimen)
    {
        if (json_object_get(specimen, "marks") == NULL)
            return "a specimen has no mark: READING is missing";
        if (json_object_get(specimen, "exhibit") == NULL && !request->memory)
            name_exhibit(request, specimen);
        if (json_object_get(specimen, "kind") == NULL &&
            !ct_json_set_text(specimen, "kind", "casing"))
            request->memory = true;
    }
    if (request->memory)
        return "out of memory";
    return json_array_size(request->specimens) == 0 ? "READING is missing" : NULL;
}
