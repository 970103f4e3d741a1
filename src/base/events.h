/* The events that an operator may look up: each has an id, by which the journal finds what the message
 * catalogue, systemd/hellod.catalog, says of it. Knows nothing of where lines go. */
#ifndef HELLOD_BASE_EVENTS_H
#define HELLOD_BASE_EVENTS_H

enum event {
    EVENT_NONE, /* a line that is for reading alone */
    EVENT_READY,
    EVENT_STOPPING,
    EVENT_CUT_SHORT,
    EVENT_RELOADING,
    EVENT_RELOADED,
    EVENT_RELOAD_FAILED,
    EVENT_LOG_LEVEL,
    EVENT_WORKER_DIED,
    EVENT_WORKER_LOST,
    EVENT_WORKER_STUCK,
    EVENT_SANDBOX_VIOLATION,
    EVENT_NOT_STARTED,
    EVENT_WORKER_NOT_STARTED,
    EVENT_WORKERS_KILLED,
    EVENT_MASTER_LOST,
    EVENT_MASTER_SHORT,
    EVENT_NO_CONTROL,
    EVENT_NO_FAMILY,
    EVENT_NOT_CONFINED,
    EVENT_NOT_STORED,
    EVENT_ACCEPT_PAUSED,
    EVENT_FULL,
    EVENT_TOO_MANY,
    EVENT_PENALTY,
    EVENT_OVER_RATE,
    EVENT_OVER_BUDGET,
    EVENT_LOG_LOST
};

/* The MESSAGE_ID of EVENT, 32 hexadecimal digits as in systemd.journal-fields(7); NULL for EVENT_NONE. */
const char *event_id(enum event event);

#endif
