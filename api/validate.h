// SPDX-License-Identifier: Apache-2.0
#ifndef API_VALIDATE_H
#define API_VALIDATE_H

/* Checks what a client sent against the contract: against schema trees that api/generate made of
 * openapi.yaml, so that nothing that is not in the contract passes. Nothing is changed and no
 * default is filled in. A refusal says where (JSON Pointer) and what was expected there, never what
 * was sent, so that it may be logged and shown.
 *
 * Threads: any number; nothing is shared. Only api_validate_query() and api_validate_path()
 * allocate memory. */

#include "api/table.h"
#include "base/base.h"

/* ---- what was wrong ---------------------------------------------------------------------- */

#define API_FIELD_ERRORS_MAX 20
#define API_POINTER_TEXT 160
#define API_EXPECTED_TEXT 300

struct api_field_error {
    char pointer[API_POINTER_TEXT]; /* cut off when longer; names of unknown members included */
    char text[API_EXPECTED_TEXT];   /* "expected …" */
};

/* The first errors found, in the order of the contract's members. Set count to 0 before use; the
 * functions below append, and look no further once it is full. */
struct api_field_errors {
    unsigned count;
    struct api_field_error at[API_FIELD_ERRORS_MAX];
};

/* ---- checks ------------------------------------------------------------------------------ */

/* Checks a body; pointers start at the body. An operation that takes no body refuses every one.
 * Errors: CT_BAD_INPUT with errors: 422 validation_failed. */
enum ct_status api_validate_body(enum api_operation operation, const json_t *body,
                                 struct api_field_errors *errors) CT_MUST_CHECK;

/* For operations with rows (api_routes[].rows) of which some may be refused: the body without
 * looking into the rows, but with their number, and then each row by itself. Pointers start at the
 * body in both: "/firearms/17/serial". Together they are api_validate_body().
 * Errors: CT_BAD_INPUT with errors. */
enum ct_status api_validate_envelope(enum api_operation operation, const json_t *body,
                                     struct api_field_errors *errors) CT_MUST_CHECK;
enum ct_status api_validate_row(enum api_operation operation, const json_t *row, size_t index,
                                struct api_field_errors *errors) CT_MUST_CHECK;

/* Types the query: decoded names and values in the order sent, UTF-8 or not. Refuses names that the
 * operation does not have and names that come twice. Pointers are "/query/<name>".
 * Owner:  *ret is the caller's, json_decref(): an object of integers and strings.
 * Errors: CT_BAD_INPUT with errors: 400 invalid_request; CT_NO_MEMORY. */
enum ct_status api_validate_query(enum api_operation operation, const char *const *names,
                                  const char *const *values, size_t count, json_t **ret,
                                  struct api_field_errors *errors) CT_MUST_CHECK;

/* Types the parameters of the path, in the order of the template (api_routes[].parameters).
 * Pointers are "/path/<name>".
 * Owner:  *ret is the caller's, json_decref().
 * Errors: CT_BAD_INPUT with errors: 404 not_found, nothing can be there; CT_NO_MEMORY. */
enum ct_status api_validate_path(enum api_operation operation, const char *const *values,
                                 size_t count, json_t **ret,
                                 struct api_field_errors *errors) CT_MUST_CHECK;

/* Decides on the Idempotency-Key header; key is NULL when there is none.
 * Returns API_ERROR_NONE, API_ERROR_IDEMPOTENCY_KEY_REQUIRED, API_ERROR_IDEMPOTENCY_KEY_REFUSED, or
 * API_ERROR_INVALID_REQUEST with errors at "/header/Idempotency-Key". */
enum api_error api_validate_idempotency_key(enum api_operation operation, const char *key,
                                            struct api_field_errors *errors) CT_MUST_CHECK;

/* ---- the trees, as api/generate writes them ---------------------------------------------- */

/* Sets of types are bits of jansson's json_type. */
#define API_TYPE_OBJECT (1u << JSON_OBJECT)
#define API_TYPE_ARRAY (1u << JSON_ARRAY)
#define API_TYPE_STRING (1u << JSON_STRING)
#define API_TYPE_INTEGER (1u << JSON_INTEGER)
#define API_TYPE_NUMBER (1u << JSON_INTEGER | 1u << JSON_REAL)
#define API_TYPE_BOOLEAN (1u << JSON_TRUE | 1u << JSON_FALSE)
#define API_TYPE_NULL (1u << JSON_NULL)

enum api_format {
    API_FORMAT_NONE,
    API_FORMAT_DATE,      /* a day that the calendar has, from year 1 */
    API_FORMAT_DATE_TIME, /* RFC 3339 in UTC, "Z", no leap second, at most 9 digits of a second */
};

/* How one of several schemas is chosen. */
enum api_choice {
    API_CHOICE_NONE,
    API_CHOICE_MEMBER, /* the first branch whose member is present */
    API_CHOICE_VALUE,  /* by the value of one member; the default branch when it is absent */
};

/* A pattern as a table: see api/pattern.py. State 0 is the first. */
struct api_pattern {
    const uint8_t *classes; /* column by byte */
    const uint8_t *steps;   /* [state * columns + column]: next state + 1; 0: no match any more */
    const uint8_t *accepting;
    uint8_t columns;
};

struct api_schema;

struct api_property {
    const char *name;
    const struct api_schema *schema;
    bool required;
};

struct api_branch {
    const char *member;       /* API_CHOICE_MEMBER */
    const char *const *words; /* API_CHOICE_VALUE, in order */
    unsigned word_count;
    const struct api_schema *schema;
};

struct api_schema {
    const char *type_text;    /* "expected a string" */
    const char *limits_text;  /* "expected 1 to 40 characters", of any of the limits below */
    const char *pattern_text; /* "expected a licence number such as …" */
    const char *words_text;   /* "expected one of: …" */
    const char *members_text; /* "expected no other members than …" */
    const char *choice_text;  /* "expected by id (id) or by maker and serial (maker, serial)" */

    const struct api_pattern *pattern;
    const char *const *words; /* enum and const of strings, in order of strcmp */
    const struct api_property *properties;
    const struct api_schema *items;
    const struct api_branch *branches;
    const char *choice_member; /* API_CHOICE_VALUE */
    int64_t minimum;           /* of an integer, when has_range */
    int64_t maximum;
    uint32_t min_size; /* code points of a string, elements of an array */
    uint32_t max_size;
    uint16_t types;
    uint16_t word_count;
    uint16_t property_count;
    uint8_t branch_count;
    uint8_t default_branch; /* API_CHOICE_VALUE; branch_count: the member is required */
    uint8_t format;         /* enum api_format */
    uint8_t choice;         /* enum api_choice */
    bool has_range;
    bool unique; /* strings of an array, no two alike */
};

/* What one operation takes. */
struct api_intake {
    const struct api_schema *body;    /* NULL: none */
    const struct api_schema *rows;    /* the elements of the rows member, or NULL */
    const struct api_property *query; /* in order of name */
    const struct api_property *path;  /* in the order of the template */
    uint16_t query_count;
    uint16_t path_count;
};

extern const struct api_intake api_intakes[API_OPERATIONS]; /* by enum api_operation */
extern const struct api_schema api_idempotency_key_schema;

/* Checks one value against one schema, for tests and fuzzing; pointers start at the value.
 * Errors: CT_BAD_INPUT with errors. */
enum ct_status api_validate_value(const struct api_schema *schema, const json_t *value,
                                  struct api_field_errors *errors) CT_MUST_CHECK;

#endif
