/* Binding the control socket. Must not know what is said there. */
#include "master/control_socket.h"

#include <errno.h>
#include <grp.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

enum {
    MODE = 0660,
    MODE_BEFORE = 0600, /* until the socket has its group */
    BACKLOG = 64
};

static int bind_at(const char *path, struct control_socket *control)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct binding binding = {.type = SOCK_STREAM, .backlog = BACKLOG, .mode = MODE_BEFORE};
    size_t length = strlen(path);

    memcpy(local.sun_path, path, length + 1);
    memcpy(&binding.address, &local, sizeof(local));
    binding.length = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + length + 1);
    return binding_open(&binding, &control->fd, 1, &control->path);
}

/* Opens the path to its group, and only then to anybody else than its owner. Returns 0, or -1 with errno. */
static int open_to_group(const char *path, gid_t group)
{
    struct stat status;

    if (lstat(path, &status) < 0 || (status.st_gid != group && lchown(path, (uid_t) -1, group) < 0))
        return -1;
    return chmod(path, MODE);
}

/* Gives the path the group that it should have. Returns 0, or -1 after logging. */
static int set_group(const char *path, const struct config *config)
{
    bool named = config_is_set(config, "group");
    const struct group *group = NULL;
    char where[512];

    if (named)
        group = getgrnam(config->group);
    if ((!named || group != NULL) && open_to_group(path, named ? group->gr_gid : getegid()) == 0)
        return 0;
    const char *reason = named && group == NULL ? "this group does not exist" : strerror(errno);
    log_error("group = \"%s\" (%s) cannot have the control socket %s: %s", config->group,
              config_where_set(config, "group", where, sizeof(where)), path, reason);
    return -1;
}

/* That the path cannot be had is an error for who has asked for it, and else a notice. Returns 0 if it may be
 * done without, or -1. */
static int complain_unbound(const struct config *config, int error)
{
    char where[512];

    if (!config_is_set(config, "control")) {
        log_event(LOG_LEVEL_NOTICE, EVENT_NO_CONTROL, NULL,
                  "control socket: %s cannot be had (%s), so there is none", config->control,
                  strerror(error));
        return 0;
    }
    log_error("control = \"%s\" (%s): %s", config->control,
              config_where_set(config, "control", where, sizeof(where)), strerror(error));
    return -1;
}

int control_socket_open(struct control_socket *control, const struct config *config)
{
    *control = (struct control_socket){.fd = -1};
    if (config->control[0] == '\0')
        return 0;
    if (bind_at(config->control, control) < 0)
        return complain_unbound(config, errno);
    if (set_group(control->path.path, config) < 0) {
        control_socket_close(control);
        return -1;
    }
    log_info("control socket: %s", control->path.path);
    return 0;
}

void control_socket_close(struct control_socket *control)
{
    if (control->fd >= 0)
        close(control->fd);
    control->fd = -1;
    binding_remove_path(&control->path);
}
