/* Framing: every edge of a message by hand, then any lines in any pieces against the same lines in one piece.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/framing.h"
#include "protocol/protocol.h"
#include "seed.h"

enum {
    SIZE = 8 /* message_size in the tests by hand */
};

/* One call with the bytes of a literal; FRAMING and MESSAGE are the test's. */
#define frame(literal, end) framing_next(&framing, literal, sizeof(literal) - 1, end, SIZE, &message)

static void assert_message(const struct message *message, const char *expected, size_t length,
                           size_t consumed, enum line_ending ending)
{
    assert_int_equal(message->length, length);
    assert_memory_equal(message->data, expected, length);
    assert_int_equal(message->consumed, consumed);
    assert_int_equal(message->ending, ending);
}

static void test_a_line_and_its_ending(void **state)
{
    struct framing framing = {FRAMING_LINE, ENDING_NONE};
    struct message message;

    (void) state;
    assert_int_equal(frame("Bob\nAlice\r\n", false), FRAMING_MESSAGE);
    assert_message(&message, "Bob", 3, 4, ENDING_LF);
    assert_int_equal(framing.ending, ENDING_LF);
    assert_int_equal(frame("Alice\r\n", false), FRAMING_MESSAGE);
    assert_message(&message, "Alice", 5, 7, ENDING_CRLF);
    assert_int_equal(framing.ending, ENDING_CRLF);
    assert_int_equal(frame("a\0b\n", false), FRAMING_MESSAGE);
    assert_message(&message, "a\0b", 3, 4, ENDING_LF);
}

static void test_only_one_cr_belongs_to_the_ending(void **state)
{
    struct framing framing = {FRAMING_LINE, ENDING_NONE};
    struct message message;

    (void) state;
    assert_int_equal(frame("a\r\r\n", false), FRAMING_MESSAGE);
    assert_message(&message, "a\r", 2, 4, ENDING_CRLF);
    assert_int_equal(frame("a\rb\n", false), FRAMING_MESSAGE);
    assert_message(&message, "a\rb", 3, 4, ENDING_LF);
}

static void test_an_empty_line_is_a_message(void **state)
{
    struct framing framing = {FRAMING_LINE, ENDING_NONE};
    struct message message;

    (void) state;
    assert_int_equal(frame("\n\n", false), FRAMING_MESSAGE);
    assert_message(&message, "", 0, 1, ENDING_LF);
    assert_int_equal(frame("\r\n", true), FRAMING_MESSAGE);
    assert_message(&message, "", 0, 2, ENDING_CRLF);
}

static void test_an_unfinished_line_waits(void **state)
{
    struct framing framing = {FRAMING_LINE, ENDING_NONE};
    struct message message;

    (void) state;
    assert_int_equal(frame("", false), FRAMING_MORE);
    assert_int_equal(frame("B", false), FRAMING_MORE);
    assert_int_equal(frame("Bob\r", false), FRAMING_MORE);
    assert_int_equal(frame("12345678", false), FRAMING_MORE);
    assert_int_equal(frame("12345678\r", false), FRAMING_MORE);
    assert_int_equal(framing.ending, ENDING_NONE);
}

static void test_the_longest_line(void **state)
{
    struct framing framing = {FRAMING_LINE, ENDING_NONE};
    struct message message;

    (void) state;
    assert_int_equal(frame("12345678\n", false), FRAMING_MESSAGE);
    assert_message(&message, "12345678", 8, 9, ENDING_LF);
    assert_int_equal(frame("12345678\r\n", false), FRAMING_MESSAGE);
    assert_message(&message, "12345678", 8, 10, ENDING_CRLF);
    assert_int_equal(frame("1234567\r\r\n", false), FRAMING_MESSAGE);
    assert_message(&message, "1234567\r", 8, 10, ENDING_CRLF);
}

static void test_too_long_as_soon_as_it_is_certain(void **state)
{
    struct framing framing = {FRAMING_LINE, ENDING_NONE};
    struct message message;

    (void) state;
    assert_int_equal(frame("123456789", false), FRAMING_TOO_LONG);
    assert_message(&message, "123456789", 9, 9, ENDING_LF);
    assert_int_equal(frame("12345678\rx", false), FRAMING_TOO_LONG);
    assert_int_equal(frame("12345678\r\r", false), FRAMING_TOO_LONG);
    assert_int_equal(frame("123456789\n", false), FRAMING_TOO_LONG);
    assert_int_equal(frame("123456789\r\n", false), FRAMING_TOO_LONG);
    assert_int_equal(frame("12345678\r\r\n", false), FRAMING_TOO_LONG);
    assert_int_equal(frame("1234567890123456789012345678901234567890\nBob\n", false), FRAMING_TOO_LONG);
}

static void test_how_the_sentence_about_it_ends(void **state)
{
    struct framing framing = {FRAMING_LINE, ENDING_NONE};
    struct message message;

    (void) state;
    assert_int_equal(frame("123456789", false), FRAMING_TOO_LONG);
    assert_int_equal(message.ending, ENDING_LF); /* nothing is known of the client */
    framing.ending = ENDING_CRLF;
    assert_int_equal(frame("123456789", false), FRAMING_TOO_LONG);
    assert_int_equal(message.ending, ENDING_CRLF); /* what it used last */
    assert_int_equal(frame("123456789 and more\nBob\r\n", false), FRAMING_TOO_LONG);
    assert_int_equal(message.ending, ENDING_LF); /* what it uses now */
    framing.ending = ENDING_NONE;
    assert_int_equal(frame("123456789 and more\r\nBob\n", false), FRAMING_TOO_LONG);
    assert_int_equal(message.ending, ENDING_CRLF);
}

static void test_end_of_file_ends_a_line(void **state)
{
    struct framing framing = {FRAMING_LINE, ENDING_CRLF};
    struct message message;

    (void) state;
    assert_int_equal(frame("Bob", true), FRAMING_MESSAGE);
    assert_message(&message, "Bob", 3, 3, ENDING_NONE);
    assert_int_equal(frame("Bob\r", true), FRAMING_MESSAGE);
    assert_message(&message, "Bob\r", 4, 4, ENDING_NONE); /* no LF follows, so it is a byte like any other */
    assert_int_equal(frame("12345678", true), FRAMING_MESSAGE);
    assert_message(&message, "12345678", 8, 8, ENDING_NONE);
    assert_int_equal(frame("12345678\r", true), FRAMING_TOO_LONG);
    assert_int_equal(message.ending, ENDING_CRLF);
    assert_int_equal(frame("Bob\nAl", true), FRAMING_MESSAGE);
    assert_message(&message, "Bob", 3, 4, ENDING_LF);
    assert_int_equal(frame("", true), FRAMING_MORE);
}

static void test_chunks(void **state)
{
    struct framing framing = {FRAMING_CHUNK, ENDING_NONE};
    struct message message;

    (void) state;
    assert_int_equal(frame("Bob\n", false), FRAMING_MESSAGE);
    assert_message(&message, "Bob\n", 4, 4, ENDING_NONE);
    assert_int_equal(frame("\n", true), FRAMING_MESSAGE);
    assert_message(&message, "\n", 1, 1, ENDING_NONE);
    assert_int_equal(frame("12345678", false), FRAMING_MESSAGE);
    assert_message(&message, "12345678", 8, 8, ENDING_NONE);
    assert_int_equal(frame("123456789", false), FRAMING_MESSAGE);
    assert_message(&message, "12345678", 8, 8, ENDING_NONE);
    assert_int_equal(frame("", false), FRAMING_MORE);
    assert_int_equal(frame("", true), FRAMING_MORE);
    assert_int_equal(framing.mode, FRAMING_CHUNK);
}

static void test_auto_becomes_line_at_the_first_newline(void **state)
{
    struct framing framing = {FRAMING_AUTO, ENDING_NONE};
    struct message message;

    (void) state;
    assert_int_equal(frame("123456789", false), FRAMING_MESSAGE);
    assert_message(&message, "12345678", 8, 8, ENDING_NONE);
    assert_int_equal(frame("9\r", false), FRAMING_MESSAGE);
    assert_message(&message, "9\r", 2, 2, ENDING_NONE);
    assert_int_equal(frame("", true), FRAMING_MORE);
    assert_int_equal(framing.mode, FRAMING_AUTO);
    assert_int_equal(frame("Bob\r\nAl", false), FRAMING_MESSAGE); /* that chunk included */
    assert_message(&message, "Bob", 3, 5, ENDING_CRLF);
    assert_int_equal(framing.mode, FRAMING_LINE);
    assert_int_equal(frame("Al", false), FRAMING_MORE);
    assert_int_equal(frame("Al", true), FRAMING_MESSAGE);
    assert_message(&message, "Al", 2, 2, ENDING_NONE);
}

static void test_auto_with_a_first_line_too_long(void **state)
{
    struct framing framing = {FRAMING_AUTO, ENDING_NONE};
    struct message message;

    (void) state;
    assert_int_equal(frame("123456789\r\n", false), FRAMING_TOO_LONG);
    assert_int_equal(message.ending, ENDING_CRLF);
}

static void test_packets(void **state)
{
    struct framing framing = {FRAMING_PACKET, ENDING_NONE};
    struct message message;

    (void) state;
    assert_int_equal(frame("a\nb\r\n", false), FRAMING_MESSAGE);
    assert_message(&message, "a\nb\r\n", 5, 5, ENDING_NONE);
    assert_int_equal(frame("12345678", true), FRAMING_MESSAGE);
    assert_message(&message, "12345678", 8, 8, ENDING_NONE);
    assert_int_equal(frame("123456789", false), FRAMING_TOO_LONG);
    assert_int_equal(message.ending, ENDING_NONE);
    assert_int_equal(frame("", false), FRAMING_MORE);
}

static void test_line_endings_as_bytes(void **state)
{
    char out[2];

    (void) state;
    assert_int_equal(framing_end(ENDING_NONE, out), 0);
    assert_int_equal(framing_end(ENDING_LF, out), 1);
    assert_memory_equal(out, "\n", 1);
    assert_int_equal(framing_end(ENDING_CRLF, out), 2);
    assert_memory_equal(out, "\r\n", 2);
}

enum {
    NAME_MAX_BYTES = 24, /* message_size in the tests by chance */
    INPUT_MAX = 4096,
    OUTPUT_MAX = INPUT_MAX * 24 /* each of its bytes may be an empty line */
};

/* A connection as a server would serve it: bytes come in pieces, what is unfinished is kept. */
struct connection {
    struct framing framing;
    char kept[INPUT_MAX];
    size_t kept_length;
    char out[OUTPUT_MAX];
    size_t out_length;
    bool over; /* the farewell, or a line too long */
    bool too_long;
};

static void answer(struct connection *connection, const struct message *message)
{
    size_t written;

    assert_true(message->length <= NAME_MAX_BYTES);
    assert_true(message->consumed > 0);
    connection->over =
        protocol_greeting.message(protocol_greeting.defaults, message->data, message->length,
                                  connection->out + connection->out_length, &written) == NEXT_CLOSE;
    connection->out_length += written;
    if (!connection->over)
        connection->out_length += framing_end(message->ending, connection->out + connection->out_length);
}

static void receive(struct connection *connection, const char *piece, size_t length, bool end)
{
    struct message message;
    enum framing_result result = FRAMING_MESSAGE;
    size_t done = 0;

    memcpy(connection->kept + connection->kept_length, piece, length);
    connection->kept_length += length;
    while (!connection->over) {
        result = framing_next(&connection->framing, connection->kept + done, connection->kept_length - done,
                              end, NAME_MAX_BYTES, &message);
        if (result != FRAMING_MESSAGE)
            break;
        assert_ptr_equal(message.data, connection->kept + done);
        done += message.consumed;
        assert_true(done <= connection->kept_length);
        answer(connection, &message);
    }
    connection->kept_length -= done;
    memmove(connection->kept, connection->kept + done, connection->kept_length);
    if (result == FRAMING_MORE)
        assert_true(connection->kept_length <= NAME_MAX_BYTES + 1);
    if (result == FRAMING_TOO_LONG)
        connection->over = connection->too_long = true;
}

/* Lines of all sorts: empty, farewells (rarely), full size, CRs in odd places, now and then too long. */
static size_t random_lines(struct seed *seed, char *out, bool with_too_long)
{
    static const char bytes[] = "abcdefgh \r\xC3\xBC";
    size_t lines = seed_below(seed, 60), at = 0;

    for (size_t line = 0; line <= lines; line++) {
        size_t length = seed_below(seed, 4) == 0 ? NAME_MAX_BYTES : seed_below(seed, NAME_MAX_BYTES);
        if (with_too_long && seed_below(seed, 30) == 0)
            length = NAME_MAX_BYTES + 1 + seed_below(seed, 40);
        for (size_t i = 0; i < length; i++)
            out[at++] = bytes[seed_below(seed, sizeof bytes - 1)];
        if (seed_below(seed, 100) == 0) {
            memcpy(out + at - length, "disconnect", length < 10 ? length : 10);
            at = at - length + (length < 10 ? length : 10);
        }
        if (line == lines && seed_below(seed, 2) == 0)
            break; /* an unfinished last line */
        if (seed_below(seed, 2) == 0)
            out[at++] = '\r';
        out[at++] = '\n';
    }
    return at;
}

static void receive_in_pieces(struct seed *seed, struct connection *connection, const char *input,
                              size_t length)
{
    size_t most = 1 + seed_below(seed, seed_below(seed, 2) == 0 ? 4 : 200);

    for (size_t done = 0; done < length && !connection->over;) {
        size_t piece = 1 + seed_below(seed, most);
        piece = piece < length - done ? piece : length - done;
        receive(connection, input + done, piece, false);
        done += piece;
    }
    receive(connection, "", 0, true);
}

static void test_any_lines_in_any_pieces(void **state)
{
    static struct connection whole, split;
    static char input[INPUT_MAX];
    struct seed seed = seed_start();

    (void) state;
    for (int round = 0; round < 3000; round++) {
        bool with_too_long = round % 2 == 1;
        size_t length = random_lines(&seed, input, with_too_long);
        whole.framing = split.framing = (struct framing){FRAMING_LINE, ENDING_NONE};
        whole.kept_length = split.kept_length = whole.out_length = split.out_length = 0;
        whole.over = split.over = whole.too_long = split.too_long = false;
        receive(&whole, input, length, false);
        receive(&whole, "", 0, true);
        receive_in_pieces(&seed, &split, input, length);
        assert_int_equal(whole.out_length, split.out_length);
        assert_memory_equal(whole.out, split.out, whole.out_length);
        assert_int_equal(whole.over, split.over);
        assert_int_equal(whole.too_long, split.too_long);
        assert_true(with_too_long || !whole.too_long);
    }
}

/* Any bytes in any mode: the loop over the messages ends, nothing is lost or taken twice. */
static void test_any_bytes_in_any_mode(void **state)
{
    static const char bytes[] = "ab\r\n\n";
    struct seed seed = seed_start();
    char input[200];

    (void) state;
    for (int round = 0; round < 20000; round++) {
        struct framing framing = {(uint8_t) seed_below(&seed, 4), ENDING_NONE};
        size_t length = seed_below(&seed, sizeof input), done = 0, size = 1 + seed_below(&seed, 40);
        bool end = seed_below(&seed, 2) == 0;
        enum framing_result result;
        struct message message;
        for (size_t i = 0; i < length; i++)
            input[i] = bytes[seed_below(&seed, sizeof bytes - 1)];
        while ((result = framing_next(&framing, input + done, length - done, end, size, &message)) ==
               FRAMING_MESSAGE) {
            assert_true(message.consumed > 0 && message.consumed <= length - done);
            assert_true(message.length <= size && message.length <= message.consumed);
            assert_ptr_equal(message.data, input + done);
            done += message.consumed;
        }
        if (result == FRAMING_MORE)
            assert_true(end || framing.mode != FRAMING_LINE ? done == length : length - done <= size + 1);
        else
            assert_true(message.length > size && message.length <= length - done);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_and_its_ending),
        cmocka_unit_test(test_only_one_cr_belongs_to_the_ending),
        cmocka_unit_test(test_an_empty_line_is_a_message),
        cmocka_unit_test(test_an_unfinished_line_waits),
        cmocka_unit_test(test_the_longest_line),
        cmocka_unit_test(test_too_long_as_soon_as_it_is_certain),
        cmocka_unit_test(test_how_the_sentence_about_it_ends),
        cmocka_unit_test(test_end_of_file_ends_a_line),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_auto_becomes_line_at_the_first_newline),
        cmocka_unit_test(test_auto_with_a_first_line_too_long),
        cmocka_unit_test(test_packets),
        cmocka_unit_test(test_line_endings_as_bytes),
        cmocka_unit_test(test_any_lines_in_any_pieces),
        cmocka_unit_test(test_any_bytes_in_any_mode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
