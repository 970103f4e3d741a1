/* Receive, answer, send.
 *
 * Bytes are received into the worker's shared input, messages answered one after the other into the shared
 * output, the output sent. Mostly that is all, and the connection has no buffer. Only what cannot be finished
 * at once - the beginning of a message, an answer that the client does not take, messages behind it or behind
 * a delay - moves to the connection's own buffer, and while an answer waits there nothing more is read: that
 * is the back pressure, and it bounds what a client can make us hold.
 *
 * It must not know how connections come about, nor what the messages mean. */
#include "worker/turn.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/probes.h"
#include "worker/connection.h"
#include "worker/timing.h"

enum after { /* conn.after: what follows when all output is sent */
    AFTER_KEEP,
    AFTER_CLOSE,
    AFTER_LINGER /* close so that unread input cannot reset the connection before the client has read our last
                    words */
};

/* One event's work on one connection. */
struct turn {
    struct worker *worker;
    struct conn *conn;
    const struct plan_service *service;
    size_t length, done;  /* input: bytes there, bytes dealt with */
    size_t filled, sent;  /* output */
    size_t received, out; /* bytes that came and went in this turn */
    bool more;            /* the receive took all it had room for: there may be more */
    bool delayed;         /* the next message must wait */
    uint32_t messages, answers;
};

enum sent {
    SENT_ALL,
    SENT_PART,
    SENT_GONE
};

static enum sent flush(struct turn *turn)
{
    if (turn->sent < turn->filled) {
        ssize_t sent =
            connection_send(turn->conn->fd, turn->worker->out + turn->sent, turn->filled - turn->sent);
        if (sent < 0 && !connection_is_later(errno))
            return SENT_GONE;
        turn->sent += sent > 0 ? (size_t) sent : 0;
        turn->out += sent > 0 ? (size_t) sent : 0;
    }
    if (turn->sent < turn->filled)
        return SENT_PART;
    turn->sent = turn->filled = 0;
    return SENT_ALL;
}

/* Moves what is left of the turn to the connection's own buffer, or gives the buffer back when nothing is
 * left. */
static void keep_rest(struct turn *turn)
{
    struct worker *worker = turn->worker;
    size_t in_rest = turn->length - turn->done, out_rest = turn->filled - turn->sent;

    if (in_rest + out_rest == 0) {
        if (turn->conn->buffer != CONN_NONE)
            conns_unbuffer(&worker->conns, turn->conn);
        return;
    }
    struct buffer *buffer = conns_buffer(&worker->conns, turn->conn);
    assert(in_rest <= worker->in_size && out_rest <= worker->out_size);
    memcpy(buffer->bytes, worker->in + turn->done, in_rest);
    memcpy(buffer->bytes + worker->in_size, worker->out + turn->sent, out_rest);
    buffer->in_length = (uint32_t) in_rest;
    buffer->out_start = 0;
    buffer->out_end = (uint32_t) out_rest;
}

/* Appends the sentence for a message that is too long. */
static void say_too_long(struct turn *turn, enum line_ending ending)
{
    char *out = turn->worker->out + turn->filled;
    int length = snprintf(out, TURN_SENTENCE_MAX, SENTENCE_TOO_LONG, turn->service->message_size);

    turn->filled += (size_t) length;
    turn->filled += framing_end(ending, turn->worker->out + turn->filled);
}

static enum after answer(struct turn *turn, const struct message *message)
{
    char *out = turn->worker->out + turn->filled;
    size_t written = 0;
    enum next next = turn->service->protocol->message(&turn->service->texts, message->data, message->length,
                                                      out, &written);

    turn->done += message->consumed;
    turn->messages++;
    if (next == NEXT_CONTINUE) {
        probe_answer(out, written);
        turn->filled += written;
        turn->filled += framing_end(message->ending, out + written);
        turn->answers++;
        return AFTER_KEEP;
    }

    turn->conn->cause = COUNTER_closed_farewell;
    /* Whatever the client sent behind its farewell is not read. If there is or may be such a thing, linger.
     */
    return turn->done < turn->length || turn->more ? AFTER_LINGER : AFTER_CLOSE;
}

/* Answers messages until the input is used up, the conversation ends, a delay begins or the client does not
 * take more. Sets *SENT to how far the output got. */
static enum after converse(struct turn *turn, enum sent *sent)
{
    struct worker *worker = turn->worker;
    struct conn *conn = turn->conn;
    const struct plan_service *service = turn->service;
    bool end = conn->flags & CONN_END;
    size_t room = service->answer_max + TURN_SENTENCE_MAX;
    enum after after = AFTER_KEEP;

    *sent = SENT_ALL;
    while (after == AFTER_KEEP) {
        struct message message;
        if (worker->out_size - turn->filled < room && (*sent = flush(turn)) != SENT_ALL)
            return AFTER_KEEP;
        enum framing_result result =
            framing_next(&conn->framing, worker->in + turn->done, turn->length - turn->done, end,
                         service->message_size, &message);
        if (result == FRAMING_MORE)
            break;
        if (result == FRAMING_TOO_LONG) {
            say_too_long(turn, message.ending);
            conn->cause = COUNTER_closed_too_long;
            after = AFTER_LINGER;
            break;
        }
        if (service->delay_ms > 0 && !(conn->flags & CONN_RIPE)) {
            turn->delayed = true;
            break;
        }
        conn->flags &= (uint8_t) ~CONN_RIPE;
        probe_message(service->name, conn->fd, message.data, message.length);
        after = answer(turn, &message);
    }
    if (after == AFTER_KEEP && end && !turn->delayed) {
        conn->cause = COUNTER_closed_end;
        after = AFTER_CLOSE;
    }
    *sent = flush(turn);
    return after;
}

/* Everything is sent: what now? */
static void finish(struct worker *worker, struct conn *conn, enum after after)
{
    if (after == AFTER_CLOSE)
        connection_close(worker, conn, (enum counter) conn->cause);
    else
        connection_linger(worker, conn);
}

static void count(const struct turn *turn, bool sent)
{
    struct tally *tally = tally_of(turn->worker, turn->service);

    if (sent && turn->answers > 0)
        timing_take(turn->worker, tally, HISTOGRAM_answer_time, turn->answers);
    tally_add(tally, COUNTER_received, turn->received);
    tally_add(tally, COUNTER_messages, turn->messages);
    tally_add(tally, COUNTER_answers, turn->answers);
    tally_add(tally, COUNTER_sent, turn->out);
}

static void take_turn(struct turn *turn)
{
    struct worker *worker = turn->worker;
    struct conn *conn = turn->conn;
    enum sent sent;
    enum after after = converse(turn, &sent);

    count(turn, sent == SENT_ALL);
    if (turn->messages > 0)
        conn->flags |= CONN_SPOKE;
    if (sent == SENT_GONE) {
        connection_close(worker, conn, COUNTER_closed_reset);
    } else if (sent == SENT_PART) {
        keep_rest(turn);
        conn->after = after == AFTER_CLOSE && !(conn->flags & CONN_END) ? AFTER_LINGER : (uint8_t) after;
        connection_watch(worker, conn, EPOLLOUT);
        conns_move(&worker->conns, conn, LIST_WRITE, (uint32_t) worker->now_ms);
    } else if (after != AFTER_KEEP) {
        finish(worker, conn, after);
    } else if (turn->delayed) {
        keep_rest(turn);
        connection_watch(worker, conn, 0);
        conns_move(&worker->conns, conn, worker->delay_list[worker->plan->sockets[conn->socket].service],
                   (uint32_t) worker->now_ms);
    } else {
        keep_rest(turn);
        connection_watch(worker, conn, EPOLLIN);
        if (conn->list != LIST_IDLE || conn->stamp_ms != (uint32_t) worker->now_ms)
            conns_move(&worker->conns, conn, LIST_IDLE, (uint32_t) worker->now_ms);
    }
}

static struct turn new_turn(struct worker *worker, struct conn *conn)
{
    return (struct turn){.worker = worker, .conn = conn, .service = service_of(worker, conn->socket)};
}

/* Brings the input that the connection kept back to the shared one. */
static void fetch_input(struct turn *turn)
{
    const struct buffer *buffer = conns_buffer_of(&turn->worker->conns, turn->conn);

    if (buffer == NULL)
        return;
    memcpy(turn->worker->in, buffer->bytes, buffer->in_length);
    turn->length = buffer->in_length;
}

/* Goes on with input that had to wait. */
void turn_resume(struct worker *worker, struct conn *conn)
{
    struct turn turn = new_turn(worker, conn);

    fetch_input(&turn);
    turn.more = true;
    take_turn(&turn);
}

void turn_readable(struct worker *worker, struct conn *conn)
{
    struct turn turn = new_turn(worker, conn);

    fetch_input(&turn);
    size_t room = worker->in_size - turn.length;
    /* Chunks are cut at message_size: a rest that is short only because our room ends there would be a
     * message that the client did not send. */
    if (conn->framing.mode == FRAMING_CHUNK || conn->framing.mode == FRAMING_AUTO)
        room -= room % turn.service->message_size;
    ssize_t got = recv(conn->fd, worker->in + turn.length, room, MSG_DONTWAIT);
    if (got < 0) {
        if (!connection_is_later(errno))
            connection_close(worker, conn, COUNTER_closed_reset);
        return;
    }
    if (got == 0)
        conn->flags |= CONN_END;
    turn.received = (size_t) got;
    turn.length += (size_t) got;
    turn.more = (size_t) got == room;
    take_turn(&turn);
}

void turn_writable(struct worker *worker, struct conn *conn)
{
    struct buffer *buffer = conns_buffer(&worker->conns, conn);
    const char *out = buffer->bytes + worker->in_size;
    ssize_t sent = connection_send(conn->fd, out + buffer->out_start, buffer->out_end - buffer->out_start);

    if (sent < 0) {
        if (!connection_is_later(errno))
            connection_close(worker, conn, COUNTER_closed_reset);
        return;
    }
    tally_add(tally_of(worker, service_of(worker, conn->socket)), COUNTER_sent, (uint64_t) sent);
    buffer->out_start += (uint32_t) sent;
    if (buffer->out_start < buffer->out_end)
        conns_move(&worker->conns, conn, LIST_WRITE, (uint32_t) worker->now_ms);
    else if (conn->after != AFTER_KEEP)
        finish(worker, conn, conn->after);
    else
        turn_resume(worker, conn);
}
