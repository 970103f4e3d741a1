/* For the tests of binding: what must hold of a socket that was made, and of one that was refused. */
#ifndef HELLOD_TESTS_UNIT_BINDING_HELP_H
#define HELLOD_TESTS_UNIT_BINDING_HELP_H

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "master/binding.h"

/* Descriptors of this process; what a failure leaves open shows here. */
static inline unsigned count_open(void)
{
    unsigned count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* A socket as BINDING says, for which no path may be noted. */
static inline int open_one(const struct binding *binding)
{
    struct binding_path path = {.path = ""};
    int fd;

    assert_int_equal(binding_open(binding, &fd, 1, &path), 0);
    assert_string_equal(path.path, "");
    return fd;
}

/* COUNT sockets as BINDING says cannot be had, because of ERROR, and nothing is left behind. */
static inline void assert_refused(const struct binding *binding, unsigned count, int error)
{
    struct binding_path path = {.path = ""};
    int fds[4];
    unsigned before = count_open();

    errno = 0;
    assert_int_equal(binding_open(binding, fds, count, &path), -1);
    assert_int_equal(errno, error);
    assert_int_equal(count_open(), before);
    assert_string_equal(path.path, "");
}

/* What every socket of ours has set. */
static inline void assert_tuned(int fd)
{
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_not_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
}

#endif
