/* The command `talk`: lines in, answers out. How either travels is not known here. */
#include "client/talk.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/asking.h"
#include "client/dialogue.h"
#include "client/editor.h"
#include "client/exits.h"
#include "client/show.h"
#include "client/talk_options.h"

enum {
    SAMPLE_MAX = 200 /* bytes shown of words that were broken off */
};

struct talk {
    struct talk_options options;
    struct target target;
    struct dialogue dialogue; /* of a stream */
    struct asking asking;     /* of datagrams */
    struct editor *editor;    /* of a person at a terminal */
    struct input input;       /* of anything else */
    bool is_person;           /* prompts and all */
    bool is_shown;            /* answers go to a terminal */
};

static bool is_stream(const struct talk *talk)
{
    return talk->target.type == SOCK_STREAM;
}

static uint64_t deadline_ms(const struct talk *talk)
{
    return clock_ms() + talk->options.wait_ms;
}

/* ---- What is said to the person ---- */

static int say_nobody(const struct talk *talk, const struct dial *dial)
{
    bool is_ours = dial_is_ours(&talk->target, dial);

    fprintf(stderr, "helloc: %s %s: ", is_ours ? "this system cannot reach" : "nobody answers at",
            talk->target.name);
    dial_explain(stderr, &talk->target, dial);
    fputc('\n', stderr);
    return is_ours ? EXITS_SYSTEM : EXITS_NOBODY;
}

static void say_sample(struct heard *heard)
{
    if (heard->length > SAMPLE_MAX)
        heard_set(heard, heard->words, SAMPLE_MAX);
    fputs(" after \"", stderr);
    show(stderr, heard->words, heard->length);
    fputc('"', stderr);
}

static int say_refused(const struct talk *talk, const struct heard *heard)
{
    fprintf(stderr, "helloc: %s refused: ", talk->target.name);
    show(stderr, heard->words, heard->length);
    fputc('\n', stderr);
    return EXITS_REFUSED;
}

static int say_silent(const struct talk *talk, struct heard *heard)
{
    fprintf(stderr, "helloc: no answer from %s within %g s", talk->target.name,
            talk->options.wait_ms / 1000.0);
    if (is_stream(talk) && heard->length > 0)
        say_sample(heard);
    if (!is_stream(talk))
        fprintf(stderr, ", asked %u times", talk->asking.tries);
    if (!is_stream(talk) && talk->asking.ignored > 0)
        fprintf(stderr, "; %u that came were to something else", talk->asking.ignored);
    fputc('\n', stderr);
    return EXITS_TOO_LATE;
}

static int say_ended(const struct talk *talk, struct heard *heard)
{
    if (heard->length > 0 && show_is_refusal(heard->words, heard->length))
        return say_refused(talk, heard);
    fprintf(stderr, "helloc: %s has %s", talk->target.name,
            heard->error != 0 ? "broken the connection off" : "closed the connection");
    if (heard->length > 0)
        say_sample(heard);
    fprintf(stderr, "%s%s\n", heard->error != 0 ? ": " : "", heard->error != 0 ? strerror(heard->error) : "");
    return EXITS_STRANGE;
}

/* Says why there are no words, and returns what to exit with. */
static int say_why(struct talk *talk, enum heard_kind kind, struct heard *heard)
{
    switch (kind) {
    case HEARD_NOTHING:
        return say_silent(talk, heard);
    case HEARD_NOBODY:
        return say_nobody(talk, &talk->asking.trouble);
    case HEARD_FLOOD:
        fprintf(stderr, "helloc: %s says more than %d bytes without an end\n", talk->target.name, HEARD_MAX);
        return EXITS_STRANGE;
    default:
        return say_ended(talk, heard);
    }
}

static void on_repeat(void *owner, unsigned since_ms)
{
    const struct talk *talk = owner;

    fprintf(stderr, "helloc: no answer from %s after %u s, asking again\n", talk->target.name,
            (since_ms + 500) / 1000);
}

/* Prints words of the server's as one line. */
static int print_words(const struct talk *talk, const struct heard *heard)
{
    if (talk->is_shown || memchr(heard->words, '\n', heard->length) != NULL)
        show(stdout, heard->words, heard->length);
    else
        fwrite(heard->words, 1, heard->length, stdout);
    fputc('\n', stdout);
    if (fflush(stdout) == 0)
        return EXITS_DONE;
    fprintf(stderr, "helloc: standard output: %s\n", strerror(errno));
    return EXITS_IO;
}

/* ---- Talking ---- */

static int ask(struct talk *talk, const char *name, size_t length)
{
    struct heard heard = {.words = NULL};
    enum heard_kind kind = is_stream(talk)
                               ? dialogue_ask(&talk->dialogue, name, length, deadline_ms(talk), &heard)
                               : asking_ask(&talk->asking, name, length, deadline_ms(talk), &heard);

    if (kind != HEARD_WORDS)
        return say_why(talk, kind, &heard);
    if (is_stream(talk) && show_is_refusal(heard.words, heard.length))
        return say_refused(talk, &heard);
    if (talk->is_person)
        fputs("From server: ", stdout);
    return print_words(talk, &heard);
}

/* Takes what the server has said without being asked; it may have gone. */
static int overhear(struct talk *talk, bool at_prompt)
{
    struct heard heard = {.words = NULL};
    bool is_greeting = talk->dialogue.ungreeted;
    enum heard_kind kind = dialogue_overhear(&talk->dialogue, &heard);

    if (at_prompt && talk->is_person && kind != HEARD_NOTHING)
        fputc('\n', stdout);
    if (kind == HEARD_NOTHING)
        return EXITS_DONE;
    if (kind != HEARD_WORDS)
        return say_why(talk, kind, &heard);
    if (show_is_refusal(heard.words, heard.length))
        return say_refused(talk, &heard);
    if (!talk->is_person)
        return EXITS_DONE; /* nobody asked: it would be taken for an answer */
    if (!is_greeting)
        fputs("From server: ", stdout);
    return print_words(talk, &heard);
}

static bool is_word(const struct input_line *line, const char *word)
{
    return line->length == strlen(word) && memcmp(line->text, word, line->length) == 0;
}

/* Whether LINE means that the person wants to go. */
static bool is_goodbye(const struct talk *talk, const struct input_line *line)
{
    return line->length == 0 || is_word(line, "quit") || (is_stream(talk) && is_word(line, "disconnect"));
}

/* Deals with LINE. Returns what to exit with; EXITS_DONE: go on. */
static int take_line(struct talk *talk, const struct input_line *line)
{
    /* What is there already is no answer to this. */
    int result = is_stream(talk) ? overhear(talk, false) : EXITS_DONE;

    if (result == EXITS_DONE)
        result = ask(talk, line->text, line->length);
    /* Who waits at a terminal may ask again; who reads a pipe needs an answer to each line. */
    if (!is_stream(talk) && talk->is_person && (result == EXITS_TOO_LATE || result == EXITS_NOBODY))
        return EXITS_DONE;
    return result;
}

static int say_input(enum input_news news)
{
    if (news == INPUT_TOO_LONG)
        fprintf(stderr, "helloc: a line has more than %d bytes\n", INPUT_MAX);
    else
        fprintf(stderr, "helloc: standard input: %s\n", strerror(errno));
    return EXITS_IO;
}

static int converse(struct talk *talk)
{
    int watched = is_stream(talk) ? talk->dialogue.fd : -1, result = EXITS_DONE;

    while (result == EXITS_DONE) {
        struct input_line line;
        enum input_news news = talk->is_person ? editor_next(talk->editor, watched, &line)
                                               : input_next(&talk->input, watched, &line);
        if (news == INPUT_LINE && is_goodbye(talk, &line))
            break;
        if (news == INPUT_LINE) {
            result = take_line(talk, &line);
        } else if (news == INPUT_WATCHED) {
            result = overhear(talk, true);
        } else if (news == INPUT_END) {
            if (talk->is_person)
                fputc('\n', stdout);
            break;
        } else {
            result = say_input(news);
        }
    }
    return result;
}

/* ---- Beginning and end ---- */

/* Listens to what the server says first, if it does. */
static int be_greeted(struct talk *talk)
{
    struct heard heard = {.words = NULL};
    enum heard_kind kind = dialogue_greeting(&talk->dialogue, deadline_ms(talk), &heard);

    if (kind == HEARD_NOTHING && heard.length == 0)
        return EXITS_DONE; /* it may have no greeting */
    if (kind != HEARD_WORDS)
        return say_why(talk, kind, &heard);
    if (show_is_refusal(heard.words, heard.length))
        return say_refused(talk, &heard);
    return talk->is_person ? print_words(talk, &heard) : EXITS_DONE;
}

static int say_system(void)
{
    fprintf(stderr, "helloc: %s\n", strerror(errno));
    return EXITS_SYSTEM;
}

static int begin(struct talk *talk)
{
    struct dial dial;

    if (!is_stream(talk))
        return asking_open(&talk->asking, &talk->target, on_repeat, talk) < 0 ? say_system() : EXITS_DONE;
    if (dial_connect(&talk->target, talk->options.wait_ms, &dial) < 0)
        return say_nobody(talk, &dial);
    return dialogue_open(&talk->dialogue, dial.fd, dial.type) < 0 ? say_system() : be_greeted(talk);
}

/* Editing takes UTF-8, as the server does, whatever the locale. */
static void prepare_terminal(struct talk *talk)
{
    talk->is_shown = isatty(STDOUT_FILENO);
    talk->is_person = talk->is_shown && isatty(STDIN_FILENO) && talk->options.message == NULL;
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

static int run(struct talk *talk)
{
    const char *message = talk->options.message;
    int result = begin(talk);

    if (result != EXITS_DONE)
        return result;
    if (message != NULL)
        return ask(talk, message, strlen(message));
    if (talk->is_person && (talk->editor = editor_open("Your input: ")) == NULL)
        return say_system();
    return converse(talk);
}

static int find(struct talk *talk)
{
    char why[TARGET_WHY_MAX];

    switch (target_find(&talk->target, &talk->options.wish, talk->options.wait_ms, why)) {
    case TARGET_OK:
        return EXITS_DONE;
    case TARGET_WRONG:
        fprintf(stderr, "helloc: %s\n", why);
        return EXITS_USAGE;
    default:
        fprintf(stderr, "helloc: %s\n", why);
        return EXITS_NO_HOST;
    }
}

int talk_main(int argc, char **argv)
{
    struct talk talk = {.dialogue = {.fd = -1}};

    if (talk_options_read(&talk.options, argc, argv) < 0)
        return EXITS_USAGE;
    if (talk.options.done)
        return EXITS_DONE;
    int result = find(&talk);
    if (result != EXITS_DONE)
        return result;
    prepare_terminal(&talk);
    result = run(&talk);
    editor_close(talk.editor);
    dialogue_end(&talk.dialogue);
    if (talk.asking.target != NULL)
        asking_close(&talk.asking);
    return result;
}
