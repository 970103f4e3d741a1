/* The scoreboard: who sees what, what survives a worker, and sums that agree after any sequence of lives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

static void test_names(void **state)
{
    (void) state;
    assert_string_equal(scoreboard_counter_name(COUNTER_accepted), "accepted");
    assert_string_equal(scoreboard_counter_name(COUNTER_drop_reply), "drop_reply");
    assert_string_equal(scoreboard_counter_name(COUNTER_log_lost), "log_lost");
    for (int a = 0; a < COUNTER_COUNT; a++)
        for (int b = 0; b < a; b++)
            assert_string_not_equal(scoreboard_counter_name((enum counter) a),
                                    scoreboard_counter_name((enum counter) b));
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

/* A worker that was taken over can write anything anywhere in it. */
static void test_any_content_is_read(void **state)
{
    struct seed seed = seed_start();
    uint64_t sum = 0;

    (void) state;
    for (unsigned round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof(*board.blocks) * SCOREBOARD_BLOCKS; i += sizeof(uint64_t)) {
            uint64_t word = seed_next(&seed);
            memcpy((char *) board.blocks + i, &word, sizeof(word));
        }
        board.header->slots = round == 0 ? UINT32_MAX : (uint32_t) seed_next(&seed);
        for (int counter = 0; counter < COUNTER_COUNT; counter++)
            sum += scoreboard_total(&board, (enum counter) counter);
        sum += scoreboard_live(&board);
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
        TEST(test_names),
        TEST(test_counters_outlive_the_worker),
        TEST(test_last_slot),
        TEST(test_a_child_writes_for_all),
        TEST(test_attach_looks_on),
        TEST(test_any_content_is_read),
        TEST(test_attach_to_something_else),
        TEST(test_sums_agree),
        TEST(test_close_of_nothing),
    };

    return cmocka_run_group_tests_name("scoreboard", tests, NULL, NULL);
}
