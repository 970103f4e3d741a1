/* The log: one line an event, to standard error, and never a wait.
 *
 * The only module that knows where lines go: a terminal gets "hellod: text", anything else the syslog prefix
 * of sd-daemon(3), "<6>text", which the journal takes for the level. Events that an operator may look up, and
 * access lines, go to the journal itself, with ids and fields, when standard error is its stream. A line
 * that cannot be written at once is counted and dropped, because a full pipe or a stopped journal must not
 * hold the service up. Every function keeps errno. */
#ifndef HELLOD_BASE_LOG_H
#define HELLOD_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/events.h"
#include "base/fields.h"

enum log_level { /* the numbers of syslog(3) */
    LOG_LEVEL_ERROR = 3,
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_NOTICE = 5,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7
};

enum {
    LOG_LINE_MAX = 1024 /* bytes of one line, below PIPE_BUF so that lines of several processes never mix */
};

/* Finds out what standard error is and prepares to write to it without ever waiting. Call it once, early. */
void log_open(void);

/* The descriptor that lines are written to, so that a child can keep it. */
int log_descriptor(void);

/* Lines above LEVEL are not written; LOG_LEVEL_INFO until this is called. */
void log_set_level(enum log_level level);

/* The level of log_set_level(). */
enum log_level log_get_level(void);

/* "err", "warning" and so on, as in the config. */
const char *log_level_name(enum log_level level);

/* From now on lines of LOG_LEVEL_ERROR go to COPY too, without prefix, for telling somebody who has asked for
 * what fails; NULL: no more. */
void log_copy_errors(FILE *copy);

/* For a worker, as long as it may still make sockets: from now on entries of this process are of the one in
 * SLOT of GENERATION. */
void log_set_worker(uint32_t slot, uint32_t generation);

/* From now on lost lines are counted at COUNTER, which this process alone writes; NULL: as at first, by
 * log_losses(). */
void log_count_losses(_Atomic uint64_t *counter);

/* How many lines this process has lost that were not counted elsewhere. */
uint64_t log_losses(void);

/* For the master: says how many lines were lost in all, ELSEWHERE of them in other processes, if there are
 * more than it has said before. That it cannot be said now is no loss more: say it later. */
void log_tell_losses(uint64_t elsewhere);

/* Writes one line, printf(3) format without newline; what is no UTF-8 in it and control characters, C1 too,
 * are written as \xNN. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* log_line() for EVENT, which is about what ABOUT says; EVENT_NONE: for one that needs no explanation, NULL:
 * about nothing further. The journal gets it with EVENT's id and the fields of ABOUT, among them this worker
 * if it names none; it is a line like others when standard error is not the journal's stream, or when the
 * journal does not take it at once. */
void log_event(enum log_level level, enum event event, const struct fields *about, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Tells the journal alone of EVENT, if standard error is its stream and it takes it at once: for what lines
 * have said already. Of a process that ends right after, the journal may not find out any more which unit it
 * was of, which it knows of lines; so no line may depend on it. */
void log_to_journal(enum log_level level, enum event event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes each line of TEXT as one of LOG_LEVEL_ERROR. */
void log_error_lines(const char *text);

/* The text of the last line of LOG_LEVEL_ERROR as it was written, without prefix, "" if there was none; for
 * telling others why the process ends. */
const char *log_last_error(void);

/* What is in between, a warning or a notice, is an event. */
#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* For lines that a peer or a shortage can cause again and again. Zero it before first use. */
struct log_limit {
    uint64_t next_ms;
    uint64_t suppressed;
};

/* True when a line of this kind may be written at NOW_MS, at most one each 10 seconds; else it is counted in
 * limit->suppressed, which the line that is written next may mention and must set to zero. */
bool log_allowed(struct log_limit *limit, uint64_t now_ms);

#endif
