/* Networks: from text, and many of them in a table. Pure. */
#include "base/prefixes.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

/* An address as two numbers, which compare faster than bytes. */
struct key {
    uint64_t high, low;
};

/* A network, or a place where the ways to two of them part, which has no value. Those below it share its
 * first bits, and their next bit says which side they are on. What its key has beyond bits does not count. */
struct node {
    struct key key;
    uint32_t below[2]; /* 0: nobody; the root, which is number 0, is below nobody */
    uint8_t bits;
    uint8_t value;
};

struct prefixes {
    uint32_t count, room;
    struct node nodes[]; /* the first is the root, of no bits */
};

/* The number in TEXT, or -1 if it is not one from 0 to MAX. */
static int parse_bits(const char *text, int max)
{
    if (!isdigit((unsigned char) *text) || strlen(text) > 3 || text[strspn(text, "0123456789")])
        return -1;
    long bits = strtol(text, NULL, 10);
    return bits <= max ? (int) bits : -1;
}

const char *prefix_parse(const char *text, struct prefix *prefix)
{
    struct prefix result = {.bits = 0};
    char address[INET6_ADDRSTRLEN];
    size_t length = strcspn(text, "/");
    int before = 96;

    if (length >= sizeof(address))
        return "is not an address";
    memcpy(address, text, length);
    address[length] = '\0';
    memcpy(result.address, addr_mapped, ADDR_MAPPED_BYTES);
    if (inet_pton(AF_INET, address, result.address + ADDR_MAPPED_BYTES) != 1) {
        if (inet_pton(AF_INET6, address, result.address) != 1)
            return "is not an address";
        before = 0;
    }
    int bits = text[length] == '/' ? parse_bits(text + length + 1, 128 - before) : 128 - before;
    if (bits < 0)
        return before ? "has a number of bits other than 0..32" : "has a number of bits other than 0..128";
    result.bits = (unsigned) (before + bits);
    for (unsigned bit = result.bits; bit < 128; bit++)
        result.address[bit / 8] &= (uint8_t) ~(0x80U >> (bit % 8));
    *prefix = result;
    return NULL;
}

struct prefixes *prefixes_create(size_t count)
{
    size_t room = 2 * count + 1; /* each network adds at most itself and one place where ways part */
    struct prefixes *prefixes = calloc(1, sizeof(*prefixes) + room * sizeof(prefixes->nodes[0]));

    if (prefixes == NULL)
        return NULL;
    prefixes->room = (uint32_t) room;
    prefixes->count = 1;
    return prefixes;
}

void prefixes_free(struct prefixes *prefixes)
{
    free(prefixes);
}

static struct key key_of(const uint8_t address[16])
{
    uint64_t halves[2];

    memcpy(halves, address, sizeof(halves));
    return (struct key){be64toh(halves[0]), be64toh(halves[1])};
}

/* Bit number BIT, below 128, counted from the start. */
static unsigned bit_of(struct key key, unsigned bit)
{
    uint64_t from_there = bit < 64 ? key.high >> (63 - bit) : key.low >> (127 - bit);

    return (unsigned) from_there & 1;
}

/* How many bits are the same before the first that differs. */
static unsigned common_bits(struct key one, struct key other)
{
    uint64_t high = one.high ^ other.high, low = one.low ^ other.low;

    if (high != 0)
        return (unsigned) __builtin_clzll(high);
    return low != 0 ? 64 + (unsigned) __builtin_clzll(low) : 128;
}

static uint32_t add_node(struct prefixes *prefixes, struct key key, unsigned bits)
{
    assert(prefixes->count < prefixes->room);
    prefixes->nodes[prefixes->count] = (struct node){.key = key, .bits = (uint8_t) bits};
    return prefixes->count++;
}

/* One step from node AT towards the network of BITS that KEY begins with; makes the node it leads to, if
 * there is none. */
static uint32_t step_towards(struct prefixes *prefixes, uint32_t at, struct key key, unsigned bits)
{
    struct node *nodes = prefixes->nodes;
    uint32_t *link = &nodes[at].below[bit_of(key, nodes[at].bits)], next = *link;

    if (next == 0)
        return *link = add_node(prefixes, key, bits);
    unsigned common = common_bits(nodes[next].key, key);
    if (common > bits)
        common = bits;
    if (common >= nodes[next].bits)
        return next;
    *link = add_node(prefixes, key, common);
    nodes[*link].below[bit_of(nodes[next].key, common)] = next;
    return *link;
}

unsigned prefixes_add(struct prefixes *prefixes, const struct prefix *prefix, unsigned value)
{
    struct key key = key_of(prefix->address);
    uint32_t at = 0;

    while (prefixes->nodes[at].bits < prefix->bits)
        at = step_towards(prefixes, at, key, prefix->bits);
    if (prefixes->nodes[at].value == 0)
        prefixes->nodes[at].value = (uint8_t) value;
    return prefixes->nodes[at].value;
}

unsigned prefixes_find(const struct prefixes *prefixes, const uint8_t address[16])
{
    struct key key = key_of(address);
    const struct node *node;
    unsigned found = 0;
    uint32_t at = 0;

    if (prefixes == NULL)
        return 0;
    do {
        node = &prefixes->nodes[at];
        if (common_bits(node->key, key) < node->bits)
            break;
        if (node->value != 0)
            found = node->value;
        at = node->bits < 128 ? node->below[bit_of(key, node->bits)] : 0;
    } while (at != 0);
    return found;
}
