/* The command line of `check`. Must not know how a service is asked. */
#include "client/check_options.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/check_text.h"
#include "client/options.h"

#ifndef HELLOD_VERSION
#error "HELLOD_VERSION is set by the Makefile"
#endif

enum {
    TIMEOUT_S = 10, /* what the guidelines call typical */
    TIMEOUT_MAX_S = 3600
};

#define USAGE "check_hello [-46uv] [-H HOST] [-p PORT] [-w RANGE] [-c RANGE] [-t SECONDS] [-e ANSWER]"

static void print_help(void)
{
    fputs("usage: check_hello [-46uv] [-H HOST] [-p PORT] [-w RANGE] [-c RANGE]\n"
          "                   [-t SECONDS] [-e ANSWER]\n"
          "\n"
          "Says hello to a hellod, as a monitoring plugin. Also called helloc check.\n"
          "\n"
          "  -H, --hostname HOST     name, address or path of a socket (localhost)\n"
          "  -p, --port PORT         (3288)\n"
          "  -u, --udp               ask in datagrams; a path needs it for such a socket\n"
          "  -4, --ipv4              only IPv4\n"
          "  -6, --ipv6              only IPv6\n"
          "  -w, --warning RANGE     of seconds until the answer, else WARNING\n"
          "  -c, --critical RANGE    the same, else CRITICAL\n"
          "  -t, --timeout SECONDS   until it is CRITICAL that no answer came (10)\n"
          "  -e, --expect ANSWER     the answer, %s for the name (\"Hello, %s!\")\n"
          "  -v, --verbose           more; up to three times\n"
          "  -V, --version           print the version and exit\n"
          "  -h, --help              print this and exit\n"
          "\n"
          "A RANGE is [@][START:][END]: outside of it is bad; with @, inside.\n"
          "Exits with 0 if all is well, 1 for WARNING, 2 for CRITICAL, 3 for UNKNOWN.\n"
          "See helloc-check(1).\n",
          stdout);
}

void check_options_wrong(const char *why)
{
    fputs("HELLO UNKNOWN: ", stdout);
    check_text(stdout, why, strlen(why));
    fputs("; usage: " USAGE "\n", stdout);
}

/* check_options_wrong() with a printf(3) FORMAT; returns false. */
__attribute__((format(printf, 1, 2))) static bool wrong(const char *format, ...)
{
    va_list arguments;
    char *why;

    va_start(arguments, format);
    int length = vasprintf(&why, format, arguments);
    va_end(arguments);
    check_options_wrong(length < 0 ? "no memory" : why);
    if (length >= 0)
        free(why);
    return false;
}

static bool take_range(const char *text, struct check_threshold *threshold)
{
    const char *error = range_parse(text, &threshold->range);

    threshold->text = text;
    return error == NULL || wrong("\"%s\": %s", text, error);
}

static bool take_timeout(const char *text, unsigned *timeout_s)
{
    unsigned long seconds;
    const char *end = options_number(text, 1, TIMEOUT_MAX_S, &seconds);

    if (end == NULL || *end != '\0')
        return wrong("\"%s\": a timeout is 1 to %d whole seconds", text, TIMEOUT_MAX_S);
    *timeout_s = (unsigned) seconds;
    return true;
}

static bool take_template(const char *text, struct check_options *options)
{
    if (strlen(text) > CHECK_TEMPLATE_MAX)
        return wrong("an expected answer has at most %d bytes", CHECK_TEMPLATE_MAX);
    const char *error = template_parse(text, options->store, &options->prefix, &options->suffix);
    return error == NULL || wrong("\"%s\": %s", text, error);
}

static bool take_family(int family, struct target_wish *wish)
{
    return options_family(wish, family) || wrong(OPTIONS_FAMILIES);
}

/* Takes option LETTER; false if it is wrong or all that was asked for. */
static bool take(int letter, char **argv, struct check_options *options)
{
    switch (letter) {
    case 'H':
        options->wish.host = optarg;
        return true;
    case 'p':
        options->wish.port = optarg;
        return true;
    case 'u':
        options->wish.type = SOCK_DGRAM;
        return true;
    case '4':
        return take_family(AF_INET, &options->wish);
    case '6':
        return take_family(AF_INET6, &options->wish);
    case 'w':
        return take_range(optarg, &options->warning);
    case 'c':
        return take_range(optarg, &options->critical);
    case 't':
        return take_timeout(optarg, &options->timeout_s);
    case 'e':
        return take_template(optarg, options);
    case 'v':
        options->verbosity++;
        return true;
    case 'V':
        puts("check_hello " HELLOD_VERSION);
        return false;
    case 'h':
        print_help();
        return false;
    case ':':
        return wrong("%s: an argument is missing", argv[optind - 1]);
    default: /* getopt_long(3) knows the letter of a short option alone, or of one with an argument too many
              */
        return optopt == 0 ? wrong("%s: there is no such option", argv[optind - 1])
                           : wrong("-%c: there is no such option, or it takes no argument", optopt);
    }
}

bool check_options_read(int argc, char **argv, struct check_options *options)
{
    static const struct option long_options[] = {{"hostname", required_argument, NULL, 'H'},
                                                 {"port", required_argument, NULL, 'p'},
                                                 {"udp", no_argument, NULL, 'u'},
                                                 {"ipv4", no_argument, NULL, '4'},
                                                 {"ipv6", no_argument, NULL, '6'},
                                                 {"warning", required_argument, NULL, 'w'},
                                                 {"critical", required_argument, NULL, 'c'},
                                                 {"timeout", required_argument, NULL, 't'},
                                                 {"expect", required_argument, NULL, 'e'},
                                                 {"verbose", no_argument, NULL, 'v'},
                                                 {"version", no_argument, NULL, 'V'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {0}};
    int letter;

    *options = (struct check_options){.wish = {.family = AF_UNSPEC, .type = SOCK_STREAM},
                                      .timeout_s = TIMEOUT_S,
                                      .prefix = protocol_greeting.defaults->prefix,
                                      .suffix = protocol_greeting.defaults->suffix};
    /* ":" keeps its words, which would go to standard error, to itself. */
    while ((letter = getopt_long(argc, argv, ":H:p:u46w:c:t:e:vVh", long_options, NULL)) != -1)
        if (!take(letter, argv, options))
            return false;
    if (optind == argc)
        return true;
    return wrong("\"%s\": not an option", argv[optind]);
}
