/* Writing the book of names. */
#include "client/bench_book.h"

#include <stdlib.h>
#include <string.h>

enum {
    CIRCLE_MIN = 256
};

int bench_book_write(struct bench_book *book, const struct bench_plan *plan)
{
    const struct bench_words *words = &plan->words;
    size_t name_room = plan->largest + 1, answer_room = plan->largest + BENCH_ANSWER_EXTRA_MAX;

    *book = (struct bench_book){.circle = CIRCLE_MIN};
    while (book->circle < 2 * plan->depth)
        book->circle *= 2;
    size_t entries = book->circle + plan->depth, name_end = 0, answer_end = 0;
    book->names_at = calloc(entries + 1, sizeof(book->names_at[0]));
    book->answers_at = calloc(entries + 1, sizeof(book->answers_at[0]));
    book->names = malloc(entries * name_room);
    book->answers = malloc(entries * answer_room);
    if (book->names_at == NULL || book->answers_at == NULL || book->names == NULL || book->answers == NULL)
        return -1;
    for (size_t i = 0; i < entries; i++) {
        name_end += bench_plan_name(plan, i % book->circle, book->names + name_end);
        memcpy(book->names + name_end, words->ending.data, words->ending.length);
        name_end += words->ending.length;
        answer_end += bench_plan_answer(plan, &words->texts, i % book->circle, book->answers + answer_end);
        book->names_at[i + 1] = name_end;
        book->answers_at[i + 1] = answer_end;
    }
    return 0;
}

void bench_book_free(struct bench_book *book)
{
    free(book->names_at);
    free(book->answers_at);
    free(book->names);
    free(book->answers);
}
