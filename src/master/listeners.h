/* The listening sockets: passed by the service manager or bound here, and owned for the whole life of the
 * service.
 *
 * The only module, besides what talks to the service manager, that sees sd-daemon. */
#ifndef HELLOD_MASTER_LISTENERS_H
#define HELLOD_MASTER_LISTENERS_H

#include "base/config.h"
#include "master/binding.h"
#include "worker/plan.h"

/* Sockets by number, as in the plan. */
struct listeners {
    struct plan *plan;
    int *fds; /* of all sockets, a row of as many as there are workers for each; the plan points into it */
    struct binding_path paths[PLAN_SOCKETS_MAX];
    int passed[PLAN_SOCKETS_MAX]; /* the number under which it was passed, -1: bound here */
};

/* Finds or makes a socket, or several, for each listener of CONFIG and enters them in PLAN; both must outlive
 * LISTENERS. With BEFORE (NULL at start) its sockets are taken along where their type and address fit, so that
 * what waits in them is served; they are then in both, and BEFORE goes on untouched. What is wrong is logged
 * with the names of socket and listener and the line to change. Returns 0; or -1, and then nothing is open but
 * what BEFORE has. */
int listeners_open(struct listeners *listeners, const struct config *config, struct plan *plan,
                   const struct listeners *before);

/* Makes the service manager's descriptor store hold the sockets that were bound here, and no others of ours,
 * so that a restart gets them back (sd_pid_notify_with_fds(3)). Does nothing without a service manager. */
void listeners_store(const struct listeners *listeners);

/* Closes what KEEP (NULL: nobody) does not have too, removes the paths that were made for it, and frees the
 * rest. */
void listeners_close(struct listeners *listeners, const struct listeners *keep);

#endif
