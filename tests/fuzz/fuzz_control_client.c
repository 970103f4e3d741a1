/* A client of the control socket that sends any bytes in any pieces: each line arrives once, whole and in
 * order, what is too long is said to be, and no line is read before the last one is answered.
 *
 * Input: one byte that seeds the sizes of the pieces and the manner of the replies, then what the client
 * sends. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "master/control_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    INPUT_MAX = 4096,
    REPLY = 200,              /* bytes of the longest */
    TURNS_MAX = 4 * INPUT_MAX /* no line takes more than two */
};

static struct {
    struct control_client client;
    const char *data, *end; /* what was not yet handed over as a line */
    unsigned seed, lines, replied;
    bool over; /* a line too long was the last one */
} world;

static unsigned chance(unsigned limit)
{
    world.seed = world.seed * 1103515245 + 12345;
    return (world.seed >> 16) % limit;
}

static void reply(struct control_client *client)
{
    size_t length = 1 + chance(REPLY);
    char *text = malloc(length);

    assert(text != NULL);
    memset(text, 'r', length);
    world.replied++;
    control_client_reply(client, text, length, world.over);
}

static void on_line(struct control_client *client, const char *line, size_t length)
{
    const char *newline = memchr(world.data, '\n', (size_t) (world.end - world.data));
    size_t expected = (size_t) ((newline != NULL ? newline : world.end) - world.data);

    assert(client->owner == &world && !world.over && world.lines == world.replied);
    world.lines++;
    world.over = expected > REQUEST_MAX;
    if (world.over) {
        assert(length > REQUEST_MAX && memcmp(line, world.data, REQUEST_MAX + 1) == 0);
    } else {
        assert(newline != NULL && length == expected && memcmp(line, world.data, length) == 0);
        world.data = newline + 1;
    }
    if (chance(4) == 0)
        control_client_wait(client);
    else
        reply(client);
}

/* Lets the client's side be served, and hears what it is told. */
static void run(sd_event *event, int fd)
{
    char heard[REPLY];

    for (unsigned i = 0; i < TURNS_MAX && world.client.fd >= 0; i++) {
        int turned = sd_event_run(event, 0);
        assert(turned >= 0);
        while (recv(fd, heard, sizeof(heard), MSG_DONTWAIT) > 0)
            ;
        if (world.client.fd >= 0 && world.client.waiting)
            reply(&world.client);
        else if (turned == 0)
            break;
    }
}

/* All that the client says and hears, until it has nothing more to say or was left. */
static void converse(sd_event *event, int fd, const char *data, size_t size)
{
    for (size_t at = 0; at < size && world.client.fd >= 0;) {
        size_t piece = 1 + chance(chance(2) == 0 ? 8 : 2 * REQUEST_MAX);
        if (piece > size - at)
            piece = size - at;
        if (send(fd, data + at, piece, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t) piece)
            break;
        at += piece;
        run(event, fd);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static sd_event *event;
    int ends[2];

    if (size == 0 || size > INPUT_MAX || (event == NULL && sd_event_new(&event) < 0) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return 0;
    const char *said = (const char *) data + 1;
    memset(&world, 0, sizeof(world));
    world.seed = data[0];
    world.data = said;
    world.end = said + size - 1;
    if (control_client_open(&world.client, event, ends[0], on_line, &world) < 0)
        abort();
    converse(event, ends[1], said, size - 1);
    run(event, ends[1]);
    bool has_line = memchr(world.data, '\n', (size_t) (world.end - world.data)) != NULL;
    assert(world.over || (!has_line && world.end - world.data <= REQUEST_MAX));
    assert(!world.over || world.client.fd < 0);
    shutdown(ends[1], SHUT_WR);
    run(event, ends[1]);
    assert(world.client.fd < 0);
    close(ends[1]);
    return 0;
}
