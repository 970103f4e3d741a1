/* Batches of datagrams. Must not know when requests are due. */
#include "client/bench_port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/dial.h"

enum {
    BATCH = 64,
    ROUNDS_MAX = 16
};

#define RETRY_NS (UINT64_C(1000000) * BENCH_RETRY_MS)

/* Shared by all ports of a process. */
static struct mmsghdr outgoing[BATCH], incoming[BATCH];
static struct iovec out_parts[BATCH], in_parts[BATCH];
static unsigned chosen[BATCH]; /* the slots of a batch that goes out */
static char *expected;         /* the answer that should have come */

/* The longest answer, and one byte more, so that a longer one shows. */
static size_t answer_room(const struct bench_plan *plan)
{
    return plan->largest + BENCH_ANSWER_EXTRA_MAX;
}

int bench_port_prepare(const struct bench_plan *plan)
{
    size_t room = answer_room(plan);
    char *memory = calloc(2 * BATCH + 1, room);

    if (memory == NULL)
        return -1;
    for (size_t i = 0; i < BATCH; i++) {
        out_parts[i] = (struct iovec){memory + i * room, room};
        in_parts[i] = (struct iovec){memory + (BATCH + i) * room, room};
        outgoing[i].msg_hdr = (struct msghdr){.msg_iov = &out_parts[i], .msg_iovlen = 1};
        incoming[i].msg_hdr = (struct msghdr){.msg_iov = &in_parts[i], .msg_iovlen = 1};
    }
    expected = memory + room * 2 * BATCH;
    return 0;
}

void bench_port_open(struct bench_load *load, struct bench_port *port)
{
    port->fd = dial_start(load->plan->target, load->plan->address, SOCK_DGRAM);
    port->retry_ns = load->now_ns + RETRY_NS;
    if (port->fd < 0 || bench_load_watch(load, port->fd, port->id) < 0) {
        bench_tally_count(&load->tally->connection_errors[bench_load_errno(errno)], 1);
        return;
    }
    port->retry_ns = 0;
    bench_tally_count(&load->tally->connected, 1);
}

/* Everything on its way is lost: the service said that it is not there. */
static void give_up(struct bench_load *load, struct bench_port *port, enum bench_error error)
{
    bench_load_error(load, error, port->owed);
    for (unsigned i = 0; i < load->plan->depth; i++) {
        port->slots[i].expired |= port->slots[i].pending;
        port->slots[i].pending = false;
    }
    port->owed = 0;
    port->retry_ns = load->now_ns + RETRY_NS;
}

/* A free slot; there is one. Slots are taken in turn, so that an answer that comes late finds its slot as it
 * was for as long as can be. */
static unsigned free_slot(const struct bench_plan *plan, struct bench_port *port)
{
    do
        port->cursor = port->cursor + 1 < plan->depth ? port->cursor + 1 : 0;
    while (port->slots[port->cursor].pending);
    return port->cursor;
}

/* Writes the requests of a batch; returns how many. */
static unsigned fill(struct bench_load *load, struct bench_port *port)
{
    const struct bench_plan *plan = load->plan;
    uint64_t due_ns;
    unsigned count = 0;

    while (count < BATCH && port->owed < plan->depth && bench_pace_take(&load->pace, load->now_ns, &due_ns)) {
        unsigned index = free_slot(plan, port);
        struct bench_slot *slot = &port->slots[index];
        *slot = (struct bench_slot){slot->number + plan->depth, due_ns, load->now_ns, true, false};
        out_parts[count].iov_len = bench_plan_name(plan, slot->number, out_parts[count].iov_base);
        chosen[count++] = index;
        port->owed++;
    }
    return count;
}

/* Counts the first SENT of COUNT as sent; the others have not been taken, and are due again. */
static void note_sent(struct bench_load *load, struct bench_port *port, unsigned sent, unsigned count)
{
    bench_tally_count(&load->tally->sent, sent);
    for (unsigned i = 0; i < sent; i++)
        load->tally->bytes_out += out_parts[i].iov_len;
    for (unsigned i = sent; i < count; i++)
        port->slots[chosen[i]].pending = false;
    port->owed -= count - sent;
    load->pace.next -= count - sent;
}

/* Sends a batch. sendmmsg(2) tells an error only of the first message, and stops short of any other. Returns
 * how many went, with errno when it is less than COUNT. */
static unsigned send_batch(int fd, unsigned count)
{
    unsigned sent = 0;

    while (sent < count) {
        int now = sendmmsg(fd, outgoing + sent, count - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (now <= 0)
            break;
        sent += (unsigned) now;
    }
    return sent;
}

void bench_port_ask(struct bench_load *load, struct bench_port *port)
{
    unsigned count;

    while (bench_port_has_room(load, port) && (count = fill(load, port)) > 0) {
        unsigned sent = send_batch(port->fd, count);
        int error = errno;
        note_sent(load, port, sent, count);
        /* The queue is full: an event tells when it is not. */
        if (sent < count && error == EAGAIN && bench_load_watch_room(load, port->fd, port->id) == 0)
            return;
        if (sent < count)
            give_up(load, port, bench_load_errno(error));
    }
}

/* An answer that no request waits for. */
static void count_stray(struct bench_load *load, const struct bench_slot *slot, uint64_t number)
{
    struct bench_tally *tally = load->tally;

    if (number < load->plan->depth || number > slot->number)
        bench_tally_count(&tally->strange, 1);
    else if (number == slot->number && !slot->expired)
        bench_tally_count(&tally->doubled, 1);
    else
        bench_tally_count(&tally->late, 1);
}

static void take(struct bench_load *load, struct bench_port *port, const char *data, size_t length)
{
    const struct bench_plan *plan = load->plan;
    struct span prefix = plan->words.texts.prefix;
    uint64_t number;

    if (length < prefix.length + BENCH_TAG_SIZE || !bench_plan_number(data + prefix.length, &number)) {
        bench_tally_count(&load->tally->strange, 1);
        return;
    }
    struct bench_slot *slot = &port->slots[number % plan->depth];
    if (!slot->pending || slot->number != number) {
        count_stray(load, slot, number);
        return;
    }
    size_t bytes = bench_plan_answer(plan, &plan->words.texts, number, expected);
    if (bytes == length && memcmp(data, expected, bytes) == 0) {
        bench_load_answers(load, 1, bytes);
        bench_load_latency(load, slot->due_ns);
    } else {
        bench_load_error(load, BENCH_WRONG, 1);
    }
    slot->pending = false;
    port->owed--;
}

void bench_port_hear(struct bench_load *load, struct bench_port *port)
{
    int got, rounds = 0;

    /* Whoever floods us must not keep us from looking at the clock. */
    do {
        got = recvmmsg(port->fd, incoming, BATCH, MSG_DONTWAIT, NULL);
        bench_load_clock(load);
        for (int i = 0; i < got; i++)
            take(load, port, in_parts[i].iov_base, incoming[i].msg_len);
    } while (got == BATCH && ++rounds < ROUNDS_MAX);
    if (got < 0 && errno != EAGAIN)
        give_up(load, port, bench_load_errno(errno));
}

void bench_port_expire(struct bench_load *load, struct bench_port *port)
{
    for (unsigned i = 0; port->owed > 0 && i < load->plan->depth; i++) {
        struct bench_slot *slot = &port->slots[i];
        if (slot->pending && load->now_ns - slot->sent_ns > load->plan->timeout_ns) {
            slot->pending = false;
            slot->expired = true;
            port->owed--;
            bench_load_error(load, BENCH_TIMEOUT, 1);
        }
    }
}
