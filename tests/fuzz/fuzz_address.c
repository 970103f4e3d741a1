/* Addresses from any text, and texts from any address that a kernel may tell: what is read is written in a
 * form that is read as the same, and no text is longer than there is room for.
 *
 * Input: one byte for what it is; then a text, or the bytes of an address. */
#include <assert.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    INPUT_MAX = 200,
    PORT = 3288
};

/* A text of exactly the room that there is. */
static void check_text(const struct sockaddr *address, socklen_t length)
{
    char *text = malloc(ADDR_TEXT_MAX);
    struct addr_peer peer = addr_peer(address);

    assert(text != NULL);
    assert(strlen(addr_text(address, length, text)) < ADDR_TEXT_MAX && *text != '\0');
    assert(strlen(addr_peer_text(&peer, text)) < ADDR_TEXT_MAX && *text != '\0');
    for (unsigned bits = 0; peer.is_internet && bits <= 128; bits++) {
        assert(strlen(addr_network_text(peer.address, bits, text)) < ADDR_TEXT_MAX);
        assert(addr_same_prefix(peer.address, peer.address, bits));
    }
    free(text);
}

/* Without what stands around the address. */
static void strip(char *text)
{
    char *end = strrchr(text, ':');

    assert(end != NULL && atoi(end + 1) == PORT);
    if (*text == '[') {
        assert(end[-1] == ']');
        memmove(text, text + 1, strlen(text));
        end -= 2;
    }
    *end = '\0';
}

static void check_parsing(const char *text)
{
    struct sockaddr_storage store = {0}, again = {0};
    char shown[ADDR_TEXT_MAX];
    socklen_t length = addr_parse(text, PORT, &store);

    if (length == 0)
        return;
    assert(length == (store.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)));
    check_text((const struct sockaddr *) &store, length);
    assert(addr_port((const struct sockaddr *) &store) == PORT);
    addr_text((const struct sockaddr *) &store, length, shown);
    strip(shown);
    assert(addr_parse(shown, PORT, &again) == length && memcmp(&store, &again, length) == 0);
}

/* A path as it is, a name in the abstract namespace up to its first NUL. */
static void check_local(const struct sockaddr_storage *store, socklen_t length)
{
    char text[ADDR_TEXT_MAX], path[sizeof(struct sockaddr_un) + 1] = "";
    size_t bytes = length - offsetof(struct sockaddr_un, sun_path),
           most = sizeof(((struct sockaddr_un *) 0)->sun_path);

    memcpy(path, (const char *) store + offsetof(struct sockaddr_un, sun_path), bytes < most ? bytes : most);
    if (path[0] == '\0')
        path[0] = '@';
    const char *expected = bytes == 0 ? "unnamed" : path;
    assert(strcmp(addr_text((const struct sockaddr *) store, length, text), expected) == 0);
}

static void check_address(const uint8_t *data, size_t size, sa_family_t family)
{
    struct sockaddr_storage store = {.ss_family = family};
    socklen_t least = family == AF_UNIX    ? sizeof(sa_family_t)
                      : family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                           : sizeof(struct sockaddr_in);
    socklen_t most = family == AF_UNIX ? sizeof(struct sockaddr_un) + 1 : least;
    socklen_t length = (socklen_t) (sizeof(sa_family_t) + size);

    memcpy((char *) &store + sizeof(sa_family_t), data, size);
    length = length < least ? least : length > most ? most : length;
    check_text((const struct sockaddr *) &store, length);
    if (family == AF_UNIX)
        check_local(&store, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const sa_family_t families[] = {AF_UNIX, AF_INET, AF_INET6};
    char text[INPUT_MAX + 1] = "";

    if (size == 0 || size > INPUT_MAX)
        return 0;
    if (data[0] % 4 < 3) {
        size_t room = sizeof(struct sockaddr_storage) - sizeof(sa_family_t);
        check_address(data + 1, size - 1 < room ? size - 1 : room, families[data[0] % 4]);
    } else {
        memcpy(text, data + 1, size - 1);
        check_parsing(text);
    }
    return 0;
}
