/* Listening sockets from two sources, entered in the plan as if there were one. */
#include "master/listeners.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "master/activation.h"
#include "master/wanted.h"

/* Enters the next socket into the plan, with room for COUNT descriptors: one, or one a worker. */
static struct plan_socket *add(struct listeners *listeners, const struct wanted *wanted, unsigned count)
{
    struct plan *plan = listeners->plan;
    unsigned number = plan->socket_count++;
    struct plan_socket *socket = &plan->sockets[number];

    *socket = (struct plan_socket){.service = wanted->listener,
                                   .family = wanted->binding.address.ss_family,
                                   .type = wanted->binding.type,
                                   .fds = listeners->fds + (size_t) number * plan->workers,
                                   .fd_count = count};
    listeners->passed[number] = -1;
    return socket;
}

static bool family_is_missing(int error)
{
    return error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

/* What an address cannot be had for, in words that name listener, address and line. */
static void complain_unbound(const struct config *config, const struct wanted *wanted, int error)
{
    const struct config_listener *listener = &config->listeners[wanted->listener];
    char text[WANTED_TEXT_MAX], where[512];

    config_where(config, listener, CONFIG_KEY_LISTENER, where, sizeof(where));
    log_error("listener %s (%s) cannot have %s: %s", listener->name, where,
              wanted_describe(config, wanted, text), strerror(error));
}

static int bind_one(struct listeners *listeners, const struct config *config, const struct wanted *wanted)
{
    const struct config_listener *listener = &config->listeners[wanted->listener];
    unsigned count = listener->per_worker ? listeners->plan->workers : 1;
    unsigned number = listeners->plan->socket_count;

    if (wanted->binding.length == 0) {
        complain_unbound(config, wanted, ENODEV);
        return -1;
    }
    const struct plan_socket *socket = add(listeners, wanted, count);
    if (binding_open(&wanted->binding, socket->fds, count, &listeners->paths[number]) == 0)
        return 0;
    int error = errno;
    listeners->plan->socket_count--;
    if (wanted->optional && family_is_missing(error)) {
        log_notice("listener %s does without %s: this host does not have it", listener->name,
                   wanted->binding.address.ss_family == AF_INET6 ? "IPv6" : "IPv4");
        return 0;
    }
    complain_unbound(config, wanted, error);
    return -1;
}

/* Under activation = "require" a listener without a passed socket is an error. */
static int complain_missing(const struct config *config, const struct wanted *wanted)
{
    const struct config_listener *listener = &config->listeners[wanted->listener];
    char text[WANTED_TEXT_MAX], where[512], line[512];

    log_error("listener %s (%s) was passed no socket for %s, and activation = \"require\": "
              "add a %s line to the socket unit, or change %s",
              listener->name, config_where(config, listener, CONFIG_KEY_LISTENER, where, sizeof(where)),
              wanted_describe(config, wanted, text), wanted_directive(wanted->binding.type),
              config_where_set(config, "activation", line, sizeof(line)));
    return -1;
}

static int take_passed(struct listeners *listeners, const struct config *config, struct wanted *wanted,
                       unsigned count)
{
    struct matched matched[PLAN_SOCKETS_MAX];
    int passed = activation_take(config, wanted, count, matched);

    for (int i = 0; i < passed; i++) {
        struct plan_socket *socket = add(listeners, &wanted[matched[i].wanted], 1);
        socket->fds[0] = matched[i].fd;
        listeners->passed[socket - listeners->plan->sockets] = matched[i].fd;
    }
    return passed < 0 ? -1 : 0;
}

static int bind_missing(struct listeners *listeners, const struct config *config, const struct wanted *wanted,
                        unsigned count)
{
    int result = 0;

    for (unsigned i = 0; i < count; i++) {
        if (wanted[i].met)
            continue;
        if (config->activation == CONFIG_ACTIVATION_REQUIRE)
            result = complain_missing(config, &wanted[i]);
        else if (bind_one(listeners, config, &wanted[i]) < 0)
            result = -1;
    }
    return result;
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

static void announce(const struct listeners *listeners)
{
    const struct plan *plan = listeners->plan;

    for (unsigned i = 0; i < plan->socket_count; i++) {
        struct sockaddr_storage address = {0};
        socklen_t length = sizeof(address);
        char text[WANTED_TEXT_MAX];
        getsockname(plan->sockets[i].fds[0], (struct sockaddr *) &address, &length);
        wanted_text(plan->sockets[i].type, (const struct sockaddr *) &address, length, text);
        const char *name = plan->services[plan->sockets[i].service].name;
        if (listeners->passed[i] < 0)
            log_info("listener %s: %s", name, text);
        else
            log_info("listener %s: %s (passed as descriptor %d)", name, text, listeners->passed[i]);
    }
}

int listeners_open(struct listeners *listeners, const struct config *config, struct plan *plan,
                   const struct listeners *before)
{
    struct wanted wanted[PLAN_SOCKETS_MAX];
    unsigned count = wanted_list(config, wanted);

    (void) before;
    *listeners = (struct listeners){.plan = plan, .fds = calloc((size_t) count * plan->workers, sizeof(int))};
    if (listeners->fds == NULL) {
        log_error("listening sockets: %s", strerror(errno));
        return -1;
    }
    if (take_passed(listeners, config, wanted, count) < 0 ||
        bind_missing(listeners, config, wanted, count) < 0 || check_all_served(listeners, config) < 0) {
        listeners_close(listeners, before);
        return -1;
    }
    announce(listeners);
    return 0;
}

void listeners_store(const struct listeners *listeners)
{
    (void) listeners;
}

void listeners_close(struct listeners *listeners, const struct listeners *keep)
{
    struct plan *plan = listeners->plan;

    (void) keep;
    for (unsigned i = 0; i < plan->socket_count; i++) {
        binding_remove_path(&listeners->paths[i]);
        for (unsigned j = 0; j < plan->sockets[i].fd_count; j++)
            close(plan->sockets[i].fds[j]);
    }
    plan->socket_count = 0;
    free(listeners->fds);
    listeners->fds = NULL;
}
