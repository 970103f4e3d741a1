/* From root to an ordinary user, by the book: groups, group, user, and a look whether there is a way back. */
#include "master/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

const char *identity_drop(const char *user, const char *group)
{
    if (geteuid() != 0)
        return NULL;
    errno = 0;
    const struct passwd *who = getpwnam(user);
    if (who == NULL)
        return "this user does not exist";
    uid_t uid = who->pw_uid;
    const struct group *which = getgrnam(group);
    if (which == NULL)
        return "this group does not exist";
    if (setgroups(0, NULL) < 0 || setgid(which->gr_gid) < 0 || setuid(uid) < 0)
        return "root cannot be given up";
    if (uid != 0 && setuid(0) == 0)
        return "root came back";
    return NULL;
}
