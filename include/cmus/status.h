/* Status codes: what data, disks, configurations and peers can cause.
 *
 * A function that can fail for such a reason returns a cmus_status. On failure it has called cmus_fail(), which keeps
 * one message for the calling thread: what, where, what to do. Programs print cmus_last_error() once and exit with 1.
 * What only a defect of the program or an exhausted machine can cause goes to cmus_fatal() (log.h) instead.
 */
#ifndef CMUS_STATUS_H
#define CMUS_STATUS_H

typedef enum cmus_status {
    CMUS_OK = 0,
    CMUS_ERROR_ARGUMENT = 1,  /* a command line or a call that asks for something impossible */
    CMUS_ERROR_IO = 2,        /* the operating system refused to read or write */
    CMUS_ERROR_FORMAT = 3,    /* a file is not what it should be: damaged or of another kind */
    CMUS_ERROR_CHECKSUM = 4,  /* a file's content differs from its checksum */
    CMUS_ERROR_CONFIG = 5,    /* a configuration key or value is wrong */
    CMUS_ERROR_DATA = 6,      /* readable data that can't be used: a missing modality, an unknown class */
    CMUS_ERROR_MISMATCH = 7,  /* two things that belong together differ: checkpoint and configuration, classes */
    CMUS_ERROR_NOT_FOUND = 8, /* a file or folder is not there */
    CMUS_ERROR_LIMIT = 9,     /* a size in a file is beyond what this program accepts */
    CMUS_STOPPED = 10         /* no failure: a signal asked to stop, and what was done is kept (stop.h) */
} cmus_status;

/* The name of a status for messages and tests, such as "CHECKSUM". Never NULL. */
const char *cmus_status_name(cmus_status status);

/* Keeps the printf-style message for this thread and returns `status`, so that `return cmus_fail(...)` reads well. */
cmus_status cmus_fail(cmus_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts a prefix in front of the kept message ("PREFIX: MESSAGE") and returns `status`: adds where to what. */
cmus_status cmus_fail_in(cmus_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The last message of this thread; an empty string if there was none. Owned by the library. */
const char *cmus_last_error(void);

/* Forwards a failure to the caller. */
#define CMUS_TRY(expression)                                                                                           \
    do {                                                                                                               \
        cmus_status cmus_try_status = (expression);                                                                    \
        if (cmus_try_status != CMUS_OK)                                                                                \
            return cmus_try_status;                                                                                    \
    } while (0)

#endif
