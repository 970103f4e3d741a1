/* The end of a ping. Must not know how the numbers came about. */
#include "client/ping_summary.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/ping_line.h"
#include "client/ping_rows.h"

enum {
    MEDIAN = 500000, /* per million */
    P99 = 990000,
    EDGE_WIDTH = 10, /* columns for where a row ends */
    COUNT_WIDTH = 8  /* columns for how many are in it */
};

/* A histogram and its name. */
struct measure {
    const char *name;
    const struct histogram *histogram;
};

/* The rows of the picture. */
struct rows {
    unsigned count;
    uint64_t edges[PING_ROWS_MAX];
    uint64_t most; /* answers in any row, at least 1 */
};

static double ms(uint64_t ns)
{
    return (double) ns / 1e6;
}

/* Sets MEASURES to what SIDE has measured; returns how many there are. */
static unsigned measures_of(const struct ping_side *side, struct measure measures[4])
{
    unsigned count = 0;

    if (side->is_stream) {
        measures[count++] = (struct measure){"connect", &side->connect};
        measures[count++] = (struct measure){"greeting", &side->greeting};
        measures[count++] = (struct measure){"answer", &side->answer};
    }
    measures[count++] = (struct measure){"time", &side->total};
    return count;
}

static double loss_percent(const struct probes *probes)
{
    uint32_t settled = probes->answered + probes->lost;

    return settled > 0 ? 100.0 * probes->lost / settled : 0;
}

/* How many answers of SIDE are in row INDEX. */
static uint64_t row_of(const struct ping_side *side, const struct rows *rows, unsigned index)
{
    const struct histogram *histogram = &side->total;
    uint64_t before = index > 0 ? histogram_below(histogram, rows->edges[index - 1]) : 0;

    /* The last row takes those, too, that the histogram's precision puts at its end. */
    return (index + 1 < rows->count ? histogram_below(histogram, rows->edges[index]) : histogram->count) -
           before;
}

/* The same rows for all sides, so that they can be compared. */
static struct rows make_rows(const struct ping_summary *summary)
{
    uint64_t least_ns = UINT64_MAX, most_ns = 0;
    struct rows rows = {.count = 0, .most = 1};

    for (unsigned i = 0; i < summary->count; i++) {
        const struct histogram *histogram = &summary->sides[i].total;
        if (histogram->count == 0)
            continue;
        least_ns = histogram->least_ns < least_ns ? histogram->least_ns : least_ns;
        most_ns = histogram->most_ns > most_ns ? histogram->most_ns : most_ns;
    }
    if (least_ns > most_ns)
        return rows;
    rows.count = ping_rows(least_ns, most_ns, rows.edges);
    for (unsigned i = 0; i < summary->count * rows.count; i++) {
        uint64_t in_row = row_of(&summary->sides[i / rows.count], &rows, i % rows.count);
        rows.most = in_row > rows.most ? in_row : rows.most;
    }
    return rows;
}

/* ---- text ---- */

static void print_count(uint64_t count, const char *what)
{
    if (count > 0)
        printf(", %" PRIu64 " %s", count, what);
}

static void print_counts(const struct ping_side *side)
{
    const struct probes *probes = &side->probes;

    printf("%s: %" PRIu32 " sent, %" PRIu32 " answered, %" PRIu32 " lost (%.3g %%)", side->transport,
           probes->sent, probes->answered, probes->lost, loss_percent(probes));
    print_count(probes->waiting, "still under way");
    print_count(probes->late, "late");
    print_count(probes->doubled, "doubled");
    print_count(probes->reordered, "out of order");
    print_count(side->altered, "altered");
    print_count(side->foreign, "foreign");
    putchar('\n');
}

static void print_measures(const struct ping_side *side)
{
    struct measure measures[4];
    unsigned count = measures_of(side, measures);

    for (unsigned i = 0; i < count; i++) {
        const struct histogram *histogram = measures[i].histogram;
        if (histogram->count == 0) /* nobody greets, say */
            continue;
        printf("%-8s %-8s %9.3f %9.3f %9.3f %9.3f\n", side->transport, measures[i].name,
               ms(histogram->least_ns), ms(histogram_percentile(histogram, MEDIAN)),
               ms(histogram_percentile(histogram, P99)), ms(histogram->most_ns));
    }
}

/* IN_ROW answers of ROWS->most, as a number and a bar, in WIDTH columns; the last bar needs no padding. */
static void print_bar(uint64_t in_row, const struct rows *rows, unsigned width, bool is_last)
{
    uint64_t room = width - COUNT_WIDTH - 2, length = (in_row * room + rows->most - 1) / rows->most;

    printf("%*" PRIu64 "%s", COUNT_WIDTH, in_row, length > 0 || !is_last ? " " : "");
    for (uint64_t i = 0; i < length; i++)
        putchar('#');
    if (!is_last)
        printf("%*s", (int) (room - length + 1), "");
}

static void print_picture(const struct ping_summary *summary, const struct rows *rows)
{
    unsigned width = (summary->columns - EDGE_WIDTH) / (summary->count > 1 ? PING_SIDES_MAX : 1);

    printf("\n%*s", EDGE_WIDTH, "below ms");
    for (unsigned i = 0; i < summary->count; i++)
        printf("%*s%*s", COUNT_WIDTH, summary->sides[i].transport,
               i + 1 < summary->count ? (int) (width - COUNT_WIDTH) : 0, "");
    putchar('\n');
    for (unsigned row = 0; row < rows->count; row++) {
        printf("%*g", EDGE_WIDTH, ms(rows->edges[row]));
        for (unsigned i = 0; i < summary->count; i++)
            print_bar(row_of(&summary->sides[i], rows, row), rows, width, i + 1 == summary->count);
        putchar('\n');
    }
}

static void print_text(const struct ping_summary *summary)
{
    struct rows rows = make_rows(summary);

    printf("\n--- %s at %s, %.3f s ---\n", summary->name, summary->address, ms(summary->took_ns) / 1000);
    for (unsigned i = 0; i < summary->count; i++)
        print_counts(&summary->sides[i]);
    if (rows.count == 0)
        return;
    printf("\n%-17s %9s %9s %9s %9s\n", "ms", "min", "median", "p99", "max");
    for (unsigned i = 0; i < summary->count; i++)
        print_measures(&summary->sides[i]);
    print_picture(summary, &rows);
}

/* ---- JSON ---- */

static void print_json_measures(const struct ping_side *side)
{
    struct measure measures[4];
    unsigned count = measures_of(side, measures);

    for (unsigned i = 0; i < count; i++) {
        const struct histogram *histogram = measures[i].histogram;
        if (histogram->count == 0) /* nobody greets, say */
            continue;
        printf(",\"%s_ms\":{\"min\":%.6f,\"median\":%.6f,\"p99\":%.6f,\"max\":%.6f}", measures[i].name,
               ms(histogram->least_ns), ms(histogram_percentile(histogram, MEDIAN)),
               ms(histogram_percentile(histogram, P99)), ms(histogram->most_ns));
    }
}

static void print_json_side(const struct ping_side *side, const struct rows *rows)
{
    const struct probes *probes = &side->probes;

    printf("{\"transport\":\"%s\",\"sent\":%" PRIu32 ",\"answered\":%" PRIu32 ",\"lost\":%" PRIu32
           ",\"loss_percent\":%.6g,\"under_way\":%" PRIu32,
           side->transport, probes->sent, probes->answered, probes->lost, loss_percent(probes),
           probes->waiting);
    printf(",\"late\":%" PRIu32 ",\"doubled\":%" PRIu32 ",\"reordered\":%" PRIu32 ",\"altered\":%" PRIu64
           ",\"foreign\":%" PRIu64,
           probes->late, probes->doubled, probes->reordered, side->altered, side->foreign);
    print_json_measures(side);
    fputs(",\"histogram\":[", stdout);
    for (unsigned i = 0; i < rows->count; i++)
        printf("%s{\"below_ms\":%g,\"count\":%" PRIu64 "}", i > 0 ? "," : "", ms(rows->edges[i]),
               row_of(side, rows, i));
    fputs("]}", stdout);
}

static void print_json(const struct ping_summary *summary)
{
    struct rows rows = make_rows(summary);

    fputs("\"event\":\"summary\",\"target\":", stdout);
    ping_line_json_string(summary->name, strlen(summary->name));
    fputs(",\"address\":", stdout);
    ping_line_json_string(summary->address, strlen(summary->address));
    printf(",\"seconds\":%.6f,\"transports\":[", ms(summary->took_ns) / 1000);
    for (unsigned i = 0; i < summary->count; i++) {
        if (i > 0)
            putchar(',');
        print_json_side(&summary->sides[i], &rows);
    }
    fputs("]}\n", stdout);
}

void ping_summary_print(const struct ping_style *style, const struct ping_summary *summary)
{
    if (!style->json) {
        print_text(summary);
        return;
    }
    putchar('{');
    ping_line_stamp(style);
    print_json(summary);
}
