/* Parcels: answers of one length to one address, which the kernel takes as one message and cuts again. Most
 * of what it costs to send a datagram is then spent once for all of them. */
#ifndef HELLOD_WORKER_PARCEL_H
#define HELLOD_WORKER_PARCEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    PARCEL_ANSWERS_MAX = 64, /* that any kernel cuts */
    PARCEL_CONTROL_SIZE = CMSG_SPACE(sizeof(uint16_t))
};

/* Whether the kernel cuts what is sent on FD; UDP_SEGMENT in udp(7). */
bool parcel_possible(int fd);

/* Puts COUNT ANSWERS, at most PARCEL_ANSWERS_MAX, into PARCELS, which has room for as many: those that stand
 * one after the other and have everything but their text in common go together. Each answer has one vector,
 * the vectors stand one after the other, and behind its control messages are PARCEL_CONTROL_SIZE bytes of
 * room, which are written to. A parcel has as many vectors as answers. Returns the number of parcels. */
unsigned parcel_pack(const struct mmsghdr *answers, unsigned count, struct mmsghdr *parcels);

#endif
