/* Descriptors from a service manager under any names, with any ledger among them: one that is none of ours is
 * refused whole, and each socket is taken once or closed once.
 *
 * Input: a byte for each descriptor (enum kind and what its inode is), ended by 0xFF; then the bytes of the
 * ledger. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

/* Descriptors that are not there. */
#define close                    fake_close
#define fstat                    fake_fstat
#define pread                    fake_pread
#define sd_listen_fds_with_names fake_listen_fds
static int fake_close(int fd);
static int fake_fstat(int fd, struct stat *status);
static ssize_t fake_pread(int fd, void *buffer, size_t size, off_t at);
static int fake_listen_fds(int unset, char ***names);
#include "master/activation.c"
#include "master/store.c"
#undef close
#undef fstat
#undef pread
#undef sd_listen_fds_with_names

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    FDS_MAX = 16
};

enum kind {
    SOCKET,
    LEDGER,
    NAMELESS,
    LONG_NAME,
    KINDS
};

static struct {
    const uint8_t *kinds, *ledger;
    size_t count, ledger_size;
    unsigned closed[FDS_MAX];
} world;

static bool is_ledger(int fd)
{
    return world.kinds[fd - SD_LISTEN_FDS_START] % KINDS == LEDGER;
}

static int fake_close(int fd)
{
    assert(fd >= SD_LISTEN_FDS_START && (size_t) (fd - SD_LISTEN_FDS_START) < world.count);
    world.closed[fd - SD_LISTEN_FDS_START]++;
    return 0;
}

static int fake_fstat(int fd, struct stat *status)
{
    *status = (struct stat){.st_mode = is_ledger(fd) ? S_IFREG : S_IFSOCK,
                            .st_dev = 1,
                            .st_ino = world.kinds[fd - SD_LISTEN_FDS_START] / KINDS,
                            .st_size = (off_t) world.ledger_size};
    return 0;
}

static ssize_t fake_pread(int fd, void *buffer, size_t size, off_t at)
{
    size_t left = (size_t) at < world.ledger_size ? world.ledger_size - (size_t) at : 0;

    assert(is_ledger(fd));
    if (size > left)
        size = left;
    if (size > 0)
        memcpy(buffer, world.ledger + at, size);
    return (ssize_t) size;
}

static int fake_listen_fds(int unset, char ***names)
{
    char long_name[HELD_NAME_MAX + 2];

    (void) unset;
    memset(long_name, 'n', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    const char *all[KINDS] = {"socket\x1b\n", LEDGER_NAME, "", long_name};
    *names = calloc(world.count + 1, sizeof(**names));
    assert(*names != NULL);
    for (size_t i = 0; i < world.count; i++)
        (*names)[i] = strdup(all[world.kinds[i] % KINDS]);
    return (int) world.count;
}

/* The ledger says of each what is in its bytes. */
static void check_record(const struct held *held)
{
    const struct store_record *record = store_find(held->fd);

    assert(record == NULL || memchr(record->name, '\0', sizeof(record->name)) != NULL);
    assert(held->origin != HELD_STORED || record != NULL);
    assert(record == NULL || record->device == 1);
}

static void check(const struct held_list *held)
{
    unsigned sockets = 0;

    for (unsigned i = 0; i < held->count; i++) {
        assert(!is_ledger(held->sockets[i].fd));
        assert(world.closed[held->sockets[i].fd - SD_LISTEN_FDS_START] == 0);
        check_record(&held->sockets[i]);
    }
    for (size_t i = 0; i < world.count; i++) {
        assert(world.closed[i] <= 1);
        sockets += world.kinds[i] % KINDS != LEDGER && world.closed[i] == 0;
        /* Of several ledgers the last good one stays open. */
        assert(world.kinds[i] % KINDS != LEDGER || world.closed[i] == 1 ||
               store.ledger == SD_LISTEN_FDS_START + (int) i);
    }
    assert(sockets == held->count);
    assert(store.ledger < 0 || world.ledger_size == (store.count + 1) * sizeof(struct store_record));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct held_list held = {0};

    log_set_level(LOG_LEVEL_ERROR); /* a ledger that cannot be read is a warning */
    memset(&world, 0, sizeof(world));
    world.kinds = data;
    while (world.count < size && world.count < FDS_MAX && data[world.count] != 0xFF)
        world.count++;
    world.ledger = data + world.count + (world.count < size);
    world.ledger_size = size - (size_t) (world.ledger - data);
    assert(activation_take(&held) == 0);
    check(&held);
    free(held.sockets);
    free(store.records);
    memset(&store, 0, sizeof(store));
    store.ledger = -1;
    return 0;
}
