/* The command `ping`. */
#include "client/ping.h"

#include <stdio.h>

int ping_main(int argc, char **argv)
{
    (void) argc;
    (void) argv;
    fputs("helloc ping: not built\n", stderr);
    return 70;
}
