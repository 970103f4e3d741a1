/* The life of a worker: undo what fork inherited, take memory, report, serve, drain, go. */
#include "worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/link.h"
#include "worker/accept.h"
#include "worker/datagram.h"
#include "worker/sandbox.h"
#include "worker/state.h"
#include "worker/stream.h"
#include "worker/trial.h"

enum {
    EVENTS_AT_ONCE = 128,
    STREAMS_FIRST = 4, /* events of streams that come before those of datagrams */
    LOOK_BETWEEN = 24, /* events of streams from one look at datagrams to the next */
    BEAT_MS = 5000,    /* an idle worker wakes this often, to show that it lives and to give memory back */
    OWN_DESCRIPTORS =
        16, /* standard streams, epoll, link, spare, log, scoreboard, and some for the C library */
    LAST_WORDS_MS = 200,     /* for clients that are still there at the end of a drain to close, too */
    ORPHAN_GRACE_SECONDS = 2 /* beyond the drain, before the kernel ends a worker whose master is dead */
};

unsigned worker_descriptors(const struct plan *plan)
{
    return plan->limits.connections + REFUSALS_MAX + plan->socket_count + plan->workers + OWN_DESCRIPTORS;
}

/* Seconds after which an orphan is ended by SIGALRM, even one whose loop is stuck. */
static volatile sig_atomic_t orphan_seconds;

static void on_master_death(int signal_number)
{
    (void) signal_number;
    alarm((unsigned) orphan_seconds);
}

/* The master's signals are not ours: a terminal or a control group sends TERM and INT to all processes of the
 * service, and only the master decides what becomes of it (failure 39). Its death reaches us twice: by the
 * link's end of file, which makes us drain, and by a signal that bounds the time for it. */
static int set_up_signals(const struct plan *plan, pid_t master)
{
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
    struct sigaction action = {.sa_handler = on_master_death, .sa_flags = SA_RESTART};
    sigset_t none;

    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        signal(ignored[i], SIG_IGN);
    orphan_seconds = (sig_atomic_t) (plan->limits.drain_ms / 1000 + ORPHAN_GRACE_SECONDS);
    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, &action, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (prctl(PR_SET_PDEATHSIG, SIGUSR1) < 0)
        return -1;
    /* A master that died before the call above sends no signal any more (failure 35). */
    if (getppid() != master)
        raise(SIGUSR1);
    return 0;
}

static int set_up_descriptors(struct worker *worker)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = event_tag(EVENT_LINK, 0)};

    for (unsigned i = 0; i < worker->plan->socket_count; i++) {
        const struct plan_socket *socket = &worker->plan->sockets[i];
        worker->fds[i] = socket->fds[worker->place.slot % socket->fd_count];
    }
    worker->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (worker->epoll < 0)
        return -1;
    worker->spare = fcntl(worker->epoll, F_DUPFD_CLOEXEC, 0);
    if (worker->spare < 0)
        return -1;
    return epoll_ctl(worker->epoll, EPOLL_CTL_ADD, worker->place.link, &event);
}

/* Enters the sandbox, and tries whether all that is needed can be done there. Returns what has failed, or
 * NULL. */
static const char *confine(const struct worker *worker)
{
    struct trial trial;

    if (!sandbox_is_on(worker->plan->sandbox))
        return NULL;
    if (trial_open(&trial) < 0)
        return "trial of the sandbox";
    const char *failed = sandbox_enter(worker->plan->sandbox, worker->place.link,
                                       &worker->score->counter[COUNTER_sandbox_violations]);
    if (failed == NULL)
        failed = trial_run(&trial);
    int error = errno;
    trial_close(&trial);
    errno = error;
    return failed;
}

/* Returns what has failed, or NULL. */
static const char *set_up(struct worker *worker)
{
    worker->now_ms = clock_ms();
    if (set_up_signals(worker->plan, worker->place.master) < 0)
        return "parent death signal";
    if (set_up_descriptors(worker) < 0)
        return "epoll";
    if (stream_init(worker) < 0 || datagram_init(worker) < 0)
        return "memory";
    const char *failed = confine(worker);
    if (failed != NULL)
        return failed;
    if (accept_start(worker) < 0 || datagram_start(worker) < 0)
        return "watching the sockets";
    return NULL;
}

/* Takes what waits in the sockets that nobody has after this worker's generation, those with a 1 in ENDING.
 */
static void take_rest(struct worker *worker, const char *ending)
{
    for (unsigned i = 0; i < worker->plan->socket_count && ending[i] != '\0'; i++) {
        if (ending[i] != '1')
            continue;
        if (worker->plan->sockets[i].type == SOCK_DGRAM)
            datagram_rest(worker, i);
        else
            accept_rest(worker, i);
    }
}

/* Stops watching the sockets of streams, or ALL sockets. They are closed, so that they are gone when the
 * master has closed them too, and not when the last conversation has ended. */
static void leave_sockets(struct worker *worker, bool all)
{
    accept_stop(worker);
    if (all)
        datagram_stop(worker);
    for (unsigned i = 0; i < worker->plan->socket_count; i++)
        if (all || worker->plan->sockets[i].type != SOCK_DGRAM)
            close(worker->fds[i]);
}

/* SUCCEEDED: there are other workers already. If there are none, datagrams are answered to the last, since a
 * queue of theirs is short. */
static void begin_drain(struct worker *worker, uint32_t drain_ms, bool succeeded)
{
    if (!worker->draining) {
        worker->draining = true;
        atomic_store_explicit(&worker->score->ready, 0, memory_order_relaxed);
        leave_sockets(worker, succeeded);
        link_send(worker->place.link, LINK_AWAY, 0, NULL);
        stream_drain(worker);
    }
    worker->drain_deadline_ms = worker->now_ms + drain_ms;
}

/* Looks again at all listening sockets. */
static void look(struct worker *worker)
{
    if (worker->draining)
        return;
    accept_wake(worker);
    if (datagram_wake(worker) == 0)
        return;
    /* A worker that does not watch its sockets is of no use; the next one in this slot may be luckier. */
    log_error("worker %u cannot watch its sockets: %s; it finishes and goes", worker->place.slot,
              strerror(errno));
    begin_drain(worker, worker->plan->limits.drain_ms, true);
}

static void obey(struct worker *worker, const struct link_message *message)
{
    switch ((enum link_word) message->word) {
    case LINK_DRAIN:
        if (!worker->draining)
            take_rest(worker, message->text);
        begin_drain(worker, message->value, true);
        break;
    case LINK_STOP:
        begin_drain(worker, message->value, false);
        break;
    case LINK_LOOK:
        look(worker);
        break;
    case LINK_LEVEL:
        log_set_level((enum log_level) message->value);
        break;
    case LINK_READY:
    case LINK_FAILED:
    case LINK_AWAY:
    case LINK_FORBIDDEN:
        break; /* what workers say */
    }
}

static void link_event(struct worker *worker)
{
    struct link_message message;
    enum link_result result = link_receive(worker->place.link, &message);

    if (result == LINK_MESSAGE)
        obey(worker, &message);
    if (result != LINK_END)
        return;
    /* The master is gone. Its end of the link would be reported for ever. */
    epoll_ctl(worker->epoll, EPOLL_CTL_DEL, worker->place.link, NULL);
    log_notice("worker %u has lost its master, finishes and goes", worker->place.slot);
    begin_drain(worker, worker->plan->limits.drain_ms, false);
}

static void dispatch(struct worker *worker, const struct epoll_event *event)
{
    uint32_t index = (uint32_t) event->data.u64;

    switch ((enum event_kind)(event->data.u64 >> 32)) {
    case EVENT_CONN:
        stream_event(worker, conns_at(&worker->conns, index), event->events);
        break;
    case EVENT_SOCKET:
        if (worker->plan->sockets[index].type == SOCK_DGRAM)
            datagram_event(worker, index);
        else
            accept_event(worker, index);
        break;
    case EVENT_WAKE:
        accept_wake(worker);
        break;
    case EVENT_LINK:
        link_event(worker);
        break;
    }
}

static bool is_of_datagrams(const struct worker *worker, const struct epoll_event *event)
{
    return event->data.u64 >> 32 == EVENT_SOCKET &&
           worker->plan->sockets[(uint32_t) event->data.u64].type == SOCK_DGRAM;
}

static void dispatch_datagrams(struct worker *worker, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++)
        if (is_of_datagrams(worker, &events[i]))
            dispatch(worker, &events[i]);
}

/* Streams first, but few of them: a flood of datagrams then keeps their clients waiting for one batch, and
 * not for two. And epoll tells of events in the order in which they came; in a flood of streams it has a
 * hundred to tell of before the one datagram that comes meanwhile: so now and then it is not asked. */
static void dispatch_all(struct worker *worker, const struct epoll_event *events, int count)
{
    unsigned streams = 0;

    for (int i = 0; i < count; i++) {
        if (is_of_datagrams(worker, &events[i]))
            continue;
        dispatch(worker, &events[i]);
        streams++;
        if (streams == STREAMS_FIRST)
            dispatch_datagrams(worker, events, count);
        else if (streams % LOOK_BETWEEN == 0 && !worker->draining)
            datagram_look(worker);
    }
    if (streams < STREAMS_FIRST)
        dispatch_datagrams(worker, events, count);
}

/* Milliseconds until something is due, at most BEAT_MS. */
static int wait_ms(const struct worker *worker)
{
    uint64_t until = worker->now_ms + BEAT_MS, stream = stream_deadline(worker),
             accept = accept_deadline(worker);

    if (stream < until)
        until = stream;
    if (accept < until)
        until = accept;
    if (worker->draining && worker->drain_deadline_ms < until)
        until = worker->drain_deadline_ms;
    return until > worker->now_ms ? (int) (until - worker->now_ms) : 0;
}

static void beat(struct worker *worker)
{
    uint64_t beats = atomic_load_explicit(&worker->score->beat, memory_order_relaxed);

    atomic_store_explicit(&worker->score->beat, beats + 1, memory_order_relaxed);
}

/* Waits for events and handles them, until the drain is over. */
static void loop(struct worker *worker)
{
    struct epoll_event events[EVENTS_AT_ONCE];

    while (!worker->draining || (!stream_quiet(worker) && worker->now_ms < worker->drain_deadline_ms)) {
        int count = epoll_wait(worker->epoll, events, EVENTS_AT_ONCE, wait_ms(worker));
        worker->now_ms = clock_ms();
        beat(worker);
        dispatch_all(worker, events, count);
        stream_timers(worker);
        accept_timers(worker);
        if (count == 0)
            conns_trim(&worker->conns);
    }
}

static void serve(struct worker *worker)
{
    loop(worker);
    /* The time is over for those who are left; they shall see an end of file all the same. */
    stream_end_all(worker);
    worker->drain_deadline_ms = worker->now_ms + LAST_WORDS_MS;
    loop(worker);
    stream_close_all(worker);
}

int worker_run(const struct plan *plan, const struct worker_place *place)
{
    struct worker worker = {.plan = plan, .place = *place, .epoll = -1, .spare = -1};

    worker.table = plan_table(plan, place->generation, place->slot);
    worker.score = &plan->scoreboard->blocks[scoreboard_index(place->generation, place->slot)];
    log_count_losses(&worker.score->counter[COUNTER_log_lost]);
    const char *failed = set_up(&worker);
    if (failed == NULL) {
        atomic_store(&worker.score->ready, 1);
        /* A master that does not hear of it would wait for ever. */
        if (link_send(place->link, LINK_READY, 0, NULL) < 0)
            failed = "link";
    }
    if (failed != NULL) {
        char reason[LINK_TEXT_MAX];
        snprintf(reason, sizeof(reason), "%s: %s", failed, strerror(errno));
        link_send(place->link, LINK_FAILED, 0, reason);
    } else {
        serve(&worker);
    }
    stream_close(&worker);
    datagram_close(&worker);
    return failed != NULL ? EXIT_FAILURE : EXIT_SUCCESS;
}
