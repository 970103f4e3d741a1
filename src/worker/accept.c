/* Accepting connections.
 *
 * A shared socket is watched with EPOLLEXCLUSIVE (epoll_ctl(2)), which wakes one worker a connection. Its
 * rule of balance is in balance.h; here it is put to work:
 *  - after an accept that leaves this worker above its share it takes the sockets out of the epoll set and in
 * again, and is last in the kernel's queue from then on;
 *  - woken although it is last and above its share, it knows that those before it are awake too, and looks
 * away for STAND_BACK_MS;
 *  - if the connection is still there after that, the others do not take it, whatever the reason, and this
 * worker does not wait for them again for PATIENCE_MS. So a stopped sibling costs one short pause a second.
 * A full worker looks away for longer while siblings have room, and refuses only when none has.
 *
 * It must not know what is said on a connection. */
#include "worker/accept.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "worker/balance.h"
#include "worker/sources.h"
#include "worker/stream.h"

enum {
    STAND_BACK_MS = 2, /* for siblings that are awake to take a connection */
    FULL_BACK_MS = 50, /* how often a full worker looks whether its siblings still have room */
    PATIENCE_MS = 1000,
    SOON_MS = 10,     /* two ticks of the coarse clock: "still there" */
    SHORTAGE_MS = 100 /* the pause when descriptors or kernel memory are short */
};

static bool is_stream(const struct worker *worker, unsigned socket)
{
    return worker->plan->sockets[socket].type != SOCK_DGRAM;
}

static bool is_shared(const struct worker *worker, unsigned socket)
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

int accept_start(struct worker *worker)
{
    for (unsigned socket = 0; socket < worker->plan->socket_count; socket++)
        if (is_stream(worker, socket) && watch(worker, socket) < 0)
            return -1;
    worker->accepting.back_at_ms = 0;
    return 0;
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

void accept_stop(struct worker *worker)
{
    worker->accepting.full = false;
    look_away(worker, UINT64_MAX);
}

uint64_t accept_deadline(const struct worker *worker)
{
    return worker->accepting.back_at_ms == 0 ? UINT64_MAX : worker->accepting.back_at_ms;
}

void accept_timers(struct worker *worker)
{
    struct accepting *accepting = &worker->accepting;

    bool room = accepting->full && worker->live < worker->plan->limits.connections;
    if (accepting->back_at_ms == 0 || (worker->now_ms < accepting->back_at_ms && !room))
        return;
    accepting->full = false;
    if (accept_start(worker) < 0) {
        look_away(worker, worker->now_ms + SHORTAGE_MS);
        return;
    }
    accepting->back_since_ms = worker->now_ms;
    accepting->yielded = true;
}

static struct balance_view look_around(const struct worker *worker)
{
    const struct scoreboard *scoreboard = worker->plan->scoreboard;
    struct balance_view view = {0};

    for (uint32_t slot = 0; slot < worker->plan->workers; slot++) {
        const struct score *score = &scoreboard->blocks[scoreboard_index(worker->place.generation, slot)];
        if (atomic_load_explicit(&score->ready, memory_order_relaxed) == 0)
            continue;
        uint32_t live = atomic_load_explicit(&score->live, memory_order_relaxed);
        view.workers++;
        view.live += live;
        if (slot != worker->place.slot && live < worker->plan->limits.connections)
            view.room_elsewhere = true;
    }
    return view;
}

/* True when this worker leaves the connection to its siblings and now looks away. */
static bool stand_back(struct worker *worker)
{
    struct accepting *accepting = &worker->accepting;
    struct balance_view view = look_around(worker);
    bool full = worker->live >= worker->plan->limits.connections;
    uint64_t pause = 0;

    if (full && view.room_elsewhere) {
        pause = FULL_BACK_MS;
    } else if (!full && accepting->yielded && worker->now_ms >= accepting->patience_until_ms &&
               balance_above_share(&view, worker->live)) {
        if (accepting->back_since_ms > 0 && worker->now_ms - accepting->back_since_ms <= SOON_MS)
            accepting->patience_until_ms = worker->now_ms + PATIENCE_MS;
        else
            pause = STAND_BACK_MS;
    }
    if (pause == 0)
        return false;
    score_add(worker->score, COUNTER_stood_back, 1);
    accepting->full = full;
    look_away(worker, worker->now_ms + pause);
    return true;
}

/* Steps to the end of the kernel's queue when above the share. */
static void yield_place(struct worker *worker, unsigned socket)
{
    struct balance_view view = look_around(worker);

    worker->accepting.yielded = balance_above_share(&view, worker->live);
    if (!worker->accepting.yielded)
        return;
    unwatch(worker, socket);
    if (watch(worker, socket) < 0) /* no memory in the kernel: all of them again, a little later */
        look_away(worker, worker->now_ms + SHORTAGE_MS);
}

static bool exempt(const struct plan *plan, const struct addr_peer *peer)
{
    if (!peer->is_internet)
        return true;
    for (unsigned i = 0; i < plan->exempt_count; i++)
        if (addr_same_prefix(peer->address, plan->exempt[i].address, plan->exempt[i].bits))
            return true;
    return false;
}

static void refuse(struct worker *worker, unsigned socket, int fd, enum counter cause, const char *sentence)
{
    score_add(worker->score, cause, 1);
    stream_refuse(worker, socket, fd, sentence);
}

/* Decides on the connection at FD, which is new. */
static void admit(struct worker *worker, unsigned socket, int fd, const struct addr_peer *peer)
{
    const struct plan *plan = worker->plan;
    bool counted = !exempt(plan, peer);
    enum sources_verdict verdict = SOURCES_ADMITTED;
    char text[ADDR_TEXT_MAX];

    if (plan->access_log)
        log_info("Accept new connection from %s", addr_peer_text(peer, text));
    if (worker->live >= plan->limits.connections) {
        refuse(worker, socket, fd, COUNTER_refused_full, SENTENCE_FULL);
        return;
    }
    if (counted)
        verdict = sources_add(plan->sources, worker->table, peer->address, plan->limits.per_source,
                              plan->limits.per_prefix);
    if (verdict == SOURCES_ADMITTED)
        stream_open(worker, socket, fd, peer, counted);
    else
        refuse(worker, socket, fd,
               verdict == SOURCES_SOURCE_FULL ? COUNTER_refused_source : COUNTER_refused_prefix,
               SENTENCE_SOURCE);
}

/* No descriptor is left: one is kept for telling the first who waits, and the rest waits in the queue until
 * some are free again, instead of waking us without end (failure 41). */
static void shortage(struct worker *worker, unsigned socket, int error)
{
    struct log_limit *limit = &worker->accepting.log;

    if (worker->spare >= 0) {
        close(worker->spare);
        int fd = accept4(worker->fds[socket], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            score_add(worker->score, COUNTER_refused_descriptors, 1);
            stream_refuse_at_once(worker, fd, SENTENCE_FULL);
        }
        worker->spare = fcntl(worker->epoll, F_DUPFD_CLOEXEC, 0);
    }
    score_add(worker->score, COUNTER_accept_pauses, 1);
    look_away(worker, worker->now_ms + SHORTAGE_MS);
    if (log_allowed(limit, worker->now_ms)) {
        log_warning(
            "worker %u cannot accept connections: %s; pausing for %d ms (%llu such pauses not logged)",
            worker->place.slot, strerror(error), SHORTAGE_MS, (unsigned long long) limit->suppressed);
        limit->suppressed = 0;
    }
}

/* Errors of accept(2) that are the peer's or the network's: the connection is gone, the next may be fine. */
static bool peer_is_gone(int error)
{
    return error == ECONNABORTED || error == EPROTO || error == EPERM || error == ENETDOWN ||
           error == ENOPROTOOPT || error == EHOSTDOWN || error == ENONET || error == EHOSTUNREACH ||
           error == EOPNOTSUPP || error == ENETUNREACH || error == EINTR;
}

/* Takes one connection; false when there is none, or none is to be taken now. */
static bool accept_one(struct worker *worker, unsigned socket)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof(address);
    int fd =
        accept4(worker->fds[socket], (struct sockaddr *) &address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        if (errno != EAGAIN && !peer_is_gone(errno))
            shortage(worker, socket, errno);
        return false;
    }
    struct addr_peer peer = addr_peer((const struct sockaddr *) &address);
    admit(worker, socket, fd, &peer);
    return true;
}

void accept_event(struct worker *worker, unsigned socket)
{
    bool shared = is_shared(worker, socket);

    if (worker->accepting.back_at_ms != 0 || (shared && stand_back(worker)))
        return; /* an event from before the sockets were taken out, or one for the others */
    /* One at a time: a loop until EAGAIN would cost a system call for each that comes alone, and epoll tells
     * of the next one together with what those who are connected want. */
    if (accept_one(worker, socket) && shared)
        yield_place(worker, socket);
}
