/* The report for a person. Must not know where the numbers come from. */
#include "client/bench_report.h"

#include <inttypes.h>
#include <string.h>

#include "base/quote.h"
#include "client/bench_series.h"

enum {
    ROWS_MAX = 10,
    BAR_COLUMNS = 40
};

static const uint32_t percentiles[] = {500000, 900000, 990000, 999000, 999900};

static double ms(uint64_t ns)
{
    return (double) ns / 1e6;
}

double bench_report_throughput(const struct bench_report *report)
{
    uint64_t ns = report->tally->elapsed_ns;

    return ns == 0 ? 0 : (double) report->tally->answers * 1e9 / (double) ns;
}

void bench_report_target(FILE *out, const struct bench_plan *plan)
{
    char address[ADDR_TEXT_MAX];
    bool stream = plan->type != SOCK_DGRAM;
    const char *what = plan->target->port == 0 ? (stream ? "Stream" : "Datagrams") : stream ? "TCP" : "UDP";

    fprintf(out, "%s to %s", what, target_text(plan->target, plan->address, address));
}

void bench_report_load(FILE *out, const struct bench_plan *plan)
{
    fprintf(out, "%u %s%s, %u on the way on each, ", plan->connections,
            plan->type == SOCK_DGRAM ? "socket" : "connection", plan->connections > 1 ? "s" : "",
            plan->depth);
    if (plan->rate > 0)
        fprintf(out, "%g requests/s", plan->rate);
    else
        fputs("as fast as it goes", out);
    fprintf(out, ", names of %u", plan->smallest);
    if (plan->largest > plan->smallest)
        fprintf(out, " to %u", plan->largest);
    fputs(" bytes", out);
}

static void print_span(FILE *out, const char *before, struct span span)
{
    char text[BENCH_WORDS_MAX + 1];

    /* The line ending says nothing to a reader. */
    if (span.length > 0 && span.data[span.length - 1] == '\n')
        span.length--;
    memcpy(text, span.data, span.length);
    text[span.length] = '\0';
    fputs(before, out);
    quote_print(out, text);
}

static void print_words(FILE *out, const struct bench_words *words)
{
    if (!words->learnt)
        return;
    print_span(out, "words         the service's own: first ", words->texts.prompt);
    print_span(out, ", before a name ", words->texts.prefix);
    print_span(out, ", after it ", words->texts.suffix);
    fputc('\n', out);
}

static void print_errors(FILE *out, const char *head, const uint64_t counts[BENCH_ERRORS])
{
    for (unsigned i = 0; i < BENCH_ERRORS; i++) {
        if (counts[i] > 0) {
            fprintf(out, "%-13s %" PRIu64 " %s\n", head, counts[i], bench_tally_words((enum bench_error) i));
            head = "";
        }
    }
}

static void print_requests(FILE *out, const struct bench_report *report)
{
    const struct bench_tally *tally = report->tally;
    double mega = tally->elapsed_ns == 0 ? 0 : 1e3 / (double) tally->elapsed_ns;

    fprintf(out, "requests      %" PRIu64 " sent, %" PRIu64 " answered, %" PRIu64 " failed, in %.2f s\n",
            tally->sent, tally->answers, bench_tally_errors(tally->errors), (double) tally->elapsed_ns / 1e9);
    print_errors(out, "failed", tally->errors);
    if (tally->unsent > 0)
        fprintf(out, "never sent    %" PRIu64 " were due while every connection was waiting for answers\n",
                tally->unsent);
    if (tally->late + tally->doubled + tally->strange > 0)
        fprintf(out, "besides       %" PRIu64 " late, %" PRIu64 " doubled, %" PRIu64 " that answer nothing\n",
                tally->late, tally->doubled, tally->strange);
    fprintf(out, "throughput    %.0f answers/s; %.2f MB/s out, %.2f MB/s in\n",
            bench_report_throughput(report), (double) tally->bytes_out * mega,
            (double) tally->bytes_in * mega);
}

static void print_connections(FILE *out, const struct bench_report *report)
{
    const struct bench_tally *tally = report->tally;
    uint64_t failed = bench_tally_errors(tally->connection_errors);

    if (report->plan->type != SOCK_DGRAM || failed > 0) {
        fprintf(out, "connections   %" PRIu64 " made, %" PRIu64 " failed", tally->connected, failed);
        if (report->plan->messages > 0)
            fprintf(out, ", %" PRIu64 " conversations of %u", tally->conversations, report->plan->messages);
        fputc('\n', out);
    }
    print_errors(out, "failed", tally->connection_errors);
}

static void print_latency(FILE *out, const char *head, const struct histogram *histogram)
{
    if (histogram->count == 0)
        return;
    fprintf(out, "%-10s %8.3f", head, ms(histogram->least_ns));
    for (unsigned i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++)
        fprintf(out, " %8.3f", ms(histogram_percentile(histogram, percentiles[i])));
    fprintf(out, " %8.3f %8.3f\n", ms(histogram->most_ns), ms(histogram_mean(histogram)));
}

static void print_over_time(FILE *out, const struct bench_tally *tally)
{
    struct bench_point points[ROWS_MAX];
    unsigned count = bench_series(tally, points, ROWS_MAX);
    double most = 0;

    for (unsigned i = 0; i < count; i++)
        most = points[i].answers > most ? points[i].answers : most;
    if (most > 0)
        fputs("\nfrom s   answers/s  failed/s\n", out);
    for (unsigned i = 0; i < count && most > 0; i++) {
        int columns = (int) (points[i].answers / most * BAR_COLUMNS + 0.5);
        fprintf(out, "%6.2f  %10.0f  %8.0f%s%.*s\n", points[i].begin_s, points[i].answers, points[i].errors,
                columns > 0 ? "  " : "", columns, "########################################");
    }
}

void bench_report_text(FILE *out, const struct bench_report *report)
{
    const struct bench_tally *tally = report->tally;

    bench_report_target(out, report->plan);
    fprintf(out, "%s\n", report->interrupted ? "; interrupted" : "");
    bench_report_load(out, report->plan);
    fputs("\n\n", out);
    print_words(out, &report->plan->words);
    print_requests(out, report);
    print_connections(out, report);
    if (tally->sent > 0)
        fprintf(out, "own cost      %.2f us of CPU time a request, in %u process%s\n",
                (double) tally->cpu_ns / 1e3 / (double) tally->sent, report->plan->processes,
                report->plan->processes > 1 ? "es" : "");
    if (tally->latency.count + tally->connecting.count > 0)
        fputs("\nms            least     50 %     90 %     99 %   99.9 %  99.99 %     most     mean\n", out);
    print_latency(out, "answers", &tally->latency);
    print_latency(out, "greetings", &tally->connecting);
    print_over_time(out, tally);
}
