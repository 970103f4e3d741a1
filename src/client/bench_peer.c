/* A connection of a load: the greeting, the answers, the farewell. Must not know when requests are due. */
#include "client/bench_peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "client/dial.h"

enum {
    IN_SIZE = 65536 /* received at once */
};

static const char sorry[] = "Sorry, ";

/* Shared by all connections of a process: what was left over of an answer, and behind it what came now. */
static char input[BENCH_SIZE_MAX + BENCH_ANSWER_EXTRA_MAX + IN_SIZE];

size_t bench_peer_in_max(const struct bench_plan *plan)
{
    return plan->largest + BENCH_ANSWER_EXTRA_MAX;
}

size_t bench_peer_out_max(const struct bench_plan *plan)
{
    return (size_t) plan->depth * (plan->largest + 1) + plan->words.texts.farewell.length + 1;
}

void bench_peer_close(struct bench_peer *peer)
{
    if (peer->state != BENCH_PEER_CLOSED)
        close(peer->fd);
    peer->state = BENCH_PEER_CLOSED;
    peer->owed = 0;
}

void bench_peer_fail(struct bench_load *load, struct bench_peer *peer, enum bench_error error)
{
    bench_load_error(load, error, peer->owed);
    if (peer->owed == 0)
        bench_tally_count(&load->tally->connection_errors[error], 1);
    bench_peer_close(peer);
    peer->since_ns = load->now_ns;
}

void bench_peer_connect(struct bench_load *load, struct bench_peer *peer)
{
    int on = 1;

    peer->since_ns = load->now_ns;
    peer->in_length = peer->out_length = 0;
    peer->owed = peer->asked = 0;
    peer->fd = dial_start(load->plan->target, load->plan->address, load->plan->type);
    if (peer->fd < 0) {
        bench_peer_fail(load, peer, bench_load_errno(errno));
        return;
    }
    peer->state = BENCH_PEER_CONNECTING;
    /* Nothing waits for company on a path, nor where a request never follows another. */
    if (load->plan->depth > 1)
        setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    /* Where nothing is said first, all there is to wait for is that one can send. */
    if (bench_load_watch(load, peer->fd, peer->id) < 0 ||
        (load->plan->words.texts.prompt.length == 0 && bench_load_watch_room(load, peer->fd, peer->id) < 0))
        bench_peer_fail(load, peer, BENCH_OTHER);
}

/* Sends the LENGTH bytes at DATA and keeps in peer->out what does not go: DATA may be there already. */
static void send_or_keep(struct bench_load *load, struct bench_peer *peer, const char *data, size_t length)
{
    ssize_t sent = send(peer->fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent < 0 && errno != EAGAIN) {
        bench_peer_fail(load, peer, bench_load_errno(errno));
        return;
    }
    size_t gone = sent > 0 ? (size_t) sent : 0;
    peer->out_length = length - gone;
    if (gone == length)
        return;
    memmove(peer->out, data + gone, length - gone);
    if (bench_load_watch_room(load, peer->fd, peer->id) < 0)
        bench_peer_fail(load, peer, BENCH_OTHER);
}

void bench_peer_ask(struct bench_load *load, const struct bench_book *book, struct bench_peer *peer,
                    unsigned most)
{
    unsigned first = (unsigned) (peer->first + peer->owed) & (book->circle - 1), count = 0;
    uint64_t due_ns;

    if (peer->owed == 0)
        peer->since_ns = load->now_ns;
    for (; count < most && bench_peer_has_room(load->plan, peer) &&
           bench_pace_take(&load->pace, load->now_ns, &due_ns);
         count++) {
        peer->due_ns[(peer->first + peer->owed) & peer->ring] = due_ns;
        peer->owed++;
        peer->asked++;
    }
    if (count == 0)
        return;
    size_t length = book->names_at[first + count] - book->names_at[first];
    bench_tally_count(&load->tally->sent, count);
    load->tally->bytes_out += length;
    send_or_keep(load, peer, book->names + book->names_at[first], length);
}

static void say_farewell(struct bench_load *load, struct bench_peer *peer)
{
    const struct bench_words *words = &load->plan->words;
    struct span farewell = words->texts.farewell;

    peer->state = BENCH_PEER_LEAVING;
    peer->since_ns = load->now_ns;
    if (farewell.length == 0) {
        shutdown(peer->fd, SHUT_WR);
        return;
    }
    memcpy(peer->out, farewell.data, farewell.length);
    memcpy(peer->out + farewell.length, words->ending.data, words->ending.length);
    send_or_keep(load, peer, peer->out, farewell.length + words->ending.length);
}

/* True when the LENGTH bytes at DATA are the server's excuse, or how it begins. */
static bool is_sorry(const char *data, size_t length)
{
    return memcmp(data, sorry, length < sizeof(sorry) - 1 ? length : sizeof(sorry) - 1) == 0;
}

static void open_up(struct bench_load *load, struct bench_peer *peer)
{
    peer->state = BENCH_PEER_OPEN;
    peer->in_length = 0;
    load->alive_ns = load->now_ns;
    bench_tally_count(&load->tally->connected, 1);
    histogram_add(&load->tally->connecting, load->now_ns - peer->since_ns);
}

/* The greeting: nothing may come after it before a name was sent. */
static void hear_greeting(struct bench_load *load, struct bench_peer *peer, const char *data, size_t length)
{
    struct span prompt = load->plan->words.texts.prompt;

    if (length > prompt.length || memcmp(data, prompt.data, length) != 0) {
        bench_peer_fail(load, peer, is_sorry(data, length) ? BENCH_TURNED_AWAY : BENCH_WRONG);
    } else if (length < prompt.length) {
        memcpy(peer->in, data, length);
        peer->in_length = length;
    } else {
        open_up(load, peer);
    }
}

/* COUNT requests were answered, or came to nothing. */
static void settle(struct bench_load *load, struct bench_peer *peer, unsigned count)
{
    peer->first += count;
    peer->owed -= count;
    peer->since_ns = load->now_ns;
}

/* Takes as many right answers as the LENGTH bytes at DATA are; returns their length. */
static size_t hear_right(struct bench_load *load, const struct bench_book *book, struct bench_peer *peer,
                         const char *data, size_t length)
{
    unsigned first = (unsigned) peer->first & (book->circle - 1), count = 0;
    const size_t *at = book->answers_at + first;

    while (count < peer->owed && at[count + 1] - at[0] <= length)
        count++;
    size_t bytes = at[count] - at[0];
    if (count == 0 || memcmp(data, book->answers + at[0], bytes) != 0)
        return 0;
    bench_load_answers(load, count, bytes);
    for (unsigned i = 0; i < count; i++)
        bench_load_latency(load, peer->due_ns[(peer->first + i) & peer->ring]);
    settle(load, peer, count);
    return bytes;
}

/* The length of the first answer, right or wrong, of which the LENGTH bytes at DATA may be the beginning; 0
 * when it is not complete. EXPECTED is the right one: if nothing else shows where an answer ends, one that is
 * no beginning of it is over. */
static size_t answer_length(const struct bench_words *words, struct span expected, const char *data,
                            size_t length)
{
    const char *newline = memchr(data, '\n', length);

    if (bench_words_are_lines(words))
        return newline == NULL ? 0 : (size_t) (newline - data) + 1;
    return length > expected.length || memcmp(data, expected.data, length) != 0 ? length : 0;
}

/* Takes one answer; returns its length, or 0 when it is not complete. After one that is wrong, the next may
 * be right again. */
static size_t hear_one(struct bench_load *load, const struct bench_book *book, struct bench_peer *peer,
                       const char *data, size_t length)
{
    const size_t *at = book->answers_at + ((unsigned) peer->first & (book->circle - 1));
    struct span expected = {book->answers + at[0], at[1] - at[0]};
    size_t bytes = answer_length(&load->plan->words, expected, data, length);

    if (bytes == 0)
        return 0;
    if (is_sorry(data, length)) {
        bench_peer_fail(load, peer, BENCH_TURNED_AWAY);
        return 0;
    }
    size_t right = hear_right(load, book, peer, data, bytes);
    if (right > 0)
        return right;
    bench_load_error(load, BENCH_WRONG, 1);
    settle(load, peer, 1);
    return bytes;
}

static void hear_answers(struct bench_load *load, const struct bench_book *book, struct bench_peer *peer,
                         const char *data, size_t length)
{
    for (size_t used = 1; peer->owed > 0 && length > 0 && used > 0; data += used, length -= used)
        if ((used = hear_right(load, book, peer, data, length)) == 0)
            used = hear_one(load, book, peer, data, length);
    if (peer->state != BENCH_PEER_OPEN)
        return;
    if ((peer->owed == 0 && length > 0) || length > bench_peer_in_max(load->plan)) {
        bench_peer_fail(load, peer, is_sorry(data, length) ? BENCH_TURNED_AWAY : BENCH_WRONG);
        return;
    }
    memcpy(peer->in, data, length);
    peer->in_length = length;
    if (peer->owed == 0 && load->plan->messages > 0 && peer->asked == load->plan->messages)
        say_farewell(load, peer);
}

/* The server has closed: that is how a conversation ends, if the farewell was said. */
static void hear_end(struct bench_load *load, struct bench_peer *peer)
{
    if (peer->state != BENCH_PEER_LEAVING) {
        bench_peer_fail(load, peer,
                        is_sorry(peer->in, peer->in_length) && peer->in_length > 0 ? BENCH_TURNED_AWAY
                                                                                   : BENCH_CLOSED);
        return;
    }
    bench_tally_count(&load->tally->conversations, 1);
    load->alive_ns = load->now_ns;
    bench_peer_close(peer);
    peer->since_ns = 0; /* the next one begins at once */
}

static void hear(struct bench_load *load, const struct bench_book *book, struct bench_peer *peer)
{
    bool packets = load->plan->type == SOCK_SEQPACKET; /* one a receive */
    ssize_t got;

    do {
        if (peer->in_length > 0)
            memcpy(input, peer->in, peer->in_length);
        got = recv(peer->fd, input + peer->in_length, IN_SIZE, MSG_DONTWAIT);
        bench_load_clock(load);
        size_t length = peer->in_length + (got > 0 ? (size_t) got : 0);
        if (got == 0)
            hear_end(load, peer);
        else if (got < 0 && errno != EAGAIN)
            bench_peer_fail(load, peer, bench_load_errno(errno));
        else if (got > 0 && peer->state == BENCH_PEER_GREETING)
            hear_greeting(load, peer, input, length);
        else if (got > 0 && peer->state == BENCH_PEER_OPEN)
            hear_answers(load, book, peer, input, length);
        else if (got > 0)
            bench_peer_fail(load, peer, BENCH_WRONG);
        /* An edge is told once: after a short receive the next byte makes another. */
    } while (peer->state != BENCH_PEER_CLOSED && (got == IN_SIZE || (got > 0 && packets)));
}

void bench_peer_event(struct bench_load *load, const struct bench_book *book, struct bench_peer *peer,
                      uint32_t events)
{
    /* If it was refused, recv(2) tells why. */
    if (peer->state == BENCH_PEER_CONNECTING) {
        peer->state = BENCH_PEER_GREETING;
        if (load->plan->words.texts.prompt.length == 0 && (events & (EPOLLERR | EPOLLHUP)) == 0)
            open_up(load, peer);
    }
    if (peer->state != BENCH_PEER_CLOSED && peer->out_length > 0 && (events & EPOLLOUT) != 0)
        send_or_keep(load, peer, peer->out, peer->out_length);
    if (peer->state != BENCH_PEER_CLOSED && (events & ~(uint32_t) EPOLLOUT) != 0)
        hear(load, book, peer);
    /* The end comes with the last bytes, and no event of its own follows. */
    if (peer->state != BENCH_PEER_CLOSED && (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
        hear(load, book, peer);
}
