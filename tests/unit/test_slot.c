/* What the master makes of words that no worker says, unless somebody has taken it over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "master/slot.c"
#include "seed.h"

enum {
    PATIENCE = 1000 /* words, before a test ends what would go on for ever */
};

static int theirs; /* the worker's end of the link */
static unsigned heard;

static void say(uint32_t word, const char *text)
{
    link_send(theirs, (enum link_word) word, 0, text);
}

static void on_event(struct slot *slot)
{
    (void) slot;
    assert_in_range(heard++, 0, PATIENCE);
}

/* And there is always one more. */
static void on_failed(struct slot *slot, const char *reason)
{
    (void) reason;
    on_event(slot);
    say(LINK_FAILED, "again");
}

static struct slot talkative(enum slot_state state)
{
    static const struct slot_events events = {.ready = on_event, .failed = on_failed, .away = on_event};
    int ends[2];

    assert_int_equal(link_open(ends), 0);
    heard = 0;
    theirs = ends[1];
    return (struct slot){.events = &events, .state = state, .link = ends[0]};
}

static void finish(const struct slot *slot)
{
    close(slot->link);
    close(theirs);
}

static void test_who_never_ends_is_not_heard_out(void **state)
{
    struct slot slot = talkative(SLOT_READY);

    (void) state;
    say(LINK_FAILED, "once");
    on_link(NULL, slot.link, EPOLLIN, &slot);
    assert_in_range(heard, 1, PATIENCE / 2);
    finish(&slot);
}

/* A word counts where it belongs, and once. */
static void test_words_out_of_place(void **state)
{
    static const enum slot_state states[] = {SLOT_STARTING, SLOT_READY, SLOT_DRAINING, SLOT_AWAY};

    (void) state;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        struct slot slot = talkative(states[i]);
        for (unsigned j = 0; j < 3; j++) {
            say(LINK_READY, "");
            say(LINK_AWAY, "");
        }
        on_link(NULL, slot.link, EPOLLIN, &slot);
        assert_int_equal(heard, states[i] == SLOT_STARTING || states[i] == SLOT_DRAINING);
        finish(&slot);
    }
}

static void test_random_words(void **state)
{
    struct seed seed = seed_start();
    struct slot slot = talkative(SLOT_READY);

    (void) state;
    for (unsigned i = 0; i < 2000; i++) {
        struct link_message message = {.word = seed_next(&seed) | 0x100, .value = seed_next(&seed)};
        for (size_t at = 0; at < sizeof(message.text); at++)
            message.text[at] = (char) seed_next(&seed);
        size_t size = seed_below(&seed, 4) == 0 ? seed_below(&seed, sizeof(message)) : sizeof(message);
        assert_int_equal(send(theirs, &message, size, 0), size);
        on_link(NULL, slot.link, EPOLLIN, &slot);
    }
    assert_int_equal(slot.state, SLOT_READY);
    assert_int_equal(heard, 0);
    finish(&slot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_never_ends_is_not_heard_out),
        cmocka_unit_test(test_words_out_of_place),
        cmocka_unit_test(test_random_words),
    };

    return cmocka_run_group_tests_name("slot", tests, NULL, NULL);
}
