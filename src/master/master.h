/* The master: owns the sockets, keeps the pool, obeys signals. It never touches what a client sent. */
#ifndef HELLOD_MASTER_MASTER_H
#define HELLOD_MASTER_MASTER_H

#include "base/config.h"
#include "master/prepare.h"

/* Exit codes, from sysexits.h(3head) where it has one, so that the service manager can show a word for them.
 */
enum master_exit {
    MASTER_OK = 0,
    MASTER_NO_SOCKETS = 69, /* EX_UNAVAILABLE: a socket cannot be had, or a passed one does not fit */
    MASTER_NO_WORKER = 70,  /* EX_SOFTWARE: no worker could start */
    MASTER_NO_SYSTEM = 71,  /* EX_OSERR: the system refused something else */
    MASTER_BAD_CONFIG = 78  /* EX_CONFIG: the config does not fit this host */
};

/* Runs the service until it is told to stop. PREPARED was made from CONFIG, and both must be free of errors.
 * Returns the exit code of the process; what went wrong has been logged. */
int master_run(const struct config *config, struct prepared *prepared);

#endif
