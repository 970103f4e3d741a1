/* Questions to a target of several addresses: which is asked when, and what its silence or refusal means.
 * Servers are threads on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#include "client/asking.c"

enum {
    LONG_MS = 20000 /* never waited for */
};

/* A UDP port on loopback. It answers with what it is asked, unless it is silent. */
struct place {
    int fd;
    pthread_t thread;
    bool is_silent;
    atomic_uint asked;
    atomic_uint missed; /* that many more will get lost */
    struct target_address address;
};

static unsigned repeats;

static void *serve(void *argument)
{
    struct place *place = argument;
    struct sockaddr_in from;
    char data[16];

    for (;;) {
        socklen_t length = sizeof(from);
        ssize_t bytes = recvfrom(place->fd, data, sizeof(data), 0, (struct sockaddr *) &from, &length);
        if (bytes <= 0)
            return NULL;
        atomic_fetch_add(&place->asked, 1);
        if (atomic_load(&place->missed) > 0)
            atomic_fetch_sub(&place->missed, 1);
        else if (!place->is_silent)
            (void) sendto(place->fd, data, (size_t) bytes, 0, (struct sockaddr *) &from, length);
    }
}

static void place_open(struct place *place, bool is_silent)
{
    struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(loopback);

    place->fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(place->fd, (struct sockaddr *) &loopback, length), 0);
    assert_int_equal(getsockname(place->fd, (struct sockaddr *) &loopback, &length), 0);
    place->is_silent = is_silent;
    atomic_init(&place->asked, 0);
    atomic_init(&place->missed, 0);
    memcpy(&place->address.store, &loopback, sizeof(loopback));
    place->address.length = length;
    assert_int_equal(pthread_create(&place->thread, NULL, serve, place), 0);
}

/* From now on nobody is there. */
static void place_close(struct place *place)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    /* An empty datagram ends the thread. */
    assert_int_equal(sendto(fd, "", 0, 0, &place->address.any, place->address.length), 0);
    pthread_join(place->thread, NULL);
    close(fd);
    close(place->fd);
}

static void on_repeat(void *owner, unsigned since_ms)
{
    assert_ptr_equal(owner, &repeats);
    assert_true(since_ms < LONG_MS);
    repeats++;
}

static struct target target_of(const struct place *first, const struct place *second)
{
    repeats = 0;
    return (struct target){
        .type = SOCK_DGRAM, .port = 1, .count = 2, .addresses = {first->address, second->address}};
}

static enum heard_kind ask(struct asking *asking, const char *name, unsigned wait_ms)
{
    struct heard heard = {.words = NULL};
    enum heard_kind kind = asking_ask(asking, name, strlen(name), clock_ms() + wait_ms, &heard);

    if (kind == HEARD_WORDS)
        assert_string_equal(heard.words, name);
    return kind;
}

static void the_first_that_answers_is_kept(void **state)
{
    struct place silent, friendly;
    struct asking asking;

    (void) state;
    place_open(&silent, true);
    place_open(&friendly, false);
    const struct target target = target_of(&silent, &friendly);
    assert_int_equal(asking_open(&asking, &target, on_repeat, &repeats), 0);
    assert_int_equal(ask(&asking, "Ada", LONG_MS), HEARD_WORDS);
    assert_int_equal(asking.current, 1);
    assert_int_equal(repeats, 0); /* another address is no repetition */
    assert_int_equal(atomic_load(&silent.asked), 1);
    atomic_store(&friendly.missed, 1);
    assert_int_equal(ask(&asking, "Bob", LONG_MS), HEARD_WORDS);
    assert_int_equal(repeats, 1);
    assert_int_equal(atomic_load(&silent.asked), 1);
    asking_close(&asking);
    place_close(&silent);
    place_close(&friendly);
}

static void a_refusal_costs_no_time(void **state)
{
    struct place gone, friendly;
    struct asking asking;

    (void) state;
    place_open(&gone, true);
    place_open(&friendly, false);
    const struct target target = target_of(&gone, &friendly);
    place_close(&gone);
    assert_int_equal(asking_open(&asking, &target, on_repeat, &repeats), 0);
    assert_int_equal(ask(&asking, "Ada", LONG_MS), HEARD_WORDS);
    assert_int_equal(asking.tries, 2);
    assert_int_equal(asking.trouble.errors[0], ECONNREFUSED);
    asking_close(&asking);
    place_close(&friendly);
}

static void nobody(void **state)
{
    struct place first, second;
    struct asking asking;

    (void) state;
    place_open(&first, true);
    place_open(&second, true);
    const struct target target = target_of(&first, &second);
    place_close(&first);
    place_close(&second);
    assert_int_equal(asking_open(&asking, &target, on_repeat, &repeats), 0);
    assert_int_equal(ask(&asking, "Ada", LONG_MS), HEARD_NOBODY);
    assert_int_equal(asking.trouble.errors[0], ECONNREFUSED);
    assert_int_equal(asking.trouble.errors[1], ECONNREFUSED);
    assert_int_equal(ask(&asking, "Ada", LONG_MS), HEARD_NOBODY); /* and again */
    asking_close(&asking);
}

static void one_that_goes_is_left(void **state)
{
    struct place first, second;
    struct asking asking;

    (void) state;
    place_open(&first, false);
    place_open(&second, false);
    const struct target target = target_of(&first, &second);
    assert_int_equal(asking_open(&asking, &target, on_repeat, &repeats), 0);
    assert_int_equal(ask(&asking, "Ada", LONG_MS), HEARD_WORDS);
    assert_int_equal(asking.current, 0);
    place_close(&first);
    assert_int_equal(ask(&asking, "Bob", LONG_MS), HEARD_WORDS);
    assert_int_equal(asking.current, 1);
    asking_close(&asking);
    place_close(&second);
}

static void silence(void **state)
{
    struct place first, second;
    struct asking asking;

    (void) state;
    place_open(&first, true);
    place_open(&second, true);
    const struct target target = target_of(&first, &second);
    assert_int_equal(asking_open(&asking, &target, on_repeat, &repeats), 0);
    assert_int_equal(ask(&asking, "Ada", 600), HEARD_NOTHING);
    assert_int_equal(asking.tries, 2);
    assert_int_equal(repeats, 0);
    asking_close(&asking);
    place_close(&first);
    place_close(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_that_answers_is_kept),
        cmocka_unit_test(a_refusal_costs_no_time),
        cmocka_unit_test(nobody),
        cmocka_unit_test(one_that_goes_is_left),
        cmocka_unit_test(silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
