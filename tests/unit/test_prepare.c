/* From config text to plan: what is refused, word for word with its line, and the values that come out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_help.h"
#include "master/prepare.h"
#include "worker/guard.h"
#include "worker/penalty.h"

static struct prepared prepared;

/* Prepares TEXT, in which nothing may be wrong; the plan is good until config_free(). What the one before
 * had is freed. */
static struct config *prepare(const char *text)
{
    struct config *config = good_config_of(text);

    prepare_free(&prepared);
    prepare_plan(&prepared, config);
    assert_int_equal(config_errors(config), 0);
    return config;
}

/* Prepares TEXT and compares what is complained of with SAID, in which "t.conf:" is left out. */
static void check_said(const char *text, const char *said)
{
    char *errors = NULL, *stripped;
    size_t length = 0;
    FILE *stream = open_memstream(&errors, &length);
    struct config *config = config_parse("t.conf", text, strlen(text), stream);
    unsigned lines = 0;

    prepare_free(&prepared);
    prepare_plan(&prepared, config);
    fclose(stream);
    stripped = calloc(1, length + 1);
    for (const char *line = errors, *end; *line != '\0'; line = end, lines++) {
        end = strchr(line, '\n') + 1;
        assert_memory_equal(line, "t.conf:", 7);
        strncat(stripped, line + 7, (size_t) (end - line) - 7);
    }
    assert_string_equal(stripped, said);
    assert_int_equal(config_errors(config), lines);
    free(stripped);
    free(errors);
    config_free(config);
}

static void test_unknown_protocols(void **state)
{
    (void) state;
    check_said("listen = ( { name = \"a\";\n protocol = \"greting\"; } );",
               "2: unknown protocol \"greting\", did you mean \"greeting\"?\n");
    check_said("listen = ( { name = \"a\";\n protocol = \"telnet\"; } );",
               "2: unknown protocol \"telnet\"\n");
    check_said("listen = ( {\n name = \"a\"; } );", "1: protocol must be given\n");
}

static void test_protocols_on_the_wrong_socket(void **state)
{
    (void) state;
    check_said("listen = ( { name = \"a\";\n protocol = \"hello\"; } );",
               "2: protocol \"hello\" cannot serve a listener of type \"stream\"\n");
    check_said("listen = ( { name = \"a\";\n protocol = \"hello\"; path = \"/x\"; type = \"seqpacket\"; } );",
               "2: protocol \"hello\" cannot serve a listener of type \"seqpacket\"\n");
    check_said("listen = ( { name = \"a\";\n protocol = \"greeting\"; type = \"datagram\"; } );",
               "2: protocol \"greeting\" cannot serve a listener of type \"datagram\"\n");
    check_said("listen = ( { name = \"a\"; type = \"datagram\";\n protocol = \"upper\"; } );",
               "2: protocol \"upper\" cannot serve a listener of type \"datagram\"\n");
}

static void test_templates(void **state)
{
    (void) state;
    check_said("listen = ( { name = \"a\"; protocol = \"greeting\";\n\n answer = \"Hello!\"; } );",
               "3: answer: no place for the name (%s)\n");
    check_said("listen = ( { name = \"a\"; protocol = \"greeting\"; answer = \"%s %s\"; },\n"
               "{ name = \"b\"; protocol = \"hello\"; type = \"datagram\"; port = 1; answer = \"%d\"; },\n"
               "{ name = \"c\"; protocol = \"greeting\"; port = 2; answer = \"%s%\"; } );",
               "1: answer: more than one place for the name (%s)\n"
               "2: answer: an unknown \"%\" sequence (write %% for a percent sign)\n"
               "3: answer: a lone \"%\" at the end\n");
}

static void test_options_without_a_meaning(void **state)
{
    (void) state;
    check_said("listen = ( { name = \"a\"; protocol = \"hello\"; type = \"datagram\";\n"
               "framing = \"line\";\ndelay = 1.0;\nbacklog = 5;\nprompt = \"?\";\nfarewell = \"bye\";\n"
               "answer = \"Hi %s\";\nguard = { text = false; }; } );",
               "2: \"framing\" has no meaning for a listener of this type\n"
               "3: \"delay\" has no meaning for a listener of this type\n"
               "4: \"backlog\" has no meaning for a listener of this type\n"
               "5: \"prompt\" has no meaning for a listener of this type\n"
               "6: \"farewell\" has no meaning for a listener of this type\n");
    check_said(
        "listen = ( { name = \"a\"; protocol = \"greeting\"; framing = \"line\"; delay = 1.0; backlog = 5;\n"
        "prompt = \"?\"; farewell = \"bye\"; answer = \"Hi %s\";\nguard = { text = false; }; } );",
        "3: \"guard\" has no meaning for a listener of this type\n");
    check_said("listen = ( { name = \"a\"; protocol = \"greeting\"; type = \"seqpacket\"; path = \"@a\"; "
               "delay = 1.0;\n"
               "framing = \"auto\";\nbacklog = 5; prompt = \"?\"; farewell = \"bye\"; answer = \"Hi %s\";\n"
               "guard = { }; } );",
               "2: \"framing\" has no meaning for a listener of this type\n"
               "4: \"guard\" has no meaning for a listener of this type\n");
    check_said(
        "listen = ( { name = \"a\"; protocol = \"upper\"; delay = 1.0; backlog = 5;\n"
        "framing = \"chunk\";\nprompt = \"?\";\nfarewell = \"bye\";\nanswer = \"Hi %s\";\nguard = { }; } );",
        "2: \"framing\" has no meaning for protocol \"upper\"\n"
        "3: \"prompt\" has no meaning for protocol \"upper\"\n"
        "4: \"farewell\" has no meaning for protocol \"upper\"\n"
        "5: \"answer\" has no meaning for protocol \"upper\"\n"
        "6: \"guard\" has no meaning for a listener of this type\n");
}

static void assert_span(struct span span, const char *text)
{
    assert_int_equal(span.length, strlen(text));
    assert_memory_equal(span.data, text, strlen(text));
}

static void assert_same_texts(const struct texts *texts, const struct texts *others)
{
    const struct span *a = (const struct span *) texts, *b = (const struct span *) others;

    for (size_t i = 0; i < sizeof(struct texts) / sizeof(struct span); i++) {
        assert_int_equal(a[i].length, b[i].length);
        assert_memory_equal(a[i].data, b[i].data, a[i].length);
    }
}

/* The words of protocol.c and those of the table of options are said twice; they must be the same. */
static void test_defaults(void **state)
{
    struct config *config = prepare("");
    const struct plan *plan = &prepared.plan;
    const struct plan_service *greeting = &plan->services[0], *hello = &plan->services[1];

    (void) state;
    assert_int_equal(plan->service_count, 2);
    assert_string_equal(greeting->name, "greeting");
    assert_ptr_equal(greeting->protocol, protocol_find("greeting"));
    assert_same_texts(&greeting->texts, greeting->protocol->defaults);
    assert_int_equal(greeting->framing, FRAMING_AUTO);
    assert_int_equal(greeting->delay_ms, 0);
    assert_string_equal(hello->name, "hello");
    assert_ptr_equal(hello->protocol, protocol_find("hello"));
    assert_span(hello->texts.prefix, "Hello, ");
    assert_span(hello->texts.suffix, "!");
    assert_memory_equal(hello->protocol->defaults->prefix.data, "Hello, ", 7);
    assert_memory_equal(hello->protocol->defaults->suffix.data, "!", 1);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(plan->services[i].message_size, 1024);
        assert_int_equal(plan->services[i].answer_max, 7 + 1024 + 1);
        assert_int_equal(plan->services[i].guard_rules, (1u << GUARD_RULES) - 1);
    }
    assert_int_equal(plan->limits.connections, 4096);
    assert_int_equal(plan->limits.per_source, 64);
    assert_int_equal(plan->limits.per_prefix, 1024);
    assert_int_equal(plan->limits.idle_ms, 300000);
    assert_int_equal(plan->limits.write_ms, 10000);
    assert_int_equal(plan->limits.drain_ms, 10000);
    assert_int_equal(plan->pace.source_ns, 10000000);
    assert_int_equal(plan->pace.prefix_ns, 1250000);
    assert_int_equal(plan->pace.budget_ns, 10000);
    assert_false(plan->pace.dry_run);
    assert_int_equal(plan->workers, config->workers);
    assert_false(plan->access_log);
    assert_int_equal(plan->socket_count, 0);
    assert_null(plan->scoreboard);
    assert_null(plan->sources);
    assert_null(plan->rate);
    config_free(config);
}

static void test_words(void **state)
{
    struct config *config =
        prepare("listen = ( { name = \"a\"; protocol = \"greeting\"; prompt = \"\"; farewell = \"x\";\n"
                "answer = \"100%% %s, %%s\"; message_size = 7; delay = 0.0015; },\n"
                "{ name = \"b\"; protocol = \"greeting\"; port = 1; answer = \"%s\"; \n"
                "prompt = \"A prompt that is longer than any answer to it\"; message_size = 1; } );");
    const struct plan_service *a = &prepared.plan.services[0], *b = &prepared.plan.services[1];

    (void) state;
    assert_span(a->texts.prompt, "");
    assert_span(a->texts.farewell, "x");
    assert_span(a->texts.prefix, "100% ");
    assert_span(a->texts.suffix, ", %s");
    assert_int_equal(a->message_size, 7);
    assert_int_equal(a->answer_max, 5 + 7 + 4);
    assert_int_equal(a->delay_ms, 2);
    assert_span(b->texts.prefix, "");
    assert_span(b->texts.suffix, "");
    assert_int_equal(b->answer_max, b->texts.prompt.length);
    assert_int_equal(b->delay_ms, 0);
    config_free(config);
}

static void test_upper_has_no_words(void **state)
{
    struct config *config =
        prepare("listen = ( { name = \"u\"; protocol = \"upper\"; message_size = 99; } );");
    const struct plan_service *upper = &prepared.plan.services[0];

    (void) state;
    assert_int_equal(upper->framing, FRAMING_CHUNK);
    assert_same_texts(&upper->texts, upper->protocol->defaults);
    assert_int_equal(upper->answer_max, 99);
    config_free(config);
}

static void test_framing(void **state)
{
    static const struct {
        const char *option;
        enum framing_mode mode;
    } rows[] = {{"", FRAMING_AUTO},
                {"framing = \"auto\";", FRAMING_AUTO},
                {"framing = \"chunk\";", FRAMING_CHUNK},
                {"framing = \"line\";", FRAMING_LINE},
                {"type = \"seqpacket\"; path = \"/x\";", FRAMING_PACKET}};

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[200];
        snprintf(text, sizeof(text), "listen = ( { name = \"a\"; protocol = \"greeting\"; %s } );",
                 rows[i].option);
        struct config *config = prepare(text);
        assert_int_equal(prepared.plan.services[0].framing, rows[i].mode);
        config_free(config);
    }
}

static void test_guard_bits(void **state)
{
    (void) state;
    for (enum guard_rule rule = GUARD_EMPTY; rule < GUARD_RULES; rule++) {
        char text[200];
        snprintf(text, sizeof(text),
                 "listen = ( { name = \"a\"; protocol = \"hello\"; type = \"datagram\"; guard = { %s = "
                 "false; }; } );",
                 guard_rule_name(rule));
        struct config *config = prepare(text);
        assert_int_equal(prepared.plan.services[0].guard_rules, ((1u << GUARD_RULES) - 1) & ~(1u << rule));
        config_free(config);
    }
    struct config *config =
        prepare("listen = ( { name = \"a\"; protocol = \"hello\"; type = \"datagram\"; guard = {"
                "empty = false; port = false; source = false; destination = false; "
                "reply = false; text = false; rate = false; budget = false; }; } );");
    assert_int_equal(prepared.plan.services[0].guard_rules, 1u << GUARD_OVERSIZE);
    config_free(config);
}

static void test_pace(void **state)
{
    struct config *config = prepare("rate = { per_source = 0; budget = 10000000; dry_run = true; };");

    (void) state;
    assert_int_equal(prepared.plan.pace.source_ns, 0);
    assert_int_equal(prepared.plan.pace.prefix_ns, 0);
    assert_int_equal(prepared.plan.pace.budget_ns, 100);
    assert_true(prepared.plan.pace.dry_run);
    config_free(config);
    config = prepare("rate = { per_source = 1000000; budget = 0; };");
    assert_int_equal(prepared.plan.pace.source_ns, 1000);
    assert_int_equal(prepared.plan.pace.prefix_ns, 125);
    assert_int_equal(prepared.plan.pace.budget_ns, 0);
    config_free(config);
}

static struct addr_peer peer_of(const char *text)
{
    struct addr_peer peer = {.is_internet = 1};
    struct prefix host;

    assert_null(prefix_parse(text, &host));
    memcpy(peer.address, host.address, sizeof(peer.address));
    return peer;
}

static bool exempts(const char *text)
{
    struct addr_peer peer = peer_of(text);

    return plan_exempts(&prepared.plan, &peer);
}

static bool allows(unsigned service, const char *text)
{
    struct addr_peer peer = peer_of(text);

    return plan_allows(&prepared.plan.services[service], &peer);
}

static void test_access(void **state)
{
    struct config *config = prepare(
        "listen = ( { name = \"a\"; protocol = \"greeting\"; },\n"
        "{ name = \"b\"; protocol = \"greeting\"; allow = [ \"10.0.0.0/8\", \"10.1.2.3\" ];\n"
        "  deny = ( \"10.1.2.0/24\" ); },\n"
        "{ name = \"c\"; protocol = \"hello\"; type = \"datagram\"; deny = [ \"::/0\", \"10.0.0.1\" ]; },\n"
        "{ name = \"d\"; protocol = \"greeting\"; deny = [ \"0.0.0.0/0\" ]; allow = [ ]; },\n"
        "{ name = \"e\"; protocol = \"greeting\"; allow = [ \"0.0.0.0/0\" ]; } );");

    (void) state;
    assert_null(prepared.plan.services[0].access);
    assert_true(allows(0, "10.0.0.1") && allows(0, "::1"));
    assert_true(allows(1, "10.0.0.1") && allows(1, "10.1.2.3") && allows(1, "::ffff:10.1.2.3"));
    assert_false(allows(1, "10.1.2.4") || allows(1, "11.0.0.1") || allows(1, "::1"));
    assert_false(allows(2, "10.0.0.1") || allows(2, "1.2.3.4") || allows(2, "::1"));
    assert_false(allows(3, "10.0.0.1"));
    assert_true(allows(3, "::1"));
    assert_true(allows(4, "10.0.0.1"));
    assert_false(allows(4, "::1"));
    assert_true(plan_allows(&prepared.plan.services[4], &(struct addr_peer){.is_internet = 0}));
    config_free(config);
}

static void test_one_network_in_both_lists(void **state)
{
    (void) state;
    check_said("listen = ( { name = \"a\"; protocol = \"greeting\"; allow = [ \"10.1.2.3/8\", \"::1\" ];\n"
               "deny = [ \"::2\",\n\"10.0.0.0/8\", \"10.0.0.0/9\", \"::ffff:10.3.2.1/104\" ]; } );",
               "2: deny: \"10.0.0.0/8\" is in allow, too\n2: deny: \"10.0.0.0/8\" is in allow, too\n");
}

static void test_limits_and_the_rest(void **state)
{
    struct config *config = prepare("workers = 7; log = { access = true; };\n"
                                    "exempt = [ \"10.0.0.0/8\", \"2001:db8::/32\" ];\n"
                                    "limits = { connections = 1000000; per_source = 0; per_prefix = 1;\n"
                                    "idle_timeout = 86400.0; write_timeout = 0.1; drain_timeout = 0.0; "
                                    "penalty = 86400.0; };");
    const struct plan *plan = &prepared.plan;

    (void) state;
    assert_int_equal(plan->workers, 7);
    assert_true(plan->access_log);
    assert_int_equal(plan->limits.connections, 1000000);
    assert_int_equal(plan->limits.per_source, 0);
    assert_int_equal(plan->limits.per_prefix, 1);
    assert_int_equal(plan->limits.idle_ms, 86400000);
    assert_int_equal(plan->limits.write_ms, 100);
    assert_int_equal(plan->limits.drain_ms, 0);
    assert_int_equal(plan->limits.penalty_ms, PENALTY_LONGEST_S * 1000);
    assert_true(plan_exempts(plan, &(struct addr_peer){.is_internet = 0}));
    assert_true(exempts("10.255.0.1"));
    assert_true(exempts("2001:db8::1"));
    assert_false(exempts("11.0.0.1"));
    assert_false(exempts("::1"));
    config_free(config);
}

/* As many listeners as there may be; no two share a place. */
static void test_all_listeners(void **state)
{
    char text[CONFIG_LISTENERS_MAX * 120] = "listen = (", *end = text + strlen(text);

    (void) state;
    for (unsigned i = 0; i < CONFIG_LISTENERS_MAX; i++)
        end += sprintf(end, "%s{ name = \"n%u\"; protocol = \"greeting\"; port = %u; answer = \"%u %%s\"; }",
                       i == 0 ? "" : ",", i, i + 1, 1000 + i);
    sprintf(end, ");");
    struct config *config = prepare(text);
    assert_int_equal(prepared.plan.service_count, CONFIG_LISTENERS_MAX);
    for (unsigned i = 0; i < CONFIG_LISTENERS_MAX; i++) {
        char prefix[16];
        snprintf(prefix, sizeof(prefix), "%u ", 1000 + i);
        assert_span(prepared.plan.services[i].texts.prefix, prefix);
    }
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_protocols),
        cmocka_unit_test(test_protocols_on_the_wrong_socket),
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_options_without_a_meaning),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_upper_has_no_words),
        cmocka_unit_test(test_framing),
        cmocka_unit_test(test_guard_bits),
        cmocka_unit_test(test_access),
        cmocka_unit_test(test_one_network_in_both_lists),
        cmocka_unit_test(test_limits_and_the_rest),
        cmocka_unit_test(test_all_listeners),
        cmocka_unit_test(test_pace),
    };

    return cmocka_run_group_tests_name("prepare", tests, NULL, NULL);
}
