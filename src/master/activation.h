/* Socket activation: sockets that the service manager passes, held against those that the config asks for. */
#ifndef HELLOD_MASTER_ACTIVATION_H
#define HELLOD_MASTER_ACTIVATION_H

#include "base/config.h"
#include "master/wanted.h"

/* A passed socket and the wanted one that it is for. */
struct matched {
    int fd;
    unsigned wanted;
};

/* Takes the sockets of sd_listen_fds(3), if they are for this process, and finds for each the wanted one: by
 * its name, else by type, family and port. Verifies type, family, address and listening state, marks what is
 * met in WANTED, and fills MATCHED. Returns the number matched; or -1 after logging each thing that is wrong,
 * with the names of socket and listener and the line to change, and then
 * those that could be told from other descriptors are closed. */
int activation_take(const struct config *config, struct wanted *wanted, unsigned wanted_count,
                    struct matched matched[PLAN_SOCKETS_MAX]);

#endif
