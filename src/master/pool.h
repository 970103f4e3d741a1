/* The pool: generations of workers, each with a fixed number of slots (slot.h).
 *
 * First start, replacement and reload are the same walk over empty slots. The newest generation that is ready
 * serves; one that is being started comes after it, and those before it finish their conversations. */
#ifndef HELLOD_MASTER_POOL_H
#define HELLOD_MASTER_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/link.h"
#include "master/slot.h"
#include "worker/plan.h"

struct pool;

/* What the pool tells its owner; also from within pool_start() and pool_drain(). */
struct pool_events {
    /* Every worker of the generation that was started last has reported its loop: it serves now. The one
     * before, if there is one, is told to finish when this returns. */
    void (*ready)(void *owner);
    /* And that one's workers have all left the listening sockets. */
    void (*switched)(void *owner);
    /* That generation could not start. If there was one before, it goes on. */
    void (*failed)(void *owner, const char *reason);
    /* The last worker of a generation before the one that serves, or of one that failed, has ended: its PLAN
     * is not used any longer. */
    void (*retired)(void *owner, const struct plan *plan);
    /* After pool_drain(): the last worker of all has ended. */
    void (*gone)(void *owner);
};

/* Makes a pool without workers on EVENT, which must outlive it. NULL with errno when memory is short. */
struct pool *pool_new(sd_event *event, const struct pool_events *events, void *owner);

/* True when there is room for one more generation; else the oldest must go first: pool_hurry(). */
bool pool_has_room(const struct pool *pool);

/* Tells the oldest generation that finishes to end its connections at once. */
void pool_hurry(struct pool *pool);

/* Starts a generation for PLAN, which must live until it is retired, and whose wake_fds it sets. There must
 * be room, and none that is being started already. What goes wrong is told by events. */
void pool_start(struct pool *pool, struct plan *plan);

/* Tells all workers to finish within DRAIN_MS, if they have not less time already, and starts no more; those
 * that are still there a second later are killed. */
void pool_drain(struct pool *pool, uint32_t drain_ms);

/* Kills all workers now. After pool_drain(). */
void pool_kill(struct pool *pool);

/* Says WORD with VALUE to all workers. */
void pool_tell(const struct pool *pool, enum link_word word, uint32_t value);

/* Looks after the workers: one that is stuck (stuck.h) is told to abort, and killed if it does not, one at a
 * time; the slot is then filled as after any death. To be called every few seconds, and every second while it
 * returns true: somebody is stuck. */
bool pool_check(struct pool *pool);

/* True when every slot has a worker that serves or starts, or waits to be filled; false when a stuck worker
 * cannot be got rid of. */
bool pool_healthy(const struct pool *pool);

/* How many workers of the generation that serves take connections. */
unsigned pool_ready_count(const struct pool *pool);

/* The number of the generation that serves; 0 before there is one. */
uint32_t pool_generation(const struct pool *pool);

/* Calls EACH for every slot that has a worker or waits for one. */
void pool_look(const struct pool *pool, void (*each)(const struct slot *slot, void *userdata),
               void *userdata);

/* Frees the pool. Workers that are left, because the event loop has failed, finish by themselves. NULL is
 * fine. */
void pool_free(struct pool *pool);

#endif
