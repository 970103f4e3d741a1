/* The command `bench`: from the command line to the report. Each step is known elsewhere. */
#include "client/bench.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/bench_options.h"
#include "client/bench_plot.h"
#include "client/bench_reach.h"
#include "client/bench_report.h"
#include "client/bench_run.h"
#include "client/exits.h"

enum {
    RESOLVE_MS = 5000,
    ALLOWED = 2 /* how often a stranger's address must be allowed */
};

/* Finds the target's addresses, and refuses those of strangers. Returns 0, or what to exit with. */
static int find_target(const struct bench_options *options, struct target *target)
{
    char why[TARGET_WHY_MAX], address[ADDR_TEXT_MAX];
    enum target_result result = target_find(target, &options->wish, RESOLVE_MS, why);

    if (result != TARGET_OK) {
        fprintf(stderr, "helloc bench: %s\n", why);
        return result == TARGET_WRONG ? EXITS_USAGE : EXITS_NO_HOST;
    }
    for (unsigned i = 0; i < target->count && options->allowed < ALLOWED; i++) {
        if (bench_reach_is_private(&target->addresses[i].any))
            continue;
        fprintf(
            stderr,
            "helloc bench: %s is neither loopback nor private. Load on a stranger's host is an attack, and\n"
            "networks between may take it for one, too. If the host is yours to load, say --public%s.\n",
            target_text(target, i, address), options->allowed > 0 ? " once more" : " twice");
        return EXITS_USAGE;
    }
    return 0;
}

/* Closes what was written; returns 0, or what to exit with. */
static int finish(FILE *out, const char *name)
{
    bool good = !ferror(out) && fflush(out) == 0;

    if (out != stdout && fclose(out) != 0)
        good = false;
    if (good)
        return 0;
    fprintf(stderr, "helloc bench: %s: %s\n", name, strerror(errno));
    return EXITS_IO;
}

static int run(const struct bench_options *options, const struct bench_plan *plan, struct bench_tally *tally,
               FILE *plot)
{
    struct bench_report report = {.plan = plan, .tally = tally};
    bool progress = !options->quiet && isatty(STDERR_FILENO);
    int result = bench_run(plan, progress, tally, &report.interrupted) < 0 ? EXITS_SYSTEM : 0;
    int plotted = 0;

    (options->json ? bench_report_json : bench_report_text)(stdout, &report);
    int written = finish(stdout, "standard output");
    if (plot != NULL) {
        bench_plot(plot, &report);
        plotted = finish(plot, options->plot);
    }
    if (result != 0 || written != 0 || plotted != 0)
        return result != 0 ? result : EXITS_IO;
    return tally->answers == tally->sent && tally->sent > 0 && tally->unsent == 0 &&
                   bench_tally_errors(tally->connection_errors) == 0
               ? EXITS_DONE
               : EXITS_REFUSED;
}

int bench_main(int argc, char **argv)
{
    static struct target target;
    static struct bench_tally tally;
    struct bench_options options;
    enum bench_options_result read = bench_options_read(&options, argc, argv);

    if (read != BENCH_OPTIONS_GO)
        return read == BENCH_OPTIONS_DONE ? finish(stdout, "standard output") : EXITS_USAGE;
    int result = find_target(&options, &target);
    options.plan.target = &target;
    if (result == 0)
        result = bench_reach(&options.plan);
    if (result != 0)
        return result;
    /* Before the load, not after it: a name that cannot be written must not cost the measurement. */
    FILE *plot = options.plot != NULL ? fopen(options.plot, "we") : NULL;
    if (options.plot != NULL && plot == NULL) {
        fprintf(stderr, "helloc bench: %s: %s\n", options.plot, strerror(errno));
        return EXITS_SYSTEM;
    }
    bench_tally_init(&tally);
    return run(&options, &options.plan, &tally, plot);
}
