// SPDX-License-Identifier: Apache-2.0
#ifndef API_TABLE_H
#define API_TABLE_H

/* The tables that api/generate makes from openapi.yaml, errors.yaml and permissions.yaml, and how
 * to look something up in them. All of it is constant: any number of threads, nothing is owned by
 * the caller, nothing fails but by saying that there is no such thing. */

#include "api/generated.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- operations ------------------------------------------------------------------------- */

enum api_method {
    API_METHOD_GET,
    API_METHOD_POST,
    API_METHOD_PUT,
    API_METHOD_PATCH,
    API_METHOD_DELETE,
    API_METHODS,
};

enum api_listener {
    API_LISTENER_PUBLIC,
    API_LISTENER_OPERATOR,
};

/* What becomes of an Idempotency-Key header. */
enum api_idempotency {
    API_IDEMPOTENCY_NONE, /* ignored: nothing is changed */
    API_IDEMPOTENCY_REQUIRED,
    API_IDEMPOTENCY_ACCEPTED,
    API_IDEMPOTENCY_REFUSED, /* the answer holds a secret */
};

/* What two requests of one batch may not share. */
enum api_exclusive {
    API_EXCLUSIVE_NONE,
    API_EXCLUSIVE_FIREARM, /* the one named by the body's member "firearm" */
    API_EXCLUSIVE_PATH_ID, /* the first parameter of the path */
    API_EXCLUSIVE_EXHIBIT, /* those of the body's member "specimens", with its case number */
    API_EXCLUSIVE_ALONE,   /* anything: no other request is in its batch */
};

#define API_PATH_PARAMETERS_MAX 4

/* One operation. */
struct api_route {
    const char *name;       /* operationId, name of the SQL function, "operation" of the log */
    const char *path;       /* template, for messages and metrics */
    const char *media_type; /* of the answer when it succeeds */
    const char *rows;       /* member of the body whose elements have an outcome each, or NULL */
    const char *parameters[API_PATH_PARAMETERS_MAX]; /* names of those in the path */
    uint32_t body_limit;                             /* bytes; 0: the operation takes no body */
    uint32_t value_limit;                            /* JSON values of a body */
    uint16_t success_status;
    uint8_t parameter_count;
    uint8_t method;      /* enum api_method */
    uint8_t listener;    /* enum api_listener */
    uint8_t idempotency; /* enum api_idempotency */
    uint8_t exclusive;   /* enum api_exclusive */
    uint8_t permission;  /* enum api_permission; API_PERMISSION_NONE: public */
    bool spends;         /* of the day's budget of traces */
};

extern const struct api_route api_routes[API_OPERATIONS]; /* by enum api_operation */

/* A node of the tree of path segments, the root first. Internal to api_route_find(). */
struct api_segment {
    const char
        *text; /* literal; NULL: a parameter, any one segment or, if rest, all that are left */
    uint16_t length;
    uint16_t first_child; /* the children lie side by side, literals in order, the parameter last */
    uint16_t child_count;
    bool rest;
    int16_t operations[API_METHODS]; /* -1: none */
};
extern const struct api_segment api_segments[];

enum api_route_result {
    API_ROUTE_FOUND,
    API_ROUTE_NO_PATH,   /* 404 */
    API_ROUTE_NO_METHOD, /* 405 with the Allow header of ret->allow */
};

struct api_route_match {
    enum api_operation operation;
    size_t parameter_count;
    struct {
        const char *text; /* points into the path, not terminated */
        size_t length;
    } parameters[API_PATH_PARAMETERS_MAX];
    char allow[40]; /* "GET, POST"; set by API_ROUTE_NO_METHOD only */
};

/* Finds the operation of a request line, with work that grows with the path and not with the number
 * of routes. method: as sent ("GET"). path: the raw target up to "?", length bytes; nothing in it
 * is decoded, so an escaped character matches no literal. ret is filled only as the result says. */
enum api_route_result api_route_find(enum api_listener listener, const char *method,
                                     const char *path, size_t length, struct api_route_match *ret);

/* The operation of that name, or API_OPERATIONS. */
enum api_operation api_operation_of(const char *name);

/* ---- permissions ------------------------------------------------------------------------ */

extern const char *const api_role_names[API_ROLES];             /* by enum api_role */
extern const char *const api_permission_names[API_PERMISSIONS]; /* by enum api_permission */
/* Row per role, bit per operation; an operation that needs no credential is in no row. */
extern const uint64_t api_role_operations[API_ROLES][(API_OPERATIONS + 63) / 64];

/* The role of that name, or API_ROLES. */
enum api_role api_role_of(const char *name);

/* Reads "dealer,auditor" as a set, bit per enum api_role. false, and *ret untouched, if a name is
 * not a role; "" is the empty set. */
bool api_roles_parse(const char *list, uint32_t *ret);

/* Whether one of the roles permits the operation, which needs a credential; *ret_role is the first
 * that does. Denies by default. */
bool api_permitted(uint32_t roles, enum api_operation operation, enum api_role *ret_role);

/* ---- errors ----------------------------------------------------------------------------- */

struct api_error_entry {
    const char *name; /* "code" of a problem document, outcome in SQL and in the log */
    const char *title;
    uint16_t number;        /* never reused; 0 for API_ERROR_NONE */
    uint16_t status;        /* HTTP */
    uint16_t retry_after_s; /* 0: no Retry-After */
};

extern const struct api_error_entry api_errors[API_ERRORS]; /* by enum api_error */
extern const uint16_t api_errors_by_name[API_ERRORS];       /* enum api_error in order of name */

/* The error of that name; API_ERROR_NONE for "ok"; API_ERRORS if there is none. */
enum api_error api_error_of(const char *name);

/* ---- the contract itself ---------------------------------------------------------------- */

/* openapi.yaml, byte for byte, not terminated. */
extern const unsigned char api_openapi_yaml[];
extern const size_t api_openapi_yaml_length;

#endif
