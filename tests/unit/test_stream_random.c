/* Random talk of several clients at once, with and without delay, in random pieces and at random times: each
 * hears what it would hear alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "seed.h"
#include "stream_help.h"

/* A client with a script, what it should hear of it, and what it has heard. */
struct talker {
    int fd;
    size_t said, length, heard_length;
    bool ended;
    char script[600], expected[3000], heard[3000];
};

static void write_script(struct seed *seed, struct talker *talker)
{
    char *out = talker->expected + sprintf(talker->expected, "What's your name?");
    bool farewell = seed_below(seed, 2) == 0;

    for (size_t lines = seed_below(seed, 12); lines > 0; lines--) {
        char name[MESSAGE_SIZE + 1] = "";
        size_t length = seed_below(seed, MESSAGE_SIZE + 1);
        const char *ending = seed_below(seed, 2) ? "\n" : "\r\n";
        for (size_t i = 0; i < length; i++)
            name[i] = (char) ('a' + seed_below(seed, 26));
        talker->length += (size_t) sprintf(talker->script + talker->length, "%s%s", name, ending);
        if (length == 0)
            out += sprintf(out, "What's your name?%s", ending);
        else
            out += sprintf(out, "Hello, %s!%s", name, ending);
    }
    if (farewell)
        talker->length += (size_t) sprintf(talker->script + talker->length, "disconnect\n");
    sprintf(out, "|");
}

/* Takes what there is to hear; true when that was all. */
static bool listen_to(struct talker *talker)
{
    const char *text = hear(talker->fd);

    assert_true(talker->heard_length + strlen(text) < sizeof(talker->heard));
    strcpy(talker->heard + talker->heard_length, text);
    talker->heard_length += strlen(text);
    return talker->heard_length > 0 && talker->heard[talker->heard_length - 1] == '|';
}

/* A random piece of the script; after the last one, the end. */
static void talk(struct seed *seed, struct talker *talker)
{
    size_t rest = talker->length - talker->said,
           piece = rest > 0 ? 1 + seed_below(seed, rest < 40 ? rest : 40) : 0;

    if (piece > 0)
        assert_int_equal(send(talker->fd, talker->script + talker->said, piece, MSG_NOSIGNAL), piece);
    talker->said += piece;
    if (talker->said == talker->length) {
        shutdown(talker->fd, SHUT_WR);
        talker->ended = true;
    }
    pump();
}

static void test_random_talk(void **state)
{
    struct seed seed = seed_start();
    enum {
        TALKERS = 5
    };

    (void) state;
    for (unsigned round = 0; round < 50; round++) {
        struct talker talkers[TALKERS] = {{.fd = 0}};
        unsigned done = 0;
        for (unsigned i = 0; i < TALKERS; i++) {
            talkers[i].fd = connect_to(i % 2 == 0 ? LINES : DELAYED);
            write_script(&seed, &talkers[i]);
        }
        for (unsigned turns = 0; done < (1 << TALKERS) - 1 && turns < 20000; turns++) {
            unsigned i = (unsigned) seed_below(&seed, TALKERS);
            if (!talkers[i].ended)
                talk(&seed, &talkers[i]);
            if (seed_below(&seed, 3) == 0 && (done & 1u << i) == 0 && listen_to(&talkers[i]))
                done |= 1u << i;
            pass(seed_below(&seed, 30));
        }
        for (unsigned i = 0; i < TALKERS; i++) {
            assert_string_equal(talkers[i].heard, talkers[i].expected);
            close(talkers[i].fd);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random_talk, start_worker, stop_worker),
    };

    return cmocka_run_group_tests_name("stream at random", tests, NULL, NULL);
}
