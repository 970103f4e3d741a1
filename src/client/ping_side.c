/* One transport of a ping. Must not know sockets, nor how a line looks. */
#include "client/ping_side.h"

#include "client/ping_line.h"

static void report(struct ping_side *side, struct ping_event *event)
{
    event->transport = side->transport;
    event->is_stream = side->is_stream;
    if (!side->style->quiet)
        ping_line_print(side->style, event);
}

/* For what nobody asked for: a server that sends without end must not fill the screen. */
static void report_odd(struct ping_side *side, struct ping_event *event)
{
    if (side->odd_lines++ < PING_ODD_LINES_MAX)
        report(side, event);
}

uint32_t ping_side_send(struct ping_side *side, uint64_t now_ns)
{
    side->odd_lines = 0;
    return probes_send(&side->probes, now_ns);
}

static void measure(struct ping_side *side, const struct ping_times *times)
{
    histogram_add(&side->total, times->total_ns);
    if (!side->is_stream)
        return;
    histogram_add(&side->connect, times->connect_ns);
    if (times->greeted)
        histogram_add(&side->greeting, times->greeting_ns);
    histogram_add(&side->answer, times->answer_ns);
}

void ping_side_answer(struct ping_side *side, uint32_t seq, uint64_t now_ns, struct ping_times times)
{
    enum probe_verdict verdict = probes_answer(&side->probes, seq, now_ns, &times.total_ns);
    struct ping_event event = {.seq = seq, .times = times};

    switch (verdict) {
    case PROBE_FIRST:
    case PROBE_REORDERED:
        event.what = PING_ANSWERED;
        event.reordered = verdict == PROBE_REORDERED;
        measure(side, &times);
        report(side, &event);
        return;
    case PROBE_TOO_LATE:
        event.what = PING_LATE;
        report(side, &event);
        return;
    case PROBE_DOUBLED:
        event.what = PING_DOUBLED;
        report_odd(side, &event);
        return;
    case PROBE_UNKNOWN:
        side->foreign++; /* so old that it is as good as a stranger's */
    }
}

void ping_side_lose(struct ping_side *side, uint32_t seq, const char *why, struct ping_said said)
{
    struct ping_event event = {.what = PING_LOST, .seq = seq, .why = why, .said = said};

    report(side, &event);
}

void ping_side_odd(struct ping_side *side, enum answer_kind kind, uint32_t seq, struct ping_said said)
{
    bool altered = kind == ANSWER_ALTERED;
    struct ping_event event = {.what = altered ? PING_ALTERED : PING_FOREIGN, .seq = seq, .said = said};

    side->altered += altered;
    side->foreign += !altered;
    report_odd(side, &event);
}
