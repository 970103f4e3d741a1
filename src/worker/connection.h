/* One connection's socket: what epoll watches it for, a send that never waits, and the ways in which it ends:
 * at once and for a cause, or after the client has heard our last words. */
#ifndef HELLOD_WORKER_CONNECTION_H
#define HELLOD_WORKER_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "worker/state.h"

enum {                 /* conn.flags */
    CONN_ADMITTED = 1, /* counts as live */
    CONN_COUNTED = 2,  /* the table of sources has it */
    CONN_END = 4,      /* the client has sent end of file */
    CONN_RIPE = 8,     /* the next message has waited for its delay */
    CONN_LINGERS = 16, /* closed for our part; what still comes is thrown away */
    CONN_SPOKE = 32,   /* the client has sent a message */
    CONN_CROSSED = 64  /* and one that met our end on its way, or came behind it */
};

/* Sets how many connections count against the worker's limit, here and on the scoreboard. */
void connection_set_live(struct worker *worker, uint32_t live);

/* Closes CONN now, and counts and logs that; CAUSE counts if it has no cause yet. CONN is gone afterwards. */
void connection_close(struct worker *worker, struct conn *conn, enum counter cause);

/* Says no more, and reads on until the client has closed too: a close with unread input would send a reset,
 * which can overtake what we said (RFC 1122, 4.2.2.13; RFC 9112, 9.6). */
void connection_linger(struct worker *worker, struct conn *conn);

/* Gives up a connection that owes nothing after saying SENTENCE, as far as the socket takes it at once. */
void connection_give_up(struct worker *worker, struct conn *conn, const char *sentence);

/* Gives up the silent connection CONN, whose place is needed now: from here on it counts as one that is being
 * refused. Where there are no more of these it hears SENTENCE and is closed at once. */
void connection_evict(struct worker *worker, struct conn *conn, const char *sentence);

/* Watches CONN for other events than so far; for connection_watch() alone. */
void connection_change(struct worker *worker, struct conn *conn, uint32_t events);

/* Watches CONN for EVENTS (EPOLLIN, EPOLLOUT, 0); a system call only when that is a change. */
static inline void connection_watch(struct worker *worker, struct conn *conn, uint32_t events)
{
    if (conn->interest != events)
        connection_change(worker, conn, events);
}

/* send(2) without waiting and without a signal. */
ssize_t connection_send(int fd, const char *data, size_t length);

/* True when ERROR of a send or receive means "later", not "never". */
bool connection_is_later(int error);

#endif
