/* What came of a load, as text and as JSON. */
#ifndef HELLOD_CLIENT_BENCH_REPORT_H
#define HELLOD_CLIENT_BENCH_REPORT_H

#include <stdio.h>

#include "client/bench_plan.h"
#include "client/bench_tally.h"

struct bench_report {
    const struct bench_plan *plan;
    const struct bench_tally *tally;
    bool interrupted;
};

/* What was put under load, for a person: "TCP to 127.0.0.1:3288". */
void bench_report_target(FILE *out, const struct bench_plan *plan);

/* What the load was, for a person: "32 connections, 1 on the way on each, ...". */
void bench_report_load(FILE *out, const struct bench_plan *plan);

/* Answers a second over the whole load. */
double bench_report_throughput(const struct bench_report *report);

/* Writes REPORT for a person. */
void bench_report_text(FILE *out, const struct bench_report *report);

/* Writes REPORT as one JSON object (RFC 8259) on one line; helloc-bench(1) says what its members mean. */
void bench_report_json(FILE *out, const struct bench_report *report);

#endif
