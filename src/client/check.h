/* The command `check`: a monitoring plugin. */
#ifndef HELLOD_CLIENT_CHECK_H
#define HELLOD_CLIENT_CHECK_H

/* Runs `helloc check` with the ARGC words of ARGV, of which the first is the command's name. Returns what to
 * exit with. */
int check_main(int argc, char **argv);

#endif
