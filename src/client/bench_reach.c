/* Which address gets the load. Must not know how the load is made. */
#include "client/bench_reach.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/dial.h"
#include "client/exits.h"

enum {
    PROBE_MS = 300 /* for each address but the last */
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
    close(dial.fd);
    plan->address = dial.index;
    if (dial.type == SOCK_STREAM)
        return 0;
    fprintf(stderr, "helloc bench: %s is a seqpacket socket, which bench does not know\n",
            plan->target->name);
    return EXITS_USAGE;
}

/* True when somebody at address INDEX answers a datagram. */
static bool answers(const struct bench_plan *plan, unsigned index)
{
    int fd = dial_start(plan->target, index, SOCK_DGRAM);
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    char byte;
    bool found = fd >= 0 && send(fd, "bench", 5, MSG_NOSIGNAL) == 5 && poll(&wait, 1, PROBE_MS) > 0 &&
                 recv(fd, &byte, 1, MSG_DONTWAIT) >= 0;

    if (fd >= 0)
        close(fd);
    return found;
}

/* An only address needs no asking: what becomes of the load tells. */
static void reach_datagram(struct bench_plan *plan)
{
    unsigned last = plan->target->count - 1;

    plan->address = 0;
    while (plan->address < last && !answers(plan, plan->address))
        plan->address++;
}

int bench_reach(struct bench_plan *plan)
{
    if (plan->type == SOCK_STREAM)
        return reach_stream(plan);
    reach_datagram(plan);
    return 0;
}
