/* Lines from a pipe or a file. Must not know what they mean. */
#include "client/input.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* There is one standard input. */
static char buffer[INPUT_MAX + 2]; /* a line with CR and LF */
static size_t used;                /* bytes in it */
static size_t taken;               /* of these belong to the line that was given out last */

/* Gives out LENGTH bytes of the buffer, of which the last ENDING are the end of a line. */
static enum input_news give(size_t length, size_t ending, struct input_line *line)
{
    taken = length;
    length -= ending;
    if (ending > 0 && length > 0 && buffer[length - 1] == '\r')
        length--;
    *line = (struct input_line){buffer, length};
    return length > INPUT_MAX ? INPUT_TOO_LONG : INPUT_LINE;
}

/* Waits until standard input or WATCHED can be read. Returns whether only WATCHED can: what somebody wants to
 * say comes before what the server has to say. */
static bool only_watched(int watched)
{
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = watched, .events = POLLIN}};

    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        ;
    return fds[0].revents == 0;
}

enum input_news input_next(int watched, struct input_line *line)
{
    memmove(buffer, buffer + taken, used -= taken);
    taken = 0;
    for (;;) {
        const char *newline = memchr(buffer, '\n', used);
        if (newline != NULL)
            return give((size_t) (newline - buffer) + 1, 1, line);
        if (used == sizeof(buffer))
            return INPUT_TOO_LONG;
        if (only_watched(watched))
            return INPUT_WATCHED;
        ssize_t bytes = read(STDIN_FILENO, buffer + used, sizeof(buffer) - used);
        if (bytes < 0 && errno != EINTR && errno != EAGAIN)
            return INPUT_FAILED;
        if (bytes == 0)
            return used > 0 ? give(used, 0, line) : INPUT_END;
        used += bytes > 0 ? (size_t) bytes : 0;
    }
}
