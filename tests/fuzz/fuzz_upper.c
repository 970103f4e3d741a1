/* Upper under any bytes: as many come back, the ASCII letters in upper case and nothing else changed, within
 * the room that is promised.
 *
 * Input: the chunk. */
#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t room = protocol_answer_max(protocol_upper.defaults, size), written = SIZE_MAX;
    char *out = malloc(room + 1);

    assert(out != NULL && room >= size);
    out[size] = '#';
    assert(protocol_upper.message(protocol_upper.defaults, (const char *) data, size, out, &written) ==
           NEXT_CONTINUE);
    assert(written == size && out[size] == '#');
    for (size_t i = 0; i < size; i++)
        assert((uint8_t) out[i] == (isascii(data[i]) ? toupper(data[i]) : data[i]));
    free(out);
    return 0;
}
