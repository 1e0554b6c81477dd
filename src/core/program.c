#include "cmus/program.h"

#include <argp.h>
#include <stdio.h>

#include "cmus/log.h"
#include "revision.h"

#ifndef CMUS_VERSION
#error "CMakeLists.txt defines CMUS_VERSION"
#endif

static char version_line[128];

const char *cmus_version(void) {
    return CMUS_VERSION;
}

const char *cmus_git_revision(void) {
    return CMUS_GIT_REVISION;
}

void cmus_program_begin(const char *name) {
    snprintf(version_line, sizeof version_line, "%s %s (%s)", name, cmus_version(), cmus_git_revision());
    argp_program_version = version_line;
    argp_err_exit_status = CMUS_EXIT_USAGE;
    cmus_log_begin(name, 0, 1);
}

int cmus_program_end(cmus_status status) {
    if (status != CMUS_OK)
        cmus_error("%s", cmus_last_error());
    switch (status) {
    case CMUS_OK:
        return 0;
    case CMUS_ERROR_ARGUMENT:
        return CMUS_EXIT_USAGE;
    case CMUS_STOPPED:
        return CMUS_EXIT_STOPPED;
    default:
        return CMUS_EXIT_FAILED;
    }
}
