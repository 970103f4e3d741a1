/* Socket activation under environments that no service manager makes: whatever is passed, nothing crashes,
 * what is taken is sound, and what is refused is closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "activation_help.h"
#include "seed.h"

enum {
    ROUNDS = 100,
    SUPPLY = 10 /* descriptors to choose from */
};

static int supply[SUPPLY];

static int keep(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 100);

    assert_true(fd >= 0 && high >= 0);
    close(fd);
    return high;
}

/* A socket of TYPE at the abstract name of this process with LETTER; none can be found by another's name. */
static int local_socket(int type, char letter, bool listening)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type, 0);
    int length = snprintf(local.sun_path + 1, sizeof(local.sun_path) - 1, "hellod-random-%d-%c",
                          (int) getpid(), letter);

    assert_int_equal(bind(fd, (const struct sockaddr *) &local,
                          (socklen_t) offsetof(struct sockaddr_un, sun_path) + 1 + (socklen_t) length),
                     0);
    if (listening)
        assert_int_equal(listen(fd, 5), 0);
    return keep(fd);
}

/* Good ones first, then ever stranger ones. */
static int make_supply(void **state)
{
    int ends[2];

    (void) state;
    supply[0] = local_socket(SOCK_STREAM, 'a', true);
    supply[1] = local_socket(SOCK_DGRAM, 'b', false);
    supply[2] = local_socket(SOCK_SEQPACKET, 'c', true);
    supply[3] = local_socket(SOCK_STREAM, 'd', false);
    supply[4] = keep(socket(AF_INET, SOCK_STREAM, 0));
    supply[5] = keep(socket(AF_INET, SOCK_DGRAM, 0));
    supply[6] = keep(open("/dev/null", O_RDWR));
    supply[7] = keep(open("/", O_RDONLY | O_DIRECTORY));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    supply[8] = keep(ends[0]);
    close(ends[1]);
    supply[9] = -1;
    return 0;
}

static int close_supply(void **state)
{
    (void) state;
    for (unsigned i = 0; i < SUPPLY; i++)
        if (supply[i] >= 0)
            close(supply[i]);
    return 0;
}

/* Names as they should be, or bytes of the kinds that matter to a list of names. */
static const char *random_names(struct seed *seed, unsigned count, char *text, size_t room)
{
    static const char letters[] = "abcd::::\\\"' \xff\x01n";
    size_t length = 0;

    if (seed_below(seed, 4) == 0)
        return NULL;
    if (seed_below(seed, 2) == 0) {
        text[0] = '\0';
        for (unsigned i = 0; i < count; i++)
            length +=
                (size_t) sprintf(text + length, "%s%c", i == 0 ? "" : ":", "abcdx"[seed_below(seed, 5)]);
        return text;
    }
    for (size_t wanted = seed_below(seed, 5) == 0 ? room - 1 : seed_below(seed, 12); length < wanted;
         length++)
        text[length] = letters[seed_below(seed, sizeof(letters) - 1)];
    text[length] = '\0';
    return text;
}

static const char *random_number(struct seed *seed)
{
    static const char *const numbers[] = {
        "",    "0",  "-1", "1",  "2",          "3",          "8",           "9",
        "x",   "1 ", "+1", "01", "2147483647", "2147483648", "-2147483648", "99999999999999999999",
        "0x2", "2,3"};

    return seed_below(seed, 3) > 0 ? NULL : numbers[seed_below(seed, sizeof(numbers) / sizeof(numbers[0]))];
}

/* What was taken fits what was asked for, each once, and can be used. */
static void check_taken(const struct outcome *outcome)
{
    assert_in_range(outcome->result, 0, outcome->wanted_count);
    for (int i = 0; i < outcome->result; i++) {
        const struct matched *one = &outcome->matched[i];
        assert_in_range(one->fd, 3, 3 + OFFERED_MAX - 1);
        assert_true(outcome->tuned[one->fd - 3]);
        assert_in_range(one->wanted, 0, outcome->wanted_count - 1);
        assert_int_equal(outcome->met >> one->wanted & 1, 1);
        for (int j = 0; j < i; j++)
            assert_true(outcome->matched[j].wanted != one->wanted && outcome->matched[j].fd != one->fd);
    }
    assert_int_equal(__builtin_popcount(outcome->met), outcome->result);
    assert_string_equal(outcome->said, "");
}

static void check_refused(const struct offer *offer, const struct outcome *outcome)
{
    assert_int_equal(outcome->result, -1);
    assert_int_equal(strncmp(outcome->said, "<3>", 3), 0);
    /* When the environment cannot be understood nobody knows which descriptors it means. */
    if (strstr(outcome->said, "do not agree") != NULL)
        return;
    unsigned count = offer->listen_fds != NULL ? (unsigned) atoi(offer->listen_fds) : offer->count;
    for (unsigned i = 0; i < count && i < OFFERED_MAX; i++)
        assert_false(outcome->open[i]);
}

static void test_random_environments(void **state)
{
    struct seed seed = seed_start();
    unsigned taken = 0, refused = 0;
    char config[512], names[5000];

    (void) state;
    snprintf(config, sizeof(config),
             "listen = ( { name = \"a\"; protocol = \"p\"; path = \"@hellod-random-%1$d-a\"; },"
             "{ name = \"b\"; protocol = \"p\"; path = \"@hellod-random-%1$d-b\"; type = \"datagram\"; },"
             "{ name = \"c\"; protocol = \"p\"; path = \"@hellod-random-%1$d-c\"; type = \"seqpacket\"; },"
             "{ name = \"d\"; protocol = \"p\"; address = \"127.0.0.1\"; } );",
             (int) getpid());
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct offer offer = {.config = config, .count = 1 + (unsigned) seed_below(&seed, OFFERED_MAX)};
        unsigned variety = seed_below(&seed, 2) ? 3 : SUPPLY;
        if (variety == 3)
            offer.count = 1 + (unsigned) seed_below(&seed, 3);
        for (unsigned i = 0; i < offer.count; i++)
            offer.fds[i] = supply[(i + seed_below(&seed, variety)) % variety];
        offer.names = random_names(&seed, offer.count, names, sizeof(names));
        offer.listen_fds = random_number(&seed);
        offer.pid = seed_below(&seed, 4) > 0 ? NULL : random_number(&seed);
        const struct outcome *outcome = offer_to_child(&offer);
        assert_int_equal(outcome->status, 0);
        assert_false(outcome->environment_left);
        if (outcome->result >= 0)
            check_taken(outcome);
        else
            check_refused(&offer, outcome);
        taken += outcome->result > 0;
        refused += outcome->result < 0;
    }
    /* Else the dice are loaded. */
    assert_true(taken > 0 && refused > ROUNDS / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_environments),
    };

    return cmocka_run_group_tests_name("activation at random", tests, make_supply, close_supply);
}
