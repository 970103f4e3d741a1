/* What the service manager is told, by the master alone: sd_notify(3). Does nothing when nobody listens.
 *
 * The only module, besides the listeners, that sees sd-daemon. It must not know what makes the service ready
 * or healthy. */
#ifndef HELLOD_MASTER_NOTIFY_H
#define HELLOD_MASTER_NOTIFY_H

#include <stdint.h>

/* The service is up; STATUS is one line for `systemctl status`. The first sign of life for the watchdog goes
 * with it. */
void notify_ready(const char *status);

/* The service reads its configuration again; notify_ready() says when that is over, whichever its end. */
void notify_reloading(const char *status);

/* STATUS has changed. */
void notify_status(const char *status);

/* The service begins to stop, and may take EXTEND_MS from now until it says so again. */
void notify_stopping(const char *status, uint32_t extend_ms);

/* The service ends with EXIT_CODE, which is not 0, for the reason in STATUS. */
void notify_failed(const char *status, int exit_code);

/* A sign of life. */
void notify_alive(void);

/* How often notify_alive() is wanted, in milliseconds; 0: nobody waits for it. A third of what
 * sd_watchdog_enabled(3) says, so that one lost or late sign ends nothing. */
uint64_t notify_interval_ms(void);

/* Forgets, in a worker, that there is a service manager: it must not hear of a worker (failure 28). */
void notify_forget(void);

#endif
