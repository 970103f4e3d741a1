/* The loop of a load on datagrams. Must not know how requests and answers are matched. */
#include "client/bench_datagram.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/bench_port.h"

struct ports {
    struct bench_load *load;
    unsigned count;
    unsigned next; /* whose turn it is in an open loop */
    struct bench_port *all;
    struct bench_slot *slots;
};

static int ports_make(struct ports *ports, struct bench_load *load)
{
    size_t count = load->plan->connections, depth = load->plan->depth;

    *ports = (struct ports){.load = load, .count = load->plan->connections};
    ports->all = calloc(count, sizeof(ports->all[0]));
    ports->slots = calloc(count * depth, sizeof(ports->slots[0]));
    if (ports->all == NULL || ports->slots == NULL || bench_port_prepare(load->plan) < 0)
        return -1;
    for (size_t i = 0; i < count * depth; i++)
        ports->slots[i].number = i % depth;
    for (uint32_t i = 0; i < count; i++) {
        ports->all[i].slots = ports->slots + i * depth;
        ports->all[i].id = i;
        bench_port_open(load, &ports->all[i]);
    }
    return 0;
}

static void ports_free(struct ports *ports)
{
    for (unsigned i = 0; ports->all != NULL && i < ports->count; i++)
        if (ports->all[i].fd >= 0)
            close(ports->all[i].fd);
    free(ports->all);
    free(ports->slots);
}

/* Open loop: what is due goes out in batches, and the sockets take turns. */
static void hand_out(struct ports *ports)
{
    struct bench_load *load = ports->load;

    bench_load_clock(load);
    for (unsigned tried = 0; tried < ports->count; tried++) {
        if (bench_load_over(load) || bench_pace_due(&load->pace) > load->now_ns)
            return;
        bench_port_ask(load, &ports->all[ports->next]);
        ports->next = ports->next + 1 < ports->count ? ports->next + 1 : 0;
    }
}

static void sweep(struct ports *ports)
{
    struct bench_load *load = ports->load;

    for (uint32_t i = 0; i < ports->count; i++) {
        struct bench_port *port = &ports->all[i];
        if (port->fd < 0 && load->now_ns >= port->retry_ns && !bench_load_over(load))
            bench_port_open(load, port);
        if (port->fd >= 0)
            bench_port_hear(load, port);
        bench_port_expire(load, port);
        if (load->pace.tick_ns == 0 && !bench_load_over(load))
            bench_port_ask(load, port);
    }
}

static bool busy(const struct ports *ports)
{
    for (unsigned i = 0; i < ports->count; i++)
        if (ports->all[i].owed > 0)
            return true;
    return false;
}

static void turn(struct ports *ports)
{
    struct bench_load *load = ports->load;
    struct epoll_event events[BENCH_EVENTS];
    int ready = bench_load_wait(load, events);

    for (int i = 0; i < ready; i++) {
        if (events[i].data.u32 == BENCH_TIMER) {
            bench_load_tick(load);
            continue;
        }
        struct bench_port *port = &ports->all[events[i].data.u32];
        bench_port_hear(load, port);
        if (load->pace.tick_ns == 0 && !bench_load_over(load))
            bench_port_ask(load, port);
    }
    if (load->pace.tick_ns > 0)
        hand_out(ports);
    if (bench_load_sweeps(load))
        sweep(ports);
}

static void finish(const struct ports *ports)
{
    struct bench_load *load = ports->load;

    for (unsigned i = 0; i < ports->count; i++)
        bench_load_error(load, BENCH_CUT_OFF, ports->all[i].owed);
    bench_load_note_unsent(load);
}

int bench_datagram_run(struct bench_load *load)
{
    struct ports ports;
    int result = ports_make(&ports, load);

    if (result == 0)
        result = bench_load_start(load);
    if (result == 0) {
        while (!bench_load_over(load) || (busy(&ports) && *load->stop == 0))
            turn(&ports);
        finish(&ports);
    }
    int error = errno;
    ports_free(&ports);
    errno = error;
    return result;
}
