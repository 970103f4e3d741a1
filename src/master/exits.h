/* How the process ends. Knows nothing of why. */
#ifndef HELLOD_MASTER_EXITS_H
#define HELLOD_MASTER_EXITS_H

/* Exit codes, from sysexits.h(3head) where it has one, so that the service manager can show a word for them.
 */
enum master_exit {
    MASTER_OK = 0,
    MASTER_NO_SOCKETS = 69, /* EX_UNAVAILABLE: a socket cannot be had, or a passed one does not fit */
    MASTER_NO_WORKER = 70,  /* EX_SOFTWARE: no worker could start */
    MASTER_NO_SYSTEM = 71,  /* EX_OSERR: the system refused something else */
    MASTER_BAD_CONFIG = 78  /* EX_CONFIG: the config does not fit this host */
};

#endif
