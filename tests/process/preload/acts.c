/* Workers that do on demand what they must not, for a daemon that is started with LD_PRELOAD of this file's
 * shared object: as if whoever talks to it had found a way to make it do so.
 *
 * What is received and begins with "act NAME" makes the worker try NAME, one of those below, by the C
 * library's means; then it goes on as if nothing had been said. With NAME in HELLOD_ACT whoever receives
 * anything does so, as if recv(3) itself came to need it. Knows nothing of the daemon. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    NO_CALL = 9999
};

static void run_a_program(void)
{
    execl("/bin/sh", "sh", "-c", "exit 0", (char *) NULL);
}

/* Which is gone again when this is done: while it lives, no socket is closed for epoll(7). */
static void make_a_process(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
}

static void read_a_file(void)
{
    close(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static void call_somebody(void)
{
    close(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static void ask_for_news(void)
{
    syscall(NO_CALL);
}

static const struct act {
    const char *name;
    void (*run)(void);
} acts[] = {{"run a program", run_a_program},
            {"make a process", make_a_process},
            {"read a file", read_a_file},
            {"call somebody", call_somebody},
            {"ask for news", ask_for_news}};

static ssize_t (*real_recv)(int, void *, size_t, int);
static const char *always;

__attribute__((constructor)) static void start(void)
{
    *(void **) (void *) &real_recv = dlsym(RTLD_NEXT, "recv");
    always = getenv("HELLOD_ACT");
}

static void act(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
        if (length >= strlen(acts[i].name) && memcmp(name, acts[i].name, strlen(acts[i].name)) == 0)
            acts[i].run();
}

ssize_t recv(int fd, void *data, size_t length, int flags)
{
    static const char word[] = "act ";
    const size_t begin = sizeof(word) - 1;
    ssize_t got = real_recv(fd, data, length, flags);

    if (always != NULL)
        act(always, strlen(always));
    if (got > (ssize_t) begin && memcmp(data, word, begin) == 0)
        act((const char *) data + begin, (size_t) got - begin);
    return got;
}
