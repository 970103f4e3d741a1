/* Descriptors as a resource: how many there may be, and closing those that are not wanted. */
#ifndef HELLOD_BASE_DESCRIPTORS_H
#define HELLOD_BASE_DESCRIPTORS_H

#include <stddef.h>

/* Opens /dev/null for each of standard input, output and error that is closed, so that no socket or file that
 * is opened later gets its number and with it what is meant for it. For the first lines of main. Returns 0,
 * or -1 with errno. */
int descriptors_fill_standard(void);

/* Closes every descriptor of this process but the COUNT ones in KEEP, which is sorted in place. For a child
 * after fork: one call, so that nothing can be forgotten. */
void descriptors_close_others(int *keep, size_t count);

/* Makes RLIMIT_NOFILE (getrlimit(2)) at least NEEDED, raising the hard limit too where that is allowed.
 * Returns 0; or -1 with errno, and then *ALLOWED is the hard limit as it is. */
int descriptors_raise_limit(unsigned long needed, unsigned long *allowed);

#endif
