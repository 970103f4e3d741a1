/* The connection table against a naive one: lists, buffers, and what they cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sys/mman.h>
#include <unistd.h>

#include "seed.h"
#include "worker/conns.h"

enum {
    CAPACITY_MAX = 40,
    LISTS_MAX = 5,
    IN_SIZE = 24,
    OUT_SIZE = 33
};

/* What the table should say: who is in which list, in order, and what each was given. */
struct model {
    struct conn *lists[LISTS_MAX][CAPACITY_MAX];
    unsigned lengths[LISTS_MAX];
    unsigned used, buffers;
    struct {
        unsigned list;
        uint32_t stamp_ms;
        bool buffered;
        char mark; /* the byte that its buffer is filled with */
    } known[CAPACITY_MAX];
};

static void model_append(struct model *model, struct conn *conn, unsigned list)
{
    model->lists[list][model->lengths[list]++] = conn;
}

static void model_remove(struct model *model, const struct conn *conn, unsigned list)
{
    unsigned at = 0;

    while (model->lists[list][at] != conn)
        at++;
    model->lengths[list]--;
    memmove(&model->lists[list][at], &model->lists[list][at + 1],
            (model->lengths[list] - at) * sizeof(model->lists[list][0]));
}

static void check_buffer(const struct conns *conns, const struct model *model, const struct conn *conn)
{
    const struct buffer *buffer = conns_buffer_of(conns, conn);
    uint32_t index = conns_index(conns, conn);

    assert_int_equal(buffer != NULL, model->known[index].buffered);
    if (buffer == NULL)
        return;
    assert_int_equal(buffer->in_length, IN_SIZE);
    assert_int_equal(buffer->out_end, OUT_SIZE);
    for (size_t i = 0; i < IN_SIZE + OUT_SIZE; i++)
        assert_int_equal(buffer->bytes[i], model->known[index].mark);
}

/* Every invariant of the table, and all of it as the model says. */
static void check(const struct conns *conns, const struct model *model)
{
    for (unsigned list = 0; list < conns->lists; list++) {
        const struct conn *conn = conns_first(conns, list), *before = NULL;
        for (unsigned i = 0; i < model->lengths[list]; i++) {
            assert_ptr_equal(conn, model->lists[list][i]);
            uint32_t index = conns_index(conns, conn);
            assert_ptr_equal(conns_at(conns, index), conn);
            assert_int_equal(conn->list, list);
            assert_int_equal(conn->fd, (int32_t) index + 1000);
            assert_int_equal(conn->stamp_ms, model->known[index].stamp_ms);
            assert_int_equal(conn->previous, before == NULL ? CONN_NONE : (int) conns_index(conns, before));
            check_buffer(conns, model, conn);
            before = conn;
            conn = conn->next == CONN_NONE ? NULL : conns_at(conns, (uint32_t) conn->next);
        }
        assert_null(conn);
    }
    assert_int_equal(conns->buffers_used, model->buffers);
    assert_in_range(conns->buffer_fresh, model->buffers, conns->capacity);
}

static void do_new(struct conns *conns, struct model *model, unsigned list, uint32_t now_ms)
{
    struct conn *conn = conns_new(conns, list, now_ms);

    assert_int_equal(conn == NULL, model->used == conns->capacity);
    if (conn == NULL)
        return;
    uint32_t index = conns_index(conns, conn);
    assert_in_range(index, 0, conns->capacity - 1);
    struct conn blank = {.fd = -1,
                         .next = CONN_NONE,
                         .previous = conn->previous,
                         .buffer = CONN_NONE,
                         .stamp_ms = now_ms,
                         .list = (uint8_t) list};
    assert_memory_equal(conn, &blank, sizeof(blank));
    conn->fd = (int32_t) index + 1000;
    memset(&conn->peer, 0xff, sizeof(conn->peer)); /* must not be there for the next one */
    model_append(model, conn, list);
    model->known[index].list = list;
    model->known[index].stamp_ms = now_ms;
    model->known[index].buffered = false;
    model->used++;
}

static void do_buffer(struct conns *conns, struct model *model, struct conn *conn, char mark)
{
    uint32_t index = conns_index(conns, conn);
    struct buffer *buffer = conns_buffer(conns, conn);

    if (model->known[index].buffered) {
        check_buffer(conns, model, conn); /* it is the one it had */
    } else {
        assert_int_equal(buffer->in_length + buffer->out_start + buffer->out_end, 0);
        model->buffers++;
    }
    buffer->in_length = IN_SIZE;
    buffer->out_end = OUT_SIZE;
    memset(buffer->bytes, mark, IN_SIZE + OUT_SIZE);
    model->known[index].buffered = true;
    model->known[index].mark = mark;
}

static void forget_buffer(struct model *model, uint32_t index)
{
    model->buffers -= model->known[index].buffered;
    model->known[index].buffered = false;
}

/* One random deed to a random connection, if there is one. */
static void step(struct seed *seed, struct conns *conns, struct model *model, uint32_t now_ms)
{
    unsigned list = (unsigned) seed_below(seed, conns->lists),
             other = (unsigned) seed_below(seed, conns->lists);
    size_t deed = seed_below(seed, 12);

    if (deed < 4) {
        do_new(conns, model, list, now_ms);
        return;
    }
    if (deed == 4)
        conns_trim(conns);
    if (deed == 4 || model->lengths[list] == 0)
        return;
    struct conn *conn = model->lists[list][seed_below(seed, model->lengths[list])];
    uint32_t index = conns_index(conns, conn);
    if (deed < 7) {
        conns_move(conns, conn, other, now_ms);
        model_remove(model, conn, list);
        model_append(model, conn, other);
        model->known[index].stamp_ms = now_ms;
    } else if (deed < 9) {
        do_buffer(conns, model, conn, (char) seed_next(seed));
    } else if (deed < 10) {
        conns_unbuffer(conns, conn);
        forget_buffer(model, index);
    } else {
        conns_free(conns, conn);
        model_remove(model, conn, list);
        forget_buffer(model, index);
        model->used--;
    }
}

static void test_random_deeds(void **state)
{
    struct seed seed = seed_start();

    (void) state;
    for (unsigned round = 0; round < 40; round++) {
        struct conns conns;
        struct model model = {.used = 0};
        unsigned capacity = 1 + (unsigned) seed_below(&seed, CAPACITY_MAX);
        assert_int_equal(
            conns_open(&conns, capacity, 1 + (unsigned) seed_below(&seed, LISTS_MAX), IN_SIZE, OUT_SIZE), 0);
        uint32_t now_ms = UINT32_MAX - 500; /* the stamps wrap around on the way */
        for (unsigned i = 0; i < 1000; i++) {
            step(&seed, &conns, &model, now_ms++);
            check(&conns, &model);
        }
        conns_close(&conns);
    }
}

/* Resident pages of the LENGTH bytes at MEMORY, which begins a page. */
static size_t resident(void *memory, size_t length)
{
    static unsigned char pages[65536];
    size_t page = (size_t) sysconf(_SC_PAGESIZE), count = (length + page - 1) / page, sum = 0;

    assert_in_range(count, 1, sizeof(pages));
    assert_int_equal(mincore(memory, length, pages), 0);
    for (size_t i = 0; i < count; i++)
        sum += pages[i] & 1;
    return sum;
}

static void test_memory_is_touched_when_used(void **state)
{
    enum {
        CAPACITY = 10000,
        USED = 100
    };
    struct conns conns;
    struct conn *conn = NULL;

    (void) state;
    assert_int_equal(conns_open(&conns, CAPACITY, 3, 5120, 8192), 0);
    assert_int_equal(resident(conns.table, CAPACITY * sizeof(struct conn)), 0);
    for (unsigned i = 0; i < USED; i++) {
        conn = conns_new(&conns, 0, i);
        conns_buffer(&conns, conn)->in_length = i;
    }
    /* Again and again: those that were used before are used first. */
    for (unsigned i = 0; i < 10 * USED; i++) {
        conns_free(&conns, conn);
        conn = conns_new(&conns, 1, i);
        conns_buffer(&conns, conn);
    }
    assert_in_range(resident(conns.table, CAPACITY * sizeof(struct conn)), 1, 2);
    assert_in_range(resident(conns.buffers, conns.buffers_mapped), USED, 5 * USED);
    conns_close(&conns);
}

static void test_trim_gives_memory_back(void **state)
{
    struct conns conns;
    struct conn *conn[100];

    (void) state;
    assert_int_equal(conns_open(&conns, 100, 1, 5120, 8192), 0);
    for (unsigned i = 0; i < 100; i++) {
        conn[i] = conns_new(&conns, 0, 0);
        conns_buffer(&conns, conn[i])->bytes[0] = 'x';
    }
    for (unsigned i = 0; i < 99; i++)
        conns_unbuffer(&conns, conn[i]);
    conns_trim(&conns);
    assert_int_equal(conns_buffer_of(&conns, conn[99])->bytes[0], 'x'); /* not while one is in use */
    conns_unbuffer(&conns, conn[99]);
    conns_trim(&conns);
    assert_int_equal(resident(conns.buffers, conns.buffers_mapped), 0);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(conns_buffer(&conns, conn[i])->in_length, 0);
    for (unsigned i = 0; i < 100; i++)
        conns_free(&conns, conn[i]);
    conns_trim(&conns);
    assert_int_equal(resident(conns.buffers, conns.buffers_mapped), 0);
    conns_close(&conns);
}

static void test_close_of_nothing(void **state)
{
    struct conns conns = {0};

    (void) state;
    conns_close(&conns);
    assert_null(conns.table);
}

static void test_more_than_there_is(void **state)
{
    struct conns conns;

    (void) state;
    assert_int_equal(conns_open(&conns, UINT32_MAX, 1, SIZE_MAX / UINT32_MAX / 2, 0), -1);
    assert_null(conns.table);
    conns_close(&conns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_deeds),           cmocka_unit_test(test_memory_is_touched_when_used),
        cmocka_unit_test(test_trim_gives_memory_back), cmocka_unit_test(test_close_of_nothing),
        cmocka_unit_test(test_more_than_there_is),
    };

    return cmocka_run_group_tests_name("conns", tests, NULL, NULL);
}
