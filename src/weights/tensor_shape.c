#include "tensor_shape.h"

#include <stdio.h>
#include <string.h>

/* Dimensions that differ in size; -1 if there is another number of them. Sets *last to the last of them. */
static int differences(const cmus_stored_tensor *stored, const cmus_tensor *tensor, int *last) {
    int count = 0;
    if (stored->dimensions != tensor->dimensions)
        return -1;
    for (int i = 0; i < tensor->dimensions; i++)
        if (stored->shape[i] != tensor->shape[i]) {
            count++;
            *last = i;
        }
    return count;
}

bool cmus_same_shape(const cmus_stored_tensor *stored, const cmus_tensor *tensor) {
    return differences(stored, tensor, &(int){0}) == 0;
}

bool cmus_other_size(const cmus_stored_tensor *stored, const cmus_tensor *tensor, int dimension) {
    int last = -1;
    return differences(stored, tensor, &last) == 1 && last == dimension;
}

static void shape_text(int dimensions, const int64_t *shape, char *text, size_t size) {
    size_t used = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < dimensions && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, i ? ", %lld" : "%lld", (long long)shape[i]);
    if (used < size)
        snprintf(text + used, size - used, "]");
}

cmus_status cmus_fail_shape(const char *path, const cmus_stored_tensor *stored, const cmus_tensor *tensor,
                            const char *hint) {
    int64_t wanted[CMUS_TENSOR_DIMENSIONS];
    for (int i = 0; i < tensor->dimensions; i++)
        wanted[i] = tensor->shape[i];
    char there[200], here[200], as[CMUS_TENSOR_NAME + 8] = "";
    shape_text(stored->dimensions, stored->shape, there, sizeof there);
    shape_text(tensor->dimensions, wanted, here, sizeof here);
    if (strcmp(stored->name, tensor->name) != 0)
        snprintf(as, sizeof as, " as '%s'", tensor->name);
    return cmus_fail(CMUS_ERROR_MISMATCH, "%s: tensor '%.200s' is %s, but the configured network has %s%s%s", path,
                     stored->name, there, here, as, hint);
}
