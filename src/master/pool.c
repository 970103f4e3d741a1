/* Slots, forks and deaths.
 *
 * A slot is EMPTY until the walk forks a worker into it; then it is STARTING until the worker reports its
 * loop over the link, READY until it is told to go, and DRAINING until it has gone. From each of these a
 * death leads back to EMPTY, with the time before which the walk leaves the slot alone. Until one worker of
 * the service has been ready nothing is forked twice: if all of the first generation die at their start, the
 * reason will not go away by itself, and the service ends with it.
 *
 * The pool must not know what workers do, nor where its sockets came from. */
#include "master/pool.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptors.h"
#include "base/link.h"
#include "base/log.h"
#include "master/notify.h"
#include "master/respawn.h"
#include "master/stuck.h"
#include "master/wakes.h"
#include "worker/sources.h"
#include "worker/worker.h"

enum {
    KILL_GRACE_MS = 1000 /* how long after its own deadline a worker is left to end by itself */
};

enum slot_state {
    SLOT_EMPTY,
    SLOT_STARTING,
    SLOT_READY,
    SLOT_DRAINING
};

struct slot {
    struct pool *pool;
    enum slot_state state;
    uint32_t number, generation;
    pid_t pid;
    int link; /* -1 when unset */
    sd_event_source *child_source, *link_source;
    uint64_t started_ms;
    struct respawn respawn;
    bool tried; /* a worker was forked into it */
    struct stuck stuck;
};

struct pool {
    sd_event *event;
    struct plan *plan;
    struct pool_events events;
    void *owner;
    uint32_t generation;
    struct slot slots[SCOREBOARD_BLOCKS]; /* as the blocks of the scoreboard */
    unsigned alive;
    bool proved;   /* one worker has been ready */
    bool reported; /* all have been, and the owner knows */
    bool draining;
    char reason[LINK_TEXT_MAX]; /* why a worker of the first generation could not start */
    sd_event_source *timer;     /* for the next slot that waits; while draining for the kill */
};

static void walk(struct pool *pool);

static struct slot *slot_at(struct pool *pool, uint32_t number)
{
    return &pool->slots[scoreboard_index(pool->generation, number)];
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct pool *pool = userdata;

    (void) source;
    (void) usec;
    if (!pool->draining) {
        walk(pool);
        return 0;
    }
    log_warning("%u workers did not end in time and are killed", pool->alive);
    pool_kill(pool);
    return 0;
}

static void set_timer(struct pool *pool, uint64_t delay_ms)
{
    uint64_t delay_us = delay_ms * 1000;
    int result;

    if (pool->timer == NULL)
        result = sd_event_add_time_relative(pool->event, &pool->timer, CLOCK_MONOTONIC, delay_us, 1000,
                                            on_timer, pool);
    else
        result = sd_event_source_set_time_relative(pool->timer, delay_us);
    if (result >= 0)
        result = sd_event_source_set_enabled(pool->timer, SD_EVENT_ONESHOT);
    if (result < 0)
        log_error("timer: %s", strerror(-result));
}

/* The owner hears it once: later a worker that is replaced reports too, but the service has long been there.
 */
static void report_if_ready(struct pool *pool)
{
    if (pool->reported || pool->draining)
        return;
    for (uint32_t i = 0; i < pool->plan->workers; i++)
        if (slot_at(pool, i)->state != SLOT_READY)
            return;
    pool->reported = true;
    pool->events.ready(pool->owner);
}

static void take_message(struct slot *slot, const struct link_message *message)
{
    struct pool *pool = slot->pool;

    if (message->word == LINK_READY && slot->state == SLOT_STARTING) {
        bool first = !pool->proved;
        slot->state = SLOT_READY;
        pool->proved = true;
        log_debug("worker %u (pid %d) is ready", slot->number, (int) slot->pid);
        report_if_ready(pool);
        if (first)
            walk(pool); /* slots whose worker died before any was ready have waited for this */
    } else if (message->word == LINK_FAILED) {
        snprintf(pool->reason, sizeof(pool->reason), "%s", message->text);
    }
}

static void drain_link(struct slot *slot)
{
    struct link_message message;

    while (slot->link >= 0 && link_receive(slot->link, &message) == LINK_MESSAGE)
        take_message(slot, &message);
}

static int on_link(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct slot *slot = userdata;

    (void) fd;
    drain_link(slot);
    if (revents &
        (EPOLLHUP | EPOLLERR)) /* its end follows as a death; until then this would be reported for ever */
        sd_event_source_set_enabled(source, SD_EVENT_OFF);
    return 0;
}

/* Words for how a process ended. */
static void describe(const siginfo_t *info, char *text, size_t size)
{
    if (info->si_code == CLD_EXITED)
        snprintf(text, size, "ended with code %d", info->si_status);
    else
        snprintf(text, size, "was killed by signal %d (%s)%s", info->si_status, strsignal(info->si_status),
                 info->si_code == CLD_DUMPED ? ", core dumped" : "");
}

/* After the death of its worker: nothing of it may go on counting. */
static void empty(struct slot *slot)
{
    const struct plan *plan = slot->pool->plan;

    scoreboard_leave(plan->scoreboard, slot->generation, slot->number);
    sources_clear(plan->sources, plan_table(plan, slot->generation, slot->number));
    slot->child_source = sd_event_source_disable_unref(slot->child_source);
    slot->link_source = sd_event_source_disable_unref(slot->link_source);
    if (slot->link >= 0)
        close(slot->link);
    slot->link = -1;
    slot->state = SLOT_EMPTY;
    slot->pool->alive--;
}

/* True when no worker of the first generation has come up and none is left that could. */
static bool hopeless(struct pool *pool)
{
    if (pool->proved || pool->draining || pool->alive > 0)
        return false;
    for (uint32_t i = 0; i < pool->plan->workers; i++)
        if (!slot_at(pool, i)->tried)
            return false;
    return true;
}

static void mourn(struct slot *slot, const char *how, uint64_t lived_ms, bool was_draining)
{
    uint64_t delay = respawn_after(&slot->respawn, clock_ms(), lived_ms);

    if (was_draining)
        log_debug("worker %u (pid %d) %s", slot->number, (int) slot->pid, how);
    else
        log_warning("worker %u (pid %d) %s after %llu ms; the next one starts %s", slot->number,
                    (int) slot->pid, how, (unsigned long long) lived_ms,
                    delay == 0 ? "at once" : "after a pause");
}

static int on_death(sd_event_source *source, const siginfo_t *info, void *userdata)
{
    struct slot *slot = userdata;
    struct pool *pool = slot->pool;
    bool was_draining = slot->state == SLOT_DRAINING;
    char how[LINK_TEXT_MAX / 2];

    (void) source;
    drain_link(slot); /* its last words */
    describe(info, how, sizeof(how));
    if (pool->reason[0] == '\0')
        snprintf(pool->reason, sizeof(pool->reason), "worker %u %s", slot->number, how);
    mourn(slot, how, clock_ms() - slot->started_ms, was_draining);
    empty(slot);
    if (hopeless(pool))
        pool->events.failed(pool->owner, pool->reason);
    else if (!pool->draining)
        walk(pool);
    else if (pool->alive == 0)
        pool->events.gone(pool->owner);
    return 0;
}

/* The child's side of the fork. Closes what it must not have, its siblings' links and the master's loop among
 * it. */
static _Noreturn void become_worker(const struct slot *slot, int link, pid_t master)
{
    const struct plan *plan = slot->pool->plan;
    struct worker_place place = {
        .slot = slot->number, .generation = slot->generation, .link = link, .master = master};
    int keep[PLAN_SOCKETS_MAX + SCOREBOARD_SLOTS_MAX + 5] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO,
                                                             log_descriptor(), link};
    size_t count = 5;

    for (unsigned i = 0; i < plan->socket_count; i++)
        keep[count++] = plan->sockets[i].fds[slot->number % plan->sockets[i].fd_count];
    for (uint32_t i = 0; i < plan->workers; i++)
        keep[count++] = plan->wake_fds[i];
    descriptors_close_others(keep, count);
    notify_forget();
    /* Not _exit(): what looks for leaks looks at exit. Nothing of the master's has an exit handler, and its
     * standard streams have nothing buffered. */
    exit(worker_run(plan, &place));
}

/* Watches the new worker of SLOT. Returns 0 or a negative errno. */
static int watch(struct slot *slot)
{
    sd_event *event = slot->pool->event;
    int result = sd_event_add_child(event, &slot->child_source, slot->pid, WEXITED, on_death, slot);

    if (result < 0)
        return result;
    return sd_event_add_io(event, &slot->link_source, slot->link, EPOLLIN, on_link, slot);
}

/* Forks a worker into SLOT. Returns 0, or a negative errno. */
static int fill(struct slot *slot)
{
    struct pool *pool = slot->pool;
    sigset_t all, before;
    int ends[2];
    pid_t master = getpid();

    if (link_open(ends) < 0)
        return -errno;
    /* A signal between fork and the child's own set-up must not find the master's dispositions there. */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        become_worker(slot, ends[1], master);
    int error = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return -error;
    }
    slot->pid = pid;
    slot->link = ends[0];
    slot->state = SLOT_STARTING;
    slot->stuck = (struct stuck){0};
    slot->started_ms = clock_ms();
    pool->alive++;
    scoreboard_enter(pool->plan->scoreboard, slot->generation, slot->number, pid);
    return watch(slot);
}

/* Tries to fill SLOT; a failure counts as an early death. */
static void try_fill(struct slot *slot)
{
    struct pool *pool = slot->pool;

    slot->tried = true;
    int result = fill(slot);
    if (result >= 0)
        return;
    log_error("worker %u cannot be started: %s", slot->number, strerror(-result));
    if (slot->state != SLOT_EMPTY) {
        /* It runs but cannot be watched: nobody would ever notice its death. */
        kill(slot->pid, SIGKILL);
        waitpid(slot->pid, NULL, 0);
        empty(slot);
    }
    snprintf(pool->reason, sizeof(pool->reason), "fork: %s", strerror(-result));
    respawn_after(&slot->respawn, clock_ms(), 0);
}

/* Fills the empty slots whose time has come, and comes back when that of the next one does. */
static void walk(struct pool *pool)
{
    uint64_t now = clock_ms(), next = UINT64_MAX;

    for (uint32_t i = 0; i < pool->plan->workers; i++) {
        struct slot *slot = slot_at(pool, i);
        if (slot->state != SLOT_EMPTY || (slot->tried && !pool->proved))
            continue;
        if (slot->respawn.not_before_ms <= now)
            try_fill(slot);
        if (slot->state == SLOT_EMPTY && slot->respawn.not_before_ms < next)
            next = slot->respawn.not_before_ms;
    }
    if (hopeless(pool))
        pool->events.failed(pool->owner, pool->reason);
    else if (next != UINT64_MAX)
        set_timer(pool, next > now ? next - now : 1);
}

struct pool *pool_new(sd_event *event, struct plan *plan, const struct pool_events *events, void *owner)
{
    struct pool *pool = calloc(1, sizeof(*pool));

    if (pool == NULL)
        return NULL;
    pool->event = event;
    pool->plan = plan;
    pool->events = *events;
    pool->owner = owner;
    if (wakes_open(plan) == 0)
        return pool;
    int saved = errno;
    pool_free(pool);
    errno = saved;
    return NULL;
}

void pool_start(struct pool *pool)
{
    for (uint32_t i = 0; i < pool->plan->workers; i++)
        *slot_at(pool, i) =
            (struct slot){.pool = pool, .number = i, .generation = pool->generation, .link = -1};
    walk(pool);
}

void pool_drain(struct pool *pool, uint32_t drain_ms)
{
    pool->draining = true;
    for (unsigned i = 0; i < SCOREBOARD_BLOCKS; i++) {
        struct slot *slot = &pool->slots[i];
        if (slot->state == SLOT_EMPTY)
            continue;
        slot->state = SLOT_DRAINING;
        link_send(slot->link, LINK_DRAIN, drain_ms, NULL);
    }
    if (pool->alive == 0)
        pool->events.gone(pool->owner);
    else
        set_timer(pool, (uint64_t) drain_ms + KILL_GRACE_MS);
}

void pool_kill(struct pool *pool)
{
    assert(pool->draining);
    for (unsigned i = 0; i < SCOREBOARD_BLOCKS; i++)
        if (pool->slots[i].state != SLOT_EMPTY)
            kill(pool->slots[i].pid, SIGKILL);
}

static uint64_t beat_of(const struct slot *slot)
{
    const struct scoreboard *scoreboard = slot->pool->plan->scoreboard;

    return atomic_load(&scoreboard->blocks[scoreboard_index(slot->generation, slot->number)].beat);
}

/* A worker that dies while a debugger or tracer has it cannot be waited for until that lets go, and by then
 * the event of its death has come and gone. So it is looked for, too. Returns whether there was one. */
static bool find_dead(struct slot *slot)
{
    pid_t pid = slot->pid;
    siginfo_t info = {0};

    if (waitid(P_PID, (id_t) pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid != pid ||
        sd_event_source_get_pending(slot->child_source) != 0)
        return false; /* it lives, or its event is on the way */
    on_death(NULL, &info, slot);
    waitid(P_PID, (id_t) pid, &info, WEXITED | WNOHANG);
    return true;
}

bool pool_check(struct pool *pool)
{
    bool busy = false;

    for (unsigned i = 0; i < SCOREBOARD_BLOCKS; i++) {
        struct slot *slot = &pool->slots[i];
        if (slot->state == SLOT_EMPTY || find_dead(slot))
            continue;
        /* One at a time: if many seem stuck it is more likely that we are wrong than that they are. */
        if (!busy)
            busy = stuck_check(&slot->stuck, slot->pid, beat_of(slot), clock_ms());
    }
    return busy;
}

bool pool_healthy(const struct pool *pool)
{
    for (unsigned i = 0; i < SCOREBOARD_BLOCKS; i++)
        if (pool->slots[i].state != SLOT_EMPTY && stuck_for_good(&pool->slots[i].stuck, clock_ms()))
            return false;
    return true;
}

unsigned pool_ready_count(const struct pool *pool)
{
    unsigned count = 0;

    for (unsigned i = 0; i < SCOREBOARD_BLOCKS; i++)
        count += pool->slots[i].state == SLOT_READY;
    return count;
}

void pool_free(struct pool *pool)
{
    if (pool == NULL)
        return;
    assert(pool->alive == 0);
    sd_event_source_disable_unref(pool->timer);
    wakes_close(pool->plan);
    free(pool);
}
