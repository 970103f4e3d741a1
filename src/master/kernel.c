/* The kernel's figures of listening sockets. Must not know who reads them. */
#include "master/kernel.h"

#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>

#include "base/quote.h"
#include "master/backlog.h"
#include "master/series.h"
#include "master/wanted.h"

/* What sockets can be, as a set. */
enum kind {
    KIND_STREAM = 1,
    KIND_DATAGRAM = 2,
    KIND_PATH = 4 /* for connections, at a path or an abstract name */
};

/* Of one address: of all its sockets together, when each worker has its own. */
struct figures {
    unsigned kind;               /* enum kind; 0: nothing is known */
    uint64_t queue, queue_limit; /* connections that wait to be accepted (listen(2)); 0 for datagrams */
    uint64_t bytes, bytes_limit; /* of datagrams that wait, with the kernel's own for each; 0 for streams */
    uint64_t drops;              /* connections or datagrams; 0 at a path, where clients wait instead */
};

struct question {
    const char *name, *kind, *unit, *help;
    size_t offset;   /* in struct figures */
    unsigned has_it; /* enum kind */
};

static const struct question questions[] = {
    {"listen_queue", "gauge", "", "connections that wait to be accepted", offsetof(struct figures, queue),
     KIND_STREAM | KIND_PATH},
    {"listen_queue_limit", "gauge", "", "how many connections may wait",
     offsetof(struct figures, queue_limit), KIND_STREAM | KIND_PATH},
    {"receive_queue", "gauge", "bytes", "memory of datagrams that wait", offsetof(struct figures, bytes),
     KIND_DATAGRAM},
    {"receive_queue_limit", "gauge", "bytes", "how much memory waiting datagrams may take",
     offsetof(struct figures, bytes_limit), KIND_DATAGRAM},
    {"kernel_drops", "counter", "",
     "connections or datagrams that the kernel dropped, mostly at a full queue",
     offsetof(struct figures, drops), KIND_STREAM | KIND_DATAGRAM}};

/* A listening socket tells its queue where a connection tells its window (tcp_get_info() of the kernel). */
static void add_queue(int fd, struct figures *figures)
{
    struct tcp_info info;
    socklen_t length = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
        return;
    figures->queue += info.tcpi_unacked;
    figures->queue_limit += info.tcpi_sacked;
}

static void add_figures(int fd, struct figures *figures)
{
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof(memory);

    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &length) < 0)
        return;
    figures->drops += memory[SK_MEMINFO_DROPS];
    if (figures->kind == KIND_STREAM) {
        add_queue(fd, figures);
        return;
    }
    figures->bytes += memory[SK_MEMINFO_RMEM_ALLOC];
    figures->bytes_limit += memory[SK_MEMINFO_RCVBUF];
}

/* Each listener at a path has one socket. Where the kernel may not be asked there is no figure, for a wrong
 * one is worse. */
static struct figures figures_at_path(const struct plan_socket *socket)
{
    struct backlog backlog;

    if (socket->type == SOCK_DGRAM || !backlog_ask(socket->fds[0], &backlog))
        return (struct figures){0};
    return (struct figures){.kind = KIND_PATH, .queue = backlog.waiting, .queue_limit = backlog.limit};
}

/* Of the sockets of row number ROW. */
static struct figures figures_of(const struct plan *plan, unsigned row)
{
    const struct plan_socket *socket = &plan->sockets[row];
    struct figures figures = {.kind = plan_is_datagram(plan, row) ? KIND_DATAGRAM : KIND_STREAM};

    if (socket->family == AF_UNIX)
        return figures_at_path(socket);
    for (unsigned i = 0; i < socket->fd_count; i++)
        add_figures(socket->fds[i], &figures);
    return figures;
}

static void write_row(const struct world *world, unsigned row, const struct question *asked,
                      const struct figures *figures, FILE *out)
{
    const struct plan *plan = &world->prepared.plan;
    const struct held *held = listeners_row(&world->listeners, row);
    const struct plan_service *service = &plan->services[plan->sockets[row].service];
    char text[WANTED_TEXT_MAX];

    fputs("value", out);
    quote_put_text(out, "name", asked->name);
    series_listener(service->name, service->protocol->name, series_type(held->type), out);
    quote_put_text(out, "address",
                   wanted_text(held->type, (const struct sockaddr *) &held->address, held->length, text));
    quote_put_number(out, "value", *(const uint64_t *) ((const char *) figures + asked->offset));
    fputc('\n', out);
}

void kernel_write(const struct world *world, FILE *out)
{
    const struct plan *plan = &world->prepared.plan;
    struct figures figures[PLAN_SOCKETS_MAX];

    for (unsigned row = 0; row < plan->socket_count; row++)
        figures[row] = figures_of(plan, row);
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        const struct question *asked = &questions[i];
        series_family(asked->name, asked->kind, asked->unit, asked->help, out);
        for (unsigned row = 0; row < plan->socket_count; row++)
            if ((figures[row].kind & asked->has_it) != 0)
                write_row(world, row, asked, &figures[row], out);
    }
}
