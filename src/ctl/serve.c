/* One HTTP request and its answer. Must not know what is on the page. */
#include "ctl/serve.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/http.h"

enum {
    REQUEST_MS = 5000,
    ANSWER_MS = 5000,
    LINGER_MS = 1000, /* for the client to end its side of the connection */
    DATE_MAX = 40
};

/* Reads at most ROOM bytes, more than 0, until DEADLINE_MS. Returns how many; 0 at the end, or -1 when there
 * was nothing in time or an error. */
static ssize_t read_until(char *bytes, size_t room, uint64_t deadline_ms)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

    for (uint64_t now = clock_ms(); now < deadline_ms; now = clock_ms())
        if (poll(&input, 1, (int) (deadline_ms - now)) > 0) {
            ssize_t got = read(STDIN_FILENO, bytes, room);
            if (got >= 0 || errno != EINTR)
                return got;
        }
    return -1;
}

/* Reads a request. Returns what is to be answered; HTTP_MORE: nothing, since nobody has asked. */
static enum http_status read_request(const char *path, struct http_request *request)
{
    uint64_t deadline_ms = clock_ms() + REQUEST_MS;
    char bytes[HTTP_HEAD_MAX];
    size_t length = 0;
    enum http_status status;

    do {
        ssize_t got = read_until(bytes + length, sizeof(bytes) - length, deadline_ms);
        if (got < 0)
            return clock_ms() >= deadline_ms ? HTTP_TIMEOUT : HTTP_MORE;
        if (got == 0)
            return length > 0 ? HTTP_BAD_REQUEST : HTTP_MORE;
        length += (size_t) got;
        status = http_parse(bytes, length, path, request);
    } while (status == HTTP_MORE);
    return status;
}

/* Writes it all, or as much as is taken in time. */
static void write_all(const char *bytes, size_t length)
{
    /* Ends a write that waits for a client; where there is no socket, nobody is kept waiting but who started
     * this. */
    struct timeval patience = {.tv_sec = ANSWER_MS / 1000};
    uint64_t deadline_ms = clock_ms() + ANSWER_MS;

    setsockopt(STDOUT_FILENO, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    while (length > 0 && clock_ms() < deadline_ms) {
        ssize_t written = write(STDOUT_FILENO, bytes, length);
        if (written < 0 && errno != EINTR)
            return;
        if (written > 0) {
            bytes += written;
            length -= (size_t) written;
        }
    }
}

/* Reads on until the client has seen the end: the kernel would take back what is not yet read there, if this
 * side closed while something of the request was unread. */
static void linger(void)
{
    uint64_t deadline_ms = clock_ms() + LINGER_MS;
    char bytes[HTTP_HEAD_MAX];

    if (shutdown(STDOUT_FILENO, SHUT_WR) < 0)
        return;
    while (read_until(bytes, sizeof(bytes), deadline_ms) > 0)
        ;
}

/* The time as HTTP has it, whatever the locale. */
static const char *date(char text[DATE_MAX])
{
    time_t now = time(NULL);
    struct tm utc;

    if (gmtime_r(&now, &utc) == NULL || strftime(text, DATE_MAX, "%a, %d %b %Y %H:%M:%S GMT", &utc) == 0)
        text[0] = '\0';
    return text;
}

/* What is sent: a text of TYPE, or only the head of that. */
struct answer {
    enum http_status status;
    const char *type;
    const char *text;
    size_t length;
    bool head;
};

static void send_answer(const struct answer *answer)
{
    char now[DATE_MAX], *bytes = NULL;
    size_t length;
    FILE *out = open_memstream(&bytes, &length);

    if (out == NULL)
        return;
    fprintf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", (int) answer->status, http_reason(answer->status),
            date(now));
    if (answer->status == HTTP_METHOD_NOT_ALLOWED)
        fputs("Allow: GET, HEAD\r\n", out);
    fprintf(out, "Content-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", answer->type,
            answer->length);
    if (!answer->head)
        fwrite(answer->text, 1, answer->length, out);
    if (fclose(out) == 0)
        write_all(bytes, length);
    free(bytes);
}

static void send_status(enum http_status status, bool head)
{
    char text[64];
    int length = snprintf(text, sizeof(text), "%d %s\n", (int) status, http_reason(status));

    send_answer(&(struct answer){status, "text/plain; charset=utf-8", text, (size_t) length, head});
}

static void send_page(const struct http_request *request, serve_page *page, void *userdata)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    const char *type = out != NULL ? page(out, request->openmetrics, userdata) : NULL;

    if (out != NULL && fclose(out) == 0 && type != NULL)
        send_answer(&(struct answer){HTTP_OK, type, text, length, request->head});
    else
        send_status(HTTP_UNAVAILABLE, request->head);
    free(text);
}

void serve_once(const char *path, serve_page *page, void *userdata)
{
    struct http_request request = {0};

    signal(SIGPIPE, SIG_IGN);
    enum http_status status = read_request(path, &request);
    if (status == HTTP_OK)
        send_page(&request, page, userdata);
    else if (status != HTTP_MORE)
        send_status(status, request.head);
    linger();
}
