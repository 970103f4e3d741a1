/* The terminal of a full-screen program: taken over, drawn on, and given back as it was. Knows nothing of
 * what is drawn. There is one in a process, as there is one set of signals. */
#ifndef HELLOD_CTL_TERMINAL_H
#define HELLOD_CTL_TERMINAL_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

/* Takes the terminal of standard input and output over: its alternate screen, no echo, no signals from keys;
 * and SIGTERM, SIGINT, SIGHUP and SIGWINCH. Returns 0, or -1 with errno, ENOTTY when it is none. */
int terminal_enter(void);

/* Gives everything back; fine when it was not taken over. */
void terminal_leave(void);

/* True when a signal has asked the program to end. */
bool terminal_ended(void);

/* The size of standard output in ROWS and COLUMNS, 24 and 80 if it does not know; whether it was taken over
 * or not. */
void terminal_size(unsigned *rows, unsigned *columns);

/* Waits as poll(2) does, at most TIMEOUT_MS; a signal ends the wait. */
int terminal_wait(struct pollfd *fds, nfds_t count, int timeout_ms);

/* Puts the lines of TEXT on the screen in one write: cut to ROWS and to less than COLUMNS, which are at least
 * 1, and nothing else left there. All of TEXT must be fit for a terminal. What a terminal does not take
 * within a second is dropped. */
void terminal_draw(const char *text, unsigned rows, unsigned columns);

#endif
