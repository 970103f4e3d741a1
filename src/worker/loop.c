/* Waiting, whose turn it is, and what the master says. Must not know how conversations and datagrams go. */
#include "worker/loop.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/link.h"
#include "worker/accept.h"
#include "worker/datagram.h"
#include "worker/siblings.h"
#include "worker/stream.h"
#include "worker/timing.h"

enum {
    EVENTS_AT_ONCE = 128,
    STREAMS_FIRST = 4, /* events of streams that come before those of datagrams */
    LOOK_BETWEEN = 24, /* events of streams from one look at datagrams to the next */
    BEAT_MS = 5000     /* an idle worker wakes this often, to show that it lives and to give memory back */
};

/* Takes what waits in the sockets that nobody has after this worker's generation, those with a 1 in ENDING.
 */
static void take_rest(struct worker *worker, const char *ending)
{
    for (unsigned i = 0; i < worker->plan->socket_count && ending[i] != '\0'; i++) {
        if (ending[i] != '1')
            continue;
        if (plan_is_datagram(worker->plan, i))
            datagram_rest(worker, i);
        else
            accept_rest(worker, i);
    }
}

/* Stops watching the sockets of streams, or ALL sockets. They are closed, so that they are gone when the
 * master has closed them too, and not when the last conversation has ended. */
static void leave_sockets(struct worker *worker, bool all)
{
    accept_stop(worker);
    if (all)
        datagram_stop(worker);
    for (unsigned i = 0; i < worker->plan->socket_count; i++)
        if (all || !plan_is_datagram(worker->plan, i))
            close(worker->fds[i]);
}

/* SUCCEEDED: there are other workers already. If there are none, datagrams are answered to the last, since a
 * queue of theirs is short. */
static void begin_drain(struct worker *worker, uint32_t drain_ms, bool succeeded)
{
    if (!worker->draining) {
        worker->draining = true;
        atomic_store_explicit(&worker->score->ready, 0, memory_order_relaxed);
        leave_sockets(worker, succeeded);
        link_send(worker->place.link, LINK_AWAY, 0, NULL);
        stream_drain(worker);
    }
    worker->drain_deadline_ms = worker->now_ms + drain_ms;
}

/* Looks again at all listening sockets. */
static void look(struct worker *worker)
{
    if (worker->draining)
        return;
    accept_wake(worker);
    if (datagram_wake(worker) == 0)
        return;
    /* A worker that does not watch its sockets is of no use; the next one in this slot may be luckier. */
    log_error("worker %u cannot watch its sockets: %s; it finishes and goes", worker->place.slot,
              strerror(errno));
    begin_drain(worker, worker->plan->limits.drain_ms, true);
}

static void obey(struct worker *worker, const struct link_message *message)
{
    switch ((enum link_word) message->word) {
    case LINK_DRAIN:
        if (!worker->draining)
            take_rest(worker, message->text);
        begin_drain(worker, message->value, true);
        break;
    case LINK_STOP:
        begin_drain(worker, message->value, false);
        break;
    case LINK_LOOK:
        look(worker);
        break;
    case LINK_LEVEL:
        log_set_level((enum log_level) message->value);
        break;
    case LINK_READY:
    case LINK_FAILED:
    case LINK_AWAY:
    case LINK_FORBIDDEN:
        break; /* what workers say */
    }
}

static void link_event(struct worker *worker)
{
    struct link_message message;
    enum link_result result = link_receive(worker->place.link, &message);

    if (result == LINK_MESSAGE)
        obey(worker, &message);
    if (result != LINK_END)
        return;
    /* The master is gone. Its end of the link would be reported for ever. */
    epoll_ctl(worker->epoll, EPOLL_CTL_DEL, worker->place.link, NULL);
    log_event(LOG_LEVEL_WARNING, EVENT_MASTER_LOST, NULL, "worker %u has lost its master, finishes and goes",
              worker->place.slot);
    begin_drain(worker, worker->plan->limits.drain_ms, false);
}

/* For all but datagrams. */
static void dispatch(struct worker *worker, const struct epoll_event *event)
{
    uint32_t index = (uint32_t) event->data.u64;

    switch ((enum event_kind)(event->data.u64 >> 32)) {
    case EVENT_CONN:
        stream_event(worker, conns_at(&worker->conns, index), event->events);
        break;
    case EVENT_SOCKET:
        accept_event(worker, index);
        break;
    case EVENT_WAKE:
        accept_wake(worker);
        break;
    case EVENT_LINK:
        link_event(worker);
        break;
    }
}

static bool is_of_datagrams(const struct worker *worker, const struct epoll_event *event)
{
    return event->data.u64 >> 32 == EVENT_SOCKET &&
           plan_is_datagram(worker->plan, (uint32_t) event->data.u64);
}

static void dispatch_datagrams(struct worker *worker, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++)
        if (is_of_datagrams(worker, &events[i]))
            datagram_event(worker, (uint32_t) events[i].data.u64);
}

/* Streams first, but few of them: a flood of datagrams then keeps their clients waiting for one batch, and
 * not for two. And epoll tells of events in the order in which they came; in a flood of streams it has a
 * hundred to tell of before the one datagram that comes meanwhile: so now and then it is not asked. */
static void dispatch_all(struct worker *worker, const struct epoll_event *events, int count)
{
    unsigned streams = 0;
    bool left = false; /* datagrams that were passed over */

    for (int i = 0; i < count; i++) {
        if (is_of_datagrams(worker, &events[i])) {
            left |= streams < STREAMS_FIRST;
            continue;
        }
        dispatch(worker, &events[i]);
        streams++;
        if (streams == STREAMS_FIRST) {
            dispatch_datagrams(worker, events, count);
            left = false;
        } else if (streams % LOOK_BETWEEN == 0 && !worker->draining) {
            datagram_look(worker);
        }
    }
    if (left)
        dispatch_datagrams(worker, events, count);
    if (streams > 0)
        worker->streams_ms = worker->now_ms;
}

/* Milliseconds until something is due and the clock knows it, so that nobody wakes early and in vain. */
static int wait_ms(const struct worker *worker)
{
    uint64_t until = worker->now_ms + BEAT_MS, stream = stream_deadline(worker),
             accept = accept_deadline(worker);

    if (stream < until)
        until = stream;
    if (accept < until)
        until = accept;
    if (worker->draining && worker->drain_deadline_ms < until)
        until = worker->drain_deadline_ms;
    return until > worker->now_ms ? (int) (until - worker->now_ms) + CLOCK_TICK_MS : 0;
}

/* Shows that this worker lives. Returns the number of this pass. */
static uint64_t beat(struct worker *worker)
{
    uint64_t beats = atomic_load_explicit(&worker->score->beat, memory_order_relaxed);

    atomic_store_explicit(&worker->score->beat, beats + 1, memory_order_relaxed);
    return beats;
}

/* A worker that has just taken a connection, or left one to siblings, looks before it sleeps: what it hears
 * of then it was not woken for. While it sleeps, siblings count on it, if connections wake it; and until it
 * has accepted one, if that is the first thing it does. */
static int wait_for_events(struct worker *worker, struct epoll_event events[EVENTS_AT_ONCE])
{
    struct accepting *accepting = &worker->accepting;
    bool looks = accepting->look;

    accepting->look = false;
    if (looks) {
        int count = epoll_wait(worker->epoll, events, EVENTS_AT_ONCE, 0);
        accepting->woken = false;
        if (count > 0)
            return count;
    }
    if (!accepting->away)
        siblings_show(worker, WATCH_ASLEEP);
    int count = epoll_wait(worker->epoll, events, EVENTS_AT_ONCE, wait_ms(worker));
    accepting->woken = true;
    bool takes =
        count > 0 && events[0].data.u64 >> 32 == EVENT_SOCKET && !is_of_datagrams(worker, &events[0]);
    if (!accepting->away && !takes)
        siblings_show(worker, WATCH_AWAKE);
    return count;
}

void loop_run(struct worker *worker)
{
    struct epoll_event events[EVENTS_AT_ONCE];

    while (!worker->draining || (!stream_quiet(worker) && worker->now_ms < worker->drain_deadline_ms)) {
        int count = wait_for_events(worker, events);
        worker->now_ms = clock_ms();
        timing_begin(worker, beat(worker));
        dispatch_all(worker, events, count);
        stream_timers(worker);
        accept_timers(worker);
        timing_take(worker, &worker->score->tally[TALLY_OWN], HISTOGRAM_loop_lag, 1);
        if (count == 0)
            conns_trim(&worker->conns);
    }
}
