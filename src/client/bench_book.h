/* The names that streams send, and the answers that must come back, written down before the load begins: what
 * is sent is sent from here, and what comes is compared with what stands here, many at a time. */
#ifndef HELLOD_CLIENT_BENCH_BOOK_H
#define HELLOD_CLIENT_BENCH_BOOK_H

#include "client/bench_plan.h"

/* The book is read in circles; more entries follow than a circle has, so that as many as may be on their way
 * stand in one piece wherever they begin. */
struct bench_book {
    unsigned
        circle; /* entries, a power of two, at least twice plan->depth: no two on their way are the same */
    size_t *names_at;   /* where entry i begins in names; one more than there are entries */
    size_t *answers_at; /* and in answers */
    char *names, *answers;
};

/* Writes the book of PLAN, in the words and with the line endings of plan->words. Returns 0, or -1 with
 * errno; bench_book_free() is due in both cases. */
int bench_book_write(struct bench_book *book, const struct bench_plan *plan);

/* Frees what bench_book_write() took. */
void bench_book_free(struct bench_book *book);

#endif
