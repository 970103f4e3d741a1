/* The loop of a load on streams: who has room for a request, who has waited for too long. Must not know what
 * is said on a connection. */
#include "client/bench_stream.h"

#include <errno.h>
#include <stdlib.h>

#include "client/bench_peer.h"

#define MS_NS UINT64_C(1000000)

/* The connections, and in an open loop the queue of those that have room, so that requests go round. */
struct crowd {
    struct bench_load *load;
    unsigned count, queued, head;
    struct bench_book book;
    struct bench_peer *peers;
    uint32_t *queue;
    uint64_t *due_ns;
    char *buffers;
};

static int crowd_make(struct crowd *crowd, struct bench_load *load)
{
    const struct bench_plan *plan = load->plan;
    size_t in = bench_peer_in_max(plan), out = bench_peer_out_max(plan), count = plan->connections, ring = 1;

    while (ring < plan->depth)
        ring *= 2;
    *crowd = (struct crowd){.load = load, .count = plan->connections};
    crowd->peers = calloc(count, sizeof(crowd->peers[0]));
    crowd->queue = calloc(count, sizeof(crowd->queue[0]));
    crowd->due_ns = calloc(count * ring, sizeof(crowd->due_ns[0]));
    crowd->buffers = calloc(count, in + out);
    if (crowd->peers == NULL || crowd->queue == NULL || crowd->due_ns == NULL || crowd->buffers == NULL ||
        bench_book_write(&crowd->book, plan) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        crowd->peers[i].id = (uint32_t) i;
        crowd->peers[i].first = i; /* so that an answer for another connection is seen to be wrong */
        crowd->peers[i].ring = ring - 1;
        crowd->peers[i].due_ns = crowd->due_ns + i * ring;
        crowd->peers[i].in = crowd->buffers + i * (in + out);
        crowd->peers[i].out = crowd->peers[i].in + in;
    }
    return 0;
}

static void crowd_free(struct crowd *crowd)
{
    for (unsigned i = 0; crowd->peers != NULL && i < crowd->count; i++)
        bench_peer_close(&crowd->peers[i]);
    free(crowd->peers);
    free(crowd->queue);
    free(crowd->due_ns);
    free(crowd->buffers);
    bench_book_free(&crowd->book);
}

static void enqueue(struct crowd *crowd, struct bench_peer *peer)
{
    if (peer->waiting || !bench_peer_has_room(crowd->load->plan, peer))
        return;
    peer->waiting = true;
    crowd->queue[(crowd->head + crowd->queued++) % crowd->count] = peer->id;
}

/* Open loop: the requests that are due go to the connections that have room, one each in turn. */
static void hand_out(struct crowd *crowd)
{
    struct bench_load *load = crowd->load;

    bench_load_clock(load);
    while (crowd->queued > 0 && !bench_load_over(load) && bench_pace_due(&load->pace) <= load->now_ns) {
        struct bench_peer *peer = &crowd->peers[crowd->queue[crowd->head]];
        crowd->head = (crowd->head + 1) % crowd->count;
        crowd->queued--;
        peer->waiting = false;
        bench_peer_ask(load, &crowd->book, peer, 1);
        enqueue(crowd, peer);
    }
}

/* What PEER can do now that something has happened to it. */
static void go_on(struct crowd *crowd, struct bench_peer *peer)
{
    struct bench_load *load = crowd->load;

    if (peer->state == BENCH_PEER_CLOSED && peer->since_ns == 0 && !bench_load_over(load))
        bench_peer_connect(load, peer);
    if (load->pace.tick_ns > 0)
        enqueue(crowd, peer);
    else if (bench_peer_has_room(load->plan, peer) && !bench_load_over(load))
        bench_peer_ask(load, &crowd->book, peer, UINT32_MAX);
}

static void sweep(struct crowd *crowd)
{
    struct bench_load *load = crowd->load;

    for (uint32_t i = 0; i < crowd->count; i++) {
        struct bench_peer *peer = &crowd->peers[i];
        uint64_t age_ns = load->now_ns - peer->since_ns;
        bool waits = peer->owed > 0 || peer->state != BENCH_PEER_OPEN;
        if (peer->state == BENCH_PEER_CLOSED && age_ns >= BENCH_RETRY_MS * MS_NS && !bench_load_over(load))
            bench_peer_connect(load, peer);
        else if (peer->state != BENCH_PEER_CLOSED && waits && age_ns > load->plan->timeout_ns)
            bench_peer_fail(load, peer, BENCH_TIMEOUT);
    }
}

/* True while somebody waits for an answer, or for the end of a conversation. */
static bool busy(const struct crowd *crowd)
{
    for (unsigned i = 0; i < crowd->count; i++)
        if (crowd->peers[i].owed > 0 || crowd->peers[i].state == BENCH_PEER_LEAVING)
            return true;
    return false;
}

static void turn(struct crowd *crowd)
{
    struct epoll_event events[BENCH_EVENTS];
    int ready = bench_load_wait(crowd->load, events);

    for (int i = 0; i < ready; i++) {
        if (events[i].data.u32 == BENCH_TIMER) {
            bench_load_tick(crowd->load);
            continue;
        }
        struct bench_peer *peer = &crowd->peers[events[i].data.u32];
        bench_peer_event(crowd->load, &crowd->book, peer, events[i].events);
        go_on(crowd, peer);
    }
    if (crowd->load->pace.tick_ns > 0)
        hand_out(crowd);
    if (bench_load_sweeps(crowd->load))
        sweep(crowd);
}

/* True while a connection is being made. */
static bool settling(const struct crowd *crowd)
{
    for (unsigned i = 0; i < crowd->count; i++)
        if (crowd->peers[i].state == BENCH_PEER_CONNECTING || crowd->peers[i].state == BENCH_PEER_GREETING)
            return true;
    return false;
}

/* All connections are made before the first request is due, so that making them is not taken for latency. */
static int start(struct crowd *crowd)
{
    struct bench_load *load = crowd->load;

    for (uint32_t i = 0; i < crowd->count; i++)
        bench_peer_connect(load, &crowd->peers[i]);
    while (settling(crowd) && *load->stop == 0)
        turn(crowd);
    if (bench_load_start(load) < 0)
        return -1;
    for (unsigned i = 0; i < crowd->count; i++)
        go_on(crowd, &crowd->peers[i]);
    return 0;
}

static void finish(struct crowd *crowd)
{
    struct bench_load *load = crowd->load;

    for (unsigned i = 0; i < crowd->count; i++)
        bench_load_error(load, BENCH_CUT_OFF, crowd->peers[i].owed);
    bench_load_note_unsent(load);
}

int bench_stream_run(struct bench_load *load)
{
    struct crowd crowd;
    int result = crowd_make(&crowd, load);

    if (result == 0)
        result = start(&crowd);
    if (result == 0) {
        while (!bench_load_over(load) || (busy(&crowd) && *load->stop == 0))
            turn(&crowd);
        finish(&crowd);
    }
    int error = errno;
    crowd_free(&crowd);
    errno = error;
    return result;
}
