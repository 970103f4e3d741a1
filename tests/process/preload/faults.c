/* Faults on demand, for a daemon that is started with LD_PRELOAD of this file's shared object.
 *
 * A fault is a file in the folder that HELLOD_FAULTS names: its name is a function below, its contents the
 * errno with which that function fails for as long as the file is there; "NAME.once" is for one time and
 * removed by it. All but fork fail in the children of the first process only, which are the workers.
 *
 * Knows nothing of the daemon. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library's own names are reserved
 * ones. */

static pid_t first;

__attribute__((constructor)) static void start(void)
{
    first = getpid();
}

/* The errno that the fault called NAME and SUFFIX asks for, 0 if there is none. */
static int wanted(const char *name, const char *suffix)
{
    const char *folder = getenv("HELLOD_FAULTS");
    char path[512], text[16] = "";

    if (folder == NULL)
        return 0;
    snprintf(path, sizeof(path), "%s/%s%s", folder, name, suffix);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t length = read(fd, text, sizeof(text) - 1);
    close(fd);
    /* Of several processes that found it only the one that removes it has it. */
    if (length <= 0 || (*suffix != '\0' && unlink(path) < 0))
        return 0;
    return (int) strtol(text, NULL, 10);
}

/* Sets errno and returns true if NAME is to fail. */
static bool fails(const char *name)
{
    int saved = errno, error = wanted(name, "");

    if (error == 0)
        error = wanted(name, ".once");
    errno = error != 0 ? error : saved;
    return error != 0;
}

static bool fails_in_worker(const char *name)
{
    return getpid() != first && fails(name);
}

/* Defines CALL with RESULT, PARAMETERS and ARGUMENTS as it is, but for its faults. */
#define FAULTY(result, call, parameters, arguments)                                \
    result call parameters                                                         \
    {                                                                              \
        static result(*real) parameters;                                           \
        if (fails_in_worker(#call))                                                \
            return -1;                                                             \
        if (real == NULL) /* POSIX wants this to work, ISO C has no word for it */ \
            *(void **) (void *) &real = dlsym(RTLD_NEXT, #call);                   \
        return real arguments;                                                     \
    }

FAULTY(int, epoll_create1, (int flags), (flags))
FAULTY(int, accept4, (int fd, struct sockaddr *address, socklen_t *length, int flags),
       (fd, address, length, flags))
FAULTY(int, epoll_ctl, (int epoll, int operation, int fd, struct epoll_event *event),
       (epoll, operation, fd, event))
FAULTY(ssize_t, recv, (int fd, void *data, size_t length, int flags), (fd, data, length, flags))
FAULTY(int, recvmmsg, (int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout),
       (fd, messages, count, flags, timeout))
FAULTY(int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned count, int flags),
       (fd, messages, count, flags))

/* "send" fails; "send_short" takes one byte of what it is given. */
ssize_t send(int fd, const void *data, size_t length, int flags)
{
    static ssize_t (*real)(int, const void *, size_t, int);

    if (fails_in_worker("send"))
        return -1;
    if (real == NULL)
        *(void **) (void *) &real = dlsym(RTLD_NEXT, "send");
    if (length > 1 && fails_in_worker("send_short"))
        length = 1;
    return real(fd, data, length, flags);
}

/* "epoll_wait" fails; with "stuck" it does not come back, like a loop that hangs. */
int epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
{
    static int (*real)(int, struct epoll_event *, int, int);

    if (fails_in_worker("epoll_wait"))
        return -1;
    while (fails_in_worker("stuck"))
        poll(NULL, 0, 1);
    if (real == NULL)
        *(void **) (void *) &real = dlsym(RTLD_NEXT, "epoll_wait");
    return real(epoll, events, count, timeout);
}

pid_t fork(void)
{
    static pid_t (*real)(void);

    if (fails("fork"))
        return -1;
    if (real == NULL)
        *(void **) (void *) &real = dlsym(RTLD_NEXT, "fork");
    return real();
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
