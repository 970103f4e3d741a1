/* The link: one socket pair between the master and a worker.
 *
 * What is said over it are small fixed messages; end of file means that the other side is gone, and that is
 * the normal way to learn it. A message from another process is a stranger's: its size is checked. */
#ifndef HELLOD_BASE_LINK_H
#define HELLOD_BASE_LINK_H

#include <stdint.h>

enum {
    LINK_TEXT_MAX = 240
};

enum link_word {
    LINK_READY,  /* worker: my loop is about to take its first event */
    LINK_FAILED, /* worker: I cannot start, text says why */
    LINK_DRAIN,  /* master: others have taken over: stop accepting, finish within value milliseconds, go; text
                    has  a 1 for each socket of the plan that ends with this generation, and a 0 for others */
    LINK_STOP,   /* master: the same, but nobody has */
    LINK_AWAY,   /* worker: I have stopped accepting; what waits is for others */
    LINK_LOOK,   /* master: somebody went away, look what waits */
    LINK_LEVEL,  /* master: value is the level of the log from now on */
    LINK_FORBIDDEN /* worker: I have tried system call number value, which ends me */
};

struct link_message {
    uint32_t word; /* enum link_word */
    uint32_t value;
    char text[LINK_TEXT_MAX]; /* NUL-terminated */
};

enum link_result {
    LINK_MESSAGE, /* the message is set */
    LINK_NOTHING, /* nothing there now */
    LINK_END      /* the other side is gone, or does not keep to the form */
};

/* Makes a pair, non-blocking and close-on-exec; ENDS[0] is the master's. Returns 0, or -1 with errno. */
int link_open(int ends[2]);

/* Sends one message; TEXT may be NULL and is cut if too long. Signal handlers may call it. Returns 0, or -1
 * with errno: the other side is gone or does not read, which shows elsewhere, so that most callers need not
 * look. */
int link_send(int end, enum link_word word, uint32_t value, const char *text);

/* Receives one message, without waiting. */
enum link_result link_receive(int end, struct link_message *message);

#endif
