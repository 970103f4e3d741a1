/* Questions without a connection: the hello protocol seen from the client, which asks again, with patience
 * that doubles, because datagrams get lost. It knows no person and no terminal. */
#ifndef HELLOD_CLIENT_ASKING_H
#define HELLOD_CLIENT_ASKING_H

#include <stdbool.h>
#include <stdint.h>

#include "client/dial.h"
#include "client/heard.h"

struct asking {
    const struct target *target;
    int fds[TARGET_ADDRESSES_MAX]; /* by address; -1: not opened yet, or given up */
    struct dial trouble;           /* what went wrong with each address, for dial_explain() */
    unsigned current;              /* the address that is asked */
    bool settled;                  /* it has answered */
    unsigned tries;                /* how often the last question was asked */
    unsigned ignored;              /* answers to it that were to something else */
    char *buffer;                  /* HEARD_MAX bytes and a NUL */
    void (*on_repeat)(void *owner, unsigned since_ms);
    void *owner;
};

/* Prepares for TARGET, which outlives ASKING. Its first address is asked; when that is silent or unreachable,
 * the next one. ON_REPEAT is called with OWNER before a question is asked again, SINCE_MS after it was asked
 * first. Returns 0, or -1 with errno; asking_close() is for both. */
int asking_open(struct asking *asking, const struct target *target,
                void (*on_repeat)(void *owner, unsigned since_ms), void *owner);

/* Asks for NAME until there is an answer or DEADLINE_MS of clock_ms() has come: again after 1 s, then 2 s, 4
 * s and so on. An answer has NAME in it, and comes from the address that was asked; anything else is ignored
 * and counted. HEARD_NOBODY: each address is known to have nobody. */
enum heard_kind asking_ask(struct asking *asking, const char *name, size_t length, uint64_t deadline_ms,
                           struct heard *heard);

/* Closes and frees what there is. */
void asking_close(struct asking *asking);

#endif
