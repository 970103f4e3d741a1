/* The command line of `helloc bench`: each option with its range. What a load is made of is not known here.
 */
#include "client/bench_options.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/quote.h"
#include "client/options.h"

enum {
    STREAM_CONNECTIONS = 32,
    DATAGRAM_CONNECTIONS = 4,
    DATAGRAM_DEPTH = 32,
    NAME_SIZE = 16,
    DURATION_S = 10,
    TIMEOUT_S = 2,
    MESSAGES_MAX = 1000000000
};

static void print_help(FILE *out)
{
    fputs("usage: helloc bench [-46qu] [OPTIONS] [HOST [PORT]]\n"
          "\n"
          "Puts load on a hellod and measures how it takes it.\n"
          "\n"
          "  -u, --udp              datagrams instead of a stream\n"
          "  -d, --duration S       seconds (10)\n"
          "  -n, --count N          as many requests, and then end\n"
          "  -r, --rate N           requests a second in all (as many as it can)\n"
          "  -c, --connections N    connections (32), or sockets (4 with -u)\n"
          "  -p, --pipeline N       requests on their way on each (1, or 32 with -u)\n"
          "  -m, --messages N       requests before a connection is ended and made anew\n"
          "  -s, --size N[-M]       bytes of a name (16)\n"
          "  -j, --processes N      processes that make the load (half of the processors)\n"
          "  -W, --wait S           seconds to wait for an answer (2)\n"
          "      --json             the report as JSON\n"
          "      --plot FILE.svg    draw latencies, and throughput over time\n"
          "  -q, --quiet            no progress bar\n"
          "  -4, --ipv4, -6, --ipv6 one address family\n"
          "  -h, --help             print this and exit\n"
          "      --public           load a target that is not private: say it twice\n"
          "\n"
          "See helloc-bench(1).\n",
          out);
}

static bool wrong(const char *option, const char *wants, const char *value)
{
    fprintf(stderr, "helloc bench: %s wants %s, not ", option, wants);
    quote_print(stderr, value);
    fputc('\n', stderr);
    return false;
}

static bool whole(const char *option, const char *text, unsigned long most, unsigned *value)
{
    unsigned long found;
    const char *end = options_number(text, 1, most, &found);
    char wants[64];

    if (end != NULL && *end == '\0') {
        *value = (unsigned) found;
        return true;
    }
    snprintf(wants, sizeof(wants), "a number from 1 to %lu", most);
    return wrong(option, wants, text);
}

static bool fraction(const char *option, const char *text, double least, double most, double *value)
{
    char wants[64];

    if (options_fraction(text, least, most, value))
        return true;
    snprintf(wants, sizeof(wants), "a number from %g to %.0f", least, most);
    return wrong(option, wants, text);
}

static bool seconds(const char *option, const char *text, double most, uint64_t *ns)
{
    double value;

    if (!fraction(option, text, 0.1, most, &value))
        return false;
    *ns = (uint64_t) llround(value * 1e9);
    return true;
}

static bool sizes(const char *text, struct bench_plan *plan)
{
    unsigned long least = 0, most;
    const char *end = options_number(text, 1, BENCH_SIZE_MAX, &least);

    most = least;
    if (end != NULL && *end == '-')
        end = options_number(end + 1, least, BENCH_SIZE_MAX, &most);
    if (end != NULL && *end == '\0') {
        plan->smallest = (unsigned) least;
        plan->largest = (unsigned) most;
        return true;
    }
    return wrong("--size", "bytes as N or N-M, 1 to 60000,", text);
}

static bool set_family(struct target_wish *wish, int family)
{
    if (options_family(wish, family))
        return true;
    fputs("helloc bench: " OPTIONS_FAMILIES "\n", stderr);
    return false;
}

static bool take(struct bench_options *options, int option, const char *value)
{
    struct bench_plan *plan = &options->plan;
    unsigned count;

    switch (option) {
    case '4':
        return set_family(&options->wish, AF_INET);
    case '6':
        return set_family(&options->wish, AF_INET6);
    case 'd':
        return seconds("--duration", value, 86400, &plan->duration_ns);
    case 'n':
        if (!whole("--count", value, UINT32_MAX, &count))
            return false;
        plan->count = count;
        return true;
    case 'r':
        return fraction("--rate", value, 0.01, 10000000, &plan->rate);
    case 'c':
        return whole("--connections", value, BENCH_CONNECTIONS_MAX, &plan->connections);
    case 'p':
        return whole("--pipeline", value, BENCH_DEPTH_MAX, &plan->depth);
    case 'm':
        return whole("--messages", value, MESSAGES_MAX, &plan->messages);
    case 's':
        return sizes(value, plan);
    case 'j':
        return whole("--processes", value, BENCH_PROCESSES_MAX, &plan->processes);
    default:
        return seconds("--wait", value, 3600, &plan->timeout_ns);
    }
}

static bool flag(struct bench_options *options, int option)
{
    switch (option) {
    case 'u':
        options->wish.type = SOCK_DGRAM;
        return true;
    case 'q':
        options->quiet = true;
        return true;
    case 'J':
        options->json = true;
        return true;
    case 'F':
        options->allowed++;
        return true;
    default:
        return false;
    }
}

/* What was not said; more processes than connections would have nothing to do. */
static bool complete(struct bench_options *options)
{
    struct bench_plan *plan = &options->plan;
    bool datagrams = options->wish.type == SOCK_DGRAM;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    plan->type = options->wish.type;
    if (datagrams && plan->messages > 0) {
        fputs("helloc bench: --messages is for streams: datagrams have no conversations\n", stderr);
        return false;
    }
    if (datagrams && plan->smallest < BENCH_TAG_SIZE) {
        fprintf(stderr, "helloc bench: --size of a datagram is at least %d: it carries a number\n",
                BENCH_TAG_SIZE);
        return false;
    }
    if (plan->connections == 0)
        plan->connections = datagrams ? DATAGRAM_CONNECTIONS : STREAM_CONNECTIONS;
    if (plan->depth == 0)
        plan->depth = datagrams ? DATAGRAM_DEPTH : 1;
    if (plan->processes == 0)
        plan->processes = processors >= 4 ? (unsigned) processors / 2 : 1;
    if (plan->processes > BENCH_PROCESSES_MAX)
        plan->processes = BENCH_PROCESSES_MAX;
    if (plan->processes > plan->connections)
        plan->processes = plan->connections;
    if (plan->duration_ns == UINT64_MAX && plan->count == UINT64_MAX)
        plan->duration_ns = DURATION_S * UINT64_C(1000000000);
    return true;
}

static bool operands(struct bench_options *options, char **words, int count)
{
    if (options_operands(&options->wish, count, words))
        return true;
    fputs("helloc bench: unexpected argument ", stderr);
    quote_print(stderr, words[2]);
    fputc('\n', stderr);
    return false;
}

enum bench_options_result bench_options_read(struct bench_options *options, int argc, char **argv)
{
    static const struct option long_options[] = {{"udp", no_argument, NULL, 'u'},
                                                 {"duration", required_argument, NULL, 'd'},
                                                 {"count", required_argument, NULL, 'n'},
                                                 {"rate", required_argument, NULL, 'r'},
                                                 {"connections", required_argument, NULL, 'c'},
                                                 {"pipeline", required_argument, NULL, 'p'},
                                                 {"messages", required_argument, NULL, 'm'},
                                                 {"size", required_argument, NULL, 's'},
                                                 {"processes", required_argument, NULL, 'j'},
                                                 {"wait", required_argument, NULL, 'W'},
                                                 {"json", no_argument, NULL, 'J'},
                                                 {"plot", required_argument, NULL, 'P'},
                                                 {"public", no_argument, NULL, 'F'},
                                                 {"quiet", no_argument, NULL, 'q'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {0}};
    int option;

    *options = (struct bench_options){.wish = {.family = AF_UNSPEC, .type = SOCK_STREAM}};
    options->plan = (struct bench_plan){.smallest = NAME_SIZE,
                                        .largest = NAME_SIZE,
                                        .count = UINT64_MAX,
                                        .duration_ns = UINT64_MAX,
                                        .timeout_ns = TIMEOUT_S * UINT64_C(1000000000)};
    static char name[] = "helloc bench"; /* as getopt(3) is to call us */
    argv[0] = name;
    while ((option = getopt_long(argc, argv, "46uqhd:n:r:c:p:m:s:j:W:", long_options, NULL)) != -1) {
        if (option == 'h') {
            print_help(stdout);
            return BENCH_OPTIONS_DONE;
        }
        if (option == '?')
            return BENCH_OPTIONS_WRONG;
        if (option == 'P')
            options->plot = optarg;
        else if (!flag(options, option) && !take(options, option, optarg))
            return BENCH_OPTIONS_WRONG;
    }
    if (!operands(options, argv + optind, argc - optind) || !complete(options))
        return BENCH_OPTIONS_WRONG;
    return BENCH_OPTIONS_GO;
}
