/* The memory of tables of sources. Knows nothing of what is in it. */
#include "worker/cells.h"

#include <errno.h>
#include <sys/mman.h>

void *cells_open(struct cells *cells, size_t size)
{
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED)
        return NULL;
    *cells = (struct cells){.users = 1, .size = size, .memory = memory};
    if (hash_key_make(&cells->key) == 0)
        return memory;
    int saved = errno;
    munmap(memory, size);
    errno = saved;
    return NULL;
}

void cells_share(struct cells *cells)
{
    cells->users++;
}

bool cells_close(struct cells *cells)
{
    if (--cells->users > 0)
        return false;
    munmap(cells->memory, cells->size);
    return true;
}
