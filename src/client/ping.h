/* The command `ping`: asks again and again and tells how the answers come. */
#ifndef HELLOD_CLIENT_PING_H
#define HELLOD_CLIENT_PING_H

/* Runs `helloc ping` with the ARGC words of ARGV, of which the first is the command's name. Returns what to
 * exit with. */
int ping_main(int argc, char **argv);

#endif
