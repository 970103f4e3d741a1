/* The head of one HTTP request, taken apart: RFC 9110 and 9112, as much as it takes to hand out one page.
 * Pure: knows no socket and no clock, and nothing of what is on the page. */
#ifndef HELLOD_CTL_HTTP_H
#define HELLOD_CTL_HTTP_H

#include <stdbool.h>
#include <stddef.h>

enum {
    HTTP_HEAD_MAX = 8192 /* bytes of a request's head; monitoring systems send some 300 */
};

/* What a request is to be answered with; the numbers are HTTP's. */
enum http_status {
    HTTP_MORE = 0, /* the head is not complete yet */
    HTTP_OK = 200,
    HTTP_BAD_REQUEST = 400,
    HTTP_NOT_FOUND = 404,
    HTTP_METHOD_NOT_ALLOWED = 405,
    HTTP_TIMEOUT = 408,
    HTTP_TOO_LARGE = 431,
    HTTP_UNAVAILABLE = 503,
    HTTP_VERSION_NOT_SUPPORTED = 505
};

struct http_request {
    bool head;        /* no body is wanted */
    bool openmetrics; /* OpenMetrics is wanted at least as much as plain text */
};

/* Looks at the LENGTH bytes that have come in so far, which are changed by nobody. What is asked for must be
 * PATH, with GET or HEAD. REQUEST is right with HTTP_OK; with all other results its .head is, if the method
 * could be read, and else false. */
enum http_status http_parse(const char *bytes, size_t length, const char *path, struct http_request *request);

/* The words for STATUS: "OK", "Not Found". */
const char *http_reason(enum http_status status);

#endif
