/* Accepting connections.
 *
 * A shared socket is watched with EPOLLEXCLUSIVE (epoll_ctl(2)): the kernel wakes one worker a connection,
 * the first of those who sleep. The rule of balance is in balance.h; here it is put to work:
 *  - who takes a connection goes to the end of the kernel's queue, by taking the socket out of the epoll set
 * and in again, so that connections that come one after the other go round;
 *  - who is awake leaves what waits to siblings, as long as there is one that sleeps for each connection: for
 * each of these one was woken, and would find nothing;
 *  - who has enough while more wait looks away, and lets those who are awake have them; the one that has
 * fewest it asks to come back, if that looks away, too;
 *  - woken above its share, because others had more luck or have lost clients, it hands the connection on: it
 * looks away and wakes the sibling that has fewest. Nobody else would, for the kernel has told this worker
 * alone;
 *  - a sibling that was asked and shows no sign of life is not asked again, nor counted, until its beat goes
 * on: a stopped worker costs one short pause. A worker that becomes full looks away at once, as long as
 * siblings have room.
 *
 * It must not know who may come in, nor what is said on a connection. */
#include "worker/accept.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "worker/access.h"
#include "worker/admit.h"
#include "worker/lines.h"
#include "worker/siblings.h"
#include "worker/stream.h"

enum {
    STAND_BACK_MS = 10, /* for a sibling to take over; more than a tick of the coarse clock */
    FULL_BACK_MS = 100, /* how often a full worker looks whether its siblings still have room */
    QUEUE_MAX = 65535,  /* the longest queue that there can be */
    SHORTAGE_MS = 100,  /* the pause when descriptors or kernel memory are short */
};

static bool is_stream(const struct worker *worker, unsigned socket)
{
    return !plan_is_datagram(worker->plan, socket);
}

static int watch(struct worker *worker, unsigned socket)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = event_tag(EVENT_SOCKET, socket)};

    /* Several workers have the socket, as slots go (plan.h). */
    if (worker->plan->sockets[socket].fd_count < worker->plan->workers)
        event.events |= EPOLLEXCLUSIVE;
    if (siblings_can_be_left(worker, socket))
        event.events |= EPOLLET; /* what was left is not told again */
    return epoll_ctl(worker->epoll, EPOLL_CTL_ADD, worker->fds[socket], &event);
}

static void unwatch(struct worker *worker, unsigned socket)
{
    epoll_ctl(worker->epoll, EPOLL_CTL_DEL, worker->fds[socket], NULL);
}

static void unwatch_all(struct worker *worker)
{
    for (unsigned socket = 0; socket < worker->plan->socket_count; socket++)
        if (is_stream(worker, socket))
            unwatch(worker, socket);
}

/* All or none. */
static int watch_all(struct worker *worker)
{
    for (unsigned socket = 0; socket < worker->plan->socket_count; socket++)
        if (is_stream(worker, socket) && watch(worker, socket) < 0) {
            int error = errno;
            unwatch_all(worker);
            errno = error;
            return -1;
        }
    worker->accepting.away = false;
    worker->accepting.due_ms = UINT64_MAX;
    siblings_show(worker, WATCH_AWAKE);
    return 0;
}

int accept_start(struct worker *worker)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = event_tag(EVENT_WAKE, 0)};

    worker->accepting.asked = -1;
    /* Edge-triggered: each write is an event, and nobody needs to read. */
    if (epoll_ctl(worker->epoll, EPOLL_CTL_ADD, worker->plan->wake_fds[worker->place.slot], &event) < 0)
        return -1;
    return watch_all(worker);
}

/* Looks away until UNTIL_MS, for the reason WHY. */
static void look_away(struct worker *worker, uint64_t until_ms, enum score_watch why)
{
    siblings_show(worker, why);
    if (!worker->accepting.away)
        unwatch_all(worker);
    worker->accepting.away = true;
    worker->accepting.due_ms = until_ms;
}

/* The kernel has no memory, or no descriptor: perhaps a little later. */
static void pause_a_while(struct worker *worker)
{
    score_add(worker->score, COUNTER_accept_pauses, 1);
    look_away(worker, worker->now_ms + SHORTAGE_MS, WATCH_SHORT);
}

void accept_stop(struct worker *worker)
{
    worker->accepting.full = false;
    look_away(worker, UINT64_MAX, WATCH_SHORT);
}

/* Leaves the waiting connections to the sibling that has fewest, and looks away for PAUSE_MS, for the reason
 * WHY. */
static void hand_on(struct worker *worker, const struct balance_view *view, uint64_t pause_ms,
                    enum score_watch why)
{
    score_add(worker->score, COUNTER_handed_on, 1);
    look_away(worker, worker->now_ms + pause_ms, why);
    siblings_ask(worker, view->emptiest);
}

/* True when this worker, because it is full or has enough, leaves what waits to a sibling. */
static bool stand_back(struct worker *worker)
{
    bool full = worker_is_full(worker);

    if (!full && worker->live <= BALANCE_FEW)
        return false; /* the common case of a quiet service costs no look at the siblings */
    struct balance_view view = siblings_view(worker, full ? LOST_MS : SILENT_MS);
    if (full ? view.emptiest_live >= worker->plan->limits.connections
             : !balance_above_share(&view, worker->live))
        return false;
    worker->accepting.full = full;
    hand_on(worker, &view, full ? FULL_BACK_MS : STAND_BACK_MS, full ? WATCH_SHORT : WATCH_ENOUGH);
    return true;
}

/* True when what waits on SOCKET is for siblings, who have been woken for it: not for this worker, unless it
 * was. A sibling that is stopped or killed on the way is what the look after a moment is for. */
static bool is_siblings_turn(struct worker *worker, unsigned socket)
{
    if (worker->accepting.woken)
        return false;
    if (!siblings_are_woken(worker, socket))
        return false;
    if (worker->accepting.due_ms == UINT64_MAX)
        worker->accepting.due_ms = worker->now_ms + STAND_BACK_MS;
    worker->accepting.look = true;
    return true;
}

/* With OWN connections, and siblings as in VIEW, looks away if that is enough and more wait on SOCKET than
 * siblings were woken for: then all who watch it are awake, and the one that has fewest does, or is asked to
 * come back. False if it cannot. */
static bool has_enough(struct worker *worker, unsigned socket, const struct balance_view *view, uint32_t own)
{
    if (!balance_at_share(view, own) || view->emptiest_watch == WATCH_SHORT ||
        siblings_waiting(worker, socket) <= view->asleep)
        return false;
    look_away(worker, worker->now_ms + STAND_BACK_MS, WATCH_ENOUGH);
    if (view->emptiest_watch == WATCH_ENOUGH)
        siblings_ask(worker, view->emptiest);
    else
        siblings_expect(worker, view->emptiest);
    return true;
}

/* Goes to the end of the kernel's queue; but keeps its place if it has some to make up for, and looks away if
 * it has enough. Before the client is greeted, because it may then connect once more: as long as this worker
 * stands before others in the queue, it is told of what one of them is woken for. */
static void yield_place(struct worker *worker, unsigned socket)
{
    struct balance_view view = siblings_view(worker, SILENT_MS);
    uint32_t own = worker->live + 1; /* with the one that was just taken */
    bool left = siblings_can_be_left(worker, socket);

    view.live++;
    worker->accepting.due_ms = UINT64_MAX; /* being told once more is a look */
    if (balance_below_share(&view, own) && (!left || siblings_waiting(worker, socket) == 0))
        return;
    if (left && has_enough(worker, socket, &view, own))
        return;
    unwatch(worker, socket);
    if (watch(worker, socket) < 0)
        pause_a_while(worker);
    worker->accepting.look = left;
}

static void tell_shortage(const struct worker *worker, unsigned socket, int error)
{
    uint32_t count = lines_due(worker->plan->lines, worker->now_ms, LINE_SHORTAGE, 1);
    const struct fields about = {.listener = service_of(worker, socket)->name,
                                 .cause = counter_name(COUNTER_accept_pauses),
                                 .count = count};

    if (count > 0)
        log_event(LOG_LEVEL_WARNING, EVENT_ACCEPT_PAUSED, &about,
                  "worker %u cannot accept connections: %s; pauses of %d ms since the last line about it: %u",
                  worker->place.slot, strerror(error), SHORTAGE_MS, count);
}

/* No descriptor is left: one is kept for telling the first who waits, and the rest waits in the queue until
 * some are free again, instead of waking us without end (failure 41). */
static void shortage(struct worker *worker, unsigned socket, int error)
{
    struct addr_peer peer;

    if (worker->spare >= 0) {
        close(worker->spare);
        int fd = access_accept(worker, socket, &peer);
        if (fd >= 0 && !access_closes(worker, socket, fd, &peer)) {
            tally_add(tally_of(worker, service_of(worker, socket)), COUNTER_refused_descriptors, 1);
            stream_refuse_at_once(worker, fd, SENTENCE_FULL);
        }
        worker->spare = fcntl(worker->epoll, F_DUPFD_CLOEXEC, 0);
    }
    score_add(worker->score, COUNTER_accept_pauses, 1);
    struct balance_view view = siblings_view(worker, SILENT_MS);
    if (siblings_have(worker, socket) && view.workers > 1) /* siblings may have what this worker lacks */
        hand_on(worker, &view, SHORTAGE_MS, WATCH_SHORT);
    else
        look_away(worker, worker->now_ms + SHORTAGE_MS, WATCH_SHORT);
    tell_shortage(worker, socket, error);
}

/* Takes one connection, and if it is YIELDING lets the siblings have the next; false when there is none, or
 * none is to be taken now. */
static bool accept_one(struct worker *worker, unsigned socket, bool yielding)
{
    struct addr_peer peer;

    /* From here on siblings do not count on this worker to take one. */
    if (!worker->accepting.away)
        siblings_show(worker, WATCH_AWAKE);
    int fd = access_accept(worker, socket, &peer);
    if (fd < 0 && !access_peer_is_gone(errno)) {
        if (errno != EAGAIN)
            shortage(worker, socket, errno);
        return false;
    }
    if (yielding)
        yield_place(worker, socket);
    if (fd >= 0)
        admit_connection(worker, socket, fd, &peer);
    return true;
}

/* Takes one connection, if this worker is to have it. One at a time: a loop until EAGAIN would cost a system
 * call for each that comes alone, and epoll tells of the next one together with what those who are connected
 * want. */
static void take(struct worker *worker, unsigned socket)
{
    bool movable = siblings_have(worker, socket);

    if (worker->accepting.away || (movable && stand_back(worker)))
        return; /* it may look away since it has seen to another socket */
    if (accept_one(worker, socket, movable) && movable && !worker->accepting.away && worker_is_full(worker))
        stand_back(worker);
}

void accept_event(struct worker *worker, unsigned socket)
{
    if (worker->accepting.away)
        return; /* an event from before the sockets were taken out */
    if (!siblings_can_be_left(worker, socket) || !is_siblings_turn(worker, socket))
        take(worker, socket);
}

void accept_wake(struct worker *worker)
{
    if (worker->accepting.away && !siblings_see(worker, WATCH_ENOUGH))
        return; /* it will look anyway */
    /* What waits is reported again by adding the socket: the kernel told somebody else of it. */
    unwatch_all(worker);
    if (watch_all(worker) < 0) {
        pause_a_while(worker);
        return;
    }
    for (unsigned socket = 0; socket < worker->plan->socket_count; socket++)
        if (is_stream(worker, socket) && siblings_have(worker, socket))
            take(worker, socket); /* at once: waiting for the event would be one more pass */
}

/* Watches the sockets again. */
static void come_back(struct worker *worker)
{
    if (watch_all(worker) < 0) {
        pause_a_while(worker);
        return;
    }
    worker->accepting.woken = false; /* for what waits here */
    for (unsigned socket = 0; socket < worker->plan->socket_count; socket++)
        if (is_stream(worker, socket) && siblings_can_be_left(worker, socket) &&
            siblings_waiting(worker, socket) > 0)
            accept_event(worker, socket);
}

/* What was left to siblings some time ago is gone, unless one of them is stopped or dead. Those who say that
 * they sleep do not count until they move. */
static void look_after(struct worker *worker)
{
    worker->accepting.due_ms = UINT64_MAX;
    for (unsigned socket = 0; socket < worker->plan->socket_count; socket++)
        if (siblings_can_be_left(worker, socket) && is_stream(worker, socket) &&
            siblings_waiting(worker, socket) > 0) {
            siblings_doubt(worker);
            take(worker, socket);
        }
}

void accept_timers(struct worker *worker)
{
    struct accepting *accepting = &worker->accepting;
    bool over = worker->now_ms >= accepting->due_ms;

    if (!over && !(accepting->full && !worker_is_full(worker)))
        return;
    if (!accepting->away) {
        look_after(worker);
        return;
    }
    if (over)
        siblings_judge(worker);
    accepting->asked = -1;
    accepting->full = false;
    come_back(worker);
}

void accept_rest(struct worker *worker, unsigned socket)
{
    unsigned left = QUEUE_MAX; /* bounded: the port stays open for a moment, and more may come */

    while (left > 0 && accept_one(worker, socket, false))
        left--;
}
