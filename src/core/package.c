#include "cmus/package.h"

#include <string.h>

#include "cmus/memory.h"

void cmus_package_put(cmus_package *package, const void *data, size_t size) {
    if (size == 0)
        return;
    package->bytes = cmus_grow(package->bytes, &package->capacity, package->size + size, 1);
    memcpy(package->bytes + package->size, data, size);
    package->size += size;
}

void *cmus_package_take(const char **at, size_t size) {
    void *copy = cmus_allocate_raw(size, 1);
    memcpy(copy, *at, size);
    *at += size;
    return copy;
}
