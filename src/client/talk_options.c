/* The command line of `helloc [talk]`. Must not know what comes of it. */
#include "client/talk_options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "client/input.h"
#include "client/options.h"

#ifndef HELLOD_VERSION
#error "HELLOD_VERSION is set by the Makefile"
#endif

enum {
    WAIT_MS = 10000,
    WAIT_MAX_S = 3600
};

static void print_help(FILE *out)
{
    fputs("usage: helloc [talk] [-46u] [-W SECONDS] [-m NAME] [HOST [PORT]]\n"
          "       helloc ping|check|bench ...\n"
          "\n"
          "Talks with hellod: says what you type, and shows what it answers. An empty line,\n"
          "quit, or Ctrl-D ends it. From a pipe: a name a line in, an answer a line out.\n"
          "\n"
          "  ping                ask again and again, see what comes back and how fast\n"
          "  check               ask once, for a monitoring system\n"
          "  bench               put a server under load\n"
          "                      (helloc COMMAND --help tells more)\n"
          "\n"
          "  HOST                a name, an address, or a socket's path (default localhost)\n"
          "  PORT                default 3288\n"
          "  -u, --udp           ask with datagrams\n"
          "  -4, --ipv4          use only IPv4; -6, --ipv6: only IPv6\n"
          "  -W, --wait SECONDS  for the connection, and for each answer (default 10)\n"
          "  -m, --message NAME  say this one name, print the answer and exit\n"
          "  -V, --version       print the version and exit\n"
          "  -h, --help          print this and exit\n"
          "\n"
          "See helloc(1).\n",
          out);
}

static int usage(const char *what, const char *which)
{
    if (what[0] != '\0')
        fprintf(stderr, "helloc: %s%s%s%s\n", what, which[0] ? " \"" : "", which, which[0] ? "\"" : "");
    fputs("helloc: \"helloc --help\" tells more\n", stderr);
    return -1;
}

/* Reads a time in seconds, decimals allowed, into *MS. */
static int read_wait(const char *text, unsigned *ms)
{
    uint64_t ns;

    if (!options_seconds(text, 0.001, WAIT_MAX_S, &ns))
        return usage("a time is from 0.001 to 3600 seconds, not", text);
    *ms = (unsigned) (ns / 1000000);
    return 0;
}

static int set_family(struct target_wish *wish, int family)
{
    return options_family(wish, family) ? 0 : usage(OPTIONS_FAMILIES, "");
}

/* As a line from a pipe: what it is put into has room for no more. */
static int take_name(const char *name)
{
    if (name[0] == '\0' || strchr(name, '\n') != NULL)
        return usage("a name is one line that is not empty", "");
    return strlen(name) <= INPUT_MAX ? 0 : usage("a name is too long", "");
}

/* Takes one option; 0, or -1 after saying what is wrong. */
static int take(struct talk_options *options, int option)
{
    switch (option) {
    case '4':
        return set_family(&options->wish, AF_INET);
    case '6':
        return set_family(&options->wish, AF_INET6);
    case 'u':
        options->wish.type = SOCK_DGRAM;
        return 0;
    case 'W':
        return read_wait(optarg, &options->wait_ms);
    case 'm':
        options->message = optarg;
        return take_name(optarg);
    case 'V':
        puts("helloc " HELLOD_VERSION);
        options->done = true;
        return 0;
    case 'h':
        print_help(stdout);
        options->done = true;
        return 0;
    default:
        return usage("", ""); /* getopt(3) has said what is wrong */
    }
}

int talk_options_read(struct talk_options *options, int argc, char **argv)
{
    static const struct option long_options[] = {
        {"ipv4", no_argument, NULL, '4'},          {"ipv6", no_argument, NULL, '6'},
        {"udp", no_argument, NULL, 'u'},           {"wait", required_argument, NULL, 'W'},
        {"message", required_argument, NULL, 'm'}, {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},          {0}};
    int option;

    *options = (struct talk_options){.wish = {.type = SOCK_STREAM}, .wait_ms = WAIT_MS};
    while (!options->done && (option = getopt_long(argc, argv, "46uW:m:Vh", long_options, NULL)) != -1)
        if (take(options, option) < 0)
            return -1;
    if (options->done || options_operands(&options->wish, argc - optind, argv + optind))
        return 0;
    return usage("unexpected argument", argv[optind + 2]);
}
