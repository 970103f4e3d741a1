/* Ends a worker that allocates while it serves, for a daemon that is started with LD_PRELOAD of this file's
 * shared object.
 *
 * A worker is a child of the first process, and serves from its first epoll_wait() on. From then on this asks
 * the kernel for nothing, but to be ended. Knows nothing else of the daemon. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* The C library's allocator under the names that it keeps for itself: a wrapper that asked dlsym() for it
 * would be called by dlsym(). */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name,bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp):
 * these are the C library's own names. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

static int (*real_epoll_wait)(int, struct epoll_event *, int, int);
static bool is_worker;
static bool serving;

static void become_worker(void)
{
    is_worker = true;
}

__attribute__((constructor)) static void start(void)
{
    pthread_atfork(NULL, NULL, become_worker);
    /* POSIX wants this to work, ISO C has no word for it. */
    *(void **) (void *) &real_epoll_wait = dlsym(RTLD_NEXT, "epoll_wait");
}

static void refuse_when_serving(void)
{
    static const char text[] = "ALLOCATED WHILE SERVING\n";

    if (!serving)
        return;
    serving = false;
    (void) !write(STDERR_FILENO, text, sizeof(text) - 1);
    abort();
}

void *malloc(size_t size)
{
    refuse_when_serving();
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    refuse_when_serving();
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    refuse_when_serving();
    return __libc_realloc(memory, size);
}

int epoll_wait(int epoll, struct epoll_event *events, int room, int timeout)
{
    serving = is_worker;
    return real_epoll_wait(epoll, events, room, timeout);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name,bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp)
 */
