/* How many connections wait at a listening socket of AF_UNIX, and how many may: what TCP_INFO tells of the
 * others. Asked of the kernel by sock_diag(7), which a sandbox may forbid. */
#ifndef HELLOD_MASTER_BACKLOG_H
#define HELLOD_MASTER_BACKLOG_H

#include <stdbool.h>
#include <stdint.h>

struct backlog {
    uint32_t waiting; /* connections to be accepted */
    uint32_t limit;   /* as listen(2) was told, or the most that the system allows */
};

/* Fills BACKLOG with that of the listening socket FD, without waiting. Returns false when the kernel does not
 * tell, and BACKLOG is as it was: where netlink(7) is forbidden or unix_diag missing, or if the socket is of
 * another network namespace. */
bool backlog_ask(int fd, struct backlog *backlog);

#endif
