/* Notes of kinds and of sources. Must not know what a line says, nor where it goes. */
#include "worker/lines.h"

#include <stdlib.h>

#include "worker/cells.h"
#include "worker/notes.h"

struct shared {
    struct notes kinds, sources;
};

struct lines {
    struct cells cells;
    struct shared *shared; /* its memory */
};

struct lines *lines_open(void)
{
    struct lines *lines = calloc(1, sizeof(*lines));

    if (lines == NULL)
        return NULL;
    lines->shared = cells_open(&lines->cells, sizeof(struct shared));
    if (lines->shared != NULL)
        return lines;
    free(lines);
    return NULL;
}

struct lines *lines_share(struct lines *lines)
{
    cells_share(&lines->cells);
    return lines;
}

void lines_close(struct lines *lines)
{
    if (lines != NULL && cells_close(&lines->cells))
        free(lines);
}

_Static_assert((int) LINE_SHORTAGE < (int) NOTES_SETS,
               "a set for each kind, so that there is always a place");

uint32_t lines_due(struct lines *lines, uint64_t now_ms, enum line kind, uint32_t times)
{
    return notes_add(&lines->shared->kinds, now_ms / 1000, (uint64_t) kind, times);
}

uint32_t lines_due_about(struct lines *lines, uint64_t now_ms, const uint8_t address[16], unsigned bits)
{
    return notes_add(&lines->shared->sources, now_ms / 1000, cells_hash(&lines->cells, address, bits), 1);
}
