/* Getting through to a target: one connection out of several addresses, or a socket that hears one address
 * alone. Knows nothing of what is said then. */
#ifndef HELLOD_CLIENT_DIAL_H
#define HELLOD_CLIENT_DIAL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "client/target.h"

struct dial {
    int fd;           /* non-blocking, close-on-exec; -1: none */
    int type;         /* of the socket: SOCK_STREAM, SOCK_DGRAM, or SOCK_SEQPACKET, which only paths have */
    unsigned index;   /* the target's address that it leads to */
    uint64_t took_ns; /* from that address's connect(2) until it was known to be there */
    int errors[TARGET_ADDRESSES_MAX]; /* errno of each address that failed, ETIMEDOUT for those that were
                                         still silent at the end; 0: it did not fail, or was not tried */
};

/* A socket of TYPE whose connect(2) to address INDEX of TARGET is done or under way (it is writable then, and
 * SO_ERROR of socket(7) tells the outcome). A datagram socket hears that address alone; one for a path has a
 * name, so that it can be answered (autobind of unix(7)). Returns it, non-blocking and close-on-exec; or -1
 * with errno, EAGAIN when a path's queue is full. The caller closes it. */
int dial_start(const struct target *target, unsigned index, int type);

/* Connects to TARGET, which is a stream's, within WAIT_MS (1 to INT_MAX) in all. Addresses are tried in turn
 * as RFC 8305, section 5, says: the next one when one fails, or is still silent after 250 ms; the first that
 * is there is taken. What listens at a path may be a stream or a seqpacket socket. Returns 0, and the caller
 * closes dial->fd; or -1, and dial->errors says why. */
int dial_connect(const struct target *target, unsigned wait_ms, struct dial *dial);

/* Whether ERROR, of errno, says nothing of a target, as it means that this system could not even try. */
bool dial_error_is_ours(int error);

/* Whether nothing that went wrong says anything of TARGET, as this system could not even try: it has no
 * memory, no descriptors, no such address family, or no right to. */
bool dial_is_ours(const struct target *target, const struct dial *dial);

/* Writes what went wrong with each address of TARGET to OUT, as in "[::1]:3288: Connection refused;
 * 127.0.0.1:3288: no answer", without newline; of a path, which is the target's name, the reason alone. */
void dial_explain(FILE *out, const struct target *target, const struct dial *dial);

#endif
