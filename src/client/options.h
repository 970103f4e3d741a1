/* What the commands' lines have in common: numbers within bounds, an address family, whom to talk to. Says
 * nothing, because each command complains in its own way. */
#ifndef HELLOD_CLIENT_OPTIONS_H
#define HELLOD_CLIENT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "client/target.h"

/* What is wrong when options_family() fails. */
#define OPTIONS_FAMILIES "-4 and -6 exclude each other"

/* Reads the decimal number at the beginning of TEXT into *VALUE. Returns what follows it, or NULL if there is
 * no number from LEAST to MOST. */
const char *options_number(const char *text, unsigned long least, unsigned long most, unsigned long *value);

/* Reads TEXT, a decimal number with a fraction or without, LEAST to MOST, into *VALUE. False if it is none.
 */
bool options_fraction(const char *text, double least, double most, double *value);

/* The same, of seconds, into nanoseconds. */
bool options_seconds(const char *text, double least, double most, uint64_t *ns);

/* Has WISH be for FAMILY, AF_INET or AF_INET6, alone. False if it is for the other one. */
bool options_family(struct target_wish *wish, int family);

/* Takes the COUNT words at OPERANDS, [HOST [PORT]], into WISH, which points to them then. False if there are
 * more. */
bool options_operands(struct target_wish *wish, int count, char **operands);

#endif
