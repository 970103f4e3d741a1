/* The scoreboard: who sees what, what survives a worker, and sums that agree after any sequence of lives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scoreboard.h"
#include "seed.h"

static struct scoreboard board = {.fd = -1};

static int open_board(void **state)
{
    (void) state;
    return scoreboard_open(&board);
}

static int close_board(void **state)
{
    (void) state;
    scoreboard_close(&board);
    return board.fd != -1 || board.header != NULL || board.blocks != NULL;
}

static struct score *block(uint32_t generation, uint32_t slot)
{
    return &board.blocks[scoreboard_index(generation, slot)];
}

static void test_it_begins_with_nothing(void **state)
{
    struct stat status;

    (void) state;
    for (int counter = 0; counter < COUNTER_COUNT; counter++)
        assert_int_equal(scoreboard_total(&board, (enum counter) counter), 0);
    assert_int_equal(scoreboard_live(&board), 0);
    assert_int_equal(board.header->slots, 0);
    assert_int_equal(fcntl(board.fd, F_GETFD), FD_CLOEXEC);
    /* Blocks of slots that are never used cost nothing. */
    assert_int_equal(fstat(board.fd, &status), 0);
    assert_in_range(status.st_blocks * 512, 0, 4 * sysconf(_SC_PAGESIZE));
}

static void test_each_worker_has_cache_lines_of_its_own(void **state)
{
    (void) state;
    assert_int_equal((uintptr_t) board.blocks % 64, 0);
    assert_int_equal(sizeof(struct score) % 64, 0);
    assert_int_equal(offsetof(struct score, beat) % 64, 0); /* what siblings read is not in it */
}

static void test_indexes_are_all_different(void **state)
{
    static bool taken[SCOREBOARD_BLOCKS];

    (void) state;
    for (uint32_t generation = 7; generation < 7 + SCOREBOARD_GENERATIONS; generation++) {
        for (uint32_t slot = 0; slot < SCOREBOARD_SLOTS_MAX; slot++) {
            unsigned index = scoreboard_index(generation, slot);
            assert_in_range(index, 0, SCOREBOARD_BLOCKS - 1);
            assert_false(taken[index]);
            taken[index] = true;
            assert_int_equal(index, scoreboard_index(generation + SCOREBOARD_GENERATIONS, slot));
        }
    }
}

static void test_counters_outlive_the_worker(void **state)
{
    (void) state;
    scoreboard_enter(&board, 4, 2, 1234);
    assert_int_equal(board.header->slots, 3);
    assert_int_equal(block(4, 2)->slot, 2);
    assert_int_equal(block(4, 2)->generation, 4);
    assert_int_equal(block(4, 2)->pid, 1234);
    score_add(block(4, 2), COUNTER_accepted, 10);
    score_add(block(4, 2), COUNTER_closed_end, 7);
    block(4, 2)->live = 3;
    block(4, 2)->ready = 1;
    assert_int_equal(scoreboard_live(&board), 3);
    scoreboard_leave(&board, 4, 2);
    assert_int_equal(block(4, 2)->pid, 0);
    assert_int_equal(block(4, 2)->ready, 0);
    assert_int_equal(scoreboard_live(&board), 0);
    assert_int_equal(scoreboard_total(&board, COUNTER_closed_killed), 3);
    scoreboard_enter(&board, 4, 2, 1235);
    score_add(block(4, 2), COUNTER_accepted, 1);
    assert_int_equal(scoreboard_total(&board, COUNTER_accepted), 11);
    scoreboard_enter(&board, 5, 0, 1236); /* a smaller pool does not hide the slots of the larger one */
    assert_int_equal(board.header->slots, 3);
    assert_int_equal(scoreboard_total(&board, COUNTER_accepted), 11);
}

/* Also of a slot that has no worker any more, and of generations that have taken over one another's blocks.
 */
static void test_counters_of_a_slot(void **state)
{
    (void) state;
    assert_int_equal(scoreboard_slots(&board), 0);
    for (uint32_t generation = 0; generation < 4; generation++) {
        scoreboard_enter(&board, generation, 1, 1234);
        score_add(block(generation, 1), COUNTER_worker_restarts, 1 + generation);
        scoreboard_leave(&board, generation, 1);
    }
    scoreboard_enter(&board, 4, 0, 1235);
    score_add(block(4, 0), COUNTER_worker_restarts, 100);
    score_add(block(4, 0), COUNTER_answers, 7);
    score_add(scoreboard_masters(&board), COUNTER_worker_restarts, 1000);
    assert_int_equal(scoreboard_slots(&board), 2);
    assert_int_equal(scoreboard_of_slot(&board, 0, COUNTER_worker_restarts), 100);
    assert_int_equal(scoreboard_of_slot(&board, 1, COUNTER_worker_restarts), 1 + 2 + 3 + 4);
    assert_int_equal(scoreboard_of_slot(&board, 1, COUNTER_answers), 0);
}

static void test_last_slot(void **state)
{
    (void) state;
    scoreboard_enter(&board, 2, SCOREBOARD_SLOTS_MAX - 1, 1);
    score_add(block(2, SCOREBOARD_SLOTS_MAX - 1), (enum counter)(COUNTER_COUNT - 1), 5);
    assert_int_equal(scoreboard_total(&board, (enum counter)(COUNTER_COUNT - 1)), 5);
}

static void test_a_child_writes_for_all(void **state)
{
    int status;

    (void) state;
    scoreboard_enter(&board, 0, 0, 1);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        score_add(block(0, 0), COUNTER_messages, 42);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(scoreboard_total(&board, COUNTER_messages), 42);
}

static void test_attach_looks_on(void **state)
{
    struct scoreboard other = {.fd = -1};

    (void) state;
    scoreboard_enter(&board, 0, 1, 77);
    score_add(block(0, 1), COUNTER_answers, 9);
    block(0, 1)->live = 4;
    assert_int_equal(scoreboard_attach(&other, board.fd), 0);
    assert_int_equal(other.fd, -1); /* it stays the caller's */
    assert_int_equal(scoreboard_total(&other, COUNTER_answers), 9);
    assert_int_equal(scoreboard_live(&other), 4);
    score_add(block(0, 1), COUNTER_answers, 1);
    assert_int_equal(scoreboard_total(&other, COUNTER_answers), 10);
    scoreboard_close(&other);
    assert_int_equal(fcntl(board.fd, F_GETFD), FD_CLOEXEC);
}

static void scramble(struct seed *seed, void *memory, size_t size)
{
    for (size_t i = 0; i < size; i += sizeof(uint32_t)) {
        uint32_t word = (uint32_t) seed_next(seed);
        memcpy((char *) memory + i, &word, sizeof(word));
    }
}

/* A worker that was taken over can write anything anywhere in it. */
static void test_any_content_is_read(void **state)
{
    struct seed seed = seed_start();
    uint64_t sum = 0;

    (void) state;
    for (unsigned round = 0; round < 4; round++) {
        scramble(&seed, board.header, sizeof(*board.header));
        scramble(&seed, board.blocks, 4 * sizeof(*board.blocks));
        board.header->slots = round == 0 ? UINT32_MAX : (uint32_t) seed_next(&seed);
        for (int counter = 0; counter < COUNTER_COUNT; counter++)
            sum += scoreboard_total(&board, (enum counter) counter);
        sum += scoreboard_live(&board);
        assert_in_range(scoreboard_slots(&board), 0, SCOREBOARD_SLOTS_MAX);
        scoreboard_leave(&board, round, round);
        scoreboard_enter(&board, round, SCOREBOARD_SLOTS_MAX - 1, 1);
    }
    assert_int_not_equal(sum, 0);
}

static void assert_not_attached(int fd, int error)
{
    struct scoreboard other = {.fd = -1};

    errno = 0;
    assert_int_equal(scoreboard_attach(&other, fd), -1);
    assert_int_equal(errno, error);
    assert_null(other.header);
}

static void test_attach_to_something_else(void **state)
{
    struct stat status;
    int ends[2], memory = memfd_create("test", MFD_CLOEXEC);

    (void) state;
    assert_int_equal(pipe(ends), 0);
    assert_not_attached(-1, EBADF);
    assert_not_attached(ends[0], EINVAL);
    assert_not_attached(memory, EINVAL);
    /* The right size alone is not enough, nor is one byte more. */
    assert_int_equal(fstat(board.fd, &status), 0);
    assert_int_equal(ftruncate(memory, status.st_size), 0);
    assert_not_attached(memory, EINVAL);
    assert_int_equal(ftruncate(board.fd, status.st_size + 1), 0);
    assert_not_attached(board.fd, EINVAL);
    close(ends[0]);
    close(ends[1]);
    close(memory);
}

/* Workers come, serve and die in any order; at rest every connection that was accepted is live or closed. */
static void test_sums_agree(void **state)
{
    struct seed seed = seed_start();
    enum {
        SLOTS = 5
    };
    uint32_t live[SCOREBOARD_GENERATIONS][SLOTS] = {{0}};
    uint64_t accepted = 0, closed = 0, lost = 0;

    (void) state;
    for (unsigned round = 0; round < 5000; round++) {
        uint32_t generation = (uint32_t) seed_below(&seed, SCOREBOARD_GENERATIONS);
        uint32_t slot = (uint32_t) seed_below(&seed, SLOTS), *own = &live[generation][slot];
        struct score *score = block(generation, slot);
        if (score->pid == 0) {
            scoreboard_enter(&board, generation, slot, 1 + (pid_t) round);
        } else if (seed_below(&seed, 20) == 0) {
            lost += *own;
            *own = 0;
            scoreboard_leave(&board, generation, slot);
        } else if (*own > 0 && seed_below(&seed, 2) == 0) {
            score_add(score, COUNTER_closed_farewell, 1);
            score->live = --*own;
            closed++;
        } else {
            score_add(score, COUNTER_accepted, 1);
            score->live = ++*own;
            accepted++;
        }
        assert_int_equal(scoreboard_total(&board, COUNTER_accepted), accepted);
        assert_int_equal(scoreboard_total(&board, COUNTER_closed_farewell), closed);
        assert_int_equal(scoreboard_total(&board, COUNTER_closed_killed), lost);
        assert_int_equal(scoreboard_live(&board), accepted - closed - lost);
    }
}

static struct scoreboard_listener listener_called(const char *name)
{
    struct scoreboard_listener listener = {.protocol = "greeting", .type = "stream", .scope = SCOPE_STREAM};

    snprintf(listener.name, sizeof(listener.name), "%s", name);
    return listener;
}

static unsigned take(const char *name)
{
    struct scoreboard_listener listener = listener_called(name);

    return scoreboard_take(&board, &listener);
}

static uint64_t accepted_by(unsigned tally)
{
    struct tally sum = {0};

    scoreboard_sum(&board, tally, &sum);
    return sum.counter[COUNTER_accepted];
}

static void test_listeners_are_known_by_name(void **state)
{
    unsigned one = take("one"), two = take("two");
    struct scoreboard_listener other = listener_called("one");

    (void) state;
    assert_in_range(one, TALLY_LISTENERS, TALLY_COUNT - 1);
    assert_int_not_equal(one, two);
    assert_int_equal(take("one"), one);
    strcpy(other.type, "datagram"); /* the same name alone is not the same listener */
    assert_int_not_equal(scoreboard_take(&board, &other), one);
    scoreboard_enter(&board, 0, 0, 1);
    scoreboard_enter(&board, 1, 3, 1);
    tally_add(&block(0, 0)->tally[one], COUNTER_accepted, 2);
    tally_add(&block(1, 3)->tally[one], COUNTER_accepted, 3);
    tally_add(&block(1, 3)->tally[two], COUNTER_accepted, 1);
    score_add(block(1, 3), COUNTER_accepted, 7);
    assert_int_equal(accepted_by(one), 5);
    assert_int_equal(accepted_by(two), 1);
    assert_int_equal(scoreboard_total(&board, COUNTER_accepted), 13);
    assert_int_equal(scoreboard_counted(&board, scoreboard_index(1, 3), COUNTER_accepted), 11);
    /* Who comes back finds what it had. */
    scoreboard_release(&board, two);
    assert_int_equal(take("two"), two);
    assert_int_equal(accepted_by(two), 1);
}

/* When all places are taken, that of a listener that has gone is given away, and what it had is not lost. */
static void test_more_listeners_than_places(void **state)
{
    unsigned last = 0;
    char name[16];

    (void) state;
    scoreboard_enter(&board, 0, 0, 1);
    for (unsigned i = 0; i < TALLY_COUNT - TALLY_LISTENERS; i++) {
        snprintf(name, sizeof(name), "number %u", i);
        last = take(name);
        tally_add(&block(0, 0)->tally[last], COUNTER_accepted, 1);
        tally_took(&block(0, 0)->tally[last], HISTOGRAM_greeting_time, 5000, 2);
    }
    assert_int_equal(last, TALLY_COUNT - 1);
    assert_int_equal(take("another"), TALLY_OTHER);
    assert_int_equal(accepted_by(TALLY_OTHER), 0);
    scoreboard_release(&board, last);
    assert_int_equal(take("another"), last);
    assert_int_equal(accepted_by(last), 0);
    assert_int_equal(accepted_by(TALLY_OTHER), 1);
    struct tally sum = {0};
    scoreboard_sum(&board, TALLY_OTHER, &sum);
    assert_int_equal(sum.histogram[HISTOGRAM_greeting_time].bucket[1], 2);
    assert_int_equal(sum.histogram[HISTOGRAM_greeting_time].sum, 10);
    assert_int_equal(scoreboard_total(&board, COUNTER_accepted), TALLY_COUNT - TALLY_LISTENERS);
    assert_int_equal(take("one too many"), TALLY_OTHER);
}

static void test_lost_connections_are_their_listeners(void **state)
{
    unsigned one = take("one"), two = take("two");

    (void) state;
    scoreboard_enter(&board, 0, 0, 1);
    tally_add(&block(0, 0)->tally[one], COUNTER_accepted, 5);
    tally_add(&block(0, 0)->tally[one], COUNTER_closed_end, 2);
    tally_add(&block(0, 0)->tally[two], COUNTER_accepted, 1);
    tally_add(&block(0, 0)->tally[two], COUNTER_closed_idle, 3); /* it counts wrongly */
    scoreboard_leave(&board, 0, 0);
    assert_int_equal(block(0, 0)->tally[one].counter[COUNTER_closed_killed], 3);
    assert_int_equal(block(0, 0)->tally[two].counter[COUNTER_closed_killed], 0);
    assert_int_equal(tally_live(&block(0, 0)->tally[one]), 0);
}

static void test_close_of_nothing(void **state)
{
    struct scoreboard nothing = {.fd = -1};

    (void) state;
    scoreboard_close(&nothing);
    assert_int_equal(nothing.fd, -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_board, close_board)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_it_begins_with_nothing),
        TEST(test_each_worker_has_cache_lines_of_its_own),
        TEST(test_indexes_are_all_different),
        TEST(test_counters_outlive_the_worker),
        TEST(test_counters_of_a_slot),
        TEST(test_last_slot),
        TEST(test_a_child_writes_for_all),
        TEST(test_attach_looks_on),
        TEST(test_any_content_is_read),
        TEST(test_attach_to_something_else),
        TEST(test_sums_agree),
        TEST(test_listeners_are_known_by_name),
        TEST(test_more_listeners_than_places),
        TEST(test_lost_connections_are_their_listeners),
        TEST(test_close_of_nothing),
    };

    return cmocka_run_group_tests_name("scoreboard", tests, NULL, NULL);
}
