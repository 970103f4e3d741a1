/* The listening sockets of one world: passed by the service manager, bound here, or left by the world before.
 * Some outlive the worlds and, in the manager's descriptor store, this process. */
#ifndef HELLOD_MASTER_LISTENERS_H
#define HELLOD_MASTER_LISTENERS_H

#include "base/config.h"
#include "master/held.h"
#include "worker/plan.h"

/* The sockets in the order of the plan, row by row. */
struct listeners {
    struct plan *plan;
    struct held_list held;
    int *fds; /* of each of them; the plan points into it */
};

/* Finds or makes a socket, or several, for each listener of CONFIG and enters them in PLAN; both must outlive
 * LISTENERS. With BEFORE (NULL at start) its sockets are taken along where their type and address fit, so
 * that what waits in them is served; they are then in both, and BEFORE goes on untouched. What is wrong is
 * logged with the names of socket and listener and the line to change. Returns 0; or -1, and then nothing is
 * open but what BEFORE has. */
int listeners_open(struct listeners *listeners, const struct config *config, struct plan *plan,
                   const struct listeners *before);

/* The first socket of row number ROW of the plan: its name, its address, where it came from. */
const struct held *listeners_row(const struct listeners *listeners, unsigned row);

/* Marks in the plan of LISTENERS the sockets that NEXT does not have. */
void listeners_end(struct listeners *listeners, const struct listeners *next);

/* Refuses new clients at the sockets so marked, whoever else has them. Nothing may wait there any more. */
void listeners_shut(const struct listeners *listeners);

/* Makes the service manager's descriptor store hold the sockets that were bound here, and no others of ours,
 * so that a restart gets them back (sd_pid_notify_with_fds(3)). Does nothing without a service manager. */
void listeners_store(const struct listeners *listeners);

/* Closes what KEEP (NULL: nobody) does not have too, removes the paths that were made for it, and frees the
 * rest. */
void listeners_close(struct listeners *listeners, const struct listeners *keep);

#endif
