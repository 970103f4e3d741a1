/* One question to the service and its outcome. Must not know any command. */
#include "ctl/ask.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/quote.h"

enum {
    CONNECT_MS = 10000,
    SAMPLE_MAX = 60 /* bytes shown of what is no reply */
};

const char *ask_why(int error)
{
    switch (error) {
    case ENOENT:
        return "there is no such socket; does hellod run, and is this its \"control\"?";
    case ECONNREFUSED:
        return "the socket is there, but hellod is not; it has ended";
    case EACCES:
        return "permission denied; it is for root and for the group of hellod";
    default:
        return strerror(error);
    }
}

static enum ask_exit say_nobody(const char *path, int error)
{
    fprintf(stderr, "helloctl: nobody answers at %s: %s\n", path, ask_why(error));
    return ASK_NOBODY;
}

static enum ask_exit say_too_late(const char *path, unsigned wait_ms)
{
    fprintf(stderr, "helloctl: no answer from %s within %u s\n", path, wait_ms / 1000);
    return ASK_TOO_LATE;
}

enum ask_exit ask_say_strange(const struct connection *connection, const char *path)
{
    char sample[SAMPLE_MAX + 1];

    snprintf(sample, sizeof(sample), "%s", connection->reply != NULL ? connection->reply : "");
    fprintf(stderr, "helloctl: what answers at %s does not speak the control protocol, or broke off: ", path);
    quote_print(stderr, sample);
    fputc('\n', stderr);
    return ASK_STRANGE;
}

/* Shows the lines of "error" and the reason of a reply that ended with "failed". */
static enum ask_exit say_refused(struct connection *connection)
{
    static const char mark[] = "error ", failed[] = "failed";
    const char *reason = connection_verdict(connection) + strlen(failed);

    for (char *next, *line = strtok_r(connection->reply, "\n", &next); line != NULL;
         line = strtok_r(NULL, "\n", &next)) {
        if (strncmp(line, mark, strlen(mark)) != 0)
            continue;
        quote_show(stderr, line + strlen(mark));
        fputc('\n', stderr);
    }
    fputs("helloctl: the service refused:", stderr);
    quote_show(stderr, reason);
    fputc('\n', stderr);
    return ASK_REFUSED;
}

enum ask_exit ask_connect(struct connection *connection, const char *path)
{
    if (connection_open(connection, path, CONNECT_MS) == 0)
        return ASK_DONE;
    return errno == EAGAIN ? say_too_late(path, CONNECT_MS) : say_nobody(path, errno);
}

/* Reads until there is news or until DEADLINE_MS; CONNECTION_MORE: there was none. */
static enum connection_news read_until(struct connection *connection, uint64_t deadline_ms)
{
    struct pollfd poll_fd = {.fd = connection->fd, .events = POLLIN};
    enum connection_news news = CONNECTION_MORE;

    for (uint64_t now = clock_ms(); news == CONNECTION_MORE && now < deadline_ms; now = clock_ms())
        if (poll(&poll_fd, 1, (int) (deadline_ms - now)) > 0)
            news = connection_read(connection);
    return news;
}

enum ask_exit ask(struct connection *connection, const char *path, const char *command, unsigned wait_ms)
{
    if (connection_ask(connection, command) < 0)
        return say_nobody(path, errno);
    switch (read_until(connection, clock_ms() + wait_ms)) {
    case CONNECTION_OK:
        return ASK_DONE;
    case CONNECTION_FAILED:
        return say_refused(connection);
    case CONNECTION_GONE:
        return say_nobody(path, ECONNRESET);
    case CONNECTION_STRANGE:
        return ask_say_strange(connection, path);
    case CONNECTION_MORE:
        break;
    }
    return say_too_late(path, wait_ms);
}

enum ask_exit ask_end(struct connection *connection, const char *path, unsigned wait_ms)
{
    switch (read_until(connection, clock_ms() + wait_ms)) {
    case CONNECTION_GONE:
        return ASK_DONE;
    case CONNECTION_MORE:
        fprintf(stderr, "helloctl: the service at %s has not ended within %u s\n", path, wait_ms / 1000);
        return ASK_TOO_LATE;
    default:
        return ask_say_strange(connection, path);
    }
}
