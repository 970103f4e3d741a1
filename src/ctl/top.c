/* The command `top`: asks for the status each second, and redraws. Must not know what the lines of a status
 * are.
 */
#include "ctl/top.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/terminal.h"
#include "ctl/view.h"

enum {
    REFRESH_MS = 1000,
    CONNECT_MS = 100, /* keys are not read meanwhile */
    ANSWER_MS = 10000,
    TROUBLE_MAX = 300
};

static const char question[] = "status";

struct top {
    const char *path;
    struct connection connection;
    bool asking;        /* a question is under way */
    uint64_t asked_ms;  /* when it was asked */
    uint64_t next_ms;   /* when to ask again */
    struct look before; /* at_ms is 0 until there were two in a row */
    struct look now;
    char trouble[TROUBLE_MAX]; /* why there is nothing new; "": there is */
    bool changed;              /* the screen is not up to date */
    bool quit;
};

static void lose(struct top *top, const char *why)
{
    snprintf(top->trouble, sizeof(top->trouble), "NO ANSWER, trying again: %s: %s", top->path, why);
    connection_close(&top->connection);
    top->asking = false;
    top->changed = true;
    /* What is known is shown on, but it is no base for rates. */
    status_free(&top->before.status);
    top->before.at_ms = 0;
}

/* Takes the reply for a new look. */
static void look(struct top *top)
{
    struct status status;

    top->asking = false;
    if (status_parse(&status, top->connection.reply) < 0) {
        lose(top, errno == EPROTO ? "what answers is not hellod" : strerror(errno));
        return;
    }
    status_free(&top->before.status);
    top->before = top->now;
    if (top->trouble[0] != '\0')
        top->before.at_ms = 0;
    top->now = (struct look){status, clock_ms()};
    top->trouble[0] = '\0';
    top->changed = true;
}

static void read_news(struct top *top)
{
    switch (connection_read(&top->connection)) {
    case CONNECTION_MORE:
        return;
    case CONNECTION_OK:
        look(top);
        return;
    case CONNECTION_FAILED:
        lose(top, connection_verdict(&top->connection));
        return;
    case CONNECTION_GONE:
        lose(top, "the connection was closed");
        return;
    case CONNECTION_STRANGE:
        lose(top, "what answers is not hellod, or broke off");
    }
}

/* What is due each second: a question; before it, a connection, if there is none. */
static void tick(struct top *top, uint64_t now_ms)
{
    top->next_ms = now_ms + REFRESH_MS;
    if (top->asking) {
        if (now_ms - top->asked_ms > ANSWER_MS)
            lose(top, "no answer in time");
        return;
    }
    if ((top->connection.fd < 0 && connection_open(&top->connection, top->path, CONNECT_MS) < 0) ||
        connection_ask(&top->connection, question) < 0) {
        lose(top, ask_why(errno));
        return;
    }
    top->asking = true;
    top->asked_ms = now_ms;
}

static void read_keys(struct top *top)
{
    static const char ending[] = {'q', 'Q', 3 /* Ctrl-C */};
    char keys[64];
    ssize_t got = read(STDIN_FILENO, keys, sizeof(keys));

    if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
        top->quit = true;
    for (ssize_t i = 0; i < got; i++)
        if (memchr(ending, keys[i], sizeof(ending)) != NULL)
            top->quit = true;
}

static void draw(struct top *top)
{
    unsigned rows, columns;
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    if (out == NULL)
        return;
    top->changed = false;
    terminal_size(&rows, &columns);
    view_print(out, &top->before, &top->now, top->trouble[0] != '\0' ? top->trouble : NULL, rows);
    if (fclose(out) == 0)
        terminal_draw(text, rows, columns);
    free(text);
}

static void run(struct top *top)
{
    while (!top->quit && !terminal_ended()) {
        uint64_t now_ms = clock_ms();
        if (now_ms >= top->next_ms)
            tick(top, now_ms);
        if (top->changed)
            draw(top);
        struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                               {.fd = top->connection.fd, .events = POLLIN}};
        if (terminal_wait(fds, 2, (int) (top->next_ms - now_ms)) < 0) {
            top->changed = true; /* a signal: the size may be another */
            continue;
        }
        if (fds[0].revents != 0)
            read_keys(top);
        if (fds[1].revents != 0)
            read_news(top);
    }
}

/* Fetches the first look the plain way, so that what is wrong from the start is said on a plain line. */
static enum ask_exit begin(struct top *top)
{
    enum ask_exit result = ask_connect(&top->connection, top->path);

    if (result == ASK_DONE)
        result = ask(&top->connection, top->path, question, ANSWER_MS);
    if (result != ASK_DONE)
        return result;
    look(top);
    return top->now.at_ms > 0 ? ASK_DONE : ask_say_strange(&top->connection, top->path);
}

enum ask_exit top_run(const char *path)
{
    struct top top = {.path = path, .connection = {.fd = -1}};

    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        fputs("helloctl: top needs a terminal; \"helloctl status\" prints once\n", stderr);
        return ASK_USAGE;
    }
    enum ask_exit result = begin(&top);
    if (result == ASK_DONE && terminal_enter() < 0) {
        fprintf(stderr, "helloctl: terminal: %s\n", strerror(errno));
        result = ASK_USAGE;
    } else if (result == ASK_DONE) {
        top.next_ms = clock_ms() + REFRESH_MS;
        run(&top);
    }
    terminal_leave();
    connection_close(&top.connection);
    status_free(&top.before.status);
    status_free(&top.now.status);
    return result;
}
