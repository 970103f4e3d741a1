/* For the tests of listeners: worlds made of config texts, and what must hold of their sockets. */
#ifndef HELLOD_TESTS_UNIT_LISTENERS_HELP_H
#define HELLOD_TESTS_UNIT_LISTENERS_HELP_H

#include <fcntl.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/log.h"
#include "config_help.h"
#include "master/listeners.h"
#include "master/prepare.h"

enum {
    FDS_MAX = 1024 /* descriptors of this process lie below */
};

struct world {
    struct config *config;
    struct prepared prepared;
    struct listeners listeners;
};

/* Makes a world of the config text FORMAT (printf(3)) beside BEFORE; NULL when its sockets cannot be had. */
__attribute__((format(printf, 2, 3))) static inline struct world *make_world(const struct world *before,
                                                                             const char *format, ...)
{
    static char text[16384];
    struct world *world = calloc(1, sizeof(*world));
    va_list values;

    assert_non_null(world);
    va_start(values, format);
    assert_in_range(vsnprintf(text, sizeof(text), format, values), 1, sizeof(text) - 1);
    va_end(values);
    world->config = good_config_of(text);
    prepare_plan(&world->prepared, world->config);
    assert_int_equal(config_errors(world->config), 0);
    if (listeners_open(&world->listeners, world->config, &world->prepared.plan,
                       before != NULL ? &before->listeners : NULL) == 0)
        return world;
    prepare_free(&world->prepared);
    config_free(world->config);
    free(world);
    return NULL;
}

/* Ends WORLD, but for what KEEP has too. */
static inline void end_world(struct world *world, const struct world *keep)
{
    listeners_close(&world->listeners, keep != NULL ? &keep->listeners : NULL);
    prepare_free(&world->prepared);
    config_free(world->config);
    free(world);
}

static inline bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* Descriptors of this process. */
static inline unsigned count_fds(void)
{
    unsigned count = 0;

    for (int fd = 0; fd < FDS_MAX; fd++)
        count += is_open(fd);
    return count;
}

static inline int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof(value);

    assert_int_equal(getsockopt(fd, level, name, &value, &length), 0);
    return value;
}

static inline uint16_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);

    assert_int_equal(getsockname(fd, (struct sockaddr *) &address, &length), 0);
    return addr_port((const struct sockaddr *) &address);
}

/* A port that is free on all addresses. One that the kernel finds for a single address may be taken on
 * others, by connections of anybody's that are in TIME_WAIT there. */
static inline uint16_t free_port(void)
{
    struct sockaddr_in6 all = {.sin6_family = AF_INET6};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) /* without IPv6 */
        fd = socket((all.sin6_family = AF_INET), SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *) &all, sizeof(all)), 0);
    uint16_t port = port_of(fd);
    close(fd);
    return port;
}

/* Descriptor number I of row ROW. */
static inline int fd_of(const struct world *world, unsigned row, unsigned i)
{
    assert_in_range(row, 0, world->prepared.plan.socket_count - 1);
    assert_in_range(i, 0, world->prepared.plan.sockets[row].fd_count - 1);
    return world->prepared.plan.sockets[row].fds[i];
}

/* What holds of every world: rows have one to workers descriptors, all open, each once and all that there
 * are; and a port is shared where several sockets have it and nowhere else. */
static inline void assert_sound(const struct world *world)
{
    const struct plan *plan = &world->prepared.plan;
    const struct held_list *held = &world->listeners.held;
    bool seen[FDS_MAX] = {false};
    unsigned all = 0;

    for (unsigned row = 0; row < plan->socket_count; row++) {
        const struct plan_socket *socket = &plan->sockets[row];
        assert_in_range(socket->fd_count, 1, plan->workers);
        assert_in_range(socket->service, 0, plan->service_count - 1);
        assert_ptr_equal(&held->sockets[all], listeners_row(&world->listeners, row));
        for (unsigned i = 0; i < socket->fd_count; i++, all++) {
            int fd = fd_of(world, row, i);
            assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
            assert_int_not_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
            assert_false(seen[fd]);
            seen[fd] = true;
            assert_int_equal(option_of(fd, SOL_SOCKET, SO_TYPE), socket->type);
            if (socket->family != AF_UNIX)
                assert_int_equal(option_of(fd, SOL_SOCKET, SO_REUSEPORT), held->sockets[all].shared);
        }
    }
    assert_int_equal(all, held->count);
}

#endif
