/* Probes as datagrams: one socket, which hears the target alone. */
#ifndef HELLOD_CLIENT_PING_DATAGRAM_H
#define HELLOD_CLIENT_PING_DATAGRAM_H

#include "client/ping_side.h"
#include "client/target.h"

struct ping_datagram {
    struct ping_side *side;
    int fd;           /* -1: none */
    bool tells_later; /* errors come back beside the data; a path's are told by send(2) */
};

/* Opens the socket for address INDEX of TARGET; what happens is told to SIDE. Returns 0, and the caller ends
 * it with ping_datagram_close(); or -1 with errno. */
int ping_datagram_open(struct ping_datagram *datagram, struct ping_side *side, const struct target *target,
                       unsigned index);

/* Sends the next probe. */
void ping_datagram_send(struct ping_datagram *datagram);

/* Takes what has come: answers, and errors that the network tells. To be called when fd is readable or has an
 * error. Leaves some for the next call when there is much. */
void ping_datagram_receive(struct ping_datagram *datagram);

/* Fine on one that was zeroed with fd -1. */
void ping_datagram_close(struct ping_datagram *datagram);

#endif
