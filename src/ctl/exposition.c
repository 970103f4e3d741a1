/* Metrics as text. Must not know which there are. */
#include "ctl/exposition.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/quote.h"

const char *exposition_type(enum exposition_form form)
{
    return form == EXPOSITION_OPENMETRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                          : "text/plain; version=0.0.4; charset=utf-8";
}

static void print_name(FILE *out, const char *name)
{
    for (; *name != '\0'; name++) {
        bool fit = (*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9') || *name == '_';
        fputc(fit ? *name : '_', out);
    }
}

static void print_family(FILE *out, const struct exposition_family *family)
{
    fputs("hellod_", out);
    print_name(out, family->name);
    if (family->unit[0] != '\0')
        fprintf(out, "_%s", family->unit);
}

/* TEXT as both forms have it in double quotes, and OpenMetrics has its help. */
static void print_escaped(FILE *out, const char *text, bool quotes)
{
    while (*text != '\0') {
        size_t bytes = quote_character(text);
        if (bytes == 0) {
            fprintf(out, "\\\\x%02x", (unsigned char) *text++);
            continue;
        }
        if (*text == '\\' || (*text == '"' && quotes))
            fputc('\\', out);
        fwrite(text, 1, bytes, out);
        text += bytes;
    }
}

/* What the lines about a family call it: in the plain format as its samples are called. */
static void print_about(const struct exposition *exposition, const char *what)
{
    static const char *const endings[] = {[EXPOSITION_COUNTER] = "_total",
                                          [EXPOSITION_GAUGE] = "",
                                          [EXPOSITION_HISTOGRAM] = "",
                                          [EXPOSITION_INFO] = "_info"};
    const struct exposition_family *family = exposition->family;

    fprintf(exposition->out, "# %s ", what);
    print_family(exposition->out, family);
    if (exposition->form == EXPOSITION_PLAIN)
        fputs(endings[family->kind], exposition->out);
    fputc(' ', exposition->out);
}

void exposition_begin(struct exposition *exposition, const struct exposition_family *family)
{
    static const char *const kinds[] = {[EXPOSITION_COUNTER] = "counter",
                                        [EXPOSITION_GAUGE] = "gauge",
                                        [EXPOSITION_HISTOGRAM] = "histogram",
                                        [EXPOSITION_INFO] = "info"};
    bool plain = exposition->form == EXPOSITION_PLAIN;
    FILE *out = exposition->out;

    exposition->family = family;
    print_about(exposition, "TYPE");
    fprintf(out, "%s\n", plain && family->kind == EXPOSITION_INFO ? "gauge" : kinds[family->kind]);
    if (!plain && family->unit[0] != '\0') {
        print_about(exposition, "UNIT");
        fprintf(out, "%s\n", family->unit);
    }
    print_about(exposition, "HELP");
    print_escaped(out, family->help, !plain);
    fputc('\n', out);
}

static const char *ending(enum exposition_kind kind, enum exposition_part part)
{
    switch (part) {
    case EXPOSITION_BUCKET:
        return "_bucket";
    case EXPOSITION_COUNT:
        return "_count";
    case EXPOSITION_SUM:
        return "_sum";
    case EXPOSITION_VALUE:
        break;
    }
    return kind == EXPOSITION_COUNTER ? "_total" : kind == EXPOSITION_INFO ? "_info" : "";
}

void exposition_sample(struct exposition *exposition, enum exposition_part part)
{
    print_family(exposition->out, exposition->family);
    fputs(ending(exposition->family->kind, part), exposition->out);
    exposition->labelled = false;
}

/* Begins the value of the label KEY. */
static void begin_label(struct exposition *exposition, const char *key)
{
    fputc(exposition->labelled ? ',' : '{', exposition->out);
    print_name(exposition->out, key);
    fputs("=\"", exposition->out);
    exposition->labelled = true;
}

void exposition_label(struct exposition *exposition, const char *key, const char *value)
{
    begin_label(exposition, key);
    print_escaped(exposition->out, value, true);
    fputc('"', exposition->out);
}

/* NUMBER / DIVISOR as a decimal fraction, exactly. OpenMetrics wants one with a point where IS_FLOAT. */
static void print_quotient(FILE *out, uint64_t number, uint64_t divisor, bool is_float)
{
    assert(divisor == 1 || divisor == 1000 || divisor == 1000000);
    fprintf(out, "%" PRIu64, number / divisor);
    if (divisor > 1)
        fprintf(out, ".%0*" PRIu64, divisor == 1000 ? 3 : 6, number % divisor);
    else if (is_float)
        fputs(".0", out);
}

void exposition_le(struct exposition *exposition, const uint64_t *number)
{
    begin_label(exposition, "le");
    if (number == NULL)
        fputs("+Inf", exposition->out);
    else
        print_quotient(exposition->out, *number, exposition->family->divisor, true);
    fputc('"', exposition->out);
}

void exposition_value(struct exposition *exposition, enum exposition_part part, uint64_t number)
{
    bool counts = part == EXPOSITION_BUCKET || part == EXPOSITION_COUNT;

    fputs(exposition->labelled ? "} " : " ", exposition->out);
    print_quotient(exposition->out, number, counts ? 1 : exposition->family->divisor, false);
    fputc('\n', exposition->out);
}

void exposition_end(struct exposition *exposition)
{
    if (exposition->form == EXPOSITION_OPENMETRICS)
        fputs("# EOF\n", exposition->out);
}
