/* What is missing is bound here: all of it, so that all that cannot be had is said at once. */
#include "master/opening.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum {
    ASK_AGAIN_MS = 20 /* while somebody who goes has an address still */
};

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

/* Sockets of our own that have PORT and go away, or are for the same address: their descriptors into RIVALS.
 */
static unsigned find_rivals(const struct held_list *held, const struct binding *binding, unsigned number,
                            int *rivals)
{
    uint16_t port = addr_port((const struct sockaddr *) &binding->address);
    unsigned count = 0;

    for (unsigned i = 0; port != 0 && i < held->count; i++) {
        const struct held *one = &held->sockets[i];
        if (one->origin != HELD_PASSED && (one->wanted == number || one->wanted == HELD_UNWANTED) &&
            one->type == binding->type && one->address.ss_family == binding->address.ss_family &&
            addr_port((const struct sockaddr *) &one->address) == port)
            rivals[count++] = one->fd;
    }
    return count;
}

/* A socket of another type is to be at a path of ours. */
static void clear_path(const struct held_list *held, const struct binding *binding)
{
    for (unsigned i = 0; i < held->count; i++) {
        const struct held *one = &held->sockets[i];
        if (one->wanted == HELD_UNWANTED && one->length == binding->length &&
            memcmp(&one->address, &binding->address, binding->length) == 0)
            binding_set_aside(&one->path);
    }
}

/* Whom the service will be run by, when this is still root. */
static uid_t find_owner(const struct config *config)
{
    const struct passwd *who = geteuid() == 0 ? getpwnam(config->user) : NULL;

    return who != NULL ? who->pw_uid : 0; /* a user that is not there is complained of elsewhere */
}

static int add(struct held_list *held, const struct config *config, const struct wanted *wanted,
               unsigned number, int fd, const struct binding_path *path)
{
    struct held one = {
        .fd = fd, .origin = HELD_BOUND, .path = *path, .wanted = number, .backlog = wanted->binding.backlog};

    snprintf(one.name, sizeof(one.name), "%s", config->listeners[wanted->listener].name);
    if (held_inspect(&one) == 0 && held_add(held, &one) == 0)
        return 0;
    close(fd);
    return -1;
}

/* The address to bind: where sockets are there already, theirs, which has a port. */
static struct binding exact(const struct held_list *held, const struct wanted *wanted, unsigned number)
{
    struct binding binding = wanted->binding;

    for (unsigned i = 0; i < held->count; i++)
        if (held->sockets[i].wanted == number && !held->sockets[i].covered) {
            binding.address = held->sockets[i].address;
            binding.length = held->sockets[i].length;
        }
    return binding;
}

/* Binds COUNT sockets for WANTED into FDS. */
static int bind_some(const struct held_list *held, const struct config *config, const struct wanted *wanted,
                     unsigned number, int *fds, unsigned count, struct binding_path *path)
{
    struct binding binding = exact(held, wanted, number);
    int *rivals = calloc(held->count + 1, sizeof(int));

    if (rivals == NULL)
        return -1;
    binding.owner = find_owner(config);
    unsigned rival_count = find_rivals(held, &binding, number, rivals);
    if (binding.address.ss_family == AF_UNIX)
        clear_path(held, &binding);
    int result = rival_count > 0 ? binding_open_beside(&binding, fds, count, rivals, rival_count)
                                 : binding_open(&binding, fds, count, path);
    int error = errno;
    free(rivals);
    errno = error;
    return result;
}

static int open_some(struct held_list *held, const struct config *config, const struct wanted *wanted,
                     unsigned number, unsigned count)
{
    struct binding_path path = {.path = ""};
    int *fds = calloc(count, sizeof(int)), result = -1;

    if (fds == NULL)
        return -1;
    if (bind_some(held, config, wanted, number, fds, count, &path) == 0) {
        result = 0;
        for (unsigned i = 0; i < count; i++)
            if (add(held, config, wanted, number, fds[i], &path) < 0)
                result = -1;
    }
    int error = errno;
    free(fds);
    errno = error;
    return result;
}

/* The same, again and again until UNTIL_MS when an address is in use. */
static int open_in_time(struct held_list *held, const struct config *config, const struct wanted *wanted,
                        unsigned number, unsigned count, uint64_t until_ms)
{
    const struct timespec pause = {.tv_nsec = ASK_AGAIN_MS * 1000000L};

    while (open_some(held, config, wanted, number, count) < 0) {
        if (errno != EADDRINUSE || clock_ms() >= until_ms)
            return -1;
        nanosleep(&pause, NULL);
    }
    return 0;
}

static int open_missing(struct held_list *held, const struct config *config, const struct wanted *wanted,
                        unsigned number, unsigned workers, uint64_t until_ms)
{
    unsigned needed = config->listeners[wanted->listener].per_worker ? workers : 1;

    if (wanted->met)
        return 0;
    if (config->activation == CONFIG_ACTIVATION_REQUIRE)
        return complain_missing(config, wanted);
    if (wanted->own >= needed)
        return 0;
    if (wanted->binding.length == 0)
        errno = ENODEV;
    else if (open_in_time(held, config, wanted, number, needed - wanted->own, until_ms) == 0)
        return 0;
    if (wanted->optional && family_is_missing(errno)) {
        const char *name = config->listeners[wanted->listener].name;
        log_event(LOG_LEVEL_NOTICE, EVENT_NO_FAMILY, &(struct fields){.listener = name},
                  "listener %s does without %s: this host does not have it", name,
                  wanted->binding.address.ss_family == AF_INET6 ? "IPv6" : "IPv4");
        return 0;
    }
    complain_unbound(config, wanted, errno);
    return -1;
}

int opening_run(const struct config *config, const struct wanted *wanted, unsigned wanted_count,
                unsigned workers, unsigned patience_ms, struct held_list *held)
{
    uint64_t until_ms = clock_ms() + patience_ms;
    int result = 0;

    for (unsigned i = 0; i < wanted_count; i++)
        if (open_missing(held, config, &wanted[i], i, workers, until_ms) < 0)
            result = -1;
    return result;
}
