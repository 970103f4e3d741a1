/* Whether a line in the log is due about what clients or a shortage can cause again and again: of each kind,
 * and about each source, at most one in NOTES_SECONDS, whichever worker writes it, over reloads and deaths.
 * In memory that all workers share. It knows kinds and addresses, not what the lines say. */
#ifndef HELLOD_WORKER_LINES_H
#define HELLOD_WORKER_LINES_H

#include <stdint.h>

enum line {
    LINE_BUDGET,
    LINE_FULL,
    LINE_SHORTAGE
};

struct lines;

/* Makes the memory, which is shared with children. NULL with errno when that fails. */
struct lines *lines_open(void);

/* The same once more, for another plan; lines_close() is then due once more, too. Returns LINES. */
struct lines *lines_share(struct lines *lines);

/* Gives it back, when it is the last who does; NULL is fine. */
void lines_close(struct lines *lines);

/* Notes that there would be TIMES times something to say of KIND at NOW_MS of the monotonic clock. Returns 0;
 * or, when a line is due, how many times there was since the one before. */
uint32_t lines_due(struct lines *lines, uint64_t now_ms, enum line kind, uint32_t times);

/* The same, once, about too many connections from the first BITS of ADDRESS. Lines are due about 64 at most
 * in that time; what is said of others is not noted. */
uint32_t lines_due_about(struct lines *lines, uint64_t now_ms, const uint8_t address[16], unsigned bits);

#endif
