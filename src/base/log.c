/* Where lines go: standard error, without ever waiting for it. Knows nothing of what the lines say. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/journal.h"
#include "base/quote.h"

enum {
    LIMIT_INTERVAL_MS = 10000
};

static struct {
    int fd;
    bool is_socket;   /* the journal's stream: written with send(2), which can be told not to wait */
    bool is_terminal; /* for people: no syslog prefix */
    bool is_journal;  /* takes events with their ids and fields */
    bool is_worker;   /* entries are of this one: */
    struct fields_worker worker;
    enum log_level level;
    _Atomic uint64_t *losses, own_losses; /* where they are counted; NULL: the latter */
    uint64_t losses_told;
    char last_error[LOG_LINE_MAX];
    FILE *copy; /* of errors */
} sink = {.fd = STDERR_FILENO, .level = LOG_LEVEL_INFO};

void log_open(void)
{
    struct stat status;

    sink.is_terminal = isatty(STDERR_FILENO) == 1;
    if (fstat(STDERR_FILENO, &status) < 0)
        return;
    sink.is_socket = S_ISSOCK(status.st_mode);
    sink.is_journal = journal_has(STDERR_FILENO);
    if (sink.is_journal)
        journal_open();
    if (!S_ISFIFO(status.st_mode) && !sink.is_terminal)
        return;
    /* O_NONBLOCK belongs to the open file, which we share with our parent and its other children. A
     * description of our own leaves theirs alone. Without /proc we live with a blocking one. */
    int own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (own >= 0)
        sink.fd = own;
}

int log_descriptor(void)
{
    return sink.fd;
}

void log_set_level(enum log_level level)
{
    sink.level = level;
}

enum log_level log_get_level(void)
{
    return sink.level;
}

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {[LOG_LEVEL_ERROR] = "err",
                                        [LOG_LEVEL_WARNING] = "warning",
                                        [LOG_LEVEL_NOTICE] = "notice",
                                        [LOG_LEVEL_INFO] = "info",
                                        [LOG_LEVEL_DEBUG] = "debug"};

    return names[level];
}

void log_copy_errors(FILE *copy)
{
    sink.copy = copy;
}

void log_set_worker(uint32_t slot, uint32_t generation)
{
    sink.is_worker = true;
    sink.worker = (struct fields_worker){.slot = slot, .generation = generation, .pid = getpid()};
    if (sink.is_journal)
        journal_open();
}

void log_count_losses(_Atomic uint64_t *counter)
{
    sink.losses = counter;
}

static void write_line(const char *line, size_t length)
{
    _Atomic uint64_t *counter = sink.losses != NULL ? sink.losses : &sink.own_losses;
    ssize_t written;

    if (sink.is_socket)
        written = send(sink.fd, line, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    else
        written = write(sink.fd, line, length);
    /* A line cut short is as lost as one not written: trying again would mean waiting. */
    if (written != (ssize_t) length) {
        uint64_t lost = atomic_load_explicit(counter, memory_order_relaxed);
        atomic_store_explicit(counter, lost + 1, memory_order_relaxed);
    }
}

/* A line without newline into LINE, of LOG_LINE_MAX bytes; returns its length, and that of its prefix in
 * PREFIX. */
static size_t __attribute__((format(printf, 4, 0)))
compose(char *line, size_t *prefix, enum log_level level, const char *format, va_list arguments)
{
    char text[LOG_LINE_MAX];

    vsnprintf(text, sizeof(text), format, arguments);
    *prefix = (size_t) (sink.is_terminal ? snprintf(line, LOG_LINE_MAX, "hellod: ")
                                         : snprintf(line, LOG_LINE_MAX, "<%d>", (int) level));
    return *prefix + quote_copy(text, line + *prefix, LOG_LINE_MAX - *prefix - 1);
}

/* Whether the journal has taken the LENGTH bytes of TEXT. */
static bool tell_journal(enum log_level level, enum event event, const struct fields *about, const char *text,
                         size_t length)
{
    struct fields fields = about != NULL ? *about : (struct fields){0};

    if (!sink.is_journal)
        return false;
    if (fields.worker == NULL && sink.is_worker)
        fields.worker = &sink.worker;
    return journal_send(event, (int) level, &fields, text, length);
}

static void __attribute__((format(printf, 4, 0)))
put(enum log_level level, enum event event, const struct fields *about, const char *format, va_list arguments)
{
    char line[LOG_LINE_MAX];
    int saved = errno;
    size_t prefix, length;

    if (level > sink.level)
        return;
    length = compose(line, &prefix, level, format, arguments);
    if (level == LOG_LEVEL_ERROR)
        snprintf(sink.last_error, sizeof(sink.last_error), "%.*s", (int) (length - prefix), line + prefix);
    line[length] = '\n';
    /* What is only a line is left to the stream: the journal knows of that which unit it is of, also when the
     * process has ended by the time it looks. */
    bool more = event != EVENT_NONE || about != NULL;
    if (!more || !tell_journal(level, event, about, line + prefix, length - prefix))
        write_line(line, length + 1);
    if (level == LOG_LEVEL_ERROR && sink.copy != NULL)
        fwrite(line + prefix, 1, length + 1 - prefix, sink.copy);
    errno = saved;
}

void log_line(enum log_level level, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    put(level, EVENT_NONE, NULL, format, arguments);
    va_end(arguments);
}

void log_event(enum log_level level, enum event event, const struct fields *about, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    put(level, event, about, format, arguments);
    va_end(arguments);
}

void log_to_journal(enum log_level level, enum event event, const char *format, ...)
{
    char line[LOG_LINE_MAX];
    int saved = errno;
    va_list arguments;
    size_t prefix;

    if (level > sink.level)
        return;
    va_start(arguments, format);
    size_t length = compose(line, &prefix, level, format, arguments);
    va_end(arguments);
    tell_journal(level, event, NULL, line + prefix, length - prefix);
    errno = saved;
}

uint64_t log_losses(void)
{
    return atomic_load_explicit(&sink.own_losses, memory_order_relaxed);
}

void log_tell_losses(uint64_t elsewhere)
{
    uint64_t own = log_losses(), more = own + elsewhere - sink.losses_told;
    const struct fields about = {.cause = "log_lost", .count = more};

    if (own + elsewhere <= sink.losses_told)
        return;
    log_event(LOG_LEVEL_WARNING, EVENT_LOG_LOST, &about, "lines of the log that were lost: %llu",
              (unsigned long long) more);
    if (log_losses() == own)
        sink.losses_told = own + elsewhere;
    atomic_store_explicit(&sink.own_losses, own, memory_order_relaxed);
}

void log_error_lines(const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        log_error("%.*s", (int) length, text);
        text += length + (text[length] == '\n');
    }
}

const char *log_last_error(void)
{
    return sink.last_error;
}

bool log_allowed(struct log_limit *limit, uint64_t now_ms)
{
    if (now_ms < limit->next_ms) {
        limit->suppressed++;
        return false;
    }
    limit->next_ms = now_ms + LIMIT_INTERVAL_MS;
    return true;
}
