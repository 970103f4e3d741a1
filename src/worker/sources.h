/* How many connections each source has, counted over all workers.
 *
 * Shared memory with one table a scoreboard block. Each table has one writer, its worker, and any number of
 * readers: a count is the sum over the tables. No locks; an entry is one atomic word, so that a worker that
 * is killed in the middle leaves nothing half written, and the master clears its table, which makes the
 * counts right again at once. It knows addresses, not sockets. */
#ifndef HELLOD_WORKER_SOURCES_H
#define HELLOD_WORKER_SOURCES_H

#include <stdint.h>

struct sources;

enum sources_verdict {
    SOURCES_ADMITTED,
    SOURCES_SOURCE_FULL,
    SOURCES_PREFIX_FULL
};

/* Reserves tables for TABLES workers with up to CONNECTIONS connections each; the memory is shared with
 * children and taken as it is used, 8 bytes an entry, two entries a connection. NULL with errno when that
 * fails. */
struct sources *sources_open(unsigned tables, uint32_t connections);

/* The same tables once more, for a plan that has the same use for them; sources_close() is then due once
 * more, too. Returns SOURCES; or NULL if they are not for TABLES and CONNECTIONS, or NULL themselves. */
struct sources *sources_share(struct sources *sources, unsigned tables, uint32_t connections);

/* Gives it back, when it is the last who does; NULL is fine. */
void sources_close(struct sources *sources);

/* Counts a connection from ADDRESS (IPv4 as mapped) in TABLE, unless it would be the one too many: more than
 * PER_SOURCE from the same IPv4 address or IPv6 /64, more than PER_PREFIX from the same IPv4 /24 or IPv6 /48.
 * 0 means no limit, and what has no limit is not counted. Workers that count at the same moment
 * may refuse one that would have been the last to fit, and in the moment in which another worker's table
 * closes a gap may admit one too many; the count itself is never wrong. */
enum sources_verdict sources_add(struct sources *sources, unsigned table, const uint8_t address[16],
                                 uint32_t per_source, uint32_t per_prefix);

/* Takes back what sources_add() with the same arguments has admitted. */
void sources_remove(struct sources *sources, unsigned table, const uint8_t address[16], uint32_t per_source,
                    uint32_t per_prefix);

/* Forgets all of TABLE; for the master, when the worker is dead. */
void sources_clear(struct sources *sources, unsigned table);

#endif
