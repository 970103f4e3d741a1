/* The control socket seen from a client. Must not know what a reply says but for its last line. */
#include "ctl/connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static const char version[] = "1 ";

enum {
    QUESTION_MAX = 255 /* bytes with the newline */
};

static int connect_to(int fd, const char *path, unsigned wait_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    /* connect(2) waits for room in the queue for as long as a send would wait: socket(7). */
    struct timeval patience = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000L};

    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
        return -1;
    return connect(fd, (const struct sockaddr *) &address, sizeof(address));
}

int connection_open(struct connection *connection, const char *path, unsigned wait_ms)
{
    *connection = (struct connection){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (connection->fd < 0)
        return -1;
    connection->reply = malloc(CONNECTION_REPLY_MAX + 1);
    if (connection->reply != NULL && connect_to(connection->fd, path, wait_ms) == 0)
        return 0;
    int saved = errno;
    connection_close(connection);
    errno = saved;
    return -1;
}

static void forget(struct connection *connection)
{
    connection->used = connection->looked = 0;
    connection->complete = false;
}

int connection_ask(struct connection *connection, const char *command)
{
    char line[QUESTION_MAX + 1];
    int length = snprintf(line, sizeof(line), "%s%s\n", version, command);

    forget(connection);
    if (length > QUESTION_MAX) {
        errno = EMSGSIZE;
        return -1;
    }
    /* So short a line goes whole or not at all. Whoever closed before it perhaps said why: that is read. */
    if (send(connection->fd, line, (size_t) length, MSG_NOSIGNAL | MSG_DONTWAIT) == length)
        return 0;
    return errno == EPIPE ? 0 : -1;
}

/* Whether the LENGTH bytes at LINE, at least one, may be the beginning of a line of a reply: a word. */
static bool begins_with_word(const char *line, size_t length)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t word = 0;

    while (word < length && memchr(letters, line[word], sizeof(letters) - 1) != NULL)
        word++;
    return word > 0 && (word == length || line[word] == ' ');
}

/* Looks at the lines that are complete, up to the one that ends the reply. */
static enum connection_news look(struct connection *connection)
{
    char *line = connection->reply + connection->looked, *end = connection->reply + connection->used,
         *newline;

    for (; (newline = memchr(line, '\n', (size_t) (end - line))) != NULL; line = newline + 1) {
        size_t length = (size_t) (newline - line);
        bool ok = length == 2 && memcmp(line, "ok", 2) == 0;
        if (!begins_with_word(line, length))
            return CONNECTION_STRANGE;
        if (!ok && (length < 6 || memcmp(line, "failed", 6) != 0 || (length > 6 && line[6] != ' ')))
            continue;
        if (newline + 1 != end)
            return CONNECTION_STRANGE;
        connection->looked = (size_t) (line - connection->reply);
        connection->complete = true;
        return ok ? CONNECTION_OK : CONNECTION_FAILED;
    }
    connection->looked = (size_t) (line - connection->reply);
    /* Others may wait for more from us and never end a line, hellod's own greeting for one. */
    if (connection->used == CONNECTION_REPLY_MAX ||
        (line < end && !begins_with_word(line, (size_t) (end - line))))
        return CONNECTION_STRANGE;
    return CONNECTION_MORE;
}

enum connection_news connection_read(struct connection *connection)
{
    if (connection->complete)
        forget(connection);
    ssize_t got = recv(connection->fd, connection->reply + connection->used,
                       CONNECTION_REPLY_MAX - connection->used, MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return CONNECTION_MORE;
    if (got <= 0)
        return connection->used == 0 ? CONNECTION_GONE : CONNECTION_STRANGE;
    bool zero = memchr(connection->reply + connection->used, '\0', (size_t) got) != NULL;
    connection->used += (size_t) got;
    connection->reply[connection->used] = '\0';
    return zero ? CONNECTION_STRANGE : look(connection);
}

const char *connection_verdict(const struct connection *connection)
{
    connection->reply[connection->used - 1] = '\0';
    return connection->reply + connection->looked;
}

void connection_close(struct connection *connection)
{
    if (connection->fd >= 0)
        close(connection->fd);
    free(connection->reply);
    *connection = (struct connection){.fd = -1};
}
