/* What asks for metrics by HTTP, be it what it may. Each request gets the same verdict whatever comes behind
 * it, none before it is complete, and what is served was asked for.
 *
 * Input: the bytes that came in. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/http.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char path[] = "/metrics";

/* The verdict on the first LENGTH bytes of DATA, which has no others for whoever reads too far. */
static enum http_status parse(const uint8_t *data, size_t length, struct http_request *request)
{
    char *bytes = malloc(length + 1);

    assert(bytes != NULL);
    char *text = bytes + 1; /* so that the end of the allocation is that of the text */
    if (length > 0)
        memcpy(text, data, length);
    enum http_status status = http_parse(text, length, path, request);
    free(bytes);
    return status;
}

/* Whether the first LENGTH bytes of DATA end with an empty line, and so with what may be a head. */
static bool ends_head(const uint8_t *data, size_t length)
{
    if (length < 2 || data[length - 1] != '\n')
        return false;
    return data[length - 2] == '\n' || (length > 2 && data[length - 2] == '\r' && data[length - 3] == '\n');
}

/* How many of the bytes there must be for a verdict, as far as lines go; SIZE if all of them. */
static size_t find_verdict(const uint8_t *data, size_t size)
{
    struct http_request request;

    for (size_t length = 1; length < size; length++)
        if (data[length - 1] == '\n' && parse(data, length, &request) != HTTP_MORE)
            return length;
    return size;
}

static void check_served(const uint8_t *data, size_t size, const struct http_request *request)
{
    char text[HTTP_HEAD_MAX + 1];

    memcpy(text, data, size);
    text[size] = '\0';
    assert(strstr(text, path) != NULL && strstr(text, "HTTP/1.") != NULL);
    assert(strstr(text, request->head ? "HEAD " : "GET ") != NULL);
    assert(strpbrk(text, "\n") != NULL);
    assert(!request->openmetrics || strcasestr(text, "\naccept:") != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_request request, again;

    if (size > HTTP_HEAD_MAX)
        size = HTTP_HEAD_MAX;
    enum http_status status = parse(data, size, &request);
    assert((status == HTTP_MORE && size < HTTP_HEAD_MAX) || http_reason(status)[0] != '\0');
    size_t first = find_verdict(data, size);
    assert(parse(data, first, &again) == status);
    assert(again.head == request.head && again.openmetrics == request.openmetrics);
    if (status == HTTP_TOO_LARGE)
        assert(size == HTTP_HEAD_MAX);
    else
        assert(status == HTTP_MORE || ends_head(data, first));
    if (status == HTTP_OK)
        check_served(data, size, &request);
    return 0;
}
