#include "cmus/program.h"

#include <argp.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

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

/* The others parse with both streams on /dev/null. */
void cmus_program_parse(const struct argp *parser, unsigned flags, int rank, int argc, char **argv, void *input) {
    int kept[2] = {-1, -1};
    for (int stream = 1; rank != 0 && stream <= 2; stream++) {
        int nothing = open("/dev/null", O_WRONLY);
        kept[stream - 1] = dup(stream);
        dup2(nothing, stream);
        close(nothing);
    }
    argp_parse(parser, argc, argv, flags, NULL, input);
    for (int stream = 1; rank != 0 && stream <= 2; stream++) {
        dup2(kept[stream - 1], stream);
        close(kept[stream - 1]);
    }
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
