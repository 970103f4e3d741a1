/* Listening sockets from several sources, entered in the plan as if there were one.
 *
 * A socket that is there is never given up as long as its address is wanted, for the connections and
 * datagrams that wait in it would be lost with it. So there may be more of an address than are needed: when
 * the pool shrinks, per_worker is switched off, or one address becomes all. They get rows of their own in the
 * plan and are served like the others. */
#include "master/listeners.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "master/activation.h"
#include "master/matching.h"
#include "master/opening.h"
#include "master/store.h"

enum {
    /* A service manager closes what it has in store a moment after it has said that the service is stopped,
     * and whoever starts the service again at once finds the addresses in use. */
    START_PATIENCE_MS = 500
};

static const char *in_words(const struct held *held, char text[WANTED_TEXT_MAX])
{
    return wanted_text(held->type, (const struct sockaddr *) &held->address, held->length, text);
}

/* What there is before anything is bound. */
static int gather(struct held_list *held, const struct listeners *before)
{
    if (before == NULL)
        return activation_take(held);
    for (unsigned i = 0; i < before->held.count; i++)
        if (held_add(held, &before->held.sockets[i]) < 0) {
            log_error("listening sockets: %s", strerror(errno));
            return -1;
        }
    return 0;
}

static void close_one(struct held *held, bool keep_path)
{
    if (!keep_path)
        binding_remove_path(&held->path);
    close(held->fd);
}

/* A stream's socket is closed for all who have it, the service manager's store among them: clients are
 * refused from now on. */
static void shut(int fd, int type)
{
    if (type != SOCK_DGRAM)
        shutdown(fd, SHUT_RDWR);
}

static void close_unwanted(struct held *held)
{
    char text[WANTED_TEXT_MAX];

    log_event(LOG_LEVEL_INFO, EVENT_NONE, &(struct fields){.listener = held->name}, "listener %s: %s closed",
              held->name, in_words(held, text));
    close_one(held, false);
}

/* Takes those out of the list that nobody asks for. Those of the world before are still needed there; nobody
 * needs those that have come out of the store. */
static void drop_unwanted(struct held_list *held, const struct listeners *before)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < held->count; i++) {
        struct held *one = &held->sockets[i];
        if (one->wanted != HELD_UNWANTED) {
            held->sockets[kept++] = *one;
        } else if (before != NULL) {
            held_settle(one);
        } else {
            shut(one->fd, one->type);
            close_unwanted(one);
        }
    }
    held->count = kept;
}

/* By what they are for, then by address. */
static int compare_places(const struct held *one, const struct held *other)
{
    if (one->wanted != other->wanted)
        return one->wanted < other->wanted ? -1 : 1;
    if (one->covered != other->covered)
        return one->covered ? 1 : -1;
    return memcmp(&one->address, &other->address, sizeof(one->address));
}

static int in_order(const void *a, const void *b)
{
    const struct held *one = a, *other = b;
    int places = compare_places(one, other);

    return places != 0 ? places : one->fd - other->fd;
}

/* How many from number FIRST on are for the same address. */
static unsigned run_from(const struct held_list *held, unsigned first)
{
    unsigned i = first;

    while (i < held->count && compare_places(&held->sockets[i], &held->sockets[first]) == 0)
        i++;
    return i - first;
}

static unsigned count_rows(const struct listeners *listeners)
{
    const struct held_list *held = &listeners->held;
    unsigned rows = 0;

    for (unsigned i = 0, run; i < held->count; i += run) {
        run = run_from(held, i);
        rows += (run + listeners->plan->workers - 1) / listeners->plan->workers;
    }
    return rows;
}

/* Closes what is left over from larger pools, when it is too much to be served: there is no other way for a
 * start. */
static void trim(struct listeners *listeners)
{
    struct held_list *held = &listeners->held;
    unsigned kept = 0;

    for (unsigned i = 0, run; i < held->count; i += run) {
        run = run_from(held, i);
        for (unsigned j = 0; j < run; j++)
            if (j < listeners->plan->workers)
                held->sockets[kept++] = held->sockets[i + j];
            else
                close_unwanted(&held->sockets[i + j]);
    }
    held->count = kept;
}

static void add_row(struct listeners *listeners, const struct wanted *wanted, unsigned first, unsigned count)
{
    const struct held *held = &listeners->held.sockets[first];

    listeners->plan->sockets[listeners->plan->socket_count++] =
        (struct plan_socket){.service = wanted->listener,
                             .family = held->address.ss_family,
                             .type = held->type,
                             .fds = listeners->fds + first,
                             .fd_count = count};
}

/* Enters the sockets of one address, from number FIRST on, as rows of one a worker; the last may have fewer.
 */
static void add_rows(struct listeners *listeners, const struct wanted *wanted, unsigned first, unsigned count)
{
    unsigned workers = listeners->plan->workers;

    for (unsigned i = 0; i < count; i++) {
        struct held *held = &listeners->held.sockets[first + i];
        held->shared = count > 1;
        listeners->fds[first + i] = held->fd;
        if (i % workers == 0)
            add_row(listeners, wanted, first + i, count - i < workers ? count - i : workers);
    }
}

static int arrange(struct listeners *listeners, const struct wanted *wanted, bool starting)
{
    struct held_list *held = &listeners->held;

    if (held->count > 0)
        qsort(held->sockets, held->count, sizeof(held->sockets[0]), in_order);
    if (starting && count_rows(listeners) > PLAN_SOCKETS_MAX)
        trim(listeners);
    if (count_rows(listeners) > PLAN_SOCKETS_MAX) {
        log_error("more sockets are left over from larger pools than can be served: restart the service");
        return -1;
    }
    listeners->fds = calloc(held->count + 1, sizeof(int));
    if (listeners->fds == NULL) {
        log_error("listening sockets: %s", strerror(errno));
        return -1;
    }
    for (unsigned i = 0, run; i < held->count; i += run) {
        run = run_from(held, i);
        add_rows(listeners, &wanted[held->sockets[i].wanted], i, run);
    }
    return 0;
}

/* Every listener must have a socket, also one whose both families are missing. */
static int check_all_served(const struct listeners *listeners, const struct config *config)
{
    bool served[PLAN_SERVICES_MAX] = {false};
    int result = 0;

    for (unsigned i = 0; i < listeners->plan->socket_count; i++)
        served[listeners->plan->sockets[i].service] = true;
    for (unsigned i = 0; i < config->listener_count; i++) {
        if (served[i])
            continue;
        log_error("listener %s has no address on this host", config->listeners[i].name);
        result = -1;
    }
    return result;
}

const struct held *listeners_row(const struct listeners *listeners, unsigned row)
{
    return &listeners->held.sockets[listeners->plan->sockets[row].fds - listeners->fds];
}

/* Says which sockets are new, those of one address once. */
static void announce(const struct listeners *listeners, const struct listeners *before)
{
    const struct plan *plan = listeners->plan;
    const struct held *held = NULL;

    for (unsigned row = 0; row < plan->socket_count; row++) {
        const struct held *last = held;
        const char *name = plan->services[plan->sockets[row].service].name;
        char text[WANTED_TEXT_MAX];
        held = listeners_row(listeners, row);
        if ((last != NULL && compare_places(last, held) == 0) ||
            (before != NULL && held_has(&before->held, held->fd)))
            continue;
        const struct fields about = {.listener = name};
        in_words(held, text);
        if (held->origin == HELD_BOUND)
            log_event(LOG_LEVEL_INFO, EVENT_NONE, &about, "listener %s: %s", name, text);
        else
            log_event(LOG_LEVEL_INFO, EVENT_NONE, &about, "listener %s: %s (%s as descriptor %d)", name, text,
                      held->origin == HELD_PASSED ? "passed" : "stored", held->fd);
    }
}

/* Returns 0, or -1 with whatever there is so far in LISTENERS. */
static int open_all(struct listeners *listeners, const struct config *config, const struct listeners *before)
{
    struct held_list *held = &listeners->held;
    struct wanted wanted[PLAN_SOCKETS_MAX];
    unsigned count = wanted_list(config, wanted);

    if (gather(held, before) < 0 || matching_run(config, wanted, count, held) < 0 ||
        opening_run(config, wanted, count, listeners->plan->workers, before == NULL ? START_PATIENCE_MS : 0,
                    held) < 0)
        return -1;
    drop_unwanted(held, before);
    if (arrange(listeners, wanted, before == NULL) < 0)
        return -1;
    return check_all_served(listeners, config);
}

static void settle(const struct listeners *listeners)
{
    for (unsigned i = 0; i < listeners->held.count; i++)
        held_settle(&listeners->held.sockets[i]);
}

int listeners_open(struct listeners *listeners, const struct config *config, struct plan *plan,
                   const struct listeners *before)
{
    *listeners = (struct listeners){.plan = plan};
    if (open_all(listeners, config, before) < 0) {
        listeners_close(listeners, before);
        return -1;
    }
    settle(listeners);
    announce(listeners, before);
    return 0;
}

void listeners_end(struct listeners *listeners, const struct listeners *next)
{
    for (unsigned row = 0; row < listeners->plan->socket_count; row++)
        listeners->plan->sockets[row].ends = !held_has(&next->held, listeners->plan->sockets[row].fds[0]);
}

void listeners_shut(const struct listeners *listeners)
{
    for (unsigned row = 0; row < listeners->plan->socket_count; row++) {
        const struct plan_socket *socket = &listeners->plan->sockets[row];
        for (unsigned i = 0; socket->ends && i < socket->fd_count; i++)
            shut(socket->fds[i], socket->type);
    }
}

void listeners_store(const struct listeners *listeners)
{
    store_keep(&listeners->held);
}

/* Whether this is a stop or a restart nobody tells a service. After a restart clients must still find the
 * path of a socket that waits in the store, so it stays; when the service has really stopped,
 * RuntimeDirectory= of systemd.exec(5) takes it away, and RuntimeDirectoryPreserve=restart keeps it in the
 * other case. What is left elsewhere is stale, and replaced by the next start. */
static bool waits_in_store(const struct held *held)
{
    return held->origin != HELD_PASSED && store_find(held->fd) != NULL;
}

void listeners_close(struct listeners *listeners, const struct listeners *keep)
{
    for (unsigned i = 0; i < listeners->held.count; i++) {
        struct held *held = &listeners->held.sockets[i];
        if (keep == NULL)
            close_one(held, waits_in_store(held));
        else if (!held_has(&keep->held, held->fd))
            close_unwanted(held);
    }
    if (keep != NULL)
        settle(keep);
    listeners->plan->socket_count = 0;
    free(listeners->held.sockets);
    free(listeners->fds);
    *listeners = (struct listeners){.plan = listeners->plan};
}
