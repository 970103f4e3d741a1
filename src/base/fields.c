/* The fields of a line, as text. Must not know who reads them. */
#include "base/fields.h"

#include <stdio.h>
#include <string.h>

#include "base/quote.h"

enum {
    NUMBER_MAX = 24,
    VALUE_MAX = 200 /* the longest that is there whole: only the name of a listener could be longer */
};

struct output {
    char *text;
    size_t used;
};

static void add(struct output *output, const char *name, const char *value)
{
    size_t length = strlen(name), room = FIELDS_MAX - output->used;

    if (value == NULL || length + 2 > room)
        return;
    char *at = output->text + output->used;
    memcpy(at, name, length);
    at[length++] = '=';
    size_t most = room - length - 1;
    length += quote_copy(value, at + length, most < VALUE_MAX ? most : VALUE_MAX);
    at[length++] = '\n';
    output->used += length;
}

static void add_number(struct output *output, const char *name, uint64_t number)
{
    char text[NUMBER_MAX];

    snprintf(text, sizeof(text), "%llu", (unsigned long long) number);
    add(output, name, text);
}

static void add_worker(struct output *output, const struct fields_worker *worker)
{
    add_number(output, "SLOT", worker->slot);
    add_number(output, "GENERATION", worker->generation);
    if (worker->pid != 0)
        add_number(output, "WORKER_PID", (uint64_t) worker->pid);
}

static void add_peer(struct output *output, const struct addr_peer *peer)
{
    char text[ADDR_TEXT_MAX];

    add(output, "PEER_ADDRESS", peer->is_internet ? addr_network_text(peer->address, 128, text) : "local");
    if (peer->is_internet && peer->port != 0)
        add_number(output, "PEER_PORT", peer->port);
}

size_t fields_write(const struct fields *fields, char out[FIELDS_MAX])
{
    struct output output = {.text = out};

    if (fields->worker != NULL)
        add_worker(&output, fields->worker);
    add(&output, "LISTENER", fields->listener);
    if (fields->peer != NULL)
        add_peer(&output, fields->peer);
    add(&output, "PEER_NETWORK", fields->network);
    add(&output, "RULE", fields->rule);
    add(&output, "CAUSE", fields->cause);
    if (fields->count != 0)
        add_number(&output, "COUNT", fields->count);
    return output.used;
}
