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

/* Finds or makes a socket, or several, for each listener of CONFIG and enters them in PLAN. What is wrong is
 * logged with the names of socket and listener and the line to change. Returns 0; or -1, and then nothing is
 * open. */
int listeners_open(struct listeners *listeners, const struct config *config, struct plan *plan);

/* Closes them all, and removes the paths that were made here. */
void listeners_close(struct listeners *listeners);

#endif
