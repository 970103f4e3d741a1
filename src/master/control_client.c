/* Reading lines from one client of the control socket and writing replies to it, never waiting. Must not know
 * what either says. */
#include "master/control_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum {
    ACCURACY_MS = 500,
    /* After signals, children and timers of the service: a client that talks without end delays none of
     * them. */
    PRIORITY = SD_EVENT_PRIORITY_NORMAL + 10
};

void control_client_close(struct control_client *client)
{
    client->io = sd_event_source_disable_unref(client->io);
    client->deadline = sd_event_source_disable_unref(client->deadline);
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
    free(client->out);
    client->out = NULL;
}

/* A length that the owner takes for a whole line, or for one too long; 0: neither is there yet. */
static size_t line_end(const struct control_client *client)
{
    const char *end = memchr(client->in, '\n', client->in_used);

    if (end != NULL)
        return (size_t) (end - client->in) + 1;
    return client->in_used == sizeof(client->in) ? sizeof(client->in) + 1 : 0;
}

/* Starts the deadline anew, for what the client is to do next. */
static int set_deadline(struct control_client *client)
{
    /* A line that is here already waits for the client to make room for the reply. */
    bool reads = client->out == NULL && line_end(client) == 0;
    uint64_t delay_ms = reads ? CONTROL_IDLE_MS : CONTROL_WRITE_MS;

    if (client->waiting || (client->patient && client->out == NULL))
        return sd_event_source_set_enabled(client->deadline, SD_EVENT_OFF);
    int result = sd_event_source_set_time_relative(client->deadline, delay_ms * 1000);
    return result < 0 ? result : sd_event_source_set_enabled(client->deadline, SD_EVENT_ONESHOT);
}

/* Asks for the event that is next in this state. A line that is already here asks for room to write: its turn
 * comes soon, but after that of others. */
static int set_events(struct control_client *client)
{
    uint32_t events = 0;

    if (!client->waiting)
        events = client->out != NULL || line_end(client) > 0 ? EPOLLOUT : EPOLLIN;
    return sd_event_source_set_io_events(client->io, events);
}

static void close_unless(struct control_client *client, bool fine)
{
    if (!fine)
        control_client_close(client);
}

void control_client_wait(struct control_client *client)
{
    client->waiting = true;
    close_unless(client, set_deadline(client) >= 0 && set_events(client) >= 0);
}

/* Writes what goes without waiting. Returns false when the connection is of no further use. */
static bool write_some(struct control_client *client)
{
    ssize_t sent = send(client->fd, client->out + client->out_sent, client->out_length - client->out_sent,
                        MSG_DONTWAIT | MSG_NOSIGNAL);

    if (sent < 0)
        return errno == EAGAIN || errno == EINTR;
    client->out_sent += (size_t) sent;
    if (client->out_sent < client->out_length)
        return true;
    free(client->out);
    client->out = NULL;
    return !client->last && set_deadline(client) >= 0;
}

void control_client_reply(struct control_client *client, char *text, size_t length, bool last)
{
    client->out = text;
    client->out_length = length;
    client->out_sent = 0;
    client->waiting = false;
    client->last = last;
    close_unless(client,
                 text != NULL && set_deadline(client) >= 0 && write_some(client) && set_events(client) >= 0);
}

/* Hands one line over. It is taken out of the buffer first, since the reply may end the connection. */
static void take_line(struct control_client *client, size_t end)
{
    char line[sizeof(client->in)];
    size_t taken = end <= client->in_used ? end : client->in_used;

    memcpy(line, client->in, taken);
    client->in_used -= taken;
    memmove(client->in, client->in + taken, client->in_used);
    client->on_line(client, line, end - 1);
}

/* Returns false when the connection has ended or failed. An unfinished line at its end is dropped: it may be
 * half of what was meant. */
static bool read_some(struct control_client *client)
{
    ssize_t got =
        recv(client->fd, client->in + client->in_used, sizeof(client->in) - client->in_used, MSG_DONTWAIT);

    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    client->in_used += (size_t) got;
    return got > 0 && set_deadline(client) >= 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct control_client *client = userdata;
    bool fine = true;

    (void) source;
    (void) fd;
    /* It has hung up: the only event while it waits for its reply. */
    if ((events & (EPOLLIN | EPOLLOUT)) == 0) {
        control_client_close(client);
        return 0;
    }
    if (client->out != NULL)
        fine = write_some(client);
    else if (line_end(client) == 0)
        fine = read_some(client);
    size_t end = fine && client->out == NULL ? line_end(client) : 0;
    if (end > 0)
        take_line(client, end);
    else
        close_unless(client, fine && set_events(client) >= 0);
    return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void) source;
    (void) usec;
    control_client_close(userdata);
    return 0;
}

int control_client_open(struct control_client *client, sd_event *event, int fd,
                        void (*on_line)(struct control_client *, const char *, size_t), void *owner)
{
    socklen_t length = sizeof(client->peer);

    *client = (struct control_client){.fd = fd, .on_line = on_line, .owner = owner};
    int result = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &client->peer, &length) < 0 ? -errno : 0;
    if (result >= 0)
        result = sd_event_add_io(event, &client->io, fd, EPOLLIN, on_io, client);
    if (result >= 0)
        result = sd_event_source_set_priority(client->io, PRIORITY);
    if (result >= 0)
        result = sd_event_add_time_relative(event, &client->deadline, CLOCK_MONOTONIC,
                                            UINT64_C(1000) * CONTROL_IDLE_MS, UINT64_C(1000) * ACCURACY_MS,
                                            on_deadline, client);
    if (result < 0)
        control_client_close(client);
    return result < 0 ? result : 0;
}
