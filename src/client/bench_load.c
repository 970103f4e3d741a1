/* The clock, the timer and the end of a load. Must not know what is sent. */
#include "client/bench_load.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define MS_NS UINT64_C(1000000)

static struct timespec to_timespec(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t) (ns / 1000000000), .tv_nsec = (long) (ns % 1000000000)};
}

/* Makes the timer tick from START_NS on, every INTERVAL_NS. */
static int set_timer(struct bench_load *load, uint64_t start_ns, uint64_t interval_ns)
{
    struct itimerspec ticks = {.it_value = to_timespec(start_ns), .it_interval = to_timespec(interval_ns)};

    return timerfd_settime(load->timer_fd, TFD_TIMER_ABSTIME, &ticks, NULL);
}

/* One timer that goes on by itself, and no timeout of epoll_wait(2): to set a timer for each wait would cost
 * more than to send a request. */
int bench_load_begin(struct bench_load *load, const struct bench_plan *plan, struct bench_tally *tally,
                     const unsigned *stop)
{
    *load = (struct bench_load){.plan = plan, .tally = tally, .stop = stop, .wait_ms = -1};
    load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    load->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    load->pace.start_ns = load->alive_ns = bench_load_clock(load);
    if (load->epoll_fd < 0 || load->timer_fd < 0 || bench_load_watch(load, load->timer_fd, BENCH_TIMER) < 0)
        return -1;
    return set_timer(load, load->now_ns, BENCH_SWEEP_MS * MS_NS);
}

int bench_load_start(struct bench_load *load)
{
    const struct bench_plan *plan = load->plan;

    load->alive_ns = bench_load_clock(load);
    load->pace = bench_pace(load->now_ns, plan->duration_ns, plan->count, plan->rate, plan->timeout_ns);
    if (load->pace.tick_ns == 0)
        return 0;
    if (load->pace.tick_ns > BENCH_SWEEP_MS * MS_NS)
        load->wait_ms = BENCH_SWEEP_MS;
    return set_timer(load, load->now_ns, load->pace.tick_ns);
}

void bench_load_end(struct bench_load *load)
{
    struct timespec used;

    if (load->timer_fd >= 0)
        close(load->timer_fd);
    if (load->epoll_fd >= 0)
        close(load->epoll_fd);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    load->tally->cpu_ns = (uint64_t) used.tv_sec * 1000000000 + (uint64_t) used.tv_nsec;
    load->tally->elapsed_ns = bench_load_clock(load) - load->pace.start_ns;
}

int bench_load_watch(struct bench_load *load, int fd, uint32_t id)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.u32 = id};

    return epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

int bench_load_watch_room(struct bench_load *load, int fd, uint32_t id)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u32 = id};

    return epoll_ctl(load->epoll_fd, EPOLL_CTL_MOD, fd, &event);
}

int bench_load_wait(struct bench_load *load, struct epoll_event events[BENCH_EVENTS])
{
    int ready = epoll_wait(load->epoll_fd, events, BENCH_EVENTS, load->wait_ms);

    bench_load_clock(load);
    return ready;
}

void bench_load_tick(const struct bench_load *load)
{
    uint64_t ticks;

    /* How many ticks it were does not matter: the clock tells what is due. */
    (void) !read(load->timer_fd, &ticks, sizeof(ticks));
}

bool bench_load_sweeps(struct bench_load *load)
{
    if (load->now_ns < load->sweep_ns)
        return false;
    load->sweep_ns = load->now_ns + BENCH_SWEEP_MS * MS_NS;
    return true;
}

bool bench_load_over(const struct bench_load *load)
{
    if (__atomic_load_n(load->stop, __ATOMIC_RELAXED) != 0 || bench_pace_over(&load->pace, load->now_ns))
        return true;
    return load->pace.last_ns == UINT64_MAX && load->now_ns > load->alive_ns + 10 * load->plan->timeout_ns;
}

void bench_load_error(struct bench_load *load, enum bench_error error, uint64_t count)
{
    if (count > 0)
        bench_tally_error(load->tally, load->now_ns - load->pace.start_ns, error, count);
}

void bench_load_note_unsent(struct bench_load *load)
{
    /* What fell due in the moment of an interruption did not wait for the server. */
    uint64_t grace_ns = *load->stop != 0 ? BENCH_SWEEP_MS * MS_NS : 0;

    bench_tally_count(&load->tally->unsent, bench_pace_missed(&load->pace, load->now_ns - grace_ns));
}

enum bench_error bench_load_errno(int error)
{
    switch (error) {
    case ECONNREFUSED:
    case ENOENT:
        return BENCH_REFUSED;
    case ECONNRESET:
    case EPIPE:
        return BENCH_RESET;
    case ETIMEDOUT:
        return BENCH_TIMEOUT;
    default:
        return BENCH_OTHER;
    }
}
