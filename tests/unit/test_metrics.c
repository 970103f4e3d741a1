/* The status as metrics, in both forms, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/exposition.c"
#include "ctl/metrics.c"
#include "ctl/status.c"

static const char service[] =
    "service version=\"0.1\" healthy=true generation=2 uptime_ms=1234005 workers=4 ready=3\n";
static const char reload[] = "reload number=3 result=\"failed\" age_ms=5 reason=\"x\"\n";
static const char worker[] =
    "worker generation=2 slot=1 pid=7 state=\"ready\" connections=5 answers=18446744073709551615 drops=6 "
    "cpu_ms=12 heartbeats=900 restarts=3\n";

/* What becomes of a status; the caller frees it. */
static char *shown(const char *reply, enum exposition_form form)
{
    struct status status;
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    assert_non_null(out);
    assert_int_equal(status_parse(&status, reply), 0);
    metrics_print(out, &status, form);
    fclose(out);
    status_free(&status);
    return text;
}

/* That LINES, a part of the metrics, come of REPLY, in a row. */
static void assert_lines(const char *reply, enum exposition_form form, const char *lines)
{
    char *text = shown(reply, form);
    const char *found = strstr(text, lines);

    if (found == NULL || (found != text && found[-1] != '\n'))
        fail_msg("no lines\n%sin\n%s", lines, text);
    free(text);
}

static void assert_told(const char *told, enum exposition_form form, const char *lines)
{
    char reply[1024];

    snprintf(reply, sizeof(reply), "%s%s%s", service, told, "ok\n");
    assert_lines(reply, form, lines);
}

static void the_service(void **state)
{
    char reply[1024];

    (void) state;
    snprintf(reply, sizeof(reply), "%s%s%sok\n", service, reload, worker);
    assert_lines(reply, EXPOSITION_OPENMETRICS,
                 "# TYPE hellod_build info\n# HELP hellod_build the program that "
                 "runs\nhellod_build_info{version=\"0.1\"} 1\n");
    assert_lines(reply, EXPOSITION_PLAIN, "# TYPE hellod_build_info gauge\n# HELP hellod_build_info ");
    assert_lines(reply, EXPOSITION_PLAIN, "hellod_healthy 1\n");
    assert_lines(reply, EXPOSITION_PLAIN, "hellod_generation 2\n");
    assert_lines(reply, EXPOSITION_PLAIN, "hellod_workers 4\n");
    assert_lines(reply, EXPOSITION_PLAIN, "hellod_workers_ready 3\n");
    assert_lines(reply, EXPOSITION_PLAIN, "hellod_last_reload_ok 0\n");
    assert_lines(reply, EXPOSITION_OPENMETRICS,
                 "# TYPE hellod_uptime_seconds gauge\n# UNIT hellod_uptime_seconds seconds\n");
    assert_lines(reply, EXPOSITION_OPENMETRICS, "hellod_uptime_seconds 1234.005\n");
    assert_lines(reply, EXPOSITION_OPENMETRICS,
                 "hellod_slot_answers_total{generation=\"2\",slot=\"1\"} 18446744073709551615\n");
    assert_lines(reply, EXPOSITION_OPENMETRICS,
                 "hellod_slot_cpu_seconds_total{generation=\"2\",slot=\"1\"} 0.012\n");
    assert_lines(reply, EXPOSITION_OPENMETRICS,
                 "hellod_slot_heartbeats_total{generation=\"2\",slot=\"1\"} 900\n");
}

static void workers(void **state)
{
    static const char told[] = "worker generation=2 slot=0 connections=5 drops=6\n"
                               "worker generation=3 slot=1 connections=7 drops=18446744073709551615\n";

    (void) state;
    assert_told(told, EXPOSITION_PLAIN,
                "hellod_slot_connections{generation=\"2\",slot=\"0\"} 5\n"
                "hellod_slot_connections{generation=\"3\",slot=\"1\"} 7\n");
    assert_told(told, EXPOSITION_PLAIN,
                "hellod_slot_drops_total{generation=\"2\",slot=\"0\"} 6\n"
                "hellod_slot_drops_total{generation=\"3\",slot=\"1\"} 18446744073709551615\n");
}

static void sockets(void **state)
{
    static const char told[] = "listener name=\"a\\\"b\\\\c\\x0a\\xff\xc3\xbc\" protocol=\"greeting\" "
                               "address=\"tcp *:1\" passed=true\n";

    (void) state;
    assert_told(told, EXPOSITION_PLAIN,
                "hellod_socket_info{listener=\"a\\\"b\\\\c\\\\x0a\\\\xff\xc3\xbc\",protocol=\"greeting\","
                "address=\"tcp *:1\","
                "passed=\"true\"} 1\n");
}

static void several_sockets(void **state)
{
    static const char told[] = "listener name=\"a\" protocol=\"hello\" address=\"udp *:1\" passed=false\n"
                               "listener name=\"b\" protocol=\"upper\" address=\"/b\" passed=true\n";

    (void) state;
    assert_told(
        told, EXPOSITION_OPENMETRICS,
        "hellod_socket_info{listener=\"a\",protocol=\"hello\",address=\"udp *:1\",passed=\"false\"} 1\n"
        "hellod_socket_info{listener=\"b\",protocol=\"upper\",address=\"/b\",passed=\"true\"} 1\n");
}

static void counters_and_gauges(void **state)
{
    static const char told[] =
        "metric name=\"received\" kind=\"counter\" unit=\"bytes\" help=\"say \\\"x\\\" \\\\ y\"\n"
        "value name=\"received\" listener=\"a\" value=1\n"
        "value name=\"received\" listener=\"b\" slot=3 value=2\n"
        "metric name=\"lag-1\" kind=\"gauge\" unit=\"us\" help=\"h\"\n"
        "value name=\"lag-1\" value=5000001\n"
        "value name=\"received\" value=7\n"
        "weather name=\"lag-1\" value=8\n";

    (void) state;
    assert_told(told, EXPOSITION_OPENMETRICS,
                "# TYPE hellod_received_bytes counter\n# UNIT hellod_received_bytes bytes\n"
                "# HELP hellod_received_bytes say \\\"x\\\" \\\\ y\n"
                "hellod_received_bytes_total{listener=\"a\"} "
                "1\nhellod_received_bytes_total{listener=\"b\",slot=\"3\"} 2\n"
                "# TYPE hellod_lag_1_seconds gauge\n# UNIT hellod_lag_1_seconds seconds\n# HELP "
                "hellod_lag_1_seconds h\n"
                "hellod_lag_1_seconds 5.000001\n# EOF\n");
    assert_told(
        told, EXPOSITION_PLAIN,
        "# TYPE hellod_received_bytes_total counter\n# HELP hellod_received_bytes_total say \"x\" \\\\ y\n"
        "hellod_received_bytes_total{listener=\"a\"} 1\n");
}

static void histograms(void **state)
{
    static const char told[] = "metric name=\"answer_time\" kind=\"histogram\" unit=\"us\" help=\"h\"\n"
                               "bucket name=\"answer_time\" listener=\"a\" le=4 value=2\n"
                               "bucket name=\"answer_time\" listener=\"a\" le=1048576 value=3\n"
                               "bucket name=\"answer_time\" listener=\"a\" value=9\n"
                               "sum name=\"answer_time\" listener=\"a\" value=2000007\n"
                               "value name=\"answer_time\" value=1\n";

    (void) state;
    assert_told(told, EXPOSITION_OPENMETRICS,
                "# TYPE hellod_answer_time_seconds histogram\n# UNIT hellod_answer_time_seconds seconds\n"
                "# HELP hellod_answer_time_seconds h\n"
                "hellod_answer_time_seconds_bucket{listener=\"a\",le=\"0.000004\"} 2\n"
                "hellod_answer_time_seconds_bucket{listener=\"a\",le=\"1.048576\"} 3\n"
                "hellod_answer_time_seconds_bucket{listener=\"a\",le=\"+Inf\"} 9\n"
                "hellod_answer_time_seconds_count{listener=\"a\"} 9\n"
                "hellod_answer_time_seconds_sum{listener=\"a\"} 2.000007\n# EOF\n");
    assert_told(told, EXPOSITION_PLAIN, "# TYPE hellod_answer_time_seconds histogram\n# HELP ");
}

static void milliseconds(void **state)
{
    static const char told[] = "metric name=\"rest\" kind=\"counter\" unit=\"ms\" help=\"h\"\n"
                               "value name=\"rest\" value=12034\n";

    (void) state;
    assert_told(told, EXPOSITION_OPENMETRICS, "hellod_rest_seconds_total 12.034\n# EOF\n");
}

/* OpenMetrics wants bounds with a point. */
static void without_a_unit(void **state)
{
    static const char told[] = "metric name=\"length\" kind=\"histogram\" unit=\"\" help=\"h\"\n"
                               "bucket name=\"length\" le=4 value=2\n"
                               "bucket name=\"length\" value=9\n"
                               "metric name=\"count\" kind=\"counter\" unit=\"\" help=\"h\"\n"
                               "bucket name=\"count\" le=4 value=2\n"
                               "sum name=\"count\" value=2\n"
                               "value name=\"count\" value=1\n";

    (void) state;
    assert_told(told, EXPOSITION_OPENMETRICS,
                "hellod_length_bucket{le=\"4.0\"} 2\nhellod_length_bucket{le=\"+Inf\"} 9\n"
                "hellod_length_count 9\n# TYPE hellod_count counter\n# HELP hellod_count h\n"
                "hellod_count_total 1\n# EOF\n");
}

static void nothing_more(void **state)
{
    char *text = shown("service\nok\n", EXPOSITION_PLAIN);

    (void) state;
    assert_null(strstr(text, "# EOF"));
    assert_null(strstr(text, "# UNIT"));
    assert_non_null(strstr(text, "hellod_last_reload_ok 1\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_service),         cmocka_unit_test(sockets),
        cmocka_unit_test(counters_and_gauges), cmocka_unit_test(histograms),
        cmocka_unit_test(nothing_more),        cmocka_unit_test(workers),
        cmocka_unit_test(several_sockets),     cmocka_unit_test(milliseconds),
        cmocka_unit_test(without_a_unit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
