/* A worker that somebody has taken over, for a daemon that is started with LD_PRELOAD of this file's shared
 * object.
 *
 * A worker that receives the message "take over" writes random words into all memory that it shares with
 * others, says every word of the link with any value, as often as the link takes it, and serves on. What it
 * needs it has looked up in its set-up: later it may be confined. Workers are the children of the first
 * process. HELLOD_TEST_SEED gives a random sequence again. Knows nothing else of the daemon. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SHARED_MAX = 16,
    WORDS = 16,         /* as many as a link may have, and more */
    MESSAGE_SIZE = 248, /* as the link's is */
    FDS_MAX = 64
};

static const char order[] = "take over";
static bool is_worker;
static uint64_t state;
static int the_link = -1;
static struct {
    uint64_t *from, *to;
} shared[SHARED_MAX];
static unsigned shared_count;

static int (*real_epoll_create1)(int);
static ssize_t (*real_recv)(int, void *, size_t, int);

static void become_worker(void)
{
    is_worker = true;
}

__attribute__((constructor)) static void start(void)
{
    const char *seed = getenv("HELLOD_TEST_SEED");

    state = seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t) getpid();
    pthread_atfork(NULL, NULL, become_worker);
    /* POSIX wants this to work, ISO C has no word for it. */
    *(void **) (void *) &real_epoll_create1 = dlsym(RTLD_NEXT, "epoll_create1");
    *(void **) (void *) &real_recv = dlsym(RTLD_NEXT, "recv");
}

static uint64_t next(void)
{
    uint64_t z = state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    return z ^ z >> 27;
}

static void find_shared(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512], rights[5];
    void *from, *to;

    while (maps != NULL && shared_count < SHARED_MAX && fgets(line, sizeof(line), maps) != NULL)
        if (sscanf(line, "%p-%p %4s", &from, &to, rights) == 3 && strcmp(rights, "rw-s") == 0) {
            shared[shared_count].from = from;
            shared[shared_count++].to = to;
        }
    if (maps != NULL)
        fclose(maps);
}

static void find_link(void)
{
    for (int fd = 3; fd < FDS_MAX; fd++) {
        int type = 0;
        socklen_t length = sizeof(type);
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET)
            the_link = fd;
    }
}

static void take_over(void)
{
    uint32_t message[MESSAGE_SIZE / sizeof(uint32_t)];
    char line[80];

    for (unsigned i = 0; i < shared_count; i++)
        for (uint64_t *word = shared[i].from; word < shared[i].to; word++)
            *word = next();
    for (uint32_t word = 0;; word = (word + 1) % WORDS) {
        for (unsigned i = 0; i < MESSAGE_SIZE / sizeof(message[0]); i++)
            message[i] = (uint32_t) next();
        message[0] = word;
        if (send(the_link, message, word == WORDS - 1 ? next() % MESSAGE_SIZE : MESSAGE_SIZE,
                 MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
            break;
    }
    int length =
        snprintf(line, sizeof(line), "taken over: %u pieces of memory, link %d\n", shared_count, the_link);
    (void) !write(STDERR_FILENO, line, (size_t) length);
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library's own names are reserved
 * ones. */

int epoll_create1(int flags)
{
    if (is_worker) {
        find_shared();
        find_link();
    }
    return real_epoll_create1(flags);
}

ssize_t recv(int fd, void *data, size_t length, int flags)
{
    ssize_t got = real_recv(fd, data, length, flags);

    if (is_worker && got >= (ssize_t) sizeof(order) - 1 && memcmp(data, order, sizeof(order) - 1) == 0)
        take_over();
    return got;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
