/* New addresses that overlap with old ones of ours: both worlds have their sockets at the same time, and in
 * the end only one has, which nobody else can join. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/wait.h>

#include "listeners_help.h"
#include "seed.h"

static const struct kind {
    const char *protocol, *type;
    int number;
} kinds[] = {{"greeting", "stream", SOCK_STREAM}, {"hello", "datagram", SOCK_DGRAM}};

static const char *const addresses[] = {"*", "0.0.0.0", "127.0.0.1", "127.0.0.2", "::", "::1"};

enum {
    ADDRESSES = sizeof(addresses) / sizeof(addresses[0])
};

static int set_up(void **state)
{
    (void) state;
    log_set_level(LOG_LEVEL_ERROR);
    return 0;
}

static struct world *make(const struct world *before, const struct kind *kind, const char *address,
                          unsigned port, bool per_worker)
{
    return make_world(before,
                      "workers = 3; listen = ( { name = \"a\"; protocol = \"%s\"; type = \"%s\";"
                      " address = \"%s\"; port = %u; per_worker = %s; } );",
                      kind->protocol, kind->type, address, port, per_worker ? "true" : "false");
}

/* A socket of somebody else, who has our user and shares ports; -1 with errno when the port cannot be had. */
static int make_foreign(const struct kind *kind, const char *address, uint16_t port, bool sharing)
{
    struct sockaddr_storage where;
    socklen_t length = addr_parse(address, port, &where);
    int fd = socket(where.ss_family, kind->number | SOCK_CLOEXEC, 0), on = 1, share = sharing;

    assert_true(fd >= 0);
    if (where.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &share, sizeof(share));
    if (bind(fd, (const struct sockaddr *) &where, length) == 0 &&
        (kind->number == SOCK_DGRAM || listen(fd, 1) == 0))
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* The kernel lets in who may join one of those that are in the way. */
static bool any_shared(const struct held_list *held, int family)
{
    for (unsigned i = 0; i < held->count; i++)
        if (held->sockets[i].shared && held->sockets[i].address.ss_family == family)
            return true;
    return false;
}

/* Nobody may join the sockets of WORLD, but where they are several; of datagrams not even who is ready to
 * share. (Of a TCP port that was once shared the kernel remembers it, and lets in who asks for that with the
 * same user.) */
static void assert_closed_to_others(const struct world *world, const struct kind *kind)
{
    for (unsigned i = 0; i < world->listeners.held.count; i++) {
        const struct held *held = &world->listeners.held.sockets[i];
        char text[ADDR_TEXT_MAX];
        addr_text((const struct sockaddr *) &held->address, held->length, text);
        *strrchr(text, ':') = '\0';
        bool bracket = text[0] == '[';
        if (bracket)
            text[strlen(text) - 1] = '\0';
        if (any_shared(&world->listeners.held, held->address.ss_family))
            continue;
        assert_int_equal(make_foreign(kind, text + bracket, port_of(held->fd), kind->number == SOCK_DGRAM),
                         -1);
        assert_int_equal(errno, EADDRINUSE);
    }
}

static bool have_ipv6(void)
{
    int fd = make_foreign(&kinds[0], "::1", 0, false);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* A port that nobody has at any address: one that is free at a single address may be somebody's elsewhere. */
static uint16_t find_port(const struct kind *kind)
{
    for (;;) {
        int fd = make_foreign(kind, "0.0.0.0", 0, false);
        uint16_t port = port_of(fd);
        int other = have_ipv6() ? make_foreign(kind, "::", port, false) : fcntl(fd, F_DUPFD_CLOEXEC, 0);
        close(fd);
        if (other >= 0) {
            close(other);
            return port;
        }
    }
}

/* From FROM to TO and, if it comes to nothing, back. */
static void change(const struct kind *kind, const char *from, bool several, const char *to, bool several_then,
                   bool fails)
{
    uint16_t port = find_port(kind);
    struct world *old = make(NULL, kind, from, port, several);
    struct world *new = make(old, kind, to, port, several_then);

    assert_non_null(new);
    assert_sound(new);
    struct world *stays = fails ? old : new;
    end_world(fails ? new : old, stays);
    assert_sound(stays);
    assert_closed_to_others(stays, kind);
    end_world(stays, NULL);
}

static void test_all_changes_of_address(void **state)
{
    unsigned open = count_fds(), count = have_ipv6() ? ADDRESSES : 4;

    (void) state;
    for (size_t kind = 0; kind < 2; kind++)
        for (unsigned from = 0; from < count; from++)
            for (unsigned to = 0; to < count; to++)
                for (unsigned flags = 0; flags < 8; flags++) {
                    change(&kinds[kind], addresses[from], flags & 1, addresses[to], flags & 2, flags & 4);
                    assert_int_equal(count_fds(), open);
                }
}

/* Ours are made to share, but that does not let us in where somebody else is. */
static void test_somebody_else_is_in_the_way(void **state)
{
    (void) state;
    for (size_t i = 0; i < 2; i++) {
        uint16_t port = find_port(&kinds[i]);
        struct world *old = make(NULL, &kinds[i], "127.0.0.1", port, false);
        int other = make_foreign(&kinds[i], "127.0.0.2", port, false);
        assert_true(other >= 0);
        unsigned open = count_fds();
        assert_null(make(old, &kinds[i], "0.0.0.0", port, false));
        assert_non_null(strstr(log_last_error(), "Address already in use"));
        assert_int_equal(count_fds(), open);
        assert_sound(old);
        assert_closed_to_others(old, &kinds[i]);
        close(other);
        struct world *new = make(old, &kinds[i], "0.0.0.0", port, true);
        assert_non_null(new);
        end_world(old, new);
        end_world(new, NULL);
    }
}

/* Two listeners of one config are in each other's way as they are at a start. */
static void test_listeners_of_one_config_do_not_share(void **state)
{
    struct world *old = make(NULL, &kinds[0], "127.0.0.1", 0, false);
    unsigned port = port_of(fd_of(old, 0, 0));

    (void) state;
    static const char text[] =
        "listen = ( { name = \"a\"; protocol = \"greeting\"; address = \"127.0.0.1\"; port = %u; },"
        "{ name = \"b\"; protocol = \"greeting\"; address = \"%s\"; port = %u; } );";
    assert_null(make_world(old, text, port, "0.0.0.0", port));
    assert_null(make_world(old, text, port, "127.0.0.1", port));
    assert_sound(old);
    end_world(old, NULL);
}

/* What root has bound is not in the way when root has been given up. */
static void reload_as_nobody(void)
{
    static const char text[] = "user = \"nobody\"; listen = ( { name = \"a\"; protocol = \"greeting\";"
                               " address = \"%s\"; port = %u; } );";
    uint16_t port = find_port(&kinds[0]);
    struct world *old = make_world(NULL, text, "127.0.0.1", port);
    const struct passwd *nobody = getpwnam("nobody");

    if (nobody == NULL || setuid(nobody->pw_uid) < 0)
        exit(1);
    struct world *new = make_world(old, text, "0.0.0.0", port);
    if (new == NULL)
        exit(2);
    end_world(old, new);
    end_world(new, NULL);
    exit(0);
}

static void test_after_root_is_given_up(void **state)
{
    int status;

    (void) state;
    if (geteuid() != 0)
        skip();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        reload_as_nobody();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_changes_of_address),
        cmocka_unit_test(test_somebody_else_is_in_the_way),
        cmocka_unit_test(test_listeners_of_one_config_do_not_share),
        cmocka_unit_test(test_after_root_is_given_up),
    };

    return cmocka_run_group_tests_name("listeners beside others", tests, set_up, NULL);
}
