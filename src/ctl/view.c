/* What `top` shows, as text. Must not know terminals or sockets. */
#include "ctl/view.h"

#include <inttypes.h>
#include <string.h>

#include "ctl/text.h"

enum {
    AROUND_WORKERS = 6 /* lines above and below them, if the last reload failed */
};

/* What happened in a second; negative: not known. */
struct rates {
    double answers, drops, cpu;
};

/* By how much a value has grown a second in MS milliseconds; what has become less was started afresh. */
static double rate(uint64_t before, uint64_t now, uint64_t ms)
{
    return ms == 0 || now < before ? -1 : (double) (now - before) * 1000 / (double) ms;
}

/* The line of STATUS about the same process as WORKER, or NULL. */
static const struct quote_line *same_worker(const struct status *status, const struct quote_line *worker)
{
    const struct quote_line *line;

    for (unsigned i = 0; (line = status_next(status, "worker", &i)) != NULL;)
        if (status_number(line, "pid") == status_number(worker, "pid") &&
            status_number(line, "generation") == status_number(worker, "generation") &&
            status_number(line, "slot") == status_number(worker, "slot"))
            return line;
    return NULL;
}

static struct rates worker_rates(const struct look *before, const struct look *now,
                                 const struct quote_line *worker)
{
    const struct quote_line *old = before->at_ms > 0 ? same_worker(&before->status, worker) : NULL;
    uint64_t ms = now->at_ms - before->at_ms;

    if (old == NULL)
        return (struct rates){-1, -1, -1};
    return (struct rates){
        .answers = rate(status_number(old, "answers"), status_number(worker, "answers"), ms),
        .drops = rate(status_number(old, "drops"), status_number(worker, "drops"), ms),
        .cpu = rate(status_number(old, "cpu_ms"), status_number(worker, "cpu_ms"), ms) / 10};
}

static void print_rate(FILE *out, double value, int width)
{
    if (value < 0)
        fprintf(out, " %*s", width, "-");
    else
        fprintf(out, " %*.1f", width, value);
}

static void print_row(FILE *out, const struct look *before, const struct look *now,
                      const struct quote_line *worker)
{
    struct rates rates = worker_rates(before, now, worker);

    fprintf(out, "%4" PRIu64 " %4" PRIu64 " %8" PRIu64 " ", status_number(worker, "generation"),
            status_number(worker, "slot"), status_number(worker, "pid"));
    quote_show(out, status_text(worker, "state"));
    /* States have at most 8 bytes; what is longer pushes the rest of its line. */
    fprintf(out, "%*s %11" PRIu64, (int) (8 - strnlen(status_text(worker, "state"), 8)), "",
            status_number(worker, "connections"));
    print_rate(out, rates.answers, 12);
    print_rate(out, rates.drops, 10);
    print_rate(out, rates.cpu, 6);
    fprintf(out, " %8" PRIu64 "\n", status_number(worker, "restarts"));
}

static unsigned count_workers(const struct status *status)
{
    unsigned count = 0;

    for (unsigned i = 0; status_next(status, "worker", &i) != NULL;)
        count++;
    return count;
}

static void print_workers(FILE *out, const struct look *before, const struct look *now, unsigned rows)
{
    unsigned count = count_workers(&now->status), shown = count <= rows ? count : rows > 0 ? rows - 1 : 0;
    unsigned i = 0;

    fputs(" GEN SLOT      PID STATE    CONNECTIONS    ANSWERS/S    DROPS/S  CPU % RESTARTS\n", out);
    for (unsigned n = 0; n < shown; n++)
        print_row(out, before, now, status_next(&now->status, "worker", &i));
    if (shown < count)
        fprintf(out, "     and %u more\n", count - shown);
}

/* The sum of what was refused or dropped. */
static uint64_t refusals(const struct status *status)
{
    const struct quote_line *line;
    uint64_t sum = 0;

    for (unsigned i = 0; (line = status_next(status, "counter", &i)) != NULL;)
        if (status_is_refusal(status_text(line, "name")))
            sum += status_number(line, "value");
    return sum;
}

static void print_totals(FILE *out, const struct look *before, const struct look *now)
{
    const struct quote_line *service = status_line(&now->status, "service");
    uint64_t ms = before->at_ms > 0 ? now->at_ms - before->at_ms : 0;
    uint64_t answers_before = status_number(status_line(&before->status, "service"), "answers");

    fprintf(out, "connections: %" PRIu64 "   answers: %" PRIu64 "   answers/s:",
            status_number(service, "connections"), status_number(service, "answers"));
    print_rate(out, rate(answers_before, status_number(service, "answers"), ms), 0);
    fputs("   refused or dropped/s:", out);
    print_rate(out, rate(refusals(&before->status), refusals(&now->status), ms), 0);
    fputc('\n', out);
}

void view_print(FILE *out, const struct look *before, const struct look *now, const char *trouble,
                unsigned rows)
{
    if (trouble != NULL) {
        quote_show(out, trouble);
        fputc('\n', out);
    } else {
        text_health(out, &now->status);
    }
    print_totals(out, before, now);
    print_workers(out, before, now, rows > AROUND_WORKERS ? rows - AROUND_WORKERS : 0);
    text_reload(out, &now->status);
    fputs("q ends\n", out);
}
