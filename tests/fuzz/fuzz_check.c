/* What a server says to `check`, under any bytes: no bytes but those of the answer are right, in any pieces
 * the verdict is the same, and what is shown of it can forge neither a line nor performance data.
 *
 * Input: one byte for the kind of service, then what the server says. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/quote.h"
#include "client/check_judge.h"
#include "client/check_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    INPUT_MAX = 4096
};

static const struct span answer = {"Hello, CHECK-1!", 15};

static void check_shown(struct span words)
{
    char *shown = NULL;
    size_t length, bytes;
    FILE *out = open_memstream(&shown, &length);

    assert(out != NULL);
    check_text(out, words.data, words.length);
    fclose(out);
    assert(length >= words.length && length <= 4 * words.length);
    assert(strpbrk(shown, "|<>&") == NULL);
    for (const char *at = shown; *at != '\0'; at += bytes) {
        bytes = quote_character(at);
        assert(bytes > 0);
    }
    assert(strlen(shown) == length);
    free(shown);
}

static bool contains(struct span got, struct span part)
{
    return memmem(got.data, got.length, part.data, part.length) != NULL;
}

static void check_stream(struct span got)
{
    struct span words;
    enum check_verdict verdict = check_judge_stream(got, answer, true, &words);

    assert(verdict != CHECK_MORE);
    assert(words.data >= got.data && words.data + words.length <= got.data + got.length);
    assert(verdict != CHECK_RIGHT || contains(got, answer));
    assert(verdict != CHECK_REFUSED || contains(words, (struct span){"Sorry, ", 7}));
    assert((verdict == CHECK_NOTHING) <= (words.length == 0));
    check_shown(words);
    for (size_t length = 0; length <= got.length; length++) {
        struct span piece = {got.data, length};
        enum check_verdict early = check_judge_stream(piece, answer, false, &words);
        assert(early == CHECK_MORE || (early == CHECK_RIGHT && contains(piece, answer)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > INPUT_MAX)
        return 0;
    /* A NUL behind it, as in the buffer. */
    char *bytes = calloc(1, size);
    assert(bytes != NULL);
    memcpy(bytes, data + 1, size - 1);
    struct span got = {bytes, size - 1};

    if (data[0] % 2 == 0) {
        check_stream(got);
    } else {
        bool same = got.length == answer.length && memcmp(got.data, answer.data, answer.length) == 0;
        assert(check_judge_datagram(got, answer) == (same ? CHECK_RIGHT : CHECK_WRONG));
        check_shown(got);
    }
    free(bytes);
    return 0;
}
