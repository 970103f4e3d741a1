/* Whether what a server has said so far is all that it says: the conversation's knowledge of how servers end
 * their words. Pure: bytes in, a verdict out. It must not know sockets or clocks. */
#ifndef HELLOD_CLIENT_DIALOGUE_JUDGE_H
#define HELLOD_CLIENT_DIALOGUE_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/protocol.h"

enum {
    DIALOGUE_PARTS_MAX = 3
};

/* What is known of a conversation. */
struct dialogue {
    int fd;         /* owned; non-blocking */
    bool packets;   /* a seqpacket socket: each message is one */
    bool chunks;    /* the server takes newlines for a part of names */
    bool lines;     /* the server is known to answer a line with a line */
    bool ungreeted; /* the server has not spoken first, and has not answered yet */
    size_t used;    /* bytes in the buffer */
    size_t skipped; /* of these, in front: a greeting that was late */
    char *buffer;   /* HEARD_MAX bytes and a NUL */
};

/* What is listened for. */
struct listening {
    struct dialogue *dialogue;
    struct span expected[DIALOGUE_PARTS_MAX]; /* what hellod says by default, in parts */
    struct span name;                         /* that was asked for; empty: the greeting is listened for */
    uint64_t deadline_ms;
};

enum verdict {
    VERDICT_MORE,  /* the words are not complete */
    VERDICT_MAYBE, /* they are, if nothing follows */
    VERDICT_COMPLETE
};

/* What hellod says unless it is told otherwise. */
static inline const struct texts *dialogue_defaults(void)
{
    return protocol_greeting.defaults;
}

/* The words that are judged: what has come but for a late greeting. */
struct span dialogue_words(const struct dialogue *dialogue);

/* The verdict on these words. May take a newline out of them, and learn how the server ends its words. */
enum verdict dialogue_judge(const struct listening *listening);

/* The verdict on all that a server has said that did not speak first and was asked, of which some may be a
 * greeting that comes late. *AT is where the answer begins, unless it is VERDICT_MORE. */
enum verdict dialogue_judge_ungreeted(const struct listening *listening, size_t *at);

#endif
