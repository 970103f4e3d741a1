/* The pool: a fixed number of slots and the workers in them. The only module that forks and reaps.
 *
 * First start and replacement are the same walk over empty slots. A slot belongs to a generation; today there
 * is one, a reload makes the next. */
#ifndef HELLOD_MASTER_POOL_H
#define HELLOD_MASTER_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "worker/plan.h"

struct pool;

/* What the pool tells its owner. */
struct pool_events {
    void (*ready)(void *owner); /* every worker has reported its loop, for the first time */
    void (*failed)(void *owner, const char *reason); /* no worker of the first generation could start */
    void (*gone)(void *owner);                       /* after pool_drain(): the last worker has ended */
};

/* Makes a pool without workers on EVENT for PLAN; both must outlive it. Sets the plan's wake_fds. NULL with
 * errno when memory or descriptors are short. */
struct pool *pool_new(sd_event *event, struct plan *plan, const struct pool_events *events, void *owner);

/* Fills the slots. */
void pool_start(struct pool *pool);

/* Tells all workers to finish within DRAIN_MS and starts no more; those that are still there a second later
 * are killed. */
void pool_drain(struct pool *pool, uint32_t drain_ms);

/* Kills all workers now. After pool_drain(). */
void pool_kill(struct pool *pool);

/* Looks after the workers: one that is stuck (stuck.h) is told to abort, and killed if it does not, one at a
 * time; the slot is then filled as after any death. To be called every few seconds, and every second while it
 * returns true: somebody is stuck. */
bool pool_check(struct pool *pool);

/* True when every slot has a worker that serves or starts, or waits to be filled; false when a stuck worker
 * cannot be got rid of. */
bool pool_healthy(const struct pool *pool);

/* How many workers serve. */
unsigned pool_ready_count(const struct pool *pool);

/* Frees the pool; its workers must be gone. NULL is fine. */
void pool_free(struct pool *pool);

#endif
