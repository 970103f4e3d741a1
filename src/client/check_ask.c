/* Asks a service once, in a stream or in datagrams. Must not know what follows from the answer. */
#include "client/check_ask.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    NEXT_ADDRESS_MS = 250, /* as dial_connect() */
    AGAIN_MS = 1000,       /* the first pause before the question is repeated */
    DOUBLINGS_MAX = 10
};

#define MS_NS UINT64_C(1000000)

/* Never 0, which would say that nothing was measured. */
static uint64_t since_us(uint64_t begin_ns)
{
    return (clock_ns() - begin_ns + 999) / 1000;
}

/* Waits for COUNT descriptors until DEADLINE_NS; false when it has come, or poll(2) cannot. */
static bool wait_for(struct pollfd *polls, nfds_t count, uint64_t deadline_ns)
{
    int ready;

    do {
        uint64_t now = clock_ns();
        uint64_t left = now < deadline_ns ? deadline_ns - now + MS_NS - 1 : 0;
        ready = poll(polls, count, (int) (left / MS_NS));
    } while (ready < 0 && errno == EINTR); /* after SIGCONT, say */
    return ready > 0;
}

/* ---- Streams ---- */

/* Sends the name, and that nothing follows. A failure is not the end: what a server said before it hung up is
 * still there to be read. */
static void say(int fd, struct span name, struct check_ask *ask)
{
    ask->asked = 1;
    if (send(fd, name.data, name.length, MSG_NOSIGNAL) == (ssize_t) name.length)
        shutdown(fd, SHUT_WR);
}

/* Receives once; true when nothing more will come or fit. */
static bool hear(int fd, struct check_ask *ask)
{
    ssize_t got = recv(fd, ask->got + ask->length, CHECK_GOT_MAX - ask->length, 0);

    if (got > 0) {
        ask->length += (size_t) got;
        return ask->length == CHECK_GOT_MAX;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    ask->ended = true;
    ask->error = got < 0 ? errno : 0;
    return true;
}

static void converse(int fd, const struct check_question *question, uint64_t deadline_ns,
                     struct check_ask *ask)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    bool over = false;

    say(fd, question->name, ask);
    while (!over && ask->verdict != CHECK_RIGHT) {
        over = !wait_for(&readable, 1, deadline_ns) || hear(fd, ask);
        ask->verdict =
            check_judge_stream((struct span){ask->got, ask->length}, question->answer, over, &ask->words);
    }
}

void check_ask_stream(const struct target *target, const struct check_question *question, unsigned wait_ms,
                      struct check_ask *ask)
{
    uint64_t begin = clock_ns();

    *ask = (struct check_ask){.verdict = CHECK_MORE};
    ask->reached = dial_connect(target, wait_ms, &ask->dial) == 0;
    if (!ask->reached) {
        ask->verdict = CHECK_NOTHING;
        return;
    }
    ask->connect_us = since_us(begin);
    converse(ask->dial.fd, question, begin + wait_ms * MS_NS, ask);
    ask->answer_us = since_us(begin);
    close(ask->dial.fd);
    ask->dial.fd = -1;
}

/* ---- Datagrams ---- */

struct asking {
    const struct target *target;
    const struct check_question *question;
    struct check_ask *ask;
    unsigned turn;                             /* whose it is to be asked */
    unsigned refused;                          /* addresses that failed, and are not asked again */
    struct pollfd polls[TARGET_ADDRESSES_MAX]; /* one an address; .fd -1: not asked yet, or failed */
};

/* Address INDEX failed with ERROR. A queue that is full is no failure. */
static void give_up(struct asking *asking, unsigned index, int error)
{
    if (error == EAGAIN || error == EINTR)
        return;
    if (asking->polls[index].fd >= 0)
        close(asking->polls[index].fd);
    asking->polls[index].fd = -1;
    asking->ask->dial.errors[index] = error;
    asking->refused++;
}

static void send_question(struct asking *asking, unsigned index)
{
    struct span name = asking->question->name;
    int *fd = &asking->polls[index].fd;

    if (*fd < 0)
        *fd = dial_start(asking->target, index, SOCK_DGRAM);
    if (*fd < 0 || send(*fd, name.data, name.length, MSG_NOSIGNAL) < 0)
        give_up(asking, index, errno);
    else
        asking->ask->asked++;
}

/* Asks the next address that has not failed. Returns how long to wait for its answer, in nanoseconds, before
 * the next one is asked: not at all if it cannot be asked. */
static uint64_t ask_next(struct asking *asking)
{
    const struct check_ask *ask = asking->ask;
    unsigned index = asking->turn++ % asking->target->count, round = asking->turn / asking->target->count;

    if (ask->dial.errors[index] == 0)
        send_question(asking, index);
    if (ask->dial.errors[index] != 0)
        return 0;
    if (asking->turn < asking->target->count)
        return NEXT_ADDRESS_MS * MS_NS;
    return (AGAIN_MS * MS_NS) << (round < DOUBLINGS_MAX ? round - 1 : DOUBLINGS_MAX);
}

/* Receives what address INDEX sent; true if that is a datagram. */
static bool hear_datagram(struct asking *asking, unsigned index)
{
    struct check_ask *ask = asking->ask;
    ssize_t got = recv(asking->polls[index].fd, ask->got, CHECK_GOT_MAX, 0);

    if (got < 0) {
        give_up(asking, index, errno);
        return false;
    }
    ask->dial.index = index;
    ask->length = (size_t) got;
    ask->words = (struct span){ask->got, ask->length};
    ask->verdict = check_judge_datagram(ask->words, asking->question->answer);
    return true;
}

/* Takes what has come; true if there was a datagram. */
static bool hear_all(struct asking *asking)
{
    for (unsigned i = 0; i < asking->target->count; i++)
        if (asking->polls[i].fd >= 0 && asking->polls[i].revents != 0 && hear_datagram(asking, i))
            return true;
    return false;
}

void check_ask_datagram(const struct target *target, const struct check_question *question, unsigned wait_ms,
                        struct check_ask *ask)
{
    struct asking asking = {.target = target, .question = question, .ask = ask};
    uint64_t begin = clock_ns(), deadline = begin + wait_ms * MS_NS, next = begin;
    bool answered = false;

    *ask = (struct check_ask){.dial = {.fd = -1, .type = SOCK_DGRAM}, .verdict = CHECK_NOTHING};
    for (unsigned i = 0; i < target->count; i++)
        asking.polls[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    while (!answered && asking.refused < target->count && clock_ns() < deadline) {
        unsigned refused = asking.refused;
        if (clock_ns() >= next)
            next = clock_ns() + ask_next(&asking);
        wait_for(asking.polls, target->count, next < deadline ? next : deadline);
        answered = hear_all(&asking);
        if (asking.refused > refused) /* the others need not wait */
            next = clock_ns();
    }
    ask->answer_us = since_us(begin);
    ask->reached = asking.refused < target->count;
    for (unsigned i = 0; i < target->count; i++)
        if (asking.polls[i].fd >= 0)
            close(asking.polls[i].fd);
}
