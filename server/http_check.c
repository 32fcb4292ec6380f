// SPDX-License-Identifier: Apache-2.0
#include "server/http_check.h"

#include <string.h>
#include <strings.h>

/* Characters of a method or header name: tchar of RFC 9110. */
static const bool token_char[256] = {
    ['!'] = true, ['#'] = true, ['$'] = true, ['%'] = true, ['&'] = true, ['\''] = true,
    ['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true, ['^'] = true, ['_'] = true,
    ['`'] = true, ['|'] = true, ['~'] = true, ['0'] = true, ['1'] = true, ['2'] = true,
    ['3'] = true, ['4'] = true, ['5'] = true, ['6'] = true, ['7'] = true, ['8'] = true,
    ['9'] = true, ['A'] = true, ['B'] = true, ['C'] = true, ['D'] = true, ['E'] = true,
    ['F'] = true, ['G'] = true, ['H'] = true, ['I'] = true, ['J'] = true, ['K'] = true,
    ['L'] = true, ['M'] = true, ['N'] = true, ['O'] = true, ['P'] = true, ['Q'] = true,
    ['R'] = true, ['S'] = true, ['T'] = true, ['U'] = true, ['V'] = true, ['W'] = true,
    ['X'] = true, ['Y'] = true, ['Z'] = true, ['a'] = true, ['b'] = true, ['c'] = true,
    ['d'] = true, ['e'] = true, ['f'] = true, ['g'] = true, ['h'] = true, ['i'] = true,
    ['j'] = true, ['k'] = true, ['l'] = true, ['m'] = true, ['n'] = true, ['o'] = true,
    ['p'] = true, ['q'] = true, ['r'] = true, ['s'] = true, ['t'] = true, ['u'] = true,
    ['v'] = true, ['w'] = true, ['x'] = true, ['y'] = true, ['z'] = true,
};

static bool is_token(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!token_char[(unsigned char)text[i]])
            return false;
    }
    return length > 0;
}

/* No control character but the tab; bytes over 0x7f are allowed here as HTTP allows them. */
static bool is_field_text(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_visible_ascii(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
    }
    return length > 0 && text[length - 1] != ' ';
}

static bool equals(const char *text, size_t length, const char *lower)
{
    return strlen(lower) == length && strncasecmp(text, lower, length) == 0;
}

/* ---- wishes ---------------------------------------------------------------------------- */

/* How much the client wants each form of the answer, in thousandths; -1: it does not say. */
struct wishes {
    int gzip;
    int plain;
    int json;
};

static void skip_blank(const char **at, const char *end)
{
    while (*at < end && (**at == ' ' || **at == '\t'))
        (*at)++;
}

/* The weight of one element of a list: 1000 unless it says q=, 0 for one that is no number. */
static int weight_of(const char *at, const char *end)
{
    int weight = 1000;
    for (at = memchr(at, ';', (size_t)(end - at)); at != NULL;
         at = memchr(at, ';', (size_t)(end - at))) {
        at++;
        skip_blank(&at, end);
        if (end - at < 3 || (*at != 'q' && *at != 'Q') || at[1] != '=')
            continue;
        weight = at[2] == '1' ? 1000 : 0;
        if (at[2] != '0' || end - at < 4 || at[3] != '.')
            continue;
        int unit = 100;
        for (at += 4; at < end && *at >= '0' && *at <= '9'; at++, unit /= 10)
            weight += unit * (*at - '0');
        if (at == end)
            break;
    }
    return weight;
}

static void wish(int *wanted, int weight)
{
    if (weight > *wanted)
        *wanted = weight;
}

static void take_element(const char *at, const char *end, bool encodings, struct wishes *wishes)
{
    skip_blank(&at, end);
    size_t length = 0;
    while (at + length < end && strchr("; \t", at[length]) == NULL)
        length++;
    int weight = weight_of(at, end);
    if (encodings && (equals(at, length, "gzip") || equals(at, length, "x-gzip")))
        wish(&wishes->gzip, weight);
    if (encodings)
        return;
    if (equals(at, length, "text/plain"))
        wish(&wishes->plain, weight);
    if (equals(at, length, "application/json") || equals(at, length, "application/*") ||
        equals(at, length, "*/*"))
        wish(&wishes->json, weight);
}

/* Accept and Accept-Encoding: lists, which may be spread over several lines. What is not understood
 * is no wish. */
static void take_wishes(const struct http_header *header, struct wishes *wishes)
{
    bool encodings = equals(header->name, header->name_length, "accept-encoding");
    const char *at = header->value;
    const char *end = at + header->value_length;
    if (!encodings && !equals(header->name, header->name_length, "accept"))
        return;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma == NULL ? end : comma;
        take_element(at, stop, encodings, wishes);
        at = stop + 1;
    }
}

static uint8_t accepts_of(const struct wishes *wishes)
{
    unsigned accepts = 0;
    if (wishes->gzip > 0)
        accepts |= MESSAGE_ACCEPTS_GZIP;
    if (wishes->plain > 0 && wishes->plain > wishes->json)
        accepts |= MESSAGE_ACCEPTS_PLAIN;
    return (uint8_t)accepts;
}

/* ---- header lines ---------------------------------------------------------------------- */

/* The headers that somebody here reads and that may not come twice. */
enum known {
    KNOWN_HOST,
    KNOWN_CONTENT_LENGTH,
    KNOWN_TRANSFER_ENCODING,
    KNOWN_CONTENT_TYPE,
    KNOWN_CONTENT_ENCODING,
    KNOWN_EXPECT,
    KNOWN_AUTHORIZATION,
    KNOWN_IDEMPOTENCY_KEY,
    KNOWN_COUNT,
};

static const struct {
    const char *name;
    const char *pointer;
} known_headers[KNOWN_COUNT] = {
    [KNOWN_HOST] = {"host", "/header/Host"},
    [KNOWN_CONTENT_LENGTH] = {"content-length", "/header/Content-Length"},
    [KNOWN_TRANSFER_ENCODING] = {"transfer-encoding", "/header/Transfer-Encoding"},
    [KNOWN_CONTENT_TYPE] = {"content-type", "/header/Content-Type"},
    [KNOWN_CONTENT_ENCODING] = {"content-encoding", "/header/Content-Encoding"},
    [KNOWN_EXPECT] = {"expect", "/header/Expect"},
    [KNOWN_AUTHORIZATION] = {"authorization", "/header/Authorization"},
    [KNOWN_IDEMPOTENCY_KEY] = {"idempotency-key", "/header/Idempotency-Key"},
};

/* KNOWN_COUNT for any other. No two have the same length. */
static enum known known_of(const struct http_header *header)
{
    enum known known = KNOWN_COUNT;
    switch (header->name_length) {
    case 4:
        known = KNOWN_HOST;
        break;
    case 6:
        known = KNOWN_EXPECT;
        break;
    case 12:
        known = KNOWN_CONTENT_TYPE;
        break;
    case 13:
        known = KNOWN_AUTHORIZATION;
        break;
    case 14:
        known = KNOWN_CONTENT_LENGTH;
        break;
    case 15:
        known = KNOWN_IDEMPOTENCY_KEY;
        break;
    case 16:
        known = KNOWN_CONTENT_ENCODING;
        break;
    case 17:
        known = KNOWN_TRANSFER_ENCODING;
        break;
    default:
        return KNOWN_COUNT;
    }
    return equals(header->name, header->name_length, known_headers[known].name) ? known
                                                                                : KNOWN_COUNT;
}

static enum http_verdict refuse(struct http_refusal *refusal, enum http_verdict verdict,
                                enum known known, const char *detail)
{
    *refusal = (struct http_refusal){.detail = detail};
    if (known != KNOWN_COUNT)
        memcpy(refusal->pointer, known_headers[known].pointer,
               strlen(known_headers[known].pointer) + 1);
    return verdict;
}

/* A name or address and perhaps a port, without user or path. */
static bool is_host(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!plain && (c == '\0' || strchr("-._~:[]", c) == NULL))
            return false;
    }
    return length > 0;
}

static bool parse_length(const char *text, size_t length, uint64_t *ret)
{
    uint64_t value = 0;
    if (length == 0 || length > 18)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = 10 * value + (uint64_t)(text[i] - '0');
    }
    *ret = value;
    return true;
}

/* application/json, alone or with charset=utf-8 and nothing else. */
static bool is_json_type(const char *text, size_t length)
{
    const char *semicolon = memchr(text, ';', length);
    size_t type = semicolon == NULL ? length : (size_t)(semicolon - text);
    size_t at = type;
    while (type > 0 && (text[type - 1] == ' ' || text[type - 1] == '\t'))
        type--;
    if (!equals(text, type, "application/json"))
        return false;
    if (semicolon == NULL)
        return true;
    at++;
    while (at < length && (text[at] == ' ' || text[at] == '\t'))
        at++;
    return equals(text + at, length - at, "charset=utf-8") ||
           equals(text + at, length - at, "charset=\"utf-8\"");
}

/* One of the known headers. The value is without white space at its ends. */
static enum http_verdict take_known(enum known known, const struct http_header *header,
                                    struct http_facts *facts, struct http_refusal *refusal)
{
    const char *text = header->value;
    size_t length = header->value_length;
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
        length--;
    switch (known) {
    case KNOWN_HOST:
        if (!is_host(text, length))
            return refuse(refusal, HTTP_MALFORMED, known, "Host is not a host");
        break;
    case KNOWN_CONTENT_LENGTH:
        if (!parse_length(text, length, &facts->content_length))
            return refuse(refusal, HTTP_MALFORMED, known, "Content-Length is not a number");
        facts->has_length = true;
        break;
    case KNOWN_TRANSFER_ENCODING:
        if (!equals(text, length, "chunked"))
            return refuse(refusal, HTTP_MALFORMED, known, "no transfer coding but chunked");
        facts->chunked = true;
        break;
    case KNOWN_CONTENT_TYPE:
        facts->has_type = true;
        facts->type_is_json = is_json_type(text, length);
        break;
    case KNOWN_CONTENT_ENCODING:
        if (!equals(text, length, "identity"))
            return refuse(refusal, HTTP_MEDIA_TYPE, known, "bodies are not taken compressed");
        break;
    case KNOWN_EXPECT:
        if (!equals(text, length, "100-continue"))
            return refuse(refusal, HTTP_MALFORMED, known, "no expectation but 100-continue");
        facts->expects_continue = true;
        break;
    case KNOWN_AUTHORIZATION:
        if (!is_visible_ascii(text, header->value_length))
            return refuse(refusal, HTTP_INVALID, known, "empty, or has unusual characters");
        facts->authorization = text;
        break;
    case KNOWN_IDEMPOTENCY_KEY:
        if (!is_visible_ascii(text, header->value_length))
            return refuse(refusal, HTTP_INVALID, known, "empty, or has unusual characters");
        facts->idempotency_key = text;
        break;
    case KNOWN_COUNT:
        break;
    }
    return HTTP_ACCEPTED;
}

enum http_verdict http_check_head(const struct http_head *head, struct http_facts *ret,
                                  struct http_refusal *ret_refusal)
{
    struct http_facts facts = {.authorization = ""};
    bool seen[KNOWN_COUNT] = {false};
    struct wishes wishes = {.gzip = -1, .plain = -1, .json = -1};
    enum http_verdict late = HTTP_ACCEPTED;

    if (!is_token(head->method, strlen(head->method)))
        return refuse(ret_refusal, HTTP_MALFORMED, KNOWN_COUNT, "the method is not a token");
    facts.is_1_1 = strcmp(head->version, "HTTP/1.1") == 0;
    if (!facts.is_1_1 && strcmp(head->version, "HTTP/1.0") != 0)
        return refuse(ret_refusal, HTTP_MALFORMED, KNOWN_COUNT, "HTTP/1.1 is spoken here");
    for (unsigned i = 0; i < head->header_count; i++) {
        const struct http_header *header = &head->headers[i];
        if (!is_token(header->name, header->name_length))
            return refuse(ret_refusal, HTTP_MALFORMED, KNOWN_COUNT, "a header's name is no token");
        if (!is_field_text(header->value, header->value_length))
            return refuse(ret_refusal, HTTP_MALFORMED, KNOWN_COUNT,
                          "a header has a control character");
        enum known known = known_of(header);
        if (known == KNOWN_COUNT) {
            take_wishes(header, &wishes);
            continue;
        }
        if (seen[known])
            return refuse(ret_refusal, HTTP_MALFORMED, known, "given twice");
        seen[known] = true;
        struct http_refusal refusal;
        enum http_verdict verdict = take_known(known, header, &facts, &refusal);
        if (verdict == HTTP_MALFORMED) {
            *ret_refusal = refusal;
            return verdict;
        }
        if (verdict != HTTP_ACCEPTED && late == HTTP_ACCEPTED) {
            /* Not a reason to distrust the framing: the rest is looked at first. */
            *ret_refusal = refusal;
            late = verdict;
        }
    }
    if (facts.is_1_1 && !seen[KNOWN_HOST])
        return refuse(ret_refusal, HTTP_MALFORMED, KNOWN_HOST, "missing");
    if (facts.chunked && (facts.has_length || !facts.is_1_1))
        return refuse(ret_refusal, HTTP_MALFORMED, KNOWN_TRANSFER_ENCODING,
                      "not with Content-Length, and not in HTTP/1.0");
    facts.accepts = accepts_of(&wishes);
    *ret = facts;
    return late;
}

/* ---- layout ---------------------------------------------------------------------------- */

bool http_check_layout(const struct http_head *head)
{
    static const char ends[4] = {0};
    /* As numbers: the strings lie in one buffer, but to the language they are strangers. */
    uintptr_t expected = (uintptr_t)head->method + strlen(head->method) + 1;
    if ((uintptr_t)head->target != expected)
        return false;
    expected += head->target_length + 1;
    if ((uintptr_t)head->version != expected)
        return false;
    expected += HTTP_VERSION_LENGTH + 2;
    for (unsigned i = 0; i < head->header_count; i++) {
        const struct http_header *header = &head->headers[i];
        if ((uintptr_t)header->name != expected)
            return false;
        expected += header->name_length + 1;
        /* White space between the colon and the value may be there, and is all that can be. */
        if ((uintptr_t)header->value < expected ||
            (uintptr_t)header->value > (uintptr_t)head->method + head->size)
            return false;
        expected = (uintptr_t)header->value + header->value_length + 2;
    }
    /* The last line's end and the empty line, which could also be one of a NUL and more. */
    return expected + 2 == (uintptr_t)head->method + head->size &&
           memcmp(head->method + head->size - sizeof ends, ends, sizeof ends) == 0;
}
