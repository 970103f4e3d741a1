/* Rude clients: 5 000 of them, each from an address of its own, at a set pace and without end.
 *
 * tail_rude PORT: opens its connections to the loopback address and PORT, says "standing", and then lets one
 * after the other do what its manner is, so many in a millisecond and now and then a hundred at once: the
 * same whatever the server does. At the end of standard input it says how often it has acted and goes.
 * Nothing that it sends or leaves in buffers grows beyond a bound. Who is thrown out comes again, when it is
 * its turn.
 *
 * It must not know how quickly others are served. */
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

enum {
    RUDE = 5000,
    OPENED_AT_ONCE = 50,
    WARM_UP_ROUNDS = 5, /* until buffers are full */
    ACTS = 24,          /* in a millisecond */
    ACTS_AT_ONCE = 256,
    AT_ONCE_EACH = 64, /* in one millisecond of so many */
    FLOOD_LINES = 64,
    FLOODS_UNREAD = 8, /* at once, by who never reads */
    LONG_LENGTH = 1500,
    BUFFER_SIZE = 8192, /* of a socket that is never read */
    FIRST_SOURCE = 0x7F040001,
    ADDRESSES_EACH = 64 /* in a network of 256 */
};

static const char LINE[] = "Mallory\n";
enum {
    LINE_LENGTH = sizeof(LINE) - 1
};

struct rude {
    int fd;        /* -1: not connected */
    unsigned said; /* bytes of LINE, by those who say it piece by piece */
};

static struct rude crowd[RUDE];
static struct sockaddr_in server;
static char flood[FLOOD_LINES * LINE_LENGTH], too_long[LONG_LENGTH];

/* Ends by a reset, which leaves no port behind that has to rest. */
static void leave(struct rude *rude)
{
    struct linger reset = {.l_onoff = 1};

    setsockopt(rude->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(rude->fd);
    rude->fd = -1;
}

static void come(struct rude *rude)
{
    unsigned index = (unsigned) (rude - crowd);
    in_addr_t source = FIRST_SOURCE + (index / ADDRESSES_EACH << 8) + index % ADDRESSES_EACH;
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(source)};
    int size = BUFFER_SIZE;

    rude->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    rude->said = 0;
    if (rude->fd < 0 || setsockopt(rude->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0 ||
        setsockopt(rude->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0 ||
        bind(rude->fd, (struct sockaddr *) &from, sizeof(from)) < 0)
        load_fail("socket");
    if (connect(rude->fd, (struct sockaddr *) &server, sizeof(server)) < 0 && errno != EINPROGRESS)
        leave(rude);
}

/* Sends what the socket takes; who cannot be spoken to any more has been thrown out. */
static void say(struct rude *rude, const char *text, size_t length)
{
    if (send(rude->fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN && errno != ENOTCONN)
        leave(rude);
}

static void hear(const struct rude *rude)
{
    static char bytes[65536];

    (void) !recv(rude->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
}

static void say_pieces(struct rude *rude, unsigned length)
{
    if (length > LINE_LENGTH - rude->said)
        length = LINE_LENGTH - rude->said;
    const char *piece = LINE + rude->said;
    rude->said = (rude->said + length) % LINE_LENGTH;
    hear(rude);
    say(rude, piece, length);
}

static void never_read(struct rude *rude)
{
    for (unsigned i = 0; i < FLOODS_UNREAD && rude->fd >= 0; i++)
        say(rude, flood, sizeof(flood));
}

static void say_half_a_line(struct rude *rude)
{
    say_pieces(rude, LINE_LENGTH / 2);
}

static void say_a_byte(struct rude *rude)
{
    say_pieces(rude, 1);
}

static void ask_much(struct rude *rude)
{
    hear(rude);
    say(rude, flood, sizeof(flood));
}

static void say_too_much(struct rude *rude)
{
    say(rude, too_long, sizeof(too_long));
}

static void come_and_go(struct rude *rude)
{
    leave(rude);
    come(rude);
}

static void (*const manners[])(struct rude *) = {never_read, say_half_a_line, say_a_byte,
                                                 ask_much,   say_too_much,    come_and_go};
enum {
    MANNERS = sizeof(manners) / sizeof(manners[0])
};

/* Lets the next COUNT have their turn. */
static void act(unsigned count)
{
    static unsigned next;

    for (unsigned i = 0; i < count; i++) {
        struct rude *rude = &crowd[next];
        if (rude->fd < 0)
            come(rude);
        else
            manners[next % MANNERS](rude);
        next = (next + 1) % RUDE;
    }
    answered += count;
}

/* Sleeps until the next millisecond; those that are gone already are left out. Returns false at the end of
 * standard input. */
static bool tick(void)
{
    static struct timespec next;
    struct timespec now;
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

    clock_gettime(CLOCK_MONOTONIC, &now);
    next.tv_nsec += 1000 * 1000;
    if (next.tv_nsec >= 1000 * 1000 * 1000) {
        next.tv_nsec -= 1000 * 1000 * 1000;
        next.tv_sec++;
    }
    if (next.tv_sec < now.tv_sec || (next.tv_sec == now.tv_sec && next.tv_nsec < now.tv_nsec))
        next = now;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    return poll(&input, 1, 0) == 0;
}

static void prepare(const char *port)
{
    load_raise_descriptors();
    server = (struct sockaddr_in){.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t) atoi(port)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (unsigned i = 0; i < FLOOD_LINES; i++)
        memcpy(flood + i * LINE_LENGTH, LINE, LINE_LENGTH);
    memset(too_long, 'a', sizeof(too_long));
    too_long[1] = '\n'; /* a line, so that the rest is one, too */
    for (unsigned i = 0; i < RUDE; i++)
        crowd[i].fd = -1;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: tail_rude PORT\n");
        return 64;
    }
    prepare(argv[1]);
    for (unsigned opened = 0; opened < RUDE && tick(); opened += OPENED_AT_ONCE)
        act(OPENED_AT_ONCE);
    for (unsigned done = 0; done < WARM_UP_ROUNDS * RUDE && tick(); done += ACTS)
        act(ACTS);
    printf("standing\n");
    fflush(stdout);
    answered = 0;
    for (unsigned long number = 1; tick(); number++)
        act(number % AT_ONCE_EACH == 0 ? ACTS_AT_ONCE : ACTS);
    load_report();
    return 0;
}
