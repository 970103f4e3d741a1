/* Sends datagrams whose sources are forged, for tests in a network namespace of their own.
 *
 * flood HOST PORT FIRST SOURCES COUNT SECONDS: COUNT datagrams to HOST and PORT (IPv4), from SOURCES
 * addresses in turn, FIRST and those behind it, for at most so many SECONDS; then says how many were sent. It
 * refuses to work where there is a default route: there it could meet others. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    BATCH = 64,
    NAME_LENGTH = 3,
    LEAST_PORT = 1024,
    PORTS = 60000,
    HOPS = 64
};

struct packet {
    struct iphdr ip;
    struct udphdr udp;
    char name[NAME_LENGTH];
} __attribute__((packed));

struct flood {
    struct sockaddr_in target;
    uint32_t first; /* host order */
    unsigned long sources, count, sent;
    uint64_t until_ms;
    struct packet packets[BATCH];
    struct iovec vectors[BATCH];
    struct mmsghdr messages[BATCH];
};

static int fail(const char *what)
{
    fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
    return EXIT_FAILURE;
}

/* There is a way out of this network. Nothing is sent. */
static bool among_others(void)
{
    struct sockaddr_in elsewhere = {.sin_family = AF_INET, .sin_port = htons(9)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    inet_pton(AF_INET, "192.0.2.1", &elsewhere.sin_addr); /* nobody's (RFC 5737) */
    bool reached = fd < 0 || connect(fd, (struct sockaddr *) &elsewhere, sizeof(elsewhere)) == 0;
    if (fd >= 0)
        close(fd);
    return reached;
}

/* All that the packets have in common. The kernel fills in the header's checksum, and over IPv4 a datagram
 * needs none. */
static void lay_out(struct flood *flood)
{
    for (unsigned i = 0; i < BATCH; i++) {
        struct packet *packet = &flood->packets[i];
        packet->ip = (struct iphdr){.version = IPVERSION,
                                    .ihl = sizeof(packet->ip) / 4,
                                    .ttl = HOPS,
                                    .protocol = IPPROTO_UDP,
                                    .daddr = flood->target.sin_addr.s_addr};
        packet->udp.dest = flood->target.sin_port;
        packet->udp.len = htons(sizeof(packet->udp) + NAME_LENGTH);
        memcpy(packet->name, "Bob", NAME_LENGTH);
        flood->vectors[i] = (struct iovec){packet, sizeof(*packet)};
        flood->messages[i].msg_hdr = (struct msghdr){.msg_name = &flood->target,
                                                     .msg_namelen = sizeof(flood->target),
                                                     .msg_iov = &flood->vectors[i],
                                                     .msg_iovlen = 1};
    }
}

static int send_all(struct flood *flood, int fd)
{
    while (flood->sent < flood->count && clock_ms() < flood->until_ms) {
        unsigned long left = flood->count - flood->sent;
        unsigned size = left < BATCH ? (unsigned) left : BATCH;
        for (unsigned i = 0; i < size; i++) {
            unsigned long number = flood->sent + i;
            flood->packets[i].ip.saddr = htonl(flood->first + (uint32_t) (number % flood->sources));
            flood->packets[i].udp.source = htons((uint16_t) (LEAST_PORT + number % PORTS));
        }
        int taken = sendmmsg(fd, flood->messages, size, 0);
        if (taken < 0 && errno != ENOBUFS)
            return -1;
        flood->sent += taken > 0 ? (unsigned long) taken : 0;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct flood flood;
    struct in_addr first;

    if (argc != 7 || inet_pton(AF_INET, argv[1], &flood.target.sin_addr) != 1 ||
        inet_pton(AF_INET, argv[3], &first) != 1) {
        fprintf(stderr, "usage: flood HOST PORT FIRST SOURCES COUNT SECONDS\n");
        return EXIT_FAILURE;
    }
    if (among_others()) {
        fprintf(stderr, "flood: only in a network namespace without a default route\n");
        return EXIT_FAILURE;
    }
    flood.target.sin_family = AF_INET;
    flood.target.sin_port = htons((uint16_t) atoi(argv[2]));
    flood.first = ntohl(first.s_addr);
    flood.sources = strtoul(argv[4], NULL, 10);
    flood.count = strtoul(argv[5], NULL, 10);
    flood.until_ms = clock_ms() + 1000 * strtoul(argv[6], NULL, 10);
    lay_out(&flood);
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    if (fd < 0)
        return fail("socket");
    if (flood.sources == 0 || send_all(&flood, fd) < 0)
        return fail("send");
    close(fd);
    printf("%lu\n", flood.sent);
    return EXIT_SUCCESS;
}
