/* The link under whatever a worker that was taken over may send: a message of the right size arrives as it
 * is, but for a NUL at the end of its text, and anything else ends the link.
 *
 * Input: packets, each behind two bytes for its length. */
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    PACKET_MAX = 2 * sizeof(struct link_message)
};

/* Sends one packet and receives it. Returns false at the end of the link. */
static bool pass(const int ends[2], const uint8_t *data, size_t length)
{
    struct link_message *message = malloc(sizeof(*message));

    assert(message != NULL && send(ends[1], data, length, MSG_NOSIGNAL) == (ssize_t) length);
    enum link_result result = link_receive(ends[0], message);
    assert(result == (length == sizeof(*message) ? LINK_MESSAGE : LINK_END));
    if (result == LINK_MESSAGE) {
        assert(memcmp(message, data, sizeof(*message) - 1) == 0);
        assert(memchr(message->text, '\0', sizeof(message->text)) != NULL);
        assert(link_receive(ends[0], message) == LINK_NOTHING);
    }
    free(message);
    return result == LINK_MESSAGE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t packet[PACKET_MAX];
    int ends[2];

    if (link_open(ends) < 0)
        return 0; /* out of descriptors, which says nothing of the link */
    for (size_t at = 0; at + 2 <= size;) {
        size_t length = (size_t) (data[at] << 8 | data[at + 1]) % (PACKET_MAX + 1), left = size - at - 2;
        memset(packet, 'x', sizeof(packet));
        memcpy(packet, data + at + 2, left < length ? left : length);
        if (!pass(ends, packet, length))
            break;
        at += 2 + (left < length ? left : length);
    }
    close(ends[0]);
    close(ends[1]);
    return 0;
}
