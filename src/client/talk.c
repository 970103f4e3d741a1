/* The command `talk`. */
#include "client/talk.h"

#include <stdio.h>

int talk_main(int argc, char **argv)
{
    (void) argc;
    (void) argv;
    fputs("helloc talk: not built\n", stderr);
    return 70;
}
