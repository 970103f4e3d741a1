/* The memory of a batch of datagrams: messages for recvmmsg(2) and sendmmsg(2), tied to their pieces of it,
 * and what is looked up once for all datagrams. It must not know what becomes of a datagram. */
#ifndef HELLOD_WORKER_BATCH_H
#define HELLOD_WORKER_BATCH_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "worker/guard.h"
#include "worker/parcel.h"
#include "worker/plan.h"

enum {
    BATCH_MAX = PARCEL_ANSWERS_MAX, /* datagrams received at once */
    /* While there are clients of streams: so many take no longer than they wait anyway. */
    BATCH_BESIDE_STREAMS = 16,
    /* What comes with a datagram; behind it is room for what is said of a parcel. */
    BATCH_CONTROL_SIZE = CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo))
};

union batch_address {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    struct sockaddr_un local;
};

union batch_control {
    struct cmsghdr header; /* for its alignment */
    char bytes[BATCH_CONTROL_SIZE + PARCEL_CONTROL_SIZE];
};

struct batch {
    struct mmsghdr in[BATCH_MAX], out[BATCH_MAX], parcels[BATCH_MAX];
    struct iovec in_data[BATCH_MAX], out_data[BATCH_MAX];
    union batch_address source[BATCH_MAX];
    union batch_control control[BATCH_MAX];
    unsigned last;                          /* the socket that had datagrams last, or any */
    bool bound[PLAN_SOCKETS_MAX];           /* by socket: to one address, from which it answers by itself */
    bool packs[PLAN_SOCKETS_MAX];           /* parcels can be sent there */
    struct guard guards[PLAN_SERVICES_MAX]; /* by service */
    uint16_t own_ports[PLAN_SOCKETS_MAX];
    char *in_bytes, *out_bytes; /* BATCH_MAX pieces of in_size and out_size bytes */
    size_t in_size, out_size, control_room;
};

/* Whether PLAN has sockets of datagrams. */
bool batch_is_needed(const struct plan *plan);

/* Makes a batch that has room for the longest message and answer of PLAN, whose sockets are FDS. The caller
 * gives it to batch_free(). NULL when memory is short. */
struct batch *batch_new(const struct plan *plan, const int *fds);

/* Frees it; NULL is fine. */
void batch_free(struct batch *batch);

/* Prepares for a socket of FAMILY (AF_*); to be called before each recvmmsg(2). */
void batch_set_family(struct batch *batch, int family);

/* Makes message I ready to receive again: the kernel has written lengths into it. */
static inline void batch_renew(struct batch *batch, unsigned i)
{
    batch->in[i].msg_hdr.msg_namelen = sizeof(union batch_address);
    batch->in[i].msg_hdr.msg_controllen = batch->control_room;
}

#endif
