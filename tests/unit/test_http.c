/* Requests of monitoring systems, of browsers, and of those who are neither. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ctl/http.c"

static const char path[] = "/metrics";

static enum http_status parse(const char *text, struct http_request *request)
{
    return http_parse(text, strlen(text), path, request);
}

struct row {
    const char *text;
    enum http_status status;
};

static void assert_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct http_request request;
        enum http_status status = parse(rows[i].text, &request);
        if (status != rows[i].status)
            fail_msg("%d, not %d: %s", (int) status, (int) rows[i].status, rows[i].text);
    }
}

#define ASSERT_ROWS(rows) assert_rows(rows, sizeof(rows) / sizeof((rows)[0]))

static void what_is_answered(void **state)
{
    static const struct row rows[] = {
        {"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", HTTP_OK},
        {"HEAD /metrics HTTP/1.1\r\nHost: h\r\n\r\n", HTTP_OK},
        {"GET /metrics HTTP/1.0\r\n\r\n", HTTP_OK},
        {"GET /metrics HTTP/1.0\n\n", HTTP_OK},
        {"\r\n\r\nGET /metrics HTTP/1.0\r\n\r\n", HTTP_OK},
        {"GET /metrics?name[]=x HTTP/1.0\r\n\r\n", HTTP_OK},
        {"GET http://127.0.0.1:9288/metrics HTTP/1.1\r\nHost: h\r\n\r\n", HTTP_OK},
        {"GET HTTP://h/metrics?x HTTP/1.1\r\nhOST:\th \r\nX-1: 1\r\n\r\n", HTTP_OK},
        {"GET /metrics HTTP/1.9\r\nHost: h\r\n\r\n", HTTP_OK},
        {"GET /metrics HTTP/1.0\r\nX: \xc3\xbc\xff\t\r\n\r\nrest", HTTP_OK},
        {"GET / HTTP/1.0\r\n\r\n", HTTP_NOT_FOUND},
        {"GET /metrics/ HTTP/1.0\r\n\r\n", HTTP_NOT_FOUND},
        {"GET /METRICS HTTP/1.0\r\n\r\n", HTTP_NOT_FOUND},
        {"GET /metric HTTP/1.0\r\n\r\n", HTTP_NOT_FOUND},
        {"GET http://h HTTP/1.0\r\n\r\n", HTTP_NOT_FOUND},
        {"OPTIONS * HTTP/1.0\r\n\r\n", HTTP_NOT_FOUND},
        {"POST / HTTP/1.0\r\n\r\n", HTTP_NOT_FOUND},
        {"POST /metrics HTTP/1.0\r\nContent-Length: 1\r\n\r\nx", HTTP_METHOD_NOT_ALLOWED},
        {"get /metrics HTTP/1.0\r\n\r\n", HTTP_METHOD_NOT_ALLOWED},
        {"GETS /metrics HTTP/1.0\r\n\r\n", HTTP_METHOD_NOT_ALLOWED},
        {"HEADS /metrics HTTP/1.0\r\n\r\n", HTTP_METHOD_NOT_ALLOWED},
        {"PRI * HTTP/2.0\r\n\r\n", HTTP_VERSION_NOT_SUPPORTED},
        {"GET /metrics HTTP/0.9\r\n\r\n", HTTP_VERSION_NOT_SUPPORTED},
    };

    (void) state;
    ASSERT_ROWS(rows);
}

static void what_is_no_request(void **state)
{
    static const struct row rows[] = {
        {"GET /metrics\r\n\r\n", HTTP_BAD_REQUEST},
        {"GET /metrics \r\n\r\n", HTTP_BAD_REQUEST},
        {"GET  /metrics HTTP/1.0\r\n\r\n", HTTP_BAD_REQUEST},
        {"GET  HTTP/1.0\r\n\r\n", HTTP_BAD_REQUEST},
        {"GET /metrics  HTTP/1.0\r\n\r\n", HTTP_BAD_REQUEST},
        {"GET /metrics HTTP/1.0 \r\n\r\n", HTTP_BAD_REQUEST},
        {"GET /metrics HTTP/11\r\n\r\n", HTTP_BAD_REQUEST},
        {"GET /metrics HTTP/1-0\r\n\r\n", HTTP_BAD_REQUEST},
        {"GET /metrics HTTP/x.0\r\n\r\n", HTTP_BAD_REQUEST},
        {"GET /metrics HTTP/1.x\r\nHost: h\r\n\r\n", HTTP_BAD_REQUEST},
        {"GET /metrics http/1.1\r\nHost: h\r\n\r\n", HTTP_BAD_REQUEST},
        {"G@T /metrics HTTP/1.0\r\n\r\n", HTTP_BAD_REQUEST},
        {" GET /metrics HTTP/1.0\r\n\r\n", HTTP_BAD_REQUEST},
        {"GET /met\trics HTTP/1.0\r\n\r\n", HTTP_NOT_FOUND},
        {"GET /metrics HTTP/1.0\rX\r\n\r\n", HTTP_BAD_REQUEST},
        {"GET /metrics HTTP/1.0\r\nX: \x01\r\n\r\n", HTTP_BAD_REQUEST},
        {"GET /metrics HTTP/1.0\r\nX: x\rY: y\r\n\r\n", HTTP_BAD_REQUEST},
        {"GET /metrics HTTP/1.0\r\nX-\xc3\xbc: 1\r\n\r\n", HTTP_BAD_REQUEST},
        {"GET /metrics HTTP/1.0\r\nX: \x7f\r\n\r\n", HTTP_BAD_REQUEST},
        {"GET /metrics HTTP/1.0\r\nX\r\n\r\n", HTTP_BAD_REQUEST},
        {"GET /metrics HTTP/1.0\r\n: x\r\n\r\n", HTTP_BAD_REQUEST},
        {"GET /metrics HTTP/1.0\r\nX : x\r\n\r\n", HTTP_BAD_REQUEST},
        {"GET /metrics HTTP/1.0\r\nX: x\r\n more: x\r\n\r\n", HTTP_BAD_REQUEST},
        {"GET /metrics HTTP/1.1\r\n\r\n", HTTP_BAD_REQUEST},
        {"GET /metrics HTTP/1.9\r\n\r\n", HTTP_BAD_REQUEST},
        {"GET /metrics HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", HTTP_BAD_REQUEST},
        {"GET /metrics HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", HTTP_BAD_REQUEST},
    };

    (void) state;
    ASSERT_ROWS(rows);
}

/* Whether a body is wanted is known of a request that is refused, too, once its method has been read. */
static void head_of_what_is_refused(void **state)
{
    static const struct {
        const char *text;
        bool head;
    } rows[] = {
        {"HEAD / HTTP/1.0\r\n\r\n", true},         {"HEAD / HTTP/2.0\r\n\r\n", true},
        {"HEAD / HTTP/1.0\r\nX\r\n\r\n", true},    {"GET / HTTP/1.0\r\n\r\n", false},
        {"POST /metrics HTTP/1.0\r\n\r\n", false}, {"\r\nGET / HTTP/1.0\r\n\r\n", false},
        {"HEAD /\x01 HTTP/1.0\r\n\r\n", false},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_request request = {.head = true};
        assert_int_not_equal(parse(rows[i].text, &request), HTTP_OK);
        if (request.head != rows[i].head)
            fail_msg("%s", rows[i].text);
    }
}

static void zero_bytes(void **state)
{
    static const char text[] = "GET /metrics HTTP/1.0\r\nX: \0\r\n\r\n";
    struct http_request request;

    (void) state;
    assert_int_equal(http_parse(text, sizeof(text) - 1, path, &request), HTTP_BAD_REQUEST);
}

static void pieces(void **state)
{
    static const char text[] = "\r\nHEAD /metrics HTTP/1.1\r\nHost: h\r\n\r\n";
    struct http_request request;

    (void) state;
    for (size_t length = 0; length < strlen(text) - 1; length++)
        assert_int_equal(http_parse(text, length, path, &request), HTTP_MORE);
    assert_int_equal(parse(text, &request), HTTP_OK);
    assert_true(request.head);
}

static void too_much(void **state)
{
    char text[HTTP_HEAD_MAX];
    struct http_request request;

    (void) state;
    memset(text, 'x', sizeof(text));
    assert_int_equal(http_parse(text, sizeof(text) - 1, path, &request), HTTP_MORE);
    assert_int_equal(http_parse(text, sizeof(text), path, &request), HTTP_TOO_LARGE);
    memset(text, '\n', sizeof(text));
    assert_int_equal(http_parse(text, sizeof(text), path, &request), HTTP_TOO_LARGE);
}

#define OPENMETRICS "application/openmetrics-text"

static void accepts(void **state)
{
    static const struct {
        const char *accept;
        bool openmetrics;
    } rows[] = {
        {"*/*", false},
        {"", false},
        {"text/plain", false},
        {OPENMETRICS, true},
        {"Application/OpenMetrics-Text ; version=1.0.0", true},
        {OPENMETRICS ";version=1.0.0;q=0.75," OPENMETRICS
                     ";version=0.0.1;q=0.65,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         true},
        {"text/plain;version=0.0.4;q=0.6," OPENMETRICS ";version=1.0.0;q=0.5,*/*;q=0.2", false},
        {"text/plain;q=0.5," OPENMETRICS ";q=0.5", true},
        {"text/plain;q=0.12," OPENMETRICS ";q=0.119", false},
        {"text/plain;q=0.123," OPENMETRICS ";q=0.122", false},
        {"text/plain;q=0.122," OPENMETRICS ";q=0.123", true},
        {OPENMETRICS ";q=0.7,text/plain;q=0.6," OPENMETRICS ";q=0.5", true},
        {"\t" OPENMETRICS "\t", true},
        {"text/plain;q=0.9 , " OPENMETRICS " ; q=1.000", true},
        {OPENMETRICS ";q=0", false},
        {OPENMETRICS "; Q=0", false},
        {OPENMETRICS ";q=0,9", false},
        {OPENMETRICS ";q=0.x", false},
        {OPENMETRICS ";q=0.000", false},
        {OPENMETRICS ";q=", true},
        {"x" OPENMETRICS "," OPENMETRICS "s", false},
        {"text/html,application/xhtml+xml;q=0.9,,;,*/*;q=0.8", false},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[512];
        struct http_request request;
        snprintf(text, sizeof(text), "GET /metrics HTTP/1.0\r\nAccept: %s\r\n\r\n", rows[i].accept);
        assert_int_equal(parse(text, &request), HTTP_OK);
        if (request.openmetrics != rows[i].openmetrics)
            fail_msg("%s", rows[i].accept);
    }
}

static void accepts_of_others(void **state)
{
    struct http_request request;

    (void) state;
    assert_int_equal(
        parse("GET /metrics HTTP/1.0\r\nX-Accept: " OPENMETRICS "\r\nX: " OPENMETRICS "\r\n\r\n", &request),
        HTTP_OK);
    assert_false(request.openmetrics);
}

/* A list may come in several fields. */
static void accepts_in_pieces(void **state)
{
    struct http_request request;

    (void) state;
    assert_int_equal(parse("GET /metrics HTTP/1.0\r\nAccept: text/plain;q=0.5\r\naccept: " OPENMETRICS
                           "\r\n\r\n",
                           &request),
                     HTTP_OK);
    assert_true(request.openmetrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_answered),
        cmocka_unit_test(what_is_no_request),
        cmocka_unit_test(head_of_what_is_refused),
        cmocka_unit_test(accepts_of_others),
        cmocka_unit_test(zero_bytes),
        cmocka_unit_test(pieces),
        cmocka_unit_test(too_much),
        cmocka_unit_test(accepts),
        cmocka_unit_test(accepts_in_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
