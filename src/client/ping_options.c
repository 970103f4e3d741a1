/* The command line of `helloc ping`. Must not know how anything is done. */
#include "client/ping_options.h"

#include <getopt.h>
#include <stdio.h>

#include "client/options.h"
#include "client/ping_side.h"

#define LEAST_S 0.001
#define MOST_S  3600.0

/* The tutorial's server waits a second before each answer. */
#define DEFAULT_TIMEOUT_NS UINT64_C(2000000000)

enum {
    RATIO_MAX = 500 /* of timeout and interval: so many probes may be under way */
};

/* One more may be, when one was sent late and the next in time. */
_Static_assert(RATIO_MAX + 2 <= PING_UNDER_WAY_MAX, "too few probes may be under way");

static const char help[] = "usage: helloc ping [OPTION...] [HOST [PORT]]\n"
                           "\n"
                           "Asks HOST (localhost) at PORT (3288) again and again, and tells how it answers.\n"
                           "HOST may be the path of a socket.\n"
                           "\n"
                           "  -u, --udp              over UDP instead of TCP; for a path: datagrams\n"
                           "  -b, --both             over both, side by side\n"
                           "  -4, --ipv4             use only IPv4; -6, --ipv6: only IPv6\n"
                           "  -c, --count N          end after N probes\n"
                           "  -i, --interval S       seconds from one probe to the next (1)\n"
                           "  -W, --wait S           seconds until a probe is lost (2)\n"
                           "  -a, --answer TEMPLATE  what the service answers (\"Hello, %s!\")\n"
                           "  -q, --quiet            only the summary\n"
                           "  -D, --stamp            the time of day before each line\n"
                           "      --json             lines of JSON\n"
                           "  -h, --help             print this and exit\n"
                           "\n"
                           "Ends with a summary, on Ctrl-C, too. Exit status: 0 if any answer came, 1 if\n"
                           "none did, 2 for usage and other errors. See helloc-ping(1).\n";

static bool complain(const char *what, const char *which)
{
    fprintf(stderr, "helloc ping: %s \"%s\"\n", what, which);
    return false;
}

static bool read_seconds(const char *text, const char *what, uint64_t *ns)
{
    return options_seconds(text, LEAST_S, MOST_S, ns) || complain(what, text);
}

static bool read_count(const char *text, uint32_t *count)
{
    unsigned long number;
    const char *end = options_number(text, 1, UINT32_MAX, &number);

    if (end == NULL || *end != '\0')
        return complain("-c wants a number from 1 on, not", text);
    *count = (uint32_t) number;
    return true;
}

static bool set_family(struct target_wish *wish, int family)
{
    if (options_family(wish, family))
        return true;
    fputs("helloc ping: " OPTIONS_FAMILIES "\n", stderr);
    return false;
}

/* Takes one option that getopt_long() has found. Returns false if it is wrong; that was said. */
static bool take(struct ping_options *options, int option)
{
    switch (option) {
    case 'u':
        options->wish.type = SOCK_DGRAM;
        return true;
    case 'b':
        options->both = true;
        return true;
    case '4':
        return set_family(&options->wish, AF_INET);
    case '6':
        return set_family(&options->wish, AF_INET6);
    case 'c':
        return read_count(optarg, &options->count);
    case 'i':
        return read_seconds(optarg, "-i wants seconds from 0.001 to 3600, not", &options->interval_ns);
    case 'W':
        return read_seconds(optarg, "-W wants seconds from 0.001 to 3600, not", &options->timeout_ns);
    case 'a':
        options->template = optarg;
        return true;
    case 'q':
        options->style.quiet = true;
        return true;
    case 'D':
        options->style.stamp = true;
        return true;
    case 'j':
        options->style.json = true;
        return true;
    default:
        return false; /* getopt_long() has said what is wrong */
    }
}

/* Takes what is left of the command line, and checks what goes together. */
static bool finish(struct ping_options *options, int count, char **operands)
{
    if (!options_operands(&options->wish, count, operands))
        return complain("unexpected argument", operands[2]);
    uint64_t most_ns = options->interval_ns * RATIO_MAX;
    if (options->timeout_ns == 0)
        options->timeout_ns = most_ns < DEFAULT_TIMEOUT_NS ? most_ns : DEFAULT_TIMEOUT_NS;
    if (options->timeout_ns <= most_ns)
        return true;
    fprintf(stderr, "helloc ping: -W must not be more than %d times -i\n", RATIO_MAX);
    return false;
}

bool ping_options_read(struct ping_options *options, int argc, char **argv, enum ping_exit *code)
{
    static const struct option names[] = {{"udp", no_argument, NULL, 'u'},
                                          {"both", no_argument, NULL, 'b'},
                                          {"ipv4", no_argument, NULL, '4'},
                                          {"ipv6", no_argument, NULL, '6'},
                                          {"count", required_argument, NULL, 'c'},
                                          {"interval", required_argument, NULL, 'i'},
                                          {"wait", required_argument, NULL, 'W'},
                                          {"answer", required_argument, NULL, 'a'},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {"stamp", no_argument, NULL, 'D'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int option;

    *options = (struct ping_options){.wish = {.family = AF_UNSPEC, .type = SOCK_STREAM},
                                     .count = UINT32_MAX,
                                     .interval_ns = 1000000000,
                                     .template = "Hello, %s!"};
    while ((option = getopt_long(argc, argv, "ub46c:i:W:a:qDh", names, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            *code = PING_EXIT_ANSWERED;
            return false;
        }
        if (take(options, option))
            continue;
        fputs("See helloc ping --help.\n", stderr);
        *code = PING_EXIT_TROUBLE;
        return false;
    }
    *code = PING_EXIT_TROUBLE;
    return finish(options, argc - optind, argv + optind);
}
