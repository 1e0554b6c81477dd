/* What all programs share: their name in messages, --version, exit codes 0 (done), 1 (failed), 2 (usage). */
#ifndef CMUS_PROGRAM_H
#define CMUS_PROGRAM_H

#include "cmus/status.h"

/* "0.1.0" and the git revision of the build ("unknown" outside a checkout). */
const char *cmus_version(void);
const char *cmus_git_revision(void);

/* First call of each main: sets argp's version text and its exit code for wrong usage, and the name in messages. */
void cmus_program_begin(const char *name);

/* Last call of each main: prints the kept message if status is not OK; returns the exit code. */
int cmus_program_end(cmus_status status);

#endif
