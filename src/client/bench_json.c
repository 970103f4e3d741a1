/* The report for programs. Must not know where the numbers come from. */
#include <inttypes.h>

#include "base/quote.h"
#include "client/bench_report.h"

static const struct {
    const char *name;
    uint32_t per_million;
} percentiles[] = {{"p50", 500000}, {"p75", 750000},   {"p90", 900000},
                   {"p99", 990000}, {"p99_9", 999000}, {"p99_99", 999900}};

static const char *type_name(int type)
{
    return type == SOCK_STREAM ? "stream" : type == SOCK_SEQPACKET ? "seqpacket" : "datagram";
}

static void print_load(FILE *out, const struct bench_report *report)
{
    const struct bench_plan *plan = report->plan;
    char address[ADDR_TEXT_MAX];

    /* What is fit for a terminal has nothing in it that JSON would write otherwise. */
    fputs("{\"target\":{\"name\":", out);
    quote_print(out, plan->target->name);
    fputs(",\"address\":", out);
    quote_print(out, target_text(plan->target, plan->address, address));
    fprintf(out, ",\"type\":\"%s\",\"own_words\":%s}", type_name(plan->type),
            plan->words.learnt ? "true" : "false");
    fprintf(out, ",\"load\":{\"loop\":\"%s\",\"rate\":", plan->rate > 0 ? "open" : "closed");
    if (plan->rate > 0)
        fprintf(out, "%.15g", plan->rate);
    else
        fputs("null", out);
    fprintf(out,
            ",\"connections\":%u,\"processes\":%u,\"pipeline\":%u,\"messages\":%u,\"size\":{\"least\":%u,"
            "\"most\":%u},\"timeout_s\":%.9g}",
            plan->connections, plan->processes, plan->depth, plan->messages, plan->smallest, plan->largest,
            (double) plan->timeout_ns / 1e9);
}

static void print_errors(FILE *out, const uint64_t counts[BENCH_ERRORS])
{
    fputs(",\"errors\":{", out);
    for (unsigned i = 0; i < BENCH_ERRORS; i++)
        fprintf(out, "%s\"%s\":%" PRIu64, i > 0 ? "," : "", bench_tally_name((enum bench_error) i),
                counts[i]);
    fputs("}}", out);
}

static void print_counts(FILE *out, const struct bench_tally *tally)
{
    fprintf(out,
            ",\"requests\":{\"sent\":%" PRIu64 ",\"answered\":%" PRIu64 ",\"failed\":%" PRIu64
            ",\"unsent\":%" PRIu64,
            tally->sent, tally->answers, bench_tally_errors(tally->errors), tally->unsent);
    print_errors(out, tally->errors);
    fprintf(out, ",\"connections\":{\"made\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"conversations\":%" PRIu64,
            tally->connected, bench_tally_errors(tally->connection_errors), tally->conversations);
    print_errors(out, tally->connection_errors);
    fprintf(out, ",\"besides\":{\"late\":%" PRIu64 ",\"doubled\":%" PRIu64 ",\"strange\":%" PRIu64 "}",
            tally->late, tally->doubled, tally->strange);
    fprintf(out, ",\"bytes\":{\"out\":%" PRIu64 ",\"in\":%" PRIu64 "}", tally->bytes_out, tally->bytes_in);
}

static void print_latency(FILE *out, const char *name, const struct histogram *histogram)
{
    fprintf(out, ",\"%s\":", name);
    if (histogram->count == 0) {
        fputs("null", out);
        return;
    }
    fprintf(out, "{\"count\":%" PRIu64 ",\"least\":%.6f", histogram->count,
            (double) histogram->least_ns / 1e6);
    for (unsigned i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++)
        fprintf(out, ",\"%s\":%.6f", percentiles[i].name,
                (double) histogram_percentile(histogram, percentiles[i].per_million) / 1e6);
    fprintf(out, ",\"most\":%.6f,\"mean\":%.6f}", (double) histogram->most_ns / 1e6,
            (double) histogram_mean(histogram) / 1e6);
}

static void print_bins(FILE *out, const char *name, const uint64_t *counts, unsigned used)
{
    fprintf(out, ",\"%s\":[", name);
    for (unsigned i = 0; i < used; i++)
        fprintf(out, "%s%" PRIu64, i > 0 ? "," : "", counts[i]);
    fputc(']', out);
}

static void print_over_time(FILE *out, const struct bench_tally *tally)
{
    const struct bench_bins *bins = &tally->bins;
    unsigned used = BENCH_BINS;

    while (used > 0 && bins->answers[used - 1] == 0 && bins->errors[used - 1] == 0)
        used--;
    fprintf(out, ",\"over_time\":{\"width_s\":%.9g", (double) bins->width_ns / 1e9);
    print_bins(out, "answered", bins->answers, used);
    print_bins(out, "failed", bins->errors, used);
    fputc('}', out);
}

void bench_report_json(FILE *out, const struct bench_report *report)
{
    const struct bench_tally *tally = report->tally;

    print_load(out, report);
    fprintf(out, ",\"interrupted\":%s,\"seconds\":%.6f", report->interrupted ? "true" : "false",
            (double) tally->elapsed_ns / 1e9);
    print_counts(out, tally);
    fprintf(out, ",\"throughput\":%.3f", bench_report_throughput(report));
    print_latency(out, "latency_ms", &tally->latency);
    print_latency(out, "greeting_ms", &tally->connecting);
    print_over_time(out, tally);
    fprintf(out, ",\"own_cpu_s\":%.6f}\n", (double) tally->cpu_ns / 1e9);
}
