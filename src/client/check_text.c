/* Foreign text in a plugin's output. Must not know where it came from. */
#include "client/check_text.h"

#include <string.h>

#include "base/quote.h"

void check_text(FILE *out, const char *text, size_t length)
{
    for (size_t at = 0, bytes; at < length; at += bytes) {
        /* What follows the text may complete its last character. */
        bytes = quote_character(text + at);
        if (bytes > 0 && bytes <= length - at && strchr("|<>&", text[at]) == NULL) {
            fwrite(text + at, 1, bytes, out);
            continue;
        }
        bytes = 1;
        fprintf(out, "\\x%02x", (unsigned char) text[at]);
    }
}
