/* Processes, their shared memory and the progress bar. Must not know how a load is made. */
#include "client/bench_run.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/bench_datagram.h"
#include "client/bench_stream.h"

enum {
    PROGRESS_MS = 200,
    BAR_COLUMNS = 20
};

struct shared {
    unsigned stop;
    int errors[BENCH_PROCESSES_MAX]; /* errno of those that could not go on */
    struct bench_tally tallies[];
};

struct run {
    const struct bench_plan *plan;
    struct shared *shared;
    size_t size;
    pid_t pids[BENCH_PROCESSES_MAX]; /* 0: not running */
    uint64_t start_ns;
    uint64_t drawn_ns, drawn_answers; /* of the progress bar before */
    bool bad, interrupted;
};

/* One process's part. What it counts is in shared memory, and it has nothing else to give back. */
static void load_and_exit(const struct run *run, unsigned index)
{
    struct bench_plan part = bench_plan_share(run->plan, index);
    struct bench_load load;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int result = bench_load_begin(&load, &part, &run->shared->tallies[index], &run->shared->stop);
    if (result == 0)
        result = part.type == SOCK_DGRAM ? bench_datagram_run(&load) : bench_stream_run(&load);
    if (result < 0)
        run->shared->errors[index] = errno;
    bench_load_end(&load);
    _exit(result < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* What a signal can end, and what tells of a child; they are waited for, never handled. */
static sigset_t signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    return set;
}

static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int start(struct run *run)
{
    for (unsigned i = 0; i < run->plan->processes; i++) {
        pid_t pid = fork();
        if (pid < 0) {
            fprintf(stderr, "helloc bench: no process: %s\n", strerror(errno));
            return -1;
        }
        if (pid == 0)
            load_and_exit(run, i);
        run->pids[i] = pid;
    }
    return 0;
}

static void note_end(struct run *run, unsigned index, int status)
{
    struct bench_tally *tally = &run->shared->tallies[index];

    run->pids[index] = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
        return;
    run->bad = true;
    tally->errors[BENCH_CUT_OFF] += tally->sent - tally->answers - bench_tally_errors(tally->errors);
    if (WIFSIGNALED(status))
        fprintf(stderr, "helloc bench: a process was killed: %s\n", strsignal(WTERMSIG(status)));
    else
        fprintf(stderr, "helloc bench: a process gave up: %s\n", strerror(run->shared->errors[index]));
}

/* Takes leave of those that have ended; true while others are at work. */
static bool reap(struct run *run)
{
    bool running = false;
    int status;

    for (unsigned i = 0; i < run->plan->processes; i++) {
        if (run->pids[i] > 0 && waitpid(run->pids[i], &status, WNOHANG) == run->pids[i])
            note_end(run, i, status);
        running |= run->pids[i] > 0;
    }
    return running;
}

/* How much of the load is done, from 0 to 1. */
static double done(const struct run *run, uint64_t answered, uint64_t now_ns)
{
    const struct bench_plan *plan = run->plan;
    double by_time = (double) (now_ns - run->start_ns) / (double) plan->duration_ns;
    double by_count = (double) answered / (double) plan->count;
    double more = by_time > by_count ? by_time : by_count;

    return more > 1 ? 1 : more;
}

static void draw(struct run *run)
{
    uint64_t answers = 0, errors = 0, now_ns = clock_ns();

    for (unsigned i = 0; i < run->plan->processes; i++) {
        answers += bench_tally_read(&run->shared->tallies[i].answers);
        errors += bench_tally_errors(run->shared->tallies[i].errors);
    }
    double part = done(run, answers + errors, now_ns), span = (double) (now_ns - run->drawn_ns) / 1e9;
    int filled = (int) (part * BAR_COLUMNS);
    fprintf(stderr, "\r[%.*s%*s] %3.0f %%  %.1f s  %.0f requests/s  %" PRIu64 " errors\x1b[K", filled,
            "####################", BAR_COLUMNS - filled, "", part * 100,
            (double) (now_ns - run->start_ns) / 1e9, (double) (answers - run->drawn_answers) / span, errors);
    fflush(stderr);
    run->drawn_ns = now_ns;
    run->drawn_answers = answers;
}

/* Watches until all have ended. The first signal asks them to end, the second makes them. */
static void watch(struct run *run, bool progress)
{
    static const struct timespec pause = {.tv_nsec = PROGRESS_MS * 1000000L};
    sigset_t set = signals();

    while (reap(run)) {
        int number = sigtimedwait(&set, NULL, &pause);
        if (number == SIGINT || number == SIGTERM || number == SIGHUP) {
            for (unsigned i = 0; run->interrupted && i < run->plan->processes; i++)
                if (run->pids[i] > 0)
                    kill(run->pids[i], SIGKILL);
            run->interrupted = true;
            __atomic_store_n(&run->shared->stop, 1, __ATOMIC_RELAXED);
        }
        if (progress && clock_ns() - run->drawn_ns >= PROGRESS_MS * UINT64_C(900000))
            draw(run);
    }
    if (progress)
        fputs("\r\x1b[K", stderr);
}

int bench_run(const struct bench_plan *plan, bool progress, struct bench_tally *tally, bool *interrupted)
{
    struct run run = {.plan = plan, .size = sizeof(struct shared) + plan->processes * sizeof(*tally)};
    sigset_t set = signals(), before;

    void *memory = mmap(NULL, run.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        fprintf(stderr, "helloc bench: %s\n", strerror(errno));
        return -1;
    }
    run.shared = memory;
    for (unsigned i = 0; i < plan->processes; i++)
        bench_tally_init(&run.shared->tallies[i]);
    raise_limit();
    sigprocmask(SIG_BLOCK, &set, &before);
    run.start_ns = run.drawn_ns = clock_ns();
    if (start(&run) < 0) {
        run.bad = true;
        run.shared->stop = 1;
    }
    watch(&run, progress);
    /* One more Ctrl-C than was needed must not cost the report. */
    while (sigtimedwait(&set, NULL, &(struct timespec){0}) > 0)
        ;
    sigprocmask(SIG_SETMASK, &before, NULL);
    *interrupted = run.interrupted;
    for (unsigned i = 0; i < plan->processes; i++)
        bench_tally_merge(tally, &run.shared->tallies[i]);
    munmap(run.shared, run.size);
    return run.bad ? -1 : 0;
}
