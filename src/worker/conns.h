/* The connection table: fixed size, taken at start, touched when used.
 *
 * A connection is 48 bytes. Each is in exactly one list; a list is ordered by the time at which its
 * connections entered or were moved, so that the one whose deadline comes first is at the head and one look
 * serves a timeout. A connection that owes nothing and waits for nothing has no buffer.
 *
 * An idle connection costs 78 bytes of user memory in all, measured by `make bench`: 48 here, and at most 32
 * in the table of sources, when each client has a network of its own.
 *
 * This module knows neither sockets nor protocols nor what the lists mean. */
#ifndef HELLOD_WORKER_CONNS_H
#define HELLOD_WORKER_CONNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "protocol/framing.h"

enum {
    CONN_NONE = -1
};

struct conn {
    int32_t fd;
    int32_t next, previous; /* in its list; indexes */
    int32_t buffer;         /* index of its buffer, or CONN_NONE */
    uint32_t stamp_ms;      /* when it entered its list; the low 32 bits of clock_ms() */
    uint8_t list;
    uint8_t socket; /* index in the plan's sockets */
    struct framing framing;
    uint8_t interest; /* what epoll watches it for, EPOLLIN and EPOLLOUT */
    uint8_t after;    /* enum after, in turn.c: what to do when all is sent */
    uint8_t cause;    /* enum counter of the reason to close, once there is one */
    uint8_t flags;    /* CONN_* in connection.h */
    struct addr_peer peer;
};

/* What a connection is owed or has said without having been answered. The input comes first in bytes[], the
 * output behind it, each with room for what the plan's limits allow. */
struct buffer {
    uint32_t in_length;
    uint32_t out_start, out_end;
    int32_t next_free;
    char bytes[];
};

struct conns {
    struct conn *table;
    int32_t *heads, *tails; /* by list; the last list is that of unused connections */
    unsigned capacity, lists;
    int32_t fresh; /* connections from here on were never used */
    char *buffers;
    size_t stride, in_size, out_size;
    int32_t buffer_free, buffer_fresh;
    unsigned buffers_used;
    size_t buffers_mapped;
};

/* Takes memory for CAPACITY connections in LISTS lists, with buffers of IN_SIZE and OUT_SIZE bytes. Returns
 * 0, or -1 with errno. A worker keeps it until it ends. */
int conns_open(struct conns *conns, unsigned capacity, unsigned lists, size_t in_size, size_t out_size);

/* Gives the memory back; fine on one that is all zero. */
void conns_close(struct conns *conns);

/* A connection of its own, zeroed but for the list, at the end of LIST; NULL when all are in use. */
struct conn *conns_new(struct conns *conns, unsigned list, uint32_t now_ms);

/* Gives CONN and its buffer back. */
void conns_free(struct conns *conns, struct conn *conn);

/* Moves CONN to the end of LIST and stamps it. */
void conns_move(struct conns *conns, struct conn *conn, unsigned list, uint32_t now_ms);

/* The number of CONN in the table. */
static inline uint32_t conns_index(const struct conns *conns, const struct conn *conn)
{
    return (uint32_t) (conn - conns->table);
}

/* The connection of that number. */
static inline struct conn *conns_at(const struct conns *conns, uint32_t index)
{
    return &conns->table[index];
}

/* The connection that has been in LIST for longest, or NULL. */
static inline struct conn *conns_first(const struct conns *conns, unsigned list)
{
    return conns->heads[list] == CONN_NONE ? NULL : conns_at(conns, (uint32_t) conns->heads[list]);
}

/* The buffer of CONN, which gets an empty one if it has none. Never fails: there is one for each connection.
 */
struct buffer *conns_buffer(struct conns *conns, struct conn *conn);

/* The buffer of that number. */
static inline struct buffer *conns_buffer_at(const struct conns *conns, int32_t number)
{
    return (struct buffer *) (void *) (conns->buffers + (size_t) number * conns->stride);
}

/* The buffer of CONN, or NULL. */
static inline struct buffer *conns_buffer_of(const struct conns *conns, const struct conn *conn)
{
    return conn->buffer == CONN_NONE ? NULL : conns_buffer_at(conns, conn->buffer);
}

/* Gives the buffer of CONN back, if it has one. */
void conns_unbuffer(struct conns *conns, struct conn *conn);

/* Gives the memory of buffers back to the kernel when none is in use; for now and then. */
void conns_trim(struct conns *conns);

#endif
