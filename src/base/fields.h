/* What a line of the log is about, for those who search the journal and do not only read it: our fields of an
 * entry beside its text (systemd.journal-fields(7)). Knows nothing of where they go. */
#ifndef HELLOD_BASE_FIELDS_H
#define HELLOD_BASE_FIELDS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"

enum {
    FIELDS_MAX = 1024 /* bytes that all of them take at most */
};

struct fields_worker {
    uint32_t slot, generation; /* SLOT, GENERATION */
    pid_t pid;                 /* WORKER_PID */
};

/* What is NULL or 0 is not there. */
struct fields {
    const struct fields_worker *worker;
    const char *listener;         /* LISTENER: its name in the config */
    const struct addr_peer *peer; /* PEER_ADDRESS: an address or "local"; PEER_PORT */
    const char *network;          /* PEER_NETWORK: those around the peer who are meant, too */
    const char *rule;             /* RULE: of the guard, or the limit, by its name in the config */
    const char *cause;            /* CAUSE: the counter that counts it */
    uint64_t count;               /* COUNT: how many times, or how many */
};

/* Writes FIELDS to OUT, each as NAME=value and a newline, with the values as quote_copy() has them, so that
 * nothing in them can be taken for another field. Returns the bytes written. */
size_t fields_write(const struct fields *fields, char out[FIELDS_MAX]);

#endif
