/* The connection table. Knows nothing of sockets, clocks and protocols. */
#include "worker/conns.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    KEEP_BUFFERS = 16 /* so few touched buffers are not worth a system call */
};

_Static_assert(sizeof(struct conn) == 48, "the cost of an idle connection is stated in the header");

static void *reserve(size_t size)
{
    /* Not counted against the memory limit of the machine before it is touched, and zero then. */
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

int conns_open(struct conns *conns, unsigned capacity, unsigned lists, size_t in_size, size_t out_size)
{
    *conns = (struct conns){.capacity = capacity, .lists = lists, .in_size = in_size, .out_size = out_size};
    conns->stride = (sizeof(struct buffer) + in_size + out_size + 15) / 16 * 16;
    conns->buffers_mapped = conns->stride * capacity;
    conns->buffer_free = CONN_NONE;
    conns->table = reserve(sizeof(struct conn) * capacity);
    conns->buffers = reserve(conns->buffers_mapped);
    conns->heads = malloc(sizeof(int32_t) * (lists + 1));
    conns->tails = malloc(sizeof(int32_t) * (lists + 1));
    if (conns->table == NULL || conns->buffers == NULL || conns->heads == NULL || conns->tails == NULL) {
        conns_close(conns);
        errno = ENOMEM;
        return -1;
    }
    for (unsigned i = 0; i <= lists; i++)
        conns->heads[i] = conns->tails[i] = CONN_NONE;
    return 0;
}

void conns_close(struct conns *conns)
{
    if (conns->table != NULL)
        munmap(conns->table, sizeof(struct conn) * conns->capacity);
    if (conns->buffers != NULL)
        munmap(conns->buffers, conns->buffers_mapped);
    free(conns->heads);
    free(conns->tails);
    *conns = (struct conns){0};
}

static void append(struct conns *conns, struct conn *conn, unsigned list)
{
    int32_t index = (int32_t) conns_index(conns, conn);

    conn->list = (uint8_t) list;
    conn->next = CONN_NONE;
    conn->previous = conns->tails[list];
    if (conn->previous == CONN_NONE)
        conns->heads[list] = index;
    else
        conns->table[conn->previous].next = index;
    conns->tails[list] = index;
}

static void detach(struct conns *conns, struct conn *conn)
{
    if (conn->previous == CONN_NONE)
        conns->heads[conn->list] = conn->next;
    else
        conns->table[conn->previous].next = conn->next;
    if (conn->next == CONN_NONE)
        conns->tails[conn->list] = conn->previous;
    else
        conns->table[conn->next].previous = conn->previous;
}

struct conn *conns_new(struct conns *conns, unsigned list, uint32_t now_ms)
{
    struct conn *conn;

    /* Used ones first, so that the table's memory grows with the most that were ever open and not beyond. */
    if (conns->tails[conns->lists] != CONN_NONE) {
        conn = &conns->table[conns->tails[conns->lists]];
        detach(conns, conn);
    } else if ((unsigned) conns->fresh < conns->capacity) {
        conn = &conns->table[conns->fresh++];
    } else {
        return NULL;
    }
    *conn = (struct conn){.fd = -1, .buffer = CONN_NONE, .stamp_ms = now_ms};
    append(conns, conn, list);
    return conn;
}

void conns_free(struct conns *conns, struct conn *conn)
{
    assert(conn->list != conns->lists);
    conns_unbuffer(conns, conn);
    detach(conns, conn);
    append(conns, conn, conns->lists);
}

void conns_move(struct conns *conns, struct conn *conn, unsigned list, uint32_t now_ms)
{
    conn->stamp_ms = now_ms;
    if (conn->list == list && conn->next == CONN_NONE)
        return; /* it is the last one as it is */
    detach(conns, conn);
    append(conns, conn, list);
}

struct buffer *conns_buffer(struct conns *conns, struct conn *conn)
{
    if (conn->buffer != CONN_NONE)
        return conns_buffer_at(conns, conn->buffer);
    bool reused = conns->buffer_free != CONN_NONE;
    conn->buffer = reused ? conns->buffer_free : conns->buffer_fresh++;
    struct buffer *buffer = conns_buffer_at(conns, conn->buffer);
    if (reused)
        conns->buffer_free = buffer->next_free;
    *buffer = (struct buffer){0};
    conns->buffers_used++;
    return buffer;
}

void conns_unbuffer(struct conns *conns, struct conn *conn)
{
    struct buffer *buffer = conns_buffer_of(conns, conn);

    if (buffer == NULL)
        return;
    buffer->next_free = conns->buffer_free;
    conns->buffer_free = conn->buffer;
    conn->buffer = CONN_NONE;
    conns->buffers_used--;
}

void conns_trim(struct conns *conns)
{
    if (conns->buffers_used > 0 || conns->buffer_fresh <= KEEP_BUFFERS)
        return;
    /* The list of free buffers goes with them: all are as good as never used. */
    if (madvise(conns->buffers, conns->buffers_mapped, MADV_DONTNEED) < 0)
        return;
    conns->buffer_fresh = 0;
    conns->buffer_free = CONN_NONE;
}
