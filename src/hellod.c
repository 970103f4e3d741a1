/* hellod: options, config, hand over to the master. What the service does is not known here. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/about.h"
#include "base/config.h"
#include "base/descriptors.h"
#include "base/log.h"
#include "master/exits.h"
#include "master/master.h"
#include "master/notify.h"
#include "master/world.h"

#ifndef HELLOD_VERSION
#error "HELLOD_VERSION is set by the Makefile"
#endif
#ifndef HELLOD_SYSCONFDIR
#error "HELLOD_SYSCONFDIR is set by the Makefile"
#endif

enum {
    EXIT_USAGE = 64 /* EX_USAGE of sysexits.h(3head); the other codes are the master's */
};

static const char default_config[] = HELLOD_SYSCONFDIR "/hellod/hellod.conf";

struct options {
    struct world_source source;
    bool check, dump;
};

static void print_help(FILE *out)
{
    fprintf(out,
            "usage: hellod [-c FILE] [-t] [-T] [-v] [-V] [-h]\n"
            "\n"
            "Answers on TCP and UDP port 3288, in the foreground, until it gets SIGTERM.\n"
            "\n"
            "  -c, --config FILE  read FILE and conf.d/*.conf beside it (default %s)\n"
            "  -t, --check        check the configuration, print every error, and exit\n"
            "  -T, --dump         print the effective configuration and where it came from, and exit\n"
            "  -v, --verbose      log each connection and datagram; twice: debug lines too\n"
            "  -V, --version      print the version, how it was built and what is there to run it, and exit\n"
            "  -h, --help         print this and exit\n"
            "\n"
            "See hellod(8) and hellod.conf(5).\n",
            default_config);
}

/* Returns -1 to go on, or the exit code. */
static int parse_options(int argc, char **argv, struct options *options)
{
    static const struct option long_options[] = {{"config", required_argument, NULL, 'c'},
                                                 {"check", no_argument, NULL, 't'},
                                                 {"dump", no_argument, NULL, 'T'},
                                                 {"verbose", no_argument, NULL, 'v'},
                                                 {"version", no_argument, NULL, 'V'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {0}};
    int option;

    while ((option = getopt_long(argc, argv, "c:tTvVh", long_options, NULL)) != -1) {
        switch (option) {
        case 'c':
            options->source.file = optarg;
            break;
        case 't':
            options->check = true;
            break;
        case 'T':
            options->dump = true;
            break;
        case 'v':
            options->source.verbose++;
            break;
        case 'V':
            about_print(stdout, "hellod");
            return EXIT_SUCCESS;
        case 'h':
            print_help(stdout);
            return EXIT_SUCCESS;
        default:
            print_help(stderr);
            return EXIT_USAGE;
        }
    }
    if (optind == argc)
        return -1;
    fprintf(stderr, "hellod: unexpected argument \"%s\"\n", argv[optind]);
    print_help(stderr);
    return EXIT_USAGE;
}

/* Errors of the config are shown as they are to somebody who checks it. When the service starts they go to
 * the log line by line, and the first one to the service manager. */
static void show_errors(const struct options *options, const char *errors)
{
    if (options->check || options->dump) {
        fputs(errors, stderr);
        return;
    }
    log_error_lines(errors);
    if (errors[0] != '\0') {
        char first[LOG_LINE_MAX];
        snprintf(first, sizeof(first), "%.*s", (int) strcspn(errors, "\n"), errors);
        notify_failed(first, MASTER_BAD_CONFIG);
        log_to_journal(LOG_LEVEL_ERROR, EVENT_NOT_STARTED, "not started: %s", first);
    }
}

/* Reads the config and shows what is wrong with it. NULL when memory is short. */
static struct world *load(const struct options *options)
{
    char *errors = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&errors, &length);

    if (stream == NULL)
        return NULL;
    struct world *world = world_load(&options->source, stream);
    fclose(stream);
    show_errors(options, errors);
    free(errors);
    return world;
}

/* What is to be done with a sound config and does not start the service. Returns the exit code. */
static int show(const struct options *options, const struct world *world)
{
    if (options->dump)
        return world_dump(world, stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    printf("%s: no errors\n", options->source.file);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct options options = {.source.file = default_config};

    if (descriptors_fill_standard() < 0) {
        fprintf(stderr, "hellod: /dev/null: %s\n", strerror(errno));
        return MASTER_NO_SYSTEM;
    }
    int result = parse_options(argc, argv, &options);
    if (result >= 0)
        return result;
    log_open();
    struct world *world = load(&options);
    if (world == NULL) {
        log_error("configuration: %s", strerror(errno));
        return MASTER_NO_SYSTEM;
    }
    bool sound = config_errors(world->config) == 0;
    if (sound && !options.check && !options.dump) {
        log_set_level(world->log_level);
        return master_run(world, &options.source);
    }
    result = sound ? show(&options, world) : MASTER_BAD_CONFIG;
    world_free(world);
    return result;
}
