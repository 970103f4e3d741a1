/* A status as metrics. Must not know how they look as text, nor which of them the service counts: what it
 * counts comes with its name, kind, unit and help. */
#include "ctl/metrics.h"

#include <string.h>

/* A metric that is made of one key of each line of one kind. */
struct plain {
    struct exposition_family family;
    const char *word, *key;
};

#define GAUGE(name, help)                   \
    {                                       \
        name, EXPOSITION_GAUGE, "", 1, help \
    }

static const struct plain plains[] = {
    {GAUGE("healthy", "1 while each worker serves, starts or waits to; 0 when a stuck one cannot be ended"),
     "service", "healthy"},
    {GAUGE("generation", "how many reloads were successful since the service began"), "service",
     "generation"},
    {GAUGE("workers", "workers that there should be"), "service", "workers"},
    {GAUGE("workers_ready", "workers that serve"), "service", "ready"},
    {{"uptime", EXPOSITION_GAUGE, "seconds", 1000, "time since the service began"}, "service", "uptime_ms"},
    {GAUGE("slot_connections", "connections that are open, by worker"), "worker", "connections"},
    {{"slot_answers", EXPOSITION_COUNTER, "", 1, "answers given, by worker"}, "worker", "answers"},
    {{"slot_drops", EXPOSITION_COUNTER, "", 1, "connections refused and datagrams dropped, by worker"},
     "worker",
     "drops"},
    {{"slot_cpu", EXPOSITION_COUNTER, "seconds", 1000,
      "processor time of the process that is this worker now"},
     "worker",
     "cpu_ms"},
    {{"slot_heartbeats", EXPOSITION_COUNTER, "", 1,
      "passes of the worker's loop; an idle one makes them, too"},
     "worker",
     "heartbeats"},
};

/* What a line of a word is about: its keys, and the labels that they become. */
static const struct {
    const char *word, *key, *label;
} identities[] = {{"worker", "generation", "generation"}, {"worker", "slot", "slot"},
                  {"listener", "name", "listener"},       {"listener", "protocol", "protocol"},
                  {"listener", "address", "address"},     {"listener", "passed", "passed"}};

static const struct exposition_family build = {"build", EXPOSITION_INFO, "", 1, "the program that runs"};
static const struct exposition_family socket_info = {"socket", EXPOSITION_INFO, "", 1,
                                                     "a socket that is listened on"};
static const struct exposition_family reload_ok = GAUGE(
    "last_reload_ok", "whether the configuration in the files is in force: 0 if the last reload has failed");

static void print_identity(struct exposition *exposition, const struct quote_line *line)
{
    for (size_t i = 0; i < sizeof(identities) / sizeof(identities[0]); i++)
        if (strcmp(identities[i].word, line->word) == 0)
            exposition_label(exposition, identities[i].label, status_text(line, identities[i].key));
}

static void print_plain(struct exposition *exposition, const struct status *status, const struct plain *plain)
{
    const struct quote_line *line;

    exposition_begin(exposition, &plain->family);
    for (unsigned i = 0; (line = status_next(status, plain->word, &i)) != NULL;) {
        uint64_t number = status_true(line, plain->key) ? 1 : status_number(line, plain->key);
        exposition_sample(exposition, EXPOSITION_VALUE);
        print_identity(exposition, line);
        exposition_value(exposition, EXPOSITION_VALUE, number);
    }
}

static void print_infos(struct exposition *exposition, const struct status *status)
{
    const struct quote_line *line;

    exposition_begin(exposition, &build);
    exposition_sample(exposition, EXPOSITION_VALUE);
    exposition_label(exposition, "version", status_text(status_line(status, "service"), "version"));
    exposition_value(exposition, EXPOSITION_VALUE, 1);
    exposition_begin(exposition, &socket_info);
    for (unsigned i = 0; (line = status_next(status, "listener", &i)) != NULL;) {
        exposition_sample(exposition, EXPOSITION_VALUE);
        print_identity(exposition, line);
        exposition_value(exposition, EXPOSITION_VALUE, 1);
    }
}

static void print_reload(struct exposition *exposition, const struct status *status)
{
    bool failed = strcmp(status_text(status_line(status, "reload"), "result"), "failed") == 0;

    exposition_begin(exposition, &reload_ok);
    exposition_sample(exposition, EXPOSITION_VALUE);
    exposition_value(exposition, EXPOSITION_VALUE, !failed);
}

/* ---- What the service tells name, kind, unit and help of ---- */

static enum exposition_kind kind_of(const struct quote_line *metric)
{
    const char *kind = status_text(metric, "kind");

    return strcmp(kind, "counter") == 0     ? EXPOSITION_COUNTER
           : strcmp(kind, "histogram") == 0 ? EXPOSITION_HISTOGRAM
                                            : EXPOSITION_GAUGE;
}

static struct exposition_family family_of(const struct quote_line *metric)
{
    static const struct {
        const char *told, *unit;
        uint64_t divisor;
    } units[] = {{"us", "seconds", 1000000}, {"ms", "seconds", 1000}, {"bytes", "bytes", 1}};
    struct exposition_family family = {status_text(metric, "name"), kind_of(metric), "", 1,
                                       status_text(metric, "help")};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(status_text(metric, "unit"), units[i].told) == 0) {
            family.unit = units[i].unit;
            family.divisor = units[i].divisor;
        }
    return family;
}

/* All that LINE has besides the name of its metric, its value, and the bound of a bucket. */
static void print_labels(struct exposition *exposition, const struct quote_line *line)
{
    static const char *const others[] = {"name", "value", "le"};

    for (unsigned i = 0; i < line->count; i++) {
        const char *key = line->fields[i].key;
        if (strcmp(key, others[0]) != 0 && strcmp(key, others[1]) != 0 && strcmp(key, others[2]) != 0)
            exposition_label(exposition, key, line->fields[i].value);
    }
}

/* The bucket without a bound is the last one, and how many there are. */
static void print_bucket(struct exposition *exposition, const struct quote_line *line)
{
    bool last = quote_find(line, "le") == NULL;
    uint64_t bound = status_number(line, "le"), value = status_number(line, "value");

    exposition_sample(exposition, EXPOSITION_BUCKET);
    print_labels(exposition, line);
    exposition_le(exposition, last ? NULL : &bound);
    exposition_value(exposition, EXPOSITION_BUCKET, value);
    if (!last)
        return;
    exposition_sample(exposition, EXPOSITION_COUNT);
    print_labels(exposition, line);
    exposition_value(exposition, EXPOSITION_COUNT, value);
}

static void print_series(struct exposition *exposition, const struct quote_line *line)
{
    bool histogram = exposition->family->kind == EXPOSITION_HISTOGRAM;
    enum exposition_part part = histogram ? EXPOSITION_SUM : EXPOSITION_VALUE;

    if (histogram && strcmp(line->word, "bucket") == 0) {
        print_bucket(exposition, line);
    } else if (strcmp(line->word, histogram ? "sum" : "value") == 0) {
        exposition_sample(exposition, part);
        print_labels(exposition, line);
        exposition_value(exposition, part, status_number(line, "value"));
    }
}

/* The lines behind a line of "metric" that have its name are its series. */
static void print_told(struct exposition *exposition, const struct status *status)
{
    struct exposition_family family;
    const char *name = NULL;

    for (unsigned i = 0; i < status->count; i++) {
        const struct quote_line *line = &status->lines[i];
        if (strcmp(line->word, "metric") == 0) {
            family = family_of(line);
            name = family.name;
            exposition_begin(exposition, &family);
        } else if (name != NULL && strcmp(status_text(line, "name"), name) == 0) {
            print_series(exposition, line);
        }
    }
}

void metrics_print(FILE *out, const struct status *status, enum exposition_form form)
{
    struct exposition exposition = {.out = out, .form = form};

    print_infos(&exposition, status);
    print_reload(&exposition, status);
    for (size_t i = 0; i < sizeof(plains) / sizeof(plains[0]); i++)
        print_plain(&exposition, status, &plains[i]);
    print_told(&exposition, status);
    exposition_end(&exposition);
}
