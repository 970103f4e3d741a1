/* The datagram guard: one small function for each rule, asked in order.
 *
 * It must not know where a datagram came from other than by the facts in struct datagram, and it keeps
 * nothing from one datagram to the next. */
#include "worker/guard.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

enum {
    PRIVILEGED_PORTS = 1024
};

enum address_kind {
    ADDRESS_NONE, /* nobody who could be answered */
    ADDRESS_UNIX,
    ADDRESS_IPV4,
    ADDRESS_IPV6
};

/* A socket address, as far as the rules look at it. */
struct address {
    enum address_kind kind;
    in_port_t port;              /* host order; IP only */
    in_addr_t ipv4;              /* host order; ADDRESS_IPV4, and then also when it came as a mapped one */
    const struct in6_addr *ipv6; /* ADDRESS_IPV6 */
};

static struct address ipv6_address(const struct sockaddr_in6 *in6)
{
    struct address address = {.kind = ADDRESS_IPV6, .port = ntohs(in6->sin6_port), .ipv6 = &in6->sin6_addr};

    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        memcpy(&address.ipv4, &in6->sin6_addr.s6_addr[12], sizeof address.ipv4);
        address.ipv4 = ntohl(address.ipv4);
        address.kind = ADDRESS_IPV4;
    }
    return address;
}

static struct address address_of(const struct sockaddr *sockaddr, socklen_t length)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *) sockaddr;
    struct address address = {.kind = ADDRESS_NONE};

    /* The length comes first: of a nameless AF_UNIX source the kernel writes nothing, not even the family. */
    if (sockaddr == NULL || length <= offsetof(struct sockaddr_un, sun_path))
        return address;
    if (sockaddr->sa_family == AF_UNIX) {
        address.kind = ADDRESS_UNIX;
    } else if (sockaddr->sa_family == AF_INET && length >= sizeof *in) {
        address.kind = ADDRESS_IPV4;
        address.port = ntohs(in->sin_port);
        address.ipv4 = ntohl(in->sin_addr.s_addr);
    } else if (sockaddr->sa_family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
        address = ipv6_address((const struct sockaddr_in6 *) sockaddr);
    }
    return address;
}

static bool is_multicast_or_broadcast(const struct address *address)
{
    if (address->kind == ADDRESS_IPV4)
        return IN_MULTICAST(address->ipv4) || address->ipv4 == INADDR_BROADCAST;
    return address->kind == ADDRESS_IPV6 && IN6_IS_ADDR_MULTICAST(address->ipv6);
}

static bool is_unspecified(const struct address *address)
{
    if (address->kind == ADDRESS_IPV4)
        return address->ipv4 >> 24 == 0;
    return address->kind == ADDRESS_IPV6 && IN6_IS_ADDR_UNSPECIFIED(address->ipv6);
}

static bool is_loopback(const struct address *address)
{
    if (address->kind == ADDRESS_IPV4)
        return address->ipv4 >> 24 == IN_LOOPBACKNET;
    return address->kind == ADDRESS_IPV6 && IN6_IS_ADDR_LOOPBACK(address->ipv6);
}

static bool port_is_bad(const struct guard *guard, const struct address *source)
{
    if (source->kind != ADDRESS_IPV4 && source->kind != ADDRESS_IPV6)
        return false;
    if (source->port < PRIVILEGED_PORTS)
        return true;
    for (size_t i = 0; i < guard->own_port_count; i++)
        if (guard->own_ports[i] == source->port)
            return true;
    return false;
}

static bool source_is_bad(const struct guard *guard, const struct datagram *datagram,
                          const struct address *source)
{
    bool came_from_outside = datagram->interface != 0 && datagram->interface != guard->loopback_index;

    return is_unspecified(source) || is_multicast_or_broadcast(source) ||
           (is_loopback(source) && came_from_outside);
}

static bool destination_is_bad(const struct datagram *datagram)
{
    if (!datagram->destination_is_local)
        return true;
    if (datagram->destination == NULL)
        return false;
    /* Written by us from the kernel's control message, so that it is as long as its family says. */
    struct address destination = address_of(datagram->destination, sizeof(struct sockaddr_storage));
    return is_multicast_or_broadcast(&destination);
}

static struct span without_line_ending(struct span text)
{
    if (text.length > 0 && text.data[text.length - 1] == '\n') {
        text.length--;
        if (text.length > 0 && text.data[text.length - 1] == '\r')
            text.length--;
    }
    return text;
}

static bool is_answer_of(const struct texts *texts, struct span text)
{
    struct span prefix = texts->prefix, suffix = texts->suffix;

    /* A template of nothing but the name gives answers that look like anything. */
    if (prefix.length + suffix.length == 0 || text.length < prefix.length + suffix.length)
        return false;
    return memcmp(text.data, prefix.data, prefix.length) == 0 &&
           memcmp(text.data + text.length - suffix.length, suffix.data, suffix.length) == 0;
}

static bool is_any_answer(const struct guard *guard, struct span text)
{
    return is_answer_of(guard->active, text) ||
           (guard->builtin != guard->active && is_answer_of(guard->builtin, text));
}

/* Both as it came and without its line ending: a template may itself end with one. */
static bool is_answer(const struct guard *guard, struct span whole, struct span cut)
{
    return is_any_answer(guard, cut) || (whole.length != cut.length && is_any_answer(guard, whole));
}

/* Whether all bytes of WORD are printable ASCII. In one of the two sums a byte has its top bit set if it is
 * below 0x20, DEL or 0x80 and more; a carry or borrow comes only from a byte that has failed already. */
static bool is_plain(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);

    return (((word + ones) | (word - ones * 0x20)) & (ones * 0x80)) == 0;
}

/* How many of the bytes at AT are printable ASCII before the first that is not. */
static size_t plain_prefix(const unsigned char *at, size_t length)
{
    size_t done = 0;

    /* Most names are shorter than a word. */
    if (length >= 4 && length < sizeof(uint64_t)) {
        uint32_t first, last;
        memcpy(&first, at, sizeof first);
        memcpy(&last, at + length - sizeof last, sizeof last);
        if (is_plain((uint64_t) first << 32 | last))
            return length;
    }
    for (; length - done >= sizeof(uint64_t); done += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, at + done, sizeof word);
        if (!is_plain(word))
            break;
    }
    while (done < length && at[done] >= 0x20 && at[done] < 0x7F)
        done++;
    return done;
}

/* The length of the one character at AT, at most LENGTH bytes, or 0 if it is none or a control character. */
static size_t character_length(const unsigned char *at, size_t length)
{
    unsigned char low = 0x80,
                  high = 0xBF; /* what the second byte may be: the bounds of RFC 3629, section 4 */
    size_t bytes;

    if (at[0] < 0x80)
        return at[0] >= 0x20 && at[0] != 0x7F;
    if (at[0] < 0xC2 || at[0] > 0xF4) /* a byte out of place, an overlong form, or beyond U+10FFFF */
        return 0;
    bytes = at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
    if (at[0] == 0xC2 || at[0] == 0xE0)
        low = 0xA0; /* below are the C1 controls; an overlong form */
    else if (at[0] == 0xED)
        high = 0x9F; /* above are the surrogates */
    else if (at[0] == 0xF0)
        low = 0x90; /* below is an overlong form */
    else if (at[0] == 0xF4)
        high = 0x8F; /* above is beyond U+10FFFF */
    if (length < bytes || at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < bytes; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    return bytes;
}

static bool is_text(struct span text)
{
    const unsigned char *bytes = (const unsigned char *) text.data;
    size_t done = 0;

    while (done < text.length) {
        done += plain_prefix(bytes + done, text.length - done);
        if (done == text.length)
            break;
        size_t step = character_length(bytes + done, text.length - done);
        if (step == 0)
            return false;
        done += step;
    }
    return true;
}

static bool is_on(const struct guard *guard, enum guard_rule rule)
{
    return guard->rules >> rule & 1;
}

enum guard_rule guard_check(const struct guard *guard, const struct datagram *datagram, struct span *message)
{
    struct address source = address_of(datagram->source, datagram->source_length);
    struct span whole = {datagram->data, datagram->length};
    struct span cut = without_line_ending(whole);
    struct span name = is_on(guard, GUARD_TEXT) ? cut : whole;

    if (datagram->truncated || datagram->length > guard->message_size)
        return GUARD_OVERSIZE;
    if (is_on(guard, GUARD_EMPTY) && name.length == 0)
        return GUARD_EMPTY;
    if (is_on(guard, GUARD_PORT) && port_is_bad(guard, &source))
        return GUARD_PORT;
    if (source.kind == ADDRESS_NONE)
        return GUARD_SOURCE;
    if (is_on(guard, GUARD_SOURCE) && source_is_bad(guard, datagram, &source))
        return GUARD_SOURCE;
    if (is_on(guard, GUARD_DESTINATION) && destination_is_bad(datagram))
        return GUARD_DESTINATION;
    if (is_on(guard, GUARD_REPLY) && is_answer(guard, whole, cut))
        return GUARD_REPLY;
    if (is_on(guard, GUARD_TEXT) && !is_text(cut))
        return GUARD_TEXT;
    *message = name;
    return GUARD_PASS;
}

static bool same(struct span one, struct span other)
{
    return one.length == other.length && memcmp(one.data, other.data, one.length) == 0;
}

const struct texts *guard_builtin(const struct texts *active, const struct texts *builtin)
{
    return same(active->prefix, builtin->prefix) && same(active->suffix, builtin->suffix) ? active : builtin;
}

const char *guard_rule_name(enum guard_rule rule)
{
    static const char *const names[GUARD_RULES] = {
        [GUARD_OVERSIZE] = "oversize",
        [GUARD_EMPTY] = "empty",
        [GUARD_PORT] = "port",
        [GUARD_SOURCE] = "source",
        [GUARD_DESTINATION] = "destination",
        [GUARD_REPLY] = "reply",
        [GUARD_TEXT] = "text",
        [GUARD_RATE] = "rate",
        [GUARD_BUDGET] = "budget",
    };

    assert(rule < GUARD_RULES);
    return names[rule];
}
