/* From config to plan: the checks that need to know what the values mean, and the plain values that workers
 * get. */
#ifndef HELLOD_MASTER_PREPARE_H
#define HELLOD_MASTER_PREPARE_H

#include "base/config.h"
#include "worker/plan.h"

_Static_assert((int) PLAN_SERVICES_MAX >= (int) CONFIG_LISTENERS_MAX, "a service for each listener");
_Static_assert((int) SCOREBOARD_SLOTS_MAX >= 256, "a slot for each worker that the config may ask for");

/* A plan and the memory that its spans point into, besides the config. */
struct prepared {
    struct plan plan;
    char templates[PLAN_SERVICES_MAX][CONFIG_TEXT_MAX + 1];
};

/* Fills all of PREPARED but sockets and shared memory from CONFIG, which must outlive it. What does not
 * make sense is complained of in CONFIG, all of it; ask config_errors(). The caller gives PREPARED to
 * prepare_free(). */
void prepare_plan(struct prepared *prepared, struct config *config);

/* Frees what prepare_plan() has made. Fine on what is all zero. */
void prepare_free(struct prepared *prepared);

#endif
