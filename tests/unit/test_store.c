/* The ledger and the messages to the descriptor store, against a store of the test's own that looks into the
 * ledger after each message: the process may be killed there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static int take_fds(int pid, int unset, const char *text, const int *fds, unsigned count);
static int take_text(int unset, const char *format, ...) __attribute__((format(printf, 2, 3)));

#include <systemd/sd-daemon.h>
#define sd_pid_notify_with_fds take_fds
#define sd_notifyf             take_text
#include "master/store.c"

#include "seed.h"

enum {
    SOCKETS = 12,
    ROUNDS = 2000
};

/* The manager's side. */
static struct {
    char name[HELD_NAME_MAX + 1];
    int fd;
} kept[SOCKETS + 8];
static unsigned kept_count, messages;

static int sockets[SOCKETS]; /* what the process has */

static bool same_file(int a, int b)
{
    struct stat one, other;

    assert_int_equal(fstat(a, &one) | fstat(b, &other), 0);
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/* A process that comes now finds every socket in the ledger, under its name. */
static void check_successor(void)
{
    struct store_record *records = NULL;
    unsigned count = 0, ledgers = 0;

    for (unsigned i = 0; i < kept_count; i++)
        if (store_is_ledger(kept[i].name)) {
            records = read_ledger(kept[i].fd, &count);
            ledgers++;
        }
    assert_true(ledgers <= 1 && (ledgers == 0 || records != NULL));
    for (unsigned i = 0; i < kept_count; i++) {
        bool found = store_is_ledger(kept[i].name);
        struct stat status;
        fstat(kept[i].fd, &status);
        for (unsigned j = 0; j < count; j++)
            found |= records[j].inode == status.st_ino && records[j].device == status.st_dev &&
                     strcmp(records[j].name, kept[i].name) == 0;
        assert_true(found);
    }
    free(records);
}

static int take_fds(int pid, int unset, const char *text, const int *fds, unsigned count)
{
    static const char before[] = "FDSTORE=1\nFDPOLL=0\nFDNAME=";

    assert_true(pid == 0 && unset == 0 && count == 1);
    assert_int_equal(strncmp(text, before, strlen(before)), 0);
    messages++;
    for (unsigned i = 0; i < kept_count; i++)
        if (same_file(kept[i].fd, fds[0]))
            return 1;
    assert_true(kept_count < sizeof(kept) / sizeof(kept[0]));
    snprintf(kept[kept_count].name, sizeof(kept[0].name), "%s", text + strlen(before));
    kept[kept_count++].fd = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
    check_successor();
    return 1;
}

static void forget(const char *name)
{
    unsigned count = 0;

    for (unsigned i = 0; i < kept_count; i++)
        if (name == NULL || strcmp(kept[i].name, name) == 0)
            close(kept[i].fd);
        else
            kept[count++] = kept[i];
    kept_count = count;
}

static int take_text(int unset, const char *format, ...)
{
    static const char before[] = "FDSTOREREMOVE=1\nFDNAME=";
    char text[512];
    va_list values;

    assert_int_equal(unset, 0);
    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    assert_int_equal(strncmp(text, before, strlen(before)), 0);
    messages++;
    forget(text + strlen(before));
    if (!store_is_ledger(text + strlen(before)))
        check_successor();
    return 1;
}

/* This process ends; what it knew of the store goes with it. */
static void end_process(void)
{
    if (store.ledger >= 0)
        close(store.ledger);
    free(store.records);
    store.ledger = -1;
    store.records = NULL;
    store.count = 0;
}

/* The next process gets what is in the store. */
static void begin_process(void)
{
    for (unsigned i = 0; i < kept_count; i++)
        if (store_is_ledger(kept[i].name))
            store_adopt(fcntl(kept[i].fd, F_DUPFD_CLOEXEC, 0));
}

static int set_up(void **state)
{
    (void) state;
    setenv("NOTIFY_SOCKET", "@hellod-test-nobody", 1);
    for (unsigned i = 0; i < SOCKETS; i++)
        sockets[i] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    messages = 0;
    return 0;
}

static int take_down(void **state)
{
    (void) state;
    end_process();
    forget(NULL);
    for (unsigned i = 0; i < SOCKETS; i++)
        close(sockets[i]);
    return 0;
}

static void add(struct held_list *list, unsigned number, const char *name, enum held_origin origin)
{
    struct held one = {.fd = sockets[number], .origin = origin};

    snprintf(one.name, sizeof(one.name), "%s", name);
    assert_int_equal(held_add(list, &one), 0);
}

/* The store has those of LIST that are ours, each under its name, the ledger, and nothing else. */
static void assert_kept(const struct held_list *list)
{
    unsigned ours = 0;

    for (unsigned i = 0; i < list->count; i++) {
        const struct held *one = &list->sockets[i];
        unsigned found = 0;
        for (unsigned j = 0; j < kept_count; j++)
            found += strcmp(kept[j].name, one->name) == 0 && same_file(kept[j].fd, one->fd);
        assert_int_equal(found, one->origin != HELD_PASSED);
        ours += found;
        assert_int_equal(store_find(one->fd) != NULL, found);
    }
    assert_int_equal(kept_count, ours + (store.ledger >= 0));
    assert_int_equal(store.count, ours);
    check_successor();
}

static void keep_and_check(struct held_list *list)
{
    store_keep(list);
    assert_kept(list);
    unsigned before = messages;
    store_keep(list); /* there is nothing left to say */
    assert_int_equal(messages, before);
    free(list->sockets);
    *list = (struct held_list){.count = 0};
}

static void test_ours_and_nothing_else(void **state)
{
    struct held_list list = {.count = 0};

    (void) state;
    add(&list, 0, "a", HELD_BOUND);
    add(&list, 1, "b", HELD_PASSED);
    add(&list, 2, "c", HELD_STORED);
    keep_and_check(&list);
    assert_int_equal(kept_count, 3);
    add(&list, 0, "z", HELD_BOUND); /* under another name from now on */
    keep_and_check(&list);
    assert_int_equal(kept_count, 2);
    keep_and_check(&list);
    assert_int_equal(kept_count, 1);
}

static void test_nobody_listens(void **state)
{
    struct held_list list = {.count = 0};

    (void) state;
    unsetenv("NOTIFY_SOCKET");
    add(&list, 0, "a", HELD_BOUND);
    store_keep(&list);
    assert_int_equal(messages, 0);
    assert_int_equal(store.ledger, -1);
    assert_null(store_find(sockets[0]));
    free(list.sockets);
}

/* A service whose sockets all come from a socket unit has no ledger. */
static void test_nothing_of_ours(void **state)
{
    struct held_list list = {.count = 0};

    (void) state;
    add(&list, 0, "a", HELD_PASSED);
    keep_and_check(&list);
    assert_int_equal(messages, 0);
}

static void test_several_of_one_name(void **state)
{
    struct held_list list = {.count = 0};

    (void) state;
    for (unsigned i = 0; i < 4; i++)
        add(&list, i, "a", HELD_BOUND);
    keep_and_check(&list);
    for (unsigned i = 1; i < 5; i++)
        add(&list, i, "a", HELD_BOUND);
    keep_and_check(&list);
    assert_int_equal(kept_count, 5);
}

static void test_a_path_is_remembered(void **state)
{
    struct held_list list = {.count = 0};

    (void) state;
    add(&list, 3, "a", HELD_BOUND);
    list.sockets[0].path = (struct binding_path){.path = "/x", .device = 12, .inode = 34};
    keep_and_check(&list);
    end_process();
    begin_process();
    const struct store_record *record = store_find(sockets[3]);
    assert_non_null(record);
    assert_true(record->path_device == 12 && record->path_inode == 34);
    assert_string_equal(record->name, "a");
}

/* The longest name that a listener may have fits. */
static void test_the_longest_name(void **state)
{
    struct held_list list = {.count = 0};
    char name[64];

    (void) state;
    memset(name, 'x', 63);
    name[63] = '\0';
    add(&list, 0, name, HELD_BOUND);
    keep_and_check(&list);
}

static void test_random_changes_and_restarts(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d.e-f_g"};
    struct seed seed = seed_start();

    (void) state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct held_list list = {.count = 0};
        for (unsigned i = 0; i < SOCKETS; i++)
            if (seed_below(&seed, 2) == 0)
                add(&list, i, names[seed_below(&seed, 4)], (enum held_origin) seed_below(&seed, 3));
        keep_and_check(&list);
        if (seed_below(&seed, 4) == 0) {
            end_process();
            begin_process();
        }
    }
}

/* Whatever is in the file, it is read or refused; and what is read can be used. */
static void test_random_ledgers(void **state)
{
    struct seed seed = seed_start();
    unsigned read = 0;

    (void) state;
    log_set_level(LOG_LEVEL_ERROR);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct store_record records[4];
        unsigned char *bytes = (unsigned char *) records;
        for (size_t i = 0; i < sizeof(records); i++)
            bytes[i] = (unsigned char) (seed_below(&seed, 3) == 0 ? seed_next(&seed) : 0);
        if (seed_below(&seed, 4) > 0)
            snprintf(records[0].name, sizeof(records[0].name), "%s", LEDGER_FORM);
        size_t size = seed_below(&seed, 2) ? seed_below(&seed, 5) * sizeof(records[0])
                                           : seed_below(&seed, sizeof(records) + 1);
        int fd = memfd_create("test", MFD_CLOEXEC);
        assert_int_equal(write(fd, records, size), size);
        store_adopt(fd);
        assert_int_equal(fcntl(fd, F_GETFD) >= 0, store.ledger == fd);
        assert_null(store_find(sockets[0]));
        read += store.ledger >= 0;
        end_process();
    }
    log_set_level(LOG_LEVEL_INFO);
    assert_in_range(read, 1, ROUNDS - 1);
}

/* The manager may have a ledger that cannot be read: it is replaced. */
static void test_a_ledger_that_cannot_be_read(void **state)
{
    struct held_list list = {.count = 0};
    int fd = memfd_create("test", MFD_CLOEXEC);

    (void) state;
    snprintf(kept[0].name, sizeof(kept[0].name), "%s", LEDGER_NAME);
    kept[0].fd = fd;
    kept_count = 1;
    begin_process();
    assert_int_equal(store.ledger, -1);
    add(&list, 0, "a", HELD_BOUND);
    keep_and_check(&list);
    assert_int_equal(kept_count, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, take_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ours_and_nothing_else),
        TEST(test_nobody_listens),
        TEST(test_nothing_of_ours),
        TEST(test_several_of_one_name),
        TEST(test_a_path_is_remembered),
        TEST(test_the_longest_name),
        TEST(test_random_changes_and_restarts),
        TEST(test_random_ledgers),
        TEST(test_a_ledger_that_cannot_be_read),
    };

    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
