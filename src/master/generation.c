/* Slots in concert. Must not know what workers do, where their sockets came from, and who comes after them.
 */
#include "master/generation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "master/wakes.h"

enum {
    START_MS = 30000,    /* for a later generation to be ready */
    KILL_GRACE_MS = 1000 /* how long after its own deadline a worker is left to end by itself */
};

static void walk(struct generation *generation);
static void fail(struct generation *generation);

unsigned generation_alive(const struct generation *generation)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < generation->plan->workers; i++)
        count += generation->slots[i].state != SLOT_EMPTY;
    return count;
}

uint64_t generation_connections(const struct generation *generation)
{
    const struct scoreboard *scoreboard = generation->plan->scoreboard;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < generation->plan->workers; i++)
        sum += atomic_load(&scoreboard->blocks[scoreboard_index(generation->number, i)].live);
    return sum;
}

static void kill_all(const struct generation *generation)
{
    for (uint32_t i = 0; i < generation->plan->workers; i++)
        slot_kill(&generation->slots[i]);
}

void generation_tell(const struct generation *generation, enum link_word word, uint32_t value)
{
    for (uint32_t i = 0; i < generation->plan->workers; i++)
        slot_tell(&generation->slots[i], word, value);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct generation *generation = userdata;

    (void) source;
    (void) usec;
    if (generation->state == GENERATION_DRAINING) {
        const struct fields about = {.count = generation_alive(generation)};
        log_event(LOG_LEVEL_WARNING, EVENT_WORKERS_KILLED, &about,
                  "generation %u: %u workers did not end in time and are killed", generation->number,
                  generation_alive(generation));
        kill_all(generation);
    } else if (generation->first || generation->state == GENERATION_SERVING) {
        walk(generation);
    } else {
        snprintf(generation->reason, sizeof(generation->reason), "its workers were not ready within %d s",
                 START_MS / 1000);
        fail(generation);
    }
    return 0;
}

static void set_timer(struct generation *generation, uint64_t delay_ms)
{
    uint64_t delay_us = delay_ms * 1000;
    int result;

    if (generation->timer == NULL)
        result = sd_event_add_time_relative(generation->event, &generation->timer, CLOCK_MONOTONIC, delay_us,
                                            1000, on_timer, generation);
    else
        result = sd_event_source_set_time_relative(generation->timer, delay_us);
    if (result >= 0)
        result = sd_event_source_set_enabled(generation->timer, SD_EVENT_ONESHOT);
    if (result < 0)
        log_error("timer: %s", strerror(-result));
}

static void stop_timer(const struct generation *generation)
{
    if (generation->timer != NULL)
        sd_event_source_set_enabled(generation->timer, SD_EVENT_OFF);
}

_Static_assert((int) PLAN_SOCKETS_MAX < (int) LINK_TEXT_MAX, "a digit for each socket");

/* Which sockets end with this generation, as LINK_DRAIN says it. */
static void name_ending(const struct plan *plan, char text[LINK_TEXT_MAX])
{
    for (unsigned i = 0; i < plan->socket_count; i++)
        text[i] = plan->sockets[i].ends ? '1' : '0';
    text[plan->socket_count] = '\0';
}

void generation_drain(struct generation *generation, enum link_word word, uint32_t drain_ms)
{
    char text[LINK_TEXT_MAX];

    name_ending(generation->plan, text);
    generation->state = GENERATION_DRAINING;
    generation->deadline_ms = clock_ms() + drain_ms;
    for (uint32_t i = 0; i < generation->plan->workers; i++)
        slot_drain(&generation->slots[i], word, drain_ms, text);
    set_timer(generation, (uint64_t) drain_ms + KILL_GRACE_MS);
}

/* A generation after the first is not given a second chance. */
static void fail(struct generation *generation)
{
    if (!generation->first)
        generation_drain(generation, LINK_DRAIN, generation->plan->limits.drain_ms);
    generation->events->failed(generation);
    if (!generation->first && generation_alive(generation) == 0)
        generation->events->empty(generation);
}

static bool all_ready(const struct generation *generation)
{
    for (uint32_t i = 0; i < generation->plan->workers; i++)
        if (generation->slots[i].state != SLOT_READY)
            return false;
    return true;
}

static void on_ready(struct slot *slot)
{
    struct generation *generation = slot->owner;
    bool proof = !generation->proved;

    generation->proved = true;
    if (generation->state != GENERATION_STARTING)
        return;
    if (all_ready(generation)) {
        generation->state = GENERATION_SERVING;
        stop_timer(generation);
        generation->events->ready(generation);
    } else if (proof && generation->first) {
        walk(generation); /* slots whose worker died before any was ready have waited for this */
    }
}

static void on_failed(struct slot *slot, const char *reason)
{
    struct generation *generation = slot->owner;

    snprintf(generation->reason, sizeof(generation->reason), "%s", reason);
}

static void on_away(struct slot *slot)
{
    struct generation *generation = slot->owner;

    generation->events->left(generation, slot->number);
}

/* True when no worker of the first generation has come up and none is left that could. */
static bool hopeless(const struct generation *generation)
{
    if (generation->state != GENERATION_STARTING || !generation->first || generation->proved ||
        generation_alive(generation) > 0)
        return false;
    for (uint32_t i = 0; i < generation->plan->workers; i++)
        if (!generation->slots[i].tried)
            return false;
    return true;
}

static void mourn(struct slot *slot, const char *how, uint64_t lived_ms)
{
    const struct generation *generation = slot->owner;
    const struct fields_worker worker = slot_worker(slot);
    const struct fields about = {.worker = &worker};
    uint64_t delay_ms = respawn_after(&slot->respawn, clock_ms(), lived_ms);

    if (generation->state == GENERATION_DRAINING && !slot->crashed)
        log_debug("worker %u of generation %u (pid %d) %s", slot->number, slot->generation, (int) slot->pid,
                  how);
    else if (generation->state == GENERATION_DRAINING ||
             (generation->state == GENERATION_STARTING && !generation->first))
        log_event(LOG_LEVEL_WARNING, EVENT_WORKER_LOST, &about, "worker %u of generation %u (pid %d) %s",
                  slot->number, slot->generation, (int) slot->pid, how);
    else
        log_event(LOG_LEVEL_WARNING, EVENT_WORKER_DIED, &about,
                  "worker %u (pid %d) %s after %llu ms; the next one starts %s", slot->number,
                  (int) slot->pid, how, (unsigned long long) lived_ms,
                  delay_ms == 0 ? "at once" : "after a pause");
}

/* What the kernel announced to the one that died is waiting. The next one in its slot will find it; if there
 * is none yet, a sibling must. */
static void replace(struct slot *slot)
{
    struct score *blocks = slot->plan->scoreboard->blocks;

    /* Where it is known of which slot; nobody else writes there until it is filled. */
    score_add(&blocks[scoreboard_index(slot->generation, slot->number)], COUNTER_worker_restarts, 1);
    walk(slot->owner);
    if (slot->state == SLOT_EMPTY)
        generation_tell(slot->owner, LINK_LOOK, 0);
}

static void on_died_draining(struct generation *generation, uint32_t slot)
{
    generation->events->left(generation, slot);
    if (generation_alive(generation) > 0)
        return;
    stop_timer(generation);
    generation->events->empty(generation);
}

static void on_died(struct slot *slot, const char *how, uint64_t lived_ms)
{
    struct generation *generation = slot->owner;

    if (generation->reason[0] == '\0')
        snprintf(generation->reason, sizeof(generation->reason), "worker %u %s", slot->number, how);
    mourn(slot, how, lived_ms);
    if (generation->state == GENERATION_DRAINING)
        on_died_draining(generation, slot->number);
    else if (generation->state == GENERATION_STARTING && (!generation->first || hopeless(generation)))
        fail(generation);
    else
        replace(slot);
}

/* A failure counts as an early death. */
static void try_fill(struct slot *slot)
{
    struct generation *generation = slot->owner;
    int result = slot_fill(slot);

    if (result >= 0)
        return;
    const struct fields_worker worker = {.slot = slot->number, .generation = slot->generation};
    const struct fields about = {.worker = &worker};
    log_event(LOG_LEVEL_ERROR, EVENT_WORKER_NOT_STARTED, &about, "worker %u cannot be started: %s",
              slot->number, strerror(-result));
    snprintf(generation->reason, sizeof(generation->reason), "fork: %s", strerror(-result));
    respawn_after(&slot->respawn, clock_ms(), 0);
}

/* Fills the empty slots whose time has come, and comes back when that of the next one does. */
static void walk(struct generation *generation)
{
    uint64_t now = clock_ms(), next = UINT64_MAX;

    for (uint32_t i = 0; i < generation->plan->workers; i++) {
        struct slot *slot = &generation->slots[i];
        if (slot->state != SLOT_EMPTY || (slot->tried && !generation->proved))
            continue;
        if (slot->respawn.not_before_ms <= now)
            try_fill(slot);
        if (slot->state == SLOT_EMPTY && slot->respawn.not_before_ms < next)
            next = slot->respawn.not_before_ms;
    }
    if (hopeless(generation))
        fail(generation);
    else if (next != UINT64_MAX)
        set_timer(generation, next > now ? next - now : 1);
}

/* A later generation: none of its slots waits, so that it starts as a whole or not at all. */
static void start_next(struct generation *generation)
{
    set_timer(generation, START_MS);
    for (uint32_t i = 0; i < generation->plan->workers; i++) {
        try_fill(&generation->slots[i]);
        if (generation->slots[i].state == SLOT_EMPTY) {
            fail(generation);
            return;
        }
    }
}

static void fill_in(struct generation *generation)
{
    static const struct slot_events events = {
        .ready = on_ready, .failed = on_failed, .away = on_away, .died = on_died};

    for (uint32_t i = 0; i < generation->plan->workers; i++)
        generation->slots[i] = (struct slot){.owner = generation,
                                             .events = &events,
                                             .event = generation->event,
                                             .plan = generation->plan,
                                             .number = i,
                                             .generation = generation->number,
                                             .link = -1};
}

void generation_start(struct generation *generation)
{
    generation->state = GENERATION_STARTING;
    fill_in(generation);
    if (wakes_open(generation->plan) < 0) {
        snprintf(generation->reason, sizeof(generation->reason), "eventfd: %s", strerror(errno));
        fail(generation);
    } else if (generation->first) {
        walk(generation);
    } else {
        start_next(generation);
    }
}

void generation_close(struct generation *generation)
{
    for (uint32_t i = 0; i < generation->plan->workers; i++)
        slot_abandon(&generation->slots[i]);
    generation->state = GENERATION_NONE;
    generation->timer = sd_event_source_disable_unref(generation->timer);
    wakes_close(generation->plan);
}
