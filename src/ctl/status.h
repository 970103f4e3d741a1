/* The reply to "status", taken apart. Knows the shape of its lines, not what they are about, save that one of
 * them is about the service. */
#ifndef HELLOD_CTL_STATUS_H
#define HELLOD_CTL_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/quote.h"

struct status {
    char *text; /* what the lines point into */
    struct quote_line *lines;
    unsigned count;
};

/* Takes REPLY apart; the caller frees STATUS with status_free(). Returns 0; or -1 with errno, EPROTO when it
 * is not the reply to "status". */
int status_parse(struct status *status, const char *reply);

/* Frees what status_parse() has made; fine on one that is zeroed. */
void status_free(struct status *status);

/* The first line of WORD at or behind number *I, or NULL; moves *I behind it. */
const struct quote_line *status_next(const struct status *status, const char *word, unsigned *i);

/* The first line of WORD; one without fields if there is none. */
const struct quote_line *status_line(const struct status *status, const char *word);

/* The number KEY of LINE; 0 if it has none or a negative one. */
uint64_t status_number(const struct quote_line *line, const char *key);

/* The value of KEY of LINE as it came, not fit for a terminal; "" if it has none. */
const char *status_text(const struct quote_line *line, const char *key);

/* Whether KEY of LINE is true. */
bool status_true(const struct quote_line *line, const char *key);

/* Whether the counter called NAME is about clients that did not get what they wanted. */
bool status_is_refusal(const char *name);

#endif
