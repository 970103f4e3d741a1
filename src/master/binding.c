/* Sockets of our own binding, by the rules of ip(7), ipv6(7), socket(7), unix(7). */
#include "master/binding.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    RECEIVE_BUFFER = 1 << 20, /* bytes; datagrams that wait while a restart goes on, or as much of it as
                                 net.core.rmem_max allows (socket(7)) */
    SEND_BUFFER = 32768,      /* bytes; answers that a client may leave unread before it waits itself */
    PATH_MODE = 0666 /* as a port is open to everybody, so is a path; who may reach it, its folder says */
};

static int switch_on(int fd, int level, int option)
{
    int on = 1;

    return setsockopt(fd, level, option, &on, sizeof(on));
}

static int close_keeping_errno(int fd)
{
    int saved = errno;

    close(fd);
    errno = saved;
    return -1;
}

static const struct sockaddr *address_of(const struct binding *binding)
{
    return (const struct sockaddr *) &binding->address;
}

/* The default has room for some 250 short datagrams, less than a second of a busy service. A kernel that
 * grants no more is no reason not to serve. */
static void widen(int fd)
{
    int size = RECEIVE_BUFFER;

    (void) !setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

/* Options that the kernel takes only before bind. */
static int set_before_bind(int fd, const struct binding *binding, bool shared)
{
    int family = binding->address.ss_family;

    if (family == AF_UNIX)
        return 0;
    /* For streams: a restart need not wait for old connections. For datagrams it would let two servers share
     * the port. */
    if (binding->type == SOCK_STREAM && switch_on(fd, SOL_SOCKET, SO_REUSEADDR) < 0)
        return -1;
    if (shared && switch_on(fd, SOL_SOCKET, SO_REUSEPORT) < 0)
        return -1;
    if (family == AF_INET6 && switch_on(fd, IPPROTO_IPV6, IPV6_V6ONLY) < 0)
        return -1;
    if (binding->foreign && switch_on(fd, IPPROTO_IP, IP_FREEBIND) < 0)
        return -1;
    return 0;
}

/* The kernel lets only sockets of one user share a port; what root makes would be in the way of what is made
 * when root has been given up. Where it cannot be done, nothing is lost but that. */
static void give_away(const struct binding *binding, int fd)
{
    if (binding->owner != 0)
        (void) !fchown(fd, binding->owner, (gid_t) -1);
}

static int open_one(const struct binding *binding, bool shared)
{
    int fd = socket(binding->address.ss_family, binding->type | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    give_away(binding, fd);
    if (set_before_bind(fd, binding, shared) < 0 || bind(fd, address_of(binding), binding->length) < 0)
        return close_keeping_errno(fd);
    if (binding->type == SOCK_DGRAM)
        widen(fd);
    else if (listen(fd, binding->backlog) < 0)
        return close_keeping_errno(fd);
    if (binding_tune(fd, binding->address.ss_family, binding->type) < 0)
        return close_keeping_errno(fd);
    return fd;
}

static const char *path_of(const struct binding *binding)
{
    const struct sockaddr_un *local = (const struct sockaddr_un *) &binding->address;

    return binding->address.ss_family == AF_UNIX && local->sun_path[0] != '\0' ? local->sun_path : NULL;
}

/* True when a socket lies at the path and nobody answers there. */
static bool is_stale(const struct binding *binding, const char *path)
{
    struct stat status;

    if (lstat(path, &status) < 0 || !S_ISSOCK(status.st_mode))
        return false;
    int fd = socket(AF_UNIX, binding->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    bool refused = connect(fd, address_of(binding), binding->length) < 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static mode_t mode_of(const struct binding *binding)
{
    return binding->mode != 0 ? binding->mode : PATH_MODE;
}

/* As open_one(), with the umask as bind(2) needs it: chmod(2) afterwards is too late to keep somebody out. */
static int open_guarded(const struct binding *binding)
{
    mode_t before = umask(0777 & ~mode_of(binding));
    int fd = open_one(binding, false);

    umask(before);
    return fd;
}

static int note_path(const struct binding *binding, const char *path, struct binding_path *note)
{
    struct stat status;

    /* A folder's default access list has come before the umask (umask(2)). */
    if (chmod(path, mode_of(binding)) < 0 || lstat(path, &status) < 0)
        return -1;
    snprintf(note->path, sizeof(note->path), "%s", path);
    note->device = status.st_dev;
    note->inode = status.st_ino;
    return 0;
}

static int open_path(const struct binding *binding, const char *path, struct binding_path *note)
{
    int fd = open_guarded(binding);

    if (fd < 0 && errno == EADDRINUSE) {
        if (is_stale(binding, path) && unlink(path) == 0)
            fd = open_guarded(binding);
        else
            errno = EADDRINUSE;
    }
    if (fd >= 0 && note_path(binding, path, note) < 0)
        return close_keeping_errno(fd);
    return fd;
}

static int open_all(const struct binding *binding, int *fds, unsigned count)
{
    struct binding exact = *binding;

    for (unsigned i = 0; i < count; i++) {
        fds[i] = open_one(&exact, true);
        if (fds[i] < 0) {
            while (i > 0)
                close_keeping_errno(fds[--i]);
            return -1;
        }
        /* Port 0: the kernel has picked one, and the others must have the same. */
        exact.length = sizeof(exact.address);
        getsockname(fds[i], (struct sockaddr *) &exact.address, &exact.length);
    }
    return 0;
}

/* Several sockets of one port. SO_REUSEPORT would also let in another process of the same user, so the first
 * bind is one without it: it fails when anybody is there already. */
static int open_shared(const struct binding *binding, int *fds, unsigned count)
{
    int probe = open_one(binding, false);

    if (probe < 0)
        return -1;
    close(probe);
    return open_all(binding, fds, count);
}

int binding_open(const struct binding *binding, int *fds, unsigned count, struct binding_path *path)
{
    const char *name = path_of(binding);

    if (count > 1)
        return open_shared(binding, fds, count);
    fds[0] = name != NULL ? open_path(binding, name, path) : open_one(binding, false);
    return fds[0] >= 0 ? 0 : -1;
}

int binding_share(int fd, bool shared)
{
    int value = shared;

    return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, sizeof(value));
}

int binding_open_beside(const struct binding *binding, int *fds, unsigned count, const int *rivals,
                        unsigned rival_count)
{
    for (unsigned i = 0; i < rival_count; i++) {
        give_away(binding, rivals[i]);
        if (binding_share(rivals[i], true) < 0)
            return -1;
    }
    return open_all(binding, fds, count);
}

/* Accepted connections inherit both (tcp(7)). A bounded send buffer, since the kernel would else let it grow
 * to megabytes for a client that never reads; and a client that reads slowly is then seen to read. */
static int tune_stream(int fd)
{
    int size = SEND_BUFFER;

    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0)
        return -1;
    return switch_on(fd, IPPROTO_TCP, TCP_NODELAY);
}

int binding_tune(int fd, int family, int type)
{
    int flags = fcntl(fd, F_GETFL);

    /* Once, here: the flag is shared with whoever else has the socket, so it must never go to and fro. */
    if (flags < 0 || ((flags & O_NONBLOCK) == 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0))
        return -1;
    if (family == AF_UNIX)
        return 0;
    if (type == SOCK_STREAM)
        return tune_stream(fd);
    if (family == AF_INET6 && switch_on(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO) < 0)
        return -1;
    /* On an IPv6 socket too: what comes in over IPv4 on one for both families is told in either way, and only
     * this one tells a broadcast. */
    return switch_on(fd, IPPROTO_IP, IP_PKTINFO);
}

/* True when NAME is the file that was made. */
static bool is_file(const struct binding_path *path, const char *name)
{
    struct stat status;

    return path->path[0] != '\0' && lstat(name, &status) == 0 && status.st_dev == path->device &&
           status.st_ino == path->inode;
}

bool binding_has_path(const struct binding_path *path)
{
    return is_file(path, path->path);
}

/* The name of a file that was set aside. */
static const char *aside(const struct binding_path *path, char name[sizeof(path->path) + 4])
{
    snprintf(name, sizeof(path->path) + 4, "%s.old", path->path);
    return name;
}

void binding_set_aside(const struct binding_path *path)
{
    char name[sizeof(path->path) + 4];

    if (binding_has_path(path))
        (void) !rename(path->path, aside(path, name)); /* a failure shows when the path is bound */
}

void binding_bring_back(const struct binding_path *path)
{
    char name[sizeof(path->path) + 4];

    if (is_file(path, aside(path, name)))
        (void) !renameat2(AT_FDCWD, name, AT_FDCWD, path->path, RENAME_NOREPLACE);
}

void binding_remove_path(struct binding_path *path)
{
    char name[sizeof(path->path) + 4];

    if (binding_has_path(path))
        unlink(path->path);
    if (is_file(path, aside(path, name)))
        unlink(name);
    path->path[0] = '\0';
}
