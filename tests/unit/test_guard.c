/* The datagram guard: each rule on and off with its edges, and what must hold of every datagram: no answer
 * that is longer than the words around it, and no two servers that keep each other busy (CVE-2024-2169). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "seed.h"
#include "worker/guard.h"

enum {
    MESSAGE_SIZE = 1024,
    LOOPBACK = 1, /* interface indices */
    OUTSIDE = 2,
    EVERY_RULE = (1 << GUARD_RULES) - 1
};

static const uint16_t own_ports[] = {3288, 5000};
static const struct texts own_words = {{"", 0}, {"Hi ", 3}, {" :-)", 4}, {"", 0}};

static struct guard guard_with(uint32_t rules)
{
    return (struct guard){.rules = rules,
                          .message_size = MESSAGE_SIZE,
                          .active = &own_words,
                          .builtin = protocol_hello.defaults,
                          .own_ports = own_ports,
                          .own_port_count = sizeof own_ports / sizeof own_ports[0],
                          .loopback_index = LOOPBACK};
}

/* An address of a test; one at a time each for source and destination is enough. */
struct place {
    struct sockaddr_storage storage;
    socklen_t length;
};

static const struct sockaddr *place_set(struct place *place, const char *text, uint16_t port)
{
    struct sockaddr_in *in = (struct sockaddr_in *) &place->storage;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) &place->storage;

    memset(place, 0, sizeof *place);
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        place->length = sizeof *in;
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        place->length = sizeof *in6;
    }
    return (const struct sockaddr *) &place->storage;
}

static struct place source_place, destination_place;

static struct datagram from(const char *address, uint16_t port, const char *data, size_t length)
{
    const struct sockaddr *source = place_set(&source_place, address, port);

    return (struct datagram){.data = data,
                             .length = length,
                             .source = source,
                             .source_length = source_place.length,
                             .destination = place_set(&destination_place, "192.0.2.1", 3288),
                             .destination_is_local = true,
                             .interface = OUTSIDE};
}

#define from_somebody(literal) from("198.51.100.7", 40000, literal, sizeof(literal) - 1)

static enum guard_rule ask(uint32_t rules, const struct datagram *datagram)
{
    struct guard guard = guard_with(rules);
    struct span message;

    return guard_check(&guard, datagram, &message);
}

/* DATAGRAM breaks RULE and no other, and RULE can be switched off. */
static void assert_breaks(const struct datagram *datagram, enum guard_rule rule)
{
    assert_int_equal(ask(EVERY_RULE, datagram), rule);
    assert_int_equal(ask(1U << rule, datagram), rule);
    assert_int_equal(ask(EVERY_RULE & ~(1U << rule), datagram), GUARD_PASS);
    assert_int_equal(ask(0, datagram), GUARD_PASS);
}

static void assert_passes(const struct datagram *datagram)
{
    assert_int_equal(ask(EVERY_RULE, datagram), GUARD_PASS);
    assert_int_equal(ask(0, datagram), GUARD_PASS);
}

static void assert_answered(uint32_t rules, const char *data, size_t length, const char *expected,
                            size_t expected_length)
{
    struct datagram datagram = from("198.51.100.7", 40000, data, length);
    struct guard guard = guard_with(rules);
    struct span message = {NULL, 0};

    assert_int_equal(guard_check(&guard, &datagram, &message), GUARD_PASS);
    assert_ptr_equal(message.data, data);
    assert_int_equal(message.length, expected_length);
    assert_memory_equal(message.data, expected, expected_length);
}

static void test_oversize_cannot_be_switched_off(void **state)
{
    static char data[MESSAGE_SIZE + 1];
    struct datagram datagram;

    (void) state;
    memset(data, 'x', sizeof data);
    datagram = from("198.51.100.7", 40000, data, MESSAGE_SIZE);
    assert_passes(&datagram);
    datagram.truncated = true;
    assert_int_equal(ask(0, &datagram), GUARD_OVERSIZE);
    datagram = from("198.51.100.7", 40000, data, MESSAGE_SIZE + 1);
    assert_int_equal(ask(0, &datagram), GUARD_OVERSIZE);
    assert_int_equal(ask(EVERY_RULE, &datagram), GUARD_OVERSIZE);
    data[MESSAGE_SIZE] = '\n'; /* a line ending counts: it takes room like any byte */
    assert_int_equal(ask(EVERY_RULE, &datagram), GUARD_OVERSIZE);
}

static void test_empty(void **state)
{
    struct datagram datagram = from_somebody("");

    (void) state;
    assert_breaks(&datagram, GUARD_EMPTY);
    datagram = from_somebody("\n");
    assert_int_equal(ask(EVERY_RULE, &datagram), GUARD_EMPTY);
    datagram = from_somebody("\r\n");
    assert_int_equal(ask(EVERY_RULE, &datagram), GUARD_EMPTY);
    assert_answered(EVERY_RULE & ~(1U << GUARD_EMPTY), "\r\n", 2, "", 0);
    assert_answered(EVERY_RULE & ~(1U << GUARD_TEXT), "\n", 1, "\n", 1);
    datagram = from_somebody(" ");
    assert_passes(&datagram);
}

static void test_port(void **state)
{
    static const uint16_t bad[] = {0, 1, 7, 19, 53, 1023, 3288, 5000};
    static const uint16_t good[] = {1024, 3287, 3289, 40000, 65535};
    static const char *const addresses[] = {"198.51.100.7", "2001:db8::7", "::ffff:198.51.100.7"};

    (void) state;
    for (size_t a = 0; a < 3; a++) {
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            struct datagram datagram = from(addresses[a], bad[i], "Bob", 3);
            assert_breaks(&datagram, GUARD_PORT);
        }
        for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
            struct datagram datagram = from(addresses[a], good[i], "Bob", 3);
            assert_passes(&datagram);
        }
    }
}

static void test_source(void **state)
{
    static const char *const bad[] = {"0.0.0.0",
                                      "0.1.2.3",
                                      "0.255.255.255",
                                      "127.0.0.1",
                                      "127.255.255.255",
                                      "224.0.0.1",
                                      "239.255.255.255",
                                      "255.255.255.255",
                                      "::",
                                      "::1",
                                      "ff02::1",
                                      "ff0e::7",
                                      "::ffff:127.0.0.1",
                                      "::ffff:0.0.0.0",
                                      "::ffff:224.0.0.1",
                                      "::ffff:255.255.255.255"};
    static const char *const good[] = {"1.0.0.0",   "126.255.255.255", "128.0.0.1",        "223.255.255.255",
                                       "240.0.0.1", "255.255.255.254", "2001:db8::1",      "fe80::1",
                                       "::2",       "feff::1",         "::ffff:192.0.2.1", "fd00::1",
                                       "10.0.0.255"};

    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct datagram datagram = from(bad[i], 40000, "Bob", 3);
        assert_breaks(&datagram, GUARD_SOURCE);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct datagram datagram = from(good[i], 40000, "Bob", 3);
        assert_passes(&datagram);
    }
}

static void test_loopback_is_good_on_loopback(void **state)
{
    static const char *const addresses[] = {"127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"};

    (void) state;
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct datagram datagram = from(addresses[i], 40000, "Bob", 3);
        datagram.interface = LOOPBACK;
        assert_passes(&datagram);
        datagram.interface = 0; /* not known */
        assert_passes(&datagram);
    }
}

static void test_unix_sources(void **state)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX, .sun_path = "/run/client"};
    struct datagram datagram = from_somebody("Bob");

    (void) state;
    datagram.destination = NULL;
    datagram.interface = 0;
    datagram.source = (const struct sockaddr *) &sun;
    datagram.source_length = sizeof sun;
    assert_passes(&datagram);
    sun.sun_path[0] = '\0'; /* abstract */
    datagram.source_length = offsetof(struct sockaddr_un, sun_path) + 5;
    assert_passes(&datagram);
}

/* Nobody is there to be answered, so no setting of the rules can allow it. */
static void test_a_source_without_address(void **state)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    struct datagram datagram = from_somebody("Bob");

    (void) state;
    datagram.source_length = 0; /* the kernel leaves the bytes of the datagram before it */
    assert_int_equal(ask(0, &datagram), GUARD_SOURCE);
    datagram.source = NULL;
    assert_int_equal(ask(0, &datagram), GUARD_SOURCE);
    datagram.source = (const struct sockaddr *) &sun;
    datagram.source_length = offsetof(struct sockaddr_un, sun_path);
    assert_int_equal(ask(0, &datagram), GUARD_SOURCE);
    assert_int_equal(ask(EVERY_RULE, &datagram), GUARD_SOURCE);
    sun.sun_family = AF_PACKET;
    datagram.source_length = sizeof sun;
    assert_int_equal(ask(0, &datagram), GUARD_SOURCE);
}

static void test_destination(void **state)
{
    static const char *const bad[] = {"224.0.0.1", "239.1.2.3",  "255.255.255.255",
                                      "ff02::1",   "ff0e::3288", "::ffff:224.0.0.1"};
    struct datagram datagram = from_somebody("Bob");

    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        datagram.destination = place_set(&destination_place, bad[i], 0);
        assert_breaks(&datagram, GUARD_DESTINATION);
    }
    datagram.destination = place_set(&destination_place, "2001:db8::1", 0);
    assert_passes(&datagram);
    datagram.destination = NULL;
    assert_passes(&datagram);
    datagram.destination_is_local = false; /* such as 192.0.2.255 */
    assert_breaks(&datagram, GUARD_DESTINATION);
    datagram.destination = place_set(&destination_place, "192.0.2.255", 0);
    assert_breaks(&datagram, GUARD_DESTINATION);
}

static void test_reply(void **state)
{
    static const char *const bad[] = {"Hello, Bob!",   "Hello, !",      "Hello, Hello, Bob!!",
                                      "Hi Bob :-)",    "Hi  :-)",       "Hello, \xC3\xBC!",
                                      "Hello, Bob!\n", "Hi Bob :-)\r\n"};
    static const char *const good[] = {"Hello,!",      "Hello, Bob", "hello, Bob!", "Hello, Bob! ",  "Hi :-)",
                                       " Hello, Bob!", "Hi Bob",     "Bob!",        "Hello, Bob :-)"};

    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct datagram datagram = from("198.51.100.7", 40000, bad[i], strlen(bad[i]));
        assert_breaks(&datagram, GUARD_REPLY);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct datagram datagram = from("198.51.100.7", 40000, good[i], strlen(good[i]));
        assert_passes(&datagram);
    }
}

static void test_reply_with_words_that_end_a_line(void **state)
{
    static const struct texts lines = {{"", 0}, {"<", 1}, {">\r\n", 3}, {"", 0}};
    struct guard guard = guard_with(1U << GUARD_REPLY);
    struct datagram datagram = from_somebody("<Bob>\r\n");
    struct span message;

    (void) state;
    guard.active = &lines;
    assert_int_equal(guard_check(&guard, &datagram, &message), GUARD_REPLY);
    datagram = from_somebody("<Bob>\n");
    assert_int_equal(guard_check(&guard, &datagram, &message), GUARD_PASS);
}

/* Words that answer alike are one, whatever else they say; others stay two. */
static void test_builtin_words(void **state)
{
    struct texts alike = {.prompt = {"?", 1}, .prefix = {"Hello, ", 7}, .suffix = {"!", 1}};
    struct texts other = {.prefix = {"Hello, ", 7}, .suffix = {"?", 1}};
    struct texts longer = {.prefix = {"Hello, dear ", 12}, .suffix = {"!", 1}};

    (void) state;
    assert_ptr_equal(guard_builtin(&alike, protocol_hello.defaults), &alike);
    assert_ptr_equal(guard_builtin(&other, protocol_hello.defaults), protocol_hello.defaults);
    assert_ptr_equal(guard_builtin(&longer, protocol_hello.defaults), protocol_hello.defaults);
}

static void test_words_of_nothing_recognise_nothing(void **state)
{
    static const struct texts nothing = {{"", 0}, {"", 0}, {"", 0}, {"", 0}};
    struct guard guard = guard_with(EVERY_RULE);
    struct datagram datagram = from_somebody("Bob");
    struct span message;

    (void) state;
    guard.active = &nothing;
    assert_int_equal(guard_check(&guard, &datagram, &message), GUARD_PASS);
    datagram = from_somebody("Hello, Bob!");
    assert_int_equal(guard_check(&guard, &datagram, &message), GUARD_REPLY);
}

static void test_text(void **state)
{
    static const char *const bad[] = {"a\tb",
                                      "\x1B[2J",
                                      "a\x7F",
                                      "a\nb",
                                      "a\r",
                                      "a\n\n",
                                      "\xC2\x80",
                                      "\xC2\x9F",
                                      "\x80",
                                      "\xBF",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xC3",
                                      "\xC3(",
                                      "\xE0\x9F\xBF",
                                      "\xE2\x82",
                                      "\xED\xA0\x80",
                                      "\xED\xBF\xBF",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xFF",
                                      "\xF0\x9F\x91",
                                      "twelve letters\x1F",
                                      "\xE2\x82(",
                                      "\xF0\x9F\x91(",
                                      "\xF0\x9F(\x91",
                                      "\xC3\n"};
    static const char *const good[] = {"~ !\"%",
                                       "\xC2\xA0",
                                       "\xC3\xBC",
                                       "\xDF\xBF",
                                       "\xE0\xA0\x80",
                                       "\xED\x9F\xBF",
                                       "\xEE\x80\x80",
                                       "\xEF\xBF\xBF",
                                       "\xF0\x90\x80\x80",
                                       "\xF4\x8F\xBF\xBF",
                                       "a\n",
                                       "a\r\n",
                                       "J\xC3\xBCrgen and Zo\xC3\xAB, both of them"};

    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct datagram datagram = from("198.51.100.7", 40000, bad[i], strlen(bad[i]));
        assert_breaks(&datagram, GUARD_TEXT);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct datagram datagram = from("198.51.100.7", 40000, good[i], strlen(good[i]));
        assert_passes(&datagram);
    }
    struct datagram zero = from("198.51.100.7", 40000, "a\0b", 3);
    assert_breaks(&zero, GUARD_TEXT);
}

static bool text_passes(const char *data, size_t length)
{
    struct datagram datagram = from("198.51.100.7", 40000, data, length);

    return ask(1U << GUARD_TEXT, &datagram) == GUARD_PASS;
}

/* Every code point in its one right form, at each place within eight bytes. */
static void test_every_code_point(void **state)
{
    (void) state;
    for (uint32_t code = 0; code < 0x200000; code++) {
        bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
        bool none = (code >= 0xD800 && code < 0xE000) || code > 0x10FFFF;
        size_t at = code % 9, length = at;
        char data[16] = "abcdefghi";
        if (code < 0x80) {
            data[length++] = (char) code;
        } else if (code < 0x800) {
            data[length++] = (char) (0xC0 | code >> 6);
            data[length++] = (char) (0x80 | (code & 0x3F));
        } else if (code < 0x10000) {
            data[length++] = (char) (0xE0 | code >> 12);
            data[length++] = (char) (0x80 | (code >> 6 & 0x3F));
            data[length++] = (char) (0x80 | (code & 0x3F));
        } else {
            data[length++] = (char) (0xF0 | code >> 18);
            data[length++] = (char) (0x80 | (code >> 12 & 0x3F));
            data[length++] = (char) (0x80 | (code >> 6 & 0x3F));
            data[length++] = (char) (0x80 | (code & 0x3F));
        }
        data[length++] = '.'; /* so that a newline is not at the end */
        if (text_passes(data, length) != (!control && !none))
            fail_msg("U+%04X", code);
    }
}

/* A character that the datagram cuts short, with the missing bytes right behind it in memory. */
static void test_a_character_cut_short(void **state)
{
    static const char *const whole[] = {"\xC3\xBC", "\xE2\x82\xAC", "\xF0\x9F\x91\x8B"};

    (void) state;
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        assert_true(text_passes(whole[i], strlen(whole[i])));
        for (size_t length = 1; length < strlen(whole[i]); length++)
            assert_false(text_passes(whole[i], length));
    }
}

static void test_every_byte_at_every_place(void **state)
{
    (void) state;
    for (size_t place = 0; place < 24; place++) {
        for (int byte = 0; byte < 256; byte++) {
            char data[26];
            memset(data, '~', sizeof data);
            data[place] = (char) byte;
            assert_int_equal(text_passes(data, sizeof data), byte >= 0x20 && byte < 0x7F);
        }
    }
}

static void test_what_is_answered(void **state)
{
    uint32_t without_text = EVERY_RULE & ~(1U << GUARD_TEXT);

    (void) state;
    assert_answered(EVERY_RULE, "Bob", 3, "Bob", 3);
    assert_answered(EVERY_RULE, "Bob\n", 4, "Bob", 3);
    assert_answered(EVERY_RULE, "Bob\r\n", 5, "Bob", 3);
    assert_answered(without_text, "Bob\r\n", 5, "Bob\r\n", 5);
    assert_answered(without_text, "a\0\xFF\r\n\n", 6, "a\0\xFF\r\n\n", 6);
}

/* One datagram that breaks every rule: with one after the other switched off, each has its turn. */
static void test_order(void **state)
{
    struct datagram datagram = from("127.0.0.1", 7, "\n", 1);
    uint32_t rules = EVERY_RULE;

    (void) state;
    datagram.destination_is_local = false;
    datagram.truncated = true;
    assert_int_equal(ask(rules, &datagram), GUARD_OVERSIZE);
    datagram.truncated = false;
    assert_int_equal(ask(rules, &datagram), GUARD_EMPTY);
    datagram.data = "Hello, \x01!";
    datagram.length = 9;
    for (enum guard_rule rule = GUARD_PORT; rule <= GUARD_TEXT; rule++) {
        assert_int_equal(ask(rules, &datagram), rule);
        rules &= ~(1U << rule);
    }
    assert_int_equal(ask(rules, &datagram), GUARD_PASS);
}

static void test_rule_names(void **state)
{
    (void) state;
    assert_string_equal(guard_rule_name(GUARD_OVERSIZE), "oversize");
    assert_string_equal(guard_rule_name(GUARD_EMPTY), "empty");
    assert_string_equal(guard_rule_name(GUARD_PORT), "port");
    assert_string_equal(guard_rule_name(GUARD_SOURCE), "source");
    assert_string_equal(guard_rule_name(GUARD_DESTINATION), "destination");
    assert_string_equal(guard_rule_name(GUARD_REPLY), "reply");
    assert_string_equal(guard_rule_name(GUARD_TEXT), "text");
    assert_string_equal(guard_rule_name(GUARD_RATE), "rate");
    assert_string_equal(guard_rule_name(GUARD_BUDGET), "budget");
}

enum {
    WORD_MAX = 12,
    NAME_BYTES = 40,
    ANSWER_MAX = NAME_BYTES + 2 * WORD_MAX
};

/* Words by chance, more often than not with something that the rules look at. */
struct words {
    struct texts texts;
    char prefix[WORD_MAX], suffix[WORD_MAX];
};

static size_t random_bytes(struct seed *seed, char *out, size_t most)
{
    static const char likely[] = "Hello, !\r\n\n";
    size_t length = seed_below(seed, most + 1);

    for (size_t i = 0; i < length; i++)
        out[i] = seed_below(seed, 4) == 0 ? (char) seed_next(seed) : likely[seed_below(seed, sizeof likely)];
    return length;
}

static void random_words(struct seed *seed, struct words *words)
{
    words->texts.prefix = (struct span){words->prefix, random_bytes(seed, words->prefix, WORD_MAX)};
    words->texts.suffix = (struct span){words->suffix, random_bytes(seed, words->suffix, WORD_MAX)};
    words->texts.prompt = words->texts.farewell = (struct span){"", 0};
}

static void test_no_answer_longer_than_words_and_input(void **state)
{
    struct seed seed = seed_start();
    unsigned answered = 0;

    (void) state;
    for (int round = 0; round < 50000; round++) {
        char data[NAME_BYTES], out[ANSWER_MAX];
        size_t length = random_bytes(&seed, data, sizeof data), written;
        struct datagram datagram = from("198.51.100.7", 40000, data, length);
        struct guard guard = guard_with(seed_next(&seed) & EVERY_RULE);
        struct span message;
        struct words words;
        random_words(&seed, &words);
        guard.active = &words.texts;
        guard.message_size = 1 + seed_below(&seed, NAME_BYTES);
        if (guard_check(&guard, &datagram, &message) != GUARD_PASS)
            continue;
        answered++;
        assert_true(message.length <= length && length <= guard.message_size);
        assert_memory_equal(message.data, data, message.length);
        protocol_hello.message(&words.texts, message.data, message.length, out, &written);
        assert_true(written <= words.texts.prefix.length + length + words.texts.suffix.length);
    }
    assert_true(answered > 1000);
}

/* Whatever one server answers, a second one with the same words, or whose built-in words the first one uses,
 * is silent, even with no other rule on. */
static void test_two_servers_back_to_back(void **state)
{
    struct seed seed = seed_start();
    unsigned answered = 0;

    (void) state;
    for (int round = 0; round < 50000; round++) {
        char data[NAME_BYTES], out[ANSWER_MAX];
        size_t length = random_bytes(&seed, data, sizeof data), written;
        struct guard first = guard_with(seed_next(&seed) & EVERY_RULE),
                     second = guard_with(1U << GUARD_REPLY);
        struct datagram spoofed = from("198.51.100.7", 40000, data, length), reply;
        struct span message;
        struct words words, others;
        random_words(&seed, &words);
        random_words(&seed, &others);
        if (words.texts.prefix.length + words.texts.suffix.length == 0)
            continue;
        first.active = &words.texts;
        second.active = seed_below(&seed, 2) == 0 ? &words.texts : &others.texts;
        second.builtin = second.active == &words.texts ? &others.texts : &words.texts;
        if (guard_check(&first, &spoofed, &message) != GUARD_PASS)
            continue;
        answered++;
        protocol_hello.message(first.active, message.data, message.length, out, &written);
        reply = from("198.51.100.7", 40000, out, written);
        assert_int_equal(guard_check(&second, &reply, &message), GUARD_REPLY);
    }
    assert_true(answered > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oversize_cannot_be_switched_off),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_port),
        cmocka_unit_test(test_source),
        cmocka_unit_test(test_loopback_is_good_on_loopback),
        cmocka_unit_test(test_unix_sources),
        cmocka_unit_test(test_a_source_without_address),
        cmocka_unit_test(test_destination),
        cmocka_unit_test(test_reply),
        cmocka_unit_test(test_reply_with_words_that_end_a_line),
        cmocka_unit_test(test_builtin_words),
        cmocka_unit_test(test_words_of_nothing_recognise_nothing),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_every_code_point),
        cmocka_unit_test(test_a_character_cut_short),
        cmocka_unit_test(test_every_byte_at_every_place),
        cmocka_unit_test(test_what_is_answered),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_rule_names),
        cmocka_unit_test(test_no_answer_longer_than_words_and_input),
        cmocka_unit_test(test_two_servers_back_to_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
