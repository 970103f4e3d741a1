/* Sockets as the kernel shows them. */
#include "master/held.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/addr.h"
#include "base/log.h"

int held_add(struct held_list *list, const struct held *one)
{
    struct held *sockets = reallocarray(list->sockets, list->count + 1, sizeof(*sockets));

    if (sockets == NULL)
        return -1;
    sockets[list->count++] = *one;
    list->sockets = sockets;
    return 0;
}

bool held_has(const struct held_list *list, int fd)
{
    for (unsigned i = 0; list != NULL && i < list->count; i++)
        if (list->sockets[i].fd == fd)
            return true;
    return false;
}

static int option(int fd, int level, int name)
{
    int value = 0;
    socklen_t length = sizeof(value);

    return getsockopt(fd, level, name, &value, &length) < 0 ? -1 : value;
}

/* The ledger knows the file of a path socket, and the kernel its path. */
static void complete_path(struct held *held)
{
    const struct sockaddr_un *local = (const struct sockaddr_un *) &held->address;

    if (held->origin == HELD_STORED && held->path.inode != 0 && held->address.ss_family == AF_UNIX)
        snprintf(held->path.path, sizeof(held->path.path), "%s", local->sun_path);
}

int held_inspect(struct held *held)
{
    struct stat status;

    if (fstat(held->fd, &status) < 0 || !S_ISSOCK(status.st_mode)) {
        log_error("passed descriptor %d (\"%s\") is not a socket: take it out of the unit that passes it",
                  held->fd, held->name);
        return -1;
    }
    held->length = sizeof(held->address);
    if (getsockname(held->fd, (struct sockaddr *) &held->address, &held->length) < 0) {
        log_error("passed descriptor %d (\"%s\"): %s", held->fd, held->name, strerror(errno));
        return -1;
    }
    held->type = option(held->fd, SOL_SOCKET, SO_TYPE);
    held->listening = option(held->fd, SOL_SOCKET, SO_ACCEPTCONN) == 1;
    held->v6only = held->address.ss_family == AF_INET6 && option(held->fd, IPPROTO_IPV6, IPV6_V6ONLY) == 1;
    complete_path(held);
    return 0;
}

bool held_takes_both_families(const struct held *held)
{
    static const uint8_t any[16];

    return held->address.ss_family == AF_INET6 && !held->v6only &&
           memcmp(addr_peer((const struct sockaddr *) &held->address).address, any, sizeof(any)) == 0;
}

void held_settle(const struct held *held)
{
    if (held->origin == HELD_PASSED)
        return;
    if (held->address.ss_family != AF_UNIX)
        binding_share(held->fd, held->shared);
    else
        binding_bring_back(&held->path);
    if (held->type != SOCK_DGRAM)
        listen(held->fd, held->backlog);
}
