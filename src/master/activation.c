/* Which passed socket serves which listener, and what to say when none fits.
 *
 * A passed socket is taken as it is: nothing that belongs before bind(2) is set on it (failure 14), and it is
 * never bound again (failure 15). */
#include "master/activation.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/log.h"

/* One passed socket as it is found. */
struct passed {
    int fd;
    const char *name; /* as passed; "unknown" when there are no names */
    int type, family;
    bool listening, v6only;
    struct sockaddr_storage address;
    socklen_t length;
    char text[WANTED_TEXT_MAX + 96]; /* for messages */
};

static const struct sockaddr *at(const struct sockaddr_storage *address)
{
    return (const struct sockaddr *) address;
}

static int option(int fd, int level, int name)
{
    int value = 0;
    socklen_t length = sizeof(value);

    return getsockopt(fd, level, name, &value, &length) < 0 ? -1 : value;
}

/* Looks at the descriptor. Returns 0, or -1 after saying what it is not. */
static int inspect(struct passed *passed)
{
    char text[WANTED_TEXT_MAX];

    if (sd_is_socket(passed->fd, AF_UNSPEC, 0, -1) <= 0) {
        log_error("passed descriptor %d (\"%s\") is not a socket: take it out of the unit that passes it",
                  passed->fd, passed->name);
        return -1;
    }
    passed->length = sizeof(passed->address);
    if (getsockname(passed->fd, (struct sockaddr *) &passed->address, &passed->length) < 0) {
        log_error("passed descriptor %d (\"%s\"): %s", passed->fd, passed->name, strerror(errno));
        return -1;
    }
    passed->type = option(passed->fd, SOL_SOCKET, SO_TYPE);
    passed->family = passed->address.ss_family;
    passed->listening = option(passed->fd, SOL_SOCKET, SO_ACCEPTCONN) == 1;
    passed->v6only = passed->family == AF_INET6 && option(passed->fd, IPPROTO_IPV6, IPV6_V6ONLY) == 1;
    snprintf(passed->text, sizeof(passed->text), "passed socket %d (\"%s\", %s)", passed->fd, passed->name,
             wanted_text(passed->type, at(&passed->address), passed->length, text));
    return 0;
}

static bool is_internet(int family)
{
    return family == AF_INET || family == AF_INET6;
}

static bool same_path(const struct passed *passed, const struct binding *binding)
{
    return passed->length == binding->length &&
           memcmp(&passed->address, &binding->address, passed->length) == 0;
}

/* Port 0 in the config takes any. */
static bool same_port(const struct passed *passed, const struct binding *binding)
{
    uint16_t port = addr_port(at(&binding->address));

    return port == 0 || port == addr_port(at(&passed->address));
}

/* The interface of a link-local address, 0 for others. */
static uint32_t scope(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *) address)->sin6_scope_id : 0;
}

static bool same_host(const struct passed *passed, const struct binding *binding)
{
    struct addr_peer a = addr_peer(at(&passed->address)), b = addr_peer(at(&binding->address));

    return memcmp(a.address, b.address, sizeof(a.address)) == 0 &&
           scope(&passed->address) == scope(&binding->address);
}

/* The first thing in which PASSED differs from what is wanted; DIFFERS_NOT if nothing. The order is that of
 * how far off. */
enum difference {
    DIFFERS_IN_TYPE,
    DIFFERS_IN_FAMILY,
    DIFFERS_IN_ADDRESS,
    DIFFERS_IN_PORT,
    DIFFERS_NOT
};

static enum difference compare(const struct passed *passed, const struct binding *binding)
{
    if (passed->type != binding->type)
        return DIFFERS_IN_TYPE;
    if (passed->family != binding->address.ss_family)
        return DIFFERS_IN_FAMILY;
    if (!is_internet(passed->family))
        return same_path(passed, binding) ? DIFFERS_NOT : DIFFERS_IN_ADDRESS;
    if (!same_host(passed, binding))
        return DIFFERS_IN_ADDRESS;
    return same_port(passed, binding) ? DIFFERS_NOT : DIFFERS_IN_PORT;
}

/* A socket for [::] that is not restricted to IPv6. */
static bool takes_both_families(const struct passed *passed)
{
    static const uint8_t any[16];

    return passed->family == AF_INET6 && !passed->v6only &&
           memcmp(addr_peer(at(&passed->address)).address, any, sizeof(any)) == 0;
}

/* What is being matched, for the functions below. */
struct matching {
    const struct config *config;
    struct wanted *wanted;
    unsigned wanted_count;
};

static const struct config_listener *listener_of(const struct matching *matching, const struct wanted *wanted)
{
    return &matching->config->listeners[wanted->listener];
}

/* The listener that carries the socket's name, or NULL. */
static const struct config_listener *find_named(const struct matching *matching, const char *name)
{
    for (unsigned i = 0; i < matching->config->listener_count; i++)
        if (strcmp(matching->config->listeners[i].name, name) == 0)
            return &matching->config->listeners[i];
    return NULL;
}

/* The wanted socket that PASSED comes nearest to, among those of LISTENER (NULL: of all); one that is not met
 * yet before one that is. *DIFFERENCE says how near. */
static struct wanted *find_nearest(const struct matching *matching, const struct passed *passed,
                                   const struct config_listener *listener, enum difference *difference)
{
    struct wanted *best = NULL;

    *difference = DIFFERS_IN_TYPE;
    for (unsigned i = 0; i < matching->wanted_count; i++) {
        struct wanted *wanted = &matching->wanted[i];
        if (listener != NULL && listener_of(matching, wanted) != listener)
            continue;
        enum difference found = compare(passed, &wanted->binding);
        if (best == NULL || found > *difference || (found == *difference && best->met && !wanted->met)) {
            best = wanted;
            *difference = found;
        }
    }
    return best;
}

/* Says in what PASSED differs from WANTED and which of two lines to change. */
static void complain(const struct matching *matching, const struct passed *passed,
                     const struct wanted *wanted, enum difference difference)
{
    static const struct {
        const char *word;
        enum config_listener_key key;
    } of[] = {[DIFFERS_IN_TYPE] = {"type", CONFIG_KEY_TYPE},
              [DIFFERS_IN_FAMILY] = {"address family", CONFIG_KEY_ADDRESS},
              [DIFFERS_IN_ADDRESS] = {"address", CONFIG_KEY_ADDRESS},
              [DIFFERS_IN_PORT] = {"port", CONFIG_KEY_PORT}};
    const struct config_listener *listener = listener_of(matching, wanted);
    enum config_listener_key key = of[difference].key;
    char where[512], text[WANTED_TEXT_MAX];

    if (key == CONFIG_KEY_ADDRESS && listener->path[0] != '\0')
        key = CONFIG_KEY_PATH;
    log_error(
        "%s has another %s than listener \"%s\", which wants %s: change %s, or %s in the socket unit",
        passed->text, of[difference].word, listener->name, wanted_describe(matching->config, wanted, text),
        config_where(matching->config, listener, key, where, sizeof(where)), wanted_directive(passed->type));
}

/* Finds the wanted socket for PASSED; NULL after saying why there is none. */
static struct wanted *match(const struct matching *matching, const struct passed *passed)
{
    const struct config_listener *named = find_named(matching, passed->name);
    enum difference difference;
    struct wanted *wanted = find_nearest(matching, passed, named, &difference);
    char where[512];

    if (named == NULL && difference != DIFFERS_NOT) {
        log_error("%s matches no listener: add one to %s, or take its %s line out of the socket unit",
                  passed->text,
                  config_where(matching->config, NULL, CONFIG_KEY_LISTENER, where, sizeof(where)),
                  wanted_directive(passed->type));
        return NULL;
    }
    assert(wanted != NULL); /* each listener wants at least one */
    if (difference != DIFFERS_NOT) {
        complain(matching, passed, wanted, difference);
        return NULL;
    }
    const struct config_listener *listener = listener_of(matching, wanted);
    config_where(matching->config, listener, CONFIG_KEY_LISTENER, where, sizeof(where));
    if (takes_both_families(passed) && !wanted->optional) {
        log_error(
            "%s takes IPv4 too, which listener \"%s\" does not want: change %s to address = \"*\", or set "
            "BindIPv6Only=ipv6-only in the socket unit",
            passed->text, listener->name,
            config_where(matching->config, listener, CONFIG_KEY_ADDRESS, where, sizeof(where)));
        return NULL;
    }
    if (passed->type != SOCK_DGRAM && !passed->listening) {
        log_error("%s for listener \"%s\" (%s) is not listening: it must come from %s of a socket unit with "
                  "Accept=no",
                  passed->text, listener->name, where, wanted_directive(passed->type));
        return NULL;
    }
    if (wanted->met) {
        log_error("%s is a second one for listener \"%s\" (%s): take one out of the socket unit",
                  passed->text, listener->name, where);
        return NULL;
    }
    return wanted;
}

/* One socket for both families meets both addresses of its listener. */
static void meet(const struct matching *matching, const struct passed *passed, struct wanted *wanted)
{
    wanted->met = true;
    if (!takes_both_families(passed))
        return;
    for (unsigned i = 0; i < matching->wanted_count; i++)
        if (matching->wanted[i].listener == wanted->listener)
            matching->wanted[i].met = true;
}

static int match_all(const struct matching *matching, int count, char **names, struct matched *matched)
{
    bool wrong = false;
    int used = 0;

    for (int i = 0; i < count; i++) {
        struct passed passed = {.fd = SD_LISTEN_FDS_START + i, .name = names[i]};
        struct wanted *wanted = inspect(&passed) < 0 ? NULL : match(matching, &passed);
        if (wanted == NULL) {
            wrong = true; /* go on: all that is wrong is said at once */
            continue;
        }
        if (binding_tune(passed.fd, passed.family, passed.type) < 0) {
            log_error("%s: %s", passed.text, strerror(errno));
            wrong = true;
            continue;
        }
        meet(matching, &passed, wanted);
        matched[used++] = (struct matched){passed.fd, (unsigned) (wanted - matching->wanted)};
    }
    return wrong ? -1 : used;
}

int activation_take(const struct config *config, struct wanted *wanted, unsigned wanted_count,
                    struct matched matched[PLAN_SOCKETS_MAX])
{
    const struct matching matching = {config, wanted, wanted_count};
    char **names = NULL;
    int count = sd_listen_fds_with_names(1, &names);

    if (count < 0) {
        log_error(
            "the passed sockets cannot be used: LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES do not agree with "
            "each other or with the descriptors: %s",
            strerror(-count));
        return -1;
    }
    int result = count == 0 ? 0 : match_all(&matching, count, names, matched);
    for (int i = 0; i < count; i++) {
        if (result < 0)
            close(SD_LISTEN_FDS_START + i);
        free(names[i]);
    }
    free(names);
    return result;
}
