/* The shares of a load's processes, and its names. Must not know how they travel. */
#include "client/bench_plan.h"

#include <string.h>

static uint64_t share(uint64_t whole, unsigned parts, unsigned index)
{
    return whole / parts + (index < whole % parts);
}

struct bench_plan bench_plan_share(const struct bench_plan *plan, unsigned index)
{
    struct bench_plan part = *plan;

    part.connections = (unsigned) share(plan->connections, plan->processes, index);
    part.rate = plan->rate / plan->processes;
    if (plan->count != UINT64_MAX)
        part.count = share(plan->count, plan->processes, index);
    return part;
}

/* Two digits at once: this is done twice a request. */
static void write_tag(uint64_t number, char out[BENCH_TAG_SIZE])
{
    static char pairs[256][2];

    if (pairs[0][0] == '\0') {
        for (unsigned i = 0; i < 256; i++) {
            pairs[i][0] = "0123456789abcdef"[i >> 4];
            pairs[i][1] = "0123456789abcdef"[i & 15];
        }
    }
    for (unsigned i = BENCH_TAG_SIZE; i > 0; number >>= 8)
        memcpy(out + (i -= 2), pairs[number & 255], 2);
}

/* The sizes between the smallest and the largest, each as often as any other, in no order. */
static size_t size_of(const struct bench_plan *plan, uint64_t number)
{
    unsigned span = plan->largest - plan->smallest + 1;

    return span == 1 ? plan->smallest : plan->smallest + (number * UINT64_C(0x9E3779B97F4A7C15) >> 40) % span;
}

size_t bench_plan_name(const struct bench_plan *plan, uint64_t number, char *out)
{
    static const char letters[] = "ghijklmnopqrstuvwxyzghijklmnopqrstuvwxyzghijklmnopqrstuvwxyzghij";
    size_t size = size_of(plan, number), at = BENCH_TAG_SIZE;
    char tag[BENCH_TAG_SIZE];

    write_tag(number, tag);
    if (size <= BENCH_TAG_SIZE) {
        memcpy(out, tag + BENCH_TAG_SIZE - size, size);
        return size;
    }
    memcpy(out, tag, BENCH_TAG_SIZE);
    for (size_t bytes; at < size; at += bytes) {
        bytes = size - at < sizeof(letters) - 1 ? size - at : sizeof(letters) - 1;
        memcpy(out + at, letters, bytes);
    }
    return size;
}

size_t bench_plan_answer(const struct bench_plan *plan, const struct texts *texts, uint64_t number, char *out)
{
    size_t length = texts->prefix.length;

    memcpy(out, texts->prefix.data, length);
    length += bench_plan_name(plan, number, out + length);
    memcpy(out + length, texts->suffix.data, texts->suffix.length);
    return length + texts->suffix.length;
}

bool bench_plan_number(const char *text, uint64_t *number)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < BENCH_TAG_SIZE; i++) {
        char c = text[i];
        if (c >= '0' && c <= '9')
            sum = sum << 4 | (uint64_t) (c - '0');
        else if (c >= 'a' && c <= 'f')
            sum = sum << 4 | (uint64_t) (c - 'a' + 10);
        else
            return false;
    }
    *number = sum;
    return true;
}
