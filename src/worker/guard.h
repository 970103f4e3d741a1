/* The datagram guard: decides from plain facts whether a datagram may be answered at all.
 *
 * A service that answers everything on UDP can be set against another such service by one spoofed datagram
 * (CVE-1999-0103, CVE-2024-2169) and hides an attacker behind a reflected packet. The guard stands in front
 * of the protocol. It is a pure function of its arguments: no socket, no clock, no counter. */
#ifndef HELLOD_WORKER_GUARD_H
#define HELLOD_WORKER_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "protocol/protocol.h"

enum guard_rule { /* in the order in which they are asked */
    GUARD_OVERSIZE,
    GUARD_EMPTY,
    GUARD_PORT,
    GUARD_SOURCE,
    GUARD_DESTINATION,
    GUARD_REPLY,
    GUARD_TEXT,
    GUARD_RATE, /* these two are not asked here: they are about more than one datagram, see rate.h */
    GUARD_BUDGET,
    GUARD_RULES,
    GUARD_PASS = GUARD_RULES
};

/* What the rules need to know; fixed for the life of a worker.
 *
 * - oversize: longer than message_size. Never cut to fit: a loop that does not grow does not end.
 * - empty: no bytes, or, with the text rule on, nothing but a line ending; the ratio would have no bound.
 * - port: over IP, source port 0, below 1024 (echo, chargen, DNS and their like) or one of own_ports.
 * - source: unspecified (0.0.0.0/8, which is "this network", or ::), multicast, limited broadcast, or
 *   loopback on an interface that is known and is not loopback_index. A source without an address, such as a
 *   nameless AF_UNIX socket, cannot be answered: it breaks this rule even when the rule is off.
 * - destination: multicast, limited broadcast, or not local.
 * - reply: begins and ends as an answer with the active or the built-in words does; a line ending after it is
 *   overlooked. Words that are nothing but the name recognise nothing.
 * - text: not UTF-8 (RFC 3629), or with a control character (C0, DEL, C1) before one trailing LF or CRLF.
 *
 * IPv4-mapped IPv6 addresses are judged as IPv4. */
struct guard {
    uint32_t rules; /* bit 1 << rule set: the rule is on. GUARD_OVERSIZE is always taken as on. */
    size_t message_size;
    const struct texts *active;  /* the listener's words */
    const struct texts *builtin; /* the protocol's own, as guard_builtin() has it */
    const uint16_t *own_ports;   /* our UDP ports, host order */
    size_t own_port_count;
    unsigned loopback_index; /* interface index of the loopback device */
};

/* One datagram as it arrived. */
struct datagram {
    const char *data;
    size_t length;
    bool truncated;                /* MSG_TRUNC: it was longer than the buffer */
    const struct sockaddr *source; /* AF_INET, AF_INET6 or AF_UNIX */
    socklen_t source_length;
    const struct sockaddr *destination; /* the header's destination address; NULL when it is not known */
    bool destination_is_local; /* false for IPv4 when the header's destination is not a local unicast address,
                                  true in all other cases */
    unsigned interface;        /* index of the interface it came in on, 0 when it is not known */
};

/* The first rule that DATAGRAM breaks, or GUARD_PASS; then *MESSAGE is what is to be answered: the whole
 * datagram, or, with the text rule on, without one trailing LF or CRLF. */
enum guard_rule guard_check(const struct guard *guard, const struct datagram *datagram, struct span *message);

/* BUILTIN; or ACTIVE if both answer alike, so that a datagram is not compared with the same words twice. */
const struct texts *guard_builtin(const struct texts *active, const struct texts *builtin);

/* The rule's name as the config and the counters spell it ("oversize"). */
const char *guard_rule_name(enum guard_rule rule);

#endif
