/* Giving up root. */
#ifndef HELLOD_MASTER_IDENTITY_H
#define HELLOD_MASTER_IDENTITY_H

/* When this process is root: becomes USER with GROUP, and no other groups, for good. Otherwise nothing is to
 * be done. Returns NULL, or in words what has failed, with errno where it tells more (0 where it does not).
 */
const char *identity_drop(const char *user, const char *group);

#endif
