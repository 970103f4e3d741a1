/* Templates: where the name goes, what a percent sign may be, and which words an error is told in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/protocol.h"
#include "seed.h"

enum {
    STORE_SIZE = 256
};

static void assert_splits(const char *template, const char *before, const char *after)
{
    char store[STORE_SIZE];
    struct span prefix, suffix;

    assert_null(template_parse(template, store, &prefix, &suffix));
    assert_int_equal(prefix.length, strlen(before));
    assert_memory_equal(prefix.data, before, prefix.length);
    assert_int_equal(suffix.length, strlen(after));
    assert_memory_equal(suffix.data, after, suffix.length);
}

static void assert_refused(const char *template, const char *reason)
{
    char store[STORE_SIZE];
    struct span prefix = {"before", 6}, suffix = {"after", 5};
    const char *error = template_parse(template, store, &prefix, &suffix);

    assert_non_null(error);
    assert_string_equal(error, reason);
    assert_string_equal(prefix.data, "before");
    assert_int_equal(prefix.length, 6);
    assert_string_equal(suffix.data, "after");
    assert_int_equal(suffix.length, 5);
}

static void test_splits_at_the_name(void **state)
{
    (void) state;
    assert_splits("Hello, %s!", "Hello, ", "!");
    assert_splits("%s", "", "");
    assert_splits("%s?", "", "?");
    assert_splits("Hi %s", "Hi ", "");
    assert_splits("Grüß %s \xF0\x9F\x91\x8B\n", "Grüß ", " \xF0\x9F\x91\x8B\n");
}

static void test_percent_signs(void **state)
{
    (void) state;
    assert_splits("100%% %s 5%%", "100% ", " 5%");
    assert_splits("%%%s%%", "%", "%");
    assert_splits("%%s is %s", "%s is ", "");
    assert_splits("%s%%s", "", "%s");
}

static void test_errors_in_words(void **state)
{
    (void) state;
    assert_refused("", "no place for the name (%s)");
    assert_refused("Hello", "no place for the name (%s)");
    assert_refused("100%%s", "no place for the name (%s)");
    assert_refused("%s and %s", "more than one place for the name (%s)");
    assert_refused("Hello, %s! %", "a lone \"%\" at the end");
    assert_refused("%", "a lone \"%\" at the end");
    assert_refused("%d %s", "an unknown \"%\" sequence (write %% for a percent sign)");
    assert_refused("%s %S", "an unknown \"%\" sequence (write %% for a percent sign)");
    assert_refused("% s", "an unknown \"%\" sequence (write %% for a percent sign)");
}

/* Any bytes around the name, escaped, come back as they were, and no more of STORE is used than is promised.
 */
static void test_any_text_comes_back(void **state)
{
    struct seed seed = seed_start();

    (void) state;
    for (int round = 0; round < 2000; round++) {
        char plain[2][20], template[2 * 40 + 3], store[sizeof template], *at = template;
        struct span prefix, suffix;
        for (int side = 0; side < 2; side++) {
            size_t length = seed_below(&seed, sizeof plain[0]);
            for (size_t i = 0; i < length; i++) {
                char byte = seed_below(&seed, 4) == 0 ? '%' : (char) (1 + seed_below(&seed, 255));
                plain[side][i] = byte;
                *at++ = byte;
                if (byte == '%')
                    *at++ = '%';
            }
            plain[side][length] = '\0';
            if (side == 0) {
                *at++ = '%';
                *at++ = 's';
            }
        }
        *at = '\0';
        store[at - template] = 'x';
        assert_null(template_parse(template, store, &prefix, &suffix));
        assert_int_equal(prefix.length, strlen(plain[0]));
        assert_memory_equal(prefix.data, plain[0], prefix.length);
        assert_int_equal(suffix.length, strlen(plain[1]));
        assert_memory_equal(suffix.data, plain[1], suffix.length);
        assert_int_equal(store[at - template], 'x');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_splits_at_the_name),
        cmocka_unit_test(test_percent_signs),
        cmocka_unit_test(test_errors_in_words),
        cmocka_unit_test(test_any_text_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
