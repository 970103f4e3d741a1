/* The ledger, and the messages that make the store agree with it.
 *
 * The process may be killed between any two of them. So the ledger lists a socket before the manager has it
 * and until the manager has dropped it: a record too many does no harm, one too few would make of our socket
 * a socket unit's. It is written in place, since the manager has the same open file; records have one size
 * and lie at multiples of it, so that a write that was cut short leaves old and new ones, and none torn. */
#include "master/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/log.h"

#define LEDGER_NAME "hellod/ledger"
#define LEDGER_FORM "hellod ledger 1" /* the name in the first record, which is no socket */

enum {
    RECORDS_MAX = 1 << 16
};

_Static_assert(sizeof(struct store_record) == 128, "pages hold whole records");

/* There is one service manager, and so there is one store. */
static struct {
    int ledger; /* -1: none */
    struct store_record *records;
    unsigned count;
} store = {.ledger = -1};

bool store_is_ledger(const char *name)
{
    return strcmp(name, LEDGER_NAME) == 0;
}

/* How many records are in the file at FD, besides the first; -1 when it can be no ledger. */
static int count_records(int fd)
{
    struct stat status;
    const off_t size = sizeof(struct store_record);

    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size % size != 0 ||
        status.st_size / size > RECORDS_MAX)
        return -1;
    return (int) (status.st_size / size) - 1;
}

static bool has_end(const struct store_record *record)
{
    return memchr(record->name, '\0', sizeof(record->name)) != NULL;
}

/* Reads the ledger at FD. NULL when it is none of ours. */
static struct store_record *read_ledger(int fd, unsigned *count)
{
    int number = count_records(fd);
    struct store_record first = {.name = ""};

    if (number < 0 || pread(fd, &first, sizeof(first), 0) != sizeof(first) ||
        memcmp(first.name, LEDGER_FORM, sizeof(LEDGER_FORM)) != 0)
        return NULL;
    size_t size = (size_t) number * sizeof(first);
    struct store_record *records = calloc((size_t) number + 1, sizeof(*records));
    bool good = records != NULL && pread(fd, records, size, sizeof(first)) == (ssize_t) size;
    for (int i = 0; good && i < number; i++)
        good = has_end(&records[i]);
    if (good) {
        *count = (unsigned) number;
        return records;
    }
    free(records);
    return NULL;
}

void store_adopt(int fd)
{
    unsigned count;
    struct store_record *records = read_ledger(fd, &count);

    if (records == NULL) {
        log_event(LOG_LEVEL_WARNING, EVENT_NOT_STORED, NULL,
                  "the list of stored sockets cannot be read: they are taken for those of a socket unit");
        close(fd);
        return;
    }
    if (store.ledger >= 0)
        close(store.ledger);
    free(store.records);
    store.ledger = fd;
    store.records = records;
    store.count = count;
}

/* The record among COUNT that is of the same socket as ONE, or NULL. */
static const struct store_record *find(const struct store_record *records, unsigned count,
                                       const struct store_record *one)
{
    for (unsigned i = 0; i < count; i++)
        if (records[i].device == one->device && records[i].inode == one->inode)
            return &records[i];
    return NULL;
}

const struct store_record *store_find(int fd)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return NULL;
    const struct store_record one = {.device = status.st_dev, .inode = status.st_ino};
    return find(store.records, store.count, &one);
}

static int write_ledger(const struct store_record *records, unsigned count)
{
    size_t size = (count + 1) * sizeof(*records);
    struct store_record *all = calloc(count + 1, sizeof(*all));

    if (all == NULL)
        return -1;
    snprintf(all[0].name, sizeof(all[0].name), "%s", LEDGER_FORM);
    if (count > 0)
        memcpy(all + 1, records, count * sizeof(*records));
    bool written =
        pwrite(store.ledger, all, size, 0) == (ssize_t) size && ftruncate(store.ledger, (off_t) size) == 0;
    free(all);
    return written ? 0 : -1;
}

/* Without FDPOLL the manager would drop a socket that has an error to report. */
static void send_in(const char *name, int fd)
{
    char text[STORE_NAME_MAX + 64];

    snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
    sd_pid_notify_with_fds(0, 0, text, &fd, 1);
}

/* All that have NAME. */
static void take_out(const char *name)
{
    sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

static int make_ledger(void)
{
    store.ledger = memfd_create("hellod-ledger", MFD_CLOEXEC);
    if (store.ledger < 0 || write_ledger(NULL, 0) < 0)
        return -1;
    take_out(LEDGER_NAME); /* one that could not be read */
    send_in(LEDGER_NAME, store.ledger);
    return 0;
}

/* The sockets as they are to be in the store, each with its descriptor. */
struct target {
    struct store_record *records;
    int *fds;
    unsigned count;
};

static void add_target(struct target *target, const struct held *held)
{
    struct store_record *record = &target->records[target->count];
    struct stat status;

    if (held->origin == HELD_PASSED || fstat(held->fd, &status) < 0)
        return;
    *record = (struct store_record){.device = status.st_dev,
                                    .inode = status.st_ino,
                                    .path_device = held->path.device,
                                    .path_inode = held->path.inode};
    snprintf(record->name, sizeof(record->name), "%.*s", STORE_NAME_MAX, held->name);
    target->fds[target->count++] = held->fd;
}

/* True when the store has something under NAME that must go: it is not wanted any more, or not so called. */
static bool must_go(const struct target *target, const char *name)
{
    for (unsigned i = 0; i < store.count; i++) {
        if (strcmp(store.records[i].name, name) != 0)
            continue;
        const struct store_record *wanted = find(target->records, target->count, &store.records[i]);
        if (wanted == NULL || strcmp(wanted->name, name) != 0)
            return true;
    }
    return false;
}

/* True when the store has the socket under its name and will keep it. */
static bool is_there(const struct target *target, const struct store_record *record)
{
    const struct store_record *old = find(store.records, store.count, record);

    return old != NULL && strcmp(old->name, record->name) == 0 && !must_go(target, record->name);
}

static bool is_first_of_its_name(unsigned number)
{
    for (unsigned i = 0; i < number; i++)
        if (strcmp(store.records[i].name, store.records[number].name) == 0)
            return false;
    return true;
}

/* Lists what is in the store now and what will be. */
static int announce(const struct target *target)
{
    struct store_record *both = calloc(store.count + target->count + 1, sizeof(*both));

    if (both == NULL)
        return -1;
    if (store.count > 0)
        memcpy(both, store.records, store.count * sizeof(*both));
    memcpy(both + store.count, target->records, target->count * sizeof(*both));
    int result = store.ledger < 0 ? make_ledger() : 0;
    if (result == 0)
        result = write_ledger(both, store.count + target->count);
    free(both);
    return result;
}

/* The manager removes by name, which may be that of several sockets: those that stay are put in again. */
static void exchange(const struct target *target)
{
    for (unsigned i = 0; i < store.count; i++)
        if (is_first_of_its_name(i) && must_go(target, store.records[i].name))
            take_out(store.records[i].name);
    for (unsigned i = 0; i < target->count; i++)
        if (!is_there(target, &target->records[i]))
            send_in(target->records[i].name, target->fds[i]);
}

/* Takes the records of TARGET over. Only now those that have gone leave the ledger. */
static int commit(struct target *target)
{
    free(store.records);
    store.records = target->records;
    store.count = target->count;
    target->records = NULL;
    return write_ledger(store.records, store.count);
}

static bool is_as_wanted(const struct target *target)
{
    if (target->count != store.count)
        return false;
    for (unsigned i = 0; i < target->count; i++)
        if (!is_there(target, &target->records[i]))
            return false;
    return true;
}

void store_keep(const struct held_list *held)
{
    struct target target = {.records = calloc(held->count + 1, sizeof(*target.records)),
                            .fds = calloc(held->count + 1, sizeof(int))};
    int result = target.records == NULL || target.fds == NULL ? -1 : 0;

    for (unsigned i = 0; result == 0 && i < held->count; i++)
        add_target(&target, &held->sockets[i]);
    if (result == 0 && getenv("NOTIFY_SOCKET") != NULL && !is_as_wanted(&target)) {
        result = announce(&target);
        if (result == 0) {
            exchange(&target);
            result = commit(&target);
        }
    }
    if (result < 0)
        log_event(LOG_LEVEL_WARNING, EVENT_NOT_STORED, NULL, "the sockets cannot be stored for a restart: %s",
                  strerror(errno));
    free(target.records);
    free(target.fds);
}
