/* Conversations on stream and seqpacket connections: from the first word to the close. It never waits. */
#ifndef HELLOD_WORKER_STREAM_H
#define HELLOD_WORKER_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/state.h"

/* Takes the memory that the plan's stream services need. Returns 0, or -1 with errno. */
int stream_init(struct worker *worker);

/* Gives it back, also after a failure. */
void stream_close(struct worker *worker);

/* Begins a conversation on the connected FD, which is owned from now on, with a client that came in on
 * SOCKET. COUNTED: the table of sources has it. */
void stream_open(struct worker *worker, unsigned socket, int fd, const struct addr_peer *peer, bool counted);

/* The connection that has been silent for longest and owes nothing, if that is a second or more; or NULL. It
 * stays as it is; those found to have spoken meanwhile are moved behind the others. */
struct conn *stream_silent(struct worker *worker);

/* Ends the conversation on CONN, which stream_silent() has just found, and has its place free at once. */
void stream_evict(struct worker *worker, struct conn *conn);

/* Tells the client at FD, which is owned from now on, why it is refused, in a way that it can hear, and
 * closes. */
void stream_refuse(struct worker *worker, unsigned socket, int fd, const char *sentence);

/* The same without a place in the table, for when there is none or no descriptor to spare: what the client
 * sent so far is read and thrown away, so that in most cases it still hears us. */
void stream_refuse_at_once(struct worker *worker, int fd, const char *sentence);

/* Handles the epoll EVENTS of CONN. */
void stream_event(struct worker *worker, struct conn *conn, uint32_t events);

/* Does what deadlines demand. When more are over than others should wait for, the rest is left, and
 * stream_deadline() says that it is due. */
void stream_timers(struct worker *worker);

/* When stream_timers() must be called next, on the clock of clock_ms(); UINT64_MAX: no deadline. */
uint64_t stream_deadline(const struct worker *worker);

/* True when no connection is left, not even one that is being refused. */
bool stream_quiet(const struct worker *worker);

/* From now on a connection that owes nothing is closed after a second of silence. */
void stream_drain(struct worker *worker);

/* The time of a drain is over: ends every connection with an end of file, whatever is owed. Those that do not
 * close as well stay a little longer. */
void stream_end_all(struct worker *worker);

/* Closes every connection now. */
void stream_close_all(struct worker *worker);

#endif
