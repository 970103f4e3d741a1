/* The terminal of a full-screen program, by termios(3) and ECMA-48. Must not know what is drawn. */
#include "ctl/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/quote.h"

enum {
    STUCK_MS = 1000 /* a terminal that takes nothing for so long is not waited for */
};

/* The alternate screen, no cursor, no wrapping of lines; and back. */
static const char enter_text[] = "\x1b[?1049h\x1b[?25l\x1b[?7l";
static const char leave_text[] = "\x1b[?7h\x1b[?25h\x1b[?1049l";

static const int caught[] = {SIGTERM, SIGINT, SIGHUP, SIGWINCH};

static struct {
    int fd; /* for output; never blocks */
    bool entered;
    struct termios before;
    sigset_t unblocked; /* the signal mask while waiting; at all other times, CAUGHT are blocked */
} terminal = {.fd = -1};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    if (number != SIGWINCH)
        ended = 1;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked;

    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++) {
        sigaddset(&blocked, caught[i]);
        sigaction(caught[i], &action, NULL);
    }
    sigprocmask(SIG_BLOCK, &blocked, &terminal.unblocked);
    for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
        sigdelset(&terminal.unblocked, caught[i]);
}

/* Writes all of TEXT, unless the terminal is gone or takes none of it for a while. */
static void write_all(const char *text, size_t length)
{
    struct pollfd writable = {.fd = terminal.fd, .events = POLLOUT};

    while (length > 0) {
        ssize_t wrote = write(terminal.fd, text, length);
        if (wrote > 0) {
            text += wrote;
            length -= (size_t) wrote;
        } else if (errno != EAGAIN || terminal_wait(&writable, 1, STUCK_MS) == 0) {
            return;
        }
    }
}

int terminal_enter(void)
{
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, &terminal.before) < 0 || !isatty(STDOUT_FILENO))
        return -1;
    /* A description of its own: O_NONBLOCK on ours would be seen by the shell, too. */
    terminal.fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (terminal.fd < 0)
        return -1;
    catch_signals();
    raw = terminal.before;
    /* Without IXON, Ctrl-S cannot stop the screen for good. */
    raw.c_iflag &= ~(tcflag_t) (IXON | ICRNL);
    raw.c_lflag &= ~(tcflag_t) (ICANON | ECHO | ISIG | IEXTEN);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
        return -1;
    terminal.entered = true;
    write_all(enter_text, strlen(enter_text));
    return 0;
}

void terminal_leave(void)
{
    if (terminal.entered) {
        write_all(leave_text, strlen(leave_text));
        /* TCSADRAIN would wait for a terminal that takes nothing. */
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal.before);
    }
    if (terminal.fd >= 0)
        close(terminal.fd);
    terminal.fd = -1;
    terminal.entered = false;
}

bool terminal_ended(void)
{
    return ended != 0;
}

void terminal_size(unsigned *rows, unsigned *columns)
{
    struct winsize size = {0};

    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    *rows = size.ws_row > 0 ? size.ws_row : 24;
    *columns = size.ws_col > 0 ? size.ws_col : 80;
}

int terminal_wait(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};

    return ppoll(fds, count, timeout_ms < 0 ? NULL : &timeout, &terminal.unblocked);
}

/* Writes the first COLUMNS characters of the line at TEXT to OUT; returns where the next line begins, or
 * NULL. */
static const char *draw_line(FILE *out, const char *text, unsigned columns)
{
    const char *end = strchrnul(text, '\n');

    for (size_t bytes; columns > 0 && (bytes = quote_character(text)) > 0; columns--, text += bytes)
        fwrite(text, 1, bytes, out);
    fputs("\x1b[K", out);
    return *end == '\n' && end[1] != '\0' ? end + 1 : NULL;
}

void terminal_draw(const char *text, unsigned rows, unsigned columns)
{
    char *frame = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&frame, &length);

    if (out == NULL)
        return;
    fputs("\x1b[H", out);
    for (unsigned row = 0; row < rows && text != NULL; row++) {
        if (row > 0)
            fputs("\r\n", out);
        /* Erasing behind the last column would erase what is on it. */
        text = draw_line(out, text, columns - 1);
    }
    fputs("\x1b[J", out);
    if (fclose(out) == 0)
        write_all(frame, length);
    free(frame);
}
