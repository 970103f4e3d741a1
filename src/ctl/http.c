/* The head of one HTTP request. Must not know where its bytes come from, or what is answered. */
#include "ctl/http.h"

#include <string.h>
#include <strings.h>

/* A part of the request. */
struct span {
    const char *at;
    size_t length;
};

/* Takes what is before the first SEPARATOR, or all, off SPAN, with the separator. */
static struct span take(struct span *span, char separator)
{
    struct span part = {span->at, 0};

    while (part.length < span->length && span->at[part.length] != separator)
        part.length++;
    size_t taken = part.length + (part.length < span->length ? 1 : 0);
    *span = (struct span){span->at + taken, span->length - taken};
    return part;
}

static struct span trimmed(struct span span)
{
    for (; span.length > 0 && (*span.at == ' ' || *span.at == '\t'); span.at++)
        span.length--;
    while (span.length > 0 && (span.at[span.length - 1] == ' ' || span.at[span.length - 1] == '\t'))
        span.length--;
    return span;
}

static bool is(struct span span, const char *text)
{
    return span.length == strlen(text) && strncasecmp(span.at, text, span.length) == 0;
}

static bool begins(struct span span, const char *text)
{
    return span.length >= strlen(text) && strncasecmp(span.at, text, strlen(text)) == 0;
}

/* A token of RFC 9110, 5.6.2: what methods and the names of fields are. */
static bool is_token(struct span span)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < span.length; i++) {
        char c = span.at[i];
        bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alphanumeric && memchr(others, c, sizeof(others) - 1) == NULL)
            return false;
    }
    return span.length > 0;
}

/* The next line of the head without its end, which is a line feed after a carriage return or alone. */
static struct span take_line(struct span *head)
{
    struct span line = take(head, '\n');

    if (line.length > 0 && line.at[line.length - 1] == '\r')
        line.length--;
    return line;
}

/* The lines up to the empty one that ends the head, with their ends. Its .length is 0 when the empty line has
 * not come yet. Empty lines before the first are left out, as RFC 9112, 2.2 has it. */
static struct span find_head(const char *bytes, size_t length)
{
    struct span rest = {bytes, length}, head;

    while (rest.length > 0 && (*rest.at == '\r' || *rest.at == '\n'))
        rest = (struct span){rest.at + 1, rest.length - 1};
    head.at = rest.at;
    while (memchr(rest.at, '\n', rest.length) != NULL) {
        const char *begin = rest.at;
        if (take_line(&rest).length == 0) {
            head.length = (size_t) (begin - head.at);
            return head;
        }
    }
    return (struct span){head.at, 0};
}

/* Whether SPAN has what no head may have: a control character other than tabs and ends of lines. */
static bool has_control(struct span span)
{
    for (size_t i = 0; i < span.length; i++) {
        unsigned char c = (unsigned char) span.at[i];
        bool ends = c == '\n' || (c == '\r' && i + 1 < span.length && span.at[i + 1] == '\n');
        if ((c < ' ' && c != '\t' && !ends) || c == 0x7F)
            return true;
    }
    return false;
}

/* The path of a request's TARGET, which may be a whole address. */
static struct span path_of(struct span target)
{
    static const char scheme[] = "http://";

    if (begins(target, scheme)) {
        size_t length = strlen(scheme);
        while (length < target.length && target.at[length] != '/')
            length++;
        target = (struct span){target.at + length, target.length - length};
    }
    return take(&target, '?');
}

/* The weight that an element of "Accept" gives itself, in thousandths: RFC 9110, 12.4.2. PARAMETERS are what
 * is behind its first semicolon. */
static unsigned weight(struct span parameters)
{
    while (parameters.length > 0) {
        struct span one = trimmed(take(&parameters, ';'));
        unsigned value = 0;
        if (!begins(one, "q=") || one.length < 3)
            continue;
        if (one.at[2] == '1')
            return 1000;
        for (size_t i = 0; i < 3; i++) {
            char digit = i + 4 < one.length ? one.at[i + 4] : '0';
            value = value * 10 + (digit >= '0' && digit <= '9' ? (unsigned) (digit - '0') : 0);
        }
        return value;
    }
    return 1000;
}

/* What was wanted so far, in thousandths. */
struct wishes {
    unsigned openmetrics, plain;
};

static void take_accept(struct span value, struct wishes *wishes)
{
    while (value.length > 0) {
        struct span element = take(&value, ',');
        struct span type = trimmed(take(&element, ';'));
        unsigned *wish = is(type, "application/openmetrics-text") ? &wishes->openmetrics
                         : is(type, "text/plain")                 ? &wishes->plain
                                                                  : NULL;
        if (wish != NULL && weight(element) > *wish)
            *wish = weight(element);
    }
}

/* The fields of the request, which say whether it is one and what form is wanted. Returns HTTP_OK or
 * HTTP_BAD_REQUEST. */
static enum http_status parse_fields(struct span fields, bool host_is_needed, struct http_request *request)
{
    struct wishes wishes = {0};
    unsigned hosts = 0;

    while (fields.length > 0) {
        struct span value = take_line(&fields), line = value;
        struct span name = take(&value, ':');
        /* Neither a line without a colon, nor one that goes on with the line before it, has a name. */
        if (name.length == line.length || !is_token(name))
            return HTTP_BAD_REQUEST;
        hosts += is(name, "host");
        if (is(name, "accept"))
            take_accept(value, &wishes);
    }
    if (hosts > 1 || (hosts == 0 && host_is_needed))
        return HTTP_BAD_REQUEST;
    request->openmetrics = wishes.openmetrics > 0 && wishes.openmetrics >= wishes.plain;
    return HTTP_OK;
}

/* The version's digits are at VERSION.at[5] and [7]. */
static bool is_version(struct span version)
{
    static const char digits[] = "0123456789";

    return version.length == strlen("HTTP/1.1") && memcmp(version.at, "HTTP/", 5) == 0 &&
           memchr(digits, version.at[5], 10) != NULL && version.at[6] == '.' &&
           memchr(digits, version.at[7], 10) != NULL;
}

static enum http_status parse_head(struct span head, const char *path, struct http_request *request)
{
    struct span line = take_line(&head), rest = line;
    struct span method = take(&rest, ' '), target = take(&rest, ' '), version = rest;

    request->head = method.length == 4 && memcmp(method.at, "HEAD", 4) == 0;
    if (!is_token(method) || target.length == 0 || !is_version(version))
        return HTTP_BAD_REQUEST;
    if (version.at[5] != '1')
        return HTTP_VERSION_NOT_SUPPORTED;
    if (parse_fields(head, version.at[7] != '0', request) != HTTP_OK)
        return HTTP_BAD_REQUEST;
    struct span wanted = path_of(target);
    if (wanted.length != strlen(path) || memcmp(wanted.at, path, wanted.length) != 0)
        return HTTP_NOT_FOUND;
    bool get = method.length == 3 && memcmp(method.at, "GET", 3) == 0;
    return get || request->head ? HTTP_OK : HTTP_METHOD_NOT_ALLOWED;
}

enum http_status http_parse(const char *bytes, size_t length, const char *path, struct http_request *request)
{
    struct span head = find_head(bytes, length);

    *request = (struct http_request){0};
    if (head.length == 0)
        return length < HTTP_HEAD_MAX ? HTTP_MORE : HTTP_TOO_LARGE;
    if (has_control(head))
        return HTTP_BAD_REQUEST;
    return parse_head(head, path, request);
}

const char *http_reason(enum http_status status)
{
    switch (status) {
    case HTTP_OK:
        return "OK";
    case HTTP_BAD_REQUEST:
        return "Bad Request";
    case HTTP_NOT_FOUND:
        return "Not Found";
    case HTTP_METHOD_NOT_ALLOWED:
        return "Method Not Allowed";
    case HTTP_TIMEOUT:
        return "Request Timeout";
    case HTTP_TOO_LARGE:
        return "Request Header Fields Too Large";
    case HTTP_UNAVAILABLE:
        return "Service Unavailable";
    case HTTP_VERSION_NOT_SUPPORTED:
        return "HTTP Version Not Supported";
    case HTTP_MORE:
        break;
    }
    return "";
}
