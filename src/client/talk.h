/* The command `talk`: a conversation, the tutorial's clients made pleasant. */
#ifndef HELLOD_CLIENT_TALK_H
#define HELLOD_CLIENT_TALK_H

/* Runs `helloc [talk]` with the ARGC words of ARGV, of which the first is the program's or the command's
 * name. Returns what to exit with, one of client/exits.h. */
int talk_main(int argc, char **argv);

#endif
