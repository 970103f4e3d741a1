/* Lists of networks from any text: what is taken for a network is written back as the same one, and the table
 * finds what a search from end to end finds.
 *
 * Input: lines. The first byte of each is the value of the network that the rest is, or an address to find.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/prefixes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    LINE_MAX_BYTES = 100,
    NETWORKS_MAX = 500
};

struct entry {
    struct prefix network;
    unsigned value;
};

/* Copies the line at DATA to LINE, with its NUL; what is too long is cut. Returns the bytes to go on by. */
static size_t take_line(const uint8_t *data, size_t size, char line[LINE_MAX_BYTES + 1])
{
    const uint8_t *end = memchr(data, '\n', size);
    size_t length = end != NULL ? (size_t) (end - data) : size;
    size_t kept = length < LINE_MAX_BYTES ? length : LINE_MAX_BYTES;

    memcpy(line, data, kept);
    line[kept] = '\0';
    return length + (end != NULL);
}

static void check_text(const struct prefix *network)
{
    char text[ADDR_TEXT_MAX];
    struct prefix again;

    assert(network->bits <= 128);
    for (unsigned bit = network->bits; bit < 128; bit++)
        assert((network->address[bit / 8] & 0x80U >> bit % 8) == 0);
    addr_network_text(network->address, network->bits, text);
    assert(prefix_parse(text, &again) == NULL);
    assert(again.bits == network->bits && memcmp(again.address, network->address, 16) == 0);
}

static unsigned search(const struct entry *list, size_t count, const uint8_t address[16])
{
    const struct entry *best = NULL;

    for (size_t i = 0; i < count; i++)
        if (addr_same_prefix(list[i].network.address, address, list[i].network.bits) &&
            (best == NULL || list[i].network.bits > best->network.bits))
            best = &list[i];
    return best != NULL ? best->value : 0;
}

static unsigned value_of(const struct entry *list, size_t count, const struct prefix *network)
{
    for (size_t i = 0; i < count; i++)
        if (list[i].network.bits == network->bits &&
            memcmp(list[i].network.address, network->address, 16) == 0)
            return list[i].value;
    return 0;
}

/* The first and the last address of NETWORK, which lie at the edges of others, too. */
static void check_edges(const struct prefixes *prefixes, const struct entry *list, size_t count,
                        const struct prefix *network)
{
    uint8_t last[16];

    memcpy(last, network->address, sizeof(last));
    for (unsigned bit = network->bits; bit < 128; bit++)
        last[bit / 8] |= (uint8_t) (0x80U >> bit % 8);
    assert(prefixes_find(prefixes, network->address) == search(list, count, network->address));
    assert(prefixes_find(prefixes, last) == search(list, count, last));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct entry list[NETWORKS_MAX];
    struct prefixes *prefixes = prefixes_create(NETWORKS_MAX);
    char line[LINE_MAX_BYTES + 1];
    size_t count = 0;

    assert(prefixes != NULL);
    for (size_t at = 0; at < size && count < NETWORKS_MAX;) {
        struct entry *entry = &list[count];
        unsigned value = data[at];
        at += take_line(data + at, size - at, line);
        if (line[0] == '\0' || prefix_parse(line + 1, &entry->network) != NULL)
            continue;
        check_text(&entry->network);
        check_edges(prefixes, list, count, &entry->network);
        unsigned before = value_of(list, count, &entry->network);
        entry->value = prefixes_add(prefixes, &entry->network, value);
        assert(entry->value == (before != 0 ? before : value));
        count++;
    }
    for (size_t i = 0; i < count; i++)
        check_edges(prefixes, list, count, &list[i].network);
    prefixes_free(prefixes);
    return 0;
}
