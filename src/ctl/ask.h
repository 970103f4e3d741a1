/* One question to the service and its outcome: exit code and words for the person who asked. Knows what can
 * go wrong on the way, but no command. */
#ifndef HELLOD_CTL_ASK_H
#define HELLOD_CTL_ASK_H

#include "ctl/connection.h"

enum ask_exit { /* those above 1 are of sysexits.h(3head) */
    ASK_DONE = 0,
    ASK_REFUSED = 1,   /* the service said no */
    ASK_USAGE = 64,    /* EX_USAGE */
    ASK_NOBODY = 69,   /* EX_UNAVAILABLE: nobody answers */
    ASK_TOO_LATE = 75, /* EX_TEMPFAIL: no answer in time */
    ASK_STRANGE = 76   /* EX_PROTOCOL: something else answers */
};

/* Connects to PATH. Returns ASK_DONE, and the caller closes CONNECTION; or else what to exit with, after
 * saying why on standard error. */
enum ask_exit ask_connect(struct connection *connection, const char *path);

/* Asks COMMAND of PATH, to which CONNECTION leads, and waits WAIT_MS for the whole reply. ASK_DONE: it is in
 * CONNECTION and ended with "ok". Otherwise says why not on standard error; ASK_REFUSED: the lines of "error"
 * and the reason, one a line. */
enum ask_exit ask(struct connection *connection, const char *path, const char *command, unsigned wait_ms);

/* Waits WAIT_MS for the service at the other end to end. Returns ASK_DONE, or as ask(). */
enum ask_exit ask_end(struct connection *connection, const char *path, unsigned wait_ms);

/* Says on standard error that what answers at PATH, and what it said, is not the control protocol. Returns
 * ASK_STRANGE. */
enum ask_exit ask_say_strange(const struct connection *connection, const char *path);

/* Why there is no connection to a control socket, of errno ERROR, for a person. */
const char *ask_why(int error);

#endif
