/* From listeners to addresses. Pure: what exists on this host is not asked here. */
#include "master/wanted.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static int socket_type(enum config_socket_type type)
{
    if (type == CONFIG_DATAGRAM)
        return SOCK_DGRAM;
    return type == CONFIG_SEQPACKET ? SOCK_SEQPACKET : SOCK_STREAM;
}

static void set_path(struct binding *binding, const char *path)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    size_t length = strlen(path);

    memcpy(local.sun_path, path, length);
    binding->length = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + length);
    if (path[0] == '@') /* the abstract namespace: the name begins with NUL and ends with the length */
        local.sun_path[0] = '\0';
    else
        binding->length++;
    memcpy(&binding->address, &local, sizeof(local));
}

unsigned wanted_list(const struct config *config, struct wanted wanted[PLAN_SOCKETS_MAX])
{
    static const char *const everywhere[] = {"0.0.0.0", "::"};
    unsigned count = 0;

    for (unsigned i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];
        bool any = strcmp(listener->address, "*") == 0;
        for (unsigned j = 0; j < (any ? 2 : 1); j++) {
            struct wanted *one = &wanted[count++];
            *one = (struct wanted){.listener = i, .optional = any};
            one->binding.type = socket_type(listener->type);
            one->binding.backlog = listener->backlog;
            if (listener->path[0] != '\0') {
                set_path(&one->binding, listener->path);
                continue;
            }
            one->binding.foreign = !any;
            /* It stays 0 for a link-local address of an interface that is not there. */
            one->binding.length = addr_parse(any ? everywhere[j] : listener->address,
                                             (uint16_t) listener->port, &one->binding.address);
        }
    }
    return count;
}

const char *wanted_text(int type, const struct sockaddr *address, socklen_t length,
                        char text[WANTED_TEXT_MAX])
{
    static const struct {
        int type;
        const char *local, *internet;
    } words[] = {{SOCK_STREAM, "unix stream", "tcp"},
                 {SOCK_DGRAM, "unix datagram", "udp"},
                 {SOCK_SEQPACKET, "unix seqpacket", "seqpacket"}};
    const char *word = "socket";
    char where[ADDR_TEXT_MAX];

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (words[i].type == type)
            word = address->sa_family == AF_UNIX ? words[i].local : words[i].internet;
    snprintf(text, WANTED_TEXT_MAX, "%s %s", word, addr_text(address, length, where));
    return text;
}

const char *wanted_describe(const struct config *config, const struct wanted *wanted,
                            char text[WANTED_TEXT_MAX])
{
    const struct binding *binding = &wanted->binding;

    if (binding->length > 0)
        return wanted_text(binding->type, (const struct sockaddr *) &binding->address, binding->length, text);
    snprintf(text, WANTED_TEXT_MAX, "%s", config->listeners[wanted->listener].address);
    return text;
}

const char *wanted_directive(int type)
{
    if (type == SOCK_DGRAM)
        return "ListenDatagram=";
    return type == SOCK_SEQPACKET ? "ListenSequentialPacket=" : "ListenStream=";
}
