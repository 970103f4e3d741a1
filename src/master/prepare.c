/* From config to plan. The only place that knows both the config's words and the protocols' table. It opens
 * nothing. */
#include "master/prepare.h"

#include <string.h>

#include "worker/guard.h"
#include "worker/rate.h"

static bool is_set(const struct config_listener *listener, enum config_listener_key key)
{
    return listener->origin[key].file != NULL;
}

/* Options that would be silently without effect are errors: whoever wrote one expects something of it. */
static void check_meaning(struct config *config, const struct config_listener *listener,
                          const struct protocol *protocol)
{
    static const struct {
        enum config_listener_key key;
        const char *name;
        bool stream, seqpacket, datagram, chunks_only; /* where it has a meaning */
    } rows[] = {
        {CONFIG_KEY_FRAMING, "framing", true, false, false, false},
        {CONFIG_KEY_DELAY, "delay", true, true, false, true},
        {CONFIG_KEY_BACKLOG, "backlog", true, true, false, true},
        {CONFIG_KEY_PROMPT, "prompt", true, true, false, false},
        {CONFIG_KEY_FAREWELL, "farewell", true, true, false, false},
        {CONFIG_KEY_ANSWER, "answer", true, true, true, false},
        {CONFIG_KEY_GUARD, "guard", false, false, true, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool on_type = listener->type == CONFIG_STREAM      ? rows[i].stream
                       : listener->type == CONFIG_SEQPACKET ? rows[i].seqpacket
                                                            : rows[i].datagram;
        if (!is_set(listener, rows[i].key))
            continue;
        if (!on_type)
            config_complain(config, listener, rows[i].key,
                            "\"%s\" has no meaning for a listener of this type", rows[i].name);
        else if (protocol->chunks_only && !rows[i].chunks_only)
            config_complain(config, listener, rows[i].key, "\"%s\" has no meaning for protocol \"%s\"",
                            rows[i].name, protocol->name);
    }
}

static const struct protocol *find_protocol(struct config *config, const struct config_listener *listener)
{
    static const char *const type_names[] = {
        [CONFIG_STREAM] = "stream", [CONFIG_DATAGRAM] = "datagram", [CONFIG_SEQPACKET] = "seqpacket"};
    const struct protocol *protocol = protocol_find(listener->protocol);
    unsigned wanted = listener->type == CONFIG_DATAGRAM ? PROTOCOL_ON_DATAGRAM : PROTOCOL_ON_STREAM;

    if (listener->protocol[0] == '\0')
        return NULL; /* missing, and complained of as such */
    if (protocol == NULL) {
        const char *near = config_nearest(listener->protocol, protocol_names());
        config_complain(config, listener, CONFIG_KEY_PROTOCOL, "unknown protocol \"%s\"%s%s%s",
                        listener->protocol, near != NULL ? ", did you mean \"" : "", near != NULL ? near : "",
                        near != NULL ? "\"?" : "");
        return NULL;
    }
    if (protocol->serves & wanted)
        return protocol;
    config_complain(config, listener, CONFIG_KEY_PROTOCOL,
                    "protocol \"%s\" cannot serve a listener of type \"%s\"", protocol->name,
                    type_names[listener->type]);
    return NULL;
}

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

static uint32_t guard_rules(const struct config_guard *guard)
{
    return 1u << GUARD_OVERSIZE | (uint32_t) guard->empty << GUARD_EMPTY |
           (uint32_t) guard->port << GUARD_PORT | (uint32_t) guard->source << GUARD_SOURCE |
           (uint32_t) guard->destination << GUARD_DESTINATION | (uint32_t) guard->reply << GUARD_REPLY |
           (uint32_t) guard->text << GUARD_TEXT | (uint32_t) guard->rate << GUARD_RATE |
           (uint32_t) guard->budget << GUARD_BUDGET;
}

static enum framing_mode framing_of(const struct config_listener *listener, const struct protocol *protocol)
{
    if (listener->type == CONFIG_SEQPACKET)
        return FRAMING_PACKET;
    if (protocol->chunks_only || listener->framing == CONFIG_FRAMING_CHUNK)
        return FRAMING_CHUNK;
    return listener->framing == CONFIG_FRAMING_LINE ? FRAMING_LINE : FRAMING_AUTO;
}

static uint32_t milliseconds(double seconds)
{
    return (uint32_t) (seconds * 1000 + 0.5);
}

static struct plan_pace prepare_pace(const struct config_rate *rate)
{
    uint64_t per_source = (uint64_t) rate->per_source;

    return (struct plan_pace){.source_ns = rate_interval_ns(per_source),
                              .prefix_ns = rate_interval_ns(per_source * RATE_PREFIX_SHARES),
                              .budget_ns = rate_interval_ns((uint64_t) rate->budget),
                              .dry_run = rate->dry_run};
}

static void prepare_service(struct plan_service *service, char *template_store, struct config *config,
                            const struct config_listener *listener)
{
    const struct protocol *protocol = find_protocol(config, listener);

    if (protocol == NULL)
        return;
    check_meaning(config, listener, protocol);
    struct texts texts = {.prompt = span_of(listener->prompt), .farewell = span_of(listener->farewell)};
    const char *error = template_parse(listener->answer, template_store, &texts.prefix, &texts.suffix);
    if (error != NULL)
        config_complain(config, listener, CONFIG_KEY_ANSWER, "answer: %s", error);
    if (protocol->chunks_only)
        texts = *protocol->defaults; /* it has no words of its own to choose */
    *service =
        (struct plan_service){.name = listener->name,
                              .protocol = protocol,
                              .texts = texts,
                              .framing = framing_of(listener, protocol),
                              .message_size = (size_t) listener->message_size,
                              .answer_max = protocol_answer_max(&texts, (size_t) listener->message_size),
                              .delay_ms = milliseconds(listener->delay),
                              .guard_rules = guard_rules(&listener->guard)};
}

static void add_networks(struct prefixes *prefixes, const struct config_networks *networks, unsigned value)
{
    for (unsigned i = 0; prefixes != NULL && i < networks->count; i++)
        prefixes_add(prefixes, &networks->list[i], value);
}

/* A table with room for COUNT networks; complains when there is none. */
static struct prefixes *make_table(struct config *config, unsigned count)
{
    struct prefixes *prefixes = prefixes_create(count);

    if (prefixes == NULL)
        config_complain(config, NULL, CONFIG_KEY_LISTENER, "out of memory for %u networks", count);
    return prefixes;
}

/* Both lists in one table, in which the order of neither matters; so the same network cannot be in both. */
static void prepare_access(struct plan_service *service, struct config *config,
                           const struct config_listener *listener)
{
    const struct config_networks *allow = &listener->allow, *deny = &listener->deny;
    char text[ADDR_TEXT_MAX];

    if (allow->count + deny->count == 0)
        return;
    service->allows_others = allow->count == 0;
    service->access = make_table(config, allow->count + deny->count);
    add_networks(service->access, allow, PLAN_ALLOWED);
    for (unsigned i = 0; service->access != NULL && i < deny->count; i++)
        if (prefixes_add(service->access, &deny->list[i], PLAN_DENIED) != PLAN_DENIED)
            config_complain(config, listener, CONFIG_KEY_DENY, "deny: \"%s\" is in allow, too",
                            addr_network_text(deny->list[i].address, deny->list[i].bits, text));
}

void prepare_plan(struct prepared *prepared, struct config *config)
{
    struct plan *plan = &prepared->plan;

    *prepared = (struct prepared){0};
    plan->workers = (uint32_t) config->workers;
    plan->access_log = config->log_access;
    plan->limits = (struct plan_limits){.connections = (uint32_t) config->limits.connections,
                                        .per_source = (uint32_t) config->limits.per_source,
                                        .per_prefix = (uint32_t) config->limits.per_prefix,
                                        .idle_ms = milliseconds(config->limits.idle_timeout),
                                        .write_ms = milliseconds(config->limits.write_timeout),
                                        .drain_ms = milliseconds(config->limits.drain_timeout),
                                        .penalty_ms = milliseconds(config->limits.penalty)};
    plan->pace = prepare_pace(&config->rate);
    plan->service_count = config->listener_count;
    for (unsigned i = 0; i < config->listener_count; i++)
        prepare_service(&plan->services[i], prepared->templates[i], config, &config->listeners[i]);
    for (unsigned i = 0; i < config->listener_count; i++)
        prepare_access(&plan->services[i], config, &config->listeners[i]);
    plan->exempt = make_table(config, config->exempt.count);
    add_networks(plan->exempt, &config->exempt, 1);
}

void prepare_free(struct prepared *prepared)
{
    for (unsigned i = 0; i < prepared->plan.service_count; i++)
        prefixes_free(prepared->plan.services[i].access);
    prefixes_free(prepared->plan.exempt);
}
