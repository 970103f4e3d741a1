/* Which sockets the config asks for: each listener's addresses, one by one. Opens nothing. */
#ifndef HELLOD_MASTER_WANTED_H
#define HELLOD_MASTER_WANTED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/config.h"
#include "master/binding.h"
#include "worker/plan.h"

/* One address of one listener. */
struct wanted {
    unsigned listener; /* index in the config */
    struct binding binding;
    bool optional; /* one of the two of "*": a host without this family does without */
    bool met;      /* a passed socket is for it */
    unsigned own;  /* how many sockets of our own are for it */
};

/* Fills WANTED from CONFIG; returns how many there are. */
unsigned wanted_list(const struct config *config, struct wanted wanted[PLAN_SOCKETS_MAX]);

enum {
    WANTED_TEXT_MAX = ADDR_TEXT_MAX + 20
};

/* "tcp 127.0.0.1:3288", "udp [::]:3288", "unix stream /run/x": TYPE and ADDRESS in words, into TEXT; returns
 * TEXT. */
const char *wanted_text(int type, const struct sockaddr *address, socklen_t length,
                        char text[WANTED_TEXT_MAX]);

/* The same for a WANTED socket of CONFIG, also for one whose address is not there. */
const char *wanted_describe(const struct config *config, const struct wanted *wanted,
                            char text[WANTED_TEXT_MAX]);

/* The option of a socket unit (systemd.socket(5)) that passes sockets of TYPE. */
const char *wanted_directive(int type);

#endif
