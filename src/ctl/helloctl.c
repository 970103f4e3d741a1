/* helloctl: options, and what each command asks the service. How a question travels, and how an answer is
 * shown, is not known here. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "ctl/ask.h"
#include "ctl/fit.h"
#include "ctl/json.h"
#include "ctl/metrics.h"
#include "ctl/serve.h"
#include "ctl/terminal.h"
#include "ctl/text.h"
#include "ctl/top.h"

#ifndef HELLOD_VERSION
#error "HELLOD_VERSION is set by the Makefile"
#endif

enum {
    STATUS_MS = 10000,
    LOG_LEVEL_MS = 10000,
    RELOAD_MS = 120000, /* new workers have 30 s to report, and one reload may have to wait for another */
    STOP_MS = 120000,
    LEVEL_MAX = 16 /* bytes of a log level */
};

struct options {
    const char *path;
    const char *level; /* the argument of log-level */
    bool json, http;
};

typedef enum ask_exit run_command(const struct options *options);

static void print_help(FILE *out)
{
    fputs(
        "usage: helloctl [-s SOCKET] [-V] [-h] COMMAND\n"
        "\n"
        "Asks a running hellod, or tells it what to do.\n"
        "\n"
        "  status [--json]    how it is, what it has done, what it refused and why\n"
        "  metrics [--http]   the same for a monitoring system, in OpenMetrics; --http: as the answer to a\n"
        "                     request for /metrics on standard input\n"
        "  top                the same, live: each worker, refreshed each second; q ends\n"
        "  reload             take up the changed configuration; returns when it is in force\n"
        "  log-level LEVEL    what it logs from now on: err, warning, notice, info or debug\n"
        "  stop               let clients finish, and end; returns when it has ended\n"
        "\n"
        "  -s, --socket SOCKET  its control socket (default /run/hellod/control)\n"
        "  -V, --version        print the version and exit\n"
        "  -h, --help           print this and exit\n"
        "\n"
        "See helloctl(8).\n",
        out);
}

/* Connects and asks; what is done with the reply is the caller's, who closes CONNECTION in any case. */
static enum ask_exit question(struct connection *connection, const struct options *options,
                              const char *command, unsigned wait_ms)
{
    enum ask_exit result = ask_connect(connection, options->path);

    return result == ASK_DONE ? ask(connection, options->path, command, wait_ms) : result;
}

/* Asks for the status; the caller frees STATUS if the result is ASK_DONE. */
static enum ask_exit get_status(const struct options *options, struct status *status)
{
    struct connection connection;
    enum ask_exit result = question(&connection, options, "status", STATUS_MS);

    if (result == ASK_DONE && status_parse(status, connection.reply) < 0)
        result = ask_say_strange(&connection, options->path);
    connection_close(&connection);
    return result;
}

/* What is no terminal has no end of rows. */
static void show_status(const struct status *status)
{
    unsigned rows, columns;

    if (isatty(STDOUT_FILENO) != 1) {
        text_status(stdout, status);
        return;
    }
    terminal_size(&rows, &columns);
    fit_status(stdout, status, rows - 1, columns); /* the shell's prompt has the last one */
}

static enum ask_exit run_status(const struct options *options)
{
    struct status status;
    enum ask_exit result = get_status(options, &status);

    if (result != ASK_DONE)
        return result;
    if (options->json)
        json_status(stdout, &status);
    else
        show_status(&status);
    status_free(&status);
    return ASK_DONE;
}

/* Writes the metrics to OUT in FORM. */
static enum ask_exit print_metrics(FILE *out, const struct options *options, enum exposition_form form)
{
    struct status status;
    enum ask_exit result = get_status(options, &status);

    if (result != ASK_DONE)
        return result;
    metrics_print(out, &status, form);
    status_free(&status);
    return ASK_DONE;
}

static const char *metrics_page(FILE *out, bool openmetrics, void *userdata)
{
    enum exposition_form form = openmetrics ? EXPOSITION_OPENMETRICS : EXPOSITION_PLAIN;

    return print_metrics(out, userdata, form) == ASK_DONE ? exposition_type(form) : NULL;
}

static enum ask_exit run_metrics(const struct options *options)
{
    struct options copy = *options;

    if (!options->http)
        return print_metrics(stdout, options, EXPOSITION_OPENMETRICS);
    serve_once("/metrics", metrics_page, &copy);
    return ASK_DONE;
}

static enum ask_exit run_reload(const struct options *options)
{
    struct connection connection;
    enum ask_exit result = question(&connection, options, "reload", RELOAD_MS);

    connection_close(&connection);
    return result;
}

static enum ask_exit run_log_level(const struct options *options)
{
    char command[LEVEL_MAX + 16];
    struct connection connection;

    snprintf(command, sizeof(command), "log-level %s", options->level);
    enum ask_exit result = question(&connection, options, command, LOG_LEVEL_MS);
    connection_close(&connection);
    return result;
}

static enum ask_exit run_stop(const struct options *options)
{
    struct connection connection;
    enum ask_exit result = question(&connection, options, "stop", STOP_MS);

    if (result == ASK_DONE)
        result = ask_end(&connection, options->path, STOP_MS);
    connection_close(&connection);
    return result;
}

static enum ask_exit run_top(const struct options *options)
{
    return top_run(options->path);
}

static const struct command {
    const char *name;
    run_command *run;
    bool takes_level, takes_json, takes_http;
} commands[] = {{.name = "status", .run = run_status, .takes_json = true},
                {.name = "metrics", .run = run_metrics, .takes_http = true},
                {.name = "top", .run = run_top},
                {.name = "reload", .run = run_reload},
                {.name = "log-level", .run = run_log_level, .takes_level = true},
                {.name = "stop", .run = run_stop}};

static enum ask_exit usage(const char *what, const char *which)
{
    fprintf(stderr, "helloctl: %s%s%s%s\n", what, which[0] ? " \"" : "", which, which[0] ? "\"" : "");
    print_help(stderr);
    return ASK_USAGE;
}

/* Checks the COUNT words of ARGUMENTS, and runs the command that they make. */
static enum ask_exit run(struct options *options, char **arguments, int count)
{
    const struct command *found = NULL;

    if (count == 0)
        return usage("no command", "");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(arguments[0], commands[i].name) == 0)
            found = &commands[i];
    if (found == NULL)
        return usage("unknown command", arguments[0]);
    if (count > 1 + found->takes_level)
        return usage("unexpected argument", arguments[1 + found->takes_level]);
    if (options->json && !found->takes_json)
        return usage("--json is only for", "status");
    if (options->http && !found->takes_http)
        return usage("--http is only for", "metrics");
    if (found->takes_level) {
        options->level = count > 1 ? arguments[1] : "";
        size_t length = strspn(options->level, "abcdefghijklmnopqrstuvwxyz");
        if (length == 0 || length > LEVEL_MAX || options->level[length] != '\0')
            return usage("log-level wants err, warning, notice, info or debug, not", options->level);
    }
    return found->run(options);
}

/* Where hellod listens by default; RUNTIME_DIRECTORY is of systemd.exec(5), and may be a list. The caller
 * frees it; NULL when memory is short. */
static char *default_path(void)
{
    const char *folder = getenv("RUNTIME_DIRECTORY");
    char *path;

    if (folder == NULL || folder[0] == '\0')
        folder = "/run/hellod";
    return asprintf(&path, "%.*s/control", (int) strcspn(folder, ":"), folder) < 0 ? NULL : path;
}

static enum ask_exit parse_and_run(int argc, char **argv, struct options *options)
{
    static const struct option long_options[] = {
        {"socket", required_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'},
        {"http", no_argument, NULL, 'w'},         {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},         {0}};
    int option;

    while ((option = getopt_long(argc, argv, "s:Vh", long_options, NULL)) != -1) {
        switch (option) {
        case 's':
            options->path = optarg;
            break;
        case 'j':
            options->json = true;
            break;
        case 'w':
            options->http = true;
            break;
        case 'V':
            puts("helloctl " HELLOD_VERSION);
            return ASK_DONE;
        case 'h':
            print_help(stdout);
            return ASK_DONE;
        default:
            print_help(stderr);
            return ASK_USAGE;
        }
    }
    return run(options, argv + optind, argc - optind);
}

int main(int argc, char **argv)
{
    char *path = default_path();
    struct options options = {.path = path};

    if (path == NULL || descriptors_fill_standard() < 0) {
        fprintf(stderr, "helloctl: %s\n", strerror(errno));
        free(path);
        return EXIT_FAILURE;
    }
    int result = (int) parse_and_run(argc, argv, &options);
    free(path);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return result;
    fprintf(stderr, "helloctl: standard output: %s\n", strerror(errno));
    return EXIT_FAILURE;
}
