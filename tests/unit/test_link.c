/* The link: messages whole and in order, the end, and what a stranger may send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/link.h"

static int ends[2];

static int open_link(void **state)
{
    (void) state;
    return link_open(ends);
}

static void close_end(unsigned which)
{
    if (ends[which] >= 0)
        close(ends[which]);
    ends[which] = -1;
}

static int close_link(void **state)
{
    (void) state;
    close_end(0);
    close_end(1);
    return 0;
}

static void assert_message(int end, enum link_word word, uint32_t value, const char *text)
{
    struct link_message message;

    assert_int_equal(link_receive(end, &message), LINK_MESSAGE);
    assert_int_equal(message.word, word);
    assert_int_equal(message.value, value);
    assert_string_equal(message.text, text);
}

static void assert_receives(int end, enum link_result result)
{
    struct link_message message;

    assert_int_equal(link_receive(end, &message), result);
}

static void test_ends_do_not_block_nor_leak(void **state)
{
    (void) state;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(fcntl(ends[i], F_GETFD), FD_CLOEXEC);
        assert_int_not_equal(fcntl(ends[i], F_GETFL) & O_NONBLOCK, 0);
        assert_receives(ends[i], LINK_NOTHING);
    }
}

static void test_both_ways_in_order(void **state)
{
    (void) state;
    assert_int_equal(link_send(ends[1], LINK_READY, 0, NULL), 0);
    assert_int_equal(link_send(ends[1], LINK_FAILED, 7, "memory: none left"), 0);
    assert_int_equal(link_send(ends[0], LINK_DRAIN, UINT32_MAX, ""), 0);
    assert_message(ends[0], LINK_READY, 0, "");
    assert_message(ends[0], LINK_FAILED, 7, "memory: none left");
    assert_receives(ends[0], LINK_NOTHING);
    assert_message(ends[1], LINK_DRAIN, UINT32_MAX, "");
    assert_receives(ends[1], LINK_NOTHING);
}

static void test_long_text_is_cut(void **state)
{
    char text[2 * LINK_TEXT_MAX];

    (void) state;
    memset(text, 'x', sizeof(text));
    text[LINK_TEXT_MAX - 1] = '\0';
    assert_int_equal(link_send(ends[1], LINK_FAILED, 0, text), 0);
    assert_message(ends[0], LINK_FAILED, 0, text); /* the longest that is not cut */
    text[LINK_TEXT_MAX - 1] = 'x';
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(link_send(ends[1], LINK_FAILED, 0, text), 0);
    text[LINK_TEXT_MAX - 1] = '\0';
    assert_message(ends[0], LINK_FAILED, 0, text);
}

static void test_last_words_come_before_the_end(void **state)
{
    (void) state;
    link_send(ends[1], LINK_FAILED, 1, "why");
    close_end(1);
    assert_message(ends[0], LINK_FAILED, 1, "why");
    assert_receives(ends[0], LINK_END);
    assert_receives(ends[0], LINK_END); /* and it stays so */
}

/* Without a signal: SIGPIPE is at its default here. */
static void test_send_to_nobody(void **state)
{
    (void) state;
    close_end(1);
    assert_int_equal(link_send(ends[0], LINK_DRAIN, 0, NULL), -1);
    assert_int_equal(errno, EPIPE);
}

static void test_one_who_does_not_read_is_not_waited_for(void **state)
{
    unsigned sent = 0;

    (void) state;
    while (sent < 1000000 && link_send(ends[0], LINK_DRAIN, sent, NULL) == 0)
        sent++;
    assert_int_equal(errno, EAGAIN);
    assert_in_range(sent, 1, 999999);
    for (unsigned i = 0; i < sent; i++)
        assert_message(ends[1], LINK_DRAIN, i, "");
    assert_receives(ends[1], LINK_NOTHING);
}

static void test_other_sizes_are_the_end(void **state)
{
    static char bytes[2 * sizeof(struct link_message)];
    static const size_t sizes[] = {1, sizeof(struct link_message) - 1, sizeof(struct link_message) + 1,
                                   sizeof(bytes)};

    (void) state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_int_equal(send(ends[1], bytes, sizes[i], 0), sizes[i]);
        assert_receives(ends[0], LINK_END);
    }
}

static void test_text_without_end(void **state)
{
    struct link_message message = {.word = LINK_READY}, got;

    (void) state;
    memset(message.text, 'x', sizeof(message.text));
    assert_int_equal(send(ends[1], &message, sizeof(message), 0), sizeof(message));
    assert_int_equal(link_receive(ends[0], &got), LINK_MESSAGE);
    assert_int_equal(strnlen(got.text, sizeof(got.text)), LINK_TEXT_MAX - 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_link, close_link)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ends_do_not_block_nor_leak),
        TEST(test_both_ways_in_order),
        TEST(test_long_text_is_cut),
        TEST(test_last_words_come_before_the_end),
        TEST(test_send_to_nobody),
        TEST(test_one_who_does_not_read_is_not_waited_for),
        TEST(test_other_sizes_are_the_end),
        TEST(test_text_without_end),
    };

    return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
