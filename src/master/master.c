/* The master's loop and the order in which it sets the service up and takes it down. */
#include "master/master.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "base/descriptors.h"
#include "base/log.h"
#include "master/identity.h"
#include "master/listeners.h"
#include "master/notify.h"
#include "master/pool.h"
#include "master/watch.h"
#include "worker/sources.h"
#include "worker/worker.h"

enum {
    STOP_GRACE_MS = 5000 /* beyond the drain: for workers that must be killed, and for a busy machine */
};

struct master {
    const struct config *config;
    struct plan *plan;
    sd_event *event;
    struct scoreboard scoreboard;
    struct listeners listeners;
    struct pool *pool;
    struct watch watch;
    bool stopping;
};

static void on_ready(void *owner)
{
    struct master *master = owner;

    log_info("ready: %u workers", master->plan->workers);
    listeners_store(&master->listeners); /* first: who waits for READY may restart us at once */
    notify_ready(watch_status(&master->watch));
}

static void on_failed(void *owner, const char *reason)
{
    struct master *master = owner;

    log_error("no worker could start: %s", reason);
    sd_event_exit(master->event, MASTER_NO_WORKER);
}

static void on_gone(void *owner)
{
    struct master *master = owner;

    sd_event_exit(master->event, MASTER_OK);
}

/* The first asks, the second insists. */
static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    struct master *master = userdata;

    (void) source;
    if (master->stopping) {
        log_notice("%s again: ending at once", strsignal((int) info->ssi_signo));
        pool_kill(master->pool);
        return 0;
    }
    master->stopping = true;
    notify_stopping("finishing conversations", master->plan->limits.drain_ms + STOP_GRACE_MS);
    log_info("%s: finishing %llu connections within %u ms", strsignal((int) info->ssi_signo),
             (unsigned long long) scoreboard_live(&master->scoreboard), master->plan->limits.drain_ms);
    pool_drain(master->pool, master->plan->limits.drain_ms);
    return 0;
}

/* Everybody's habit for "read your configuration again"; ending because of it would be a surprise. */
static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    (void) source;
    (void) info;
    (void) userdata;
    log_warning("this version cannot reload its configuration: restart it");
    return 0;
}

static int set_up_loop(struct master *master)
{
    static const struct {
        int signal;
        sd_event_signal_handler_t handler;
    } handlers[] = {{SIGTERM, on_stop}, {SIGINT, on_stop}, {SIGHUP, on_hangup}};
    sigset_t blocked;

    /* The loop reads them as events; CHLD too, for the pool. */
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
        sigaddset(&blocked, handlers[i].signal);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    signal(SIGPIPE, SIG_IGN);
    int result = sd_event_new(&master->event);
    for (size_t i = 0; result >= 0 && i < sizeof(handlers) / sizeof(handlers[0]); i++)
        result = sd_event_add_signal(master->event, NULL, handlers[i].signal, handlers[i].handler, master);
    if (result < 0)
        log_error("event loop: %s", strerror(-result));
    return result;
}

static int check_descriptors(const struct master *master)
{
    unsigned long needed = worker_descriptors(master->plan), own = master->plan->workers + 64, allowed;
    char where[512];

    for (unsigned i = 0; i < master->plan->socket_count; i++)
        own += master->plan->sockets[i].fd_count;
    if (needed < own)
        needed = own;
    if (descriptors_raise_limit(needed, &allowed) == 0)
        return 0;
    log_error("limits.connections = %u (%s) needs %lu descriptors a process, but only %lu are allowed: "
              "lower it, or raise LimitNOFILE= (ulimit -Hn)",
              master->plan->limits.connections,
              config_where_set(master->config, "limits.connections", where, sizeof(where)), needed, allowed);
    return -1;
}

static int give_up_root(const struct config *config)
{
    char where[512];
    const char *error = identity_drop(config->user, config->group);

    if (error == NULL)
        return 0;
    log_error("user = \"%s\", group = \"%s\" (%s): %s%s%s", config->user, config->group,
              config_where_set(config, "user", where, sizeof(where)), error, errno != 0 ? ": " : "",
              errno != 0 ? strerror(errno) : "");
    return -1;
}

static int set_up_memory(struct master *master)
{
    if (scoreboard_open(&master->scoreboard) < 0) {
        log_error("scoreboard: %s", strerror(errno));
        return -1;
    }
    master->plan->scoreboard = &master->scoreboard;
    master->plan->sources = sources_open(plan_tables(master->plan), master->plan->limits.connections);
    if (master->plan->sources != NULL)
        return 0;
    log_error("table of sources: %s", strerror(errno));
    return -1;
}

static void log_totals(const struct scoreboard *scoreboard)
{
    log_info("served %llu connections, %llu answers on them, and %llu datagrams",
             (unsigned long long) scoreboard_total(scoreboard, COUNTER_accepted),
             (unsigned long long) scoreboard_total(scoreboard, COUNTER_answers),
             (unsigned long long) scoreboard_total(scoreboard, COUNTER_datagram_answers));
}

/* Sockets first, while this may be root still; then root is given up; then all the rest, as the user that
 * serves. */
static int set_up(struct master *master)
{
    static const struct pool_events events = {.ready = on_ready, .failed = on_failed, .gone = on_gone};

    if (listeners_open(&master->listeners, master->config, master->plan, NULL) < 0)
        return MASTER_NO_SOCKETS;
    if (check_descriptors(master) < 0)
        return MASTER_BAD_CONFIG;
    if (give_up_root(master->config) < 0)
        return MASTER_BAD_CONFIG;
    if (set_up_memory(master) < 0 || set_up_loop(master) < 0)
        return MASTER_NO_SYSTEM;
    master->pool = pool_new(master->event, master->plan, &events, master);
    if (master->pool == NULL) {
        log_error("pool: %s", strerror(errno));
        return MASTER_NO_SYSTEM;
    }
    int error = watch_start(&master->watch, master->event, master->pool, &master->scoreboard);
    if (error < 0) {
        log_error("timers: %s", strerror(-error));
        return MASTER_NO_SYSTEM;
    }
    return MASTER_OK;
}

int master_run(const struct config *config, struct prepared *prepared)
{
    struct master master = {
        .config = config, .plan = &prepared->plan, .listeners.plan = &prepared->plan, .scoreboard.fd = -1};
    int result = set_up(&master);

    if (result == MASTER_OK) {
        pool_start(master.pool);
        result = sd_event_loop(master.event);
        log_totals(&master.scoreboard);
    }
    if (result != MASTER_OK)
        notify_failed(log_last_error(), result < 0 ? MASTER_NO_SYSTEM : result);
    watch_stop(&master.watch);
    pool_free(master.pool);
    sd_event_unref(master.event);
    listeners_close(&master.listeners, NULL);
    sources_close(master.plan->sources);
    scoreboard_close(&master.scoreboard);
    return result < 0 ? MASTER_NO_SYSTEM : result;
}
