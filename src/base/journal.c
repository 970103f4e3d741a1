/* An entry is one datagram. The socket is not connected: the journal is looked up by its path each time, so
 * that one that was started anew is found by workers, too, who can connect to nobody. */
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

enum {
    HEAD_MAX = 200
};

static struct sockaddr_un journal = {.sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket"};
static int sender = -1;

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

void journal_open(void)
{
    sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

/* With sendmmsg(2), which a worker may call. */
static bool send_entry(struct iovec *parts, size_t count)
{
    struct mmsghdr entry = {
        .msg_hdr = {
            .msg_name = &journal, .msg_namelen = sizeof(journal), .msg_iov = parts, .msg_iovlen = count}};

    return sendmmsg(sender, &entry, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

bool journal_send(enum event event, int priority, const struct fields *fields, const char *text,
                  size_t length)
{
    const char *id = event_id(event);
    uint64_t size = htole64(length);
    char head[HEAD_MAX], about[FIELDS_MAX], begin[] = "MESSAGE\n", newline = '\n';

    /* Identifier and facility as systemd gives them to the lines of the stream. The text comes last and with
     * its length, so that nothing in it can be taken for another field. */
    int used =
        snprintf(head, sizeof(head), "PRIORITY=%d\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=hellod\n%s%s%s",
                 priority, id != NULL ? "MESSAGE_ID=" : "", id != NULL ? id : "", id != NULL ? "\n" : "");
    struct iovec parts[] = {
        {head, (size_t) used},
        {about, fields_write(fields, about)},
        {begin, sizeof(begin) - 1},
        {&size, sizeof(size)},
        {NULL, length},
        {&newline, 1},
    };
    memcpy(&parts[4].iov_base, &text, sizeof(text)); /* sendmsg(2) only reads, but its type does not say so */
    return send_entry(parts, sizeof(parts) / sizeof(parts[0]));
}
