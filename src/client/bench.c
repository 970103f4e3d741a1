/* The command `bench`. */
#include "client/bench.h"

#include <stdio.h>

int bench_main(int argc, char **argv)
{
    (void) argc;
    (void) argv;
    fputs("helloc bench: not built\n", stderr);
    return 70;
}
