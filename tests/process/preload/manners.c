/* Workers that behave badly, for a daemon that is started with LD_PRELOAD of this file's shared object.
 *
 * What is wanted is a file in the folder that HELLOD_MANNERS names. "spin.PID": worker PID spins instead of
 * waiting for events, and makes "on.PID" when it does; "deaf.PID": it ignores SIGABRT, too. "hold": one
 * worker renames it to "held" and waits in its set-up until that is gone. Each worker tells on standard error
 * what of the service manager its environment has when it first waits for events.
 *
 * Workers are the children of the first process. Knows nothing else of the daemon. */
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

static pid_t first;

__attribute__((constructor)) static void start(void)
{
    first = getpid();
}

/* True when the folder has a file NAME, or NAME.PID when PID is not 0; PATH has room for PATH_MAX and gets
 * its path. */
static bool is_wanted(const char *name, pid_t pid, char *path)
{
    const char *folder = getenv("HELLOD_MANNERS");

    if (folder == NULL)
        return false;
    if (pid != 0)
        snprintf(path, 4096, "%s/%s.%d", folder, name, (int) pid);
    else
        snprintf(path, 4096, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static void hold(void)
{
    char from[4096], to[4096];

    if (!is_wanted("hold", 0, from))
        return;
    is_wanted("held", 0, to);
    /* Of several workers that found it only one has it. */
    if (rename(from, to) < 0)
        return;
    while (access(to, F_OK) == 0)
        poll(NULL, 0, 1);
}

static void tell(void)
{
    static const char *const variables[] = {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC",
                                            "LISTEN_PID",    "LISTEN_FDS",   "LISTEN_FDNAMES"};
    char line[256];
    int length = snprintf(line, sizeof(line), "worker %d knows of the manager:", (int) getpid());

    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        if (getenv(variables[i]) != NULL)
            length += snprintf(line + length, sizeof(line) - (size_t) length, " %s", variables[i]);
    line[length++] = '\n';
    (void) !write(STDERR_FILENO, line, (size_t) length);
}

static void spin(void)
{
    char path[4096], mark[4096];
    bool deaf = is_wanted("deaf", getpid(), path);

    if (!deaf && !is_wanted("spin", getpid(), path))
        return;
    if (deaf)
        signal(SIGABRT, SIG_IGN);
    is_wanted("on", getpid(), mark);
    close(open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
    /* Nearly all in our own code, as a loop gone wrong would be, and with an end for a test that gives up. */
    while (access(path, F_OK) == 0)
        for (volatile unsigned i = 0; i < 1000000; i++)
            ;
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library's own names are reserved
 * ones. */

int epoll_create1(int flags)
{
    static int (*real)(int);

    if (getpid() != first)
        hold();
    if (real == NULL)
        *(void **) (void *) &real = dlsym(RTLD_NEXT, "epoll_create1");
    return real(flags);
}

int epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
{
    static int (*real)(int, struct epoll_event *, int, int);
    static pid_t told; /* a child has its parent's copy */

    if (getpid() != first) {
        if (told != getpid())
            tell();
        told = getpid();
        spin();
    }
    if (real == NULL)
        *(void **) (void *) &real = dlsym(RTLD_NEXT, "epoll_wait");
    return real(epoll, events, count, timeout);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
