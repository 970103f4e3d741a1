/* Addresses as text and as bytes. Pure, but for the interface names of link-local addresses. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

/* The socket addresses of other families are reached by copy, so that no alignment is taken for granted. */
static struct sockaddr_in as_ipv4(const struct sockaddr *address)
{
    struct sockaddr_in ipv4;

    memcpy(&ipv4, address, sizeof(ipv4));
    return ipv4;
}

static struct sockaddr_in6 as_ipv6(const struct sockaddr *address)
{
    struct sockaddr_in6 ipv6;

    memcpy(&ipv6, address, sizeof(ipv6));
    return ipv6;
}

struct addr_peer addr_peer(const struct sockaddr *address)
{
    struct addr_peer peer = {0};

    if (address->sa_family == AF_INET) {
        struct sockaddr_in ipv4 = as_ipv4(address);
        memcpy(peer.address, addr_mapped, ADDR_MAPPED_BYTES);
        memcpy(peer.address + ADDR_MAPPED_BYTES, &ipv4.sin_addr, 4);
        peer.port = ntohs(ipv4.sin_port);
        peer.is_internet = 1;
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 ipv6 = as_ipv6(address);
        memcpy(peer.address, &ipv6.sin6_addr, 16);
        peer.port = ntohs(ipv6.sin6_port);
        peer.is_internet = 1;
    }
    return peer;
}

const char *addr_peer_text(const struct addr_peer *peer, char text[ADDR_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN];

    if (!peer->is_internet)
        snprintf(text, ADDR_TEXT_MAX, "local");
    else if (addr_is_ipv4(peer->address))
        snprintf(text, ADDR_TEXT_MAX, "%s:%u", inet_ntop(AF_INET, peer->address + 12, host, sizeof(host)),
                 peer->port);
    else
        snprintf(text, ADDR_TEXT_MAX, "[%s]:%u", inet_ntop(AF_INET6, peer->address, host, sizeof(host)),
                 peer->port);
    return text;
}

/* A path socket's address; LENGTH says how much of sun_path counts (unix(7)). */
static void local_text(const struct sockaddr *address, socklen_t length, char text[ADDR_TEXT_MAX])
{
    struct sockaddr_un local = {0};
    size_t start = offsetof(struct sockaddr_un, sun_path);

    if (length > sizeof(local)) /* the kernel counts the NUL that a path of full length has no room for */
        length = sizeof(local);
    memcpy(&local, address, length);
    if (length <= start)
        snprintf(text, ADDR_TEXT_MAX, "unnamed");
    else if (local.sun_path[0] == '\0')
        snprintf(text, ADDR_TEXT_MAX, "@%.*s", (int) (length - start - 1), local.sun_path + 1);
    else
        snprintf(text, ADDR_TEXT_MAX, "%.*s", (int) (length - start), local.sun_path);
}

const char *addr_text(const struct sockaddr *address, socklen_t length, char text[ADDR_TEXT_MAX])
{
    if (address->sa_family == AF_UNIX) {
        local_text(address, length, text);
    } else if (address->sa_family == AF_INET6) {
        /* Not by way of the peer's form: a socket bound to a link-local address shows its interface, and a
         * mapped address is shown as what it is. */
        struct sockaddr_in6 ipv6 = as_ipv6(address);
        char host[NI_MAXHOST];
        if (getnameinfo(address, length, host, sizeof(host), NULL, 0, NI_NUMERICHOST) != 0)
            snprintf(host, sizeof(host), "?");
        snprintf(text, ADDR_TEXT_MAX, "[%.100s]:%u", host, ntohs(ipv6.sin6_port));
    } else {
        struct addr_peer peer = addr_peer(address);
        addr_peer_text(&peer, text);
    }
    return text;
}

bool addr_same_prefix(const uint8_t a[16], const uint8_t b[16], unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

const char *addr_network_text(const uint8_t address[16], unsigned bits, char text[ADDR_TEXT_MAX])
{
    bool is_ipv4 = bits >= 96 && addr_is_ipv4(address);
    uint8_t network[16] = {0};
    char host[INET6_ADDRSTRLEN];

    memcpy(network, address, (bits + 7) / 8);
    if (bits % 8 != 0)
        network[bits / 8] &= (uint8_t) (0xff00 >> bits % 8);
    inet_ntop(is_ipv4 ? AF_INET : AF_INET6, is_ipv4 ? network + 12 : network, host, sizeof(host));
    snprintf(text, ADDR_TEXT_MAX, bits == 128 ? "%s" : "%s/%u", host, bits - (is_ipv4 ? 96 : 0));
    return text;
}

socklen_t addr_parse(const char *address, uint16_t port, struct sockaddr_storage *store)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    char service[8];

    snprintf(service, sizeof(service), "%u", port);
    if (getaddrinfo(address, service, &hints, &found) != 0)
        return 0;
    socklen_t length = found->ai_addrlen;
    memcpy(store, found->ai_addr, length);
    freeaddrinfo(found);
    return length;
}

uint16_t addr_port(const struct sockaddr *address)
{
    return addr_peer(address).port;
}
