/* No datagram is answered with more bytes than the listener's template and it have, nor twice: any protocol
 * that datagrams may have, any template, any rules, any bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "seed.h"
#include "worker/guard.h"

enum {
    ROUNDS = 20000,
    SIDE_MAX = 40, /* bytes of a template on one side of the name */
    MESSAGE_MAX = 200,
    BEYOND = 20, /* bytes that a datagram may have over message_size */
    TEMPLATE_SIZE = 2 * 2 * SIDE_MAX + sizeof("%s")
};

/* A listener, as config and worker make it. */
struct listener {
    char template[TEMPLATE_SIZE], store[TEMPLATE_SIZE];
    struct texts texts;
    struct guard guard;
};

/* Random bytes, escaped, with the place of the name anywhere among them; sometimes nothing but it. */
static void write_template(struct seed *seed, char *at)
{
    for (int side = 0; side < 2; side++) {
        size_t length = seed_below(seed, 3) == 0 ? 0 : seed_below(seed, SIDE_MAX);
        for (size_t i = 0; i < length; i++) {
            char byte = seed_below(seed, 8) == 0 ? '%' : (char) (1 + seed_below(seed, 255));
            *at++ = byte;
            if (byte == '%')
                *at++ = byte;
        }
        if (side == 0) {
            memcpy(at, "%s", 2);
            at += 2;
        }
    }
    *at = '\0';
}

static void set_up(struct seed *seed, struct listener *listener, const struct protocol *protocol)
{
    listener->texts = *protocol->defaults;
    write_template(seed, listener->template);
    if (seed_below(seed, 4) > 0)
        assert_null(template_parse(listener->template, listener->store, &listener->texts.prefix,
                                   &listener->texts.suffix));
    listener->guard = (struct guard){.rules = (uint32_t) seed_below(seed, 1U << GUARD_RULES),
                                     .message_size = 1 + seed_below(seed, MESSAGE_MAX),
                                     .active = &listener->texts,
                                     .builtin = protocol->defaults};
}

/* Bytes of any kind, some of them an answer or nearly one. Returns how many. */
static size_t write_datagram(struct seed *seed, const struct listener *listener, char *data)
{
    static const char *const ends[] = {"", "", "\n", "\r\n", "\n\n"};
    const struct texts *words = seed_below(seed, 2) == 0 ? &listener->texts : listener->guard.builtin;
    size_t length = seed_below(seed, listener->guard.message_size + BEYOND);
    size_t kind = seed_below(seed, 3);
    const char *end = ends[seed_below(seed, sizeof(ends) / sizeof(ends[0]))];

    for (size_t i = 0; i < length; i++)
        data[i] = (char) (kind == 0 ? seed_below(seed, 256) : ' ' + seed_below(seed, 95));
    if (kind == 2 && words->prefix.length + words->suffix.length <= length) {
        memcpy(data, words->prefix.data, words->prefix.length);
        memcpy(data + length - words->suffix.length, words->suffix.data, words->suffix.length);
    }
    if (strlen(end) <= length)
        memcpy(data + length - strlen(end), end, strlen(end));
    return length;
}

/* The answer's length, or 0 when the guard drops the datagram. */
static size_t answer(const struct listener *listener, const struct protocol *protocol, char *data,
                     size_t length)
{
    struct sockaddr_in source = {
        .sin_family = AF_INET, .sin_port = htons(40000), .sin_addr.s_addr = htonl(0xC0000207)};
    struct datagram datagram = {.data = data,
                                .length = length,
                                .source = (const struct sockaddr *) &source,
                                .source_length = sizeof(source),
                                .destination_is_local = true};
    struct span message;

    if (guard_check(&listener->guard, &datagram, &message) != GUARD_PASS)
        return 0;
    /* No byte more than may be written, so that valgrind and ASan see it. */
    size_t room = listener->texts.prefix.length + length + listener->texts.suffix.length, written = SIZE_MAX;
    char *out = malloc(room > 0 ? room : 1);
    assert_non_null(out);
    assert_int_equal(protocol->message(&listener->texts, message.data, message.length, out, &written),
                     NEXT_CONTINUE);
    free(out);
    assert_true(written <= room);
    return written;
}

static void test_no_answer_is_longer_than_template_and_datagram(void **state)
{
    struct seed seed = seed_start();
    unsigned answered = 0;

    (void) state;
    for (const char *const *name = protocol_names(); *name != NULL; name++) {
        const struct protocol *protocol = protocol_find(*name);
        for (int round = 0; (protocol->serves & PROTOCOL_ON_DATAGRAM) && round < ROUNDS; round++) {
            struct listener listener;
            char data[MESSAGE_MAX + BEYOND];
            set_up(&seed, &listener, protocol);
            answered += answer(&listener, protocol, data, write_datagram(&seed, &listener, data)) > 0;
        }
    }
    assert_in_range(answered, ROUNDS / 10, ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_answer_is_longer_than_template_and_datagram)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
