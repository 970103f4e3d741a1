/* A status as text. Must not know where it comes from, or whether it is shown once or again and again. */
#include "ctl/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/delays.h"

enum {
    COLUMNS = 80,
    HALF = COLUMNS / 2,
    INDENT = 1
};

/* Writes NUMBER and the noun for so many. */
static void print_count(FILE *out, uint64_t number, const char *noun)
{
    fprintf(out, "%" PRIu64 " %s%s", number, noun, number == 1 ? "" : "s");
}

static void print_duration(FILE *out, uint64_t ms)
{
    uint64_t seconds = ms / 1000, minutes = seconds / 60, hours = minutes / 60;

    if (hours >= 24)
        fprintf(out, "%" PRIu64 " d %" PRIu64 " h", hours / 24, hours % 24);
    else if (hours > 0)
        fprintf(out, "%" PRIu64 " h %" PRIu64 " min", hours, minutes % 60);
    else if (minutes > 0)
        fprintf(out, "%" PRIu64 " min %" PRIu64 " s", minutes, seconds % 60);
    else
        fprintf(out, "%" PRIu64 " s", seconds);
}

void text_health(FILE *out, const struct status *status)
{
    const struct quote_line *service = status_line(status, "service");

    fputs("hellod ", out);
    quote_show(out, status_text(service, "version"));
    fputs(status_true(service, "healthy") ? " is healthy: " : " is NOT HEALTHY: ", out);
    quote_show(out, status_text(service, "state"));
    fprintf(out, ", %" PRIu64 " of ", status_number(service, "ready"));
    print_count(out, status_number(service, "workers"), "worker");
    fputs(" ready, up ", out);
    print_duration(out, status_number(service, "uptime_ms"));
    fputc('\n', out);
}

/* The sum of all that the metric NAME counts. */
static uint64_t sum_of(const struct status *status, const char *name)
{
    const struct quote_line *line;
    uint64_t sum = 0;

    for (unsigned i = 0; (line = status_next(status, "value", &i)) != NULL;)
        if (strcmp(status_text(line, "name"), name) == 0)
            sum += status_number(line, "value");
    return sum;
}

static void print_service(FILE *out, const struct status *status)
{
    const struct quote_line *service = status_line(status, "service");
    uint64_t restarts = sum_of(status, "worker_restarts");

    fprintf(out, "pid %" PRIu64 ", generation %" PRIu64 ", log level ", status_number(service, "pid"),
            status_number(service, "generation"));
    quote_show(out, status_text(service, "log_level"));
    fputs(", ", out);
    quote_show(out, status_text(service, "config"));
    fputc('\n', out);
    print_count(out, status_number(service, "connections"), "connection");
    fputs(", ", out);
    print_count(out, status_number(service, "answers"), "answer");
    if (restarts > 0) {
        fputs(", ", out);
        print_count(out, restarts, "worker");
        fputs(" replaced", out);
    }
    fputc('\n', out);
}

/* US microseconds that were not exceeded. */
static void print_bound(FILE *out, uint64_t us)
{
    if (us == UINT64_MAX)
        fputs("longer", out);
    else if (us < 1000)
        fprintf(out, "%" PRIu64 " us", us);
    else if (us < 1000000)
        fprintf(out, "%.1f ms", (double) us / 1000);
    else
        fprintf(out, "%.1f s", (double) us / 1000000);
}

/* How long answers took, if there were any. */
static void print_delays(FILE *out, const struct status *status)
{
    static const char name[] = "answer_time";
    uint64_t half = delays_within(status, name, 500);

    if (half == DELAYS_NONE)
        return;
    fputs("half of them within ", out);
    print_bound(out, half);
    fputs(", 99 % within ", out);
    print_bound(out, delays_within(status, name, 990));
    fputs(", 99.9 % within ", out);
    print_bound(out, delays_within(status, name, 999));
    fputc('\n', out);
}

static void print_listener(FILE *out, const struct quote_line *listener)
{
    quote_show(out, status_text(listener, "name"));
    fputs(": ", out);
    quote_show(out, status_text(listener, "address"));
    if (status_true(listener, "passed"))
        fputs(" (passed)", out);
}

static void print_worker(FILE *out, const struct quote_line *worker)
{
    char name[32];

    snprintf(name, sizeof(name), "%" PRIu64 ".%" PRIu64, status_number(worker, "generation"),
             status_number(worker, "slot"));
    fprintf(out, "%5s %7" PRIu64 " ", name, status_number(worker, "pid"));
    quote_show(out, status_text(worker, "state"));
    /* States have at most 8 bytes; what is longer pushes the rest of its line. */
    fprintf(out, "%*s %5" PRIu64 "/%" PRIu64, (int) (8 - strnlen(status_text(worker, "state"), 8)), "",
            status_number(worker, "connections"), status_number(worker, "answers"));
}

typedef void print_cell(FILE *out, const struct quote_line *line);

/* The characters in TEXT, one a column, which is true of nearly all. */
static size_t width(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; count++)
        text += quote_character(text);
    return count;
}

/* What PRINT makes of LINE; the caller frees it. NULL when memory is short. */
static char *cell(const struct quote_line *line, print_cell *print)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    if (out == NULL)
        return NULL;
    print(out, line);
    return fclose(out) == 0 ? text : NULL;
}

/* Cells, two of them on a line where they fit beside each other. */
struct columns {
    FILE *out;
    size_t at;
};

/* Adds what PRINT makes of LINE. */
static void add_cell(struct columns *columns, const struct quote_line *line, print_cell *print)
{
    char *text = cell(line, print);
    size_t at = columns->at;

    if (text == NULL)
        return;
    size_t length = width(text);
    bool beside = at > 0 && at < HALF && length + INDENT < HALF;
    if (at > 0 && !beside)
        fputc('\n', columns->out);
    fprintf(columns->out, "%*s%s", (int) (beside ? HALF + INDENT - at : INDENT), "", text);
    columns->at = beside ? COLUMNS : INDENT + length;
    free(text);
}

static void end_cells(struct columns *columns)
{
    if (columns->at > 0)
        fputc('\n', columns->out);
}

static void list_listeners(FILE *out, const struct status *status)
{
    struct columns columns = {.out = out};
    const struct quote_line *line;

    fputs("listeners\n", out);
    for (unsigned i = 0; (line = status_next(status, "listener", &i)) != NULL;)
        add_cell(&columns, line, print_listener);
    end_cells(&columns);
}

/* Those that do not serve come first: there may be too many to look at all. */
static void list_workers(FILE *out, const struct status *status)
{
    struct columns columns = {.out = out};
    const struct quote_line *line;

    fputs("workers: number, pid, state, connections/answers\n", out);
    for (int ready = 0; ready <= 1; ready++)
        for (unsigned i = 0; (line = status_next(status, "worker", &i)) != NULL;)
            if ((strcmp(status_text(line, "state"), "ready") == 0) == ready)
                add_cell(&columns, line, print_worker);
    end_cells(&columns);
}

/* Of what a dry run would have dropped, its help says so. */
static bool is_shown(const char *name)
{
    return status_is_refusal(name) || strncmp(name, "would_drop_", strlen("would_drop_")) == 0;
}

/* Writes that there were VALUE times what HELP says, if there were any, below a title that *ANY tells of. */
static void print_refusal(FILE *out, uint64_t value, const char *help, bool *any)
{
    if (value == 0)
        return;
    if (!*any)
        fputs("refused or dropped so far\n", out);
    *any = true;
    fprintf(out, "%10" PRIu64 "  ", value);
    quote_show(out, help);
    fputc('\n', out);
}

static void print_refusals(FILE *out, const struct status *status)
{
    const struct quote_line *line;
    bool any = false;

    for (unsigned i = 0; (line = status_next(status, "counter", &i)) != NULL;)
        if (is_shown(status_text(line, "name")))
            print_refusal(out, status_number(line, "value"), status_text(line, "help"), &any);
    /* They are counted for each socket, and not among the counters. */
    print_refusal(out, sum_of(status, "kernel_drops"), "dropped by the kernel, before hellod saw it", &any);
    if (!any)
        fputs("nothing refused or dropped so far\n", out);
}

void text_reload(FILE *out, const struct status *status)
{
    const struct quote_line *reload = status_line(status, "reload");
    const char *result = status_text(reload, "result");
    const char *reason = status_text(reload, "reason");

    if (*result == '\0' || strcmp(result, "none") == 0) {
        fputs("no reload so far\n", out);
        return;
    }
    fprintf(out, "reload %" PRIu64 ": ", status_number(reload, "number"));
    quote_show(out, result);
    fputs(", ", out);
    print_duration(out, status_number(reload, "age_ms"));
    fputs(" ago", out);
    if (*reason != '\0') {
        fputs("\n  ", out);
        quote_show(out, reason);
    }
    fputc('\n', out);
}

static void print_head(FILE *out, const struct status *status)
{
    text_health(out, status);
    print_service(out, status);
    print_delays(out, status);
}

void text_part(FILE *out, const struct status *status, enum text_part part)
{
    static void (*const prints[TEXT_PARTS])(FILE * out, const struct status *status) = {
        [TEXT_HEAD] = print_head,         [TEXT_LISTENERS] = list_listeners, [TEXT_WORKERS] = list_workers,
        [TEXT_REFUSALS] = print_refusals, [TEXT_RELOAD] = text_reload,
    };

    prints[part](out, status);
}

void text_status(FILE *out, const struct status *status)
{
    for (enum text_part part = 0; part < TEXT_PARTS; part++)
        text_part(out, status, part);
}
