/* The sockets of one world after the other, as reloads make them: what stays, what goes, what a failure
 * leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "listeners_help.h"
#include "seed.h"

static char folder[] = "/tmp/hellod-test-XXXXXX";

static int set_up(void **state)
{
    (void) state;
    log_set_level(LOG_LEVEL_ERROR);
    return mkdtemp(folder) == NULL;
}

static int take_down(void **state)
{
    (void) state;
    return rmdir(folder);
}

#define TCP(name) "{ name = \"" name "\"; protocol = \"greeting\"; address = \"127.0.0.1\"; port = %u; }"
#define UDP(name)                                                                                            \
    "{ name = \"" name "\"; protocol = \"hello\"; type = \"datagram\"; address = \"127.0.0.1\"; port = %u; " \
    "}"

static void test_what_is_still_asked_for_stays(void **state)
{
    unsigned open = count_fds();
    struct world *old = make_world(NULL, "listen = (" TCP("a") "," UDP("b") ");", 0, 0);
    int tcp = fd_of(old, 0, 0), udp = fd_of(old, 1, 0);

    (void) state;
    /* Names and order do not matter, addresses do. */
    struct world *new =
        make_world(old, "listen = (" UDP("y") "," TCP("x") "," TCP("z") ");", port_of(udp), port_of(tcp), 0);
    assert_non_null(new);
    assert_sound(old);
    assert_sound(new);
    assert_int_equal(fd_of(new, 0, 0), udp);
    assert_int_equal(fd_of(new, 1, 0), tcp);
    assert_string_equal(listeners_row(&new->listeners, 0)->name, "y");
    assert_string_equal(listeners_row(&old->listeners, 1)->name, "b");
    end_world(old, new);
    assert_sound(new);
    assert_int_equal(count_fds(), open + 3);
    end_world(new, NULL);
    assert_int_equal(count_fds(), open);
}

/* One address becomes all: its socket goes on beside that for all, in a row of its own; and all become one.
 */
static void test_one_address_and_all(void **state)
{
    unsigned open = count_fds();
    uint16_t port = free_port();
    struct world *old = make_world(NULL, "listen = (" TCP("a") ");", port);
    int tcp = fd_of(old, 0, 0);

    (void) state;
    struct world *all =
        make_world(old, "listen = ( { name = \"a\"; protocol = \"greeting\"; port = %u; } );", port);
    assert_non_null(all);
    assert_sound(all);
    unsigned rows = all->listeners.plan->socket_count;
    assert_in_range(rows, 2, 3); /* without IPv6: 2 */
    assert_int_not_equal(fd_of(all, 0, 0), tcp);
    assert_int_equal(fd_of(all, 1, 0), tcp);
    end_world(old, all);
    struct world *one = make_world(all, "listen = (" TCP("a") ");", port);
    assert_int_equal(fd_of(one, 0, 0), tcp);
    assert_int_equal(one->listeners.plan->socket_count, 1);
    end_world(all, one);
    end_world(one, NULL);
    assert_int_equal(count_fds(), open);
}

static void test_what_nobody_asks_for_goes(void **state)
{
    struct world *old = make_world(NULL, "listen = (" TCP("a") "," UDP("b") ");", 0, 0);
    int tcp = fd_of(old, 0, 0), udp = fd_of(old, 1, 0);
    struct world *new = make_world(old, "listen = (" TCP("a") ");", port_of(tcp));

    (void) state;
    assert_int_equal(new->prepared.plan.socket_count, 1);
    assert_sound(old); /* it goes on until it is ended */
    end_world(old, new);
    assert_true(is_open(tcp));
    assert_false(is_open(udp));
    end_world(new, NULL);
}

/* The new world is given up: the old one has all that it had. */
static void test_a_world_that_is_given_up(void **state)
{
    struct world *old = make_world(NULL, "listen = (" TCP("a") "," UDP("b") ");", 0, 0);
    unsigned open = count_fds();
    struct world *new =
        make_world(old, "listen = (" TCP("a") "," TCP("c") ");", port_of(fd_of(old, 0, 0)), 0);

    (void) state;
    assert_int_equal(count_fds(), open + 1);
    end_world(new, old);
    assert_int_equal(count_fds(), open);
    assert_sound(old);
    end_world(old, NULL);
}

static void test_an_address_that_cannot_be_had(void **state)
{
    struct world *other = make_world(NULL, "listen = (" TCP("other") ");", 0);
    struct world *old = make_world(NULL, "listen = (" TCP("a") "," UDP("b") ");", 0, 0);
    unsigned open = count_fds(), taken = port_of(fd_of(other, 0, 0));
    char text[128];

    (void) state;
    assert_null(make_world(old, "listen = (" UDP("b") "," TCP("c") "," TCP("d") ");", 0, 0, taken));
    snprintf(text, sizeof(text), "listener d (t.conf:1) cannot have tcp 127.0.0.1:%u: Address already in use",
             taken);
    assert_string_equal(log_last_error(), text);
    assert_int_equal(count_fds(), open);
    assert_sound(old);
    end_world(old, NULL);
    end_world(other, NULL);
}

static void test_activation_that_is_required_from_now_on(void **state)
{
    struct world *old = make_world(NULL, "listen = (" TCP("a") ");", 0);

    (void) state;
    assert_null(
        make_world(old, "activation = \"require\"; listen = (" TCP("a") ");", port_of(fd_of(old, 0, 0))));
    assert_non_null(strstr(log_last_error(), "was passed no socket"));
    assert_sound(old);
    end_world(old, NULL);
}

static void test_port_0_goes_by_name(void **state)
{
    struct world *old = make_world(NULL, "listen = (" TCP("a") "," TCP("b") ");", 0, 0);
    struct world *new = make_world(old, "listen = (" TCP("c") "," TCP("b") ");", 0, 0);

    (void) state;
    assert_int_equal(fd_of(new, 1, 0), fd_of(old, 1, 0));
    assert_int_not_equal(fd_of(new, 0, 0), fd_of(old, 0, 0));
    end_world(old, new);
    end_world(new, NULL);
}

/* The longest queue that a listening socket may have is what the kernel tells of it (tcp(7), TCP_INFO). */
static unsigned backlog_of(int fd)
{
    struct tcp_info info;
    socklen_t length = sizeof(info);

    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    return info.tcpi_sacked;
}

static void test_another_backlog(void **state)
{
    static const char text[] = "listen = ( { name = \"a\"; protocol = \"greeting\"; address = \"127.0.0.1\"; "
                               "port = 0; backlog = %d; } );";
    struct world *old = make_world(NULL, text, 7);
    struct world *new = make_world(old, text, 9);
    int fd = fd_of(new, 0, 0);

    (void) state;
    assert_int_equal(fd, fd_of(old, 0, 0));
    assert_int_equal(backlog_of(fd), 9);
    end_world(new, old);
    assert_int_equal(backlog_of(fd), 7);
    end_world(old, NULL);
}

#define SEVERAL                                                                           \
    "workers = %d; listen = ( { name = \"a\"; protocol = \"hello\"; type = \"datagram\";" \
    " address = \"127.0.0.1\"; port = 0; per_worker = %s; } );"

static void assert_rows(const struct world *world, unsigned count, const unsigned *sizes)
{
    assert_sound(world);
    assert_int_equal(world->prepared.plan.socket_count, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(world->prepared.plan.sockets[i].fd_count, sizes[i]);
}

static void test_pools_of_all_sizes(void **state)
{
    static const struct {
        int workers;
        const char *per_worker;
        unsigned rows, sizes[4];
    } steps[] = {{1, "false", 1, {1}},   {2, "true", 1, {2}},     {5, "true", 1, {5}},
                 {3, "true", 2, {3, 2}}, {3, "false", 2, {3, 2}}, {2, "false", 3, {2, 2, 1}},
                 {6, "true", 1, {6}},    {6, "false", 1, {6}},    {8, "false", 1, {6}}};
    struct world *world = NULL;
    uint16_t port = 0;

    (void) state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct world *next = make_world(world, SEVERAL, steps[i].workers, steps[i].per_worker);
        assert_non_null(next);
        assert_rows(next, steps[i].rows, steps[i].sizes);
        for (unsigned j = 0; world != NULL && j < world->listeners.held.count; j++)
            assert_true(held_has(&next->listeners.held, world->listeners.held.sockets[j].fd));
        if (world != NULL)
            end_world(world, next);
        world = next;
        assert_true(port == 0 || port == port_of(fd_of(world, 0, 0)));
        port = port_of(fd_of(world, 0, 0));
    }
    end_world(world, NULL);
}

static void test_more_rows_than_there_is_room_for(void **state)
{
    char text[CONFIG_LISTENERS_MAX * 128] = "", *end = text;

    (void) state;
    for (unsigned i = 0; i < CONFIG_LISTENERS_MAX; i++)
        end +=
            sprintf(end,
                    "%s{ name = \"n%u\"; protocol = \"hello\"; type = \"datagram\"; address = \"127.0.0.1\";"
                    " port = 0; per_worker = true; }",
                    i == 0 ? "" : ",", i);
    struct world *old = make_world(NULL, "workers = 3; listen = (%s);", text);
    assert_non_null(old);
    struct world *new =
        make_world(old, "workers = 2; listen = (%s);", text); /* two rows each: as many as fit */
    assert_non_null(new);
    assert_int_equal(new->prepared.plan.socket_count, PLAN_SOCKETS_MAX);
    assert_sound(new);
    end_world(new, old);
    unsigned open = count_fds();
    assert_null(make_world(old, "workers = 1; listen = (%s);", text));
    assert_string_equal(
        log_last_error(),
        "more sockets are left over from larger pools than can be served: restart the service");
    assert_int_equal(count_fds(), open);
    assert_sound(old);
    end_world(old, NULL);
}

#define AT_PATH "listen = ( { name = \"a\"; protocol = \"%s\"; type = \"%s\"; path = \"%s/socket\"; } );"

static bool is_at_path(const struct world *world)
{
    struct stat status;
    char name[64];

    snprintf(name, sizeof(name), "%s/socket", folder);
    return lstat(name, &status) == 0 && status.st_ino == listeners_row(&world->listeners, 0)->path.inode;
}

static unsigned count_files(void)
{
    DIR *stream = opendir(folder);
    unsigned count = 0;

    while (readdir(stream) != NULL)
        count++;
    closedir(stream);
    return count - 2;
}

static void test_paths_over_reloads(void **state)
{
    struct world *old = make_world(NULL, AT_PATH, "greeting", "stream", folder);
    struct world *same = make_world(old, AT_PATH, "greeting", "stream", folder);

    (void) state;
    assert_int_equal(fd_of(old, 0, 0), fd_of(same, 0, 0));
    end_world(old, same);
    assert_true(is_at_path(same));
    struct world *gone = make_world(same, "listen = (" TCP("b") ");", 0);
    assert_true(is_at_path(same));
    end_world(same, gone);
    assert_int_equal(count_files(), 0);
    struct world *again = make_world(gone, AT_PATH, "greeting", "stream", folder);
    end_world(again, gone);
    assert_int_equal(count_files(), 0);
    end_world(gone, NULL);
}

static void test_another_type_at_the_path(void **state)
{
    struct world *old = make_world(NULL, AT_PATH, "greeting", "stream", folder);
    struct world *new = make_world(old, AT_PATH, "hello", "datagram", folder);

    (void) state;
    assert_non_null(new);
    assert_true(is_at_path(new));
    end_world(new, old); /* not after all */
    assert_true(is_at_path(old));
    assert_int_equal(count_files(), 1);
    new = make_world(old, AT_PATH, "greeting", "seqpacket", folder);
    end_world(old, new);
    assert_true(is_at_path(new));
    assert_int_equal(count_files(), 1);
    end_world(new, NULL);
    assert_int_equal(count_files(), 0);
}

static void test_a_path_that_somebody_removed(void **state)
{
    struct world *old = make_world(NULL, AT_PATH, "greeting", "stream", folder);
    char name[64];

    (void) state;
    snprintf(name, sizeof(name), "%s/socket", folder);
    assert_int_equal(unlink(name), 0);
    struct world *new = make_world(old, AT_PATH, "greeting", "stream", folder);
    assert_int_not_equal(fd_of(new, 0, 0), fd_of(old, 0, 0));
    end_world(old, new);
    assert_true(is_at_path(new));
    end_world(new, NULL);
    assert_int_equal(count_files(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_still_asked_for_stays),
        cmocka_unit_test(test_one_address_and_all),
        cmocka_unit_test(test_what_nobody_asks_for_goes),
        cmocka_unit_test(test_a_world_that_is_given_up),
        cmocka_unit_test(test_an_address_that_cannot_be_had),
        cmocka_unit_test(test_activation_that_is_required_from_now_on),
        cmocka_unit_test(test_port_0_goes_by_name),
        cmocka_unit_test(test_another_backlog),
        cmocka_unit_test(test_pools_of_all_sizes),
        cmocka_unit_test(test_more_rows_than_there_is_room_for),
        cmocka_unit_test(test_paths_over_reloads),
        cmocka_unit_test(test_another_type_at_the_path),
        cmocka_unit_test(test_a_path_that_somebody_removed),
    };

    return cmocka_run_group_tests_name("listeners", tests, set_up, take_down);
}
