/* Who of the siblings lives, sleeps, and has how many connections. Must not know whose turn it is. */
#include "worker/siblings.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

/* The worker in SLOT of this generation, if it takes connections. */
static const struct score *sibling(const struct worker *worker, uint32_t slot)
{
    const struct score *score =
        &worker->plan->scoreboard->blocks[scoreboard_index(worker->place.generation, slot)];

    return atomic_load_explicit(&score->ready, memory_order_relaxed) != 0 ? score : NULL;
}

static uint64_t beat_of(const struct score *score)
{
    return atomic_load_explicit(&score->beat, memory_order_relaxed);
}

/* The sibling in SLOT has not moved since its beat BEAT. */
static void note_silence(struct worker *worker, uint32_t slot, uint64_t beat)
{
    struct silence *silence = &worker->accepting.silences[slot];

    if (silence->beat != beat + 1)
        *silence = (struct silence){.beat = beat + 1, .since_ms = worker->now_ms};
}

void siblings_judge(struct worker *worker)
{
    struct accepting *accepting = &worker->accepting;

    if (accepting->asked < 0)
        return;
    uint32_t slot = (uint32_t) accepting->asked;
    const struct score *score = sibling(worker, slot);
    accepting->asked = -1;
    if (score != NULL && beat_of(score) == accepting->asked_beat)
        note_silence(worker, slot, accepting->asked_beat);
}

void siblings_doubt(struct worker *worker)
{
    for (uint32_t slot = 0; slot < worker->plan->workers; slot++) {
        const struct score *score = slot != worker->place.slot ? sibling(worker, slot) : NULL;
        if (score != NULL && atomic_load_explicit(&score->watch, memory_order_relaxed) == WATCH_ASLEEP)
            note_silence(worker, slot, beat_of(score));
    }
}

/* For how long the sibling in SLOT has not moved although it was asked; -1: it has not been asked in vain. */
static int64_t silent_ms(const struct worker *worker, uint32_t slot, const struct score *score)
{
    const struct silence *silence = &worker->accepting.silences[slot];

    return silence->beat == beat_of(score) + 1 ? (int64_t) (worker->now_ms - silence->since_ms) : -1;
}

struct balance_view siblings_view(const struct worker *worker, int64_t lost_ms)
{
    struct balance_view view = {.workers = 1, .live = worker->live, .emptiest_live = UINT32_MAX};

    for (uint32_t slot = 0; slot < worker->plan->workers; slot++) {
        const struct score *score = slot != worker->place.slot ? sibling(worker, slot) : NULL;
        if (score == NULL || silent_ms(worker, slot, score) >= lost_ms)
            continue;
        uint32_t live = atomic_load_explicit(&score->live, memory_order_relaxed);
        view.workers++;
        view.live += live;
        uint32_t watch = atomic_load_explicit(&score->watch, memory_order_relaxed);
        view.asleep += watch == WATCH_ASLEEP;
        if (live < view.emptiest_live) {
            view.emptiest_live = live;
            view.emptiest = slot;
            view.emptiest_watch = watch;
        }
    }
    return view;
}

void siblings_expect(struct worker *worker, uint32_t slot)
{
    const struct score *score = sibling(worker, slot);

    worker->accepting.asked = (int) slot;
    worker->accepting.asked_beat = score != NULL ? beat_of(score) : 0;
}

void siblings_ask(struct worker *worker, uint32_t slot)
{
    uint64_t one = 1;

    siblings_expect(worker, slot);
    (void) !write(worker->plan->wake_fds[slot], &one, sizeof(one));
}

/* A listening socket tells it where another tells what is unacknowledged; ss(8) shows it so. */
uint32_t siblings_waiting(const struct worker *worker, unsigned socket)
{
    struct tcp_info info;
    socklen_t length = offsetof(struct tcp_info, tcpi_unacked) + sizeof(info.tcpi_unacked);

    if (!siblings_can_be_left(worker, socket) ||
        getsockopt(worker->fds[socket], IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
        return UINT32_MAX;
    return info.tcpi_unacked;
}

bool siblings_are_woken(const struct worker *worker, unsigned socket)
{
    /* No question to the kernel, if it can be spared. */
    if (siblings_view(worker, SILENT_MS).asleep == 0)
        return false;
    /* In this order: one that takes its connection in between is awake then, while its connection was
     * counted. */
    uint32_t waiting = siblings_waiting(worker, socket);
    return waiting <= siblings_view(worker, SILENT_MS).asleep;
}
