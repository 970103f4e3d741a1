/* From the command line to addresses: what is taken, what is refused and why, and the order of addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netdb.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/stat.h>

/* What the name service is made to say: the module's calls end up here. */
#define getaddrinfo  fake_getaddrinfo
#define freeaddrinfo fake_free
static int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list);
static void freeaddrinfo(struct addrinfo *list);

#include "client/target.c"

enum {
    PATIENCE_MS = 60000
}; /* with what answers at once, on a machine however busy */

static char why[TARGET_WHY_MAX];
static struct addrinfo *said;
static int said_error;
static bool is_slow;
static sem_t go_on; /* for a slow name service */

static int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list)
{
    bool waits = is_slow; /* the test that asked may be over when it goes on */

    (void) host;
    (void) service;
    (void) hints;
    if (waits)
        sem_wait(&go_on);
    *list = waits ? NULL : said;
    return waits ? EAI_AGAIN : said_error;
}

static void freeaddrinfo(struct addrinfo *list)
{
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;
        free(list->ai_addr);
        free(list);
        list = next;
    }
}

/* Has the name service say ADDRESS after what it says already. */
static void say(const char *address)
{
    struct addrinfo **end = &said, *entry = calloc(1, sizeof(*entry));
    struct sockaddr_storage *store = calloc(1, sizeof(*store));

    assert_non_null(entry);
    assert_non_null(store);
    entry->ai_addrlen = addr_parse(address, 0, store);
    entry->ai_addr = (struct sockaddr *) store;
    entry->ai_family = store->ss_family;
    while (*end != NULL)
        end = &(*end)->ai_next;
    *end = entry;
}

static enum target_result find(struct target *target, const char *host, const char *port, int family)
{
    const struct target_wish wish = {.host = host, .port = port, .family = family, .type = SOCK_STREAM};

    why[0] = '\0';
    return target_find(target, &wish, is_slow ? 50 : PATIENCE_MS, why);
}

/* Waits until none but the caller's thread is left: one that still ends at exit has not given its memory
 * back. */
static void outlive_threads(void)
{
    uint64_t until_ns = clock_ns() + PATIENCE_MS * UINT64_C(1000000);
    struct stat tasks;

    /* Each thread is a folder there, besides "." and "..". */
    while (stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink > 3) {
        assert_true(clock_ns() < until_ns);
        sched_yield();
    }
}

/* Asserts that HOST has the addresses TEXTS, in this order and no others. */
static void assert_addresses(const char *host, const char *const *texts)
{
    struct target target;
    char text[ADDR_TEXT_MAX];
    unsigned i = 0;

    assert_int_equal(find(&target, host, NULL, AF_UNSPEC), TARGET_OK);
    for (; texts[i] != NULL; i++) {
        assert_true(i < target.count);
        assert_string_equal(target_text(&target, i, text), texts[i]);
    }
    assert_int_equal(target.count, i);
}

static void assert_wrong(const char *host, const char *port, int family, const char *reason)
{
    struct target target;

    assert_int_equal(find(&target, host, port, family), TARGET_WRONG);
    assert_non_null(strstr(why, reason));
}

static int forget(void **state)
{
    (void) state;
    said = NULL;
    said_error = 0;
    is_slow = false;
    return 0;
}

static void numeric(void **state)
{
    struct target target;

    (void) state;
    assert_addresses("127.0.0.1", (const char *const[]){"127.0.0.1:3288", NULL});
    assert_addresses("::1", (const char *const[]){"[::1]:3288", NULL});
    assert_int_equal(find(&target, "::1", "65535", AF_INET6), TARGET_OK);
    assert_int_equal(target.port, 65535);
    assert_string_equal(target.name, "::1 port 65535");
}

static void no_host(void **state)
{
    struct target target;

    (void) state;
    say("127.0.0.1");
    assert_int_equal(find(&target, NULL, NULL, AF_UNSPEC), TARGET_OK);
    assert_string_equal(target.name, "localhost port 3288");
}

static void families_take_turns(void **state)
{
    (void) state;
    say("192.0.2.1");
    say("192.0.2.2");
    say("192.0.2.3");
    say("2001:db8::1");
    say("2001:db8::2");
    assert_addresses("a.example",
                     (const char *const[]){"[2001:db8::1]:3288", "192.0.2.1:3288", "[2001:db8::2]:3288",
                                           "192.0.2.2:3288", "192.0.2.3:3288", NULL});
}

static void the_same_twice(void **state)
{
    (void) state;
    say("127.0.0.1");
    say("127.0.0.1");
    assert_addresses("localhost", (const char *const[]){"127.0.0.1:3288", NULL});
}

static void too_many(void **state)
{
    struct target target;
    char text[32];

    (void) state;
    for (int i = 1; i < 40; i++) {
        snprintf(text, sizeof(text), "192.0.2.%d", i);
        say(text);
        snprintf(text, sizeof(text), "2001:db8::%d", i);
        say(text);
    }
    assert_int_equal(find(&target, "many.example", NULL, AF_UNSPEC), TARGET_OK);
    assert_int_equal(target.count, TARGET_ADDRESSES_MAX);
    assert_string_equal(target_text(&target, TARGET_ADDRESSES_MAX - 1, (char[ADDR_TEXT_MAX]){0}),
                        "192.0.2.8:3288");
}

static void unknown(void **state)
{
    struct target target;

    (void) state;
    said_error = EAI_NONAME;
    assert_int_equal(find(&target, "no\033[2Jsuch", NULL, AF_UNSPEC), TARGET_UNKNOWN);
    assert_non_null(strstr(why, "no\\x1b[2Jsuch: "));
}

static void nothing_found(void **state)
{
    struct target target;

    (void) state;
    assert_int_equal(find(&target, "empty.example", NULL, AF_UNSPEC), TARGET_UNKNOWN);
}

static void silent_name_service(void **state)
{
    struct target target;

    (void) state;
    is_slow = true;
    uint64_t begun_ns = clock_ns();
    assert_int_equal(find(&target, "slow.example", NULL, AF_UNSPEC), TARGET_TOO_LATE);
    assert_in_range(clock_ns() - begun_ns, 30000000, UINT64_MAX);
    assert_non_null(strstr(why, "slow.example: no answer from the name service"));
    sem_post(&go_on);
    outlive_threads();
}

static void paths(void **state)
{
    struct target target;
    char text[ADDR_TEXT_MAX];
    char longest[108] = "/", too_long[109] = "/";

    (void) state;
    assert_int_equal(find(&target, "/run/x", NULL, AF_UNSPEC), TARGET_OK);
    assert_int_equal(target.port, 0);
    assert_string_equal(target.name, "/run/x");
    assert_string_equal(target_text(&target, 0, text), "/run/x");
    assert_int_equal(find(&target, "@x", NULL, AF_UNSPEC), TARGET_OK);
    assert_int_equal(target.addresses[0].length, offsetof(struct sockaddr_un, sun_path) + 2);
    assert_string_equal(target_text(&target, 0, text), "@x");
    assert_int_equal(find(&target, "./a\nb", NULL, AF_UNSPEC), TARGET_OK);
    assert_string_equal(target.name, "./a\\x0ab");
    memset(longest + 1, 'x', 106);
    memset(too_long + 1, 'x', 107);
    assert_int_equal(find(&target, longest, NULL, AF_UNSPEC), TARGET_OK);
    assert_int_equal(target.addresses[0].length, sizeof(struct sockaddr_un));
    assert_wrong(too_long, NULL, AF_UNSPEC, "107 bytes");
    assert_wrong("/run/x", "3288", AF_UNSPEC, "neither a port");
    assert_wrong("/run/x", NULL, AF_INET, "-4 or -6");
}

static void wrong_words(void **state)
{
    static const char *const ports[] = {"0", "65536", "99999", "100000", "-1", "+1", "1x", "", " 1", "http"};
    char longest[257];

    (void) state;
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
        assert_wrong("localhost", ports[i], AF_UNSPEC, "1 to 65535");
    memset(longest, 'x', 256);
    longest[256] = '\0';
    assert_wrong("", NULL, AF_UNSPEC, "1 to 255 characters");
    assert_wrong(longest, NULL, AF_UNSPEC, "1 to 255 characters");
    assert_wrong("::1", NULL, AF_INET, "-4");
    assert_wrong("127.0.0.1", NULL, AF_INET6, "-6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(numeric, forget),
        cmocka_unit_test_setup(no_host, forget),
        cmocka_unit_test_setup(families_take_turns, forget),
        cmocka_unit_test_setup(the_same_twice, forget),
        cmocka_unit_test_setup(too_many, forget),
        cmocka_unit_test_setup(unknown, forget),
        cmocka_unit_test_setup(nothing_found, forget),
        cmocka_unit_test_setup(silent_name_service, forget),
        cmocka_unit_test_setup(paths, forget),
        cmocka_unit_test_setup(wrong_words, forget),
    };

    sem_init(&go_on, 0, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
