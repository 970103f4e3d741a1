/* Metrics as text for a monitoring system: OpenMetrics 1.0, and the plain format of Prometheus, version
 * 0.0.4, for those who know no other. Knows how such lines look, and no metric. */
#ifndef HELLOD_CTL_EXPOSITION_H
#define HELLOD_CTL_EXPOSITION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum exposition_form {
    EXPOSITION_OPENMETRICS,
    EXPOSITION_PLAIN
};

enum exposition_kind {
    EXPOSITION_COUNTER,
    EXPOSITION_GAUGE,
    EXPOSITION_HISTOGRAM,
    EXPOSITION_INFO /* samples with labels that say something, and the value 1 */
};

/* All samples of one name. */
struct exposition_family {
    const char *name; /* without "hellod_", unit and "_total"; what no name may have becomes '_' */
    enum exposition_kind kind;
    const char *unit; /* "", "seconds", "bytes"; made a part of the name */
    uint64_t divisor; /* a value in UNIT is a number divided by this: 1, 1000 or 1000000 */
    const char *help;
};

/* The sample of a family that is written. */
enum exposition_part {
    EXPOSITION_VALUE,  /* the only one, but for histograms */
    EXPOSITION_BUCKET, /* how many were at most as much as its label le says */
    EXPOSITION_COUNT,
    EXPOSITION_SUM
};

struct exposition {
    FILE *out;
    enum exposition_form form;
    const struct exposition_family *family; /* that of the samples to come */
    bool labelled;                          /* the sample that is written has a label already */
};

/* What a HTTP answer says of a text of FORM: its Content-Type. */
const char *exposition_type(enum exposition_form form);

/* Begins FAMILY, which must stay until the next one: all of its samples come now. */
void exposition_begin(struct exposition *exposition, const struct exposition_family *family);

/* Begins a sample; then come its labels, and then its value. */
void exposition_sample(struct exposition *exposition, enum exposition_part part);

/* The label KEY of the sample, with any VALUE: bytes that are not UTF-8 and control characters become \xNN.
 */
void exposition_label(struct exposition *exposition, const char *key, const char *value);

/* The label le of a bucket: NUMBER as it is before it is divided; NULL: without end. */
void exposition_le(struct exposition *exposition, const uint64_t *number);

/* Ends the sample with its value: NUMBER divided by the family's divisor, but that of buckets and counts as
 * it is. */
void exposition_value(struct exposition *exposition, enum exposition_part part, uint64_t number);

/* Ends the text. */
void exposition_end(struct exposition *exposition);

#endif
