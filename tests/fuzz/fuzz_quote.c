/* The quotes and escapes of the control protocol, and what is shown to a person: any bytes go into one line
 * of characters and come out of it again, and a line that is taken apart can be put together again.
 *
 * Input: the bytes of a text, and those of a line. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/quote.h"
#include "client/show.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    INPUT_MAX = 4096
};

/* Reads one character as any decoder does, and asserts that it is one that may be shown, in its shortest
 * form. Returns its bytes. */
static size_t assert_character(const char *text)
{
    static const uint32_t first[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *at = (const unsigned char *) text;
    size_t bytes = at[0] < 0x80 ? 1 : at[0] >> 5 == 6 ? 2 : at[0] >> 4 == 14 ? 3 : at[0] >> 3 == 30 ? 4 : 0;

    assert(bytes > 0);
    uint32_t code = bytes == 1 ? at[0] : at[0] & (0x7FU >> bytes);
    for (size_t i = 1; i < bytes; i++) {
        assert(at[i] >> 6 == 2);
        code = code << 6 | (at[i] & 0x3F);
    }
    assert(code >= first[bytes] && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF));
    assert(code >= 0x20 && (code < 0x7F || code > 0x9F));
    return bytes;
}

static void assert_shown(const char *text)
{
    while (*text != '\0')
        text += assert_character(text);
}

/* TEXT in quotes is found again, byte for byte. */
static void check_round(const char *text)
{
    struct quote_line parsed;
    size_t length;
    char *line = NULL;
    FILE *out = open_memstream(&line, &length);

    assert(out != NULL);
    fputs("word a=1 key=", out);
    quote_print(out, text);
    fputs(" b=true", out);
    fclose(out);
    assert_shown(line);
    assert(quote_parse(line, &parsed) == 0 && parsed.count == 3);
    const struct quote_field *field = quote_find(&parsed, "key");
    assert(field != NULL && field->type == QUOTE_STRING && strcmp(field->value, text) == 0);
    free(line);
}

static void check_shown(const char *text, size_t length)
{
    size_t shown_length;
    char *shown = NULL;
    FILE *out = open_memstream(&shown, &shown_length);

    assert(out != NULL);
    quote_show(out, text);
    size_t first = (size_t) ftell(out);
    show(out, text, length);
    fclose(out);
    assert_shown(shown);
    assert(first <= 4 * strlen(text) && shown_length - first >= length && shown_length - first <= 4 * length);
    assert(!show_is_refusal(text, length) || strncmp(text, "Sorry, ", 7) == 0);
    free(shown);
}

/* Writes PARSED as a line; the caller frees it. */
static char *put_together(const struct quote_line *parsed)
{
    size_t length;
    char *line = NULL;
    FILE *out = open_memstream(&line, &length);

    assert(out != NULL);
    fputs(parsed->word, out);
    for (unsigned i = 0; i < parsed->count; i++) {
        fprintf(out, " %s=", parsed->fields[i].key);
        if (parsed->fields[i].type == QUOTE_STRING)
            quote_print(out, parsed->fields[i].value);
        else
            fputs(parsed->fields[i].value, out);
    }
    fclose(out);
    return line;
}

static void check_line(char *line)
{
    struct quote_line parsed, again;

    if (quote_parse(line, &parsed) < 0)
        return;
    assert(parsed.count <= QUOTE_FIELDS_MAX);
    char *other = put_together(&parsed);
    assert(quote_parse(other, &again) == 0 && again.count == parsed.count);
    assert(strcmp(again.word, parsed.word) == 0);
    for (unsigned i = 0; i < parsed.count; i++) {
        assert(strcmp(again.fields[i].key, parsed.fields[i].key) == 0);
        assert(again.fields[i].type == parsed.fields[i].type);
        assert(strcmp(again.fields[i].value, parsed.fields[i].value) == 0);
    }
    free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MAX)
        return 0;
    char *text = calloc(1, size + 1);
    assert(text != NULL);
    memcpy(text, data, size);
    check_shown(text, size);
    check_round(text);
    check_line(text);
    free(text);
    return 0;
}
