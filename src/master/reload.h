/* Reloading: from one world to the next, without a moment in which nobody serves.
 *
 * A reload is asked for, waits until there is room for one more generation, makes a world of the files as
 * they are then, and starts a generation in it. When that is ready the world has come into force; if anything
 * is wrong before, the one in force stays as it is. */
#ifndef HELLOD_MASTER_RELOAD_H
#define HELLOD_MASTER_RELOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <systemd/sd-event.h>
#include <time.h>

#include "base/scoreboard.h"
#include "master/control.h"
#include "master/pool.h"
#include "master/world.h"

enum {
    RELOAD_ASKER_MAX = 80,
    RELOAD_REASON_MAX = 256,
    RELOAD_SUMMARY_MAX = RELOAD_REASON_MAX + 64
};

enum reload_result {
    RELOAD_NONE, /* there was none yet */
    RELOAD_RUNNING,
    RELOAD_OK,
    RELOAD_FAILED
};

/* What a reload tells the master. */
struct reload_events {
    void (*begun)(void *owner);
    void (*ended)(void *owner); /* reload->result says how */
};

/* Of one master. Its owner sets the first group, which is owned from then on; the rest, zeroed at first, is
 * for others to read. */
struct reload {
    struct world_source source;
    struct pool *pool;
    struct control *control;
    struct scoreboard *scoreboard;
    struct reload_events events;
    void *owner;
    bool gave_up_root;
    struct world *current; /* in force */

    struct world *next;                            /* being started; NULL: none */
    struct world *before;                          /* whose workers leave; NULL: none */
    struct world *leaving[SCOREBOARD_GENERATIONS]; /* whose workers finish; NULL: none */
    sd_event_source *due, *patience;
    bool pending; /* one is asked for */
    bool stopped;
    char asker[RELOAD_ASKER_MAX];
    uint64_t number; /* of the last one that began */
    enum reload_result result;
    uint64_t ended_ms;                /* clock_ms() at its end */
    char reason[RELOAD_REASON_MAX];   /* the first thing that was wrong, "" if nothing was */
    char summary[RELOAD_SUMMARY_MAX]; /* for the status line; "" while there was none */
    FILE *errors;                     /* what is wrong is collected here while one runs */
    char *text;                       /* what was collected */
    size_t length;
};

/* Prepares for reloads on EVENT. Returns 0, or a negative errno. */
int reload_init(struct reload *reload, sd_event *event);

/* Asks for a reload on behalf of ASKER, in words. One that is asked for while one runs comes after it;
 * several such are one. Returns its number, with which control_reloaded() is called at its end, and never
 * before this returns. */
uint64_t reload_request(struct reload *reload, const char *asker);

/* To be called when the pool says that a generation after the first serves. */
void reload_on_ready(struct reload *reload);

/* To be called when the pool says that the workers of the generation before have left. */
void reload_on_switched(struct reload *reload);

/* To be called when the pool says that a generation after the first could not start, with its REASON. */
void reload_on_failed(struct reload *reload, const char *reason);

/* To be called when the pool says that no worker uses PLAN any longer. */
void reload_on_retired(struct reload *reload, const struct plan *plan);

/* The service stops: what runs or is asked for has failed, and the sockets of all worlds are closed. After
 * pool_drain(). */
void reload_stop(struct reload *reload);

/* Frees all worlds; all workers must be gone. */
void reload_close(struct reload *reload);

#endif
