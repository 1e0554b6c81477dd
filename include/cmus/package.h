/* Values with the arrays that they point to, one after another in memory, on their way to another rank of the same
 * program. Not collective.
 */
#ifndef CMUS_PACKAGE_H
#define CMUS_PACKAGE_H

#include <stddef.h>

/* Begins with zeros; free `bytes` with cmus_free(). */
typedef struct cmus_package {
    char *bytes;
    size_t size, capacity;
} cmus_package;

/* Appends a copy. */
void cmus_package_put(cmus_package *package, const void *data, size_t size);
/* A copy of what is next, owned by the caller; moves on. */
void *cmus_package_take(const char **at, size_t size);

#endif
