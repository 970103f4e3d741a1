/* Messages to the service manager. Knows their form, and not when they are due. */
#include "master/notify.h"

#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>

/* A failure to notify is not acted on anywhere: who waits for the message times out and says so. */

void notify_ready(const char *status)
{
    sd_notifyf(0, "READY=1\nWATCHDOG=1\nSTATUS=%s", status);
}

void notify_reloading(const char *status)
{
    struct timespec now;

    /* The time, in the same datagram, tells the manager that this answers its request and no earlier one. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=%s",
               (unsigned long long) now.tv_sec * 1000000 + (unsigned long long) now.tv_nsec / 1000, status);
}

void notify_status(const char *status)
{
    sd_notifyf(0, "STATUS=%s", status);
}

void notify_stopping(const char *status, uint32_t extend_ms)
{
    sd_notifyf(0, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%llu\nSTATUS=%s", (unsigned long long) extend_ms * 1000,
               status);
}

void notify_failed(const char *status, int exit_code)
{
    sd_notifyf(0, "EXIT_STATUS=%d\nSTATUS=%s", exit_code, status);
}

void notify_alive(void)
{
    sd_notify(0, "WATCHDOG=1");
}

uint64_t notify_interval_ms(void)
{
    uint64_t usec = 0;

    return sd_watchdog_enabled(0, &usec) > 0 ? usec / 3000 : 0;
}

void notify_forget(void)
{
    static const char *const variables[] = {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC",
                                            "LISTEN_PID",    "LISTEN_FDS",   "LISTEN_FDNAMES"};

    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        unsetenv(variables[i]);
}
