/* One transport of a ping: what was sent over it, what came back, and how long it took.
 *
 * The transports tell a side what has happened; it counts, measures and has it shown. It must not know
 * sockets. */
#ifndef HELLOD_CLIENT_PING_SIDE_H
#define HELLOD_CLIENT_PING_SIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/answer.h"
#include "client/histogram.h"
#include "client/ping_event.h"
#include "client/probes.h"

enum {
    PING_UNDER_WAY_MAX = 512, /* probes that wait for an answer at the same time, on each side */
    PING_ODD_LINES_MAX = 3    /* lines about what nobody asked for, until the next probe is sent */
};

struct ping_side {
    const char *transport; /* "tcp", "udp", "stream", "datagram" */
    bool is_stream;
    const struct ping_style *style;
    const struct answer_run *run;
    struct probes probes;
    uint64_t altered, foreign;
    bool hindered;      /* this system could not even send some probe */
    unsigned odd_lines; /* since the last probe was sent */
    struct histogram connect, greeting, answer,
        total; /* of the answers in time; the first three of streams */
};

/* A probe leaves at NOW_NS. Returns its number. */
uint32_t ping_side_send(struct ping_side *side, uint64_t now_ns);

/* The right answer to probe SEQ came at NOW_NS. Of TIMES, the total need not be set. */
void ping_side_answer(struct ping_side *side, uint32_t seq, uint64_t now_ns, struct ping_times times);

/* Probe SEQ, which was waiting, is lost: WHY, and what the server SAID instead, if anything. */
void ping_side_lose(struct ping_side *side, uint32_t seq, const char *why, struct ping_said said);

/* A datagram came that is no answer: KIND is ANSWER_ALTERED (SEQ may be 0) or ANSWER_FOREIGN. */
void ping_side_odd(struct ping_side *side, enum answer_kind kind, uint32_t seq, struct ping_said said);

#endif
