/* What must hold between values, or needs more than a range: names, addresses, paths. Must not know where the
 * values were read from. */
#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/config_private.h"

void config_unknown_key(struct config *config, struct config_origin origin, const struct option *options,
                        unsigned count, const char *group, const char *name)
{
    const char *prefix = option_prefix(options), *dot = *group ? "." : "";

    if (options == option_listener && !strcmp(group, "guard") &&
        (!strcmp(name, "oversize") || !strcmp(name, "access"))) {
        config_error(config, origin.file, origin.line, "the guard's rule \"%s\" cannot be switched off",
                     name);
        return;
    }
    const struct option *meant = option_meant(options, count, group, name);
    if (meant)
        config_error(config, origin.file, origin.line, "unknown key \"%s%s%s%s\"; did you mean \"%s%s\"?",
                     prefix, group, dot, name, option_prefix(meant), meant->path);
    else
        config_error(config, origin.file, origin.line, "unknown key \"%s%s%s%s\"", prefix, group, dot, name);
}

static bool is_given(const struct config_listener *listener, enum config_listener_key key)
{
    return listener->origin[key].line != 0;
}

static void check_name(struct config *config, const struct config_listener *listener)
{
    char where[512];

    for (const char *at = listener->name; *at; at++) {
        if (!isalnum((unsigned char) *at) && !strchr("-_.", *at)) {
            config_complain(config, listener, CONFIG_KEY_NAME,
                            "name \"%s\" may have only letters, digits, \"-\", \"_\" and \".\"",
                            listener->name);
            return;
        }
    }
    for (const struct config_listener *other = config->listeners; other < listener; other++) {
        if (!*listener->name || strcmp(other->name, listener->name) != 0)
            continue;
        config_complain(config, listener, CONFIG_KEY_NAME, "name \"%s\" is taken by the listener on %s",
                        listener->name, config_where(config, other, CONFIG_KEY_NAME, where, sizeof(where)));
        return;
    }
}

/* A scope ("fe80::1%eth0") is only looked at: its interface may come later than we do. */
static bool is_numeric_address(const char *text)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char address[sizeof(((struct config_listener *) NULL)->address)];
    size_t length = strcspn(text, "%");
    bool scoped = text[length] == '%';

    memcpy(address, text, length);
    address[length] = '\0';
    if (!length || (scoped && !text[length + 1]) || getaddrinfo(address, NULL, &hints, &found))
        return false;
    bool fits = !scoped || found->ai_family == AF_INET6;
    freeaddrinfo(found);
    return fits;
}

static void check_address(struct config *config, const struct config_listener *listener)
{
    if (listener->type == CONFIG_SEQPACKET)
        config_complain(config, listener, CONFIG_KEY_TYPE, "type \"seqpacket\" needs a path");
    else if (!*listener->address)
        config_complain(config, listener, CONFIG_KEY_ADDRESS, "neither address nor path is set");
    else if (strcmp(listener->address, "*") != 0 && !is_numeric_address(listener->address))
        config_complain(config, listener, CONFIG_KEY_ADDRESS,
                        "address \"%s\" is neither \"*\" nor a numeric address", listener->address);
}

static void check_path(struct config *config, struct config_listener *listener)
{
    if (*listener->path != '/' && *listener->path != '@')
        config_complain(config, listener, CONFIG_KEY_PATH, "path \"%s\" must begin with \"/\" or \"@\"",
                        listener->path);
    else if (!listener->path[1])
        config_complain(config, listener, CONFIG_KEY_PATH, "path \"%s\" names no socket", listener->path);
    if (is_given(listener, CONFIG_KEY_ADDRESS) && *listener->address)
        config_complain(config, listener, CONFIG_KEY_ADDRESS, "address and path cannot both be set");
    if (is_given(listener, CONFIG_KEY_PORT))
        config_complain(config, listener, CONFIG_KEY_PORT, "port has no meaning with a path");
    if (listener->per_worker)
        config_complain(config, listener, CONFIG_KEY_PER_WORKER, "per_worker needs an address, not a path");
    if (is_given(listener, CONFIG_KEY_ALLOW))
        config_complain(config, listener, CONFIG_KEY_ALLOW, "allow has no meaning with a path");
    if (is_given(listener, CONFIG_KEY_DENY))
        config_complain(config, listener, CONFIG_KEY_DENY, "deny has no meaning with a path");
    *listener->address = '\0';
    listener->port = 0;
}

void config_check_listener(struct config *config, struct config_listener *listener)
{
    if (!is_given(listener, CONFIG_KEY_NAME))
        config_complain(config, listener, CONFIG_KEY_NAME, "name must be given");
    if (!is_given(listener, CONFIG_KEY_PROTOCOL))
        config_complain(config, listener, CONFIG_KEY_PROTOCOL, "protocol must be given");
    check_name(config, listener);
    if (*listener->path)
        check_path(config, listener);
    else
        check_address(config, listener);
}

void config_check_globals(struct config *config)
{
    const struct config_origin *origin = &config->private->origin[CONFIG_GLOBAL_CONTROL];
    const char *path = config->control;
    size_t length = strlen(path);

    if (length > 0 && *path != '/')
        config_error(config, origin->file, origin->line, "control \"%s\" must begin with \"/\"", path);
    else if (length > 0 && path[length - 1] == '/')
        config_error(config, origin->file, origin->line, "control \"%s\" names no socket", path);
}
