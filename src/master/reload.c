/* The steps of a reload. Must not know how the service manager is told, nor what is in a config. */
#include "master/reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/probes.h"
#include "master/restraint.h"

enum {
    PATIENCE_MS =
        1000 /* for workers of the generation before to leave the sockets, until the reload is over anyway */
};

/* In universal time: a daemon that lives long does not notice that its host has moved. */
static void summarise(struct reload *reload)
{
    time_t now = time(NULL);
    struct tm parts;
    char when[40];

    gmtime_r(&now, &parts);
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &parts);
    if (reload->result == RELOAD_OK)
        snprintf(reload->summary, sizeof(reload->summary), "reloaded at %s", when);
    else
        snprintf(reload->summary, sizeof(reload->summary), "reload failed at %s: %s", when, reload->reason);
}

/* Ends the collecting of errors; the first line is the reason. */
static void collected(struct reload *reload)
{
    log_copy_errors(NULL);
    if (reload->errors != NULL)
        fclose(reload->errors);
    reload->errors = NULL;
    const char *text = reload->text != NULL ? reload->text : "out of memory\n";
    snprintf(reload->reason, sizeof(reload->reason), "%.*s", (int) strcspn(text, "\n"), text);
}

/* The end of a reload, whichever it is. */
static void finish(struct reload *reload, enum reload_result result)
{
    collected(reload);
    reload->result = result;
    reload->ended_ms = clock_ms();
    probe_reload(reload->number, result == RELOAD_OK ? "done" : "failed");
    score_add(scoreboard_masters(reload->scoreboard),
              result == RELOAD_OK ? COUNTER_reloads_ok : COUNTER_reloads_failed, 1);
    if (result == RELOAD_OK) {
        reload->reason[0] = '\0';
        log_event(LOG_LEVEL_INFO, EVENT_RELOADED, NULL, "reload %llu done: %u workers",
                  (unsigned long long) reload->number, reload->current->prepared.plan.workers);
    } else {
        log_event(LOG_LEVEL_ERROR, EVENT_RELOAD_FAILED, NULL,
                  "reload %llu failed: the configuration in force stays",
                  (unsigned long long) reload->number);
    }
    summarise(reload);
    if (reload->control != NULL)
        control_reloaded(reload->control, reload->number,
                         result == RELOAD_OK    ? NULL
                         : reload->text != NULL ? reload->text
                                                : reload->reason);
    free(reload->text);
    reload->text = NULL;
    reload->events.ended(reload->owner);
    if (reload->pending)
        sd_event_source_set_enabled(reload->due, SD_EVENT_ONESHOT);
}

/* WORLD lives until its last worker has ended. */
static void let_go(struct reload *reload, struct world *world)
{
    for (unsigned i = 0; i < SCOREBOARD_GENERATIONS; i++)
        if (reload->leaving[i] == NULL) {
            reload->leaving[i] = world;
            return;
        }
    abort(); /* there are no more worlds than generations */
}

/* Who was root has become somebody, and cannot become somebody else. */
static int check_user(const struct reload *reload, const struct config *config)
{
    const struct config *before = reload->current->config;
    bool user = strcmp(config->user, before->user) != 0;
    char where[512];

    if (!reload->gave_up_root || (!user && strcmp(config->group, before->group) == 0))
        return 0;
    log_error("%s: \"%s\" cannot change while the service runs: restart it",
              config_where_set(config, user ? "user" : "group", where, sizeof(where)),
              user ? "user" : "group");
    return -1;
}

static int open_control(struct reload *reload, const struct config *config)
{
    return reload->control != NULL ? control_open(reload->control, config) : 0;
}

/* Checks WORLD, as it was read, and makes what it needs. Returns 0, or -1 with nothing open. */
static int open_next(struct reload *reload, struct world *world)
{
    if (config_errors(world->config) > 0 || check_user(reload, world->config) < 0 ||
        world_open(world, reload->current) != 0)
        return -1;
    if (world_share(world, reload->scoreboard, reload->current) == 0 &&
        open_control(reload, world->config) == 0)
        return 0;
    world_leave(world, reload->current);
    return -1;
}

/* Reads the files; what is wrong goes to the log. */
static struct world *load(const struct reload *reload)
{
    char *errors = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&errors, &length);
    struct world *world = stream != NULL ? world_load(&reload->source, stream) : NULL;

    if (world == NULL)
        log_error("configuration: %s", strerror(errno));
    if (stream != NULL)
        fclose(stream);
    log_error_lines(errors != NULL ? errors : "");
    free(errors);
    return world;
}

static void begin(struct reload *reload)
{
    reload->pending = false;
    reload->number++;
    reload->result = RELOAD_RUNNING;
    log_event(LOG_LEVEL_NOTICE, EVENT_RELOADING, NULL, "reload %llu, asked for by %s",
              (unsigned long long) reload->number, reload->asker);
    probe_reload(reload->number, "begun");
    reload->events.begun(reload->owner);
    reload->errors = open_memstream(&reload->text, &reload->length);
    log_copy_errors(reload->errors);
    struct world *world = load(reload);
    if (world == NULL || open_next(reload, world) < 0) {
        world_free(world);
        finish(reload, RELOAD_FAILED);
        return;
    }
    probe_reload(reload->number, "starting");
    reload->next = world;
    pool_start(reload->pool, &world->prepared.plan);
}

static int on_due(sd_event_source *source, void *userdata)
{
    struct reload *reload = userdata;

    (void) source;
    if (reload->result == RELOAD_RUNNING || !reload->pending)
        return 0; /* its end comes back to this */
    if (pool_has_room(reload->pool))
        begin(reload);
    else
        pool_hurry(reload->pool); /* and so does its */
    return 0;
}

/* Nothing is reloaded any more. */
static void refuse(struct reload *reload)
{
    if (reload->control != NULL)
        control_reloaded(reload->control, reload->number + 1, "the service stops\n");
}

uint64_t reload_request(struct reload *reload, const char *asker)
{
    if (reload->stopped) {
        refuse(reload);
    } else if (!reload->pending) {
        reload->pending = true;
        snprintf(reload->asker, sizeof(reload->asker), "%s", asker);
        /* From the loop, so that the asker has the number before the end is told. */
        sd_event_source_set_enabled(reload->due, SD_EVENT_ONESHOT);
    }
    return reload->number + 1;
}

void reload_on_ready(struct reload *reload)
{
    reload->before = reload->current;
    reload->current = reload->next;
    reload->next = NULL;
    probe_reload(reload->number, "ready");
    let_go(reload, reload->before);
    listeners_end(&reload->before->listeners, &reload->current->listeners);
    listeners_store(&reload->current->listeners);
    if (restraint_apply(reload->current) < 0)
        log_event(LOG_LEVEL_ERROR, EVENT_NOT_CONFINED, NULL, "sandbox: %s; the master stays as it is",
                  strerror(errno));
    log_set_level(reload->current->log_level);
    pool_tell(reload->pool, LINK_LEVEL, reload->current->log_level);
    sd_event_source_set_time_relative(reload->patience, UINT64_C(1000) * PATIENCE_MS);
    sd_event_source_set_enabled(reload->patience, SD_EVENT_ONESHOT);
}

/* The world before has served: what it alone has goes. */
static void complete(struct reload *reload)
{
    sd_event_source_set_enabled(reload->patience, SD_EVENT_OFF);
    world_leave(reload->before, reload->current);
    reload->before = NULL;
    finish(reload, RELOAD_OK);
}

void reload_on_switched(struct reload *reload)
{
    if (reload->before == NULL)
        return; /* it took too long */
    listeners_shut(&reload->before->listeners);
    complete(reload);
}

/* A worker that hangs has the sockets still, and what waits in them is for it to take when it goes on. */
static int on_impatience(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void) source;
    (void) usec;
    complete(userdata);
    return 0;
}

int reload_init(struct reload *reload, sd_event *event)
{
    int result = sd_event_add_defer(event, &reload->due, on_due, reload);

    if (result >= 0)
        result = sd_event_source_set_enabled(reload->due, SD_EVENT_OFF);
    if (result >= 0)
        result = sd_event_add_time(event, &reload->patience, CLOCK_MONOTONIC, 0, 0, on_impatience, reload);
    if (result >= 0)
        result = sd_event_source_set_enabled(reload->patience, SD_EVENT_OFF);
    return result;
}

void reload_on_failed(struct reload *reload, const char *reason)
{
    struct world *failed = reload->next;

    log_error("the new generation could not start: %s", reason);
    reload->next = NULL;
    world_leave(failed, reload->current);
    let_go(reload, failed);
    open_control(reload, reload->current->config);
    finish(reload, RELOAD_FAILED);
}

void reload_on_retired(struct reload *reload, const struct plan *plan)
{
    for (unsigned i = 0; i < SCOREBOARD_GENERATIONS; i++)
        if (reload->leaving[i] != NULL && &reload->leaving[i]->prepared.plan == plan) {
            world_free(reload->leaving[i]);
            reload->leaving[i] = NULL;
        }
    if (reload->pending)
        sd_event_source_set_enabled(reload->due, SD_EVENT_ONESHOT);
}

void reload_stop(struct reload *reload)
{
    if (reload->before != NULL)
        complete(reload);
    if (reload->next != NULL)
        reload_on_failed(reload, "the service stops");
    refuse(reload);
    reload->stopped = true;
    reload->pending = false;
    world_leave(reload->current, NULL);
}

void reload_close(struct reload *reload)
{
    sd_event_source_disable_unref(reload->due);
    sd_event_source_disable_unref(reload->patience);
    if (reload->next != NULL)
        world_leave(reload->next, reload->current);
    world_free(reload->next);
    for (unsigned i = 0; i < SCOREBOARD_GENERATIONS; i++)
        world_free(reload->leaving[i]);
    world_leave(reload->current, NULL);
    world_free(reload->current);
}
