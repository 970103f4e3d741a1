/* Faults on demand, for a daemon that is started with LD_PRELOAD of this file's shared object.
 *
 * HELLOD_FAULTS names a file of records, which is mapped at the start and shared with whoever wants faults: a
 * record has the name of a function below, the errno with which it fails, and how often it still does so. All
 * but fork fail in the children of the first process only, which are the workers. Those may be confined: no
 * file is opened and no process asked for after the start.
 *
 * Knows nothing of the daemon. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library's own names are reserved
 * ones. */

struct fault {
    char name[24];
    int error;
    _Atomic int left; /* times; below 0: for as long as it stays so */
};

enum {
    FAULTS_MAX = 64
};

static struct fault *faults; /* FAULTS_MAX of them, or NULL; the first without a name ends them */
static bool is_worker;

static void become_worker(void)
{
    is_worker = true;
}

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("HELLOD_FAULTS");
    int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;

    pthread_atfork(NULL, NULL, become_worker);
    if (fd < 0)
        return;
    faults = mmap(NULL, FAULTS_MAX * sizeof(struct fault), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (faults == MAP_FAILED)
        faults = NULL;
    close(fd);
}

/* Sets errno and returns true if NAME is to fail. Of several processes that could have the last time one
 * does. */
static bool fails(const char *name)
{
    for (struct fault *fault = faults; fault != NULL && fault->name[0] != '\0'; fault++) {
        if (strcmp(fault->name, name) != 0)
            continue;
        int left = atomic_load(&fault->left);
        while (left > 0 && !atomic_compare_exchange_weak(&fault->left, &left, left - 1))
            ;
        if (left != 0)
            errno = fault->error;
        return left != 0;
    }
    return false;
}

static bool fails_in_worker(const char *name)
{
    return is_worker && fails(name);
}

/* Declares real_CALL, the function CALL with RESULT and PARAMETERS behind ours. It is looked for at the
 * start; POSIX wants this to work, ISO C has no word for it. */
#define BEHIND(result, call, parameters)                            \
    static result(*real_##call) parameters;                         \
    __attribute__((constructor)) static void find_##call(void)      \
    {                                                               \
        *(void **) (void *) &real_##call = dlsym(RTLD_NEXT, #call); \
    }

/* Defines CALL with RESULT, PARAMETERS and ARGUMENTS as it is, but for its faults. */
#define FAULTY(result, call, parameters, arguments) \
    BEHIND(result, call, parameters)                \
    result call parameters                          \
    {                                               \
        if (fails_in_worker(#call))                 \
            return -1;                              \
        return real_##call arguments;               \
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
BEHIND(ssize_t, send, (int fd, const void *data, size_t length, int flags))
ssize_t send(int fd, const void *data, size_t length, int flags)
{
    if (fails_in_worker("send"))
        return -1;
    if (length > 1 && fails_in_worker("send_short"))
        length = 1;
    return real_send(fd, data, length, flags);
}

/* "epoll_wait" fails; with "stuck" it does not come back, like a loop that hangs. */
BEHIND(int, epoll_wait, (int epoll, struct epoll_event *events, int count, int timeout))
int epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
{
    if (fails_in_worker("epoll_wait"))
        return -1;
    while (fails_in_worker("stuck"))
        real_epoll_wait(epoll, events, 1, 1);
    return real_epoll_wait(epoll, events, count, timeout);
}

BEHIND(pid_t, fork, (void) )
pid_t fork(void)
{
    return fails("fork") ? -1 : real_fork();
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
