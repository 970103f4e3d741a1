/* The timetable of a load. */
#include "client/bench_pace.h"

#define SECOND_NS 1e9

struct bench_pace bench_pace(uint64_t start_ns, uint64_t duration_ns, uint64_t limit, double rate,
                             uint64_t patience_ns)
{
    struct bench_pace pace = {
        .start_ns = start_ns, .end_ns = UINT64_MAX, .last_ns = UINT64_MAX, .limit = limit};

    if (rate > 0) {
        /* A timer has whole nanoseconds; requests that are due at other times than it ticks would wait for
         * the next tick. */
        uint64_t interval_ns = (uint64_t) (SECOND_NS / rate + 0.5);
        bool apart = interval_ns >= BENCH_PACE_TICK_NS;
        pace.tick_ns = apart ? interval_ns : BENCH_PACE_TICK_NS;
        pace.per_tick = apart ? 1 : rate * (double) BENCH_PACE_TICK_NS / SECOND_NS;
    }
    if (duration_ns != UINT64_MAX) {
        pace.end_ns = start_ns + duration_ns;
        pace.last_ns = pace.end_ns + (pace.tick_ns > 0 ? patience_ns : 0);
    }
    return pace;
}

uint64_t bench_pace_due(const struct bench_pace *pace)
{
    return pace->start_ns + (uint64_t) ((double) pace->next / pace->per_tick) * pace->tick_ns;
}

bool bench_pace_take(struct bench_pace *pace, uint64_t now_ns, uint64_t *due_ns)
{
    if (bench_pace_over(pace, now_ns))
        return false;
    uint64_t due = pace->tick_ns > 0 ? bench_pace_due(pace) : now_ns;
    if (due > now_ns)
        return false;
    pace->next++;
    *due_ns = due;
    return true;
}

bool bench_pace_over(const struct bench_pace *pace, uint64_t now_ns)
{
    if (pace->next >= pace->limit || now_ns >= pace->last_ns)
        return true;
    return pace->tick_ns > 0 && bench_pace_due(pace) >= pace->end_ns;
}

uint64_t bench_pace_missed(const struct bench_pace *pace, uint64_t now_ns)
{
    struct bench_pace rest = *pace;
    uint64_t due_ns;

    if (pace->tick_ns == 0)
        return 0;
    rest.last_ns = UINT64_MAX;
    while (bench_pace_take(&rest, now_ns, &due_ns))
        ;
    return rest.next - pace->next;
}
