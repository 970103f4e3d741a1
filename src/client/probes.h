/* What became of each probe: answered in time, late, twice, out of order, or lost.
 *
 * The last PROBES_MAX probes are remembered, in a fixed piece of memory; all zero bytes are none. Pure: times
 * come from the caller. It must not know what a probe is made of. */
#ifndef HELLOD_CLIENT_PROBES_H
#define HELLOD_CLIENT_PROBES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PROBES_MAX = 4096
};

enum probe_state {
    PROBE_WAITING,
    PROBE_ANSWERED, /* in time */
    PROBE_LOST,
    PROBE_LATE /* was lost, and then answered */
};

/* What an answer is to its probe. */
enum probe_verdict {
    PROBE_FIRST,     /* in time */
    PROBE_REORDERED, /* in time, but after the answer to a later probe (RFC 4737, section 3) */
    PROBE_TOO_LATE,  /* after the probe was given up */
    PROBE_DOUBLED,   /* not the first one */
    PROBE_UNKNOWN    /* to a probe that was not sent, or so long ago that nothing is known of it */
};

struct probes {
    uint32_t sent;                                              /* their number; probes are numbered from 1 */
    uint32_t waiting, answered, lost, late, doubled, reordered; /* late ones are among the lost */
    uint32_t oldest;                                            /* no probe up to this one is waiting */
    uint32_t newest_answered;
    struct probe {
        uint64_t sent_ns;
        enum probe_state state;
    } ring[PROBES_MAX];
};

/* A probe leaves at NOW_NS; returns its number. At most PROBES_MAX may be waiting. */
uint32_t probes_send(struct probes *probes, uint64_t now_ns);

/* An answer to probe SEQ, any number, has come at NOW_NS. Sets *TOOK_NS since the probe left; not for
 * PROBE_UNKNOWN. */
enum probe_verdict probes_answer(struct probes *probes, uint32_t seq, uint64_t now_ns, uint64_t *took_ns);

/* Probe SEQ has failed, without any answer to wait for. Returns whether it was waiting. */
bool probes_fail(struct probes *probes, uint32_t seq);

/* Gives up the oldest probe that is still waiting, if it left at or before SENT_NS. Returns its number, or 0;
 * for a loop. */
uint32_t probes_expire(struct probes *probes, uint64_t sent_ns);

/* When the oldest probe that is still waiting left; UINT64_MAX when none is. */
uint64_t probes_oldest_ns(const struct probes *probes);

#endif
