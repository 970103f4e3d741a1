/* Where babble's clients go: READING,SIZE,KIND,HOST,PORT or READING,SIZE,KIND,PATH, taken apart. It must not
 * know what is said there. */
#ifndef HELLOD_TESTS_LIB_BABBLE_DOORS_H
#define HELLOD_TESTS_LIB_BABBLE_DOORS_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "babble_plan.h"

enum {
    DOORS_MAX = 16
};

struct door {
    enum plan_reading reading;
    size_t message_size;
    int type;
    struct sockaddr_storage address;
    socklen_t length;
};

struct doors {
    struct door list[DOORS_MAX];
    unsigned count;
};

static inline void doors_set_address(struct door *door, const char *host, const char *port)
{
    struct sockaddr_in *ipv4 = (struct sockaddr_in *) &door->address;
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *) &door->address;
    struct sockaddr_un *local = (struct sockaddr_un *) &door->address;
    in_port_t number = htons((uint16_t) (port != NULL ? atoi(port) : 0));

    if (inet_pton(AF_INET, host, &ipv4->sin_addr) == 1) {
        ipv4->sin_family = AF_INET;
        ipv4->sin_port = number;
        door->length = sizeof(*ipv4);
    } else if (inet_pton(AF_INET6, host, &ipv6->sin6_addr) == 1) {
        ipv6->sin6_family = AF_INET6;
        ipv6->sin6_port = number;
        door->length = sizeof(*ipv6);
    } else {
        local->sun_family = AF_UNIX;
        snprintf(local->sun_path, sizeof(local->sun_path), "%s", host);
        door->length = sizeof(*local);
    }
}

/* Adds the door that WORDS, which are spoilt, say. Returns false when they are wrong. */
static inline bool doors_add(struct doors *doors, char *words)
{
    static const char *const readings[] = {"lines", "packets", "upper", "datagrams", "pieces"};
    struct door *door = &doors->list[doors->count];
    const char *reading = strsep(&words, ","), *size = strsep(&words, ","), *kind = strsep(&words, ","),
               *host = strsep(&words, ","), *port = strsep(&words, ",");

    if (doors->count == DOORS_MAX || host == NULL)
        return false;
    while (door->reading < PLAN_PIECES && strcmp(reading, readings[door->reading]) != 0)
        door->reading++;
    door->message_size = strtoul(size, NULL, 10);
    door->type = strcmp(kind, "tcp") == 0 || strcmp(kind, "stream") == 0 ? SOCK_STREAM
                 : strcmp(kind, "seqpacket") == 0                        ? SOCK_SEQPACKET
                                                                         : SOCK_DGRAM;
    doors_set_address(door, host, port);
    doors->count++;
    return door->message_size >= 16;
}

#endif
