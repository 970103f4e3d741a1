/* The picture: two panels, one under the other, each with its axes. Must not know how a load is made.
 *
 * Its style has the colours for light surroundings, and in a media query those for dark ones; shapes and
 * texts have classes alone. Positions are in pixels of the picture, which scales. */
#include "client/bench_plot.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "client/bench_axis.h"
#include "client/bench_series.h"

enum {
    WIDTH = 880,
    HEIGHT = 716,
    LEFT = 84,
    RIGHT = 848,
    LATENCY_TOP = 128,
    LATENCY_BOTTOM = 376,
    RATE_TOP = 460,
    RATE_BOTTOM = 656,
    TARGET_CHARACTERS = 80, /* fit on a line, even if they are wide ones */
    POINTS_MAX = 100,
    STEPS = 400 /* of the percentile curve */
};

static const char style[] =
    "<style>\n"
    "text{font:13px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#1f2328}\n"
    ".paper{fill:#ffffff}.title{font-size:17px;font-weight:600}.head{font-size:14px;font-weight:600}\n"
    ".quiet{fill:#59636e}.grid{stroke:#d8dee4;stroke-width:1}.axis{stroke:#818b98;stroke-width:1}\n"
    ".line{fill:none;stroke:#0860ca;stroke-width:2;stroke-linejoin:round}.area{fill:#0860ca;fill-opacity:.12}"
    "\n"
    ".dot{fill:#0860ca;stroke:#ffffff;stroke-width:2}.bad{fill:#c21c2c;fill-opacity:.75}.alarm{fill:#c21c2c}"
    "\n"
    "@media (prefers-color-scheme:dark){\n"
    "text{fill:#e6edf3}.paper{fill:#0d1117}.quiet{fill:#9aa4af}.grid{stroke:#2a313a}.axis{stroke:#6e7681}\n"
    ".line{stroke:#6cb0ff}.area{fill:#6cb0ff;fill-opacity:.16}.dot{fill:#6cb0ff;stroke:#0d1117}\n"
    ".bad{fill:#ff8078;fill-opacity:.75}.alarm{fill:#ff8078}}\n"
    "</style>\n";

static const struct {
    const char *label;
    uint32_t per_million;
} marks[] = {{"0 %", 0},         {"50 %", 500000},    {"90 %", 900000},     {"99 %", 990000},
             {"99.9 %", 999000}, {"99.99 %", 999900}, {"99.999 %", 999990}, {"99.9999 %", 999999}};

/* The characters of UTF-8 TEXT, and where number INDEX of them begins. */
static size_t characters(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++)
        count += (*text & 0xC0) != 0x80;
    return count;
}

static size_t character_at(const char *text, size_t index)
{
    size_t at = 0;

    for (size_t seen = 0; text[at] != '\0'; at++)
        if ((text[at] & 0xC0) != 0x80 && seen++ == index)
            break;
    return at;
}

/* The first LENGTH bytes of text from outside, as XML wants it. */
static void print_escaped(FILE *out, const char *text, size_t length)
{
    for (const char *c = text; c < text + length; c++) {
        const char *entity = *c == '&' ? "&amp;" : *c == '<' ? "&lt;" : *c == '>' ? "&gt;" : NULL;
        if (entity != NULL)
            fputs(entity, out);
        else
            fputc(*c, out);
    }
}

/* Where the load goes; what is too long for the picture has its middle left out. */
static void print_target(FILE *out, const struct bench_plan *plan)
{
    char text[ADDR_TEXT_MAX + 32];
    FILE *memory = fmemopen(text, sizeof(text), "w");

    if (memory == NULL)
        return;
    bench_report_target(memory, plan);
    fclose(memory);
    size_t count = characters(text), cut = character_at(text, TARGET_CHARACTERS / 2);
    if (count <= TARGET_CHARACTERS) {
        print_escaped(out, text, strlen(text));
        return;
    }
    print_escaped(out, text, cut);
    fputs("\xE2\x80\xA6", out);
    cut = character_at(text, count - TARGET_CHARACTERS / 2);
    print_escaped(out, text + cut, strlen(text + cut));
}

static void print_title(FILE *out, const struct bench_report *report)
{
    const struct histogram *latency = &report->tally->latency;
    char label[BENCH_AXIS_LABEL_MAX];

    if (latency->count == 0) {
        fputs("No answers", out);
        return;
    }
    fprintf(out, "%s answers/s, half of them within ",
            bench_axis_number(bench_report_throughput(report), label));
    fputs(bench_axis_time((double) histogram_percentile(latency, 500000), label), out);
}

static void print_head(FILE *out, const struct bench_report *report)
{
    const struct bench_tally *tally = report->tally;
    uint64_t failed = bench_tally_errors(tally->errors) + tally->unsent;

    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
            "role=\"img\">\n"
            "<title>Latency by percentile, and throughput over time</title>\n%s"
            "<rect class=\"paper\" width=\"%d\" height=\"%d\"/>\n<text class=\"title\" x=\"24\" y=\"34\">",
            WIDTH, HEIGHT, WIDTH, HEIGHT, style, WIDTH, HEIGHT);
    print_title(out, report);
    fputs("</text>\n<text class=\"quiet\" x=\"24\" y=\"56\">", out);
    print_target(out, report->plan);
    fputs("</text>\n<text class=\"quiet\" x=\"24\" y=\"74\">", out);
    bench_report_load(out, report->plan);
    fprintf(out, "</text>\n<text class=\"%s\" x=\"%d\" y=\"34\" text-anchor=\"end\">",
            failed > 0 ? "alarm" : "quiet", RIGHT);
    fprintf(out, "%" PRIu64 " of %" PRIu64 " failed</text>\n", failed, tally->sent + tally->unsent);
}

static void print_frame(FILE *out, const char *head, int top, int bottom)
{
    fprintf(out, "<text class=\"head\" x=\"24\" y=\"%d\">%s</text>\n", top - 16, head);
    fprintf(out, "<line class=\"axis\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>\n", LEFT, bottom, RIGHT,
            bottom);
}

static void print_row(FILE *out, double y, const char *label)
{
    fprintf(out, "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>", LEFT, y, RIGHT, y);
    fprintf(out, "<text class=\"quiet\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", LEFT - 10,
            y + 4.5, label);
}

static void print_column(FILE *out, double x, int top, int bottom, const char *label)
{
    if (top < bottom)
        fprintf(out, "<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>", x, top, x, bottom);
    /* A label in the middle of the last column could go over the edge. */
    bool last = x > RIGHT - 24;
    fprintf(out, "<text class=\"quiet\" x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s</text>\n", last ? RIGHT : x,
            bottom + 20, last ? "end" : "middle", label);
}

/* Where percentile PER_MILLION is on a scale of 1 / (1 - p) that ends at WIDEST, both as powers of ten. */
static double percentile_x(uint32_t per_million, double widest)
{
    double power = per_million >= 1000000 ? widest : -log10(1 - per_million / 1e6);

    return LEFT + (RIGHT - LEFT) * (power < widest ? power : widest) / widest;
}

/* The curve, and the label of each mark that the number of answers has a meaning for. */
static void print_curve(FILE *out, const struct histogram *latency, double widest,
                        const struct bench_axis *axis)
{
    fprintf(out, "<path class=\"line\" d=\"");
    for (int i = 0; i <= STEPS; i++) {
        double power = widest * i / STEPS;
        uint32_t per_million = (uint32_t) lround((1 - pow(10, -power)) * 1e6);
        double y = bench_axis_at(axis, (double) histogram_percentile(latency, per_million));
        fprintf(out, "%s%.1f %.1f", i == 0 ? "M" : "L", LEFT + (RIGHT - LEFT) * power / widest, y);
    }
    fputs("\"/>\n", out);
}

static void print_marks(FILE *out, const struct histogram *latency, double widest,
                        const struct bench_axis *axis)
{
    for (size_t i = 1; i < sizeof(marks) / sizeof(marks[0]); i++) {
        double x = percentile_x(marks[i].per_million, widest), ns;
        if (-log10(1 - marks[i].per_million / 1e6) > widest)
            break;
        ns = (double) histogram_percentile(latency, marks[i].per_million);
        char label[BENCH_AXIS_LABEL_MAX];
        double y = bench_axis_at(axis, ns);
        fprintf(out, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>", x, y);
        /* The curve never falls: above to the left and below to the right of a point nothing is in the way.
         */
        bool edge = x < LEFT + 80;
        fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", edge ? x + 4 : x - 6,
                edge ? y + 20 : y - 11, edge ? "start" : "end", bench_axis_time(ns, label));
    }
}

static void print_latency(FILE *out, const struct histogram *latency)
{
    double widest = latency->count > 10 ? log10((double) latency->count) : 1;
    struct bench_axis axis =
        bench_axis_log((double) latency->least_ns, (double) latency->most_ns, LATENCY_BOTTOM, LATENCY_TOP);
    char label[BENCH_AXIS_LABEL_MAX];

    if (widest > 6)
        widest = 6;
    print_frame(out, "Latency that so many answers did not exceed", LATENCY_TOP, LATENCY_BOTTOM);
    for (unsigned i = 0; i < axis.count; i++)
        print_row(out, bench_axis_at(&axis, axis.ticks[i]), bench_axis_time(axis.ticks[i], label));
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        if (-log10(1 - marks[i].per_million / 1e6) <= widest)
            print_column(out, percentile_x(marks[i].per_million, widest), LATENCY_TOP, LATENCY_BOTTOM,
                         marks[i].label);
    print_curve(out, latency, widest, &axis);
    print_marks(out, latency, widest, &axis);
}

/* Steps, because a point is the mean of its span. BOTTOM closes the area. */
static void print_steps(FILE *out, const char *class, const struct bench_point *points, unsigned count,
                        const struct bench_axis *x, const struct bench_axis *y, bool errors, bool closed)
{
    fprintf(out, "<path class=\"%s\" d=\"", class);
    if (closed)
        fprintf(out, "M%.1f %d", bench_axis_at(x, 0), RATE_BOTTOM);
    for (unsigned i = 0; i < count; i++) {
        double level = bench_axis_at(y, errors ? points[i].errors : points[i].answers);
        fprintf(out, "%s%.1f %.1fH%.1f", i == 0 && !closed ? "M" : "L", bench_axis_at(x, points[i].begin_s),
                level, bench_axis_at(x, points[i].end_s));
    }
    if (closed)
        fprintf(out, "V%dZ", RATE_BOTTOM);
    fputs("\"/>\n", out);
}

/* Few answers make wide points: what is left of one answer more or less should not look like a change. */
static unsigned points_for(const struct bench_tally *tally)
{
    uint64_t wanted = tally->answers / 20;

    return wanted < 10 ? 10 : wanted > POINTS_MAX ? POINTS_MAX : (unsigned) wanted;
}

static void print_throughput(FILE *out, const struct bench_tally *tally)
{
    struct bench_point points[POINTS_MAX];
    unsigned count = bench_series(tally, points, points_for(tally));
    double most = 1, end = count > 0 ? points[count - 1].end_s : 1;
    uint64_t errors = bench_tally_errors(tally->errors);
    char label[BENCH_AXIS_LABEL_MAX];

    for (unsigned i = 0; i < count; i++)
        most = fmax(most, fmax(points[i].answers, points[i].errors));
    double unit = end < 1 ? 1000 : 1;
    struct bench_axis x = bench_axis_linear(end * unit, LEFT, RIGHT),
                      y = bench_axis_linear(most, RATE_BOTTOM, RATE_TOP);
    x.high = end * unit;
    print_frame(out, "Answers a second over time", RATE_TOP, RATE_BOTTOM);
    if (errors > 0)
        fprintf(out, "<text class=\"alarm\" x=\"%d\" y=\"%d\" text-anchor=\"end\">red: failed</text>\n",
                RIGHT, RATE_TOP - 16);
    for (unsigned i = 0; i < y.count; i++)
        print_row(out, bench_axis_at(&y, y.ticks[i]), bench_axis_number(y.ticks[i], label));
    for (unsigned i = 0; i < x.count && x.ticks[i] <= x.high * 1.001; i++)
        print_column(out, bench_axis_at(&x, x.ticks[i]), RATE_BOTTOM, RATE_BOTTOM,
                     bench_axis_number(x.ticks[i], label));
    fprintf(out, "<text class=\"quiet\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", RIGHT,
            RATE_BOTTOM + 40, unit > 1 ? "milliseconds" : "seconds");
    x.high = end; /* points are in seconds */
    print_steps(out, "area", points, count, &x, &y, false, true);
    print_steps(out, "line", points, count, &x, &y, false, false);
    if (errors > 0)
        print_steps(out, "bad", points, count, &x, &y, true, true);
}

void bench_plot(FILE *out, const struct bench_report *report)
{
    print_head(out, report);
    if (report->tally->latency.count > 0)
        print_latency(out, &report->tally->latency);
    else
        fprintf(out, "<text class=\"alarm\" x=\"%d\" y=\"%d\">No answers, no latencies.</text>\n", LEFT,
                LATENCY_TOP);
    if (report->tally->elapsed_ns > 0)
        print_throughput(out, report->tally);
    fputs("</svg>\n", out);
}
