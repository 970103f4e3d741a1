/* The lines of "status". Must not know who reads them. */
#include "master/status.h"

#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/quote.h"
#include "master/kernel.h"
#include "master/series.h"
#include "master/wanted.h"

#ifndef HELLOD_VERSION
#error "HELLOD_VERSION is set by the Makefile"
#endif

static const char *state_of(const struct status_sources *sources)
{
    if (sources->stopping)
        return "stopping";
    if (!sources->ready)
        return "starting";
    return sources->reload->result == RELOAD_RUNNING ? "reloading" : "serving";
}

static void write_service(const struct status_sources *sources, FILE *out)
{
    const struct scoreboard *scoreboard = sources->scoreboard;

    fputs("service", out);
    quote_put_text(out, "version", HELLOD_VERSION);
    quote_put_number(out, "pid", (uint64_t) getpid());
    quote_put_text(out, "state", state_of(sources));
    quote_put_truth(out, "healthy", pool_healthy(sources->pool));
    quote_put_number(out, "generation", pool_generation(sources->pool));
    quote_put_number(out, "uptime_ms", clock_ms() - sources->started_ms);
    quote_put_number(out, "workers", sources->reload->current->prepared.plan.workers);
    quote_put_number(out, "ready", pool_ready_count(sources->pool));
    quote_put_number(out, "connections", scoreboard_live(scoreboard));
    quote_put_number(out, "answers",
                     scoreboard_total(scoreboard, COUNTER_answers) +
                         scoreboard_total(scoreboard, COUNTER_datagram_answers));
    quote_put_text(out, "log_level", log_level_name(log_get_level()));
    quote_put_text(out, "config", sources->reload->source.file);
    fputc('\n', out);
}

static void write_reload(const struct reload *reload, FILE *out)
{
    static const char *const words[] = {
        [RELOAD_NONE] = "none", [RELOAD_RUNNING] = "running", [RELOAD_OK] = "ok", [RELOAD_FAILED] = "failed"};
    bool over = reload->result == RELOAD_OK || reload->result == RELOAD_FAILED;

    fputs("reload", out);
    quote_put_number(out, "number", reload->number);
    quote_put_text(out, "result", words[reload->result]);
    quote_put_number(out, "age_ms", over ? clock_ms() - reload->ended_ms : 0);
    quote_put_text(out, "reason", over ? reload->reason : "");
    fputc('\n', out);
}

static void write_listeners(const struct world *world, FILE *out)
{
    const struct plan *plan = &world->prepared.plan;

    for (unsigned i = 0; i < plan->socket_count; i++) {
        const struct held *held = listeners_row(&world->listeners, i);
        const struct plan_service *service = &plan->services[plan->sockets[i].service];
        char text[WANTED_TEXT_MAX];

        fputs("listener", out);
        quote_put_text(out, "name", service->name);
        quote_put_text(out, "protocol", service->protocol->name);
        quote_put_text(out, "address",
                       wanted_text(held->type, (const struct sockaddr *) &held->address, held->length, text));
        quote_put_truth(out, "passed", held->origin == HELD_PASSED);
        quote_put_text(out, "type", series_type(held->type));
        fputc('\n', out);
    }
}

/* Connections refused and datagrams dropped: all that somebody asked for and did not get. */
static uint64_t drops(const struct scoreboard *scoreboard, unsigned block)
{
    uint64_t sum = scoreboard_counted(scoreboard, block, COUNTER_datagram_unsent);

    for (enum counter i = COUNTER_refused_full; i <= COUNTER_refused_descriptors; i++)
        sum += scoreboard_counted(scoreboard, block, i);
    for (enum counter i = COUNTER_drop_access; i <= COUNTER_drop_budget; i++)
        sum += scoreboard_counted(scoreboard, block, i);
    return sum;
}

struct worker_lines {
    const struct scoreboard *scoreboard;
    FILE *out;
};

static void write_worker(const struct slot *slot, void *userdata)
{
    static const char *const words[] = {[SLOT_EMPTY] = "waiting",
                                        [SLOT_STARTING] = "starting",
                                        [SLOT_READY] = "ready",
                                        [SLOT_DRAINING] = "draining",
                                        [SLOT_AWAY] = "draining"};
    const struct worker_lines *lines = userdata;
    const struct scoreboard *scoreboard = lines->scoreboard;
    unsigned block = scoreboard_index(slot->generation, slot->number);
    bool there = slot->state != SLOT_EMPTY;
    FILE *out = lines->out;

    fputs("worker", out);
    quote_put_number(out, "generation", slot->generation);
    quote_put_number(out, "slot", slot->number);
    quote_put_number(out, "pid", there ? (uint64_t) slot->pid : 0);
    quote_put_text(out, "state", words[slot->state]);
    quote_put_number(out, "connections", atomic_load(&scoreboard->blocks[block].live));
    quote_put_number(out, "answers",
                     scoreboard_counted(scoreboard, block, COUNTER_answers) +
                         scoreboard_counted(scoreboard, block, COUNTER_datagram_answers));
    quote_put_number(out, "drops", drops(scoreboard, block));
    quote_put_number(out, "cpu_ms", there ? stuck_cpu_ms(slot->pid) : 0);
    quote_put_number(out, "age_ms", there ? clock_ms() - slot->started_ms : 0);
    quote_put_number(out, "heartbeats", atomic_load(&scoreboard->blocks[block].beat));
    quote_put_number(out, "restarts", scoreboard_of_slot(scoreboard, slot->number, COUNTER_worker_restarts));
    fputc('\n', out);
}

static void write_counters(const struct scoreboard *scoreboard, FILE *out)
{
    for (enum counter i = 0; i < COUNTER_COUNT; i++) {
        fputs("counter", out);
        quote_put_text(out, "name", counter_rows[i].name);
        /* Of lines, the master has lost some itself. */
        quote_put_number(out, "value",
                         scoreboard_total(scoreboard, i) + (i == COUNTER_log_lost ? log_losses() : 0));
        quote_put_text(out, "help", counter_rows[i].help);
        fputc('\n', out);
    }
}

/* Of all slots that there ever were, so that together they never go backwards. */
static void write_restarts(const struct scoreboard *scoreboard, FILE *out)
{
    static const char name[] = "slot_restarts";

    series_family(name, "counter", "", "workers that died and are replaced, by slot", out);
    for (uint32_t slot = 0; slot < scoreboard_slots(scoreboard); slot++) {
        fputs("value", out);
        quote_put_text(out, "name", name);
        quote_put_number(out, "slot", slot);
        quote_put_number(out, "value", scoreboard_of_slot(scoreboard, slot, COUNTER_worker_restarts));
        fputc('\n', out);
    }
}

static void add_cpu(const struct slot *slot, void *userdata)
{
    uint64_t *sum = userdata;

    if (slot->state != SLOT_EMPTY)
        *sum += stuck_cpu_ms(slot->pid);
}

static uint64_t milliseconds(const struct timeval *time)
{
    return (uint64_t) time->tv_sec * 1000 + (uint64_t) time->tv_usec / 1000;
}

/* Those that have ended are remembered by the kernel. */
static void write_cpu(const struct pool *pool, FILE *out)
{
    struct rusage ended;

    if (getrusage(RUSAGE_CHILDREN, &ended) < 0)
        return;
    uint64_t sum = milliseconds(&ended.ru_utime) + milliseconds(&ended.ru_stime);
    pool_look(pool, add_cpu, &sum);
    series_family("worker_cpu", "counter", "ms", "processor time of all workers that there ever were", out);
    series_value("worker_cpu", sum, out);
}

void status_write(const struct status_sources *sources, FILE *out)
{
    struct worker_lines lines = {sources->scoreboard, out};

    write_service(sources, out);
    write_reload(sources->reload, out);
    write_listeners(sources->reload->current, out);
    pool_look(sources->pool, write_worker, &lines);
    write_counters(sources->scoreboard, out);
    series_write(sources->scoreboard, out);
    kernel_write(sources->reload->current, out);
    write_restarts(sources->scoreboard, out);
    write_cpu(sources->pool, out);
}
