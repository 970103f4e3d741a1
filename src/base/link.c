/* Messages between the master and a worker. Knows nothing of what either does with them. */
#include "base/link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int link_open(int ends[2])
{
    /* Packets, so that a message arrives whole or not at all. */
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
}

int link_send(int end, enum link_word word, uint32_t value, const char *text)
{
    struct link_message message = {.word = word, .value = value};

    if (text != NULL)
        memcpy(message.text, text, strnlen(text, sizeof(message.text) - 1));
    return send(end, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(message) ? 0 : -1;
}

enum link_result link_receive(int end, struct link_message *message)
{
    ssize_t got = recv(end, message, sizeof(*message), MSG_DONTWAIT | MSG_TRUNC);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return LINK_NOTHING;
    if (got != sizeof(*message))
        return LINK_END;
    message->text[LINK_TEXT_MAX - 1] = '\0';
    return LINK_MESSAGE;
}
