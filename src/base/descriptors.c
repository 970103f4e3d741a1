/* Limits and mass closing of descriptors. Knows nothing of what they are for. */
#include "base/descriptors.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

int descriptors_fill_standard(void)
{
    int fd;

    /* open(2) gives the lowest free number. */
    do
        fd = open("/dev/null", O_RDWR | O_NOCTTY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    return fd < 0 ? -1 : close(fd);
}

static int ascending(const void *a, const void *b)
{
    int left = *(const int *) a, right = *(const int *) b;

    return (left > right) - (left < right);
}

void descriptors_close_others(int *keep, size_t count)
{
    unsigned next = 0;

    qsort(keep, count, sizeof(keep[0]), ascending);
    for (size_t i = 0; i < count; i++) {
        if (keep[i] < 0)
            continue;
        if ((unsigned) keep[i] > next)
            close_range(next, (unsigned) keep[i] - 1, 0);
        next = (unsigned) keep[i] + 1;
    }
    close_range(next, UINT_MAX, 0);
}

int descriptors_raise_limit(unsigned long needed, unsigned long *allowed)
{
    struct rlimit limit;

    *allowed = 0;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -1;
    *allowed = limit.rlim_max;
    if (limit.rlim_cur >= needed)
        return 0;
    limit.rlim_cur = needed;
    if (limit.rlim_max < needed)
        limit.rlim_max = needed;
    return setrlimit(RLIMIT_NOFILE, &limit);
}
