/* The clients of the control socket, and what is done with their requests. Bounded by the fixed table of
 * clients and by one reply each. */
#include "master/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "master/control_client.h"
#include "master/control_socket.h"
#include "master/request.h"

enum {
    PAUSE_MS = 1000, /* after an accept that failed for want of something */
    ACCURACY_MS = 100,
    PRIORITY = SD_EVENT_PRIORITY_NORMAL + 10 /* as its clients have, after all that the service needs */
};

struct listening {
    struct control_socket socket;
    sd_event_source *io; /* NULL: there is no socket */
};

struct control {
    sd_event *event;
    const struct control_events *events;
    void *owner;
    struct listening listening;
    sd_event_source *pause;
    struct log_limit limit;
    struct control_client clients[CONTROL_CLIENTS_MAX];
    uint64_t heard;    /* counts what clients said */
    uint64_t reloaded; /* the number of the last reload that has ended */
    bool failed;       /* whether it has, and its errors; they may be missing when memory is short */
    char *errors;
};

/* A reply while it is written. */
struct reply {
    FILE *stream;
    char *text;
    size_t length;
};

/* ---- Requests ---- */

static void send_reply(struct control_client *client, struct reply *reply, bool last)
{
    bool failed = ferror(reply->stream) != 0;

    if (fclose(reply->stream) != 0 || failed) {
        free(reply->text);
        reply->text = NULL;
    }
    control_client_reply(client, reply->text, reply->length, last);
}

/* The reply to the reload that ended last. */
static void print_reloaded(FILE *out, const struct control *control)
{
    const char *errors = control->errors != NULL ? control->errors : "";

    if (!control->failed) {
        fputs("ok\n", out);
        return;
    }
    while (*errors != '\0') {
        size_t length = strcspn(errors, "\n");
        if (length > 0)
            fprintf(out, "error %.*s\n", (int) length, errors);
        errors += length + (errors[length] == '\n' ? 1 : 0);
    }
    fputs("failed the configuration in force stays\n", out);
}

static void reload(struct control_client *client, FILE *out)
{
    struct control *control = client->owner;
    uint64_t number = control->events->reload(control->owner, &client->peer);

    if (number <= control->reloaded)
        print_reloaded(out, control);
    else
        client->awaited = number;
}

/* Does what is asked and writes the reply, unless that is to come later. */
static void obey(struct control_client *client, const struct request *request, FILE *out)
{
    struct control *control = client->owner;

    switch (request->command) {
    case REQUEST_RELOAD:
        reload(client, out);
        return;
    case REQUEST_STATUS:
        control->events->status(control->owner, out);
        break;
    case REQUEST_STOP:
        client->patient = true;
        control->events->stop(control->owner, &client->peer);
        break;
    case REQUEST_LOG_LEVEL:
        control->events->set_log_level(control->owner, request->level, &client->peer);
        break;
    case REQUEST_HELP:
        request_help(out);
        break;
    }
    fputs("ok\n", out);
}

static void on_line(struct control_client *client, const char *line, size_t length)
{
    struct control *control = client->owner;
    struct reply reply = {0};
    struct request request;
    const char *problem;

    client->heard = ++control->heard;
    reply.stream = open_memstream(&reply.text, &reply.length);
    if (reply.stream == NULL) {
        control_client_close(client);
        return;
    }
    enum request_result result = request_parse(line, length, &request, &problem);
    if (result == REQUEST_OK)
        obey(client, &request, reply.stream);
    else
        fprintf(reply.stream, "failed %s\n", problem);
    if (client->awaited == 0) {
        send_reply(client, &reply, result == REQUEST_FATAL);
        return;
    }
    fclose(reply.stream);
    free(reply.text);
    control_client_wait(client);
}

static void answer_reload(struct control_client *client)
{
    struct reply reply = {0};

    client->awaited = 0;
    reply.stream = open_memstream(&reply.text, &reply.length);
    if (reply.stream == NULL) {
        control_client_close(client);
        return;
    }
    print_reloaded(reply.stream, client->owner);
    send_reply(client, &reply, false);
}

void control_reloaded(struct control *control, uint64_t number, const char *errors)
{
    control->reloaded = number;
    control->failed = errors != NULL;
    free(control->errors);
    control->errors = errors != NULL ? strdup(errors) : NULL;
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct control_client *client = &control->clients[i];
        if (client->fd >= 0 && client->awaited > 0 && client->awaited <= number)
            answer_reload(client);
    }
}

/* ---- Connections ---- */

/* A place for a new client: a free one, or that of who was silent longest and waits for nothing. NULL when
 * all wait. */
static struct control_client *find_place(struct control *control)
{
    struct control_client *place = NULL;

    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct control_client *client = &control->clients[i];
        if (client->fd < 0)
            return client;
        if (!client->waiting && !client->patient && (place == NULL || client->heard < place->heard))
            place = client;
    }
    return place;
}

static void take_client(struct control *control, int fd)
{
    static const char full[] = "failed too many clients\n";
    struct control_client *client = find_place(control);

    if (client == NULL) {
        send(fd, full, sizeof(full) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        close(fd);
        return;
    }
    control_client_close(client);
    if (control_client_open(client, control->event, fd, on_line, control) == 0)
        client->heard = ++control->heard;
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct control *control = userdata;

    (void) source;
    (void) usec;
    if (control->listening.io != NULL)
        sd_event_source_set_enabled(control->listening.io, SD_EVENT_ON);
    return 0;
}

/* The connection stays in the queue and would be announced again at once: that would be a spin. */
static void pause_accepting(struct control *control, int error)
{
    if (log_allowed(&control->limit, clock_ms()))
        log_event(LOG_LEVEL_WARNING, EVENT_MASTER_SHORT, NULL, "control socket: accept: %s", strerror(error));
    if (sd_event_source_set_time_relative(control->pause, UINT64_C(1000) * PAUSE_MS) >= 0 &&
        sd_event_source_set_enabled(control->pause, SD_EVENT_ONESHOT) >= 0)
        sd_event_source_set_enabled(control->listening.io, SD_EVENT_OFF);
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct control *control = userdata;
    int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void) source;
    (void) events;
    if (client >= 0)
        take_client(control, client);
    else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        pause_accepting(control, errno);
    return 0;
}

/* ---- The whole ---- */

/* Returns 0, or -1 after logging. */
static int watch_socket(struct control *control, struct listening *listening)
{
    if (listening->socket.fd < 0)
        return 0;
    int result = sd_event_add_io(control->event, &listening->io, listening->socket.fd, EPOLLIN, on_connection,
                                 control);
    if (result >= 0)
        result = sd_event_source_set_priority(listening->io, PRIORITY);
    if (result < 0)
        log_error("control socket: %s", strerror(-result));
    return result < 0 ? -1 : 0;
}

static void close_listening(struct listening *listening)
{
    listening->io = sd_event_source_disable_unref(listening->io);
    control_socket_close(&listening->socket);
}

int control_open(struct control *control, const struct config *config)
{
    struct listening next = {0};

    /* Both are "" where there is no socket and none is wanted. */
    if (strcmp(control->listening.socket.path.path, config->control) == 0)
        return 0;
    if (control_socket_open(&next.socket, config) < 0)
        return -1;
    if (watch_socket(control, &next) < 0) {
        close_listening(&next);
        return -1;
    }
    close_listening(&control->listening);
    control->listening = next;
    return 0;
}

/* Made before it is needed: a timer may take a descriptor, and it is needed when there is none. */
static int make_pause(struct control *control)
{
    int result = sd_event_add_time_relative(control->event, &control->pause, CLOCK_MONOTONIC,
                                            UINT64_C(1000) * PAUSE_MS, UINT64_C(1000) * ACCURACY_MS,
                                            on_pause_over, control);

    return result < 0 ? result : sd_event_source_set_enabled(control->pause, SD_EVENT_OFF);
}

struct control *control_new(sd_event *event, const struct control_events *events, void *owner)
{
    struct control *control = calloc(1, sizeof(*control));

    if (control == NULL)
        return NULL;
    control->event = sd_event_ref(event);
    control->events = events;
    control->owner = owner;
    control->listening.socket.fd = -1;
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
        control->clients[i].fd = -1;
    int result = make_pause(control);
    if (result >= 0)
        return control;
    control_free(control);
    errno = -result;
    return NULL;
}

void control_free(struct control *control)
{
    if (control == NULL)
        return;
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
        control_client_close(&control->clients[i]);
    close_listening(&control->listening);
    sd_event_source_disable_unref(control->pause);
    sd_event_unref(control->event);
    free(control->errors);
    free(control);
}
