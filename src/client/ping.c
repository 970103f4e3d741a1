/* The command `ping`: when to send, how long to wait, when to end. What is sent, how what comes back is
 * judged, and how that looks is not known here. */
#include "client/ping.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/ping_datagram.h"
#include "client/ping_options.h"
#include "client/ping_stream.h"
#include "client/ping_summary.h"

enum {
    RESOLVE_MS = 10000,
    COLUMNS = 80,     /* where nobody says how wide it is */
    COLUMNS_MIN = 40, /* of the picture in the summary */
    COLUMNS_MAX = 160,
    TEMPLATE_MAX = 1024
};

struct ping {
    struct ping_options options;
    struct target target;
    unsigned index; /* of the address that is used */
    struct answer_run run;
    char words[TEMPLATE_MAX]; /* what run points into */
    struct ping_side sides[PING_SIDES_MAX];
    unsigned count;                                /* of sides */
    struct ping_side *stream_side, *datagram_side; /* NULL: not used */
    struct ping_stream stream;
    struct ping_datagram datagram;
    int signals;                /* signalfd(2); -1: none */
    uint64_t start_ns, next_ns; /* of the next probe; UINT64_MAX: there is none */
    bool interrupted;
};

static bool complain(const char *what)
{
    fprintf(stderr, "helloc ping: %s\n", what);
    return false;
}

/* ---- getting ready ---- */

/* The first address that this host has a way to, as a datagram socket can tell without a packet. */
static unsigned choose_address(const struct target *target)
{
    for (unsigned i = 0; i < target->count && target->count > 1; i++) {
        struct ping_datagram probe;
        int result = ping_datagram_open(&probe, NULL, target, i);
        ping_datagram_close(&probe);
        if (result == 0)
            return i;
    }
    return 0;
}

static bool find_target(struct ping *ping)
{
    char why[TARGET_WHY_MAX];

    if (target_find(&ping->target, &ping->options.wish, RESOLVE_MS, why) != TARGET_OK)
        return complain(why);
    if (ping->options.both && ping->target.port == 0)
        return complain("a path leads to one socket alone: not --both");
    ping->index = choose_address(&ping->target);
    return true;
}

static bool make_run(struct ping *ping)
{
    if (strlen(ping->options.template) >= TEMPLATE_MAX)
        return complain("--answer is too long");
    const char *wrong =
        template_parse(ping->options.template, ping->words, &ping->run.prefix, &ping->run.suffix);
    if (wrong != NULL) {
        fprintf(stderr, "helloc ping: --answer: %s\n", wrong);
        return false;
    }
    return hash_key_make(&ping->run.key) == 0 || complain(strerror(errno));
}

static struct ping_side *add_side(struct ping *ping, bool is_stream)
{
    struct ping_side *side = &ping->sides[ping->count++];

    if (ping->target.port == 0)
        side->transport = is_stream ? "stream" : "datagram";
    else
        side->transport = is_stream ? "tcp" : "udp";
    side->is_stream = is_stream;
    side->style = &ping->options.style;
    side->run = &ping->run;
    return side;
}

static bool open_datagrams(struct ping *ping)
{
    char text[ADDR_TEXT_MAX];

    ping->datagram_side = add_side(ping, false);
    if (ping_datagram_open(&ping->datagram, ping->datagram_side, &ping->target, ping->index) == 0)
        return true;
    fprintf(stderr, "helloc ping: %s: %s\n", target_text(&ping->target, ping->index, text), strerror(errno));
    return false;
}

static bool open_sides(struct ping *ping)
{
    const struct ping_options *options = &ping->options;

    if (options->both || options->wish.type == SOCK_STREAM) {
        ping->stream_side = add_side(ping, true);
        ping_stream_open(&ping->stream, ping->stream_side, &ping->target, ping->index);
    }
    return options->both || options->wish.type == SOCK_DGRAM ? open_datagrams(ping) : true;
}

/* Ctrl-C and TERM are read like anything else, so that the summary comes whatever happens. */
static bool open_signals(struct ping *ping)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
        ping->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return ping->signals >= 0 || complain(strerror(errno));
}

/* ---- running ---- */

static void send_probes(struct ping *ping)
{
    if (ping->stream_side != NULL)
        ping_stream_send(&ping->stream);
    if (ping->datagram_side != NULL)
        ping_datagram_send(&ping->datagram);
}

/* Sends when it is time. Probes leave at whole multiples of the interval from the start on, so that nothing
 * drifts; those whose time has passed, because this process was stopped, are left out. */
static void send_due(struct ping *ping, uint64_t now_ns)
{
    uint64_t interval_ns = ping->options.interval_ns;

    if (now_ns < ping->next_ns)
        return;
    send_probes(ping);
    ping->next_ns += ((now_ns - ping->next_ns) / interval_ns + 1) * interval_ns;
    if (ping->sides[0].probes.sent >= ping->options.count)
        ping->next_ns = UINT64_MAX;
}

/* Gives up the probes that have waited long enough. */
static void expire(struct ping *ping, uint64_t now_ns)
{
    const struct ping_said nothing = {NULL, 0};
    uint64_t timeout_ns = ping->options.timeout_ns;
    uint32_t seq;

    if (now_ns < timeout_ns)
        return;
    while (ping->stream_side != NULL &&
           (seq = probes_expire(&ping->stream_side->probes, now_ns - timeout_ns)) != 0)
        ping_stream_expire(&ping->stream, seq);
    while (ping->datagram_side != NULL &&
           (seq = probes_expire(&ping->datagram_side->probes, now_ns - timeout_ns)) != 0)
        ping_side_lose(ping->datagram_side, seq, "no answer in time", nothing);
}

static bool is_over(const struct ping *ping)
{
    bool waiting = false;

    for (unsigned i = 0; i < ping->count; i++)
        waiting = waiting || ping->sides[i].probes.waiting > 0;
    return ping->interrupted || (ping->next_ns == UINT64_MAX && !waiting);
}

/* When there is something to do, if nothing comes before. */
static uint64_t wake_ns(const struct ping *ping)
{
    uint64_t wake = ping->next_ns;

    for (unsigned i = 0; i < ping->count; i++) {
        uint64_t oldest_ns = probes_oldest_ns(&ping->sides[i].probes);
        if (oldest_ns != UINT64_MAX && oldest_ns + ping->options.timeout_ns < wake)
            wake = oldest_ns + ping->options.timeout_ns;
    }
    return wake;
}

/* Waits until WAKE_NS or for what comes first, and takes what has come. */
static void wait_and_take(struct ping *ping, uint64_t now_ns)
{
    struct pollfd fds[2 + PING_UNDER_WAY_MAX] = {{.fd = ping->signals, .events = POLLIN},
                                                 {.fd = ping->datagram.fd, .events = POLLIN}};
    uint64_t until_ns = wake_ns(ping), left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    struct timespec left = {.tv_sec = (time_t) (left_ns / 1000000000),
                            .tv_nsec = (long) (left_ns % 1000000000)};
    unsigned calls = ping_stream_watch(&ping->stream, fds + 2);

    if (ppoll(fds, 2 + calls, &left, NULL) <= 0)
        return;
    ping->interrupted = fds[0].revents != 0;
    if (fds[1].revents != 0)
        ping_datagram_receive(&ping->datagram);
    ping_stream_ready(&ping->stream, fds + 2, calls);
}

static void run(struct ping *ping)
{
    ping->start_ns = ping->next_ns = clock_ns();
    while (!is_over(ping)) {
        uint64_t now_ns = clock_ns();
        expire(ping, now_ns);
        send_due(ping, now_ns);
        if (!is_over(ping))
            wait_and_take(ping, clock_ns());
    }
}

/* ---- the end ---- */

static unsigned columns(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        return COLUMNS;
    return size.ws_col < COLUMNS_MIN ? COLUMNS_MIN : size.ws_col > COLUMNS_MAX ? COLUMNS_MAX : size.ws_col;
}

static enum ping_exit summarise(struct ping *ping, const char *address)
{
    struct ping_summary summary = {.name = ping->target.name,
                                   .address = address,
                                   .took_ns = clock_ns() - ping->start_ns,
                                   .sides = ping->sides,
                                   .count = ping->count,
                                   .columns = columns()};
    bool answered = false, hindered = false;

    ping_summary_print(&ping->options.style, &summary);
    for (unsigned i = 0; i < ping->count; i++) {
        answered = answered || ping->sides[i].probes.answered + ping->sides[i].probes.late > 0;
        hindered = hindered || ping->sides[i].hindered;
    }
    if (answered)
        return PING_EXIT_ANSWERED;
    return hindered ? PING_EXIT_TROUBLE : PING_EXIT_NONE;
}

static enum ping_exit ping_run(struct ping *ping)
{
    char address[ADDR_TEXT_MAX];

    if (!make_run(ping) || !find_target(ping) || !open_sides(ping) || !open_signals(ping))
        return PING_EXIT_TROUBLE;
    setvbuf(stdout, NULL, _IOLBF, 0); /* whoever reads along has each line at once */
    target_text(&ping->target, ping->index, address);
    if (!ping->options.style.json)
        printf("PING %s at %s over %s%s%s\n", ping->target.name, address, ping->sides[0].transport,
               ping->count > 1 ? " and " : "", ping->count > 1 ? ping->sides[1].transport : "");
    run(ping);
    return summarise(ping, address);
}

int ping_main(int argc, char **argv)
{
    static struct ping ping; /* too large for the stack; and zeroed, it takes no room in the program */
    enum ping_exit code;

    ping.datagram.fd = ping.signals = -1;
    if (ping_options_read(&ping.options, argc, argv, &code))
        code = ping_run(&ping);
    ping_stream_close(&ping.stream);
    ping_datagram_close(&ping.datagram);
    if (ping.signals >= 0)
        close(ping.signals);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return (int) code;
    fprintf(stderr, "helloc ping: standard output: %s\n", strerror(errno));
    return PING_EXIT_TROUBLE;
}
