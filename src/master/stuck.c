/* Stuck workers. Ends them and leaves it to others to notice that they have ended. */
#include "master/stuck.h"

#include <signal.h>
#include <time.h>

#include "base/log.h"

uint64_t stuck_cpu_ms(pid_t pid)
{
    struct timespec used;
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) < 0)
        return 0;
    return (uint64_t) used.tv_sec * 1000 + (uint64_t) used.tv_nsec / 1000000;
}

bool stuck_judge(struct stuck *stuck, uint64_t beat, uint64_t cpu_ms)
{
    if (beat == stuck->beat && cpu_ms >= stuck->cpu_ms)
        return cpu_ms - stuck->cpu_ms >= STUCK_CPU_MS;
    *stuck = (struct stuck){.beat = beat, .cpu_ms = cpu_ms}; /* alive, also if it was told to abort */
    return false;
}

bool stuck_check(struct stuck *stuck, const struct fields_worker *worker, uint64_t beat, uint64_t now_ms)
{
    const struct fields about = {.worker = worker};
    pid_t pid = worker->pid;
    uint64_t cpu_ms = stuck_cpu_ms(pid);

    if (!stuck_judge(stuck, beat, cpu_ms))
        return false;
    if (stuck->aborted_ms == 0) {
        log_event(LOG_LEVEL_ERROR, EVENT_WORKER_STUCK, &about,
                  "worker (pid %d) is stuck: no pass of its loop in %llu ms of processor time since pass "
                  "%llu; aborting it",
                  (int) pid, (unsigned long long) (cpu_ms - stuck->cpu_ms), (unsigned long long) beat);
        stuck->aborted_ms = now_ms;
        kill(pid, SIGABRT);
    } else if (now_ms - stuck->aborted_ms >= STUCK_KILL_MS) {
        kill(pid, SIGKILL);
    }
    return true;
}

bool stuck_for_good(const struct stuck *stuck, uint64_t now_ms)
{
    return stuck->aborted_ms != 0 && now_ms - stuck->aborted_ms >= STUCK_FOR_GOOD_MS;
}
