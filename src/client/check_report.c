/* What came of a check, in a plugin's output. Must not know how it was found out.
 *
 * All that is not ours goes through check_text(). */
#include "client/check_report.h"

#include <stdlib.h>

#include "client/check_text.h"

enum {
    WORDS_MAX = 80 /* bytes of an answer on the first line, which may end up in a pager */
};

static const char *const state_names[] = {[CHECK_OK] = "OK",
                                          [CHECK_WARNING] = "WARNING",
                                          [CHECK_CRITICAL] = "CRITICAL",
                                          [CHECK_UNKNOWN] = "UNKNOWN"};

static double seconds(uint64_t us)
{
    return (double) us / 1e6;
}

static void print_quoted(struct span words, size_t max)
{
    putchar('"');
    check_text(stdout, words.data, words.length < max ? words.length : max);
    fputs(words.length > max ? "...\"" : "\"", stdout);
}

static void print_name(const struct target *target)
{
    check_text(stdout, target->name, strlen(target->name));
}

/* The address that was connected or answered. */
static void print_address(const struct check_report *report)
{
    char text[ADDR_TEXT_MAX];

    target_text(report->target, report->ask->dial.index, text);
    check_text(stdout, text, strlen(text));
}

/* What went wrong with each address. */
static void print_failures(const struct check_report *report)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);

    if (stream == NULL)
        return;
    dial_explain(stream, report->target, &report->ask->dial);
    if (fclose(stream) == 0)
        check_text(stdout, text, length);
    free(text);
}

static void print_right(const struct check_report *report)
{
    const struct check_options *options = report->options;
    const struct check_threshold *broken =
        report->state == CHECK_CRITICAL ? &options->critical : &options->warning;

    fputs("answer from ", stdout);
    print_address(report);
    printf(" in %.6f s", seconds(report->ask->answer_us));
    if (report->state != CHECK_OK)
        printf(", %s %s", broken->range.inside ? "inside" : "outside", broken->text);
}

/* Nothing came, or not all of an answer. */
static void print_missing(const struct check_report *report)
{
    const struct check_ask *ask = report->ask;

    fputs(ask->verdict == CHECK_CUT ? "half an answer from " : "no answer from ", stdout);
    if (report->target->type == SOCK_STREAM)
        print_address(report);
    else /* whichever of its addresses */
        print_name(report->target);
    if (ask->ended)
        printf(", %s", ask->error == 0 ? "which closed the connection" : strerror(ask->error));
    else
        printf(" within %u s", report->options->timeout_s);
    if (ask->asked > 1)
        printf(", asked %u times", ask->asked);
}

static void print_summary(const struct check_report *report)
{
    const struct check_ask *ask = report->ask;

    if (!ask->reached) {
        fputs("cannot reach ", stdout);
        print_name(report->target);
        fputs(": ", stdout);
        print_failures(report);
    } else if (ask->verdict == CHECK_RIGHT) {
        print_right(report);
    } else if (ask->verdict == CHECK_REFUSED || ask->verdict == CHECK_WRONG) {
        fputs(ask->verdict == CHECK_REFUSED ? "refused by " : "wrong answer from ", stdout);
        print_address(report);
        fputs(": ", stdout);
        print_quoted(ask->words, WORDS_MAX);
    } else {
        print_missing(report);
    }
}

static bool any_failed(const struct check_report *report)
{
    for (unsigned i = 0; i < report->target->count; i++)
        if (report->ask->dial.errors[i] != 0)
            return true;
    return false;
}

/* What -v adds to the line. */
static void print_more(const struct check_report *report)
{
    const struct check_ask *ask = report->ask;

    if (ask->connect_us > 0)
        printf("; connected in %.6f s", seconds(ask->connect_us));
    if (ask->verdict == CHECK_RIGHT || ask->verdict == CHECK_CUT) {
        fputs("; said ", stdout);
        print_quoted(ask->words, WORDS_MAX);
    }
    if (ask->reached && any_failed(report)) {
        fputs("; ", stdout);
        print_failures(report);
    }
}

static const char *threshold_text(const struct check_threshold *threshold)
{
    return threshold->text == NULL ? "" : threshold->text;
}

/* 'label'=value[UOM];[warn];[crit];[min];[max] of the guidelines, for what was measured. */
static void print_performance(const struct check_report *report)
{
    const struct check_options *options = report->options;
    const struct check_ask *ask = report->ask;
    const char *before = " | ";

    if (ask->verdict == CHECK_RIGHT) {
        printf("%s'time'=%.6fs;%s;%s;0;%u", before, seconds(ask->answer_us),
               threshold_text(&options->warning), threshold_text(&options->critical), options->timeout_s);
        before = " ";
    }
    if (ask->connect_us > 0)
        printf("%s'connect'=%.6fs;;;0;%u", before, seconds(ask->connect_us), options->timeout_s);
}

/* The lines that -vv adds: what was asked of whom. */
static void print_configuration(const struct check_report *report)
{
    const struct check_options *options = report->options;
    char text[ADDR_TEXT_MAX];

    fputs("target: ", stdout);
    print_name(report->target);
    puts(report->target->type == SOCK_STREAM ? ", in a stream" : ", in datagrams");
    for (unsigned i = 0; i < report->target->count; i++) {
        target_text(report->target, i, text);
        printf("address %u: ", i + 1);
        check_text(stdout, text, strlen(text));
        putchar('\n');
    }
    printf("thresholds: warning %s, critical %s, timeout %u s\n",
           options->warning.text == NULL ? "none" : options->warning.text,
           options->critical.text == NULL ? "none" : options->critical.text, options->timeout_s);
    fputs("question: ", stdout);
    print_quoted(report->question->name, CHECK_GOT_MAX);
    fputs("\nwanted: ", stdout);
    print_quoted(report->question->answer, CHECK_GOT_MAX);
    putchar('\n');
}

/* The lines that -vv adds: what happened. */
static void print_course(const struct check_report *report)
{
    const struct check_ask *ask = report->ask;

    if (any_failed(report)) {
        fputs("failed: ", stdout);
        print_failures(report);
        putchar('\n');
    }
    if (ask->connect_us > 0) {
        fputs("connected: ", stdout);
        print_address(report);
        printf(" after %.6f s\n", seconds(ask->connect_us));
    }
    printf("questions sent: %u\n", ask->asked);
    printf("received: %zu bytes, judged after %.6f s\n", ask->length, seconds(ask->answer_us));
    if (ask->ended)
        printf("end: %s\n", ask->error == 0 ? "the server closed" : strerror(ask->error));
}

void check_report(const struct check_report *report)
{
    printf("HELLO %s: ", state_names[report->state]);
    print_summary(report);
    if (report->options->verbosity >= 1)
        print_more(report);
    print_performance(report);
    putchar('\n');
    if (report->options->verbosity >= 2) {
        print_configuration(report);
        print_course(report);
    }
    if (report->options->verbosity >= 3) {
        fputs("all that was received: ", stdout);
        print_quoted((struct span){report->ask->got, report->ask->length}, CHECK_GOT_MAX);
        putchar('\n');
    }
}

void check_report_unasked(enum check_state state, const char *why)
{
    printf("HELLO %s: ", state_names[state]);
    check_text(stdout, why, strlen(why));
    putchar('\n');
}
