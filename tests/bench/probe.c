/* How long one client has to wait, while others do what they like.
 *
 * probe tcp|line|udp PORT PID: asks one question after the other, with a random pause before each. For tcp
 * that is a connect and the prompt, for line a name and its answer on a connection that stays, for udp the
 * same in datagrams. How many in all is told on standard input, see load_order(); then it says the median,
 * the 99th and the 99.9th percentile of the waits, in nanoseconds, and how many questions did not count,
 * because the server, which is process PID, or the probe itself had to wait for its processor: somebody else
 * had it, and how long that one takes says nothing of the server. A question that is not answered ends it. */
#include <fcntl.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

enum {
    PAUSE_MAX_NS = 400 * 1000, /* so that the server can be in any phase of its work */
    QUESTIONS_MAX = 100000,
    SOURCES = 50000, /* loopback addresses, so that a port that rests is never wanted */
    FIRST_SOURCE = 0x7F030001,
    DELAY_MAX_NS = 50 * 1000, /* more than a wake-up takes, less than the turn of another process */
    TRIES = 20                /* questions for each that counts, at most */
};

static const char PROMPT[] = "What's your name?";
static unsigned long long waits_ns[QUESTIONS_MAX];
static int port;
static int schedstats[2]; /* the server's, and our own */

static unsigned long long now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long long) now.tv_sec * 1000000000 + (unsigned long long) now.tv_nsec;
}

static void pause_a_while(void)
{
    static unsigned chance = 1;
    struct timespec pause;

    chance = chance * 1664525 + 1013904223; /* modulo 2^32; the high bits are good enough */
    pause = (struct timespec){.tv_nsec = (long) ((unsigned long long) chance * PAUSE_MAX_NS >> 32)};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

static void open_schedstat(int *fd, const char *pid)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%.20s/schedstat", pid);
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        load_fail(path);
}

/* How long the process has waited for a processor so far; see sched-stats in the kernel's documentation. */
static unsigned long long delay_ns(int fd)
{
    char text[128];
    unsigned long long delay;
    ssize_t length = pread(fd, text, sizeof(text) - 1, 0);

    text[length > 0 ? length : 0] = '\0';
    if (sscanf(text, "%*u %llu", &delay) != 1)
        load_fail("schedstat");
    return delay;
}

/* A connection that has been greeted. */
static int greeted(in_addr_t source)
{
    char said[sizeof(PROMPT) - 1];
    int fd = load_connect(SOCK_STREAM, source, port);

    if (recv(fd, said, sizeof(said), MSG_WAITALL) != sizeof(said) || memcmp(said, PROMPT, sizeof(said)) != 0)
        load_fail("wrong prompt");
    return fd;
}

/* Connects, waits for the prompt, goes. */
static unsigned long long ask_stream(unsigned long number)
{
    unsigned long long start = now_ns();
    int fd = greeted(FIRST_SOURCE + (in_addr_t) (number % SOURCES));
    unsigned long long took = now_ns() - start;

    close(fd);
    return took;
}

static unsigned long long ask_line(unsigned long number)
{
    static int fd = -1;
    char name[NAME_LENGTH + 1], said[ANSWER_LENGTH + 1];

    if (fd < 0)
        fd = greeted(FIRST_SOURCE);
    load_write_name(name, (unsigned) number);
    name[NAME_LENGTH] = '\n';
    unsigned long long start = now_ns();
    if (send(fd, name, sizeof(name), MSG_NOSIGNAL) < 0 ||
        recv(fd, said, sizeof(said), MSG_WAITALL) != sizeof(said) ||
        memcmp(said + PREFIX_LENGTH, name, NAME_LENGTH) != 0 || said[ANSWER_LENGTH] != '\n')
        load_fail("wrong answer to a line");
    return now_ns() - start;
}

static unsigned long long ask_datagram(unsigned long number)
{
    static int fd = -1;
    char name[NAME_LENGTH], said[ANSWER_LENGTH + 1];

    if (fd < 0)
        fd = load_connect(SOCK_DGRAM, 0, port);
    load_write_name(name, (unsigned) number);
    unsigned long long start = now_ns();
    if (send(fd, name, sizeof(name), 0) < 0 || recv(fd, said, sizeof(said), 0) != ANSWER_LENGTH ||
        memcmp(said + PREFIX_LENGTH, name, sizeof(name)) != 0)
        load_fail("wrong answer");
    return now_ns() - start;
}

static int compare(const void *left, const void *right)
{
    unsigned long long a = *(const unsigned long long *) left, b = *(const unsigned long long *) right;

    return a < b ? -1 : a > b;
}

/* Asks a question; returns whether it counts. */
static bool ask_one(unsigned long long (*ask)(unsigned long), unsigned long long *wait_ns)
{
    static unsigned long number;
    unsigned long long before[2];
    bool counts = true;

    pause_a_while();
    for (int i = 0; i < 2; i++)
        before[i] = delay_ns(schedstats[i]);
    *wait_ns = ask(number++);
    for (int i = 0; i < 2; i++)
        counts = counts && delay_ns(schedstats[i]) - before[i] <= DELAY_MAX_NS;
    return counts;
}

static const struct question {
    const char *name;
    unsigned long long (*ask)(unsigned long); /* how long the answer took */
} questions[] = {{"tcp", ask_stream}, {"line", ask_line}, {"udp", ask_datagram}};

static const struct question *find_question(const char *name)
{
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
        if (strcmp(questions[i].name, name) == 0)
            return &questions[i];
    return NULL;
}

int main(int argc, char **argv)
{
    const struct question *question = argc == 4 ? find_question(argv[1]) : NULL;
    if (question == NULL) {
        fprintf(stderr, "usage: probe tcp|line|udp PORT PID\n");
        return 64;
    }
    port = atoi(argv[2]);
    open_schedstat(&schedstats[0], argv[3]);
    open_schedstat(&schedstats[1], "self");
    for (unsigned long count; (count = load_order()) > 0;) {
        unsigned long tries = 0;
        if (count > QUESTIONS_MAX)
            load_fail("too many questions");
        for (; answered < count; tries++) {
            if (tries > TRIES * count)
                load_fail("the processors are too busy with others");
            answered += ask_one(question->ask, &waits_ns[answered]);
        }
        qsort(waits_ns, count, sizeof(waits_ns[0]), compare);
        printf("median %llu p99 %llu p999 %llu left out %lu\n", waits_ns[count / 2],
               waits_ns[count * 99 / 100], waits_ns[count * 999 / 1000], tries - count);
        fflush(stdout);
    }
    return 0;
}
