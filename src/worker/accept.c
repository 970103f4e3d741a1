/* Accepting connections.
 *
 * A shared socket is watched with EPOLLEXCLUSIVE (epoll_ctl(2)), which wakes one worker a connection, the
 * first of those who wait. The rule of balance is in balance.h; here it is put to work:
 *  - who takes a connection goes to the end of the kernel's queue, by taking the socket out of the epoll set
 * and in again, so that connections that come one after the other go round;
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
#include "worker/balance.h"
#include "worker/lines.h"
#include "worker/stream.h"

enum {
    STAND_BACK_MS = 10, /* for a sibling to take over; more than a tick of the coarse clock */
    FULL_BACK_MS = 100, /* how often a full worker looks whether its siblings still have room */
    SILENT_MS = 0,  /* a sibling that did not react does not count where taking one too many does no harm, */
    LOST_MS = 1000, /* and when it has been so for long, not even before a client is refused */
    QUEUE_MAX = 65535, /* the longest queue that there can be */
    SHORTAGE_MS = 100  /* the pause when descriptors or kernel memory are short */
};

static bool is_stream(const struct worker *worker, unsigned socket)
{
    return !plan_is_datagram(worker->plan, socket);
}

/* Several workers have the socket, as slots go (plan.h). */
static bool is_shared(const struct worker *worker, unsigned socket)
{
    return worker->plan->sockets[socket].fd_count < worker->plan->workers;
}

/* All workers have the socket, so that whoever has fewest can take over. */
static bool is_everybodys(const struct worker *worker, unsigned socket)
{
    return worker->plan->workers > 1 && worker->plan->sockets[socket].fd_count == 1;
}

static int watch(struct worker *worker, unsigned socket)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = event_tag(EVENT_SOCKET, socket)};

    if (is_shared(worker, socket))
        event.events |= EPOLLEXCLUSIVE;
    return epoll_ctl(worker->epoll, EPOLL_CTL_ADD, worker->fds[socket], &event);
}

static void unwatch(struct worker *worker, unsigned socket)
{
    epoll_ctl(worker->epoll, EPOLL_CTL_DEL, worker->fds[socket], NULL);
}

static int watch_all(struct worker *worker)
{
    for (unsigned socket = 0; socket < worker->plan->socket_count; socket++)
        if (is_stream(worker, socket) && watch(worker, socket) < 0)
            return -1;
    worker->accepting.back_at_ms = 0;
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

/* Looks away until UNTIL_MS. */
static void look_away(struct worker *worker, uint64_t until_ms)
{
    if (worker->accepting.back_at_ms == 0)
        for (unsigned socket = 0; socket < worker->plan->socket_count; socket++)
            if (is_stream(worker, socket))
                unwatch(worker, socket);
    worker->accepting.back_at_ms = until_ms;
}

/* The kernel has no memory, or no descriptor: perhaps a little later. */
static void pause_a_while(struct worker *worker)
{
    score_add(worker->score, COUNTER_accept_pauses, 1);
    look_away(worker, worker->now_ms + SHORTAGE_MS);
}

void accept_stop(struct worker *worker)
{
    worker->accepting.full = false;
    look_away(worker, UINT64_MAX);
}

uint64_t accept_deadline(const struct worker *worker)
{
    return worker->accepting.back_at_ms == 0 ? UINT64_MAX : worker->accepting.back_at_ms;
}

/* The worker in SLOT of this generation, if it takes connections. */
static const struct score *sibling(const struct worker *worker, uint32_t slot)
{
    const struct score *score =
        &worker->plan->scoreboard->blocks[scoreboard_index(worker->place.generation, slot)];

    return atomic_load_explicit(&score->ready, memory_order_relaxed) != 0 ? score : NULL;
}

static uint64_t beat_of(const struct score *score)
{
    return atomic_load_explicit(&score->beat, memory_order_relaxed);
}

/* Notes whether the sibling that was asked to take over has moved since. */
static void judge_asked(struct worker *worker)
{
    struct silence *silence = &worker->accepting.silences[worker->accepting.asked];
    const struct score *score = sibling(worker, (uint32_t) worker->accepting.asked);
    uint64_t beat = worker->accepting.asked_beat + 1;

    if (score == NULL || beat_of(score) + 1 != beat)
        return;
    if (silence->beat != beat)
        *silence = (struct silence){.beat = beat, .since_ms = worker->now_ms};
}

/* For how long the sibling in SLOT has not moved although it was asked; -1: it has not been asked in vain. */
static int64_t silent_ms(const struct worker *worker, uint32_t slot, const struct score *score)
{
    const struct silence *silence = &worker->accepting.silences[slot];

    return silence->beat == beat_of(score) + 1 ? (int64_t) (worker->now_ms - silence->since_ms) : -1;
}

void accept_timers(struct worker *worker)
{
    struct accepting *accepting = &worker->accepting;
    bool room = accepting->full && !worker_is_full(worker), over = worker->now_ms >= accepting->back_at_ms;

    if (accepting->back_at_ms == 0 || (!over && !room))
        return;
    if (over && accepting->asked >= 0)
        judge_asked(worker);
    accepting->asked = -1;
    accepting->full = false;
    if (watch_all(worker) < 0)
        pause_a_while(worker);
}

/* The siblings as the scoreboard shows them, but for those that have been silent for LOST_MS or longer. */
static struct balance_view look_around(const struct worker *worker, int64_t lost_ms)
{
    struct balance_view view = {.workers = 1, .live = worker->live, .emptiest_live = UINT32_MAX};

    for (uint32_t slot = 0; slot < worker->plan->workers; slot++) {
        const struct score *score = slot != worker->place.slot ? sibling(worker, slot) : NULL;
        if (score == NULL || silent_ms(worker, slot, score) >= lost_ms)
            continue;
        uint32_t live = atomic_load_explicit(&score->live, memory_order_relaxed);
        view.workers++;
        view.live += live;
        if (live < view.emptiest_live) {
            view.emptiest_live = live;
            view.emptiest = slot;
        }
    }
    return view;
}

/* Leaves the waiting connections to the sibling that has fewest, and looks away for PAUSE_MS. */
static void hand_on(struct worker *worker, const struct balance_view *view, uint64_t pause_ms)
{
    const struct score *score = sibling(worker, view->emptiest);
    uint64_t one = 1;

    score_add(worker->score, COUNTER_handed_on, 1);
    look_away(worker, worker->now_ms + pause_ms);
    worker->accepting.asked = (int) view->emptiest;
    worker->accepting.asked_beat = score != NULL ? beat_of(score) : 0;
    (void) !write(worker->plan->wake_fds[view->emptiest], &one, sizeof(one));
}

/* True when this worker, because it is full or has enough, leaves what waits to a sibling. */
static bool stand_back(struct worker *worker)
{
    bool full = worker_is_full(worker);

    if (!full && worker->live <= BALANCE_FEW)
        return false; /* the common case of a quiet service costs no look at the siblings */
    struct balance_view view = look_around(worker, full ? LOST_MS : SILENT_MS);
    if (full ? view.emptiest_live >= worker->plan->limits.connections
             : !balance_above_share(&view, worker->live))
        return false;
    worker->accepting.full = full;
    hand_on(worker, &view, full ? FULL_BACK_MS : STAND_BACK_MS);
    return true;
}

/* Goes to the end of the kernel's queue, unless this worker has some to make up for. Before the client is
 * greeted, because it may then connect once more: as long as this worker is awake and stands before others in
 * the queue, it is told of what one of them is woken for, takes it, and the other has woken for nothing. */
static void yield_place(struct worker *worker, unsigned socket)
{
    struct balance_view view = look_around(worker, SILENT_MS);

    view.live++; /* the one that was just taken */
    if (balance_below_share(&view, worker->live + 1))
        return;
    unwatch(worker, socket);
    if (watch(worker, socket) < 0)
        pause_a_while(worker);
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
    struct balance_view view = look_around(worker, SILENT_MS);
    if (is_everybodys(worker, socket) && view.workers > 1) /* siblings may have what this worker lacks */
        hand_on(worker, &view, SHORTAGE_MS);
    else
        look_away(worker, worker->now_ms + SHORTAGE_MS);
    tell_shortage(worker, socket, error);
}

/* Errors of accept(2) that are the peer's or the network's: the connection is gone, the next may be fine. */
static bool peer_is_gone(int error)
{
    return error == ECONNABORTED || error == EPROTO || error == EPERM || error == ENETDOWN ||
           error == ENOPROTOOPT || error == EHOSTDOWN || error == ENONET || error == EHOSTUNREACH ||
           error == EOPNOTSUPP || error == ENETUNREACH || error == EINTR;
}

/* Takes one connection, and if it is YIELDING lets the siblings have the next; false when there is none, or
 * none is to be taken now. */
static bool accept_one(struct worker *worker, unsigned socket, bool yielding)
{
    struct addr_peer peer;
    int fd = access_accept(worker, socket, &peer);

    if (fd < 0) {
        if (errno != EAGAIN && !peer_is_gone(errno))
            shortage(worker, socket, errno);
        return false;
    }
    if (yielding)
        yield_place(worker, socket);
    admit_connection(worker, socket, fd, &peer);
    return true;
}

void accept_event(struct worker *worker, unsigned socket)
{
    bool movable = is_everybodys(worker, socket);

    if (worker->accepting.back_at_ms != 0 || (movable && stand_back(worker)))
        return; /* an event from before the sockets were taken out, or one that was handed on */
    /* One at a time: a loop until EAGAIN would cost a system call for each that comes alone, and epoll tells
     * of the next one together with what those who are connected want. */
    if (accept_one(worker, socket, movable) && movable && worker->accepting.back_at_ms == 0 &&
        worker_is_full(worker))
        stand_back(worker);
}

void accept_wake(struct worker *worker)
{
    if (worker->accepting.back_at_ms != 0)
        return; /* it will look anyway */
    /* What waits is reported again by adding the socket: the kernel told somebody else of it. */
    for (unsigned socket = 0; socket < worker->plan->socket_count; socket++)
        if (is_stream(worker, socket) && is_shared(worker, socket))
            unwatch(worker, socket);
    for (unsigned socket = 0; socket < worker->plan->socket_count; socket++)
        if (is_stream(worker, socket) && is_shared(worker, socket) && watch(worker, socket) < 0) {
            pause_a_while(worker); /* and those that follow are not watched either */
            return;
        }
    for (unsigned socket = 0; socket < worker->plan->socket_count; socket++)
        if (is_stream(worker, socket) && is_everybodys(worker, socket))
            accept_event(worker, socket); /* at once: waiting for the event would be one more pass */
}

void accept_rest(struct worker *worker, unsigned socket)
{
    unsigned left = QUEUE_MAX; /* bounded: the port stays open for a moment, and more may come */

    while (left > 0 && accept_one(worker, socket, false))
        left--;
}
