/* An entry is one datagram. Events are rare: a socket for each needs no care after a fork or a journal's
 * restart. */
#include "base/journal.h"

#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un journal = {.sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket"};

bool journal_has(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    char own[64];

    if (stream == NULL || fstat(fd, &status) < 0)
        return false;
    snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t) status.st_dev, (uintmax_t) status.st_ino);
    return strcmp(stream, own) == 0;
}

static bool send_entry(struct iovec *parts, size_t count)
{
    struct msghdr message = {
        .msg_name = &journal, .msg_namelen = sizeof(journal), .msg_iov = parts, .msg_iovlen = count};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return false;
    ssize_t sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    close(fd);
    return sent >= 0;
}

bool journal_send(enum event event, int priority, const char *text, size_t length)
{
    uint64_t size = htole64(length);
    char head[200], newline = '\n';

    /* Identifier and facility as systemd gives them to the lines of the stream. The text comes last and with
     * its length, so that nothing in it can be taken for another field. */
    int used = snprintf(head, sizeof(head),
                        "PRIORITY=%d\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=hellod\nMESSAGE_ID=%s\nMESSAGE\n",
                        priority, event_id(event));
    struct iovec parts[] = {
        {head, (size_t) used},
        {&size, sizeof(size)},
        {NULL, length},
        {&newline, 1},
    };
    memcpy(&parts[2].iov_base, &text, sizeof(text)); /* sendmsg(2) only reads, but its type does not say so */
    return send_entry(parts, sizeof(parts) / sizeof(parts[0]));
}
