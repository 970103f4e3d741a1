/* The life of a worker: undo what fork inherited, take memory, give up rights, report, serve, go. */
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
#include "worker/loop.h"
#include "worker/sandbox.h"
#include "worker/state.h"
#include "worker/stream.h"
#include "worker/trial.h"

enum {
    OWN_DESCRIPTORS =
        16, /* standard streams, epoll, link, spare, log, journal, scoreboard, and some for the C library */
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
                                       &worker->score->tally[TALLY_OWN].counter[COUNTER_sandbox_violations]);
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

static void serve(struct worker *worker)
{
    loop_run(worker);
    /* The time is over for those who are left; they shall see an end of file all the same. */
    stream_end_all(worker);
    worker->drain_deadline_ms = worker->now_ms + LAST_WORDS_MS;
    loop_run(worker);
    stream_close_all(worker);
}

int worker_run(const struct plan *plan, const struct worker_place *place)
{
    struct worker worker = {.plan = plan, .place = *place, .epoll = -1, .spare = -1};

    worker.table = plan_table(plan, place->generation, place->slot);
    worker.score = &plan->scoreboard->blocks[scoreboard_index(place->generation, place->slot)];
    log_set_worker(place->slot, place->generation);
    log_count_losses(&worker.score->tally[TALLY_OWN].counter[COUNTER_log_lost]);
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
