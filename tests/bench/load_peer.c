/* The load generator for whatever server: it is told what to send and what must come back, byte for byte.
 *
 * load_peer requests PORT GREETING REQUEST ANSWER: 128 connections, each with one request on its way.
 * load_peer lines PORT ...: 16 connections, each with 64 requests on their way.
 * load_peer conversations PORT ...: 32 at a time: connect, greeting, request, answer, close.
 * load_peer udp PORT ...: 4 sockets, each with 32 datagrams on their way; they have no greeting.
 *
 * GREETING, REQUEST and ANSWER may be empty, and have \r, \n and \x with two digits for what a command line
 * cannot hold. A conversation without request ends after the greeting. Every request is the same, so that
 * answers are compared and counted, and not told apart: load_tcp and load_udp do that. How many is told on
 * standard input, see load_order(). */
#include "load_stream.h"

enum {
    TEXT_MAX = HEARD_MAX / DEPTH_MAX
};

struct text {
    size_t length;
    char bytes[TEXT_MAX * DEPTH_MAX];
};

static struct text greeting, request, answer; /* the last two DEPTH times over, for streams */
static size_t answer_length;                  /* of one */

static void stream_connect(struct peer *peer)
{
    peer->fd = load_connect(SOCK_STREAM, 0, port);
    peer->asked = request.length == 0;
    stream_expect(peer, greeting.bytes, greeting.length);
}

static void stream_ask(struct peer *peer, unsigned depth)
{
    (void) depth; /* the texts are as long as it asks for */
    stream_expect(peer, answer.bytes, answer.length);
    stream_send(peer, request.bytes, request.length);
}

static void open_sockets(const struct work *work)
{
    for (unsigned i = 0; i < work->peers; i++) {
        peers[i].fd = load_connect(SOCK_DGRAM, 0, port);
        stream_watch(&peers[i]);
    }
}

static void send_datagrams(const struct peer *peer, unsigned count)
{
    struct iovec vector = {.iov_base = request.bytes, .iov_len = request.length};
    struct mmsghdr messages[DEPTH_MAX] = {0};
    for (unsigned i = 0; i < count; i++) {
        messages[i].msg_hdr.msg_iov = &vector;
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    if (sendmmsg(peer->fd, messages, count, 0) != (int) count)
        load_fail("sendmmsg");
}

/* Receives the answers that are there, at least one; returns how many. */
static unsigned hear_datagrams(const struct peer *peer)
{
    char buffers[DEPTH_MAX][TEXT_MAX + 1];
    struct iovec vectors[DEPTH_MAX];
    struct mmsghdr messages[DEPTH_MAX] = {0};
    for (unsigned i = 0; i < DEPTH_MAX; i++) {
        vectors[i] = (struct iovec){.iov_base = buffers[i], .iov_len = sizeof(buffers[i])};
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    int count = recvmmsg(peer->fd, messages, DEPTH_MAX, MSG_DONTWAIT, NULL);
    if (count <= 0)
        load_fail("recvmmsg");
    for (int i = 0; i < count; i++)
        if (messages[i].msg_len != answer_length || memcmp(buffers[i], answer.bytes, answer_length) != 0)
            load_fail("wrong answer");
    return (unsigned) count;
}

static void ask_datagrams(const struct work *work, unsigned long count)
{
    struct epoll_event events[EVENTS];
    unsigned long asked = 0;
    for (unsigned i = 0; i < work->peers; i++, asked += work->depth)
        send_datagrams(&peers[i], work->depth);
    while (answered < asked) {
        int ready = load_wait(epoll_fd, events);
        for (int i = 0; i < ready; i++) {
            const struct peer *peer = &peers[events[i].data.u32];
            unsigned heard = hear_datagrams(peer);
            answered += heard;
            if (asked < count) {
                send_datagrams(peer, heard);
                asked += heard;
            }
        }
    }
}

static const struct work works[] = {
    {"requests", 128, 1, stream_open_all, stream_ask_all, NULL},
    {"lines", 16, DEPTH_MAX, stream_open_all, stream_ask_all, NULL},
    {"conversations", 32, 1, stream_open_none, stream_converse, NULL},
    {"udp", 4, 32, open_sockets, ask_datagrams, NULL},
};

/* The byte that WORD begins with, which may be written in several; WORD goes behind it. */
static char read_byte(const char **word)
{
    char digits[3] = "";
    if (**word != '\\')
        return *(*word)++;
    char kind = (*word)[1];
    *word += 2;
    if (kind == 'x' && (*word)[0] && (*word)[1]) {
        memcpy(digits, *word, 2);
        *word += 2;
        return (char) strtol(digits, NULL, 16);
    }
    if (kind != 'r' && kind != 'n')
        load_fail("a text with a backslash that means nothing");
    return kind == 'r' ? '\r' : '\n';
}

/* Writes WORD TIMES over to TEXT; returns the length of one. */
static size_t read_text(struct text *text, const char *word, unsigned times)
{
    size_t length = 0;
    while (*word) {
        if (length == TEXT_MAX)
            load_fail("a text that is too long");
        text->bytes[length++] = read_byte(&word);
    }
    for (unsigned i = 1; i < times; i++)
        memcpy(text->bytes + i * length, text->bytes, length);
    text->length = length * times;
    return length;
}

int main(int argc, char **argv)
{
    const struct work *work =
        argc == 6 ? stream_find_work(works, sizeof(works) / sizeof(works[0]), argv[1]) : NULL;
    if (!work) {
        fprintf(stderr, "usage: load_peer requests|lines|conversations|udp PORT GREETING REQUEST ANSWER\n");
        return 64;
    }
    unsigned times = work->ask == ask_datagrams ? 1 : work->depth;
    read_text(&greeting, argv[3], 1);
    read_text(&request, argv[4], times);
    answer_length = read_text(&answer, argv[5], times);
    stream_work(work, argv[2]);
    return 0;
}
