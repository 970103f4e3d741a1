/* A status as JSON. Must not know which members there are. */
#include "ctl/json.h"

#include <inttypes.h>
#include <string.h>

/* Writes the character at *AT that quote_character() does not like, and moves *AT behind it. */
static void print_other(FILE *out, const char **at)
{
    const unsigned char *bytes = (const unsigned char *) *at;
    bool is_c1 = bytes[0] == 0xC2 && bytes[1] >= 0x80 && bytes[1] < 0xA0;

    *at += is_c1 ? 2 : 1;
    fprintf(out, "\\u%04x", is_c1 ? bytes[1] : bytes[0] < 0x80 ? bytes[0] : 0xFFFD);
}

static void print_string(FILE *out, const char *text)
{
    fputc('"', out);
    while (*text != '\0') {
        size_t bytes = quote_character(text);
        if (bytes == 0) {
            print_other(out, &text);
            continue;
        }
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        fwrite(text, 1, bytes, out);
        text += bytes;
    }
    fputc('"', out);
}

static void print_line(FILE *out, const struct quote_line *line)
{
    fputc('{', out);
    for (unsigned i = 0; i < line->count; i++) {
        const struct quote_field *field = &line->fields[i];
        fprintf(out, "%s\"%s\":", i > 0 ? "," : "", field->key);
        if (field->type == QUOTE_STRING)
            print_string(out, field->value);
        else
            fputs(field->value, out);
    }
    fputc('}', out);
}

static void print_lines(FILE *out, const char *name, const struct status *status, const char *word)
{
    const struct quote_line *line;
    const char *comma = "";

    fprintf(out, ",\"%s\":[", name);
    for (unsigned i = 0; (line = status_next(status, word, &i)) != NULL; comma = ",") {
        fputs(comma, out);
        print_line(out, line);
    }
    fputc(']', out);
}

static void print_counters(FILE *out, const struct status *status)
{
    const struct quote_line *line;
    const char *comma = "";

    fputs(",\"counters\":{", out);
    for (unsigned i = 0; (line = status_next(status, "counter", &i)) != NULL; comma = ",") {
        fputs(comma, out);
        print_string(out, status_text(line, "name"));
        fprintf(out, ":%" PRIu64, status_number(line, "value"));
    }
    fputc('}', out);
}

void json_status(FILE *out, const struct status *status)
{
    fputs("{\"service\":", out);
    print_line(out, status_line(status, "service"));
    fputs(",\"reload\":", out);
    print_line(out, status_line(status, "reload"));
    print_lines(out, "listeners", status, "listener");
    print_lines(out, "workers", status, "worker");
    print_counters(out, status);
    print_lines(out, "metrics", status, "metric");
    print_lines(out, "values", status, "value");
    print_lines(out, "buckets", status, "bucket");
    print_lines(out, "sums", status, "sum");
    fputs("}\n", out);
}
