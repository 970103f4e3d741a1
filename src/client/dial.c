/* Getting through. Must not know what is said then. */
#include "client/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    STEP_MS = 250 /* RFC 8305, section 5: the Connection Attempt Delay */
};

/* Addresses that are tried at the same time. */
struct race {
    const struct target *target;
    struct dial *dial;
    struct pollfd fds[TARGET_ADDRESSES_MAX]; /* by address; -1: not started, or over */
    uint64_t started_ns[TARGET_ADDRESSES_MAX];
    unsigned next;    /* the address to be tried next */
    uint64_t next_ns; /* when */
};

static uint64_t in_ns(unsigned ms)
{
    return (uint64_t) ms * 1000000;
}

static int connect_to(int fd, const struct target_address *address, int type)
{
    /* An address of the family alone: the kernel finds a free name. */
    static const struct sockaddr nameless = {.sa_family = AF_UNIX};

    if (address->any.sa_family == AF_UNIX && type == SOCK_DGRAM &&
        bind(fd, &nameless, sizeof(nameless.sa_family)) < 0)
        return -1;
    return connect(fd, &address->any, address->length) < 0 && errno != EINPROGRESS ? -1 : 0;
}

static int close_and_fail(int fd)
{
    int saved = errno;

    close(fd);
    errno = saved;
    return -1;
}

int dial_start(const struct target *target, unsigned index, int type)
{
    const struct target_address *address = &target->addresses[index];
    int fd = socket(address->any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    return connect_to(fd, address, type) < 0 ? close_and_fail(fd) : fd;
}

/* Connects a socket of TYPE to the path of TARGET. Returns it, non-blocking; or -1 with errno. */
static int connect_path(const struct target *target, int type, unsigned wait_ms)
{
    /* connect(2) waits for room in the queue for as long as a send would wait: socket(7). */
    struct timeval patience = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000L};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
        connect_to(fd, &target->addresses[0], type) < 0 || fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
        return close_and_fail(fd);
    return fd;
}

static int dial_path(const struct target *target, unsigned wait_ms, struct dial *dial)
{
    uint64_t start_ns = clock_ns();

    dial->fd = connect_path(target, dial->type, wait_ms);
    /* What an abstract name is refused for, when it is there for another type, a path is the wrong one for.
     */
    if (dial->fd < 0 && (errno == EPROTOTYPE || errno == ECONNREFUSED)) {
        dial->type = SOCK_SEQPACKET;
        dial->fd = connect_path(target, dial->type, wait_ms);
    }
    if (dial->fd < 0)
        dial->errors[0] = errno == EAGAIN ? ETIMEDOUT : errno;
    dial->took_ns = clock_ns() - start_ns;
    return dial->fd < 0 ? -1 : 0;
}

/* Gives address INDEX up because of ERROR; the next one need not wait. */
static void lose(struct race *race, unsigned index, int error, uint64_t now)
{
    race->dial->errors[index] = error;
    if (race->fds[index].fd >= 0)
        close(race->fds[index].fd);
    race->fds[index].fd = -1;
    race->next_ns = now;
}

static void start_next(struct race *race, uint64_t now)
{
    unsigned index = race->next++;
    int fd = dial_start(race->target, index, race->dial->type);

    race->fds[index] = (struct pollfd){.fd = fd, .events = POLLOUT};
    race->started_ns[index] = now;
    race->next_ns = now + in_ns(STEP_MS);
    if (fd < 0)
        lose(race, index, errno, now);
}

/* Takes the first address that is there over into the dial, and gives up those that are known not to be.
 * Returns whether one was there. */
static bool look(struct race *race, uint64_t now)
{
    for (unsigned i = 0; i < race->next; i++) {
        int error = 0;
        if (race->fds[i].fd < 0 || race->fds[i].revents == 0)
            continue;
        if (getsockopt(race->fds[i].fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof(error)}) < 0)
            error = errno;
        if (error != 0) {
            lose(race, i, error, now);
            continue;
        }
        race->dial->fd = race->fds[i].fd;
        race->dial->index = i;
        race->dial->took_ns = now - race->started_ns[i];
        race->fds[i].fd = -1;
        return true;
    }
    return false;
}

/* Ends what is still under way; ERROR is what it ended with. */
static void end(struct race *race, int error, uint64_t now)
{
    for (unsigned i = 0; i < race->next; i++)
        if (race->fds[i].fd >= 0)
            lose(race, i, error, now);
}

static bool is_over(const struct race *race)
{
    if (race->next < race->target->count)
        return false;
    for (unsigned i = 0; i < race->next; i++)
        if (race->fds[i].fd >= 0)
            return false;
    return true;
}

/* Waits for news, at most until the next address is to be tried or until DEADLINE_NS. */
static void wait_for_news(struct race *race, uint64_t now, uint64_t deadline_ns)
{
    uint64_t until_ns = deadline_ns;

    if (race->next < race->target->count && race->next_ns < until_ns)
        until_ns = race->next_ns;
    uint64_t left_ns = until_ns > now ? until_ns - now : 0;
    struct timespec left = {.tv_sec = (time_t) (left_ns / 1000000000),
                            .tv_nsec = (long) (left_ns % 1000000000)};
    for (unsigned i = 0; i < race->next; i++)
        race->fds[i].revents = 0;
    ppoll(race->fds, race->next, &left, NULL);
}

static int dial_internet(const struct target *target, unsigned wait_ms, struct dial *dial)
{
    uint64_t now = clock_ns(), deadline_ns = now + in_ns(wait_ms);
    struct race race = {.target = target, .dial = dial, .next_ns = now};

    while (now < deadline_ns && !is_over(&race)) {
        if (race.next < target->count && now >= race.next_ns)
            start_next(&race, now);
        if (is_over(&race)) /* the last one failed at once: there is nothing to wait for */
            break;
        wait_for_news(&race, now, deadline_ns);
        now = clock_ns();
        if (look(&race, now)) {
            end(&race, 0, now);
            return 0;
        }
    }
    end(&race, ETIMEDOUT, now);
    return -1;
}

int dial_connect(const struct target *target, unsigned wait_ms, struct dial *dial)
{
    *dial = (struct dial){.fd = -1, .type = target->type};
    return target->port == 0 ? dial_path(target, wait_ms, dial) : dial_internet(target, wait_ms, dial);
}

bool dial_error_is_ours(int error)
{
    static const int ours[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS, EAFNOSUPPORT, EACCES, EPERM, EADDRNOTAVAIL};

    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (error == ours[i])
            return true;
    return false;
}

bool dial_is_ours(const struct target *target, const struct dial *dial)
{
    for (unsigned i = 0; i < target->count; i++)
        if (!dial_error_is_ours(dial->errors[i]))
            return false;
    return true;
}

/* What ERROR means for somebody who wants to connect to TARGET. */
static const char *reason(const struct target *target, int error)
{
    if (error == ETIMEDOUT)
        return "no answer";
    if (error == EPROTOTYPE)
        return target->type == SOCK_DGRAM ? "it is no datagram socket" : "it is a datagram socket, for -u";
    return strerror(error);
}

void dial_explain(FILE *out, const struct target *target, const struct dial *dial)
{
    const char *between = "";
    char text[ADDR_TEXT_MAX];

    for (unsigned i = 0; i < target->count; i++) {
        if (dial->errors[i] == 0)
            continue;
        if (target->port != 0) /* a path is the target's name already */
            fprintf(out, "%s%s: ", between, target_text(target, i, text));
        fputs(reason(target, dial->errors[i]), out);
        between = "; ";
    }
}
