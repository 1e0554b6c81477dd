#include "cmus/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_SIZE = 4096 };

static _Thread_local char last_message[MESSAGE_SIZE];

const char *cmus_status_name(cmus_status status) {
    static const char *const names[] = {"OK",   "ARGUMENT", "IO",        "FORMAT", "CHECKSUM", "CONFIG",
                                        "DATA", "MISMATCH", "NOT_FOUND", "LIMIT",  "STOPPED"};
    unsigned index = (unsigned)status;
    return index < sizeof names / sizeof names[0] ? names[index] : "UNKNOWN";
}

cmus_status cmus_fail(cmus_status status, const char *format, ...) {
    char message[MESSAGE_SIZE]; /* the arguments may contain the message that is kept now */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    memcpy(last_message, message, sizeof message);
    return status;
}

cmus_status cmus_fail_in(cmus_status status, const char *format, ...) {
    char message[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (length > 0 && length < MESSAGE_SIZE)
        snprintf(message + length, sizeof message - (size_t)length, ": %s", last_message);
    memcpy(last_message, message, sizeof message);
    return status;
}

const char *cmus_last_error(void) {
    return last_message;
}
