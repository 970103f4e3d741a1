/* Hello with its guard in front, under any datagram from anywhere with any rules: the verdict is the one of a
 * slow and simple reading of the rules, and no answer is longer than the words around it and the datagram.
 *
 * Input: see enum field, then the datagram's bytes. */
#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "worker/guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum field {
    RULES,       /* a bit for each rule */
    FLAGS,       /* enum flag */
    WORDS,       /* which of the words are the listener's own */
    SIZE,        /* message_size - 1 */
    PORT,        /* two bytes */
    SOURCE = 6,  /* an index into addresses */
    DESTINATION, /* likewise */
    INTERFACE,   /* 0: not known, 1: loopback, else another */
    HEADER
};

enum flag {
    TRUNCATED = 1,
    DESTINATION_IS_LOCAL = 2
};

/* What the simple reading knows of an address, said beside it. */
static const struct known {
    const char *text;
    bool loopback, odd_source, odd_destination;
} addresses[] = {
    {"192.0.2.7", false, false, false},
    {"2001:db8::7", false, false, false},
    {"::ffff:192.0.2.7", false, false, false},
    {"127.0.0.1", true, false, false},
    {"127.9.9.9", true, false, false},
    {"::1", true, false, false},
    {"::ffff:127.0.0.1", true, false, false},
    {"0.0.0.0", false, true, false},
    {"0.0.0.9", false, true, false},
    {"::", false, true, false},
    {"224.0.0.1", false, true, true},
    {"239.255.255.255", false, true, true},
    {"240.0.0.1", false, false, false},
    {"255.255.255.255", false, true, true},
    {"::ffff:255.255.255.255", false, true, true},
    {"::ffff:224.0.0.1", false, true, true},
    {"ff02::1", false, true, true},
    {"fe80::1", false, false, false},
    {"/run/client", false, false, false},
    {"", false, false, false}, /* nameless */
};

static const struct texts words[] = {
    {{"", 0}, {"Hello, ", 7}, {"!", 1}, {"", 0}},
    {{"", 0}, {"", 0}, {"", 0}, {"", 0}},
    {{"", 0}, {"Hi ", 3}, {"\n", 1}, {"", 0}},
    {{"", 0}, {"", 0}, {" \xC3\xBC", 3}, {"", 0}},
};

static const uint16_t own_ports[] = {3288, 40000};

static socklen_t set_address(struct sockaddr_storage *storage, const char *text, uint16_t port)
{
    struct sockaddr_in *in = (struct sockaddr_in *) storage;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) storage;
    struct sockaddr_un *sun = (struct sockaddr_un *) storage;

    memset(storage, 0, sizeof *storage);
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        return sizeof *in;
    }
    if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        return sizeof *in6;
    }
    sun->sun_family = AF_UNIX;
    memcpy(sun->sun_path, text, strlen(text));
    return (socklen_t) (offsetof(struct sockaddr_un, sun_path) + strlen(text));
}

/* Reads one character as any decoder does, writes it again in its shortest form and compares. */
static size_t read_character(const uint8_t *at, size_t length)
{
    static const uint32_t first[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t bytes = at[0] < 0x80 ? 1 : at[0] >> 5 == 6 ? 2 : at[0] >> 4 == 14 ? 3 : at[0] >> 3 == 30 ? 4 : 0;
    uint32_t code = bytes == 1 ? at[0] : at[0] & (0x7FU >> bytes);

    if (bytes == 0 || bytes > length)
        return 0;
    for (size_t i = 1; i < bytes; i++) {
        if (at[i] >> 6 != 2)
            return 0;
        code = code << 6 | (at[i] & 0x3F);
    }
    bool control = code < 0x20 || (code >= 0x7F && code <= 0x9F);
    bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    return code < first[bytes] || code > 0x10FFFF || control || surrogate ? 0 : bytes;
}

static bool text_is_good(const uint8_t *data, size_t length)
{
    while (length > 0) {
        size_t bytes = read_character(data, length);
        if (bytes == 0)
            return false;
        data += bytes;
        length -= bytes;
    }
    return true;
}

static bool looks_like(const struct texts *texts, const uint8_t *data, size_t length)
{
    size_t around = texts->prefix.length + texts->suffix.length;
    bool same = around > 0 && length >= around;

    for (size_t i = 0; same && i < texts->prefix.length; i++)
        same = data[i] == (uint8_t) texts->prefix.data[i];
    for (size_t i = 0; same && i < texts->suffix.length; i++)
        same = data[length - texts->suffix.length + i] == (uint8_t) texts->suffix.data[i];
    return same;
}

static bool looks_like_an_answer(const struct texts *active, const uint8_t *data, size_t length, size_t cut)
{
    return looks_like(active, data, length) || looks_like(active, data, cut) ||
           looks_like(&words[0], data, length) || looks_like(&words[0], data, cut);
}

static size_t length_without_line_ending(const uint8_t *data, size_t length)
{
    if (length >= 2 && data[length - 2] == '\r' && data[length - 1] == '\n')
        return length - 2;
    return length >= 1 && data[length - 1] == '\n' ? length - 1 : length;
}

static bool is_ip(const struct known *address)
{
    return address->text[0] != '\0' && address->text[0] != '/';
}

/* The rules, as protocol and header describe them. HEAD is the input's, DATA of LENGTH the datagram's. */
static enum guard_rule judge_simply(const uint8_t *head, const uint8_t *data, size_t length, size_t *answered)
{
    const struct known *source = &addresses[head[SOURCE] % (sizeof addresses / sizeof addresses[0])];
    const struct known *destination =
        &addresses[head[DESTINATION] % (sizeof addresses / sizeof addresses[0])];
    uint16_t port = (uint16_t) (head[PORT] << 8 | head[PORT + 1]);
    bool on[GUARD_RULES], nameless = source->text[0] == '\0';
    size_t cut = length_without_line_ending(data, length);

    for (unsigned rule = 0; rule < GUARD_RULES; rule++)
        on[rule] = (head[RULES] >> rule & 1) != 0;
    *answered = on[GUARD_TEXT] ? cut : length;
    if ((head[FLAGS] & TRUNCATED) != 0 || length > (size_t) head[SIZE] + 1)
        return GUARD_OVERSIZE;
    if (on[GUARD_EMPTY] && *answered == 0)
        return GUARD_EMPTY;
    if (on[GUARD_PORT] && is_ip(source) && (port < 1024 || port == own_ports[0] || port == own_ports[1]))
        return GUARD_PORT;
    if (nameless || (on[GUARD_SOURCE] && (source->odd_source || (source->loopback && head[INTERFACE] > 1))))
        return GUARD_SOURCE;
    if (on[GUARD_DESTINATION] && (destination->odd_destination || (head[FLAGS] & DESTINATION_IS_LOCAL) == 0))
        return GUARD_DESTINATION;
    if (on[GUARD_REPLY] && looks_like_an_answer(&words[head[WORDS] & 3], data, length, cut))
        return GUARD_REPLY;
    if (on[GUARD_TEXT] && !text_is_good(data, cut))
        return GUARD_TEXT;
    return GUARD_PASS;
}

static void answer(const struct texts *texts, const struct span *message, size_t length)
{
    size_t room = protocol_answer_max(texts, message->length), written = SIZE_MAX;
    char *out = malloc(room + 1);

    assert(out != NULL);
    protocol_hello.message(texts, message->data, message->length, out, &written);
    assert(written <= room && written <= texts->prefix.length + length + texts->suffix.length);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t count = sizeof addresses / sizeof addresses[0];
    struct sockaddr_storage source, destination;
    struct span message = {NULL, 0};

    if (size < HEADER)
        return 0;
    /* A copy of exactly the datagram, so that the sanitizer sees a read beyond it. */
    size_t length = size - HEADER, answered;
    char *bytes = malloc(length > 0 ? length : 1);
    assert(bytes != NULL);
    memcpy(bytes, data + HEADER, length);
    struct guard guard = {
        data[RULES], (size_t) data[SIZE] + 1, &words[data[WORDS] & 3], &words[0], own_ports, 2, 1};
    struct datagram datagram = {.data = bytes, .length = length, .truncated = (data[FLAGS] & TRUNCATED) != 0};
    datagram.source_length = set_address(&source, addresses[data[SOURCE] % count].text,
                                         (uint16_t) (data[PORT] << 8 | data[PORT + 1]));
    datagram.source = (const struct sockaddr *) &source;
    datagram.destination_is_local = (data[FLAGS] & DESTINATION_IS_LOCAL) != 0;
    datagram.interface = data[INTERFACE];
    set_address(&destination, addresses[data[DESTINATION] % count].text, 0);
    if (is_ip(&addresses[data[DESTINATION] % count]))
        datagram.destination = (const struct sockaddr *) &destination;

    enum guard_rule verdict = guard_check(&guard, &datagram, &message);
    enum guard_rule expected = judge_simply(data, data + HEADER, length, &answered);
    assert(verdict == expected);
    if (verdict == GUARD_PASS) {
        assert(message.data == bytes && message.length == answered);
        answer(guard.active, &message, length);
    }
    free(bytes);
    return 0;
}
