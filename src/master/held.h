/* A listening socket that the master has, wherever it came from: what the kernel says of it, and where it
 * belongs. Knows no config. */
#ifndef HELLOD_MASTER_HELD_H
#define HELLOD_MASTER_HELD_H

#include <limits.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "master/binding.h"

enum held_origin {
    HELD_PASSED, /* by a socket unit: it is not ours to change or to give up */
    HELD_STORED, /* bound by an earlier process of ours, and back from the descriptor store */
    HELD_BOUND   /* bound by this process */
};

enum {
    HELD_NAME_MAX = 255,    /* bytes, as FileDescriptorName= of systemd.socket(5) allows */
    HELD_UNWANTED = INT_MAX /* no listener is behind it */
};

struct held {
    int fd; /* for those that came from outside also the number under which they came */
    enum held_origin origin;
    char name[HELD_NAME_MAX + 1]; /* as passed; of ours: the listener's, which is its name in the store */
    int type;
    bool listening, v6only;
    struct sockaddr_storage address;
    socklen_t length;
    struct binding_path path; /* of ours, at a path */
    unsigned wanted;          /* index of the wanted socket that it is for, or HELD_UNWANTED */
    int backlog;              /* of ours */
    bool shared;              /* of ours: others share its port */
    bool covered;             /* of ours: the wanted socket is for more addresses than its own */
};

/* All that there are, in one piece of memory. */
struct held_list {
    struct held *sockets;
    unsigned count;
};

/* Adds ONE to LIST, whose memory the caller frees in the end. Returns 0, or -1 when there is no memory. */
int held_add(struct held_list *list, const struct held *one);

/* True when LIST (NULL: none) has the descriptor FD. */
bool held_has(const struct held_list *list, int fd);

/* Fills in what the kernel says of HELD, whose descriptor, name and origin are set. Returns 0, or -1 after
 * logging what it is not. */
int held_inspect(struct held *held);

/* A socket for [::] that is not restricted to IPv6. */
bool held_takes_both_families(const struct held *held);

/* Gives a socket of ours what may change while it is open: its backlog (listen(2)), whether its port is
 * shared (SO_REUSEPORT of socket(7)), and its path if that was set aside. Others are left as they are. */
void held_settle(const struct held *held);

#endif
