/* Which generation comes after which. Must not know what workers do, nor where their sockets came from. */
#include "master/pool.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "master/generation.h"

struct pool {
    sd_event *event;
    struct pool_events events;
    void *owner;
    struct generation generations[SCOREBOARD_GENERATIONS]; /* as the blocks of the scoreboard */
    struct slot slots[SCOREBOARD_BLOCKS];                  /* likewise */
    struct generation *serving;                            /* NULL: none yet */
    struct generation *before; /* the one before that, while its workers leave; NULL: they have */
    uint32_t next;             /* the number of the next generation */
    bool draining;             /* all of it */
};

/* No worker of it watches sockets any more. What the kernel announced to one that left without looking,
 * nobody else has heard of. */
static void all_left(struct generation *leaving)
{
    struct pool *pool = leaving->owner;

    generation_tell(pool->serving, LINK_LOOK, 0);
    if (leaving != pool->before)
        return;
    pool->before = NULL;
    pool->events.switched(pool->owner);
}

/* Takes over, and sends the one before to its end. */
static void on_ready(struct generation *generation)
{
    struct pool *pool = generation->owner;
    struct generation *before = pool->serving;

    pool->serving = generation;
    pool->events.ready(pool->owner);
    if (before == NULL)
        return;
    uint32_t drain_ms = before->plan->limits.drain_ms;
    log_info("generation %u finishes %llu connections within %u ms", before->number,
             (unsigned long long) generation_connections(before), drain_ms);
    pool->before = before;
    generation_drain(before, LINK_DRAIN, drain_ms);
    if (generation_alive(before) > 0)
        return;
    all_left(before);
    before->events->empty(before);
}

static void on_failed(struct generation *generation)
{
    struct pool *pool = generation->owner;

    pool->events.failed(pool->owner, generation->reason);
}

/* When all of its generation have left, the whole of the serving one looks; until then one of it, so that
 * nothing waits for a worker that is slow to go. */
static void on_left(struct generation *leaving, uint32_t slot)
{
    const struct pool *pool = leaving->owner;
    const struct generation *serving = pool->serving;
    bool all = true;

    if (serving == NULL || serving->state != GENERATION_SERVING)
        return;
    for (uint32_t i = 0; i < leaving->plan->workers; i++)
        all &= leaving->slots[i].state != SLOT_DRAINING;
    if (all)
        all_left(leaving);
    else
        slot_tell(&serving->slots[slot % serving->plan->workers], LINK_LOOK, 0);
}

/* True when no generation has a worker. */
static bool all_gone(const struct pool *pool)
{
    for (unsigned i = 0; i < SCOREBOARD_BLOCKS; i++)
        if (pool->slots[i].state != SLOT_EMPTY)
            return false;
    return true;
}

static void on_empty(struct generation *generation)
{
    struct pool *pool = generation->owner;

    if (generation != pool->serving) { /* that one is freed with the pool */
        log_info("generation %u has ended", generation->number);
        const struct plan *plan = generation->plan;
        generation_close(generation);
        pool->events.retired(pool->owner, plan);
    }
    if (pool->draining && all_gone(pool))
        pool->events.gone(pool->owner);
}

struct pool *pool_new(sd_event *event, const struct pool_events *events, void *owner)
{
    struct pool *pool = calloc(1, sizeof(*pool));

    if (pool == NULL)
        return NULL;
    pool->event = event;
    pool->events = *events;
    pool->owner = owner;
    return pool;
}

bool pool_has_room(const struct pool *pool)
{
    for (unsigned i = 0; i < SCOREBOARD_GENERATIONS; i++)
        if (pool->generations[i].state == GENERATION_NONE)
            return true;
    return false;
}

void pool_hurry(struct pool *pool)
{
    struct generation *oldest = NULL;

    for (unsigned i = 0; i < SCOREBOARD_GENERATIONS; i++) {
        struct generation *generation = &pool->generations[i];
        if (generation->state == GENERATION_DRAINING &&
            (oldest == NULL || generation->number < oldest->number))
            oldest = generation;
    }
    if (oldest == NULL)
        return;
    log_event(LOG_LEVEL_NOTICE, EVENT_CUT_SHORT, NULL, "generation %u is ended at once: there are %d already",
              oldest->number, SCOREBOARD_GENERATIONS);
    generation_drain(oldest, LINK_DRAIN, 0);
}

void pool_start(struct pool *pool, struct plan *plan)
{
    static const struct generation_events events = {
        .ready = on_ready, .failed = on_failed, .left = on_left, .empty = on_empty};

    assert(pool_has_room(pool) && !pool->draining);
    while (pool->generations[pool->next % SCOREBOARD_GENERATIONS].state != GENERATION_NONE)
        pool->next++; /* the place of one that serves while others came to nothing */
    uint32_t number = pool->next++;
    struct generation *generation = &pool->generations[number % SCOREBOARD_GENERATIONS];
    *generation = (struct generation){.owner = pool,
                                      .events = &events,
                                      .event = pool->event,
                                      .number = number,
                                      .plan = plan,
                                      .slots = &pool->slots[scoreboard_index(number, 0)],
                                      .first = pool->serving == NULL};
    generation_start(generation);
}

void pool_drain(struct pool *pool, uint32_t drain_ms)
{
    pool->draining = true;
    for (unsigned i = 0; i < SCOREBOARD_GENERATIONS; i++) {
        struct generation *generation = &pool->generations[i];
        bool ends_before =
            generation->state == GENERATION_DRAINING && generation->deadline_ms <= clock_ms() + drain_ms;
        if (generation->state != GENERATION_NONE && !ends_before)
            generation_drain(generation, LINK_STOP, drain_ms);
    }
    if (all_gone(pool))
        pool->events.gone(pool->owner);
}

void pool_kill(struct pool *pool)
{
    assert(pool->draining);
    for (unsigned i = 0; i < SCOREBOARD_BLOCKS; i++)
        slot_kill(&pool->slots[i]);
}

void pool_tell(const struct pool *pool, enum link_word word, uint32_t value)
{
    for (unsigned i = 0; i < SCOREBOARD_BLOCKS; i++)
        slot_tell(&pool->slots[i], word, value);
}

bool pool_check(struct pool *pool)
{
    bool busy = false;

    for (unsigned i = 0; i < SCOREBOARD_BLOCKS; i++)
        /* One at a time: if many seem stuck it is more likely that we are wrong than that they are. */
        if (!slot_find_dead(&pool->slots[i]) && !busy)
            busy = slot_check_stuck(&pool->slots[i]);
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
    const struct generation *serving = pool->serving != NULL ? pool->serving : &pool->generations[0];
    unsigned count = 0;

    for (uint32_t i = 0; serving->state != GENERATION_NONE && i < serving->plan->workers; i++)
        count += serving->slots[i].state == SLOT_READY;
    return count;
}

uint32_t pool_generation(const struct pool *pool)
{
    return pool->serving != NULL ? pool->serving->number : 0;
}

void pool_look(const struct pool *pool, void (*each)(const struct slot *slot, void *userdata), void *userdata)
{
    for (unsigned i = 0; i < SCOREBOARD_GENERATIONS; i++) {
        const struct generation *generation = &pool->generations[i];
        for (uint32_t j = 0; generation->state != GENERATION_NONE && j < generation->plan->workers; j++)
            if (generation->slots[j].state != SLOT_EMPTY || generation->state != GENERATION_DRAINING)
                each(&generation->slots[j], userdata);
    }
}

void pool_free(struct pool *pool)
{
    if (pool == NULL)
        return;
    for (unsigned i = 0; i < SCOREBOARD_GENERATIONS; i++)
        if (pool->generations[i].state != GENERATION_NONE)
            generation_close(&pool->generations[i]);
    free(pool);
}
