/* The command `check`: what came of asking a service, as one of four states. How it is asked, and how the
 * state is shown, is not known here. */
#include "client/check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "client/check_report.h"

enum {
    NAME_MAX_BYTES = 16
};

#define MS_NS UINT64_C(1000000)

/* Something that stands for no word of any answer, so that nobody can know the right answer beforehand.
 * Capitals, because the protocol "upper" does not change them. Returns 0, or -1 with errno. */
static int make_name(char name[NAME_MAX_BYTES])
{
    uint32_t number;

    if (getrandom(&number, sizeof(number), 0) != sizeof(number))
        return -1;
    snprintf(name, NAME_MAX_BYTES, "CHECK-%08" PRIX32, number);
    return 0;
}

static bool breaks(const struct check_threshold *threshold, uint64_t us)
{
    return threshold->text != NULL && range_alerts(&threshold->range, (double) us / 1e6);
}

static enum check_state state_of(const struct check_options *options, const struct target *target,
                                 const struct check_ask *ask)
{
    if (!ask->reached)
        return dial_is_ours(target, &ask->dial) ? CHECK_UNKNOWN : CHECK_CRITICAL;
    if (ask->verdict == CHECK_REFUSED)
        return CHECK_WARNING;
    if (ask->verdict != CHECK_RIGHT || breaks(&options->critical, ask->answer_us))
        return CHECK_CRITICAL;
    return breaks(&options->warning, ask->answer_us) ? CHECK_WARNING : CHECK_OK;
}

static enum check_state ask_and_report(const struct check_options *options, const struct target *target,
                                       unsigned wait_ms)
{
    char name[NAME_MAX_BYTES], answer[CHECK_TEMPLATE_MAX + NAME_MAX_BYTES];
    struct check_ask ask;

    if (make_name(name) < 0) {
        check_report_unasked(CHECK_UNKNOWN, strerror(errno));
        return CHECK_UNKNOWN;
    }
    int length = snprintf(answer, sizeof(answer), "%.*s%s%.*s", (int) options->prefix.length,
                          options->prefix.data, name, (int) options->suffix.length, options->suffix.data);
    struct check_question question = {{name, strlen(name)}, {answer, (size_t) length}};
    if (target->type == SOCK_STREAM)
        check_ask_stream(target, &question, wait_ms, &ask);
    else
        check_ask_datagram(target, &question, wait_ms, &ask);
    struct check_report report = {options, target, &question, &ask, state_of(options, target, &ask)};
    check_report(&report);
    return report.state;
}

static enum check_state check(const struct check_options *options)
{
    struct target target;
    char why[TARGET_WHY_MAX];
    uint64_t begin_ns = clock_ns();
    unsigned timeout_ms = options->timeout_s * 1000;
    enum target_result found = target_find(&target, &options->wish, timeout_ms, why);
    uint64_t took_ms = (clock_ns() - begin_ns) / MS_NS;

    if (found == TARGET_WRONG) {
        check_options_wrong(why);
        return CHECK_UNKNOWN;
    }
    /* The guidelines want neither names nor time-outs to be UNKNOWN. */
    if (found != TARGET_OK) {
        check_report_unasked(CHECK_CRITICAL, why);
        return CHECK_CRITICAL;
    }
    return ask_and_report(options, &target, took_ms < timeout_ms ? timeout_ms - (unsigned) took_ms : 1);
}

int check_main(int argc, char **argv)
{
    struct check_options options;
    enum check_state state = check_options_read(argc, argv, &options) ? check(&options) : CHECK_UNKNOWN;

    return fflush(stdout) == 0 && !ferror(stdout) ? (int) state : (int) CHECK_UNKNOWN;
}
