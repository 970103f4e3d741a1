/* Lists of networks in a config, down to what a worker asks: whoever the plan lets in, denies or exempts is
 * who a search of the lists from end to end would.
 *
 * Input: lines. The first byte of each says which list, the rest is a network. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "master/prepare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    INPUT_MAX = 4096,
    ADDRESSES_MAX = 512
};

enum list {
    ALLOW,
    DENY,
    EXEMPT,
    LISTS
};

static const char *const heads[LISTS] = {"listen = ({ name = \"a\"; protocol = \"greeting\"; allow = [",
                                         "]; deny = [", "]; } ); exempt = ["};

/* Writes those of the input's lines that are for LIST, as strings in which nothing is special. */
static void write_list(FILE *out, const char *data, size_t size, enum list list)
{
    const char *end = data + size, *separator = "";

    while (data < end) {
        const char *newline = memchr(data, '\n', (size_t) (end - data)),
                   *stop = newline != NULL ? newline : end;
        if (stop > data && (unsigned char) data[0] % LISTS == list) {
            fprintf(out, "%s\"", separator);
            for (const char *at = data + 1; at < stop; at++)
                fprintf(out, "\\x%02x", (unsigned char) *at == 0 ? '0' : (unsigned char) *at);
            fputc('"', out);
            separator = ", ";
        }
        data = stop + 1;
    }
}

static char *make_text(const uint8_t *data, size_t size, size_t *length)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, length);

    assert(out != NULL);
    for (enum list list = 0; list < LISTS; list++) {
        fputs(heads[list], out);
        write_list(out, (const char *) data, size, list);
    }
    fputs("];", out);
    fclose(out);
    return text;
}

/* The longest network of NETWORKS that ADDRESS is in, in bits; -1 if it is in none. */
static int longest(const struct config_networks *networks, const uint8_t address[16])
{
    int best = -1;

    for (unsigned i = 0; i < networks->count; i++)
        if (addr_same_prefix(networks->list[i].address, address, networks->list[i].bits) &&
            (int) networks->list[i].bits > best)
            best = (int) networks->list[i].bits;
    return best;
}

static void check_address(const struct plan *plan, const struct config *config, const uint8_t address[16])
{
    const struct config_listener *listener = &config->listeners[0];
    struct addr_peer peer = {.is_internet = 1};
    int allowed = longest(&listener->allow, address), denied = longest(&listener->deny, address);

    memcpy(peer.address, address, sizeof(peer.address));
    bool in_none = allowed < 0 && denied < 0;
    assert(plan_allows(&plan->services[0], &peer) ==
           (in_none ? listener->allow.count == 0 : allowed > denied));
    assert(plan_exempts(plan, &peer) == (longest(&config->exempt, address) >= 0));
}

/* The ends of each network, and what lies beside them. */
static void check_around(const struct plan *plan, const struct config *config,
                         const struct config_networks *networks)
{
    for (unsigned i = 0; i < networks->count && i < ADDRESSES_MAX; i++) {
        uint8_t address[16];
        memcpy(address, networks->list[i].address, sizeof(address));
        check_address(plan, config, address);
        for (unsigned bit = networks->list[i].bits; bit < 128; bit++)
            address[bit / 8] |= (uint8_t) (0x80U >> bit % 8);
        check_address(plan, config, address);
        for (int byte = 15; byte >= 0 && ++address[byte] == 0; byte--)
            ;
        check_address(plan, config, address);
        memcpy(address, networks->list[i].address, sizeof(address));
        for (int byte = 15; byte >= 0 && address[byte]-- == 0; byte--)
            ;
        check_address(plan, config, address);
    }
}

static void check_all(const struct plan *plan, const struct config *config)
{
    const struct addr_peer local = {.is_internet = 0};

    assert(plan_allows(&plan->services[0], &local) && plan_exempts(plan, &local));
    check_around(plan, config, &config->listeners[0].allow);
    check_around(plan, config, &config->listeners[0].deny);
    check_around(plan, config, &config->exempt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct prepared prepared;
    static FILE *errors;
    size_t length;

    if (size > INPUT_MAX)
        return 0;
    if (errors == NULL)
        errors = fopen("/dev/null", "we");
    assert(errors != NULL);
    char *text = make_text(data, size, &length);
    struct config *config = config_parse("fuzz.conf", text, length, errors);
    assert(config != NULL);
    prepare_plan(&prepared, config);
    if (config_errors(config) == 0)
        check_all(&prepared.plan, config);
    prepare_free(&prepared);
    config_free(config);
    free(text);
    return 0;
}
