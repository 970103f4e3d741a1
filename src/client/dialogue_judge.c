/* Whether all has been said. Reads what strangers send, and must not know how it came. */
#include "client/dialogue_judge.h"

#include <stdbool.h>
#include <string.h>

#include "client/show.h"

enum {
    NAME_SAMPLE = 64 /* bytes of a name by which an answer is known; servers may cut what is longer */
};

struct span dialogue_words(const struct dialogue *dialogue)
{
    return (struct span){dialogue->buffer + dialogue->skipped, dialogue->used - dialogue->skipped};
}

/* Compares the words with those expected, which are complete if *IS_ALL. Returns whether they begin so. */
static bool is_as_expected(const struct listening *listening, bool *is_all)
{
    struct span words = dialogue_words(listening->dialogue);
    const char *data = words.data;
    size_t left = words.length, missing = 0;

    for (unsigned i = 0; i < DIALOGUE_PARTS_MAX; i++) {
        struct span part = listening->expected[i];
        size_t length = left < part.length ? left : part.length;
        if (part.data != NULL && memcmp(data, part.data, length) != 0)
            return false;
        missing += part.length - length;
        data += length;
        left -= length;
    }
    *is_all = missing == 0;
    return left == 0;
}

/* Whether the LENGTH bytes of words end with the name that was asked for. */
static bool ends_with_name(const struct listening *listening, size_t length)
{
    struct span name = listening->name;
    const char *words = dialogue_words(listening->dialogue).data;

    return length >= name.length && memcmp(words + length - name.length, name.data, name.length) == 0;
}

/* The verdict on words with a newline at LENGTH. Right behind the name it may be the one that was sent, when
 * the server takes chunks; more follows then, and the newline is taken out. */
static enum verdict judge_line(const struct listening *listening, size_t length)
{
    struct dialogue *dialogue = listening->dialogue;
    char *newline = dialogue->buffer + dialogue->skipped + length;
    size_t after = dialogue_words(dialogue).length - length - 1;

    if (dialogue->lines || !ends_with_name(listening, length))
        return VERDICT_COMPLETE;
    if (after == 0)
        return VERDICT_MAYBE;
    dialogue->used--;
    memmove(newline, newline + 1, after);
    dialogue->chunks = true;
    return VERDICT_MORE;
}

/* The verdict on words that no newline ends. */
static enum verdict judge_chunk(const struct listening *listening)
{
    const struct dialogue *dialogue = listening->dialogue;
    bool is_all, is_expected = is_as_expected(listening, &is_all);

    if (dialogue->packets)
        return VERDICT_COMPLETE;
    /* What is half there is worth waiting for; who says other words may have said all of them. */
    if (!is_expected)
        return VERDICT_MAYBE;
    if (!is_all)
        return VERDICT_MORE;
    return dialogue->chunks || listening->name.length == 0 ? VERDICT_COMPLETE : VERDICT_MAYBE;
}

enum verdict dialogue_judge(const struct listening *listening)
{
    struct dialogue *dialogue = listening->dialogue;
    bool wants_line = listening->name.length > 0 && !dialogue->chunks && !dialogue->packets;
    struct span words = dialogue_words(dialogue);
    const char *newline = wants_line ? memchr(words.data, '\n', words.length) : NULL;

    if (words.length == 0)
        return VERDICT_MORE;
    if (newline != NULL) {
        enum verdict verdict = judge_line(listening, (size_t) (newline - words.data));
        return verdict == VERDICT_MORE ? judge_chunk(listening) : verdict;
    }
    return wants_line && dialogue->lines ? VERDICT_MORE : judge_chunk(listening);
}

static char to_upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char) (c - 'a' + 'A') : c;
}

/* Whether the LENGTH bytes at TEXT begin with the name that was asked for, in any case, because the protocol
 * "upper" changes it. */
static bool begins_with_name(const struct listening *listening, const char *text, size_t length)
{
    struct span name = listening->name;
    size_t i = 0, sample = NAME_SAMPLE;

    if (sample > name.length)
        sample = name.length;
    while (i < sample && i < length && to_upper(text[i]) == to_upper(name.data[i]))
        i++;
    return i == sample;
}

/* Whether a line that is there in full, at the beginning of the LENGTH bytes at TEXT, refuses service. */
static bool begins_with_refusal(const char *text, size_t length)
{
    const char *newline = memchr(text, '\n', length);
    size_t end = newline == NULL ? length : (size_t) (newline - text);

    if (newline != NULL && end > 0 && text[end - 1] == '\r')
        end--;
    return show_is_refusal(text, end);
}

static size_t prompt_length(const struct dialogue *dialogue)
{
    struct span prompt = dialogue_defaults()->prompt;

    return dialogue->used >= prompt.length && memcmp(dialogue->buffer, prompt.data, prompt.length) == 0
               ? prompt.length
               : 0;
}

/* The verdict on the words of a server that was only slow, perhaps, and greets late: the answer is the line
 * with the name in it, all before it is a greeting. Of several lines it is the last one, as a greeting
 * may have the name in it by chance; nothing follows hellod's own answer. *AT is where it begins. */
static enum verdict judge_stream(const struct listening *listening, size_t *at)
{
    const struct dialogue *dialogue = listening->dialogue;
    struct span prefix = dialogue_defaults()->prefix;
    enum verdict verdict = VERDICT_MORE;
    size_t line = prompt_length(dialogue);

    for (size_t i = line; i < dialogue->used; i++) {
        const char *here = dialogue->buffer + i;
        bool is_name = begins_with_name(listening, here, dialogue->used - i);
        if (is_name || (i == line && begins_with_refusal(here, dialogue->used - i))) {
            *at = line;
            verdict = VERDICT_MAYBE;
        }
        if (is_name && i >= line + prefix.length &&
            memcmp(here - prefix.length, prefix.data, prefix.length) == 0) {
            *at = i - prefix.length;
            return VERDICT_COMPLETE;
        }
        if (*here == '\n')
            line = i + 1;
    }
    return verdict;
}

/* The same of a packet, which is a message of its own. */
static enum verdict judge_packet(const struct listening *listening)
{
    const struct dialogue *dialogue = listening->dialogue;
    bool is_answer = show_is_refusal(dialogue->buffer, dialogue->used);

    for (size_t i = 0; i < dialogue->used && !is_answer; i++)
        is_answer = begins_with_name(listening, dialogue->buffer + i, dialogue->used - i);
    return is_answer ? VERDICT_COMPLETE : VERDICT_MORE;
}

enum verdict dialogue_judge_ungreeted(const struct listening *listening, size_t *at)
{
    *at = 0;
    return listening->dialogue->packets ? judge_packet(listening) : judge_stream(listening, at);
}
