/* The names that probes bear, and what an answer is worth.
 *
 * Each probe has a name that nobody else makes: a mark of this run, the number of the probe, and a keyed hash
 * of the number. Found again in what came back, it tells right answers from altered ones, and both from what
 * was never meant for us. Pure: bytes in, a verdict out. It must not know transports, clocks, or which probes
 * were sent when. */
#ifndef HELLOD_CLIENT_ANSWER_H
#define HELLOD_CLIENT_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "protocol/protocol.h"

enum {
    ANSWER_NAME_MAX = 40 /* room for any name: "PING-0123ABCD-4294967295-4567CDEF" */
};

/* What one run knows. */
struct answer_run {
    struct hash_key key; /* secret, so that answers cannot be made up */
    struct span prefix;  /* what the service says before a name ... */
    struct span suffix;  /* ... and after it; both are the caller's */
};

enum answer_kind {
    ANSWER_RIGHT,   /* the very answer to one of our names */
    ANSWER_ALTERED, /* something of ours is in it, but it is not the answer */
    ANSWER_FOREIGN  /* nothing of ours is in it */
};

/* Writes the name of probe SEQ to NAME and returns its length. It is plain ASCII, as a service that takes
 * text alone wants it, in capitals, because the protocol "upper" does not change them; no NUL follows. */
size_t answer_name(const struct answer_run *run, uint32_t seq, char name[ANSWER_NAME_MAX]);

/* What the LENGTH bytes at DATA are, which came alone: as a datagram. One line ending (LF or CRLF) may follow
 * the answer. *SEQ is the probe that it is about, or 0 when that cannot be told; probes begin with 1. */
enum answer_kind answer_read(const struct answer_run *run, const char *data, size_t length, uint32_t *seq);

/* What the LENGTH bytes at DATA are, which are all that a stream has brought since it was opened, greeting
 * and all: right when the answer to probe SEQ ends them (a line ending may follow) and nothing of ours comes
 * before it; *BEFORE is then how many bytes, of a greeting, come before it. Any other verdict may change as
 * long as more can come. */
enum answer_kind answer_read_stream(const struct answer_run *run, uint32_t seq, const char *data,
                                    size_t length, size_t *before);

#endif
