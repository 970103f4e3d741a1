/* Which address gets the load. Must not know how the load is made. */
#include "client/bench_reach.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/bench_learn.h"
#include "client/dial.h"
#include "client/exits.h"

enum {
    PROBE_MS = 300 /* for each address */
};

/* Networks that no stranger is reached by, in the form of struct addr_peer. */
static const struct network {
    uint8_t address[16];
    unsigned bits;
} networks[] = {
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127}, 104},
    {{[15] = 1}, 128},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10}, 104},
    {{0xfc}, 7},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 172, 16}, 108},
    {{0xfe, 0x80}, 10},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 168}, 112},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 169, 254}, 112},
};

bool bench_reach_is_private(const struct sockaddr *address)
{
    struct addr_peer peer = addr_peer(address);

    if (!peer.is_internet)
        return true;
    for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++)
        if (addr_same_prefix(peer.address, networks[i].address, networks[i].bits))
            return true;
    return false;
}

/* One connection, to see which address takes it. */
static int reach_stream(struct bench_plan *plan)
{
    struct dial dial;

    if (dial_connect(plan->target, (unsigned) (plan->timeout_ns / 1000000), &dial) < 0) {
        fputs("helloc bench: ", stderr);
        dial_explain(stderr, plan->target, &dial);
        fputc('\n', stderr);
        return EXITS_NOBODY;
    }
    plan->address = dial.index;
    plan->type = dial.type;
    bench_learn_stream(plan, dial.fd);
    close(dial.fd);
    if (plan->depth == 1 || bench_words_are_lines(&plan->words))
        return 0;
    fprintf(stderr,
            "helloc bench: the answers of %s are no lines, so that only one request can be on its way on a\n"
            "connection: leave --pipeline out.\n",
            plan->target->name);
    return EXITS_USAGE;
}

/* True when somebody at address INDEX answers a datagram. */
static bool answers(struct bench_plan *plan, unsigned index)
{
    int fd = dial_start(plan->target, index, SOCK_DGRAM);
    bool found = fd >= 0 && bench_learn_datagram(plan, fd, PROBE_MS);

    if (fd >= 0)
        close(fd);
    return found;
}

/* One datagram for each address, and one more in case that it was lost. If nobody answers it is the last
 * address: what becomes of the load tells. */
static void reach_datagram(struct bench_plan *plan)
{
    unsigned count = plan->target->count;

    for (unsigned i = 0; i < 2 * count; i++) {
        plan->address = i % count;
        if (answers(plan, plan->address))
            return;
    }
    plan->words = bench_words_builtin(SOCK_DGRAM);
}

int bench_reach(struct bench_plan *plan)
{
    if (plan->type == SOCK_STREAM)
        return reach_stream(plan);
    reach_datagram(plan);
    return 0;
}
