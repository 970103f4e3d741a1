/* For the tests of the control socket: a master in little, which counts what it is asked, and clients of it,
 * all in one process and one loop. Includes the module, to reach what is static. */
#ifndef HELLOD_TESTS_UNIT_CONTROL_HELP_H
#define HELLOD_TESTS_UNIT_CONTROL_HELP_H

#include <sys/un.h>

#include "config_help.h"
#include "master/control.c"

enum {
    WAIT_MS = 20000, /* for what happens at once, but perhaps on a busy machine and under valgrind */
    PATH_ROOM = 128,
    QUIET_TURNS = 3 /* turns of the loop in which nothing more may happen */
};

/* A master in little. */
static struct {
    sd_event *event;
    struct control *control;
    unsigned statuses, reloads, stops, levels;
    uint64_t number;       /* of the reload that is asked for next */
    bool at_once;          /* a reload ends before it is answered for */
    const char *errors;    /* of that reload */
    size_t status_size;    /* bytes of the status lines */
    enum log_level level;  /* the last one set */
    struct ucred who;      /* the last one to ask */
    char folder[64];       /* for paths */
    char path[PATH_ROOM];  /* of the control socket */
    struct config *config; /* the one in force */
} master;

static void on_status(void *owner, FILE *out)
{
    assert_ptr_equal(owner, &master);
    master.statuses++;
    fprintf(out, "x number=%u\n", master.statuses);
    for (size_t i = 0; i < master.status_size; i += 10)
        fputs("xxxxxxxxx\n", out);
}

static uint64_t on_reload(void *owner, const struct ucred *who)
{
    uint64_t number = master.number;

    assert_ptr_equal(owner, &master);
    master.reloads++;
    master.who = *who;
    if (master.at_once)
        control_reloaded(master.control, number, master.errors);
    return number;
}

static void on_stop(void *owner, const struct ucred *who)
{
    assert_ptr_equal(owner, &master);
    master.stops++;
    master.who = *who;
}

static void on_set_log_level(void *owner, enum log_level level, const struct ucred *who)
{
    assert_ptr_equal(owner, &master);
    master.levels++;
    master.level = level;
    master.who = *who;
}

/* A control that listens nowhere yet, and a folder. */
static inline int set_up(void **state)
{
    static const struct control_events events = {
        .status = on_status, .reload = on_reload, .stop = on_stop, .set_log_level = on_set_log_level};

    (void) state;
    memset(&master, 0, sizeof(master));
    master.number = 1;
    log_set_level(LOG_LEVEL_ERROR);
    snprintf(master.folder, sizeof(master.folder), "/tmp/hellod-test-XXXXXX");
    if (mkdtemp(master.folder) == NULL || sd_event_new(&master.event) < 0)
        return -1;
    snprintf(master.path, sizeof(master.path), "%s/control", master.folder);
    master.control = control_new(master.event, &events, &master);
    return master.control == NULL;
}

static inline int tear_down(void **state)
{
    (void) state;
    control_free(master.control);
    sd_event_unref(master.event);
    config_free(master.config);
    return rmdir(master.folder);
}

/* Has the control follow a config of this text. Returns what control_open() says. */
static inline int open_as(const char *text)
{
    config_free(master.config);
    master.config = good_config_of(text);
    return control_open(master.control, master.config);
}

/* A line for the config: the socket is at PATH. The next call overwrites it. */
static inline const char *control_at(const char *path)
{
    static char text[PATH_ROOM + 32];

    snprintf(text, sizeof(text), "control = \"%s\";\n", path);
    return text;
}

/* One turn of the loop, or a rest of a hundredth of a second when nothing is to be done. */
static inline void turn(void)
{
    assert_true(sd_event_run(master.event, 10000) >= 0);
}

/* Turns the loop until nothing has been to do for a while. */
static inline void settle(void)
{
    for (int quiet = 0; quiet < QUIET_TURNS;)
        quiet = sd_event_run(master.event, 1000) == 0 ? quiet + 1 : 0;
}

/* A socket that is connected to PATH, or -1 with errno. */
static inline int dial(const char *path)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(local.sun_path, path, strlen(path) + 1);
    if (connect(fd, (struct sockaddr *) &local, sizeof(local)) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* How many clients there are. */
static inline unsigned clients(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
        count += master.control->clients[i].fd >= 0;
    return count;
}

/* Connects, and waits until that is noticed. */
static inline int connect_client(void)
{
    uint64_t heard = master.control->heard, until = clock_ms() + WAIT_MS;
    int fd = dial(master.path);

    assert_true(fd >= 0);
    while (master.control->heard == heard && clock_ms() < until)
        turn();
    assert_true(master.control->heard > heard);
    return fd;
}

static inline void say_bytes(int fd, const char *bytes, size_t length)
{
    assert_int_equal(send(fd, bytes, length, MSG_NOSIGNAL), length);
}

static inline void say(int fd, const char *text)
{
    say_bytes(fd, text, strlen(text));
}

/* Reads from FD, turning the loop, until as many bytes as TEXT has are there, and asserts that they are TEXT.
 */
static inline void expect(int fd, const char *text)
{
    static char got[1 << 16];
    size_t length = strlen(text), used = 0;
    uint64_t until = clock_ms() + WAIT_MS;

    assert_true(length < sizeof(got));
    while (used < length && clock_ms() < until) {
        ssize_t count = recv(fd, got + used, length - used, MSG_DONTWAIT);
        if (count == 0)
            break;
        if (count > 0)
            used += (size_t) count;
        else
            turn();
    }
    got[used] = '\0';
    assert_string_equal(got, text);
}

/* Asserts that the other side has ended the connection, with nothing more to say; closes FD. */
static inline void expect_end(int fd)
{
    uint64_t until = clock_ms() + WAIT_MS;
    ssize_t count = -1;
    char byte;

    while ((count = recv(fd, &byte, 1, MSG_DONTWAIT)) < 0 && errno == EAGAIN && clock_ms() < until)
        turn();
    /* Reset, if it had not read all that we said. */
    assert_true(count == 0 || (count < 0 && errno == ECONNRESET));
    close(fd);
}

/* Asserts that nothing comes from FD, and that it is still connected. */
static inline void expect_silence(int fd)
{
    char byte;

    settle();
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

/* A control that listens at master.path. */
static inline int set_up_listening(void **state)
{
    int result = set_up(state);

    return result != 0 ? result : open_as(control_at(master.path));
}

/* The one client there is, as the control sees it. */
static inline struct control_client *only_client(void)
{
    assert_int_equal(clients(), 1);
    return &master.control->clients[0];
}

static inline void wait_until_clients_are(unsigned count)
{
    uint64_t until = clock_ms() + WAIT_MS;

    while (clients() != count && clock_ms() < until)
        turn();
    assert_int_equal(clients(), count);
}

#endif
