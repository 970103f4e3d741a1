/* The command `check`. */
#include "client/check.h"

#include <stdio.h>

int check_main(int argc, char **argv)
{
    (void) argc;
    (void) argv;
    fputs("helloc check: not built\n", stderr);
    return 70;
}
