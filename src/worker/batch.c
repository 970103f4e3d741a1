/* Taken once, at the start: serving allocates nothing. */
#include "worker/batch.h"

#include <stdlib.h>

#include "base/addr.h"

enum {
    LOOPBACK_INDEX = 1, /* the kernel gives the loopback device no other in any network namespace */
    CACHE_LINE = 64
};

bool batch_is_needed(const struct plan *plan)
{
    for (unsigned i = 0; i < plan->socket_count; i++)
        if (plan_is_datagram(plan, i))
            return true;
    return false;
}

/* What is sent to a group can come from an address of ours, but not from that one. (A socket that is bound to
 * a broadcast address is found by what it gets: none of it is sent to a local address.) */
static bool is_one_address(const union batch_address *address)
{
    if (address->any.sa_family == AF_INET)
        return address->ipv4.sin_addr.s_addr != htonl(INADDR_ANY);
    const struct in6_addr *ipv6 = &address->ipv6.sin6_addr;
    return address->any.sa_family == AF_INET6 && !IN6_IS_ADDR_UNSPECIFIED(ipv6) &&
           !IN6_IS_ADDR_V4MAPPED(ipv6) && !IN6_IS_ADDR_MULTICAST(ipv6);
}

/* Where the sockets are bound: to one address or to all, and the ports at which we would talk to ourselves.
 * Returns how many ports there are. */
static size_t find_own_addresses(struct batch *batch, const struct plan *plan, const int *fds)
{
    size_t count = 0;

    for (unsigned i = 0; i < plan->socket_count; i++) {
        union batch_address address = {0};
        socklen_t length = sizeof(address);
        if (!plan_is_datagram(plan, i) || getsockname(fds[i], &address.any, &length) < 0)
            continue;
        batch->bound[i] = is_one_address(&address);
        uint16_t port = addr_port(&address.any);
        if (port != 0)
            batch->own_ports[count++] = port;
    }
    return count;
}

static void set_up_guards(struct batch *batch, const struct plan *plan, const int *fds)
{
    size_t ports = find_own_addresses(batch, plan, fds);

    for (unsigned i = 0; i < plan->service_count; i++) {
        const struct plan_service *service = &plan->services[i];
        batch->guards[i] =
            (struct guard){.rules = service->guard_rules,
                           .message_size = service->message_size,
                           .active = &service->texts,
                           .builtin = guard_builtin(&service->texts, service->protocol->defaults),
                           .own_ports = batch->own_ports,
                           .own_port_count = ports,
                           .loopback_index = LOOPBACK_INDEX};
    }
}

/* How far pieces of SIZE bytes are apart: an odd number of cache lines. Most messages are short, and 64
 * beginnings of pieces a kilobyte apart would meet in a handful of the cache's sets. */
static size_t stride(size_t size)
{
    return ((size + CACHE_LINE - 1) / CACHE_LINE | 1) * CACHE_LINE;
}

/* Ties message I to its pieces of memory. */
static void tie(struct batch *batch, unsigned i)
{
    batch->in_data[i] = (struct iovec){batch->in_bytes + i * stride(batch->in_size), batch->in_size};
    batch->out_data[i].iov_base = batch->out_bytes + i * stride(batch->out_size);
    batch->in[i].msg_hdr.msg_iov = &batch->in_data[i];
    batch->in[i].msg_hdr.msg_iovlen = 1;
    batch->in[i].msg_hdr.msg_name = &batch->source[i];
    batch->in[i].msg_hdr.msg_control = &batch->control[i];
    batch->out[i].msg_hdr.msg_iov = &batch->out_data[i];
    batch->out[i].msg_hdr.msg_iovlen = 1;
}

static int take_memory(struct batch *batch)
{
    batch->in_bytes = aligned_alloc(CACHE_LINE, BATCH_MAX * stride(batch->in_size));
    batch->out_bytes = aligned_alloc(CACHE_LINE, BATCH_MAX * stride(batch->out_size));
    if (batch->in_bytes == NULL || batch->out_bytes == NULL)
        return -1;
    for (unsigned i = 0; i < BATCH_MAX; i++)
        tie(batch, i);
    return 0;
}

struct batch *batch_new(const struct plan *plan, const int *fds)
{
    struct batch *batch = calloc(1, sizeof(*batch));

    if (batch == NULL)
        return NULL;
    for (unsigned i = 0; i < plan->socket_count; i++) {
        const struct plan_service *service = &plan->services[plan->sockets[i].service];
        if (!plan_is_datagram(plan, i))
            continue;
        batch->packs[i] = parcel_possible(fds[i]);
        if (batch->in_size <
            service->message_size + 1) /* a byte more than allowed shows that it is too long */
            batch->in_size = service->message_size + 1;
        if (batch->out_size < service->answer_max)
            batch->out_size = service->answer_max;
    }
    if (take_memory(batch) < 0) {
        batch_free(batch);
        return NULL;
    }
    batch_set_family(batch, AF_INET);
    set_up_guards(batch, plan, fds);
    return batch;
}

void batch_free(struct batch *batch)
{
    if (batch == NULL)
        return;
    free(batch->in_bytes);
    free(batch->out_bytes);
    free(batch);
}

void batch_set_family(struct batch *batch, int family)
{
    /* A local client can send descriptors along. Without room for them the kernel closes them; with it, they
     * would be ours and stay open. */
    size_t room = family == AF_UNIX ? 0 : BATCH_CONTROL_SIZE;

    if (batch->control_room == room)
        return;
    batch->control_room = room;
    for (unsigned i = 0; i < BATCH_MAX; i++)
        batch_renew(batch, i);
}
