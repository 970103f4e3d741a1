/* The functions by which a worker serves, one by one. Must not know what keeps one of them from working. */
#include "worker/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    PAGES = 65536,        /* bytes: some of any size that a page has */
    HEAP_PIECE = 120000,  /* malloc(3) makes the heap larger for this, */
    LARGE_PIECE = 1 << 20 /* and calls mmap(2) for that */
};

static char letter = 'x';

static bool use_clock(struct trial *trial)
{
    struct timespec now;

    (void) trial;
    /* The second is what the first does where the time is not in the process's own memory; which may come to
     * pass while the machine runs. */
    return clock_gettime(CLOCK_MONOTONIC, &now) == 0 && clock_gettime(CLOCK_MONOTONIC_COARSE, &now) == 0 &&
           syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) == 0;
}

static bool use_epoll_ctl(struct trial *trial)
{
    struct epoll_event event = {.events = EPOLLIN};

    return epoll_ctl(trial->epoll, EPOLL_CTL_ADD, trial->event, &event) == 0 &&
           epoll_ctl(trial->epoll, EPOLL_CTL_MOD, trial->event, &event) == 0;
}

static bool use_write(struct trial *trial)
{
    uint64_t one = 1;

    return write(trial->event, &one, sizeof(one)) == sizeof(one);
}

static bool use_epoll_wait(struct trial *trial)
{
    struct epoll_event event;

    return epoll_wait(trial->epoll, &event, 1, 0) == 1;
}

static bool use_accept(struct trial *trial)
{
    struct sockaddr_un address;
    socklen_t length = sizeof(address);
    int fd = accept4(trial->listener, (struct sockaddr *) &address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

    return fd >= 0 && close(fd) == 0;
}

static bool use_getsockopt(struct trial *trial)
{
    struct tcp_info info;
    socklen_t length = sizeof(info);

    /* Other sockets than those of TCP have no such option. */
    return getsockopt(trial->listener, IPPROTO_TCP, TCP_INFO, &info, &length) == 0;
}

static bool use_send(struct trial *trial)
{
    return send(trial->stream[0], &letter, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

static bool use_recv(struct trial *trial)
{
    char byte;

    return recv(trial->stream[1], &byte, 1, MSG_DONTWAIT) == 1;
}

static bool use_writev(struct trial *trial)
{
    struct iovec part = {&letter, 1};

    return writev(trial->stream[0], &part, 1) == 1;
}

static bool use_shutdown(struct trial *trial)
{
    return shutdown(trial->stream[0], SHUT_WR) == 0;
}

static bool use_sendmmsg(struct trial *trial)
{
    struct iovec part = {&letter, 1};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};

    return sendmmsg(trial->packet[0], &message, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

static bool use_recvmmsg(struct trial *trial)
{
    char byte;
    struct iovec part = {&byte, 1};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};

    return recvmmsg(trial->packet[1], &message, 1, MSG_DONTWAIT, NULL) == 1;
}

static bool use_fcntl(struct trial *trial)
{
    int fd = fcntl(trial->epoll, F_DUPFD_CLOEXEC, 0);

    return fd >= 0 && close(fd) == 0;
}

static bool use_mmap(struct trial *trial)
{
    void *memory =
        mmap(NULL, PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    (void) trial;
    return memory != MAP_FAILED && madvise(memory, PAGES, MADV_DONTNEED) == 0 && munmap(memory, PAGES) == 0;
}

static bool use_malloc(struct trial *trial)
{
    void *volatile of_heap = malloc(HEAP_PIECE), *volatile of_its_own = malloc(LARGE_PIECE);
    bool all = of_heap != NULL && of_its_own != NULL;

    (void) trial;
    free(of_heap);
    free(of_its_own);
    /* What is refused to malloc(3) itself it calls a shortage. */
    return all && syscall(SYS_brk, NULL) != -1;
}

static void nothing(void)
{
}

static bool use_once(struct trial *trial)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void) trial;
    return pthread_once(&once, nothing) == 0;
}

static bool use_alarm(struct trial *trial)
{
    (void) trial;
    errno = 0;
    alarm(0); /* which cannot fail, but for one reason */
    return errno == 0;
}

static volatile sig_atomic_t handled;

static void on_signal(int signal_number)
{
    (void) signal_number;
    handled = 1;
}

static bool use_raise(struct trial *trial)
{
    (void) trial;
    return raise(SIGURG) == 0 && handled == 1;
}

static bool use_sigaction(struct trial *trial)
{
    struct sigaction action;

    (void) trial;
    return sigaction(SIGABRT, NULL, &action) == 0; /* abort(3) sets it */
}

static bool use_close(struct trial *trial)
{
    int fd = trial->event;

    trial->event = -1;
    return close(fd) == 0;
}

static bool refused(int error)
{
    return error == ENOSYS || error == EPERM || error == EACCES;
}

const char *trial_run(struct trial *trial)
{
#define STEP(name, use)                  \
    {                                    \
        "the sandbox forbids " name, use \
    }
    static const struct {
        const char *failure;
        bool (*use)(struct trial *trial);
    } steps[] = {STEP("clock_gettime", use_clock),
                 STEP("epoll_ctl", use_epoll_ctl),
                 STEP("write", use_write),
                 STEP("accept4", use_accept),
                 STEP("getsockopt", use_getsockopt),
                 STEP("send", use_send),
                 STEP("recv", use_recv),
                 STEP("writev", use_writev),
                 STEP("shutdown", use_shutdown),
                 STEP("sendmmsg", use_sendmmsg),
                 STEP("recvmmsg", use_recvmmsg),
                 STEP("fcntl", use_fcntl),
                 STEP("mmap", use_mmap),
                 STEP("malloc", use_malloc),
                 STEP("pthread_once", use_once),
                 STEP("alarm", use_alarm),
                 STEP("raise", use_raise),
                 STEP("sigaction", use_sigaction),
                 STEP("epoll_wait", use_epoll_wait),
                 STEP("close", use_close)};
#undef STEP

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        errno = 0;
        if (!steps[i].use(trial) && refused(errno))
            return steps[i].failure;
    }
    return NULL;
}

/* A listener with a name that the kernel picks, and a client that waits at it. */
static int open_connection(struct trial *trial)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof(address);

    trial->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    trial->client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (trial->listener < 0 || trial->client < 0 ||
        bind(trial->listener, (struct sockaddr *) &address, sizeof(address.sun_family)) < 0 ||
        listen(trial->listener, 1) < 0 ||
        getsockname(trial->listener, (struct sockaddr *) &address, &length) < 0)
        return -1;
    return connect(trial->client, (struct sockaddr *) &address, length);
}

static void take_signal(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    sigemptyset(&action.sa_mask);
    sigaction(SIGURG, &action, NULL);
}

int trial_open(struct trial *trial)
{
    int type = SOCK_CLOEXEC | SOCK_NONBLOCK;

    *trial = (struct trial){.listener = -1, .client = -1, .stream = {-1, -1}, .packet = {-1, -1}};
    trial->epoll = epoll_create1(EPOLL_CLOEXEC);
    trial->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (trial->epoll >= 0 && trial->event >= 0 && open_connection(trial) == 0 &&
        socketpair(AF_UNIX, SOCK_STREAM | type, 0, trial->stream) == 0 &&
        socketpair(AF_UNIX, SOCK_DGRAM | type, 0, trial->packet) == 0) {
        take_signal();
        return 0;
    }
    int error = errno;
    trial_close(trial);
    errno = error;
    return -1;
}

void trial_close(struct trial *trial)
{
    const int fds[] = {trial->epoll,     trial->event,     trial->listener,  trial->client,
                       trial->stream[0], trial->stream[1], trial->packet[0], trial->packet[1]};

    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        if (fds[i] >= 0)
            close(fds[i]);
}
