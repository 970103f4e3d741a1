/* The control socket seen from a client: a question, and the lines of its reply as they come in.
 *
 * A question is the line `1 COMMAND`; a reply is any number of lines that begin with a word, the last of them
 * `ok` or `failed TEXT`. Nothing that answers is trusted: a reply is bounded, and what does not look like one
 * is told apart. This module never waits but to connect, and knows no command. */
#ifndef HELLOD_CTL_CONNECTION_H
#define HELLOD_CTL_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>

enum {
    CONNECTION_REPLY_MAX =
        1024 * 1024 /* bytes; hundreds of workers and dozens of listeners take half of it */
};

struct connection {
    int fd;        /* -1: closed */
    char *reply;   /* what has come in so far, ended by a NUL; NULL when closed */
    size_t used;   /* its bytes */
    size_t looked; /* those in lines that have been looked at */
    bool complete; /* the line at LOOKED ends the reply */
};

enum connection_news {
    CONNECTION_MORE,   /* the reply is not complete yet */
    CONNECTION_OK,     /* connection->reply is the whole reply, which ends with "ok" */
    CONNECTION_FAILED, /* it ends with "failed ..." */
    CONNECTION_GONE,   /* the other side closed, or was gone, before a word of a reply */
    CONNECTION_STRANGE /* that is no reply: something else answers, or the reply was cut */
};

/* Connects to the socket at PATH, waiting at most WAIT_MS (more than 0) for room in its queue. The caller
 * closes the connection. Returns 0, or -1 with errno as of connect(2); EAGAIN: there was no room. */
int connection_open(struct connection *connection, const char *path, unsigned wait_ms);

/* Forgets the last reply and sends the question COMMAND, which has no newline. Returns 0, or -1 with errno.
 */
int connection_ask(struct connection *connection, const char *command);

/* Reads what has come in. After anything but CONNECTION_MORE there is nothing more to be read until the next
 * question, save for the end of the connection: CONNECTION_GONE. */
enum connection_news connection_read(struct connection *connection);

/* The last line of a reply that is complete, without its newline: "ok", or "failed ...". */
const char *connection_verdict(const struct connection *connection);

/* Closes and frees; fine when it is closed already. */
void connection_close(struct connection *connection);

#endif
