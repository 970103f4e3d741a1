/* Where the control socket is: its path, its mode and group, who is there already, and moving it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>

#include "control_help.h"

static unsigned chmods;
static mode_t widest; /* the modes that a path had before each */

/* In place of the C library's, also for the module: what a path was until now is seen here. */
int chmod(const char *path, mode_t mode)
{
    struct stat status;

    assert_int_equal(lstat(path, &status), 0);
    chmods++;
    widest |= status.st_mode & 0777;
    return fchmodat(AT_FDCWD, path, mode, 0);
}

static void assert_said(const char *text)
{
    if (strstr(log_last_error(), text) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", text, log_last_error());
}

static struct stat look(const char *path)
{
    struct stat status;

    assert_int_equal(lstat(path, &status), 0);
    return status;
}

static void assert_answers(const char *path)
{
    int fd = dial(path);

    assert_true(fd >= 0);
    say(fd, "1 log-level info\n");
    expect(fd, "ok\n");
    close(fd);
}

static void assert_nobody_at(const char *path)
{
    assert_int_equal(dial(path), -1);
    assert_int_equal(errno, ENOENT);
}

static const char *other_path(void)
{
    static char path[PATH_ROOM];

    snprintf(path, sizeof(path), "%s/other", master.folder);
    return path;
}

/* A socket of somebody else at PATH. */
static int settle_at(const char *path)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(local.sun_path, path, strlen(path) + 1);
    assert_int_equal(bind(fd, (struct sockaddr *) &local, sizeof(local)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

/* Whatever the umask, and never more on the way. */
static void test_mode_and_group(void **state)
{
    static const mode_t masks[] = {0, 022, 0777};

    (void) state;
    for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
        mode_t before = umask(masks[i]);
        assert_int_equal(open_as(control_at(master.path)), 0);
        assert_int_equal(umask(before), masks[i]);
        assert_int_equal(look(master.path).st_mode, S_IFSOCK | 0660);
        assert_int_equal(look(master.path).st_gid, getegid());
        assert_answers(master.path);
        assert_int_equal(open_as(control_at("")), 0);
        assert_nobody_at(master.path);
    }
}

/* Until the group is right the path is for its owner alone, from its first moment on. */
static void test_closed_until_the_group_is_right(void **state)
{
    mode_t before = umask(0);

    (void) state;
    chmods = 0;
    widest = 0;
    assert_int_equal(open_as(control_at(master.path)), 0);
    umask(before);
    assert_true(chmods > 0);
    assert_int_equal(widest, 0600);
}

static void test_flags(void **state)
{
    (void) state;
    assert_int_equal(open_as(control_at(master.path)), 0);
    int fd = connect_client();
    const int fds[] = {master.control->listening.socket.fd, master.control->clients[0].fd};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(fcntl(fds[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        assert_int_equal(fcntl(fds[i], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    }
    close(fd);
}

static const char *with_group(const char *group)
{
    static char text[512];

    snprintf(text, sizeof(text), "%sgroup = \"%s\";\n", control_at(master.path), group);
    return text;
}

/* A group other than ours, or NULL. */
static const struct group *find_other_group(void)
{
    const struct group *group = NULL;

    for (gid_t number = 0; group == NULL && number < 1000; number++)
        group = number != getegid() ? getgrgid(number) : NULL;
    return group;
}

static void test_group_of_the_config(void **state)
{
    const struct group *group = find_other_group();

    (void) state;
    if (group == NULL || geteuid() != 0)
        skip(); /* only root may give the socket to any group */
    char name[64];
    gid_t number = group->gr_gid;
    snprintf(name, sizeof(name), "%s", group->gr_name);
    assert_int_equal(open_as(with_group(name)), 0);
    assert_int_equal(look(master.path).st_gid, number);
    assert_int_equal(look(master.path).st_mode, S_IFSOCK | 0660);
    assert_answers(master.path);
}

static void test_group_that_is_our_own(void **state)
{
    const struct group *group = getgrgid(getegid());

    (void) state;
    if (group == NULL)
        skip();
    assert_int_equal(open_as(with_group(group->gr_name)), 0);
    assert_int_equal(look(master.path).st_gid, getegid());
}

static void test_group_that_does_not_exist(void **state)
{
    (void) state;
    assert_int_equal(open_as(with_group("no-such-group")), -1);
    assert_said("group = \"no-such-group\" (t.conf:2) cannot have the control socket ");
    assert_said("does not exist");
    assert_nobody_at(master.path);
}

/* In a folder that gives its group to what is in it. */
static void test_folder_with_a_group_of_its_own(void **state)
{
    const struct group *group = find_other_group();

    (void) state;
    if (group == NULL || geteuid() != 0)
        skip();
    assert_int_equal(chown(master.folder, (uid_t) -1, group->gr_gid), 0);
    assert_int_equal(chmod(master.folder, 02700), 0);
    assert_int_equal(open_as(control_at(master.path)), 0);
    assert_int_equal(look(master.path).st_gid, getegid());
}

static void test_stale_path_is_replaced(void **state)
{
    (void) state;
    close(settle_at(master.path));
    assert_int_equal(open_as(control_at(master.path)), 0);
    assert_answers(master.path);
}

static void test_somebody_answers_there(void **state)
{
    int other = settle_at(master.path);

    (void) state;
    assert_int_equal(open_as(control_at(master.path)), -1);
    assert_said("control = \"/tmp/hellod-test-");
    assert_said("(t.conf:1): Address already in use");
    close(other);
    unlink(master.path);
}

static void test_what_is_no_socket_is_left(void **state)
{
    int file = open(master.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    (void) state;
    assert_true(file >= 0);
    close(file);
    assert_int_equal(open_as(control_at(master.path)), -1);
    assert_said("Address already in use");
    assert_true(S_ISREG(look(master.path).st_mode));
    unlink(master.path);
}

static void test_no_folder(void **state)
{
    char path[PATH_ROOM];

    (void) state;
    snprintf(path, sizeof(path), "%.64s/none/control", master.folder);
    assert_int_equal(open_as(control_at(path)), -1);
    assert_said("(t.conf:1): No such file or directory");
}

/* Nobody has asked for the default, so the service runs without when it cannot be had. */
static void test_default(void **state)
{
    char folder[PATH_ROOM];

    (void) state;
    setenv("RUNTIME_DIRECTORY", master.folder, 1);
    assert_int_equal(open_as(""), 0);
    assert_answers(master.path);
    snprintf(folder, sizeof(folder), "%.64s/none", master.folder);
    setenv("RUNTIME_DIRECTORY", folder, 1);
    assert_int_equal(open_as(""), 0);
    assert_nobody_at(master.path);
    assert_int_equal(master.control->listening.socket.fd, -1);
    /* And the next reload may find it. */
    setenv("RUNTIME_DIRECTORY", master.folder, 1);
    assert_int_equal(open_as(""), 0);
    assert_answers(master.path);
    unsetenv("RUNTIME_DIRECTORY");
}

static void test_default_where_somebody_answers(void **state)
{
    int other = settle_at(master.path);

    (void) state;
    setenv("RUNTIME_DIRECTORY", master.folder, 1);
    assert_int_equal(open_as(""), 0);
    unsetenv("RUNTIME_DIRECTORY");
    assert_int_equal(master.control->listening.socket.fd, -1);
    assert_true(S_ISSOCK(look(master.path).st_mode));
    close(other);
    unlink(master.path);
}

static void test_the_same_path_stays(void **state)
{
    (void) state;
    assert_int_equal(open_as(control_at(master.path)), 0);
    struct stat before = look(master.path);
    int queued = dial(master.path);
    assert_int_equal(open_as(control_at(master.path)), 0);
    assert_int_equal(look(master.path).st_ino, before.st_ino);
    say(queued, "1 status\n");
    expect(queued, "x number=1\nok\n");
    close(queued);
}

static void test_moving(void **state)
{
    (void) state;
    assert_int_equal(open_as(control_at(master.path)), 0);
    int fd = connect_client();
    assert_int_equal(open_as(control_at(other_path())), 0);
    assert_nobody_at(master.path);
    assert_answers(other_path());
    say(fd, "1 status\n");
    expect(fd, "x number=1\nok\n");
    assert_int_equal(open_as(control_at("")), 0);
    assert_nobody_at(other_path());
    say(fd, "1 status\n");
    expect(fd, "x number=2\nok\n");
    close(fd);
}

static void test_moving_to_where_somebody_answers(void **state)
{
    int other = settle_at(other_path());

    (void) state;
    assert_int_equal(open_as(control_at(master.path)), 0);
    assert_int_equal(open_as(control_at(other_path())), -1);
    assert_answers(master.path);
    close(other);
    unlink(other_path());
}

/* Another instance has taken the path over: it is not ours to remove. */
static void test_path_that_is_not_ours_any_more(void **state)
{
    (void) state;
    assert_int_equal(open_as(control_at(master.path)), 0);
    assert_int_equal(unlink(master.path), 0);
    int other = settle_at(master.path);
    control_free(master.control);
    master.control = NULL;
    assert_true(S_ISSOCK(look(master.path).st_mode));
    close(other);
    unlink(master.path);
}

static void test_longest_path(void **state)
{
    char path[CONFIG_PATH_MAX + 1];
    size_t length = strlen(master.folder);

    (void) state;
    memset(path, 'x', sizeof(path));
    memcpy(path, master.folder, length);
    path[length] = '/';
    path[CONFIG_PATH_MAX] = '\0';
    assert_int_equal(open_as(control_at(path)), 0);
    assert_answers(path);
}

static void test_nothing_to_free(void **state)
{
    (void) state;
    control_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_mode_and_group),
        TEST(test_closed_until_the_group_is_right),
        TEST(test_flags),
        TEST(test_group_of_the_config),
        TEST(test_group_that_is_our_own),
        TEST(test_group_that_does_not_exist),
        TEST(test_folder_with_a_group_of_its_own),
        TEST(test_stale_path_is_replaced),
        TEST(test_somebody_answers_there),
        TEST(test_what_is_no_socket_is_left),
        TEST(test_no_folder),
        TEST(test_default),
        TEST(test_default_where_somebody_answers),
        TEST(test_the_same_path_stays),
        TEST(test_moving),
        TEST(test_moving_to_where_somebody_answers),
        TEST(test_path_that_is_not_ours_any_more),
        TEST(test_longest_path),
        TEST(test_nothing_to_free),
    };

    unsetenv("RUNTIME_DIRECTORY"); /* of whatever service runs the tests */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
