/* The lines of a ping. What a server said is escaped and cut here, and never a format. */
#include "client/ping_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/quote.h"
#include "client/show.h"

static double ms(uint64_t ns)
{
    return (double) ns / 1e6;
}

void ping_line_stamp(const struct ping_style *style)
{
    struct timespec now;

    if (!style->stamp)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    printf(style->json ? "\"at\":%lld.%06ld," : "[%lld.%06ld] ", (long long) now.tv_sec, now.tv_nsec / 1000);
}

/* Whether an answer came, whose times are known. */
static bool has_times(const struct ping_event *event)
{
    return event->what == PING_ANSWERED || event->what == PING_LATE || event->what == PING_DOUBLED;
}

/* What is shown of SAID: not its line ending, and not more than fits. */
static size_t shown_length(struct ping_said said)
{
    size_t length = said.length;

    while (length > 0 && (said.text[length - 1] == '\n' || said.text[length - 1] == '\r'))
        length--;
    return length < PING_SAID_MAX ? length : PING_SAID_MAX;
}

static void print_said(struct ping_said said)
{
    char text[PING_SAID_MAX + 1] = "";
    size_t length = shown_length(said);

    /* A copy, so that no character is shown that reaches beyond the cut. */
    for (size_t i = 0; i < length; i++)
        text[i] = said.text[i];
    putchar('"');
    show(stdout, text, length);
    fputs(length == PING_SAID_MAX ? "\"..." : "\"", stdout);
}

static void print_times(const struct ping_event *event)
{
    const struct ping_times *times = &event->times;

    if (event->is_stream)
        printf("connect=%.3f ", ms(times->connect_ns));
    if (times->greeted)
        printf("greeting=%.3f ", ms(times->greeting_ns));
    if (event->is_stream)
        printf("answer=%.3f ", ms(times->answer_ns));
    printf("time=%.3f ms", ms(times->total_ns));
}

static void print_text(const struct ping_event *event)
{
    static const char *const words[] = {
        [PING_ANSWERED] = "",   [PING_LATE] = ", late",       [PING_DOUBLED] = ", doubled",
        [PING_LOST] = "lost: ", [PING_ALTERED] = "altered: ", [PING_FOREIGN] = "foreign: ",
    };

    printf("%s ", event->transport);
    if (event->seq != 0)
        printf("seq=%" PRIu32 " ", event->seq);
    if (has_times(event)) {
        print_times(event);
        fputs(event->reordered ? ", out of order" : words[event->what], stdout);
    } else {
        fputs(words[event->what], stdout);
        if (event->why != NULL)
            printf("%s%s", event->why, event->said.length > 0 ? ", it said " : "");
        if (event->said.length > 0 || event->why == NULL)
            print_said(event->said);
    }
    putchar('\n');
}

/* Writes the character at TEXT that quote_character() does not like; returns how many bytes it has. */
static size_t print_escape(const char *text)
{
    unsigned char byte = (unsigned char) text[0], next = (unsigned char) text[byte != 0];
    bool is_c1 = byte == 0xC2 && next >= 0x80 && next < 0xA0;

    printf("\\u%04x", is_c1 ? next : byte < 0x80 ? byte : 0xFFFD);
    return is_c1 ? 2 : 1;
}

void ping_line_json_string(const char *text, size_t length)
{
    const char *end = text + length;

    putchar('"');
    while (text < end) {
        size_t bytes = quote_character(text);
        if (bytes == 0) {
            text += print_escape(text);
            continue;
        }
        if (*text == '"' || *text == '\\')
            putchar('\\');
        fwrite(text, 1, bytes, stdout);
        text += bytes;
    }
    putchar('"');
}

static void print_json_times(const struct ping_event *event)
{
    const struct ping_times *times = &event->times;

    printf(",\"time_ms\":%.6f", ms(times->total_ns));
    if (event->is_stream)
        printf(",\"connect_ms\":%.6f,\"answer_ms\":%.6f", ms(times->connect_ns), ms(times->answer_ns));
    if (times->greeted)
        printf(",\"greeting_ms\":%.6f", ms(times->greeting_ns));
    if (event->what == PING_ANSWERED)
        printf(",\"reordered\":%s", event->reordered ? "true" : "false");
}

static void print_json(const struct ping_event *event)
{
    static const char *const words[] = {
        [PING_ANSWERED] = "answered", [PING_LATE] = "late",       [PING_DOUBLED] = "doubled",
        [PING_LOST] = "lost",         [PING_ALTERED] = "altered", [PING_FOREIGN] = "foreign",
    };

    printf("\"event\":\"%s\",\"transport\":\"%s\"", words[event->what], event->transport);
    if (event->seq != 0)
        printf(",\"seq\":%" PRIu32, event->seq);
    if (has_times(event))
        print_json_times(event);
    if (event->why != NULL)
        printf(",\"why\":\"%s\"", event->why);
    if (event->said.text != NULL && (event->said.length > 0 || event->why == NULL)) {
        fputs(",\"said\":", stdout);
        ping_line_json_string(event->said.text, event->said.length);
    }
    fputs("}\n", stdout);
}

void ping_line_print(const struct ping_style *style, const struct ping_event *event)
{
    if (style->json)
        putchar('{');
    ping_line_stamp(style);
    (style->json ? print_json : print_text)(event);
}
