/* What an answer is worth. Must not know how it came. */
#include "client/check_judge.h"

#include "client/show.h"

static bool begins_with(struct span text, struct span beginning)
{
    return text.length >= beginning.length && memcmp(text.data, beginning.data, beginning.length) == 0;
}

static bool ends_with(struct span text, struct span end)
{
    return text.length >= end.length &&
           memcmp(text.data + text.length - end.length, end.data, end.length) == 0;
}

static struct span without_line_ending(struct span text)
{
    if (ends_with(text, (struct span){"\r\n", 2}))
        text.length -= 2;
    else if (ends_with(text, (struct span){"\n", 1}))
        text.length--;
    return text;
}

/* Sets *REFUSAL to the sentence that TEXT ends with, if it is one of hellod's; a greeting may be before it.
 */
static bool find_refusal(struct span text, struct span *refusal)
{
    const char *end = text.data + text.length;

    for (const char *at = text.data; at < end; at++) {
        at = memchr(at, SENTENCE_FULL[0], (size_t) (end - at));
        if (at == NULL)
            return false;
        if (show_is_refusal(at, (size_t) (end - at))) {
            *refusal = (struct span){at, (size_t) (end - at)};
            return true;
        }
    }
    return false;
}

enum check_verdict check_judge_stream(struct span got, struct span answer, bool over, struct span *words)
{
    struct span prompt = protocol_greeting.defaults->prompt;
    struct span said = without_line_ending(got);

    if (begins_with(said, prompt))
        said = (struct span){said.data + prompt.length, said.length - prompt.length};
    *words = said;
    if (ends_with(got, answer) || ends_with(said, answer))
        return CHECK_RIGHT;
    if (!over)
        return CHECK_MORE;
    if (find_refusal(said, words))
        return CHECK_REFUSED;
    if (said.length == 0)
        return CHECK_NOTHING;
    return begins_with(answer, said) || begins_with(prompt, said) ? CHECK_CUT : CHECK_WRONG;
}

enum check_verdict check_judge_datagram(struct span got, struct span answer)
{
    return got.length == answer.length && begins_with(got, answer) ? CHECK_RIGHT : CHECK_WRONG;
}
