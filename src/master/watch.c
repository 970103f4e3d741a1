/* The master's timers. Must not know what is done about a worker that is stuck, nor how the service manager
 * is told. */
#include "master/watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "master/notify.h"

enum {
    TICK_MS = 5000, /* an idle machine is not woken more often */
    STUCK_TICK_MS = 1000,
    ACCURACY_MS = 1000, /* and then together with others */
    WATCHDOG_ACCURACY_MS = 100
};

/* Starts, or starts again, a timer that is due in DELAY_MS. */
static int set_timer(sd_event *event, sd_event_source **source, uint64_t delay_ms, uint64_t accuracy_ms,
                     sd_event_time_handler_t handler, void *userdata)
{
    if (*source == NULL)
        return sd_event_add_time_relative(event, source, CLOCK_MONOTONIC, delay_ms * 1000, accuracy_ms * 1000,
                                          handler, userdata);
    int result = sd_event_source_set_time_relative(*source, delay_ms * 1000);
    return result < 0 ? result : sd_event_source_set_enabled(*source, SD_EVENT_ONESHOT);
}

const char *watch_status(struct watch *watch)
{
    uint64_t answers = scoreboard_total(watch->scoreboard, COUNTER_answers) +
                       scoreboard_total(watch->scoreboard, COUNTER_datagram_answers);

    snprintf(watch->status, sizeof(watch->status), "%u workers, %llu connections, %llu answers so far%s%s",
             pool_ready_count(watch->pool), (unsigned long long) scoreboard_live(watch->scoreboard),
             (unsigned long long) answers, watch->note[0] != '\0' ? "; " : "", watch->note);
    return watch->status;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct watch *watch = userdata;
    char before[WATCH_STATUS_MAX];

    (void) usec;
    log_tell_losses(scoreboard_total(watch->scoreboard, COUNTER_log_lost));
    uint64_t next_ms = pool_check(watch->pool) ? STUCK_TICK_MS : TICK_MS;
    memcpy(before, watch->status, sizeof(before));
    if (strcmp(watch_status(watch), before) != 0)
        notify_status(watch->status);
    return set_timer(sd_event_source_get_event(source), &watch->tick, next_ms, ACCURACY_MS, on_tick, watch);
}

static int on_watchdog(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct watch *watch = userdata;

    (void) usec;
    /* A master that cannot get rid of a stuck worker is not healthy, however lively it is itself. */
    if (pool_healthy(watch->pool))
        notify_alive();
    return set_timer(sd_event_source_get_event(source), &watch->watchdog, notify_interval_ms(),
                     WATCHDOG_ACCURACY_MS, on_watchdog, watch);
}

int watch_start(struct watch *watch, sd_event *event, struct pool *pool, const struct scoreboard *scoreboard,
                const char *note)
{
    uint64_t interval_ms = notify_interval_ms();

    watch->pool = pool;
    watch->scoreboard = scoreboard;
    watch->note = note;
    int result = set_timer(event, &watch->tick, TICK_MS, ACCURACY_MS, on_tick, watch);
    if (result < 0 || interval_ms == 0)
        return result;
    return set_timer(event, &watch->watchdog, interval_ms, WATCHDOG_ACCURACY_MS, on_watchdog, watch);
}

void watch_stop(struct watch *watch)
{
    watch->tick = sd_event_source_disable_unref(watch->tick);
    watch->watchdog = sd_event_source_disable_unref(watch->watchdog);
}
