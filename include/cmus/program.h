/* What all programs share: their name in messages, --version, exit codes. */
#ifndef CMUS_PROGRAM_H
#define CMUS_PROGRAM_H

#include <argp.h>

#include "cmus/status.h"

/* 0 is: done. A job script may start again after FATAL and STOPPED; after the others the same would come again. */
typedef enum cmus_exit {
    CMUS_EXIT_FAILED = 1,  /* data, a disk or a configuration: the message says what */
    CMUS_EXIT_USAGE = 2,   /* the command line */
    CMUS_EXIT_FATAL = 3,   /* a rank or a host that was lost, a stall, a defect (cmus_fatal() in log.h) */
    CMUS_EXIT_STOPPED = 75 /* by a signal; what was done is kept (stop.h). EX_TEMPFAIL of sysexits.h */
} cmus_exit;

/* "0.1.0" and the git revision of the build ("unknown" outside a checkout). */
const char *cmus_version(void);
const char *cmus_git_revision(void);

/* First call of each main: sets argp's version text and its exit code for wrong usage, and the name in messages. */
void cmus_program_begin(const char *name);

/* Reads the command line of a program that several ranks run: help and usage errors are printed once, by rank 0.
 * flags: those of argp_parse(), such as ARGP_IN_ORDER. */
void cmus_program_parse(const struct argp *parser, unsigned flags, int rank, int argc, char **argv, void *input);

/* Last call of each main: prints the kept message if status is not OK; returns the exit code. */
int cmus_program_end(cmus_status status);

#endif
