/* Making sockets: one address in, one bound (and listening) socket out. Knows addresses, not listeners of the
 * config. */
#ifndef HELLOD_MASTER_BINDING_H
#define HELLOD_MASTER_BINDING_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

/* What is to be bound. */
struct binding {
    struct sockaddr_storage address;
    socklen_t length;
    int type;     /* SOCK_* */
    int backlog;  /* not for datagrams */
    uid_t owner;  /* who is to own the socket, if that is root's to say; 0: whoever makes it */
    bool foreign; /* an explicit internet address, which may not be there yet: IP_FREEBIND (ip(7)) */
    mode_t mode;  /* of a path, from its first moment on; 0: as a port, it is open to everybody */
};

/* A path that this process made, so that it removes that one and no other (failure 40). */
struct binding_path {
    char path[108]; /* empty: none */
    dev_t device;
    ino_t inode;
};

/* Binds COUNT sockets to BINDING and puts them into FDS, which the caller then owns. More than one share the
 * port by SO_REUSEPORT; first it is made sure that nobody else has it (failure 11). A path socket is
 * noted in PATH; a stale one, at which nobody answers, is replaced. Returns 0,
 * or -1 with errno and nothing open. */
int binding_open(const struct binding *binding, int *fds, unsigned count, struct binding_path *path);

/* The same where COUNT sockets of our own, RIVALS, have the port already, at this address or at one that it
 * overlaps with: they are made to share it (binding_share()), and so are the new ones, which the caller
 * undoes where it is not to last. Somebody else's socket is in the way as ever. For internet addresses only.
 */
int binding_open_beside(const struct binding *binding, int *fds, unsigned count, const int *rivals,
                        unsigned rival_count);

/* Lets others of the same user have the port of FD too, or no longer: SO_REUSEPORT of socket(7). Returns 0,
 * or -1 with errno. */
int binding_share(int fd, bool shared);

/* Sets what may be set after binding, on our own sockets and on passed ones: non-blocking, no delay of small
 * answers, and for datagrams to be told the address that was asked. Returns 0, or -1 with errno. */
int binding_tune(int fd, int family, int type);

/* True when the path is still the one that was made. */
bool binding_has_path(const struct binding_path *path);

/* Makes room at the path, if it is still the one that was made, for a socket of ours that replaces this one:
 * its file gets another name until it is brought back or removed. */
void binding_set_aside(const struct binding_path *path);

/* Undoes the above. */
void binding_bring_back(const struct binding_path *path);

/* Removes the path, if it is still the one that was made; forgets it. */
void binding_remove_path(struct binding_path *path);

#endif
