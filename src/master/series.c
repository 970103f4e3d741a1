/* What the scoreboard has, as lines. Must not know what any counter is counted for. */
#include "master/series.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/quote.h"

/* One look at the scoreboard. */
struct series {
    FILE *out;
    unsigned tallies;
    struct scoreboard_listener listeners[TALLY_COUNT]; /* without a name: not shown */
    struct tally sums[TALLY_COUNT];
};

void series_family(const char *name, const char *kind, const char *unit, const char *help, FILE *out)
{
    fputs("metric", out);
    quote_put_text(out, "name", name);
    quote_put_text(out, "kind", kind);
    quote_put_text(out, "unit", unit);
    quote_put_text(out, "help", help);
    fputc('\n', out);
}

void series_value(const char *name, uint64_t value, FILE *out)
{
    fputs("value", out);
    quote_put_text(out, "name", name);
    quote_put_number(out, "value", value);
    fputc('\n', out);
}

void series_listener(const char *name, const char *protocol, const char *type, FILE *out)
{
    quote_put_text(out, "listener", name);
    quote_put_text(out, "protocol", protocol);
    quote_put_text(out, "type", type);
}

const char *series_type(int type)
{
    return type == SOCK_DGRAM ? "datagram" : type == SOCK_STREAM ? "stream" : "seqpacket";
}

/* Whether a family of SCOPE has a series for tally number TALLY. */
static bool has_series(const struct series *series, unsigned tally, enum counter_scope scope)
{
    if (scope == SCOPE_SERVICE)
        return tally == TALLY_OWN;
    return series->listeners[tally].name[0] != '\0' && (series->listeners[tally].scope & scope) != 0;
}

/* Begins a line: WORD, the name of the family, whose it is. */
static void begin(const struct series *series, const char *word, const char *name, unsigned tally)
{
    const struct scoreboard_listener *listener = &series->listeners[tally];

    fputs(word, series->out);
    quote_put_text(series->out, "name", name);
    if (tally != TALLY_OWN)
        series_listener(listener->name, listener->protocol, listener->type, series->out);
}

static void end(const struct series *series, uint64_t value)
{
    quote_put_number(series->out, "value", value);
    fputc('\n', series->out);
}

static void write_counters(const struct series *series, enum family family)
{
    const struct family_row *row = &family_rows[family];

    series_family(row->name, "counter", row->unit, row->help, series->out);
    for (unsigned tally = 0; tally < series->tallies; tally++)
        for (int i = 0; i < COUNTER_COUNT; i++) {
            if (counter_rows[i].family != family || !has_series(series, tally, row->scope))
                continue;
            begin(series, "value", row->name, tally);
            if (row->label[0] != '\0')
                quote_put_text(series->out, row->label, counter_rows[i].value);
            end(series, series->sums[tally].counter[i]);
        }
}

static void write_live(const struct series *series)
{
    series_family("connections", "gauge", "", "connections that are open", series->out);
    for (unsigned tally = 0; tally < series->tallies; tally++)
        if (has_series(series, tally, SCOPE_STREAM)) {
            begin(series, "value", "connections", tally);
            end(series, tally_live(&series->sums[tally]));
        }
}

/* The buckets of one series: how many were not above each bound, and how many there were in all. */
static void write_buckets(const struct series *series, enum histogram histogram, unsigned tally)
{
    const char *name = histogram_rows[histogram].name;
    uint64_t count = 0;

    for (unsigned i = 0; i < BUCKET_COUNT; i++) {
        count += series->sums[tally].histogram[histogram].bucket[i];
        begin(series, "bucket", name, tally);
        if (i < BUCKET_BOUNDS)
            quote_put_number(series->out, "le", bucket_bound(i));
        end(series, count);
    }
    begin(series, "sum", name, tally);
    end(series, series->sums[tally].histogram[histogram].sum);
}

static void write_histogram(const struct series *series, enum histogram histogram)
{
    const struct family_row *row = &histogram_rows[histogram];

    series_family(row->name, "histogram", row->unit, row->help, series->out);
    for (unsigned tally = 0; tally < series->tallies; tally++)
        if (has_series(series, tally, row->scope))
            write_buckets(series, histogram, tally);
}

/* Workers can write where names are: whatever is there, it ends. */
static void take_listener(struct scoreboard_listener *listener, const struct scoreboard_listener *shared)
{
    *listener = *shared;
    listener->name[sizeof(listener->name) - 1] = '\0';
    listener->protocol[sizeof(listener->protocol) - 1] = '\0';
    listener->type[sizeof(listener->type) - 1] = '\0';
}

static bool is_empty(const struct tally *tally)
{
    for (int i = 0; i < COUNTER_COUNT; i++)
        if (tally->counter[i] != 0)
            return false;
    return true;
}

static void look(struct series *series, const struct scoreboard *scoreboard)
{
    series->tallies = scoreboard_tallies(scoreboard);
    for (unsigned i = 0; i < series->tallies; i++) {
        take_listener(&series->listeners[i], &scoreboard->header->listeners[i]);
        scoreboard_sum(scoreboard, i, &series->sums[i]);
    }
    series->sums[TALLY_OWN].counter[COUNTER_log_lost] += log_losses(); /* the master's */
    /* Hardly anybody has so many listeners that it has anything. */
    if (scoreboard->users[TALLY_OTHER] == 0 && is_empty(&series->sums[TALLY_OTHER]))
        series->listeners[TALLY_OTHER].name[0] = '\0';
}

void series_write(const struct scoreboard *scoreboard, FILE *out)
{
    struct series *series = calloc(1, sizeof(*series));

    if (series == NULL) {
        log_event(LOG_LEVEL_WARNING, EVENT_MASTER_SHORT, NULL, "metrics: out of memory");
        return;
    }
    series->out = out;
    look(series, scoreboard);
    write_live(series);
    for (enum family i = 0; i < FAMILY_COUNT; i++)
        write_counters(series, i);
    for (enum histogram i = 0; i < HISTOGRAM_COUNT; i++)
        write_histogram(series, i);
    free(series);
}
