/* Words that are learnt: what is around the probe's name, and what cannot be told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "client/bench_words.c"
#include "seed.h"

#define P BENCH_WORDS_PROBE

static void assert_span(struct span span, const char *text)
{
    assert_int_equal(span.length, strlen(text));
    assert_memory_equal(span.data, text, span.length);
}

static bool learn(struct bench_words *words, const char *prompt, const char *answer)
{
    static char heard[8 * BENCH_WORDS_MAX];

    strcpy(heard, prompt);
    strcat(heard, answer);
    *words = bench_words_builtin(SOCK_STREAM);
    return bench_words_learn(words, heard, strlen(prompt), strlen(heard));
}

static void test_learnt(void **state)
{
    struct bench_words words;

    (void) state;
    assert_true(learn(&words, "Wer da?", "Servus, " P ".\n"));
    assert_true(words.learnt && bench_words_are_lines(&words));
    assert_span(words.texts.prompt, "Wer da?");
    assert_span(words.texts.prefix, "Servus, ");
    assert_span(words.texts.suffix, ".\n");
    assert_int_equal(words.texts.farewell.length, 0);
    assert_true(learn(&words, "", P));
    assert_false(bench_words_are_lines(&words));
    assert_span(words.texts.prefix, "");
    assert_span(words.texts.suffix, "");
    /* A chunk: the newline is the name's. */
    assert_true(learn(&words, "What's your name?", "Hello, " P "\n!"));
    assert_false(bench_words_are_lines(&words));
}

static void test_not_learnt(void **state)
{
    char longest[BENCH_WORDS_MAX + 1] = "", longer[BENCH_WORDS_MAX + 2] = "", answer[2 * BENCH_WORDS_MAX];
    struct bench_words words;

    (void) state;
    assert_false(learn(&words, "What's your name?", "Hello, " P "!\n"));
    assert_span(words.texts.farewell, "disconnect");
    assert_false(learn(&words, "", ""));
    assert_false(learn(&words, "Who?", "Hello, Mallory!\n"));
    assert_false(learn(&words, P, "Hello, you!\n"));
    assert_false(learn(&words, "Who?", P " " P "\n"));
    assert_false(learn(&words, "Who?", "00000000c0d"));
    assert_false(words.learnt);
    memset(longest, 'x', BENCH_WORDS_MAX);
    memset(longer, 'x', BENCH_WORDS_MAX + 1);
    assert_true(learn(&words, longest, P));
    assert_false(learn(&words, longer, P));
    strcat(strcpy(answer, longest), P);
    assert_true(learn(&words, "", answer));
    assert_false(learn(&words, "", strcat(answer, "\n")));
}

/* Whatever comes: nothing is read that has not come, and what is learnt makes the answer again. */
static void test_random(void **state)
{
    struct seed seed = seed_start();

    (void) state;
    for (unsigned round = 0; round < 20000; round++) {
        char heard[40];
        size_t length = seed_next(&seed) % sizeof(heard), prompt = length > 0 ? seed_next(&seed) % length : 0;
        struct bench_words words = bench_words_builtin(SOCK_STREAM);
        for (size_t i = 0; i < length; i++)
            heard[i] = (P "!\n")[seed_next(&seed) % (sizeof(P) + 1)];
        if (length > 14)
            memcpy(heard + seed_next(&seed) % (length - 12), P, 12);
        if (!bench_words_learn(&words, heard, prompt, length))
            continue;
        struct texts texts = words.texts;
        assert_int_equal(texts.prompt.length + texts.prefix.length + 12 + texts.suffix.length, length);
        assert_memory_equal(texts.prefix.data + texts.prefix.length, P, 12);
    }
}

static void test_builtin(void **state)
{
    static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};

    (void) state;
    for (unsigned i = 0; i < 3; i++) {
        struct bench_words words = bench_words_builtin(types[i]);
        assert_int_equal(bench_words_are_lines(&words), types[i] == SOCK_STREAM);
        assert_span(words.texts.prefix, "Hello, ");
        assert_span(words.texts.suffix, types[i] == SOCK_STREAM ? "!\n" : "!");
        assert_span(words.texts.prompt, types[i] == SOCK_DGRAM ? "" : "What's your name?");
        assert_false(words.learnt);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learnt),
        cmocka_unit_test(test_not_learnt),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_builtin),
    };

    return cmocka_run_group_tests_name("bench_words", tests, NULL, NULL);
}
