/* The lines of the control protocol, printed and taken apart. Must not know what any of them says. */
#include "base/quote.h"

#include <string.h>

size_t quote_character(const char *text)
{
    const unsigned char *at = (const unsigned char *) text;
    unsigned char low = 0x80, high = 0xBF; /* of the second byte: RFC 3629, section 4 */

    if (at[0] < 0x80)
        return at[0] >= 0x20 && at[0] != 0x7F;
    if (at[0] < 0xC2 || at[0] > 0xF4) /* a byte out of place, an overlong form, or beyond U+10FFFF */
        return 0;
    if (at[0] == 0xC2 || at[0] == 0xE0)
        low = 0xA0; /* below are the C1 controls; an overlong form */
    else if (at[0] == 0xED)
        high = 0x9F; /* above are the surrogates */
    else if (at[0] == 0xF0)
        low = 0x90; /* below is an overlong form */
    else if (at[0] == 0xF4)
        high = 0x8F; /* above is beyond U+10FFFF */
    if (at[1] < low || at[1] > high)
        return 0;
    size_t bytes = at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
    for (size_t i = 2; i < bytes; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    return bytes;
}

/* Writes TEXT with a backslash before each character of SPECIAL. */
static void print(FILE *out, const char *text, const char *special)
{
    while (*text != '\0') {
        size_t bytes = quote_character(text);
        if (bytes == 0) {
            fprintf(out, "\\x%02x", (unsigned char) *text++);
            continue;
        }
        if (strchr(special, *text) != NULL)
            fputc('\\', out);
        fwrite(text, 1, bytes, out);
        text += bytes;
    }
}

void quote_show(FILE *out, const char *text)
{
    print(out, text, "");
}

/* Writes the byte at TEXT to OUT, which has room for it, as \xNN. */
static void write_escape(const char *text, char *out)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char byte = (unsigned char) *text;

    memcpy(out, "\\x", 2);
    out[2] = digits[byte >> 4];
    out[3] = digits[byte & 15];
}

size_t quote_copy(const char *text, char *out, size_t room)
{
    size_t used = 0;

    while (*text != '\0') {
        size_t bytes = quote_character(text), needed = bytes == 0 ? 4 : bytes;
        if (used + needed > room)
            break;
        if (bytes == 0)
            write_escape(text, out + used);
        else
            memcpy(out + used, text, bytes);
        text += bytes == 0 ? 1 : bytes;
        used += needed;
    }
    return used;
}

void quote_print(FILE *out, const char *text)
{
    fputc('"', out);
    print(out, text, "\"\\");
    fputc('"', out);
}

void quote_put_text(FILE *out, const char *key, const char *text)
{
    fprintf(out, " %s=", key);
    quote_print(out, text);
}

void quote_put_number(FILE *out, const char *key, uint64_t number)
{
    fprintf(out, " %s=%llu", key, (unsigned long long) number);
}

void quote_put_truth(FILE *out, const char *key, bool truth)
{
    fprintf(out, " %s=%s", key, truth ? "true" : "false");
}

/* The value of one digit of \xNN, or -1. */
static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that the escape at *AT, behind the backslash, stands for; -1 if it is none. Moves *AT behind it.
 * There is no \x00: strings end with it here. */
static int unescape(char **at)
{
    char *escape = *at;

    if (*escape == '"' || *escape == '\\') {
        *at = escape + 1;
        return *escape;
    }
    if (*escape != 'x' || digit(escape[1]) < 0 || digit(escape[2]) < 0)
        return -1;
    *at = escape + 3;
    int byte = digit(escape[1]) * 16 + digit(escape[2]);
    return byte > 0 ? byte : -1;
}

/* Takes the string at AT, behind its opening quote, out of its escapes in place. Returns what comes behind
 * the closing quote, or NULL. */
static char *take_string(char *at)
{
    char *to = at;

    while (*at != '"') {
        int byte = (unsigned char) *at;
        if (byte == '\0')
            return NULL;
        at++;
        if (byte == '\\')
            byte = unescape(&at);
        if (byte < 0)
            return NULL;
        *to++ = (char) byte;
    }
    *to = '\0';
    return at + 1;
}

/* The type of the bare VALUE; QUOTE_STRING if a bare value cannot be that. */
static enum quote_type bare_type(const char *value)
{
    const char *digits = value + (*value == '-');
    size_t length = strspn(digits, "0123456789");

    if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)
        return QUOTE_BOOLEAN;
    if (length == 0 || digits[length] != '\0' || (digits[0] == '0' && length > 1))
        return QUOTE_STRING;
    return QUOTE_NUMBER;
}

/* Ends the word or bare value at AT at the next byte that is END or the line's end. Returns what comes behind
 * END, or NULL at the line's end. */
static char *cut(char *at, char end)
{
    char *found = strchr(at, end);

    if (found == NULL)
        return NULL;
    *found = '\0';
    return found + 1;
}

static bool is_word(const char *text)
{
    return *text >= 'a' && *text <= 'z' &&
           text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-")] == '\0';
}

/* Takes the field at *AT and moves *AT to the next one, or sets it to NULL. Returns false if it is none. */
static bool take_field(char **at, struct quote_field *field)
{
    char *value = cut(*at, '=');

    if (value == NULL || !is_word(*at))
        return false;
    field->key = *at;
    if (*value != '"') {
        *at = cut(value, ' ');
        field->value = value;
        field->type = bare_type(value);
        return field->type != QUOTE_STRING;
    }
    char *behind = take_string(value + 1);
    if (behind == NULL || (*behind != ' ' && *behind != '\0'))
        return false;
    *at = *behind == ' ' ? behind + 1 : NULL;
    field->value = value + 1;
    field->type = QUOTE_STRING;
    return true;
}

int quote_parse(char *line, struct quote_line *parsed)
{
    char *at = cut(line, ' ');

    parsed->word = line;
    parsed->count = 0;
    if (!is_word(line))
        return -1;
    while (at != NULL) {
        struct quote_field field;
        if (parsed->count == QUOTE_FIELDS_MAX || !take_field(&at, &field) ||
            quote_find(parsed, field.key) != NULL)
            return -1;
        parsed->fields[parsed->count++] = field;
    }
    return 0;
}

const struct quote_field *quote_find(const struct quote_line *line, const char *key)
{
    for (unsigned i = 0; i < line->count; i++)
        if (strcmp(line->fields[i].key, key) == 0)
            return &line->fields[i];
    return NULL;
}
