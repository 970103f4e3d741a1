/* What strangers may answer: no bytes are read beyond the end, nothing is right but the one answer, and a
 * stream is judged as its last datagram would be.
 *
 * Input: one byte for the number of the probe and for the words of the service, then what came. Each "@" in
 * it stands for the name of the probe, which no fuzzer could guess. */
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    INPUT_MAX = 2048
};

static const struct answer_run runs[] = {
    {{{3, 4}}, {"Hello, ", 7}, {"!", 1}},
    {{{5, 6}}, {"", 0}, {"", 0}},
    {{{7, 8}}, {"-", 1}, {"\r\n", 2}},
};

/* A copy of the SIZE bytes at DATA with NAME for each "@", exactly as long as it must be, so that the
 * sanitizer sees a read beyond it. The caller frees it. */
static char *fill_in(const uint8_t *data, size_t size, const char *name, size_t name_length, size_t *length)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, length);

    assert(out != NULL);
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '@')
            fwrite(name, 1, name_length, out);
        else
            fputc(data[i], out);
    }
    fclose(out);
    char *exact = malloc(*length > 0 ? *length : 1);
    assert(exact != NULL);
    memcpy(exact, text, *length);
    free(text);
    return exact;
}

/* The definition of the right answer, letter by letter. */
static bool is_answer(const struct answer_run *run, uint32_t seq, const char *text, size_t length)
{
    static const char *const endings[] = {"", "\n", "\r\n"};
    char name[ANSWER_NAME_MAX], right[100];
    int name_length = (int) answer_name(run, seq, name);

    for (size_t i = 0; i < 3; i++) {
        int right_length = snprintf(right, sizeof(right), "%s%.*s%s%s", run->prefix.data, name_length, name,
                                    run->suffix.data, endings[i]);
        if (length == (size_t) right_length && memcmp(text, right, length) == 0)
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > INPUT_MAX)
        return 0;
    const struct answer_run *run = &runs[data[0] % 3];
    uint32_t seq = 1 + data[0] / 3U * 50000000U, about;
    char name[ANSWER_NAME_MAX];
    size_t length, before, name_length = answer_name(run, seq, name);
    char *text = fill_in(data + 1, size - 1, name, name_length, &length);

    enum answer_kind kind = answer_read(run, text, length, &about);
    enum answer_kind stream = answer_read_stream(run, seq, text, length, &before);
    assert((kind == ANSWER_RIGHT) == (about != 0 && is_answer(run, about, text, length)));
    assert(kind != ANSWER_FOREIGN || about == 0);
    assert((kind == ANSWER_FOREIGN) == (stream == ANSWER_FOREIGN));
    assert(stream != ANSWER_RIGHT || is_answer(run, seq, text + before, length - before));
    if (is_answer(run, seq, text, length))
        assert(kind == ANSWER_RIGHT && about == seq && stream == ANSWER_RIGHT);
    free(text);
    return 0;
}
