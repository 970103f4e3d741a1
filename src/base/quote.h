/* The lines of the control protocol: `WORD key=value ...`, where a value is a number, true, false, or a
 * string in double quotes. One side prints them, the other takes them apart. Knows no word and no key. */
#ifndef HELLOD_BASE_QUOTE_H
#define HELLOD_BASE_QUOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The bytes of the character that TEXT begins with: UTF-8 (RFC 3629) that is no control character (C0, DEL,
 * C1). 0 if there is none, at the end, too. */
size_t quote_character(const char *text);

/* Writes TEXT to OUT with every byte that quote_character() does not like as \xNN, so that it stays one line
 * of valid UTF-8 and leaves a terminal alone. */
void quote_show(FILE *out, const char *text);

/* Copies TEXT to OUT as quote_show() writes it, as far as it fits into ROOM bytes, and without a NUL; returns
 * the bytes written. A character is there whole or not at all. */
size_t quote_copy(const char *text, char *out, size_t room);

/* Writes TEXT to OUT in double quotes, as quote_show() does and with \" and \\ for quotes and backslashes, so
 * that quote_parse() finds the very bytes again. */
void quote_print(FILE *out, const char *text);

/* Writes the next field of a line: KEY and TEXT, as quote_print() does. */
void quote_put_text(FILE *out, const char *key, const char *text);

/* The same with a number. */
void quote_put_number(FILE *out, const char *key, uint64_t number);

/* The same with true or false. */
void quote_put_truth(FILE *out, const char *key, bool truth);

enum {
    QUOTE_FIELDS_MAX = 32 /* of one line */
};

enum quote_type {
    QUOTE_STRING,
    QUOTE_NUMBER, /* digits, as JSON has them: no leading zero, perhaps a minus */
    QUOTE_BOOLEAN /* true or false */
};

struct quote_field {
    const char *key;
    const char *value; /* a string without its quotes and escapes; else as it was written */
    enum quote_type type;
};

struct quote_line {
    const char *word;
    unsigned count;
    struct quote_field fields[QUOTE_FIELDS_MAX];
};

/* Takes LINE, which has no newline, apart in place: PARSED points into it. Words and keys are made of a-z,
 * 0-9, _ and -, and begin with a letter; one space is between the fields; no key comes twice. Returns 0, or
 * -1 when LINE is anything else; it is then spoilt. */
int quote_parse(char *line, struct quote_line *parsed);

/* The field KEY of LINE, or NULL. */
const struct quote_field *quote_find(const struct quote_line *line, const char *key);

#endif
