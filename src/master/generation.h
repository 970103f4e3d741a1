/* One generation of workers: the slots for which its plan asks, and how they are filled, kept and emptied.
 *
 * It is STARTING until all of its workers are ready at once; then it is SERVING until it is told to finish,
 * and DRAINING until its last worker is gone. Of the FIRST one, before which there is none, a worker that
 * dies at its start is replaced once another has been ready; until then nothing is forked twice: if all die,
 * the reason will not go away by itself, and it has failed. A later one has failed with the first of its
 * workers that dies before all are ready, for there is one that serves. A generation does not know the
 * others. */
#ifndef HELLOD_MASTER_GENERATION_H
#define HELLOD_MASTER_GENERATION_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/link.h"
#include "master/slot.h"
#include "worker/plan.h"

enum generation_state {
    GENERATION_NONE,
    GENERATION_STARTING,
    GENERATION_SERVING,
    GENERATION_DRAINING
};

struct generation;

/* What a generation tells the pool. */
struct generation_events {
    void (*ready)(struct generation *generation);  /* it serves */
    void (*failed)(struct generation *generation); /* generation->reason says why */
    /* The worker in SLOT, told to finish, does not watch the listening sockets any more or is gone. */
    void (*left)(struct generation *generation, uint32_t slot);
    void (*empty)(struct generation *generation); /* told to finish, it has: comes after "left" */
};

struct generation {
    void *owner; /* for whoever gets the events */
    const struct generation_events *events;
    sd_event *event;
    enum generation_state state;
    uint32_t number;
    struct plan *plan;
    struct slot *slots; /* as many as the plan has workers */
    bool first;
    bool proved;                /* one of its workers has been ready */
    uint64_t deadline_ms;       /* of its drain */
    char reason[LINK_TEXT_MAX]; /* why a worker of it could not start */
    sd_event_source *timer;     /* for the next slot that waits, for its start, or for the kill at its end */
};

/* Forks the workers of GENERATION, whose first six members and plan, slots and first are set and whose other
 * members are zero. Sets the plan's wake_fds. What goes wrong is told by events, also from within. */
void generation_start(struct generation *generation);

/* Tells the workers by WORD (LINK_DRAIN or LINK_STOP) to finish within DRAIN_MS; those that are still there a
 * second later are killed. */
void generation_drain(struct generation *generation, enum link_word word, uint32_t drain_ms);

/* Says WORD with VALUE to all workers. */
void generation_tell(const struct generation *generation, enum link_word word, uint32_t value);

/* How many workers it has. */
unsigned generation_alive(const struct generation *generation);

/* How many connections they have. */
uint64_t generation_connections(const struct generation *generation);

/* Frees what it holds. Workers that are left finish by themselves. Its state is NONE afterwards. */
void generation_close(struct generation *generation);

#endif
