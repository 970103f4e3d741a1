/* The file in which lines are remembered. Must not know what wrote them. */
#include "client/past.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *place(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *path;

    if (state != NULL && state[0] == '/')
        return asprintf(&path, "%s/helloc/history", state) < 0 ? NULL : path;
    if (home == NULL || home[0] != '/')
        return NULL;
    return asprintf(&path, "%s/.local/state/helloc/history", home) < 0 ? NULL : path;
}

char *past_path(void)
{
    char *path = place();

    if (path == NULL)
        return NULL;
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700); /* that it is there already, or cannot be, shows when the file is opened */
        *slash = '/';
    }
    return path;
}

void past_replace(const char *path, void (*write)(FILE *out, void *owner), void *owner)
{
    char *other;

    if (asprintf(&other, "%s.XXXXXX", path) < 0)
        return;
    int fd = mkostemp(other, O_CLOEXEC); /* its mode is 0600 */
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (out != NULL) {
        write(out, owner);
        int failed = ferror(out);
        if (fclose(out) != 0 || failed || rename(other, path) < 0)
            unlink(other);
    } else if (fd >= 0) {
        close(fd);
        unlink(other);
    }
    free(other);
}
