/* From the words of the command line to addresses. Must not know what is done with them. */
#include "client/target.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>

#include "base/clock.h"
#include "base/quote.h"

/* What the name service is asked, and answers. Who asks may give up while it is still worked on: the last
 * user frees it. */
struct question {
    atomic_int users;
    struct addrinfo hints;
    struct addrinfo *list;
    int error; /* of getaddrinfo(3) */
    char host[TARGET_NAME_MAX];
};

/* The addresses of one family. */
struct family {
    const struct addrinfo *found[TARGET_ADDRESSES_MAX];
    unsigned count;
};

/* Writes TEXT, made fit for a terminal and cut, to OUT of SIZE bytes. */
static void escape(char *out, size_t size, const char *text)
{
    FILE *stream = fmemopen(out, size, "w");

    out[0] = '\0';
    if (stream != NULL) {
        quote_show(stream, text);
        fclose(stream);
    }
    out[size - 1] = '\0';
}

static enum target_result wrong(char *why, const char *text)
{
    snprintf(why, TARGET_WHY_MAX, "%s", text);
    return TARGET_WRONG;
}

static bool is_path(const char *host)
{
    return host[0] == '@' || strchr(host, '/') != NULL;
}

/* The number TEXT, 1 to 65535; 0 if it is no port. */
static uint16_t port_number(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long number = digits > 0 && digits <= 5 && text[digits] == '\0' ? strtoul(text, NULL, 10) : 0;

    return number <= UINT16_MAX ? (uint16_t) number : 0;
}

static enum target_result find_path(struct target *target, const struct target_wish *wish, char *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(wish->host);

    if (wish->port != NULL || wish->family != AF_UNSPEC)
        return wrong(why, "the path of a socket has neither a port nor -4 or -6");
    if (length >= sizeof(address.sun_path))
        return wrong(why, "the path of a socket has at most 107 bytes");
    memcpy(address.sun_path, wish->host, length);
    bool is_abstract = address.sun_path[0] == '@';
    if (is_abstract) /* its name begins with a NUL, and is as long as its address says */
        address.sun_path[0] = '\0';
    target->count = 1;
    memcpy(&target->addresses[0].store, &address, sizeof(address));
    target->addresses[0].length =
        (socklen_t) (offsetof(struct sockaddr_un, sun_path) + length + !is_abstract);
    escape(target->name, sizeof(target->name), wish->host);
    return TARGET_OK;
}

static void release(struct question *question)
{
    if (atomic_fetch_sub(&question->users, 1) > 1)
        return;
    if (question->list != NULL)
        freeaddrinfo(question->list);
    free(question);
}

static void *answer(void *argument)
{
    struct question *question = argument;

    question->error = getaddrinfo(question->host, NULL, &question->hints, &question->list);
    release(question);
    return NULL;
}

/* Asks for the host and waits for the answer at most WAIT_MS. Returns 0 and the list, to be freed by
 * freeaddrinfo(3); or what getaddrinfo(3) returns, EAI_INPROGRESS after WAIT_MS. */
static int look_up(const struct target_wish *wish, unsigned wait_ms, struct addrinfo **list)
{
    struct question *question = calloc(1, sizeof(*question));
    uint64_t until_ns = clock_ns() + (uint64_t) wait_ms * 1000000;
    struct timespec until = {.tv_sec = (time_t) (until_ns / 1000000000),
                             .tv_nsec = (long) (until_ns % 1000000000)};
    pthread_t thread;
    int error = EAI_INPROGRESS;

    if (question == NULL)
        return EAI_MEMORY;
    atomic_init(&question->users, 2);
    question->hints = (struct addrinfo){.ai_family = wish->family, .ai_socktype = wish->type};
    snprintf(question->host, sizeof(question->host), "%s", wish->host);
    if (pthread_create(&thread, NULL, answer, question) != 0) {
        free(question);
        return EAI_MEMORY;
    }
    if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) == 0) {
        error = question->error;
        *list = question->list;
        question->list = NULL;
    } else {
        pthread_detach(thread);
    }
    release(question);
    return error;
}

/* Adds FOUND to FAMILY unless it is there already or there is no room. */
static void add(struct family *family, const struct addrinfo *found)
{
    for (unsigned i = 0; i < family->count; i++)
        if (memcmp(family->found[i]->ai_addr, found->ai_addr, found->ai_addrlen) == 0)
            return;
    if (family->count < TARGET_ADDRESSES_MAX)
        family->found[family->count++] = found;
}

static void take(struct target *target, const struct family *family, unsigned index)
{
    if (index >= family->count || target->count >= TARGET_ADDRESSES_MAX)
        return;
    const struct addrinfo *found = family->found[index];
    struct target_address *address = &target->addresses[target->count++];
    memcpy(&address->store, found->ai_addr, found->ai_addrlen);
    address->length = found->ai_addrlen;
    /* The port has the same place in both. */
    ((struct sockaddr_in *) &address->store)->sin_port = htons((uint16_t) target->port);
}

/* Takes the addresses of LIST over, the families in turn. */
static void take_all(struct target *target, const struct addrinfo *list)
{
    struct family six = {.count = 0}, four = {.count = 0};

    for (; list != NULL; list = list->ai_next)
        if (list->ai_family == AF_INET6 || list->ai_family == AF_INET)
            add(list->ai_family == AF_INET6 ? &six : &four, list);
    for (unsigned i = 0; i < six.count || i < four.count; i++) {
        take(target, &six, i);
        take(target, &four, i);
    }
}

static enum target_result find_name(struct target *target, const struct target_wish *wish, unsigned wait_ms,
                                    char *why)
{
    struct addrinfo *list = NULL;
    char host[TARGET_NAME_MAX];
    int error = look_up(wish, wait_ms, &list);

    escape(host, sizeof(host), wish->host);
    if (error == 0) {
        take_all(target, list);
        freeaddrinfo(list);
    }
    if (error == EAI_INPROGRESS) {
        snprintf(why, TARGET_WHY_MAX, "%.200s: no answer from the name service", host);
        return TARGET_TOO_LATE;
    }
    if (target->count > 0)
        return TARGET_OK;
    snprintf(why, TARGET_WHY_MAX, "%.150s: %s", host, gai_strerror(error != 0 ? error : EAI_NONAME));
    return TARGET_UNKNOWN;
}

static enum target_result find_internet(struct target *target, const struct target_wish *wish,
                                        unsigned wait_ms, char *why)
{
    struct target_address *first = &target->addresses[0];
    char host[TARGET_NAME_MAX - 16];

    target->port = wish->port == NULL ? TARGET_PORT : port_number(wish->port);
    if (target->port == 0)
        return wrong(why, "a port is a number from 1 to 65535");
    if (wish->host[0] == '\0' || strlen(wish->host) >= sizeof(host))
        return wrong(why, "a host has 1 to 255 characters");
    escape(host, sizeof(host), wish->host);
    snprintf(target->name, sizeof(target->name), "%s port %u", host, target->port);
    first->length = addr_parse(wish->host, (uint16_t) target->port, &first->store);
    if (first->length == 0)
        return find_name(target, wish, wait_ms, why);
    if (wish->family != AF_UNSPEC && wish->family != first->any.sa_family)
        return wrong(why, wish->family == AF_INET ? "-4 wants no IPv6 address" : "-6 wants no IPv4 address");
    target->count = 1;
    return TARGET_OK;
}

enum target_result target_find(struct target *target, const struct target_wish *wish, unsigned wait_ms,
                               char why[TARGET_WHY_MAX])
{
    struct target_wish full = *wish;

    if (full.host == NULL)
        full.host = "localhost";
    *target = (struct target){.type = wish->type};
    return is_path(full.host) ? find_path(target, &full, why) : find_internet(target, &full, wait_ms, why);
}

const char *target_text(const struct target *target, unsigned index, char text[ADDR_TEXT_MAX])
{
    char plain[ADDR_TEXT_MAX];

    escape(text, ADDR_TEXT_MAX,
           addr_text(&target->addresses[index].any, target->addresses[index].length, plain));
    return text;
}
