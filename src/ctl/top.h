/* The command `top`: the service on a terminal, refreshed each second. */
#ifndef HELLOD_CTL_TOP_H
#define HELLOD_CTL_TOP_H

#include "ctl/ask.h"

/* Shows the service at PATH until somebody presses q or Ctrl-C, a signal comes, or the terminal is gone. A
 * service that goes away is waited for. Returns what to exit with, after saying why if it is not ASK_DONE;
 * ASK_USAGE: there is no terminal. */
enum ask_exit top_run(const char *path);

#endif
