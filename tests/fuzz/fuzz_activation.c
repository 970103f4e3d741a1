/* Passed sockets of any kind, and sockets of our own, against listeners of every kind, without a descriptor:
 * whatever there is, a match is a true one, no listener is met twice by a passed socket, and a refusal is put
 * into words.
 *
 * Input: for each passed socket the bytes of enum field, then its address, as long as LENGTH says, which is
 * laid over that of a wanted socket. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/log.c"
#include "master/matching.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum field {
    TYPE,
    FLAGS,  /* enum flag */
    NAME,   /* index into known_names */
    WANTED, /* whose address is taken before the bytes of the input are laid over it */
    PLACE,  /* where they are laid */
    BYTES,  /* how many */
    LENGTH, /* of the address; 0: as it was */
    HEADER
};

enum flag {
    LISTENING = 1,
    V6ONLY = 2,
    OWN = 4
};

static const char config_text[] =
    "listen = (\n"
    "{ name = \"a\"; protocol = \"p\"; },\n"
    "{ name = \"b\"; protocol = \"p\"; type = \"datagram\"; address = \"127.0.0.1\"; port = 0; },\n"
    "{ name = \"c\"; protocol = \"p\"; path = \"/run/c\"; },\n"
    "{ name = \"d\"; protocol = \"p\"; path = \"@d\"; type = \"datagram\"; },\n"
    "{ name = \"e\"; protocol = \"p\"; path = \"@e\"; type = \"seqpacket\"; },\n"
    "{ name = \"f\"; protocol = \"p\"; type = \"datagram\"; address = \"::1\"; },\n"
    "{ name = \"g\"; protocol = \"p\"; address = \"fe80::1%lo\"; },\n"
    "{ name = \"h\"; protocol = \"p\"; address = \"fe80::1%no-such-one\"; } );";
static const char *const known_names[] = {
    "a", "b", "c", "d", "e", "f", "g", "h", "unknown", "hellod.socket", "", "\x1b[31m\n%s"};

static struct config *config;
static struct wanted all[PLAN_SOCKETS_MAX];
static unsigned all_count;

static void prepare(void)
{
    config = config_parse("t.conf", config_text, sizeof(config_text) - 1, stderr);
    assert(config != NULL && config_errors(config) == 0);
    all_count = wanted_list(config, all);
    sink.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert(sink.fd >= 0);
}

/* Makes HELD of the SIZE bytes at DATA, as inspect() would of a descriptor; returns the bytes used, 0:
 * there are not enough. */
static size_t take_held(const uint8_t *data, size_t size, struct held *held)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW, -1};

    if (size < HEADER)
        return 0;
    const struct binding *binding = &all[data[WANTED] % all_count].binding;
    size_t place = data[PLACE] % sizeof(held->address),
           bytes = data[BYTES] % (sizeof(held->address) - place + 1);
    if (size < HEADER + bytes)
        return 0;
    *held = (struct held){.fd = 3,
                          .origin = (data[FLAGS] & OWN) != 0 ? HELD_BOUND : HELD_PASSED,
                          .type = types[data[TYPE] % (sizeof(types) / sizeof(types[0]))],
                          .listening = (data[FLAGS] & LISTENING) != 0,
                          .address = binding->address,
                          .length = binding->length};
    snprintf(held->name, sizeof(held->name), "%s",
             known_names[data[NAME] % (sizeof(known_names) / sizeof(known_names[0]))]);
    memcpy((char *) &held->address + place, data + HEADER, bytes);
    if (data[LENGTH] != 0)
        held->length = data[LENGTH] % (sizeof(held->address) + 1);
    /* The kernel always tells a family. */
    if (held->address.ss_family == AF_UNSPEC)
        held->address.ss_family = AF_NETLINK;
    if (held->length < sizeof(sa_family_t))
        held->length = sizeof(sa_family_t);
    held->v6only = held->address.ss_family == AF_INET6 && (data[FLAGS] & V6ONLY) != 0;
    return HEADER + bytes;
}

/* What must hold of WANTED, which HELD was found to be for. */
static void check_match(const struct matching *matching, const struct held *held, const struct wanted *wanted)
{
    const struct config_listener *named = find_named(matching, held->name);

    assert(wanted->binding.length > 0);
    assert(wanted->binding.type == held->type);
    assert(wanted->binding.address.ss_family == held->address.ss_family);
    assert(compare(held, &wanted->binding) == DIFFERS_NOT);
    assert(held->type == SOCK_DGRAM || held->listening);
    assert(held->origin != HELD_PASSED || named == NULL || named == listener_of(matching, wanted));
    if (held->address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *a = (const struct sockaddr_in6 *) &held->address;
        const struct sockaddr_in6 *b = (const struct sockaddr_in6 *) &wanted->binding.address;
        assert(memcmp(&a->sin6_addr, &b->sin6_addr, sizeof(a->sin6_addr)) == 0);
        assert(a->sin6_scope_id == b->sin6_scope_id);
    }
    if (held->address.ss_family != AF_UNIX)
        return;
    assert(held->length == wanted->binding.length);
    assert(memcmp(&held->address, &wanted->binding.address, wanted->binding.length) == 0);
}

/* Returns the wanted socket that HELD was found to be for, or NULL. */
static const struct wanted *find_one(const struct matching *matching, struct held *held)
{
    if (held->origin != HELD_PASSED) {
        const struct wanted *wanted = is_usable(held) ? find_for(matching, held, false) : NULL;
        return wanted != NULL || !is_usable(held) ? wanted : find_for(matching, held, true);
    }
    struct wanted *wanted = match(matching, held);
    if (wanted == NULL)
        return NULL;
    assert(!wanted->met);
    meet(matching, held, wanted);
    assert(wanted->met);
    return wanted;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wanted wanted[PLAN_SOCKETS_MAX];
    struct held held;
    unsigned matched = 0;
    size_t used;

    if (config == NULL)
        prepare();
    memcpy(wanted, all, sizeof(wanted));
    const struct matching matching = {config, wanted, all_count};
    while ((used = take_held(data, size, &held)) > 0) {
        const struct wanted *found = find_one(&matching, &held);
        if (found != NULL) {
            check_match(&matching, &held, found);
            matched += held.origin == HELD_PASSED;
        }
        data += used;
        size -= used;
    }
    assert(matched <= all_count);
    return 0;
}
