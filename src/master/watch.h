/* What the master does from time to time: look after its workers, refresh the status line, show the watchdog
 * that it lives. */
#ifndef HELLOD_MASTER_WATCH_H
#define HELLOD_MASTER_WATCH_H

#include <systemd/sd-event.h>

#include "base/scoreboard.h"
#include "master/pool.h"

enum {
    WATCH_STATUS_MAX = 512 /* bytes of a status line, its NUL included */
};

/* Of one master; zeroed before watch_start(). */
struct watch {
    struct pool *pool;
    const struct scoreboard *scoreboard;
    const char *note; /* ends the status line, "" does not */
    sd_event_source *tick, *watchdog;
    char status[WATCH_STATUS_MAX]; /* as it was told last */
};

/* Starts the timers on EVENT. POOL, SCOREBOARD and NOTE, which may change, must outlive WATCH. Returns 0, or
 * a negative errno. */
int watch_start(struct watch *watch, sd_event *event, struct pool *pool, const struct scoreboard *scoreboard,
                const char *note);

/* Writes the status line of this moment to watch->status and returns it. */
const char *watch_status(struct watch *watch);

/* Stops the timers; fine on one that was never started. */
void watch_stop(struct watch *watch);

#endif
