/* The load generator for streams: asks a fixed number of requests and checks every byte of every answer.
 *
 * load_tcp requests PORT: 128 connections, each with one name without newline on its way.
 * load_tcp lines PORT: 16 connections, each with 64 lines on their way.
 * load_tcp conversations PORT: 32 at a time: connect, greeting, name, answer, close.
 * load_tcp idle PORT: connections that stay open and do nothing.
 *
 * How many is told on standard input, see load_order(). */
#include "load_stream.h"

static const char PROMPT[] = "What's your name?";

/* What belongs to the peer of the same number. */
static struct {
    unsigned number; /* of its last name */
    char answers[DEPTH_MAX * (ANSWER_LENGTH + 1)];
} words[PEERS_MAX];

static unsigned idle_count;

static void connect_from(struct peer *peer, in_addr_t source)
{
    peer->fd = load_connect(SOCK_STREAM, source, port);
    stream_expect(peer, PROMPT, sizeof(PROMPT) - 1);
}

static void stream_connect(struct peer *peer)
{
    connect_from(peer, 0);
}

/* The names are lines when there are several. */
static void stream_ask(struct peer *peer, unsigned depth)
{
    char request[DEPTH_MAX * (NAME_LENGTH + 1)], *in = request;
    char *answers = words[peer - peers].answers, *out = answers;
    unsigned *number = &words[peer - peers].number;

    for (unsigned i = 0; i < depth; i++) {
        *number = load_next_number(*number);
        load_write_name(in, *number);
        memcpy(out, PREFIX, PREFIX_LENGTH);
        memcpy(out + PREFIX_LENGTH, in, NAME_LENGTH);
        out[ANSWER_LENGTH - 1] = '!';
        in += NAME_LENGTH;
        out += ANSWER_LENGTH;
        if (depth > 1)
            *in++ = *out++ = '\n';
    }
    stream_expect(peer, answers, (size_t) (out - answers));
    stream_send(peer, request, (size_t) (in - request));
}

/* Says that no more names will come and waits for the server's end of file: a surplus byte comes before it.
 */
static void close_peers(unsigned count)
{
    char byte;
    for (unsigned i = 0; i < count; i++)
        shutdown(peers[i].fd, SHUT_WR);
    for (unsigned i = 0; i < count; i++) {
        if (recv(peers[i].fd, &byte, 1, 0) != 0)
            load_fail("no end, or a surplus answer before it");
        close(peers[i].fd);
    }
}

static void close_all(const struct work *work)
{
    close_peers(work->peers);
}

/* Opens COUNT more connections that stay open; every other one has been answered once. */
static void hold_idle(const struct work *work, unsigned long count)
{
    for (unsigned long i = 0; i < count && idle_count < work->peers; i++) {
        struct peer *peer = &peers[idle_count];
        connect_from(peer, load_source(idle_count++));
        stream_hear_all(peer);
        if (i % 2)
            continue;
        stream_ask(peer, 1);
        stream_hear_all(peer);
        answered++;
    }
}

static void close_idle(const struct work *work)
{
    (void) work;
    close_peers(idle_count);
}

static const struct work works[] = {
    {"requests", 128, 1, stream_open_all, stream_ask_all, close_all},
    {"lines", 16, DEPTH_MAX, stream_open_all, stream_ask_all, close_all},
    {"conversations", 32, 1, stream_open_none, stream_converse, NULL},
    {"idle", PEERS_MAX, 1, stream_open_none, hold_idle, close_idle},
};

int main(int argc, char **argv)
{
    const struct work *work =
        argc == 3 ? stream_find_work(works, sizeof(works) / sizeof(works[0]), argv[1]) : NULL;
    if (!work) {
        fprintf(stderr, "usage: load_tcp requests|lines|conversations|idle PORT\n");
        return 64;
    }
    load_raise_descriptors();
    for (unsigned i = 0; i < work->peers; i++)
        words[i].number = load_first_number(i);
    stream_work(work, argv[2]);
    return 0;
}
