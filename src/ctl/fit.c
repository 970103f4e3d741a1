/* The parts of a status, cut to a screen. Must not know what is in them. */
#include "ctl/fit.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/text.h"

enum {
    LEAST_ROWS = 3 /* of a part that is cut: its title, the first line, and how many there are more */
};

struct part {
    char *text; /* NULL when memory is short */
    unsigned rows, shown;
};

/* Where the next line begins, and in *ROWS how many rows the one at LINE takes. */
static const char *skip_line(const char *line, unsigned columns, unsigned *rows)
{
    unsigned column = 0;

    *rows = 1;
    for (; *line != '\0' && *line != '\n'; line += quote_character(line))
        if (column++ == columns) {
            column = 1;
            (*rows)++;
        }
    return *line == '\n' ? line + 1 : line;
}

static struct part make_part(const struct status *status, enum text_part which, unsigned columns)
{
    struct part part = {0};
    size_t length;
    unsigned rows;
    FILE *out = open_memstream(&part.text, &length);

    if (out == NULL)
        return part;
    text_part(out, status, which);
    if (fclose(out) != 0)
        return part;
    for (const char *line = part.text; *line != '\0'; part.rows += rows)
        line = skip_line(line, columns, &rows);
    part.shown = part.rows;
    return part;
}

/* Takes up to *EXCESS rows away from PART. */
static void cut(struct part *part, unsigned *excess)
{
    unsigned least = part->rows < LEAST_ROWS ? part->rows : LEAST_ROWS, most = part->rows - least;
    unsigned away = *excess < most ? *excess : most;

    part->shown -= away;
    *excess -= away;
}

static void print_part(FILE *out, const struct part *part, unsigned columns)
{
    unsigned used = 0, rows, left = 0;
    const char *line = part->text, *next;

    if (line == NULL || part->shown == part->rows) {
        fputs(line != NULL ? line : "", out);
        return;
    }
    while (next = skip_line(line, columns, &rows), used + rows < part->shown) {
        fwrite(line, 1, (size_t) (next - line), out);
        used += rows;
        line = next;
    }
    for (; *line != '\0'; left++)
        line = skip_line(line, columns, &rows);
    fprintf(out, " and %u more lines, which this screen has no room for\n", left);
}

void fit_status(FILE *out, const struct status *status, unsigned rows, unsigned columns)
{
    static const enum text_part order[] = {TEXT_WORKERS, TEXT_LISTENERS, TEXT_REFUSALS};
    struct part parts[TEXT_PARTS];
    unsigned all = 0;

    for (unsigned i = 0; i < TEXT_PARTS; i++) {
        parts[i] = make_part(status, i, columns);
        all += parts[i].rows;
    }
    unsigned excess = all > rows ? all - rows : 0;
    for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        cut(&parts[order[i]], &excess);
    for (unsigned i = 0; i < TEXT_PARTS; i++) {
        print_part(out, &parts[i], columns);
        free(parts[i].text);
    }
}
