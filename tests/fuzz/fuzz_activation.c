/* Passed sockets of any kind against listeners of every kind, without a descriptor: whatever is passed, a
 * match is a true one, nobody is met twice, and a refusal is put into words.
 *
 * Input: for each passed socket the bytes of enum field, then its address, as long as LENGTH says, which is
 * laid over that of a wanted socket. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/log.c"
#include "master/activation.c"

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
    V6ONLY = 2
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

/* Makes PASSED of the SIZE bytes at DATA, as inspect() would of a descriptor; returns the bytes used, 0:
 * there are not enough. */
static size_t take_passed(const uint8_t *data, size_t size, struct passed *passed)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW, -1};
    char words[WANTED_TEXT_MAX];

    if (size < HEADER)
        return 0;
    const struct binding *binding = &all[data[WANTED] % all_count].binding;
    size_t place = data[PLACE] % sizeof(passed->address),
           bytes = data[BYTES] % (sizeof(passed->address) - place + 1);
    if (size < HEADER + bytes)
        return 0;
    *passed =
        (struct passed){.fd = 3,
                        .name = known_names[data[NAME] % (sizeof(known_names) / sizeof(known_names[0]))],
                        .type = types[data[TYPE] % (sizeof(types) / sizeof(types[0]))],
                        .listening = (data[FLAGS] & LISTENING) != 0,
                        .address = binding->address,
                        .length = binding->length};
    memcpy((char *) &passed->address + place, data + HEADER, bytes);
    if (data[LENGTH] != 0)
        passed->length = data[LENGTH] % (sizeof(passed->address) + 1);
    /* The kernel always tells a family. */
    if (passed->address.ss_family == AF_UNSPEC)
        passed->address.ss_family = AF_NETLINK;
    if (passed->length < sizeof(sa_family_t))
        passed->length = sizeof(sa_family_t);
    passed->family = passed->address.ss_family;
    passed->v6only = passed->family == AF_INET6 && (data[FLAGS] & V6ONLY) != 0;
    snprintf(passed->text, sizeof(passed->text), "passed socket %d (\"%s\", %s)", passed->fd, passed->name,
             wanted_text(passed->type, at(&passed->address), passed->length, words));
    return HEADER + bytes;
}

/* What must hold of WANTED, which PASSED was found to be for. */
static void check_match(const struct matching *matching, const struct passed *passed,
                        const struct wanted *wanted)
{
    const struct config_listener *named = find_named(matching, passed->name);

    assert(!wanted->met);
    assert(wanted->binding.length > 0);
    assert(wanted->binding.type == passed->type);
    assert(wanted->binding.address.ss_family == passed->family);
    assert(compare(passed, &wanted->binding) == DIFFERS_NOT);
    assert(passed->type == SOCK_DGRAM || passed->listening);
    assert(named == NULL || named == listener_of(matching, wanted));
    if (passed->family == AF_INET6) {
        const struct sockaddr_in6 *a = (const struct sockaddr_in6 *) &passed->address;
        const struct sockaddr_in6 *b = (const struct sockaddr_in6 *) &wanted->binding.address;
        assert(memcmp(&a->sin6_addr, &b->sin6_addr, sizeof(a->sin6_addr)) == 0);
        assert(a->sin6_scope_id == b->sin6_scope_id);
    }
    if (passed->family != AF_UNIX)
        return;
    assert(passed->length == wanted->binding.length);
    assert(memcmp(&passed->address, &wanted->binding.address, wanted->binding.length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wanted wanted[PLAN_SOCKETS_MAX];
    struct passed passed;
    unsigned matched = 0;
    size_t used;

    if (config == NULL)
        prepare();
    memcpy(wanted, all, sizeof(wanted));
    const struct matching matching = {config, wanted, all_count};
    while ((used = take_passed(data, size, &passed)) > 0) {
        struct wanted *found = match(&matching, &passed);
        if (found != NULL) {
            check_match(&matching, &passed, found);
            meet(&matching, &passed, found);
            assert(found->met);
            matched++;
        }
        data += used;
        size -= used;
    }
    assert(matched <= all_count);
    return 0;
}
