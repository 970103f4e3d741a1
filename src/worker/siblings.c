/* Who of the siblings lives, sleeps, and has how many connections. Must not know whose turn it is. */
#include "worker/siblings.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/resource.h>
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

void siblings_judge(struct worker *worker)
{
    struct accepting *accepting = &worker->accepting;
    uint64_t beat = accepting->asked_beat + 1;

    if (accepting->asked < 0)
        return;
    struct silence *silence = &accepting->silences[accepting->asked];
    const struct score *score = sibling(worker, (uint32_t) accepting->asked);
    accepting->asked = -1;
    if (score != NULL && beat_of(score) + 1 == beat && silence->beat != beat)
        *silence = (struct silence){.beat = beat, .since_ms = worker->now_ms};
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
        view.asleep += atomic_load_explicit(&score->asleep, memory_order_relaxed);
        if (live < view.emptiest_live) {
            view.emptiest_live = live;
            view.emptiest = slot;
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

bool siblings_slept(struct worker *worker)
{
    uint64_t before = worker->accepting.sleeps;
    struct rusage usage;

    if (getrusage(RUSAGE_THREAD, &usage) < 0)
        return true;
    worker->accepting.sleeps = 1 + (uint64_t) usage.ru_nvcsw;
    return worker->accepting.sleeps != before;
}

bool siblings_are_woken(const struct worker *worker, unsigned socket, const struct balance_view *view)
{
    return view->asleep > 0 && siblings_waiting(worker, socket) <= view->asleep;
}
