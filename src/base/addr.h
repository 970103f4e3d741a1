/* Addresses: to text, from text, and in the one form in which sources are compared. Knows no sockets. */
#ifndef HELLOD_BASE_ADDR_H
#define HELLOD_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

enum {
    ADDR_TEXT_MAX = 128, /* room for any text made here, its NUL included */
    ADDR_MAPPED_BYTES = 12
};

/* What IPv4-mapped addresses begin with. */
static const uint8_t addr_mapped[ADDR_MAPPED_BYTES] = {[10] = 0xff, [11] = 0xff};

/* Who is at the other end, kept small because each connection has one. IPv4 is kept as an IPv4-mapped IPv6
 * address (RFC 4291, 2.5.5.2), so that a client is the same source whichever kind of socket it came in on. */
struct addr_peer {
    uint8_t address[16];
    uint16_t port;       /* host order */
    uint8_t is_internet; /* 0: a local (AF_UNIX) peer, which has neither address nor port */
};

/* The peer at ADDRESS, of any family. */
struct addr_peer addr_peer(const struct sockaddr *address);

/* Writes "127.0.0.1:3288", "[::1]:3288" or "local" to TEXT (room for ADDR_TEXT_MAX); returns TEXT. */
const char *addr_peer_text(const struct addr_peer *peer, char text[ADDR_TEXT_MAX]);

/* Writes the address of LENGTH bytes as above, a path socket as its path, an abstract one as "@name", an
 * unnamed one as "unnamed"; returns TEXT. */
const char *addr_text(const struct sockaddr *address, socklen_t length, char text[ADDR_TEXT_MAX]);

/* True when the first BITS (0 to 128) bits of A and B are the same. */
bool addr_same_prefix(const uint8_t a[16], const uint8_t b[16], unsigned bits);

/* Writes the network of the first BITS of ADDRESS, as "192.0.2.0/24" or "2001:db8::/32", or without its
 * length if it is one address; returns TEXT. IPv4 as mapped, with BITS of 96 and more, is written as IPv4. */
const char *addr_network_text(const uint8_t address[16], unsigned bits, char text[ADDR_TEXT_MAX]);

/* True for an IPv4-mapped address. */
static inline bool addr_is_ipv4(const uint8_t address[16])
{
    return memcmp(address, addr_mapped, ADDR_MAPPED_BYTES) == 0;
}

/* How many bits of ADDRESS tell one source from another: all of IPv4, and of IPv6 a /64, since that is what
 * one client has. */
static inline unsigned addr_source_bits(const uint8_t address[16])
{
    return addr_is_ipv4(address) ? 128 : 64;
}

/* How many bits of ADDRESS tell one neighbourhood from another: an IPv4 /24 or an IPv6 /48. */
static inline unsigned addr_prefix_bits(const uint8_t address[16])
{
    return addr_is_ipv4(address) ? 120 : 48;
}

/* Parses a numeric IPv4 or IPv6 ADDRESS ("fe80::1%eth0" too) and PORT into STORE. Returns the length, or 0
 * when it is no such address. */
socklen_t addr_parse(const char *address, uint16_t port, struct sockaddr_storage *store);

/* The port of an internet address in host order, 0 for others. */
uint16_t addr_port(const struct sockaddr *address);

#endif
