/* Tries system calls as a worker in its sandbox would, and says how each ended. For tests.
 *
 *   forbidden sandbox|unfiltered|log|files|master|nothing CALL[=ARGUMENT,...]...
 *   forbidden without CALL PROGRAM [ARGUMENT...]
 *
 * The first word is what is entered: the worker's sandbox, what is left of that where there is no seccomp,
 * the same when it only logs, Landlock alone, what the master enters, or nothing. Each call is made in a
 * process of its own and gives a line: CALL, and "done", the name of an errno that was its exit status, or
 * that of the signal that ended it, with the call that its last words on the link named. A CALL may be a
 * number ("#9999"), "*" is all numbers there may be, and "int80" a call of another machine. Arguments that
 * are not given are -1.
 *
 * "without" becomes PROGRAM, for which the CALL always fails with EPERM. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/link.h"
#include "base/log.h"
#include "master/restraint.h"
#include "worker/sandbox.h"

enum {
    ARGUMENTS = 6,
    CALLS_END = 512,   /* beyond the numbers that kernels of our time have */
    TRY_SECONDS = 5,   /* for calls that wait */
    NOT_ENTERED = 254, /* exit status, for all that goes wrong; no errno has that number */
    NOT_HERE = 77      /* exit status: the kernel has no such fence, or does not let us have it */
};

/* What is entered before a call. */
struct fence {
    struct sandbox *sandbox; /* NULL: not that */
    int landlock;            /* its version; 0: not that */
    bool is_masters;
};

/* What a process has from the time before, as words for arguments. */
static struct thing {
    const char *name;
    long value;
} things[] = {{"tcp", -1}, {"listener", -1}, {"udp", -1}, {"unix", -1}, {"file", -1},
              {"page", 0}, {"address", 0},   {"self", 0}, {"parent", 0}};

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "forbidden: %s: %s\n", what, strerror(errno));
    exit(NOT_ENTERED);
}

static void prepare_things(void)
{
    static struct sockaddr_in address = {.sin_family = AF_INET};
    int pair[2];
    int type = PROT_READ | PROT_WRITE;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        give_up("socketpair");
    long values[] = {
        socket(AF_INET, SOCK_STREAM, 0),
        socket(AF_INET, SOCK_STREAM, 0), /* listens below */
        socket(AF_INET, SOCK_DGRAM, 0),
        pair[0],
        open("/bin/true", O_RDONLY),
        (long) mmap(NULL, 4096, type, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
        (long) &address,
        0, /* known when there is one */
        getpid(),
    };
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        things[i].value = values[i];
    if (listen((int) values[1], 1) < 0) /* at any port */
        give_up("listen");
}

static long argument(char *word)
{
    char *end;

    if (*word == '@')
        return (long) (word + 1);
    for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++)
        if (strcmp(word, things[i].name) == 0)
            return strcmp(word, "self") == 0 ? getpid() : things[i].value;
    errno = 0;
    long value = strtol(word, &end, 0);
    if (*end != '\0' || errno != 0)
        give_up(word);
    return value;
}

/* As a program of another machine would ask; -1 with ENOTSUP where there is none. */
static long foreign_call(void)
{
#ifdef __x86_64__
    long result;

    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20 /* getpid(2) there */) : "memory");
    return result;
#else
    errno = ENOTSUP;
    return -1;
#endif
}

/* Returns what could not be entered, or NULL. */
static const char *enter(const struct fence *fence, int link)
{
    static _Atomic uint64_t violations;
    static struct config config = {.sandbox = CONFIG_SANDBOX_ENFORCE};
    static struct world world = {.config = &config};

    if (fence->is_masters) {
        world.prepared.plan.sandbox = fence->sandbox;
        return restraint_apply(&world) < 0 ? "the master's" : NULL;
    }
    if (fence->sandbox != NULL)
        return sandbox_enter(fence->sandbox, link, &violations);
    if (fence->landlock > 0 && (confine_privileges() < 0 || confine_files(fence->landlock) < 0))
        return "Landlock";
    return NULL;
}

/* What is done all the same, because a fence is broken, is done to nobody but this process: who may mount has
 * mounts and a host name of its own, and there is no terminal. */
static void stand_apart(void)
{
    setsid();
    if (unshare(CLONE_NEWNS | CLONE_NEWUTS) == 0)
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    else if (errno != EPERM) /* who must not have his own cannot change those of others either */
        give_up("unshare");
}

static _Noreturn void make_call(const struct fence *fence, int link, long number, char *words)
{
    long values[ARGUMENTS] = {-1, -1, -1, -1, -1, -1};
    char *rest = words;

    for (int i = 0; i < ARGUMENTS && rest != NULL; i++)
        values[i] = argument(strsep(&rest, ","));
    alarm(TRY_SECONDS);
    stand_apart();
    const char *failed = enter(fence, link);
    if (failed != NULL) {
        perror(failed);
        _exit(NOT_ENTERED);
    }
    errno = 0;
    long result = number < 0
                      ? foreign_call()
                      : syscall(number, values[0], values[1], values[2], values[3], values[4], values[5]);
    _exit(result == -1 ? errno : 0);
}

/* Prints how the process ended whose last words are in LINK. */
static void print_outcome(const char *call, int status, int link)
{
    struct link_message message;
    char name[CONFINE_NAME_MAX] = "";

    if (link_receive(link, &message) == LINK_MESSAGE && message.word == LINK_FORBIDDEN)
        confine_call_name(message.value, name);
    if (WIFSIGNALED(status))
        printf("%s\tSIG%s %s\n", call, sigabbrev_np(WTERMSIG(status)), name);
    else if (WEXITSTATUS(status) == EXIT_SUCCESS)
        printf("%s\tdone\n", call);
    else
        printf("%s\t%s\n", call, strerrorname_np(WEXITSTATUS(status)) ?: "no errno");
}

static void try_call(const struct fence *fence, const char *call, long number, char *arguments)
{
    int ends[2], status;

    if (link_open(ends) < 0)
        give_up("link");
    fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        give_up("fork");
    if (child == 0)
        make_call(fence, ends[1], number, arguments);
    if (waitpid(child, &status, 0) < 0)
        give_up("waitpid");
    print_outcome(call, status, ends[0]);
    close(ends[0]);
    close(ends[1]);
}

static void try_all(const struct fence *fence)
{
    for (uint32_t number = 0; number < CALLS_END; number++) {
        char name[CONFINE_NAME_MAX];
        try_call(fence, confine_call_name(number, name), number, NULL);
    }
}

static void try_word(const struct fence *fence, char *word)
{
    const char *call = strsep(&word, "=");

    if (strcmp(call, "*") == 0) {
        try_all(fence);
        return;
    }
    long number = *call == '#' ? strtol(call + 1, NULL, 0) : seccomp_syscall_resolve_name(call);
    if (number < 0 && strcmp(call, "int80") != 0)
        printf("%s\tunknown\n", call);
    else
        try_call(fence, call, number, word);
}

/* The fence that WORD names; does not return when the kernel has none of that kind. */
static struct fence fence_of(const char *word)
{
    struct fence fence = {0};
    bool is_there = true;

    if (strcmp(word, "files") == 0) {
        fence.landlock = confine_files_version();
        is_there = fence.landlock > 0;
    } else if (strcmp(word, "nothing") != 0) {
        fence.sandbox = sandbox_new(strcmp(word, "log") == 0 ? SANDBOX_LOG : SANDBOX_ENFORCE);
        fence.is_masters = strcmp(word, "master") == 0;
        is_there = strcmp(word, "unfiltered") == 0 ? confine_files_version() > 0 : confine_has_filters();
    }
    if (!is_there)
        exit(NOT_HERE);
    return fence;
}

static _Noreturn void run_without(const char *call, char **program)
{
    struct confine_rule rule = {.call = call, .verdict = CONFINE_REFUSE};
    struct confine_filter *filter = confine_compile(&rule, 1, CONFINE_PERMIT, false);

    if (filter == NULL || confine_privileges() < 0 || confine_load(filter) < 0)
        give_up("seccomp");
    execvp(*program, program);
    give_up(*program);
}

int main(int argc, char **argv)
{
    const struct rlimit none = {0, 0};

    if (argc < 3)
        return EXIT_FAILURE;
    setrlimit(RLIMIT_CORE, &none);
    log_set_level(LOG_LEVEL_ERROR);
    if (strcmp(argv[1], "without") == 0 && argc > 3)
        run_without(argv[2], argv + 3);
    prepare_things();
    struct fence fence = fence_of(argv[1]);
    for (int i = 2; i < argc; i++)
        try_word(&fence, argv[i]);
    sandbox_free(fence.sandbox);
    return EXIT_SUCCESS;
}
