/* Path sockets of our own binding, made for real in a folder of our own, and the abstract namespace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "binding_help.h"

static char folder[] = "/tmp/hellod-test-XXXXXX";

static int make_folder(void **state)
{
    (void) state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void) state;
    return rmdir(folder);
}

static struct binding at_path(const char *path, int type)
{
    struct binding binding = {.type = type, .backlog = 10};
    struct sockaddr_un local = {.sun_family = AF_UNIX};

    memcpy(local.sun_path, path, strlen(path) + 1);
    binding.length = (socklen_t) (offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
    memcpy(&binding.address, &local, sizeof(local));
    return binding;
}

static const char *in_folder(const char *name)
{
    static char path[64];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void test_path(void **state)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    mode_t mask = umask(077);

    (void) state;
    for (size_t i = 0; i < 3; i++) {
        struct binding binding = at_path(in_folder("socket"), types[i]);
        struct binding_path path;
        struct stat status;
        int fd;
        assert_int_equal(binding_open(&binding, &fd, 1, &path), 0);
        assert_tuned(fd);
        assert_string_equal(path.path, in_folder("socket"));
        assert_int_equal(lstat(path.path, &status), 0);
        assert_int_equal(status.st_mode, S_IFSOCK | 0666);
        /* While it lives nobody else gets it, of whatever type. */
        for (size_t j = 0; j < 3; j++) {
            struct binding other = at_path(in_folder("socket"), types[j]);
            assert_refused(&other, 1, EADDRINUSE);
        }
        close(fd); /* stale from here on */
        assert_int_equal(binding_open(&binding, &fd, 1, &path), 0);
        assert_int_equal(close(fd), 0);
        binding_remove_path(&path);
        assert_int_equal(access(in_folder("socket"), F_OK), -1);
        assert_string_equal(path.path, "");
        binding_remove_path(&path);
    }
    umask(mask);
}

static void test_backlog_is_full_but_somebody_lives(void **state)
{
    struct binding binding = at_path(in_folder("socket"), SOCK_STREAM);
    struct binding_path path;
    int fd, clients[2];

    (void) state;
    binding.backlog = 0;
    assert_int_equal(binding_open(&binding, &fd, 1, &path), 0);
    for (unsigned i = 0; i < 2; i++) {
        clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void) !connect(clients[i], (const struct sockaddr *) &binding.address, binding.length);
    }
    assert_refused(&binding, 1, EADDRINUSE);
    for (unsigned i = 0; i < 2; i++)
        close(clients[i]);
    close(fd);
    binding_remove_path(&path);
}

static void test_what_is_no_socket_stays(void **state)
{
    struct binding binding = at_path(in_folder("thing"), SOCK_STREAM);
    struct binding missing = at_path(in_folder("no/thing"), SOCK_STREAM);
    int fd = open(in_folder("thing"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    (void) state;
    close(fd);
    assert_refused(&binding, 1, EADDRINUSE);
    assert_int_equal(unlink(in_folder("thing")), 0);
    assert_int_equal(symlink("nowhere", in_folder("thing")), 0);
    assert_refused(&binding, 1, EADDRINUSE);
    assert_int_equal(unlink(in_folder("thing")), 0);
    assert_refused(&missing, 1, ENOENT);
}

/* Failure 40: a service that ends removes the path that its successor has just made. */
static void test_path_of_a_successor_stays(void **state)
{
    struct binding binding = at_path(in_folder("socket"), SOCK_STREAM);
    struct binding_path first, second;
    int old, new;

    (void) state;
    assert_int_equal(binding_open(&binding, &old, 1, &first), 0);
    assert_int_equal(unlink(first.path), 0);
    assert_int_equal(binding_open(&binding, &new, 1, &second), 0);
    binding_remove_path(&first);
    assert_int_equal(access(second.path, F_OK), 0);
    assert_string_equal(first.path, "");
    binding_remove_path(&second);
    assert_int_equal(access(in_folder("socket"), F_OK), -1);
    close(old);
    close(new);
}

static void test_abstract(void **state)
{
    char name[64];

    (void) state;
    snprintf(name, sizeof(name), "@hellod-test-%d", (int) getpid());
    struct binding binding = at_path(name, SOCK_STREAM);
    struct sockaddr_un local;
    memcpy(&local, &binding.address, sizeof(local));
    local.sun_path[0] = '\0';
    memcpy(&binding.address, &local, sizeof(local));
    binding.length--;
    int fd = open_one(&binding); /* which also says that no path is noted */
    assert_tuned(fd);
    assert_refused(&binding, 1, EADDRINUSE);
    close(fd);
    close(open_one(&binding));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_backlog_is_full_but_somebody_lives),
        cmocka_unit_test(test_what_is_no_socket_stays),
        cmocka_unit_test(test_path_of_a_successor_stays),
        cmocka_unit_test(test_abstract),
    };

    return cmocka_run_group_tests_name("binding of paths", tests, make_folder, remove_folder);
}
