/* What is passed, and by whom. */
#include "master/activation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/log.h"
#include "master/store.h"

static struct held make_held(int fd, const char *name)
{
    const struct store_record *record = store_find(fd);
    struct held held = {.fd = fd, .origin = HELD_PASSED, .wanted = HELD_UNWANTED};

    if (record != NULL) {
        held.origin = HELD_STORED;
        held.path.device = record->path_device;
        held.path.inode = record->path_inode;
    }
    snprintf(held.name, sizeof(held.name), "%s", name);
    return held;
}

static bool is_same_file(int a, int b)
{
    struct stat one, other;

    return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

/* True when ONE, from the store, is among HELD too: then it came from a socket unit as well, which has the
 * say over it. */
static bool is_known(struct held_list *held, const struct held *one)
{
    for (unsigned i = 0; one->origin == HELD_STORED && i < held->count; i++) {
        if (!is_same_file(held->sockets[i].fd, one->fd))
            continue;
        held->sockets[i].origin = HELD_PASSED;
        return true;
    }
    return false;
}

/* The order in which they come says nothing: the ledger may be the last. */
static int sort_out(struct held_list *held, int count, char **names)
{
    for (int i = 0; i < count; i++)
        if (store_is_ledger(names[i]))
            store_adopt(SD_LISTEN_FDS_START + i);
    for (int i = 0; i < count; i++) {
        if (store_is_ledger(names[i]))
            continue;
        struct held one = make_held(SD_LISTEN_FDS_START + i, names[i]);
        if (is_known(held, &one)) {
            close(one.fd);
        } else if (held_add(held, &one) < 0) {
            log_error("passed sockets: %s", strerror(errno));
            return -1;
        }
    }
    return 0;
}

int activation_take(struct held_list *held)
{
    char **names = NULL;
    int count = sd_listen_fds_with_names(1, &names);

    if (count < 0) {
        log_error(
            "the passed sockets cannot be used: LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES do not agree with "
            "each other or with the descriptors: %s",
            strerror(-count));
        return -1;
    }
    int result = sort_out(held, count, names);
    for (int i = 0; i < count; i++)
        free(names[i]);
    free(names);
    return result;
}
