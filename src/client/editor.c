/* Lines from a person at a terminal. Must not know what they mean. */
#include "client/editor.h"

#include <errno.h>
#include <histedit.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "client/past.h"

enum {
    LINES_MAX = 500 /* remembered */
};

struct editor {
    EditLine *edit;
    History *history;
    char *path; /* of the history; NULL: there is none */
    const char *prompt;
    int watched;
    enum input_news ended; /* why there is no line */
    mbstate_t state;       /* of the character that is coming in */
};

static struct editor *editor_of(EditLine *edit)
{
    void *editor = NULL;

    el_get(edit, EL_CLIENTDATA, &editor);
    return editor;
}

static char *prompt(EditLine *edit)
{
    static char text[64];

    snprintf(text, sizeof(text), "%s", editor_of(edit)->prompt);
    return text;
}

/* Waits until standard input can be read; false when only the watched descriptor can. libedit has handled the
 * signals that interrupt. */
static bool wait_for_key(const struct editor *editor)
{
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = editor->watched, .events = POLLIN}};

    while (poll(fds, 2, -1) < 0 && errno == EINTR)
        ;
    return fds[0].revents != 0;
}

/* Takes BYTE; true when it completes a character. What is none is left out, but the byte that shows it may
 * begin one. */
static bool take_byte(struct editor *editor, char byte, wchar_t *character)
{
    for (int i = 0; i < 2; i++) {
        size_t result = mbrtowc(character, &byte, 1, &editor->state);
        if (result != (size_t) -1)
            return result <= 1;
        memset(&editor->state, 0, sizeof(editor->state));
    }
    return false;
}

/* Reads one character for libedit. Returns 1, or 0 when there is none to come. */
static int read_character(EditLine *edit, wchar_t *character)
{
    struct editor *editor = editor_of(edit);

    for (;;) {
        char byte;
        editor->ended = INPUT_WATCHED;
        if (!wait_for_key(editor))
            return 0;
        editor->ended = INPUT_END;
        ssize_t bytes = read(STDIN_FILENO, &byte, 1);
        if (bytes < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (bytes <= 0)
            return 0;
        if (take_byte(editor, byte, character))
            return 1;
    }
}

static void set_up(struct editor *editor)
{
    EditLine *edit = editor->edit;
    HistEvent event;

    history(editor->history, &event, H_SETSIZE, LINES_MAX);
    history(editor->history, &event, H_SETUNIQUE, 1);
    if (editor->path != NULL)
        history(editor->history, &event, H_LOAD, editor->path);
    el_set(edit, EL_CLIENTDATA, editor);
    el_set(edit, EL_PROMPT, prompt);
    el_set(edit, EL_EDITOR, "emacs");
    el_set(edit, EL_SIGNAL, 1);
    el_set(edit, EL_HIST, history, editor->history);
    el_set(edit, EL_GETCFN, read_character);
    el_source(edit, NULL);
}

struct editor *editor_open(const char *prompt_text)
{
    struct editor *editor = calloc(1, sizeof(*editor));

    if (editor == NULL)
        return NULL;
    editor->prompt = prompt_text;
    editor->path = past_path();
    editor->history = history_init();
    editor->edit = el_init("helloc", stdin, stdout, stderr);
    if (editor->history == NULL || editor->edit == NULL) {
        editor_close(editor);
        errno = ENOMEM;
        return NULL;
    }
    set_up(editor);
    return editor;
}

static void save(FILE *out, void *owner)
{
    struct editor *editor = owner;
    HistEvent event;

    history(editor->history, &event, H_SAVE_FP, out);
}

/* Remembers LINE at once: the program may end by Ctrl-C. */
static void remember(struct editor *editor, const char *line)
{
    HistEvent event;

    history(editor->history, &event, H_ENTER, line);
    if (editor->path != NULL)
        past_replace(editor->path, save, editor);
}

enum input_news editor_next(struct editor *editor, int watched, struct input_line *line)
{
    int bytes = 0;

    editor->watched = watched;
    el_set(editor->edit, EL_PREP_TERM, 1); /* or who types at once sees it twice */
    const char *text = el_gets(editor->edit, &bytes);
    if (text == NULL || bytes <= 0)
        return editor->ended;
    size_t length = (size_t) bytes;
    if (text[length - 1] == '\n')
        length--;
    if (length > 0)
        remember(editor, text);
    *line = (struct input_line){text, length};
    return length > INPUT_MAX ? INPUT_TOO_LONG : INPUT_LINE;
}

void editor_close(struct editor *editor)
{
    if (editor == NULL)
        return;
    if (editor->edit != NULL)
        el_end(editor->edit);
    if (editor->history != NULL)
        history_end(editor->history);
    free(editor->path);
    free(editor);
}
