/* Asks a service once, over whatever leads to it, and keeps what came of it. Must not know what follows from
 * that. */
#ifndef HELLOD_CLIENT_CHECK_ASK_H
#define HELLOD_CLIENT_CHECK_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/check_judge.h"
#include "client/dial.h"

enum {
    CHECK_GOT_MAX = 4096 /* of what a server says; who says more has not said hello */
};

struct check_question {
    struct span name;   /* what is sent: at most a few dozen bytes */
    struct span answer; /* what is wanted */
};

struct check_ask {
    bool reached;     /* a stream: connected; else: not every address was refused */
    struct dial dial; /* .index: the address that was connected or answered; .errors: those that failed */
    unsigned asked;   /* how often the question was sent */
    bool ended;       /* the server closed or reset the connection: it is not the time that was over */
    int error;        /* errno of its end; 0: it was closed */
    enum check_verdict verdict;
    uint64_t connect_us; /* from the beginning until the connection stood, 0 if there is none */
    uint64_t answer_us;  /* from the beginning until the verdict */
    struct span words;   /* what the verdict is about, within .got */
    size_t length;       /* of .got; a NUL follows */
    char got[CHECK_GOT_MAX + 1];
};

/* Connects to TARGET, which is a stream's, and asks QUESTION. The name is sent as all that there is to say
 * (shutdown(2)), which makes a message of it in any framing. Ends when the answer is there, the server has
 * ended, or after WAIT_MS (1 to INT_MAX) in all. ASK is set, and owns nothing. */
void check_ask_stream(const struct target *target, const struct check_question *question, unsigned wait_ms,
                      struct check_ask *ask);

/* Asks QUESTION in datagrams, within WAIT_MS: TARGET's addresses in turn, 250 ms apart, and then again and
 * again, with twice the pause each time. The first answer to come decides. */
void check_ask_datagram(const struct target *target, const struct check_question *question, unsigned wait_ms,
                        struct check_ask *ask);

#endif
