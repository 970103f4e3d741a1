/* Foreign text in a plugin's output. Must not know where it came from. */
#ifndef HELLOD_CLIENT_CHECK_TEXT_H
#define HELLOD_CLIENT_CHECK_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Writes the LENGTH bytes at TEXT, behind which there is a readable byte, to OUT as valid UTF-8 without
 * control characters, so that it stays on its line; without "|", which begins the performance data; and
 * without "<", ">" and "&", which web pages of monitoring systems have shown as they came. Each byte of
 * anything else is \xNN. */
void check_text(FILE *out, const char *text, size_t length);

#endif
