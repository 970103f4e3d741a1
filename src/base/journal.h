/* The journal, spoken to in its native protocol, which has room for more than a line: systemd.io's "Native
 * Journal Protocol". sd_journal_send(3) would wait for a journal that is full or stopped; this never does.
 * Does not know what is done with a line that the journal does not take. */
#ifndef HELLOD_BASE_JOURNAL_H
#define HELLOD_BASE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/events.h"
#include "base/fields.h"

/* True when FD is the journal's stream: JOURNAL_STREAM of systemd.exec(5) names its device and inode. */
bool journal_has(int fd);

/* Makes the socket that this process sends from, which is kept. A child makes its own, so that no process can
 * spoil that of another. When there is none to be had, nothing can be sent. */
void journal_open(void);

/* Hands the journal the LENGTH bytes of TEXT, whatever they are, as an entry with FIELDS, and EVENT's id if
 * it has one; PRIORITY is one of syslog(3). False, with errno, when it cannot be had now, which is never
 * waited for. */
bool journal_send(enum event event, int priority, const struct fields *fields, const char *text,
                  size_t length);

#endif
