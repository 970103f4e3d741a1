/* Probes as connections: each connects, says its name, and waits for the greeting and the answer.
 *
 * There are services that do not greet, so the name does not wait for a greeting before a service has said
 * something that may have been one. Then it does: what comes together cannot be told, nor timed, apart. */
#ifndef HELLOD_CLIENT_PING_STREAM_H
#define HELLOD_CLIENT_PING_STREAM_H

#include <poll.h>

#include "client/ping_side.h"
#include "client/target.h"

enum {
    PING_STREAM_ROOM = 2048 /* bytes that a server may say to one probe, its greeting included */
};

enum ping_stage {
    PING_STAGE_FREE,
    PING_STAGE_CONNECT,
    PING_STAGE_GREETING, /* nothing has come */
    PING_STAGE_ANSWER    /* the greeting, or some of the answer, is there */
};

/* Whether the service speaks first. */
enum ping_greets {
    PING_GREETS_UNKNOWN,
    PING_GREETS,
    PING_GREETS_NOT /* an answer came without a greeting, or one was waited for in vain */
};

struct ping_call {
    int fd;
    enum ping_stage stage;
    bool said; /* the name is */
    uint32_t seq;
    uint64_t began_ns, connected_ns, heard_ns; /* heard_ns: the first word */
    size_t unasked;                            /* bytes that had come before the name was said */
    size_t length;
    char data[PING_STREAM_ROOM + 1]; /* all that the server has said, and a NUL */
};

struct ping_stream {
    struct ping_side *side;
    const struct target *target;
    unsigned index; /* of the address */
    enum ping_greets greets;
    int type; /* SOCK_STREAM, or SOCK_SEQPACKET, which only paths have */
    struct ping_call calls[PING_UNDER_WAY_MAX];
};

/* Makes STREAM, all zero bytes before, ready for address INDEX of TARGET, which must outlive it. */
void ping_stream_open(struct ping_stream *stream, struct ping_side *side, const struct target *target,
                      unsigned index);

/* Begins the next probe. At most PING_UNDER_WAY_MAX may be waiting. */
void ping_stream_send(struct ping_stream *stream);

/* Writes to FDS (room for PING_UNDER_WAY_MAX) what is waited for; returns how many. */
unsigned ping_stream_watch(struct ping_stream *stream, struct pollfd *fds);

/* Takes what poll(2) has found on the COUNT FDS that ping_stream_watch() wrote. */
void ping_stream_ready(struct ping_stream *stream, const struct pollfd *fds, unsigned count);

/* Gives up probe SEQ, which the side has given up: no answer in time. */
void ping_stream_expire(struct ping_stream *stream, uint32_t seq);

/* Closes all connections; fine on one that was only zeroed. */
void ping_stream_close(struct ping_stream *stream);

#endif
