/* One client of the control socket: its buffers and its deadlines. Lines go to its owner, replies come back.
 * Nobody ever waits for a client, and it must not know what the lines mean. */
#ifndef HELLOD_MASTER_CONTROL_CLIENT_H
#define HELLOD_MASTER_CONTROL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "master/request.h"

enum {
    CONTROL_IDLE_MS = 60000, /* how long a client may be silent that waits for nothing */
    CONTROL_WRITE_MS = 10000 /* how long it may take to take a whole reply */
};

struct control_client {
    int fd; /* -1: nobody */
    struct ucred peer;
    sd_event_source *io, *deadline;
    /* Gets a line of LENGTH bytes without its LF; one longer than REQUEST_MAX when it is too long. Answers
     * with control_client_reply(), now or, after control_client_wait(), later. */
    void (*on_line)(struct control_client *client, const char *line, size_t length);
    void *owner;
    char in[REQUEST_MAX + 1]; /* what came and is not yet read */
    size_t in_used;
    char *out; /* the reply on its way; NULL: none */
    size_t out_length, out_sent;
    bool waiting;     /* for its reply: nothing is read meanwhile */
    bool last;        /* the connection ends with the reply on its way */
    bool patient;     /* stays for as long as it likes, however silent; the owner sets it */
    uint64_t awaited; /* the owner's: the number of the reload that it waits for; 0: none */
    uint64_t heard;   /* the owner's: its place in the order in which clients spoke last */
};

/* Makes CLIENT serve the non-blocking socket FD, which it then owns. The lines go to ON_LINE. Returns 0, or a
 * negative errno, and then FD is closed. */
int control_client_open(struct control_client *client, sd_event *event, int fd,
                        void (*on_line)(struct control_client *, const char *, size_t), void *owner);

/* The reply to the last line comes later. No deadline until then; whoever hangs up is forgotten. */
void control_client_wait(struct control_client *client);

/* Sends the LENGTH bytes at TEXT, which is freed when they are gone; NULL (memory is short) ends the
 * connection. With LAST it ends after them. */
void control_client_reply(struct control_client *client, char *text, size_t length, bool last);

/* Ends the connection, whatever is on its way; fine when there is none. */
void control_client_close(struct control_client *client);

#endif
