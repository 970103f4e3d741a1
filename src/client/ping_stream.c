/* Probes as connections. Must not know when they are sent, or how long one waits for them. */
#include "client/ping_stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/dial.h"
#include "client/show.h"
#include "protocol/protocol.h"

void ping_stream_open(struct ping_stream *stream, struct ping_side *side, const struct target *target,
                      unsigned index)
{
    stream->side = side;
    stream->target = target;
    stream->index = index;
    stream->type = SOCK_STREAM;
}

static void end(struct ping_call *call)
{
    close(call->fd);
    call->stage = PING_STAGE_FREE;
}

void ping_stream_close(struct ping_stream *stream)
{
    for (unsigned i = 0; i < PING_UNDER_WAY_MAX; i++)
        if (stream->calls[i].stage != PING_STAGE_FREE)
            end(&stream->calls[i]);
}

/* Whether what has come is no greeting, but a sentence with which hellod refuses service. */
static bool is_refused(const struct ping_call *call)
{
    size_t length = call->length;

    while (length > 0 && (call->data[length - 1] == '\n' || call->data[length - 1] == '\r'))
        length--;
    return show_is_refusal(call->data, length);
}

/* The length of what ends the line at the beginning of the LENGTH bytes at DATA, 0 if nothing does. */
static size_t line_end(const char *data, size_t length)
{
    if (length > 0 && data[0] == '\n')
        return 1;
    return length > 1 && data[0] == '\r' && data[1] == '\n' ? 2 : 0;
}

/* How much of what has come to no answer is a greeting. The built-in one ends where it ends. Other words are
 * one if they came before the name was said; else, unless there is something of ours in them, their first
 * line is. */
static size_t measure_greeting(const struct ping_stream *stream, const struct ping_call *call)
{
    struct span prompt = protocol_greeting.defaults->prompt;
    size_t before;

    if (call->length >= prompt.length && memcmp(call->data, prompt.data, prompt.length) == 0)
        return prompt.length + line_end(call->data + prompt.length, call->length - prompt.length);
    if (call->unasked > 0)
        return call->unasked;
    if (stream->greets == PING_GREETS_NOT ||
        answer_read_stream(stream->side->run, call->seq, call->data, call->length, &before) != ANSWER_FOREIGN)
        return 0;
    const char *newline = memchr(call->data, '\n', call->length);
    return newline == NULL ? call->length : (size_t) (newline - call->data) + 1;
}

/* The connection ends without the right answer, because of WHY; its probe has been counted as lost. */
static void tell_loss(struct ping_stream *stream, struct ping_call *call, const char *why)
{
    struct ping_side *side = stream->side;
    size_t before, greeting = measure_greeting(stream, call);

    /* A refusal or a greeting is no answer, whatever it says. */
    if (call->length > greeting && !is_refused(call)) {
        bool altered =
            answer_read_stream(side->run, call->seq, call->data, call->length, &before) == ANSWER_ALTERED;
        side->altered += altered;
        side->foreign += !altered;
    }
    /* The next probe may find out what is a greeting of this. */
    if (greeting > 0 && stream->greets == PING_GREETS_UNKNOWN && !is_refused(call))
        stream->greets = PING_GREETS;
    ping_side_lose(side, call->seq, why, (struct ping_said){call->data, call->length});
    end(call);
}

static void lose(struct ping_stream *stream, struct ping_call *call, const char *why)
{
    probes_fail(&stream->side->probes, call->seq);
    tell_loss(stream, call, why);
}

void ping_stream_expire(struct ping_stream *stream, uint32_t seq)
{
    static const char *const why[] = {
        [PING_STAGE_CONNECT] = "no connection in time",
        [PING_STAGE_GREETING] = "neither greeting nor answer in time",
        [PING_STAGE_ANSWER] = "no answer in time",
    };

    for (unsigned i = 0; i < PING_UNDER_WAY_MAX; i++) {
        struct ping_call *call = &stream->calls[i];
        if (call->stage == PING_STAGE_FREE || call->seq != seq)
            continue;
        if (call->stage == PING_STAGE_GREETING) /* it may greet no more */
            stream->greets = PING_GREETS_NOT;
        tell_loss(stream, call, why[call->stage]);
    }
}

static struct ping_call *find_free(struct ping_stream *stream)
{
    struct ping_call *call = stream->calls;

    while (call->stage != PING_STAGE_FREE)
        call++;
    return call;
}

void ping_stream_send(struct ping_stream *stream)
{
    struct ping_call *call = find_free(stream);
    uint64_t now_ns = clock_ns();
    uint32_t seq = ping_side_send(stream->side, now_ns);
    int fd = dial_start(stream->target, stream->index, stream->type);

    /* An abstract name is looked up by type: who is there with another one is not found. */
    if (fd < 0 && stream->target->port == 0 && (errno == EPROTOTYPE || errno == ECONNREFUSED)) {
        int other = stream->type == SOCK_STREAM ? SOCK_SEQPACKET : SOCK_STREAM;
        fd = dial_start(stream->target, stream->index, other);
        stream->type = fd < 0 ? stream->type : other;
    }
    if (fd < 0) {
        int error = errno;
        stream->side->hindered = stream->side->hindered || dial_error_is_ours(error);
        probes_fail(&stream->side->probes, seq);
        ping_side_lose(stream->side, seq, strerror(error), (struct ping_said){NULL, 0});
        return;
    }
    call->fd = fd;
    call->stage = PING_STAGE_CONNECT;
    call->seq = seq;
    call->began_ns = now_ns;
    call->length = call->unasked = 0;
    call->said = false;
    call->data[0] = '\0';
}

/* Says the name without a line ending and that there will be no more: that is a whole message in every
 * framing.
 */
static void say_name(struct ping_stream *stream, struct ping_call *call)
{
    char name[ANSWER_NAME_MAX];
    size_t length = answer_name(stream->side->run, call->seq, name);

    call->said = true;
    call->unasked = call->length;
    /* If the server is gone, the next receive tells, after all that it has said. */
    if (send(call->fd, name, length, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t) length)
        shutdown(call->fd, SHUT_WR);
}

static void take_connection(struct ping_stream *stream, struct ping_call *call, uint64_t now_ns)
{
    int error = 0;

    if (getsockopt(call->fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof(error)}) < 0)
        error = errno;
    if (error != 0) {
        lose(stream, call, strerror(error));
        return;
    }
    call->connected_ns = now_ns;
    call->stage = PING_STAGE_GREETING;
    if (stream->greets != PING_GREETS)
        say_name(stream, call);
}

/* Reads what has come; the call may be over then. Returns whether there was something. */
static bool hear(struct ping_stream *stream, struct ping_call *call)
{
    ssize_t got = recv(call->fd, call->data + call->length, PING_STREAM_ROOM - call->length, MSG_DONTWAIT);

    if (got > 0) {
        call->length += (size_t) got;
        call->data[call->length] = '\0';
        return true;
    }
    if (got == 0)
        lose(stream, call, "closed by the server");
    else if (errno != EAGAIN)
        lose(stream, call, strerror(errno));
    return false;
}

/* Ends the call if the answer is there. Returns whether it was. */
static bool take_answer(struct ping_stream *stream, struct ping_call *call, uint64_t now_ns)
{
    struct ping_side *side = stream->side;
    struct ping_times times = {.connect_ns = call->connected_ns - call->began_ns};
    size_t greeting;

    if (answer_read_stream(side->run, call->seq, call->data, call->length, &greeting) != ANSWER_RIGHT)
        return false;
    times.greeted = greeting > 0;
    stream->greets = times.greeted ? PING_GREETS : PING_GREETS_NOT;
    times.greeting_ns = times.greeted ? call->heard_ns - call->connected_ns : 0;
    times.answer_ns = now_ns - call->connected_ns - times.greeting_ns;
    ping_side_answer(side, call->seq, now_ns, times);
    end(call);
    return true;
}

static void ready(struct ping_stream *stream, struct ping_call *call)
{
    uint64_t now_ns = clock_ns();

    if (call->stage == PING_STAGE_CONNECT) {
        take_connection(stream, call, now_ns);
        return;
    }
    if (!hear(stream, call))
        return;
    bool is_first = call->stage == PING_STAGE_GREETING;
    if (is_first) {
        call->heard_ns = now_ns;
        call->stage = PING_STAGE_ANSWER;
    }
    if (take_answer(stream, call, now_ns))
        return;
    if (call->length == PING_STREAM_ROOM)
        lose(stream, call, "it says too much");
    else if (is_first && is_refused(call))
        lose(stream, call, "refused");
    else if (!call->said)
        say_name(stream, call);
}

unsigned ping_stream_watch(struct ping_stream *stream, struct pollfd *fds)
{
    unsigned count = 0;

    for (unsigned i = 0; i < PING_UNDER_WAY_MAX; i++) {
        const struct ping_call *call = &stream->calls[i];
        short events = call->stage == PING_STAGE_CONNECT ? POLLOUT : POLLIN;
        if (call->stage != PING_STAGE_FREE)
            fds[count++] = (struct pollfd){.fd = call->fd, .events = events};
    }
    return count;
}

void ping_stream_ready(struct ping_stream *stream, const struct pollfd *fds, unsigned count)
{
    const struct pollfd *end_of_fds = fds + count;

    /* Both are in the order of the calls. */
    for (struct ping_call *call = stream->calls; fds < end_of_fds; call++) {
        if (call->stage == PING_STAGE_FREE)
            continue;
        if (fds++->revents != 0)
            ready(stream, call);
    }
}
