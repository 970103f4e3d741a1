/* The command `bench`: a load generator. */
#ifndef HELLOD_CLIENT_BENCH_H
#define HELLOD_CLIENT_BENCH_H

/* Runs `helloc bench` with the ARGC words of ARGV, of which the first is the command's name. Returns what to
 * exit with. */
int bench_main(int argc, char **argv);

#endif
