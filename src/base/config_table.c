/* The rows of the table of options, and what can be said of a row alone.
 *
 * A new option is one row here, one line in the sample config and one entry in hellod.conf(5). This file must
 * not know how values are read or written. */
#include "base/config_table.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(member)         offsetof(struct config, member)
#define IN(member)         offsetof(struct config_listener, member)
#define ROOM(type, member) (sizeof(((struct type *) NULL)->member) - 1)

/* Numbers are copied as ints, whatever the enum. */
static_assert(sizeof(enum config_socket_type) == sizeof(int), "an enum is an int");

static const struct option_choice activation_choices[] = {
    {"auto", CONFIG_ACTIVATION_AUTO},
    {"require", CONFIG_ACTIVATION_REQUIRE},
    {NULL, 0},
};

static const struct option_choice sandbox_choices[] = {
    {"enforce", CONFIG_SANDBOX_ENFORCE},
    {"log", CONFIG_SANDBOX_LOG},
    {"off", CONFIG_SANDBOX_OFF},
    {NULL, 0},
};

static const struct option_choice level_choices[] = {
    {"err", CONFIG_LOG_ERR},   {"warning", CONFIG_LOG_WARNING}, {"notice", CONFIG_LOG_NOTICE},
    {"info", CONFIG_LOG_INFO}, {"debug", CONFIG_LOG_DEBUG},     {NULL, 0},
};

static const struct option_choice type_choices[] = {
    {"stream", CONFIG_STREAM},
    {"datagram", CONFIG_DATAGRAM},
    {"seqpacket", CONFIG_SEQPACKET},
    {NULL, 0},
};

static const struct option_choice framing_choices[] = {
    {"auto", CONFIG_FRAMING_AUTO},
    {"chunk", CONFIG_FRAMING_CHUNK},
    {"line", CONFIG_FRAMING_LINE},
    {NULL, 0},
};

/* clang-format off */
const struct option option_globals[CONFIG_GLOBAL_COUNT] = {
    [CONFIG_GLOBAL_WORKERS] = {"workers", OPTION_INT, AT(workers), "0", 0, 256, NULL, "processes",
        "How many worker processes serve; 0 means one per CPU."},
    [CONFIG_GLOBAL_USER] = {"user", OPTION_STRING, AT(user), "hellod",
        1, ROOM(config, user), NULL, "bytes",
        "The user that the service becomes, once it has its sockets, when it was started as root."},
    [CONFIG_GLOBAL_GROUP] = {"group", OPTION_STRING, AT(group), "hellod",
        1, ROOM(config, group), NULL, "bytes",
        "The group that the service gets, and no other, when it was started as root."},
    [CONFIG_GLOBAL_ACTIVATION] = {"activation", OPTION_CHOICE, AT(activation), "auto",
        0, 0, activation_choices, "",
        "A listener for which systemd passed no socket is bound (auto) or an error (require)."},
    [CONFIG_GLOBAL_SANDBOX] = {"sandbox", OPTION_CHOICE, AT(sandbox), "enforce", 0, 0, sandbox_choices, "",
        "Whether the service gives up what serving does not need: files, programs, most system calls."},
    [CONFIG_GLOBAL_CONTROL] = {"control", OPTION_STRING, AT(control), "/run/hellod/control",
        0, ROOM(config, control), NULL, "bytes",
        "The local socket at which the service takes orders: an absolute path, or \"\" for none."},
    [CONFIG_GLOBAL_LISTEN] = {"listen", OPTION_LISTENERS, AT(listeners),
        "( { name = \"greeting\"; protocol = \"greeting\"; type = \"stream\"; },"
        "  { name = \"hello\"; protocol = \"hello\"; type = \"datagram\"; } )",
        1, CONFIG_LISTENERS_MAX, NULL, "listeners",
        "What is served, and where; a list in a later file replaces the whole list."},
    [CONFIG_GLOBAL_EXEMPT] = {"exempt", OPTION_NETWORKS, AT(exempt), "[ \"127.0.0.0/8\", \"::1\" ]",
        0, CONFIG_NETWORKS_MAX, NULL, "networks",
        "Sources that no limit per source or prefix applies to: addresses, or networks as ADDRESS/BITS."},
    [CONFIG_GLOBAL_LIMITS] = {"limits", OPTION_GROUP, 0, NULL, 0, 0, NULL, "",
        "What one client, or all of them together, may take."},
    [CONFIG_GLOBAL_CONNECTIONS] = {"limits.connections", OPTION_INT, AT(limits.connections), "4096",
        1, 1000000, NULL, "connections",
        "Connections that each worker has room for; their memory is taken at start."},
    [CONFIG_GLOBAL_PER_SOURCE] = {"limits.per_source", OPTION_INT, AT(limits.per_source), "64",
        0, 1000000, NULL, "connections",
        "Connections from one address, counted over all workers; 0 means no limit."},
    [CONFIG_GLOBAL_PER_PREFIX] = {"limits.per_prefix", OPTION_INT, AT(limits.per_prefix), "1024",
        0, 1000000, NULL, "connections",
        "Connections from one prefix, counted over all workers; 0 means no limit."},
    [CONFIG_GLOBAL_IDLE_TIMEOUT] = {"limits.idle_timeout", OPTION_SECONDS, AT(limits.idle_timeout), "300.0",
        0.1, 86400, NULL, "seconds",
        "How long a client may be silent before it is told so and its connection closed."},
    [CONFIG_GLOBAL_WRITE_TIMEOUT] = {"limits.write_timeout", OPTION_SECONDS, AT(limits.write_timeout), "10.0",
        0.1, 86400, NULL, "seconds",
        "How long a client may leave an answer unread before its connection is closed."},
    [CONFIG_GLOBAL_DRAIN_TIMEOUT] = {"limits.drain_timeout", OPTION_SECONDS, AT(limits.drain_timeout), "10.0",
        0, 3600, NULL, "seconds",
        "How long open conversations may go on once the service is told to stop."},
    [CONFIG_GLOBAL_PENALTY] = {"limits.penalty", OPTION_SECONDS, AT(limits.penalty), "600.0",
        0, 86400, NULL, "seconds",
        "The longest time for which an address that offends again and again is refused; 0 means none is."},
    [CONFIG_GLOBAL_RATE] = {"rate", OPTION_GROUP, 0, NULL, 0, 0, NULL, "",
        "How many datagrams are answered; see THE GUARD in hellod.conf(5)."},
    [CONFIG_GLOBAL_RATE_PER_SOURCE] = {"rate.per_source", OPTION_INT, AT(rate.per_source), "100",
        0, 1000000, NULL, "answers per second",
        "Datagrams answered to one address, and eight times as many to one prefix; 0 means no limit."},
    [CONFIG_GLOBAL_RATE_BUDGET] = {"rate.budget", OPTION_INT, AT(rate.budget), "100000",
        0, 10000000, NULL, "answers per second",
        "Datagrams answered to everybody together; 0 means no limit."},
    [CONFIG_GLOBAL_RATE_DRY_RUN] = {"rate.dry_run", OPTION_BOOL, AT(rate.dry_run), "false", 0, 0, NULL, "",
        "Whether datagrams over these limits are counted only, and answered all the same."},
    [CONFIG_GLOBAL_LOG] = {"log", OPTION_GROUP, 0, NULL, 0, 0, NULL, "",
        "What is written to standard error, and so to the journal."},
    [CONFIG_GLOBAL_LOG_LEVEL] = {"log.level", OPTION_CHOICE, AT(log_level), "info", 0, 0, level_choices, "",
        "The least important messages that are written."},
    [CONFIG_GLOBAL_LOG_ACCESS] = {"log.access", OPTION_BOOL, AT(log_access), "false", 0, 0, NULL, "",
        "Whether each connection and each answered datagram gets a line."},
};

const struct option option_listener[CONFIG_KEY_COUNT] = {
    [CONFIG_KEY_NAME] = {"name", OPTION_STRING, IN(name), NULL,
        1, ROOM(config_listener, name), NULL, "bytes",
        "What the listener and its FileDescriptorName= are called: letters, digits, '-', '_' and '.'."},
    [CONFIG_KEY_PROTOCOL] = {"protocol", OPTION_STRING, IN(protocol), NULL,
        1, ROOM(config_listener, protocol), NULL, "bytes",
        "What is spoken: \"greeting\", \"hello\" or \"upper\"."},
    [CONFIG_KEY_TYPE] = {"type", OPTION_CHOICE, IN(type), "stream", 0, 0, type_choices, "",
        "The kind of socket; \"seqpacket\" needs a path."},
    [CONFIG_KEY_ADDRESS] = {"address", OPTION_STRING, IN(address), "*",
        0, ROOM(config_listener, address), NULL, "bytes",
        "A numeric address, or \"*\" for all of IPv4 and IPv6; \"\" with a path."},
    [CONFIG_KEY_PORT] = {"port", OPTION_INT, IN(port), "3288", 0, 65535, NULL, "",
        "The TCP or UDP port; 0 lets the kernel pick one."},
    [CONFIG_KEY_PATH] = {"path", OPTION_STRING, IN(path), "",
        0, ROOM(config_listener, path), NULL, "bytes",
        "A local socket in place of address and port: an absolute path, or \"@NAME\" without a file."},
    [CONFIG_KEY_FRAMING] = {"framing", OPTION_CHOICE, IN(framing), "auto", 0, 0, framing_choices, "",
        "What a message is on a stream: a chunk, a line, or a chunk until the first newline arrives."},
    [CONFIG_KEY_DELAY] = {"delay", OPTION_SECONDS, IN(delay), "0.0", 0, 60, NULL, "seconds",
        "How long each message on a stream waits before it is handled."},
    [CONFIG_KEY_PROMPT] = {"prompt", OPTION_STRING, IN(prompt), "What's your name?",
        0, ROOM(config_listener, prompt), NULL, "bytes",
        "What \"greeting\" says first, and to an empty line."},
    [CONFIG_KEY_ANSWER] = {"answer", OPTION_STRING, IN(answer), "Hello, %s!",
        0, ROOM(config_listener, answer), NULL, "bytes",
        "The answer of \"greeting\" and \"hello\"; %s, exactly once, is the name, and %% a percent sign."},
    [CONFIG_KEY_FAREWELL] = {"farewell", OPTION_STRING, IN(farewell), "disconnect",
        1, ROOM(config_listener, farewell), NULL, "bytes",
        "The message that ends a conversation with \"greeting\"."},
    [CONFIG_KEY_BACKLOG] = {"backlog", OPTION_INT, IN(backlog), "4096", 1, 65535, NULL, "connections",
        "Connections that wait in the kernel to be accepted; net.core.somaxconn bounds it too."},
    [CONFIG_KEY_PER_WORKER] = {"per_worker", OPTION_BOOL, IN(per_worker), "false", 0, 0, NULL, "",
        "Whether each worker gets a socket of its own (SO_REUSEPORT); not with a path."},
    [CONFIG_KEY_MESSAGE_SIZE] = {"message_size", OPTION_INT, IN(message_size), "1024",
        1, CONFIG_MESSAGE_MAX, NULL, "bytes",
        "The longest message: a longer line or datagram is refused, chunks are cut here."},
    [CONFIG_KEY_ALLOW] = {"allow", OPTION_NETWORKS, IN(allow), "[ ]", 0, CONFIG_NETWORKS_MAX, NULL, "networks",
        "The only sources that are served, as addresses or networks; empty: all are."},
    [CONFIG_KEY_DENY] = {"deny", OPTION_NETWORKS, IN(deny), "[ ]", 0, CONFIG_NETWORKS_MAX, NULL, "networks",
        "Sources that are not served; if allow has them, too, the smaller network decides."},
    [CONFIG_KEY_GUARD] = {"guard", OPTION_GROUP, 0, NULL, 0, 0, NULL, "",
        "The rules that a datagram must pass to be answered; see hellod.conf(5) before you switch one off."},
    [CONFIG_KEY_GUARD_EMPTY] = {"guard.empty", OPTION_BOOL, IN(guard.empty), "true", 0, 0, NULL, "",
        "Whether empty datagrams are dropped."},
    [CONFIG_KEY_GUARD_PORT] = {"guard.port", OPTION_BOOL, IN(guard.port), "true", 0, 0, NULL, "",
        "Whether datagrams from ports below 1024, or from a UDP port of our own, are dropped."},
    [CONFIG_KEY_GUARD_SOURCE] = {"guard.source", OPTION_BOOL, IN(guard.source), "true", 0, 0, NULL, "",
        "Whether datagrams from addresses that no honest client has are dropped."},
    [CONFIG_KEY_GUARD_DESTINATION] = {"guard.destination", OPTION_BOOL, IN(guard.destination), "true",
        0, 0, NULL, "",
        "Whether datagrams to multicast and broadcast addresses are dropped."},
    [CONFIG_KEY_GUARD_REPLY] = {"guard.reply", OPTION_BOOL, IN(guard.reply), "true", 0, 0, NULL, "",
        "Whether datagrams that look like an answer of this service are dropped."},
    [CONFIG_KEY_GUARD_TEXT] = {"guard.text", OPTION_BOOL, IN(guard.text), "true", 0, 0, NULL, "",
        "Whether datagrams that are not clean UTF-8 text are dropped."},
    [CONFIG_KEY_GUARD_RATE] = {"guard.rate", OPTION_BOOL, IN(guard.rate), "true", 0, 0, NULL, "",
        "Whether datagrams over rate.per_source are dropped."},
    [CONFIG_KEY_GUARD_BUDGET] = {"guard.budget", OPTION_BOOL, IN(guard.budget), "true", 0, 0, NULL, "",
        "Whether datagrams over rate.budget are dropped."},
};
/* clang-format on */

const char *option_name(const struct option *option)
{
    const char *dot = strrchr(option->path, '.');

    return dot ? dot + 1 : option->path;
}

bool option_is_member(const struct option *option, const char *group, const char *name)
{
    size_t length = strlen(group);

    if (!option->path)
        return false;
    const char *rest = option->path;
    if (length) {
        if (strncmp(rest, group, length) != 0 || rest[length] != '.')
            return false;
        rest += length + 1;
    }
    return !strchr(rest, '.') && (!name || !strcmp(rest, name));
}

static void describe_choices(const struct option_choice *choices, char *buffer)
{
    size_t used = 0;

    for (const struct option_choice *choice = choices; choice->name; choice++) {
        const char *before = choice == choices ? "" : choice[1].name ? ", " : " or ";
        int wrote = snprintf(buffer + used, OPTION_RANGE_MAX - used, "%s\"%s\"", before, choice->name);
        assert(wrote > 0 && (size_t) wrote < OPTION_RANGE_MAX - used);
        used += (size_t) wrote;
    }
}

const char *option_range(const struct option *option, char *buffer)
{
    buffer[0] = '\0';
    if (option->type == OPTION_CHOICE)
        describe_choices(option->choices, buffer);
    else if (option->type == OPTION_BOOL)
        snprintf(buffer, OPTION_RANGE_MAX, "true or false");
    else if (option->type != OPTION_GROUP)
        snprintf(buffer, OPTION_RANGE_MAX, "%.15g..%.15g%s%s", option->min, option->max,
                 *option->unit ? " " : "", option->unit);
    return buffer;
}

const struct option_choice *option_choice_named(const struct option *option, const char *name)
{
    for (const struct option_choice *choice = option->choices; choice->name; choice++)
        if (!strcmp(choice->name, name))
            return choice;
    return NULL;
}

double option_get_number(const struct option *option, const void *base)
{
    const char *at = (const char *) base + option->offset;
    double real;
    int whole;
    bool truth;

    switch (option->type) {
    case OPTION_BOOL:
        memcpy(&truth, at, sizeof(truth));
        return truth ? 1 : 0;
    case OPTION_SECONDS:
        memcpy(&real, at, sizeof(real));
        return real;
    default:
        memcpy(&whole, at, sizeof(whole));
        return whole;
    }
}

void option_set_number(const struct option *option, void *base, double value)
{
    char *at = (char *) base + option->offset;
    int whole;
    bool truth;

    switch (option->type) {
    case OPTION_BOOL:
        truth = value > 0;
        memcpy(at, &truth, sizeof(truth));
        break;
    case OPTION_SECONDS:
        memcpy(at, &value, sizeof(value));
        break;
    default:
        assert(value >= INT_MIN && value <= INT_MAX);
        whole = (int) value;
        memcpy(at, &whole, sizeof(whole));
    }
}

static void set_default(const struct option *option, void *base)
{
    const struct option_choice *choice;

    switch (option->type) {
    case OPTION_STRING:
        assert(strlen(option->initial) <= (size_t) option->max);
        memcpy((char *) base + option->offset, option->initial, strlen(option->initial) + 1);
        break;
    case OPTION_CHOICE:
        choice = option_choice_named(option, option->initial);
        assert(choice);
        option_set_number(option, base, choice->value);
        break;
    case OPTION_BOOL:
        option_set_number(option, base, !strcmp(option->initial, "true"));
        break;
    case OPTION_INT:
    case OPTION_SECONDS:
        option_set_number(option, base, strtod(option->initial, NULL));
        break;
    case OPTION_GROUP:
    case OPTION_LISTENERS:
    case OPTION_NETWORKS:
        break;
    }
}

void option_set_defaults(const struct option *options, unsigned count, void *base)
{
    for (unsigned i = 0; i < count; i++)
        if (options[i].initial)
            set_default(&options[i], base);
}

/* The option called NAME in GROUP, a NULL for GROUP standing for any; or NULL. */
static const struct option *find_by_name(const struct option *options, unsigned count, const char *group,
                                         const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (group ? option_is_member(&options[i], group, name)
                  : options[i].path && !strcmp(option_name(&options[i]), name))
            return &options[i];
    return NULL;
}

const struct option *option_meant(const struct option *options, unsigned count, const char *group,
                                  const char *name)
{
    const char *names[CONFIG_KEY_COUNT + 1] = {NULL};
    unsigned near = 0;
    const struct option *option = find_by_name(options, count, NULL, name);

    static_assert((int) CONFIG_GLOBAL_COUNT <= (int) CONFIG_KEY_COUNT, "names has room for either table");
    if (!option)
        option = find_by_name(option_globals, CONFIG_GLOBAL_COUNT, NULL, name);
    if (!option)
        option = find_by_name(option_listener, CONFIG_KEY_COUNT, NULL, name);
    if (option)
        return option;
    for (unsigned i = 0; i < count; i++)
        if (option_is_member(&options[i], group, NULL))
            names[near++] = option_name(&options[i]);
    const char *nearest = config_nearest(name, names);
    return nearest ? find_by_name(options, count, group, nearest) : NULL;
}

const char *option_prefix(const struct option *option)
{
    bool of_listener = option >= option_listener && option < option_listener + CONFIG_KEY_COUNT;

    return of_listener ? "listen." : "";
}
