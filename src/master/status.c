/* The lines of "status". Must not know who reads them. */
#include "master/status.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/quote.h"
#include "master/wanted.h"

#ifndef HELLOD_VERSION
#error "HELLOD_VERSION is set by the Makefile"
#endif

static void write_string(FILE *out, const char *key, const char *text)
{
    fprintf(out, " %s=", key);
    quote_print(out, text);
}

static void write_number(FILE *out, const char *key, uint64_t number)
{
    fprintf(out, " %s=%llu", key, (unsigned long long) number);
}

static void write_truth(FILE *out, const char *key, bool truth)
{
    fprintf(out, " %s=%s", key, truth ? "true" : "false");
}

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
    write_string(out, "version", HELLOD_VERSION);
    write_number(out, "pid", (uint64_t) getpid());
    write_string(out, "state", state_of(sources));
    write_truth(out, "healthy", pool_healthy(sources->pool));
    write_number(out, "generation", pool_generation(sources->pool));
    write_number(out, "uptime_ms", clock_ms() - sources->started_ms);
    write_number(out, "workers", sources->reload->current->prepared.plan.workers);
    write_number(out, "ready", pool_ready_count(sources->pool));
    write_number(out, "connections", scoreboard_live(scoreboard));
    write_number(out, "answers",
                 scoreboard_total(scoreboard, COUNTER_answers) +
                     scoreboard_total(scoreboard, COUNTER_datagram_answers));
    write_string(out, "log_level", log_level_name(log_get_level()));
    write_string(out, "config", sources->reload->source.file);
    fputc('\n', out);
}

static void write_reload(const struct reload *reload, FILE *out)
{
    static const char *const words[] = {
        [RELOAD_NONE] = "none", [RELOAD_RUNNING] = "running", [RELOAD_OK] = "ok", [RELOAD_FAILED] = "failed"};
    bool over = reload->result == RELOAD_OK || reload->result == RELOAD_FAILED;

    fputs("reload", out);
    write_number(out, "number", reload->number);
    write_string(out, "result", words[reload->result]);
    write_number(out, "age_ms", over ? clock_ms() - reload->ended_ms : 0);
    write_string(out, "reason", over ? reload->reason : "");
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
        write_string(out, "name", service->name);
        write_string(out, "protocol", service->protocol->name);
        write_string(out, "address",
                     wanted_text(held->type, (const struct sockaddr *) &held->address, held->length, text));
        write_truth(out, "passed", held->origin == HELD_PASSED);
        fputc('\n', out);
    }
}

static uint64_t counted(const struct score *score, enum counter counter)
{
    return atomic_load_explicit(&score->counter[counter], memory_order_relaxed);
}

/* Connections refused and datagrams dropped: all that somebody asked for and did not get. */
static uint64_t drops(const struct score *score)
{
    uint64_t sum = counted(score, COUNTER_datagram_unsent);

    for (enum counter i = COUNTER_refused_full; i <= COUNTER_refused_descriptors; i++)
        sum += counted(score, i);
    for (enum counter i = COUNTER_drop_access; i <= COUNTER_drop_budget; i++)
        sum += counted(score, i);
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
    const struct score *score = &lines->scoreboard->blocks[scoreboard_index(slot->generation, slot->number)];
    bool there = slot->state != SLOT_EMPTY;
    FILE *out = lines->out;

    fputs("worker", out);
    write_number(out, "generation", slot->generation);
    write_number(out, "slot", slot->number);
    write_number(out, "pid", there ? (uint64_t) slot->pid : 0);
    write_string(out, "state", words[slot->state]);
    write_number(out, "connections", atomic_load(&score->live));
    write_number(out, "answers", counted(score, COUNTER_answers) + counted(score, COUNTER_datagram_answers));
    write_number(out, "drops", drops(score));
    write_number(out, "cpu_ms", there ? stuck_cpu_ms(slot->pid) : 0);
    write_number(out, "age_ms", there ? clock_ms() - slot->started_ms : 0);
    fputc('\n', out);
}

static void write_counters(const struct scoreboard *scoreboard, FILE *out)
{
    for (enum counter i = 0; i < COUNTER_COUNT; i++) {
        fputs("counter", out);
        write_string(out, "name", scoreboard_counter_name(i));
        write_number(out, "value", scoreboard_total(scoreboard, i));
        write_string(out, "help", scoreboard_counter_help(i));
        fputc('\n', out);
    }
}

void status_write(const struct status_sources *sources, FILE *out)
{
    struct worker_lines lines = {sources->scoreboard, out};

    write_service(sources, out);
    write_reload(sources->reload, out);
    write_listeners(sources->reload->current, out);
    pool_look(sources->pool, write_worker, &lines);
    write_counters(sources->scoreboard, out);
}
