/* One conversation of babble, and whether what was heard in it is what a server may say. It must not know how
 * it was had. */
#ifndef HELLOD_TESTS_LIB_BABBLE_JUDGE_H
#define HELLOD_TESTS_LIB_BABBLE_JUDGE_H

#include "babble_doors.h"
#include "babble_plan.h"

enum {
    TAIL_MAX = 128 /* bytes that are kept of what was not expected */
};

enum manner {
    HEARS_OUT, /* ends its side when all is said, and listens to the end */
    LEAVES,    /* closes when all is said */
    BREAKS,    /* resets, then or before */
    IS_DEAF,   /* never reads, and leaves after a while */
    IS_SILENT, /* says nothing more and stays for a while */
    IS_PATIENT /* the same, until the server has enough of it */
};

enum end {
    ENDS_NOT,
    ENDS_WELL,  /* the server's end of file */
    ENDS_BROKEN /* a reset */
};

struct talk {
    uint64_t number;
    struct seed chance;
    const struct door *door;
    int fd; /* -1: none */
    enum manner manner;
    enum end end;
    bool odd;      /* did what makes the answers unknown */
    bool may_fail; /* the server may refuse this source */
    struct plan plan;
    unsigned piece;
    size_t said, heard; /* bytes; of what was heard, those that were expected */
    char tail[TAIL_MAX];
    size_t tail_length;
    uint64_t began_ms, pause_ms; /* of a pause: its end */
    unsigned answers;
    uint64_t answered; /* a bit for each datagram that was */
};

/* Of all conversations of this process. */
static struct {
    unsigned long long talks, complete, cut, refused, broken, unborn, datagrams, answers, bytes, wrong;
} counted;

static bool calm;
static unsigned long seed;

static inline void complain(const struct talk *talk, const char *what)
{
    counted.wrong++;
    fprintf(stderr,
            "babble: conversation %llu of seed %lu: %s: manner %d, said %zu of %zu bytes, heard %zu of %zu",
            (unsigned long long) talk->number, seed, what, (int) talk->manner, talk->said, talk->plan.length,
            talk->heard, talk->plan.expected_length);
    fprintf(stderr, ", and not expected:");
    for (size_t i = 0; i < talk->tail_length; i++)
        fprintf(stderr, isprint((unsigned char) talk->tail[i]) ? " %c" : " %02x",
                (unsigned char) talk->tail[i]);
    fputc('\n', stderr);
}

/* Whether the answers broke off with a sentence. Its first letters may be what was expected. */
static inline bool ends_in_sentence(const struct talk *talk)
{
    char text[2 * TAIL_MAX];

    for (size_t back = 0; back <= talk->heard && back < TAIL_MAX && talk->tail_length > 0; back++) {
        memcpy(text, talk->plan.expected + talk->heard - back, back);
        memcpy(text + back, talk->tail, talk->tail_length);
        if (plan_is_sentence(text, back + talk->tail_length))
            return true;
    }
    return false;
}

/* Judges a conversation of a stream that is over. */
static inline void judge(const struct talk *talk)
{
    const struct plan *plan = &talk->plan;
    bool told_all = talk->heard == plan->expected_length, has_tail = talk->tail_length > 0;
    bool known = !talk->odd && talk->door->reading != PLAN_PIECES;
    bool ends_line = told_all && plan->refused && plan_is_line_ending(talk->tail, talk->tail_length);
    bool sentence = !ends_line && ends_in_sentence(talk);

    if (has_tail && !sentence && !ends_line && (known || (talk->door->reading == PLAN_PIECES && !told_all)))
        complain(talk, "the server said what it must not");
    if (calm && known && talk->end == ENDS_WELL && !told_all && !sentence && talk->manner == HEARS_OUT &&
        !talk->may_fail)
        complain(talk, "the server has not said all");
    counted.refused += sentence;
    counted.complete += told_all;
    counted.cut += !told_all && !sentence && talk->end == ENDS_WELL;
    counted.broken += talk->end == ENDS_BROKEN;
}

/* Compares what came with what is expected. */
static inline void hear(struct talk *talk, const char *data, size_t length)
{
    const struct plan *plan = &talk->plan;
    size_t left = talk->tail_length > 0 ? 0 : plan->expected_length - talk->heard, same = 0;

    counted.bytes += length;
    while (same < left && same < length && data[same] == plan->expected[talk->heard + same])
        same++;
    talk->heard += same;
    for (; same < length && talk->tail_length < TAIL_MAX; same++)
        talk->tail[talk->tail_length++] = data[same];
}

/* Whether nobody had this address a moment ago, to whom an answer may still have been on its way. */
static inline bool is_alone(const struct talk *talk)
{
    return talk->door->address.ss_family != AF_INET6 && !talk->may_fail;
}

static inline void hear_datagram(struct talk *talk, const char *data, size_t length)
{
    counted.bytes += length;
    counted.answers++;
    talk->answers++;
    if (plan_is_answered_by(&talk->plan, data, length, &talk->answered) || !is_alone(talk))
        return;
    talk->tail_length = length < TAIL_MAX ? length : TAIL_MAX;
    memcpy(talk->tail, data, talk->tail_length);
    complain(talk, "a datagram is no answer");
}

#endif
