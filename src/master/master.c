/* The master's loop and the order in which it sets the service up and takes it down. */
#include "master/master.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "master/control.h"
#include "master/exits.h"
#include "master/identity.h"
#include "master/notify.h"
#include "master/pool.h"
#include "master/reload.h"
#include "master/restraint.h"
#include "master/status.h"
#include "master/watch.h"

enum {
    STOP_GRACE_MS = 5000 /* beyond the drain: for workers that must be killed, and for a busy machine */
};

struct master {
    sd_event *event;
    struct scoreboard scoreboard;
    struct pool *pool;
    struct control *control;
    struct reload reload;
    struct watch watch;
    uint64_t started_ms;
    bool ready, stopping;
};

static struct world *world_of(const struct master *master)
{
    return master->reload.current;
}

static void on_ready(void *owner)
{
    struct master *master = owner;

    if (master->ready) {
        reload_on_ready(&master->reload);
        return;
    }
    master->ready = true;
    listeners_store(&world_of(master)->listeners);
    log_event(LOG_LEVEL_INFO, EVENT_READY, NULL, "ready: %u workers",
              world_of(master)->prepared.plan.workers);
    notify_ready(watch_status(&master->watch));
}

static void on_switched(void *owner)
{
    struct master *master = owner;

    reload_on_switched(&master->reload);
}

static void on_failed(void *owner, const char *reason)
{
    struct master *master = owner;

    if (master->ready) {
        reload_on_failed(&master->reload, reason);
        return;
    }
    log_error("no worker could start: %s", reason);
    sd_event_exit(master->event, MASTER_NO_WORKER);
}

static void on_retired(void *owner, const struct plan *plan)
{
    struct master *master = owner;

    reload_on_retired(&master->reload, plan);
}

static void on_gone(void *owner)
{
    struct master *master = owner;

    sd_event_exit(master->event, MASTER_OK);
}

static void on_reload_begun(void *owner)
{
    struct master *master = owner;

    notify_reloading(watch_status(&master->watch));
}

static void on_reload_ended(void *owner)
{
    struct master *master = owner;

    if (!master->stopping)
        notify_ready(watch_status(&master->watch));
}

/* WHY in words. The first time asks, the second insists. */
static void stop(struct master *master, const char *why)
{
    uint32_t drain_ms = world_of(master)->prepared.plan.limits.drain_ms;

    if (master->stopping) {
        log_event(LOG_LEVEL_NOTICE, EVENT_CUT_SHORT, NULL, "%s again: ending at once", why);
        pool_kill(master->pool);
        return;
    }
    master->stopping = true;
    notify_stopping("finishing conversations", drain_ms + STOP_GRACE_MS);
    log_event(LOG_LEVEL_INFO, EVENT_STOPPING, NULL, "%s: finishing %llu connections within %u ms", why,
              (unsigned long long) scoreboard_live(&master->scoreboard), drain_ms);
    pool_drain(master->pool, drain_ms);
    /* Nobody waits in a queue for a service that goes. What the service manager holds as well stays open, for
     * the one that comes. */
    reload_stop(&master->reload);
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    (void) source;
    stop(userdata, strsignal((int) info->ssi_signo));
    return 0;
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    struct master *master = userdata;

    (void) source;
    (void) info;
    if (!master->stopping)
        reload_request(&master->reload, "SIGHUP");
    return 0;
}

static void describe_asker(const struct ucred *asker, char text[RELOAD_ASKER_MAX])
{
    snprintf(text, RELOAD_ASKER_MAX, "uid %u (pid %d)", (unsigned) asker->uid, (int) asker->pid);
}

static void on_control_status(void *owner, FILE *out)
{
    const struct master *master = owner;
    struct status_sources sources = {.pool = master->pool,
                                     .scoreboard = &master->scoreboard,
                                     .reload = &master->reload,
                                     .started_ms = master->started_ms,
                                     .ready = master->ready,
                                     .stopping = master->stopping};

    status_write(&sources, out);
}

static uint64_t on_control_reload(void *owner, const struct ucred *asker)
{
    struct master *master = owner;
    char text[RELOAD_ASKER_MAX];

    describe_asker(asker, text);
    return reload_request(&master->reload, text);
}

static void on_control_stop(void *owner, const struct ucred *asker)
{
    char text[RELOAD_ASKER_MAX], why[RELOAD_ASKER_MAX + 16];

    describe_asker(asker, text);
    snprintf(why, sizeof(why), "stop by %s", text);
    stop(owner, why);
}

/* Who finds lines missing finds out why, whatever the levels before and after. */
static void on_control_log_level(void *owner, enum log_level level, const struct ucred *asker)
{
    const struct master *master = owner;
    char text[RELOAD_ASKER_MAX];

    describe_asker(asker, text);
    log_set_level(LOG_LEVEL_NOTICE);
    log_event(LOG_LEVEL_NOTICE, EVENT_LOG_LEVEL, NULL, "log level %s, asked for by %s", log_level_name(level),
              text);
    log_set_level(level);
    pool_tell(master->pool, LINK_LEVEL, level);
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

static void log_totals(const struct scoreboard *scoreboard)
{
    log_tell_losses(scoreboard_total(scoreboard, COUNTER_log_lost));
    log_info("served %llu connections, %llu answers on them, and %llu datagrams; %llu clients spoke too late",
             (unsigned long long) scoreboard_total(scoreboard, COUNTER_accepted),
             (unsigned long long) scoreboard_total(scoreboard, COUNTER_answers),
             (unsigned long long) scoreboard_total(scoreboard, COUNTER_datagram_answers),
             (unsigned long long) scoreboard_total(scoreboard, COUNTER_crossed));
}

static int set_up_control(struct master *master)
{
    static const struct control_events events = {.status = on_control_status,
                                                 .reload = on_control_reload,
                                                 .stop = on_control_stop,
                                                 .set_log_level = on_control_log_level};

    master->control = control_new(master->event, &events, master);
    if (master->control == NULL) {
        log_error("control: %s", strerror(errno));
        return MASTER_NO_SYSTEM;
    }
    master->reload.control = master->control;
    return control_open(master->control, world_of(master)->config) < 0 ? MASTER_NO_SOCKETS : MASTER_OK;
}

static int set_up_pool(struct master *master)
{
    static const struct pool_events events = {.ready = on_ready,
                                              .switched = on_switched,
                                              .failed = on_failed,
                                              .retired = on_retired,
                                              .gone = on_gone};

    master->pool = pool_new(master->event, &events, master);
    if (master->pool == NULL) {
        log_error("pool: %s", strerror(errno));
        return MASTER_NO_SYSTEM;
    }
    master->reload.pool = master->pool;
    int error = reload_init(&master->reload, master->event);
    if (error >= 0)
        error = watch_start(&master->watch, master->event, master->pool, &master->scoreboard,
                            master->reload.summary);
    if (error >= 0)
        return MASTER_OK;
    log_error("timers: %s", strerror(-error));
    return MASTER_NO_SYSTEM;
}

/* Sockets first, while this may be root still; then root is given up; then all the rest, as the user that
 * serves. */
static int set_up(struct master *master)
{
    struct world *world = world_of(master);
    int result = world_open(world, NULL);

    if (result != 0)
        return result;
    master->reload.gave_up_root = geteuid() == 0;
    if (give_up_root(world->config) < 0)
        return MASTER_BAD_CONFIG;
    if (scoreboard_open(&master->scoreboard) < 0) {
        log_error("scoreboard: %s", strerror(errno));
        return MASTER_NO_SYSTEM;
    }
    result = world_share(world, &master->scoreboard, NULL);
    if (result == 0 && restraint_apply(world) < 0) {
        log_error("sandbox: %s", strerror(errno));
        return MASTER_NO_SYSTEM;
    }
    if (result == 0)
        result = set_up_loop(master) < 0 ? MASTER_NO_SYSTEM : set_up_pool(master);
    return result == 0 ? set_up_control(master) : result;
}

int master_run(struct world *world, const struct world_source *source)
{
    struct master master = {.scoreboard.fd = -1, .started_ms = clock_ms()};

    master.reload = (struct reload){.source = *source,
                                    .scoreboard = &master.scoreboard,
                                    .events = {.begun = on_reload_begun, .ended = on_reload_ended},
                                    .owner = &master,
                                    .current = world};
    int result = set_up(&master);
    if (result == MASTER_OK) {
        pool_start(master.pool, &world->prepared.plan);
        result = sd_event_loop(master.event);
        log_totals(&master.scoreboard);
        if (result < 0)
            log_error("event loop: %s", strerror(-result));
    }
    if (result != MASTER_OK)
        notify_failed(log_last_error(), result < 0 ? MASTER_NO_SYSTEM : result);
    if (result != MASTER_OK && !master.ready)
        log_to_journal(LOG_LEVEL_ERROR, EVENT_NOT_STARTED, "not started: %s", log_last_error());
    watch_stop(&master.watch);
    control_free(master.control);
    pool_free(master.pool);
    reload_close(&master.reload);
    sd_event_unref(master.event);
    scoreboard_close(&master.scoreboard);
    return result < 0 ? MASTER_NO_SYSTEM : result;
}
