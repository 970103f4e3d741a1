/* A conversation on a connection: the greeting protocol seen from the client. It knows no person and no
 * terminal.
 *
 * A question is sent as a line. Most servers end their answer with a newline then; some take a line's newline
 * for a part of the name ("Hello, Bob\n!"), and are asked without from then on; some never end an answer,
 * which is over when nothing follows for a moment. So each way of framing, the tutorial's own servers, and
 * servers that send byte by byte are understood.
 *
 * Not every server speaks first, and one that does may be slow: then the name is said before the greeting has
 * come. The first answer of a server that has not spoken yet must have the name in it, in any case; what
 * comes before is a greeting, or the whole conversation would be shifted by one. */
#ifndef HELLOD_CLIENT_DIALOGUE_H
#define HELLOD_CLIENT_DIALOGUE_H

#include <stdint.h>

#include "client/dialogue_judge.h"
#include "client/heard.h"

/* Begins on FD, connected and non-blocking, which becomes the dialogue's whatever happens; TYPE is
 * SOCK_STREAM or SOCK_SEQPACKET. Returns 0, or -1 with errno. */
int dialogue_open(struct dialogue *dialogue, int fd, int type);

/* Waits for what the server says first, until DEADLINE_MS of clock_ms(); but not for more than a second when
 * it says not a word (HEARD_NOTHING, no words), because not every server speaks first. One that was only slow
 * may be asked all the same. */
enum heard_kind dialogue_greeting(struct dialogue *dialogue, uint64_t deadline_ms, struct heard *heard);

/* Says NAME, of 1 to HEARD_MAX bytes, and waits for the answer, until DEADLINE_MS of clock_ms(). The words
 * are without line ending. Whatever else had come before is forgotten. */
enum heard_kind dialogue_ask(struct dialogue *dialogue, const char *name, size_t length, uint64_t deadline_ms,
                             struct heard *heard);

/* What the server has said without being asked; HEARD_NOTHING when it has not. Does not wait, but for the end
 * of a greeting that is late. */
enum heard_kind dialogue_overhear(struct dialogue *dialogue, struct heard *heard);

/* Says goodbye if there is a connection, closes it, and frees what there is. */
void dialogue_end(struct dialogue *dialogue);

#endif
