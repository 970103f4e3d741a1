/* From a config file to all that workers need. Must not know who serves which world, and when. */
#include "master/world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/descriptors.h"
#include "master/exits.h"
#include "worker/lines.h"
#include "worker/penalty.h"
#include "worker/rate.h"
#include "worker/sandbox.h"
#include "worker/sources.h"
#include "worker/worker.h"

struct world *world_load(const struct world_source *source, FILE *errors)
{
    struct world *world = calloc(1, sizeof(*world));

    if (world == NULL)
        return NULL;
    world->config = config_load(source->file, errors);
    if (world->config == NULL) {
        free(world);
        return NULL;
    }
    prepare_plan(&world->prepared, world->config);
    world->prepared.plan.access_log |= source->verbose > 0;
    world->log_level = source->verbose > 1 ? LOG_LEVEL_DEBUG : (enum log_level) world->config->log_level;
    return world;
}

int world_dump(const struct world *world, FILE *out)
{
    if (config_dump(world->config, out) < 0)
        return -1;
    fprintf(out, "# Memory for penalties, however many offenders there are: %zu bytes\n", penalty_memory());
    fprintf(out, "# Memory for rates, whatever they are and however many sources there are: %zu bytes\n",
            rate_memory());
    return fflush(out) == 0 ? 0 : -1;
}

static int check_descriptors(const struct world *world)
{
    const struct plan *plan = &world->prepared.plan;
    unsigned long needed = worker_descriptors(plan), own = plan->workers + 64, allowed;
    char where[512];

    for (unsigned i = 0; i < plan->socket_count; i++)
        own += plan->sockets[i].fd_count;
    if (needed < own)
        needed = own;
    if (descriptors_raise_limit(needed, &allowed) == 0)
        return 0;
    log_error("limits.connections = %u (%s) needs %lu descriptors a process, but only %lu are allowed: "
              "lower it, or raise LimitNOFILE= (ulimit -Hn)",
              plan->limits.connections,
              config_where_set(world->config, "limits.connections", where, sizeof(where)), needed, allowed);
    return -1;
}

int world_open(struct world *world, const struct world *before)
{
    if (listeners_open(&world->listeners, world->config, &world->prepared.plan,
                       before != NULL ? &before->listeners : NULL) < 0)
        return MASTER_NO_SOCKETS;
    if (check_descriptors(world) == 0)
        return 0;
    world_leave(world, before);
    return MASTER_BAD_CONFIG;
}

static enum sandbox_mode sandbox_mode(const struct config *config)
{
    return config->sandbox == CONFIG_SANDBOX_ENFORCE ? SANDBOX_ENFORCE
           : config->sandbox == CONFIG_SANDBOX_LOG   ? SANDBOX_LOG
                                                     : SANDBOX_OFF;
}

/* What each listener does is counted where it was before this world. */
static void share_tallies(struct world *world, struct scoreboard *scoreboard)
{
    static const char *const types[] = {
        [CONFIG_STREAM] = "stream", [CONFIG_DATAGRAM] = "datagram", [CONFIG_SEQPACKET] = "seqpacket"};
    struct plan *plan = &world->prepared.plan;

    plan->scoreboard = scoreboard;
    for (unsigned i = 0; i < plan->service_count; i++) {
        struct plan_service *service = &plan->services[i];
        enum config_socket_type type = world->config->listeners[i].type;
        struct scoreboard_listener listener = {.scope =
                                                   type == CONFIG_DATAGRAM ? SCOPE_DATAGRAM : SCOPE_STREAM};
        snprintf(listener.name, sizeof(listener.name), "%s", service->name);
        snprintf(listener.protocol, sizeof(listener.protocol), "%s", service->protocol->name);
        snprintf(listener.type, sizeof(listener.type), "%s", types[type]);
        service->tally = scoreboard_take(scoreboard, &listener);
    }
}

static void release_tallies(const struct plan *plan)
{
    for (unsigned i = 0; plan->scoreboard != NULL && i < plan->service_count; i++)
        scoreboard_release(plan->scoreboard, plan->services[i].tally);
}

int world_share(struct world *world, struct scoreboard *scoreboard, const struct world *before)
{
    struct plan *plan = &world->prepared.plan;
    unsigned tables = plan_tables(plan);

    share_tallies(world, scoreboard);
    /* While the workers of before finish, what they have still counts; but tables of another size are others.
     */
    if (before != NULL)
        plan->sources = sources_share(before->prepared.plan.sources, tables, plan->limits.connections);
    if (plan->sources == NULL)
        plan->sources = sources_open(tables, plan->limits.connections);
    /* What a source has had or done stays so, whatever the limits are now. */
    if (plan->sources != NULL)
        plan->rate = before != NULL ? rate_share(before->prepared.plan.rate) : rate_open();
    if (plan->rate != NULL)
        plan->penalty = before != NULL ? penalty_share(before->prepared.plan.penalty) : penalty_open();
    if (plan->penalty != NULL)
        plan->lines = before != NULL ? lines_share(before->prepared.plan.lines) : lines_open();
    if (plan->lines == NULL) {
        log_error("shared memory: %s", strerror(errno));
        return MASTER_NO_SYSTEM;
    }
    enum sandbox_mode mode = sandbox_mode(world->config);
    /* It takes thousands of allocations to make, which at each reload would scatter the heap. */
    if (before != NULL)
        plan->sandbox = sandbox_share(before->prepared.plan.sandbox, mode);
    if (plan->sandbox == NULL)
        plan->sandbox = sandbox_new(mode);
    if (plan->sandbox != NULL)
        return 0;
    log_error("sandbox: %s", strerror(errno));
    return MASTER_NO_SYSTEM;
}

void world_leave(struct world *world, const struct world *keep)
{
    listeners_close(&world->listeners, keep != NULL ? &keep->listeners : NULL);
}

void world_free(struct world *world)
{
    if (world == NULL)
        return;
    release_tallies(&world->prepared.plan);
    sources_close(world->prepared.plan.sources);
    rate_close(world->prepared.plan.rate);
    penalty_close(world->prepared.plan.penalty);
    lines_close(world->prepared.plan.lines);
    sandbox_free(world->prepared.plan.sandbox);
    prepare_free(&world->prepared);
    config_free(world->config);
    free(world);
}
