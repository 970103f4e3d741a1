/* Requests at the control socket: a line in, what is wanted out. Pure: no sockets, no clock, no log.
 *
 * A request is "VERSION COMMAND[ ARGUMENT]", words separated by one space each, at most REQUEST_MAX bytes. */
#ifndef HELLOD_MASTER_REQUEST_H
#define HELLOD_MASTER_REQUEST_H

#include <stddef.h>
#include <stdio.h>

#include "base/log.h"

enum {
    REQUEST_MAX = 255 /* bytes in a line, its LF not counted */
};

enum request_command {
    REQUEST_STATUS,
    REQUEST_RELOAD,
    REQUEST_STOP,
    REQUEST_LOG_LEVEL,
    REQUEST_HELP
};

struct request {
    enum request_command command;
    enum log_level level; /* of REQUEST_LOG_LEVEL */
};

enum request_result {
    REQUEST_OK,
    REQUEST_REFUSED, /* the next line may be better */
    REQUEST_FATAL    /* whoever says this speaks something else: no use to read on */
};

/* Reads the LENGTH bytes at LINE, which are without their LF and may be any bytes, into REQUEST. When the
 * result is not REQUEST_OK, REQUEST is untouched and *PROBLEM says in plain words what is wrong and what
 * would be right. */
enum request_result request_parse(const char *line, size_t length, struct request *request,
                                  const char **problem);

/* Writes a line for each command there is to OUT: command name="..." argument="..." help="..." */
void request_help(FILE *out);

#endif
