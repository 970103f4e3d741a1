/* Counting, merging and naming of what became of a load. Must not know sockets. */
#include "client/bench_tally.h"

#include <stddef.h>

#define BIN_NS (UINT64_C(20) * 1000 * 1000) /* 400 of them: the first 8 seconds */

static const struct {
    const char *name, *words;
} errors[BENCH_ERRORS] = {
    [BENCH_TIMEOUT] = {"timeout", "no answer in time"},
    [BENCH_REFUSED] = {"refused", "nobody listens there"},
    [BENCH_TURNED_AWAY] = {"turned_away", "turned away by the server (\"Sorry, ...\")"},
    [BENCH_CLOSED] = {"closed", "closed by the server"},
    [BENCH_RESET] = {"reset", "connection reset"},
    [BENCH_WRONG] = {"wrong", "not what the server should say"},
    [BENCH_OTHER] = {"other", "system errors: no ports, no descriptors, no route"},
    [BENCH_CUT_OFF] = {"cut_off", "still on their way at the interruption"},
};

void bench_tally_init(struct bench_tally *tally)
{
    tally->bins.width_ns = BIN_NS;
}

/* Makes the bins twice as wide. */
static void widen(struct bench_bins *bins)
{
    for (size_t i = 0; i < BENCH_BINS; i++) {
        bins->answers[i] = i < BENCH_BINS / 2 ? bins->answers[2 * i] + bins->answers[2 * i + 1] : 0;
        bins->errors[i] = i < BENCH_BINS / 2 ? bins->errors[2 * i] + bins->errors[2 * i + 1] : 0;
    }
    bins->width_ns *= 2;
}

/* The bin of a time; nearly always that of the time before, and a division is the dearest thing here. */
static unsigned bin_at(struct bench_bins *bins, uint64_t at_ns)
{
    if (at_ns - bins->now_ns < bins->width_ns)
        return bins->now;
    while (at_ns / bins->width_ns >= BENCH_BINS)
        widen(bins);
    bins->now = (unsigned) (at_ns / bins->width_ns);
    bins->now_ns = bins->now * bins->width_ns;
    return bins->now;
}

void bench_tally_answers(struct bench_tally *tally, uint64_t at_ns, unsigned count)
{
    bench_tally_count(&tally->answers, count);
    tally->bins.answers[bin_at(&tally->bins, at_ns)] += count;
}

void bench_tally_error(struct bench_tally *tally, uint64_t at_ns, enum bench_error error, uint64_t count)
{
    bench_tally_count(&tally->errors[error], count);
    tally->bins.errors[bin_at(&tally->bins, at_ns)] += count;
}

static void merge_bins(struct bench_bins *into, const struct bench_bins *from)
{
    struct bench_bins other = *from;

    while (into->width_ns < other.width_ns)
        widen(into);
    while (other.width_ns < into->width_ns)
        widen(&other);
    for (unsigned i = 0; i < BENCH_BINS; i++) {
        into->answers[i] += other.answers[i];
        into->errors[i] += other.errors[i];
    }
}

void bench_tally_merge(struct bench_tally *into, const struct bench_tally *from)
{
    into->sent += from->sent;
    into->answers += from->answers;
    into->unsent += from->unsent;
    into->connected += from->connected;
    into->conversations += from->conversations;
    into->late += from->late;
    into->doubled += from->doubled;
    into->strange += from->strange;
    into->bytes_out += from->bytes_out;
    into->bytes_in += from->bytes_in;
    into->cpu_ns += from->cpu_ns;
    if (from->elapsed_ns > into->elapsed_ns)
        into->elapsed_ns = from->elapsed_ns;
    for (unsigned i = 0; i < BENCH_ERRORS; i++) {
        into->errors[i] += from->errors[i];
        into->connection_errors[i] += from->connection_errors[i];
    }
    histogram_merge(&into->latency, &from->latency);
    histogram_merge(&into->connecting, &from->connecting);
    merge_bins(&into->bins, &from->bins);
}

uint64_t bench_tally_errors(const uint64_t counts[BENCH_ERRORS])
{
    uint64_t all = 0;

    for (unsigned i = 0; i < BENCH_ERRORS; i++)
        all += bench_tally_read(&counts[i]);
    return all;
}

const char *bench_tally_name(enum bench_error error)
{
    return errors[error].name;
}

const char *bench_tally_words(enum bench_error error)
{
    return errors[error].words;
}
