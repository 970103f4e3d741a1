/* For the tests of the pool: a master in little, with real workers that have no sockets or few. */
#ifndef HELLOD_TESTS_UNIT_POOL_HELP_H
#define HELLOD_TESTS_UNIT_POOL_HELP_H

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "master/pool.h"
#include "worker/sources.h"

enum {
    WORKERS = 3,
    DEADLINE_MS = 20000, /* for what happens at once, but perhaps on a busy machine and under valgrind */
    FOR_EVER_MS = 10 * DEADLINE_MS
};

/* A master in little. */
static struct {
    sd_event *event;
    struct pool *pool;
    struct plan plan;
    struct scoreboard scoreboard;
    int fds[WORKERS]; /* of the one socket, if there is one; -1: none */
    unsigned ready, switched, failed, retired, gone;
    const struct plan *last_retired;
    char reason[256];
} master;

static void on_ready(void *owner)
{
    assert_ptr_equal(owner, &master);
    master.ready++;
}

static void on_switched(void *owner)
{
    assert_ptr_equal(owner, &master);
    master.switched++;
}

static void on_failed(void *owner, const char *reason)
{
    assert_ptr_equal(owner, &master);
    master.failed++;
    snprintf(master.reason, sizeof(master.reason), "%s", reason);
}

static void on_retired(void *owner, const struct plan *plan)
{
    assert_ptr_equal(owner, &master);
    master.retired++;
    master.last_retired = plan;
}

static void on_gone(void *owner)
{
    assert_ptr_equal(owner, &master);
    master.gone++;
}

/* A pool that is not started. */
static inline int set_up(void **state)
{
    static const struct pool_events events = {.ready = on_ready,
                                              .switched = on_switched,
                                              .failed = on_failed,
                                              .retired = on_retired,
                                              .gone = on_gone};
    sigset_t child;

    (void) state;
    fflush(NULL); /* what is in the buffers must not come out of each worker again */
    memset(&master, 0, sizeof(master));
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    log_set_level(LOG_LEVEL_ERROR);
    for (unsigned i = 0; i < WORKERS; i++)
        master.fds[i] = -1;
    master.plan.workers = WORKERS;
    master.plan.limits = (struct plan_limits){.connections = 10,
                                              .per_source = 5,
                                              .per_prefix = 5,
                                              .idle_ms = 60000,
                                              .write_ms = 60000,
                                              .drain_ms = 1000};
    if (scoreboard_open(&master.scoreboard) < 0 || sd_event_new(&master.event) < 0)
        return -1;
    master.plan.scoreboard = &master.scoreboard;
    master.plan.sources = sources_open(plan_tables(&master.plan), 10);
    master.pool = pool_new(master.event, &events, &master);
    return master.plan.sources == NULL || master.pool == NULL;
}

static inline int tear_down(void **state)
{
    (void) state;
    if (master.gone == 0) { /* the test has failed, or started nothing */
        pool_drain(master.pool, 0);
        pool_kill(master.pool);
        for (unsigned i = 0; i < 1000 && master.gone == 0; i++)
            sd_event_run(master.event, 10000);
    }
    pool_free(master.pool);
    sd_event_unref(master.event);
    sources_close(master.plan.sources);
    scoreboard_close(&master.scoreboard);
    for (unsigned i = 0; i < WORKERS; i++)
        if (master.fds[i] >= 0)
            close(master.fds[i]);
    return 0;
}

/* What the scoreboard says of SLOT. */
static inline struct score *block(uint32_t slot)
{
    return &master.scoreboard.blocks[scoreboard_index(0, slot)];
}

/* Turns the loop for MS, or until COUNT is not 0 any more. */
static inline void turn(const unsigned *count, uint64_t ms)
{
    uint64_t until = clock_ms() + ms;

    while ((count == NULL || *count == 0) && clock_ms() < until)
        assert_true(sd_event_run(master.event, 10000) >= 0);
}

/* Turns it until COUNT is 1. */
static inline void turn_until(const unsigned *count)
{
    turn(count, DEADLINE_MS);
    assert_int_equal(*count, 1);
}

/* Turns the loop until another worker than the one called BEFORE is in SLOT; returns its pid. */
static inline pid_t turn_until_replaced(uint32_t slot, pid_t before)
{
    uint64_t until = clock_ms() + DEADLINE_MS;

    while (block(slot)->pid == before || block(slot)->pid == 0) {
        assert_true(clock_ms() < until);
        assert_true(sd_event_run(master.event, 10000) >= 0);
    }
    return block(slot)->pid;
}

/* Turns it until the worker in SLOT takes connections. */
static inline void turn_until_is_ready(uint32_t slot)
{
    uint64_t until = clock_ms() + DEADLINE_MS;

    while (block(slot)->ready == 0) {
        assert_true(clock_ms() < until);
        assert_true(sd_event_run(master.event, 10000) >= 0);
    }
}

/* Waits until process PID is dead, and leaves it to the pool to reap it. */
static inline void wait_for_death(pid_t pid)
{
    siginfo_t info;

    assert_int_equal(waitid(P_PID, (id_t) pid, &info, WEXITED | WNOWAIT), 0);
}

/* Has all workers end, of their own accord: nobody's patience is in this. */
static inline void drain(void)
{
    pool_drain(master.pool, FOR_EVER_MS);
    turn_until(&master.gone);
    for (uint32_t i = 0; i < WORKERS; i++) {
        assert_int_equal(block(i)->pid, 0);
        assert_int_equal(block(i)->ready, 0);
    }
}

#endif
