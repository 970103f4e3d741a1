/* Connections: how they come about, what their events and deadlines mean, and how the worker gets rid of
 * them.
 *
 * It must not know how connections are accepted, nor what is said on them. */
#include "worker/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/probes.h"
#include "worker/connection.h"
#include "worker/sources.h"
#include "worker/timing.h"
#include "worker/turn.h"

enum {
    LINGER_MS = 2000,      /* for a client to hear why; beyond that it does not listen */
    SILENCE_MS = 1000,     /* a client who was just greeted is neither evicted nor left without an answer */
    SILENT_LOOKS = 16,     /* how many are asked whether they are silent, so that an accept stays cheap */
    DEADLINES_AT_ONCE = 64 /* of one list; those whose time is over at the same moment keep nobody waiting */
};

int stream_init(struct worker *worker)
{
    const struct plan *plan = worker->plan;
    unsigned lists = LIST_DELAY;

    worker->in_size = 0;
    worker->out_size = TURN_SEND_SIZE;
    for (unsigned i = 0; i < plan->service_count; i++) {
        const struct plan_service *service = &plan->services[i];
        if (worker->in_size < service->message_size)
            worker->in_size = service->message_size;
        if (worker->out_size < service->answer_max + TURN_SENTENCE_MAX)
            worker->out_size = service->answer_max + TURN_SENTENCE_MAX;
        if (service->delay_ms == 0)
            continue; /* each list is looked at each time round */
        worker->list_ms[lists] = service->delay_ms;
        worker->delay_list[i] = (uint8_t) lists++;
    }
    /* Room for the beginning of a message and a receive behind it; and for two messages of the largest kind,
     * so that the first receive of mode AUTO has the newline that belongs to the first. */
    worker->in_size += worker->in_size > TURN_RECEIVE_SIZE ? worker->in_size : TURN_RECEIVE_SIZE;
    worker->list_ms[LIST_IDLE] = plan->limits.idle_ms;
    worker->list_ms[LIST_WRITE] = plan->limits.write_ms;
    worker->list_ms[LIST_LINGER] = LINGER_MS;
    worker->in = malloc(worker->in_size);
    worker->out = malloc(worker->out_size);
    if (worker->in == NULL || worker->out == NULL)
        return -1;
    return conns_open(&worker->conns, plan->limits.connections + REFUSALS_MAX, lists, worker->in_size,
                      worker->out_size);
}

void stream_close(struct worker *worker)
{
    conns_close(&worker->conns);
    free(worker->in);
    free(worker->out);
}

/* The conversation was ended by us, not by what the client said or did. */
static bool is_our_end(const struct conn *conn)
{
    return conn->cause == COUNTER_closed_drain || conn->cause == COUNTER_closed_idle ||
           conn->cause == COUNTER_closed_evicted;
}

/* Throws away what a client still sends to a connection that is closed for our part. Returns what recv(2)
 * does. */
static ssize_t discard(struct worker *worker, struct conn *conn)
{
    ssize_t got = recv(conn->fd, worker->in, worker->in_size, MSG_DONTWAIT);

    if (got > 0 && is_our_end(conn) && !(conn->flags & CONN_CROSSED)) {
        conn->flags |= CONN_CROSSED;
        tally_add(tally_of(worker, service_of(worker, conn->socket)), COUNTER_crossed, 1);
    }
    return got;
}

static void lingering_event(struct worker *worker, struct conn *conn)
{
    ssize_t got = discard(worker, conn);

    if (got == 0 || (got < 0 && !connection_is_later(errno)))
        connection_close(worker, conn, COUNTER_closed_reset);
}

void stream_event(struct worker *worker, struct conn *conn, uint32_t events)
{
    if (conn->flags & CONN_LINGERS)
        lingering_event(worker, conn);
    else if (events & conn->interest & EPOLLIN)
        turn_readable(worker, conn);
    else if (events & conn->interest & EPOLLOUT)
        turn_writable(worker, conn);
    else if (events & (EPOLLERR | EPOLLHUP))
        connection_close(worker, conn, COUNTER_closed_reset); /* it would be reported again and again */
}

/* Enters FD into the table and into the epoll set; NULL when that cannot be. */
static struct conn *enter(struct worker *worker, unsigned socket, int fd)
{
    struct conn *conn = conns_new(&worker->conns, LIST_IDLE, (uint32_t) worker->now_ms);

    if (conn == NULL)
        return NULL;
    struct epoll_event event = {.events = EPOLLIN,
                                .data.u64 = event_tag(EVENT_CONN, conns_index(&worker->conns, conn))};
    if (epoll_ctl(worker->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        conns_free(&worker->conns, conn);
        return NULL;
    }
    conn->fd = fd;
    conn->socket = (uint8_t) socket;
    conn->interest = EPOLLIN;
    conn->cause = COUNTER_COUNT;
    conn->framing.mode = (uint8_t) service_of(worker, socket)->framing;
    return conn;
}

void stream_refuse_at_once(struct worker *worker, int fd, const char *sentence)
{
    (void) !connection_send(fd, sentence, strlen(sentence));
    shutdown(fd, SHUT_WR);
    (void) !recv(fd, worker->in, worker->in_size,
                 MSG_DONTWAIT); /* unread, it would turn the close into a reset */
    close(fd);
}

void stream_refuse(struct worker *worker, unsigned socket, int fd, const char *sentence)
{
    /* Those who are refused have places of their own: they must not take those of clients that are not. */
    struct conn *conn = worker->refusing < REFUSALS_MAX ? enter(worker, socket, fd) : NULL;

    if (conn == NULL) {
        stream_refuse_at_once(worker, fd, sentence);
        return;
    }
    worker->refusing++;
    (void) !connection_send(fd, sentence, strlen(sentence));
    connection_linger(worker, conn);
}

/* Says the first words. They go straight to the socket of a new connection, whose buffer is empty: only a
 * client that is gone already, or a kernel without memory, does not take them. */
static bool greet(struct worker *worker, const struct plan_service *service, int fd)
{
    if (service->protocol->open == NULL)
        return true;
    size_t length = service->protocol->open(&service->texts, worker->out);
    if (length > 0 && connection_send(fd, worker->out, length) != (ssize_t) length)
        return false;
    struct tally *tally = tally_of(worker, service);
    tally_add(tally, COUNTER_sent, length);
    timing_take(worker, tally, HISTOGRAM_greeting_time, 1);
    return true;
}

/* In the words of old, as is the line at its end. Who is refused has neither. */
static void log_accept(const struct plan_service *service, const struct addr_peer *peer)
{
    const struct fields about = {.listener = service->name, .peer = peer};
    char text[ADDR_TEXT_MAX];

    log_event(LOG_LEVEL_INFO, EVENT_NONE, &about, "Accept new connection from %s",
              addr_peer_text(peer, text));
}

void stream_open(struct worker *worker, unsigned socket, int fd, const struct addr_peer *peer, bool counted)
{
    const struct plan_service *service = service_of(worker, socket);
    struct tally *tally = tally_of(worker, service);
    struct conn *conn = enter(worker, socket, fd);

    if (conn == NULL) {
        /* No memory in the kernel: the table has room for as many as the limit allows. */
        stream_refuse_at_once(worker, fd, SENTENCE_FULL);
        tally_add(tally, COUNTER_refused_descriptors, 1);
        if (counted)
            sources_remove(worker->plan->sources, worker->table, peer->address,
                           worker->plan->limits.per_source, worker->plan->limits.per_prefix);
        return;
    }
    conn->peer = *peer;
    conn->flags = CONN_ADMITTED | (counted ? CONN_COUNTED : 0);
    tally_add(tally, COUNTER_accepted, 1);
    connection_set_live(worker, worker->live + 1);
    if (worker->plan->access_log)
        log_accept(service, peer);
    probe_accept(service->name, fd, peer);
    if (!greet(worker, service, fd))
        connection_close(worker, conn, COUNTER_closed_reset);
}

/* Nothing has come that waits to be read, nor an end. So there is no event of CONN at hand either, and it may
 * be closed while those of others are handled. */
static bool says_nothing(const struct conn *conn)
{
    char byte;

    return recv(conn->fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

struct conn *stream_silent(struct worker *worker)
{
    uint32_t now = (uint32_t) worker->now_ms;

    for (unsigned looks = 0; looks < SILENT_LOOKS; looks++) {
        struct conn *conn = conns_first(&worker->conns, LIST_IDLE);
        if (conn == NULL || now - conn->stamp_ms < SILENCE_MS)
            return NULL;
        if (says_nothing(conn))
            return conn;
        conns_move(&worker->conns, conn, LIST_IDLE, now); /* its event is on the way */
    }
    return NULL;
}

/* The sentence is that of the idle timeout, which came early: it says why this client had to go and no other,
 * and that its conversation is over. "The server is full" is for those who were never greeted: who hears
 * that takes it that nothing was served, and comes again at once, against others who are waiting. */
void stream_evict(struct worker *worker, struct conn *conn)
{
    connection_evict(worker, conn, SENTENCE_IDLE);
}

/* While this worker finishes: takes leave of CONN, which is in LIST_IDLE. A question that has come already is
 * answered, and then it is not silent; unless it is LAST, and the end comes all the same. The end is clean:
 * what still comes is read, since a question that meets a closed socket would bring the client a reset. */
static void take_leave(struct worker *worker, struct conn *conn, bool last)
{
    char byte;

    if (recv(conn->fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) >= 0) {
        turn_readable(worker, conn);
        if (!last || conn->list != LIST_IDLE)
            return; /* it waits for something, or is closed */
    }
    conn->cause = COUNTER_closed_drain;
    connection_linger(worker, conn);
}

static void deadline(struct worker *worker, struct conn *conn, unsigned list)
{
    if (list == LIST_IDLE && worker->draining) {
        take_leave(worker, conn, false);
    } else if (list == LIST_IDLE) {
        conn->cause = COUNTER_closed_idle;
        connection_give_up(worker, conn, SENTENCE_IDLE);
    } else if (list == LIST_WRITE) {
        connection_close(worker, conn, COUNTER_closed_write);
    } else if (list == LIST_LINGER) {
        discard(worker, conn);
        connection_close(worker, conn, COUNTER_closed_reset);
    } else {
        conn->flags |= CONN_RIPE;
        turn_resume(worker, conn);
    }
}

void stream_timers(struct worker *worker)
{
    uint32_t now = (uint32_t) worker->now_ms;

    for (unsigned list = 0; list < worker->conns.lists; list++) {
        for (unsigned i = 0; i < DEADLINES_AT_ONCE; i++) {
            struct conn *conn = conns_first(&worker->conns, list);
            if (conn == NULL || now - conn->stamp_ms < worker->list_ms[list])
                break;
            deadline(worker, conn, list);
        }
    }
}

uint64_t stream_deadline(const struct worker *worker)
{
    uint64_t nearest = UINT64_MAX;

    for (unsigned list = 0; list < worker->conns.lists; list++) {
        const struct conn *conn = conns_first(&worker->conns, list);
        if (conn == NULL)
            continue;
        uint32_t waited = (uint32_t) worker->now_ms - conn->stamp_ms;
        uint32_t left = waited < worker->list_ms[list] ? worker->list_ms[list] - waited : 0;
        if (worker->now_ms + left < nearest)
            nearest = worker->now_ms + left;
    }
    return nearest;
}

bool stream_quiet(const struct worker *worker)
{
    for (unsigned list = 0; list < worker->conns.lists; list++)
        if (conns_first(&worker->conns, list) != NULL)
            return false;
    return true;
}

void stream_drain(struct worker *worker)
{
    if (worker->list_ms[LIST_IDLE] > SILENCE_MS)
        worker->list_ms[LIST_IDLE] = SILENCE_MS;
}

void stream_end_all(struct worker *worker)
{
    struct conn *conn;

    while ((conn = conns_first(&worker->conns, LIST_IDLE)) != NULL)
        take_leave(worker, conn, true);
    for (unsigned list = LIST_IDLE + 1; list < worker->conns.lists; list++)
        while (list != LIST_LINGER && (conn = conns_first(&worker->conns, list)) != NULL) {
            conn->cause = COUNTER_closed_drain;
            connection_linger(worker, conn);
        }
}

void stream_close_all(struct worker *worker)
{
    struct conn *conn;

    for (unsigned list = 0; list < worker->conns.lists; list++)
        while ((conn = conns_first(&worker->conns, list)) != NULL) {
            if (list == LIST_LINGER)
                discard(worker, conn);
            connection_close(worker, conn, COUNTER_closed_drain);
        }
}
