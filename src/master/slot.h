/* A slot of the pool: a place for one worker, its process and the link to it. The only module that forks and
 * reaps.
 *
 * A slot is EMPTY until it is filled; then it is STARTING until the worker reports its loop over the link,
 * READY until it is told to go, then DRAINING and, when it says so, AWAY; from each of these a death leads
 * back to EMPTY. It knows nothing of its siblings, of generations, and of when it should be filled again. */
#ifndef HELLOD_MASTER_SLOT_H
#define HELLOD_MASTER_SLOT_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/fields.h"
#include "base/link.h"
#include "master/respawn.h"
#include "master/stuck.h"
#include "worker/plan.h"

enum slot_state {
    SLOT_EMPTY,
    SLOT_STARTING,
    SLOT_READY,
    SLOT_DRAINING, /* has been told to finish */
    SLOT_AWAY      /* and does not watch the listening sockets any more */
};

struct slot;

/* What a slot tells the pool. */
struct slot_events {
    void (*ready)(struct slot *slot);
    void (*failed)(struct slot *slot, const char *reason); /* it cannot start, and its death follows */
    void (*away)(struct slot *slot);
    void (*died)(struct slot *slot, const char *how, uint64_t lived_ms); /* it is empty; HOW in words */
};

struct slot {
    void *owner; /* for whoever gets the events */
    const struct slot_events *events;
    sd_event *event;
    const struct plan *plan;
    enum slot_state state;
    uint32_t number, generation;
    pid_t pid;
    int link; /* -1 when unset */
    sd_event_source *child_source, *link_source;
    uint64_t started_ms;
    struct respawn respawn;
    bool broke_out; /* its worker has told of a call that its sandbox forbids */
    bool tried;     /* a worker was forked into it, or could not be */
    bool killed;    /* its worker was killed from here */
    bool crashed;   /* the last one was killed, but not from here */
    struct stuck stuck;
};

/* The worker of SLOT, the last one if it is empty, for the log. */
static inline struct fields_worker slot_worker(const struct slot *slot)
{
    return (struct fields_worker){.slot = slot->number, .generation = slot->generation, .pid = slot->pid};
}

/* Forks a worker into SLOT, which is empty. Returns 0; or a negative errno, and then it is still empty. */
int slot_fill(struct slot *slot);

/* Tells the worker, if there is one, by WORD (LINK_DRAIN or LINK_STOP) to finish within DRAIN_MS from now;
 * also one that was told so before. ENDING is the text that goes with LINK_DRAIN. */
void slot_drain(struct slot *slot, enum link_word word, uint32_t drain_ms, const char *ending);

/* Says WORD with VALUE to the worker, if there is one. */
void slot_tell(const struct slot *slot, enum link_word word, uint32_t value);

/* Has no more to do with the worker, if there is one; it finishes when it sees the end of its link. */
void slot_abandon(struct slot *slot);

/* Kills the worker, if there is one. */
void slot_kill(struct slot *slot);

/* Notices a worker whose death nobody told of. Returns whether there was one; the slot is then empty. */
bool slot_find_dead(struct slot *slot);

/* Ends a worker that is stuck (stuck.h). Returns whether it is. */
bool slot_check_stuck(struct slot *slot);

#endif
