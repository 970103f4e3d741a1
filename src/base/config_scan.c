/* The look at the bytes of a config before libconfig gets them: bounds that its parser lacks, and line
 * numbers that it gets wrong. Must not know what an option is. */
#include "base/config_scan.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum token_kind {
    TOKEN_END,
    TOKEN_OPEN,  /* one of ( [ { */
    TOKEN_CLOSE, /* one of ) ] } */
    TOKEN_COMMA,
    TOKEN_EQUALS,
    TOKEN_NAME,
    TOKEN_STRING, /* with its quotes */
    TOKEN_INTEGER,
    TOKEN_OTHER,
    TOKEN_BROKEN /* the scanner's problem says why */
};

struct token {
    enum token_kind kind;
    const char *start;
    size_t length;
    unsigned line; /* on which it begins */
};

/* Cuts the text at the same places as libconfig's scanner does; a place where they differed would be a hole
 * in the bounds. at is never beyond the NUL that ends the text. */
struct scanner {
    const char *at;
    unsigned line;
    const char *problem;
};

/* Moves to the first byte that is neither blank nor in a comment. */
static void skip_blank(struct scanner *scanner)
{
    for (;;) {
        const char *at = scanner->at;
        if (*at == '#' || (at[0] == '/' && at[1] == '/')) {
            scanner->at = strchrnul(at, '\n');
        } else if (at[0] == '/' && at[1] == '*') {
            const char *end = strstr(at + 2, "*/");
            if (!end) {
                scanner->problem = "this comment is never closed";
                return;
            }
            for (; at < end; at++)
                scanner->line += *at == '\n';
            scanner->at = end + 2;
        } else if (*at && strchr(" \t\r\f\n", *at)) {
            scanner->line += *at == '\n';
            scanner->at++;
        } else {
            return;
        }
    }
}

/* The end of the string that begins at the scanner's place, or NULL with its problem set. */
static const char *string_end(struct scanner *scanner)
{
    const char *at = scanner->at + 1;

    for (; *at != '"'; at++) {
        if (!*at) {
            scanner->problem = "this string is never closed";
            return NULL;
        }
        if (*at == '\n')
            scanner->line++;
        if (at[0] != '\\')
            continue;
        if (tolower((unsigned char) at[1]) == 'x' && at[2] == '0' && at[3] == '0') {
            scanner->problem = "a string cannot hold a NUL byte";
            return NULL;
        }
        if (at[1] == '\\' || at[1] == '"')
            at++;
    }
    return at + 1;
}

static const char *skip_digits(const char *at)
{
    while (isdigit((unsigned char) *at))
        at++;
    return at;
}

/* The end of the exponent at AT, or AT if there is none. */
static const char *skip_exponent(const char *at)
{
    const char *digits = at + 1;

    if (*at != 'e' && *at != 'E')
        return at;
    if (*digits == '+' || *digits == '-')
        digits++;
    return isdigit((unsigned char) *digits) ? skip_digits(digits) : at;
}

/* The end of the number at AT, which begins with a digit or a dot; says in *INTEGER whether it has no
 * fraction. */
static const char *number_end(const char *at, bool *integer)
{
    const char *end;

    *integer = true;
    if (at[0] == '0' && tolower((unsigned char) at[1]) == 'x' && isxdigit((unsigned char) at[2])) {
        for (end = at + 2; isxdigit((unsigned char) *end); end++)
            ;
    } else {
        end = skip_digits(at);
        const char *rest = skip_exponent(*end == '.' ? skip_digits(end + 1) : end);
        if (rest > end) {
            *integer = false;
            return rest;
        }
    }
    if (*end == 'L')
        end += end[1] == 'L' ? 2 : 1;
    return end;
}

static const char *name_end(const char *at)
{
    while (isalnum((unsigned char) *at) || (*at && strchr("-_*", *at)))
        at++;
    return at;
}

static struct token next_token(struct scanner *scanner)
{
    skip_blank(scanner);

    const char *at = scanner->at;
    const char *end = at + 1;
    struct token token = {.kind = TOKEN_OTHER, .start = at, .line = scanner->line};
    bool integer;

    if (*at == '\0') {
        token.kind = TOKEN_END;
        end = at;
    } else if (strchr("([{", *at)) {
        token.kind = TOKEN_OPEN;
    } else if (strchr(")]}", *at)) {
        token.kind = TOKEN_CLOSE;
    } else if (*at == ',') {
        token.kind = TOKEN_COMMA;
    } else if (*at == '=' || *at == ':') {
        token.kind = TOKEN_EQUALS;
    } else if (*at == '"') {
        token.kind = TOKEN_STRING;
        end = string_end(scanner);
    } else if (isalpha((unsigned char) *at) || *at == '*') {
        token.kind = TOKEN_NAME;
        end = name_end(at);
    } else if (isdigit((unsigned char) *at) || *at == '.') {
        end = number_end(at, &integer);
        token.kind = integer ? TOKEN_INTEGER : TOKEN_OTHER;
    } else if (!strncmp(at, "@include", 8)) {
        scanner->problem = "@include is not supported: put such a file into the folder conf.d";
    }
    if (scanner->problem) {
        token.kind = TOKEN_BROKEN;
        return token;
    }
    token.length = (size_t) (end - at);
    scanner->at = end;
    return token;
}

/* Puts INT_MAX in place of the number of LENGTH bytes at START if it is larger; it is out of every range and
 * so will be complained of. */
static void bound_number(char *start, size_t length)
{
    char digits[16];
    int base = tolower((unsigned char) start[1]) == 'x' ? 16 : 10;

    errno = 0;
    unsigned long value = strtoul(start, NULL, base);
    if (value <= INT_MAX && !errno)
        return;
    int written = snprintf(digits, sizeof(digits), "%d", INT_MAX);
    memset(start, ' ', length);
    memcpy(start, digits, (size_t) written);
}

/* Whether a string may stand after the token BEFORE in the bracket OPEN. libconfig would refuse it, too,
 * but 1.5 forgets the memory of a string that it did not expect. */
static bool may_follow(const struct token *before, char open)
{
    switch (before->kind) {
    case TOKEN_EQUALS:
    case TOKEN_STRING:
        return true;
    case TOKEN_OPEN:
    case TOKEN_COMMA:
        return open == '(' || open == '[';
    default:
        return false;
    }
}

const char *scan_check(char *text, size_t length, unsigned *line)
{
    struct scanner scanner = {.at = text, .line = 1};
    struct token before = {.kind = TOKEN_END};
    char open[SCAN_DEPTH_MAX + 1] = {'{'}; /* the brackets around us; the outermost level is a group */
    unsigned depth = 0;

    if (strlen(text) <= length) {
        for (const char *at = text; *at; at++)
            scanner.line += *at == '\n';
        *line = scanner.line;
        return "a NUL byte; is this a text file?";
    }
    for (;;) {
        struct token token = next_token(&scanner);
        *line = token.line;
        if (token.kind == TOKEN_END)
            return NULL;
        if (token.kind == TOKEN_BROKEN)
            return scanner.problem;
        if (token.kind == TOKEN_STRING && !may_follow(&before, open[depth]))
            return "a string has no place here";
        if (token.kind == TOKEN_INTEGER)
            bound_number(text + (token.start - text), token.length);
        if (token.kind == TOKEN_OPEN && depth == SCAN_DEPTH_MAX)
            return "groups and lists are nested too deep";
        if (token.kind == TOKEN_OPEN)
            open[++depth] = *token.start;
        else if (token.kind == TOKEN_CLOSE && depth)
            depth--;
        before = token;
    }
}

unsigned scan_element_line(const char *text, unsigned line, const char *name, unsigned index)
{
    struct scanner scanner = {.at = text, .line = 1};
    struct token token;
    unsigned depth = 0;
    size_t length = strlen(name);

    do
        token = next_token(&scanner);
    while (token.kind != TOKEN_END && (token.kind != TOKEN_NAME || token.line != line ||
                                       token.length != length || strncmp(token.start, name, length) != 0));
    while (token.kind != TOKEN_END) {
        if (depth == 1 && index == 0 && token.kind != TOKEN_COMMA)
            return token.line;
        if (token.kind == TOKEN_OPEN)
            depth++;
        else if (token.kind == TOKEN_CLOSE && --depth == 0)
            break;
        else if (token.kind == TOKEN_COMMA && depth == 1)
            index--;
        token = next_token(&scanner);
    }
    return line;
}
