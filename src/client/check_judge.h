/* What an answer is worth: right, wrong, a refusal, cut off, or none. Pure; it must not know how the bytes
 * came, nor what follows from the verdict. */
#ifndef HELLOD_CLIENT_CHECK_JUDGE_H
#define HELLOD_CLIENT_CHECK_JUDGE_H

#include <stdbool.h>

#include "protocol/protocol.h"

enum check_verdict {
    CHECK_MORE,    /* that is not yet to be said */
    CHECK_RIGHT,   /* the answer */
    CHECK_REFUSED, /* the server is there, and says that it will not */
    CHECK_WRONG,   /* something else */
    CHECK_CUT,     /* the beginning of the answer */
    CHECK_NOTHING  /* no answer */
};

/* Judges GOT, all that came so far on a stream to which a name was sent, where ANSWER, which is not empty, is
 * wanted. A server may greet first in words that nobody here knows, and may end its answer with a line
 * ending. OVER: nothing will follow; the verdict is then never CHECK_MORE. Sets *WORDS, within GOT, to what
 * the verdict is about: GOT without the built-in greeting, or the refusal alone. */
enum check_verdict check_judge_stream(struct span got, struct span answer, bool over, struct span *words);

/* The same for GOT, a datagram: it is the ANSWER and nothing else, or wrong. */
enum check_verdict check_judge_datagram(struct span got, struct span answer);

#endif
