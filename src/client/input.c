/* Lines from a pipe or a file. Must not know what they mean. */
#include "client/input.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* Gives out LENGTH bytes of the buffer, of which the last ENDING are the end of a line. */
static enum input_news give(struct input *input, size_t length, size_t ending, struct input_line *line)
{
    input->taken = length;
    length -= ending;
    if (ending > 0 && length > 0 && input->buffer[length - 1] == '\r')
        length--;
    *line = (struct input_line){input->buffer, length};
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

enum input_news input_next(struct input *input, int watched, struct input_line *line)
{
    input->used -= input->taken;
    memmove(input->buffer, input->buffer + input->taken, input->used);
    input->taken = 0;
    for (;;) {
        const char *newline = memchr(input->buffer, '\n', input->used);
        if (newline != NULL)
            return give(input, (size_t) (newline - input->buffer) + 1, 1, line);
        if (input->used == sizeof(input->buffer))
            return INPUT_TOO_LONG;
        if (only_watched(watched))
            return INPUT_WATCHED;
        ssize_t bytes = read(STDIN_FILENO, input->buffer + input->used, sizeof(input->buffer) - input->used);
        if (bytes < 0 && errno != EINTR && errno != EAGAIN)
            return INPUT_FAILED;
        if (bytes == 0)
            return input->used > 0 ? give(input, input->used, 0, line) : INPUT_END;
        input->used += bytes > 0 ? (size_t) bytes : 0;
    }
}
