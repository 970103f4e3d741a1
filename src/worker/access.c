/* Who may use a listener at all. It is asked before anything else is looked at, and must not know what that
 * would be: no limit, no rule and no word for those who may not. */
#include "worker/access.h"

#include <errno.h>
#include <unistd.h>

#include "base/addr.h"

int access_accept(const struct worker *worker, unsigned socket, struct addr_peer *peer)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof(address);
    int fd =
        accept4(worker->fds[socket], (struct sockaddr *) &address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

    *peer = addr_peer((const struct sockaddr *) &address);
    return fd;
}

bool access_peer_is_gone(int error)
{
    return error == ECONNABORTED || error == EPROTO || error == EPERM || error == ENETDOWN ||
           error == ENOPROTOOPT || error == EHOSTDOWN || error == ENONET || error == EHOSTUNREACH ||
           error == EOPNOTSUPP || error == ENETUNREACH || error == EINTR;
}

bool access_closes(struct worker *worker, unsigned socket, int fd, const struct addr_peer *peer)
{
    if (plan_allows(service_of(worker, socket), peer))
        return false;
    tally_add(tally_of(worker, service_of(worker, socket)), COUNTER_refused_access, 1);
    close(fd);
    return true;
}

bool access_admits(struct worker *worker, const struct plan_service *service, const struct sockaddr *source)
{
    struct addr_peer peer = addr_peer(source);

    if (plan_allows(service, &peer))
        return true;
    tally_add(tally_of(worker, service), COUNTER_drop_access, 1);
    return false;
}
