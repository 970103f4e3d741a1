/* Who may use a listener at all, by its lists of networks. */
#ifndef HELLOD_WORKER_ACCESS_H
#define HELLOD_WORKER_ACCESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "worker/state.h"

/* Takes the next connection that waits on SOCKET and says in PEER whose it is. Returns its descriptor, which
 * the caller owns; or -1 with errno, as of accept(2). */
int access_accept(const struct worker *worker, unsigned socket, struct addr_peer *peer);

/* True if ERROR of access_accept() is the peer's or the network's: the connection is gone, the next may be
 * fine.
 */
bool access_peer_is_gone(int error);

/* Closes the new connection FD if PEER may not use SOCKET: counted, without a word. True if it did. */
bool access_closes(struct worker *worker, unsigned socket, int fd, const struct addr_peer *peer);

/* Whether a datagram from SOURCE may be given to SERVICE; it is counted, as dropped if not. */
bool access_admits(struct worker *worker, const struct plan_service *service, const struct sockaddr *source);

#endif
