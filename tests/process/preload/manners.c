/* Workers that behave badly, for a daemon that is started with LD_PRELOAD of this file's shared object.
 *
 * HELLOD_MANNERS names a file, made when it is not there, that is mapped at the start and shared with whoever
 * wants something: numbers of 32 bits each, as in struct wishes. Each worker tells on standard error what of
 * the service manager its environment has when it first waits for events.
 *
 * Workers are the children of the first process. They may be confined: once they serve, this asks the kernel
 * for nothing but to write that line and, when they are aborted, to be ended. Knows nothing of the daemon. */
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    SPINNERS = 8
};

enum hold { /* wishes.hold: one worker that finds HOLD_WANTED waits in its set-up while it is HOLD_ON */
    HOLD_NONE,
    HOLD_WANTED,
    HOLD_ON
};

struct wishes {
    _Atomic int hold;
    struct {
        _Atomic int pid;  /* this worker spins instead of waiting for events, until it is 0 again */
        _Atomic int deaf; /* not 0: and ignores SIGABRT */
        _Atomic int on;   /* set to 1 when it does */
    } spin[SPINNERS];
};

static struct wishes *wishes; /* or NULL */
static pid_t worker;          /* our process ID if we are one, or 0 */

static void become_worker(void)
{
    worker = getpid();
}

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("HELLOD_MANNERS");
    int fd = path != NULL ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666) : -1;

    pthread_atfork(NULL, NULL, become_worker);
    if (fd < 0)
        return;
    if (ftruncate(fd, sizeof(struct wishes)) == 0)
        wishes = mmap(NULL, sizeof(struct wishes), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (wishes == MAP_FAILED)
        wishes = NULL;
    close(fd);
}

/* The number among the spinners that this worker has, or -1. */
static int spinner(void)
{
    for (int i = 0; wishes != NULL && i < SPINNERS; i++)
        if (wishes->spin[i].pid == worker)
            return i;
    return -1;
}

/* Nearly all in our own code, as a loop gone wrong would be, and with an end for a test that gives up. */
static void spin(int number)
{
    while (wishes->spin[number].pid == worker)
        for (volatile unsigned i = 0; i < 1000000; i++)
            ;
}

/* A deaf worker spins here, where the signal is blocked; any other one ends by it, since it has its default
 * effect from the first time on. */
static void on_abort(int signal_number)
{
    int number = spinner();

    if (number >= 0 && wishes->spin[number].deaf)
        spin(number);
    else
        raise(signal_number);
}

static void set_up(void)
{
    struct sigaction action = {.sa_handler = on_abort, .sa_flags = (int) SA_RESETHAND};
    int wanted = HOLD_WANTED;

    sigaction(SIGABRT, &action, NULL);
    /* Of several workers that find it only one has it. */
    if (wishes == NULL || !atomic_compare_exchange_strong(&wishes->hold, &wanted, HOLD_ON))
        return;
    while (wishes->hold == HOLD_ON)
        poll(NULL, 0, 1);
}

static void tell(void)
{
    static const char *const variables[] = {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC",
                                            "LISTEN_PID",    "LISTEN_FDS",   "LISTEN_FDNAMES"};
    char line[256];
    int length = snprintf(line, sizeof(line), "worker %d knows of the manager:", (int) worker);

    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        if (getenv(variables[i]) != NULL)
            length += snprintf(line + length, sizeof(line) - (size_t) length, " %s", variables[i]);
    line[length++] = '\n';
    (void) !write(STDERR_FILENO, line, (size_t) length);
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library's own names are reserved
 * ones. */

static int (*real_epoll_create1)(int);
static int (*real_epoll_wait)(int, struct epoll_event *, int, int);

__attribute__((constructor)) static void find(void)
{
    /* POSIX wants this to work, ISO C has no word for it. */
    *(void **) (void *) &real_epoll_create1 = dlsym(RTLD_NEXT, "epoll_create1");
    *(void **) (void *) &real_epoll_wait = dlsym(RTLD_NEXT, "epoll_wait");
}

int epoll_create1(int flags)
{
    if (worker != 0)
        set_up();
    return real_epoll_create1(flags);
}

int epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
{
    static bool told;

    if (worker != 0) {
        if (!told)
            tell();
        told = true;
        int number = spinner();
        if (number >= 0) {
            wishes->spin[number].on = 1;
            spin(number);
        }
    }
    return real_epoll_wait(epoll, events, count, timeout);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
