/* A turn: what one event brings about on one connection. */
#ifndef HELLOD_WORKER_TURN_H
#define HELLOD_WORKER_TURN_H

#include "worker/state.h"

enum {
    TURN_RECEIVE_SIZE = 4096, /* bytes taken from one client before the others have their turn */
    TURN_SEND_SIZE = 8192,    /* bytes of answers collected before they are sent */
    TURN_SENTENCE_MAX = 64    /* room for the longest sentence and its line ending */
};

/* CONN has input, or its end. */
void turn_readable(struct worker *worker, struct conn *conn);

/* CONN takes output again, and some is owed. */
void turn_writable(struct worker *worker, struct conn *conn);

/* The next message of CONN has waited for its delay. */
void turn_resume(struct worker *worker, struct conn *conn);

#endif
