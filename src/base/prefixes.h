/* Networks: from text, and many of them in a table that says which one an address belongs to.
 *
 * The table is a binary trie without the nodes that decide nothing, in one piece of memory: a lookup takes at
 * most a step for each bit of an address, however many networks there are. It does not know what networks are
 * listed for. */
#ifndef HELLOD_BASE_PREFIXES_H
#define HELLOD_BASE_PREFIXES_H

#include <stddef.h>
#include <stdint.h>

/* A network; IPv4 is kept as an IPv4-mapped IPv6 address, bits counted from its start. */
struct prefix {
    uint8_t address[16];
    unsigned bits;
};

struct prefixes;

/* Reads "ADDRESS" or "ADDRESS/BITS" into PREFIX and clears the bits beyond BITS. Returns NULL, or what is
 * wrong, and then PREFIX is untouched. */
const char *prefix_parse(const char *text, struct prefix *prefix);

/* An empty table with room for COUNT networks, which the caller owns. NULL when memory is short. */
struct prefixes *prefixes_create(size_t count);

/* Frees it; NULL is fine. */
void prefixes_free(struct prefixes *prefixes);

/* Enters PREFIX with VALUE, 1 to 255. A network that is there already keeps the value that it has. Returns
 * the network's value. */
unsigned prefixes_add(struct prefixes *prefixes, const struct prefix *prefix, unsigned value);

/* The value of the smallest network that ADDRESS (IPv4 as mapped) belongs to; 0 if there is none, or no
 * table. */
unsigned prefixes_find(const struct prefixes *prefixes, const uint8_t address[16]);

#endif
