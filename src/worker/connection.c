/* One connection's socket, and its end. Must not know what is said on it. */
#include "worker/connection.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/probes.h"
#include "worker/offence.h"
#include "worker/sources.h"

void connection_set_live(struct worker *worker, uint32_t live)
{
    worker->live = live;
    atomic_store_explicit(&worker->score->live, live, memory_order_relaxed);
}

static void log_close(const struct worker *worker, const struct conn *conn)
{
    const struct fields about = {.listener = service_of(worker, conn->socket)->name,
                                 .peer = &conn->peer,
                                 .cause = counter_name((enum counter) conn->cause)};
    char text[ADDR_TEXT_MAX];

    log_event(LOG_LEVEL_INFO, EVENT_NONE, &about, "Connection from %s closed.",
              addr_peer_text(&conn->peer, text));
}

_Static_assert(COUNTER_closed_killed - COUNTER_closed_farewell == 8, "hellod(8), PROBES, has their order");

/* CONN, if it was admitted, is over as far as counters, limits and the log go. */
static void discharge(struct worker *worker, struct conn *conn)
{
    if (conn->flags & CONN_COUNTED) {
        sources_remove(worker->plan->sources, worker->table, conn->peer.address,
                       worker->plan->limits.per_source, worker->plan->limits.per_prefix);
        offence_end(worker, &conn->peer, (enum counter) conn->cause, conn->flags & CONN_SPOKE);
    }
    if (conn->flags & CONN_ADMITTED) {
        tally_add(tally_of(worker, service_of(worker, conn->socket)), (enum counter) conn->cause, 1);
        connection_set_live(worker, worker->live - 1);
        if (worker->plan->access_log)
            log_close(worker, conn);
        probe_close(conn->fd, conn->cause - COUNTER_closed_farewell);
    }
    conn->flags &= (uint8_t) ~(CONN_ADMITTED | CONN_COUNTED);
}

void connection_close(struct worker *worker, struct conn *conn, enum counter cause)
{
    if (conn->cause == COUNTER_COUNT) /* the first cause is the true one */
        conn->cause = (uint8_t) cause;
    close(conn->fd); /* it leaves the epoll set by itself: nobody else has this descriptor */
    if (!(conn->flags & CONN_ADMITTED))
        worker->refusing--;
    discharge(worker, conn);
    conns_free(&worker->conns, conn);
}

void connection_change(struct worker *worker, struct conn *conn, uint32_t events)
{
    struct epoll_event event = {.events = events,
                                .data.u64 = event_tag(EVENT_CONN, conns_index(&worker->conns, conn))};

    conn->interest = (uint8_t) events;
    /* It cannot fail for a descriptor that is in the set and events that epoll knows. */
    int result = epoll_ctl(worker->epoll, EPOLL_CTL_MOD, conn->fd, &event);
    assert(result == 0);
    (void) result;
}

void connection_linger(struct worker *worker, struct conn *conn)
{
    conns_unbuffer(&worker->conns, conn);
    if (shutdown(conn->fd, SHUT_WR) < 0) {
        connection_close(worker, conn, COUNTER_closed_reset);
        return;
    }
    conn->flags |= CONN_LINGERS;
    connection_watch(worker, conn, EPOLLIN);
    conns_move(&worker->conns, conn, LIST_LINGER, (uint32_t) worker->now_ms);
}

ssize_t connection_send(int fd, const char *data, size_t length)
{
    return send(fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool connection_is_later(int error)
{
    return error == EAGAIN || error == EINTR || error == ENOBUFS;
}

void connection_give_up(struct worker *worker, struct conn *conn, const char *sentence)
{
    if (connection_send(conn->fd, sentence, strlen(sentence)) < 0 && !connection_is_later(errno))
        connection_close(worker, conn, COUNTER_closed_reset);
    else
        connection_linger(worker, conn);
}

void connection_evict(struct worker *worker, struct conn *conn, const char *sentence)
{
    bool may_linger = worker->refusing < REFUSALS_MAX;

    conn->cause = COUNTER_closed_evicted;
    discharge(worker, conn);
    worker->refusing++;
    if (may_linger) {
        connection_give_up(worker, conn, sentence);
        return;
    }
    (void) !connection_send(conn->fd, sentence, strlen(sentence));
    connection_close(worker, conn, COUNTER_closed_evicted);
}
