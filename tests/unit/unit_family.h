/* unit_main() for tests that run once a kernel family: CMUS_KERNELS names it; exit code 77 (skipped) if this processor
 * or this build does not have it. */
#ifndef CMUS_UNIT_FAMILY_H
#define CMUS_UNIT_FAMILY_H

#include <stdio.h>

#include "kernels/kernels.h"
#include "unit.h"

static inline int unit_family_main(const char *suite_name, const unit_test *tests, size_t count) {
    enum { SKIPPED = 77 };
    const char *family = getenv("CMUS_KERNELS");
    if (family && *family && !cmus_kernels_named(family)) {
        printf("skipped: the kernels %s are not for this processor or not in this build\n", family);
        return SKIPPED;
    }
    printf("kernels %s\n", cmus_kernels_pick()->name);
    return unit_main(suite_name, tests, count);
}

#endif
