/* Which socket serves which listener, and what to say when none fits.
 *
 * A passed socket is taken as it is: nothing that belongs before bind(2) is set on it (failure 14), and it is
 * never bound again (failure 15). Nor is one of our own that is there already: what waits in it would be
 * lost. */
#include "master/matching.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

enum {
    TEXT_MAX = WANTED_TEXT_MAX + HELD_NAME_MAX + 40
};

static const struct sockaddr *at(const struct sockaddr_storage *address)
{
    return (const struct sockaddr *) address;
}

static bool is_internet(int family)
{
    return family == AF_INET || family == AF_INET6;
}

static bool same_path(const struct held *passed, const struct binding *binding)
{
    return passed->length == binding->length &&
           memcmp(&passed->address, &binding->address, passed->length) == 0;
}

/* Port 0 in the config takes any. */
static bool same_port(const struct held *passed, const struct binding *binding)
{
    uint16_t port = addr_port(at(&binding->address));

    return port == 0 || port == addr_port(at(&passed->address));
}

/* The interface of a link-local address, 0 for others. */
static uint32_t scope(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *) address)->sin6_scope_id : 0;
}

static bool same_host(const struct held *passed, const struct binding *binding)
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

static enum difference compare(const struct held *passed, const struct binding *binding)
{
    if (passed->type != binding->type)
        return DIFFERS_IN_TYPE;
    if (passed->address.ss_family != binding->address.ss_family)
        return DIFFERS_IN_FAMILY;
    if (!is_internet(passed->address.ss_family))
        return same_path(passed, binding) ? DIFFERS_NOT : DIFFERS_IN_ADDRESS;
    if (!same_host(passed, binding))
        return DIFFERS_IN_ADDRESS;
    return same_port(passed, binding) ? DIFFERS_NOT : DIFFERS_IN_PORT;
}

/* How a passed socket is called in messages, into TEXT; returns TEXT. */
static const char *in_words(const struct held *passed, char text[TEXT_MAX])
{
    char words[WANTED_TEXT_MAX];

    snprintf(text, TEXT_MAX, "passed socket %d (\"%s\", %s)", passed->fd, passed->name,
             wanted_text(passed->type, at(&passed->address), passed->length, words));
    return text;
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
static struct wanted *find_nearest(const struct matching *matching, const struct held *passed,
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
static void complain(const struct matching *matching, const struct held *passed, const struct wanted *wanted,
                     enum difference difference)
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
    char where[512], text[WANTED_TEXT_MAX], words[TEXT_MAX];

    if (key == CONFIG_KEY_ADDRESS && listener->path[0] != '\0')
        key = CONFIG_KEY_PATH;
    log_error("%s has another %s than listener \"%s\", which wants %s: change %s, or %s in the socket unit",
              in_words(passed, words), of[difference].word, listener->name,
              wanted_describe(matching->config, wanted, text),
              config_where(matching->config, listener, key, where, sizeof(where)),
              wanted_directive(passed->type));
}

/* Finds the wanted socket for PASSED; NULL after saying why there is none. */
static struct wanted *match(const struct matching *matching, const struct held *passed)
{
    const struct config_listener *named = find_named(matching, passed->name);
    enum difference difference;
    struct wanted *wanted = find_nearest(matching, passed, named, &difference);
    char where[512], words[TEXT_MAX];

    if (named == NULL && difference != DIFFERS_NOT) {
        log_error("%s matches no listener: add one to %s, or take its %s line out of the socket unit",
                  in_words(passed, words),
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
    if (held_takes_both_families(passed) && !wanted->optional) {
        log_error(
            "%s takes IPv4 too, which listener \"%s\" does not want: change %s to address = \"*\", or set "
            "BindIPv6Only=ipv6-only in the socket unit",
            in_words(passed, words), listener->name,
            config_where(matching->config, listener, CONFIG_KEY_ADDRESS, where, sizeof(where)));
        return NULL;
    }
    if (passed->type != SOCK_DGRAM && !passed->listening) {
        log_error("%s for listener \"%s\" (%s) is not listening: it must come from %s of a socket unit with "
                  "Accept=no",
                  in_words(passed, words), listener->name, where, wanted_directive(passed->type));
        return NULL;
    }
    if (wanted->met) {
        log_error("%s is a second one for listener \"%s\" (%s): take one out of the socket unit",
                  in_words(passed, words), listener->name, where);
        return NULL;
    }
    return wanted;
}

/* One socket for both families meets both addresses of its listener. */
static void meet(const struct matching *matching, struct held *passed, struct wanted *wanted)
{
    passed->wanted = (unsigned) (wanted - matching->wanted);
    wanted->met = true;
    if (!held_takes_both_families(passed))
        return;
    for (unsigned i = 0; i < matching->wanted_count; i++)
        if (matching->wanted[i].listener == wanted->listener)
            matching->wanted[i].met = true;
}

static int match_passed(const struct matching *matching, struct held *passed)
{
    struct wanted *wanted = held_inspect(passed) < 0 ? NULL : match(matching, passed);
    char words[TEXT_MAX];

    if (wanted == NULL)
        return -1;
    if (binding_tune(passed->fd, passed->address.ss_family, passed->type) < 0) {
        log_error("%s: %s", in_words(passed, words), strerror(errno));
        return -1;
    }
    meet(matching, passed, wanted);
    return 0;
}

/* True when a client could still reach the socket, and would be served. */
static bool is_usable(const struct held *own)
{
    if (own->type != SOCK_DGRAM && !own->listening)
        return false;
    if (own->path.path[0] != '\0' && !binding_has_path(&own->path))
        return false;
    return !held_takes_both_families(own);
}

/* True when WANTED means the address of OWN, to the port; or any port, of the listener that OWN is for. */
static bool is_for(const struct matching *matching, const struct held *own, const struct wanted *wanted,
                   bool any_port)
{
    bool any = is_internet(wanted->binding.address.ss_family) && addr_port(at(&wanted->binding.address)) == 0;

    return any == any_port && compare(own, &wanted->binding) == DIFFERS_NOT &&
           (!any || strcmp(listener_of(matching, wanted)->name, own->name) == 0);
}

/* True when WANTED means all addresses, that of OWN among them. */
static bool covers(const struct held *own, const struct wanted *wanted)
{
    static const uint8_t everywhere[2][16] = {{0}, {[10] = 0xff, [11] = 0xff}};
    const struct binding *binding = &wanted->binding;

    if (!is_internet(own->address.ss_family) || own->type != binding->type ||
        own->address.ss_family != binding->address.ss_family ||
        addr_port(at(&own->address)) != addr_port(at(&binding->address)))
        return false;
    bool ipv4 = own->address.ss_family == AF_INET;
    return memcmp(addr_peer(at(&binding->address)).address, everywhere[ipv4], 16) == 0;
}

static struct wanted *find_cover(const struct matching *matching, const struct held *own)
{
    for (unsigned i = 0; i < matching->wanted_count; i++)
        if (covers(own, &matching->wanted[i]))
            return &matching->wanted[i];
    return NULL;
}

static struct wanted *find_for(const struct matching *matching, const struct held *own, bool any_port)
{
    for (unsigned i = 0; i < matching->wanted_count; i++)
        if (is_for(matching, own, &matching->wanted[i], any_port))
            return &matching->wanted[i];
    return NULL;
}

/* Whoever asks for the very port goes before who takes any. One whose address is now served by a socket for
 * all addresses stays beside that one: the kernel goes on giving it clients for as long as it is open, and
 * some would be lost with it. That nobody asks for it is no error: the config has changed. */
static void match_own(const struct matching *matching, struct held *own)
{
    own->wanted = HELD_UNWANTED;
    own->covered = false;
    if (held_inspect(own) < 0 || !is_usable(own))
        return;
    struct wanted *wanted = find_for(matching, own, false);
    if (wanted == NULL)
        wanted = find_for(matching, own, true);
    if (wanted == NULL) {
        wanted = find_cover(matching, own);
        own->covered = wanted != NULL;
    }
    if (wanted == NULL || binding_tune(own->fd, own->address.ss_family, own->type) < 0)
        return;
    own->wanted = (unsigned) (wanted - matching->wanted);
    own->backlog = wanted->binding.backlog;
    snprintf(own->name, sizeof(own->name), "%s", listener_of(matching, wanted)->name);
    wanted->own += !own->covered;
}

int matching_run(const struct config *config, struct wanted *wanted, unsigned wanted_count,
                 const struct held_list *held)
{
    const struct matching matching = {config, wanted, wanted_count};
    int result = 0;

    for (unsigned i = 0; i < held->count; i++)
        if (held->sockets[i].origin != HELD_PASSED)
            match_own(&matching, &held->sockets[i]);
        else if (match_passed(&matching, &held->sockets[i]) < 0)
            result = -1; /* go on: all that is wrong is said at once */
    return result;
}
