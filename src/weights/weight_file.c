/* Which file a path means, and what its heads are of. */
#include <string.h>

#include "cmus/file.h"
#include "cmus/memory.h"
#include "cmus/weight_tools.h"

#define WEIGHTS "weights.safetensors"

cmus_status cmus_weights_locate(const char *path, char **file) {
    static const char *const names[] = {WEIGHTS, "final/" WEIGHTS};
    *file = NULL;
    if (!cmus_folder_exists(path)) {
        *file = cmus_copy_string(path);
        return CMUS_OK;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *inside = cmus_path_join(path, names[i]);
        if (cmus_file_exists(inside)) {
            *file = inside;
            return CMUS_OK;
        }
        cmus_free(inside);
    }
    return cmus_fail(CMUS_ERROR_NOT_FOUND, "%s: a folder without " WEIGHTS " and final/" WEIGHTS, path);
}

static bool ends_with(const char *text, const char *ending) {
    size_t length = strlen(text), tail = strlen(ending);
    return length >= tail && strcmp(text + length - tail, ending) == 0;
}

int cmus_weights_classes(const cmus_state_dict *dict) {
    static const char *const biases[] = {"TEM_fc.linear.bias", "OM_fc.linear.bias", "IM_fc.linear.bias",
                                         "MLP.linear2.bias"};
    int64_t classes = 0;
    for (size_t i = 0; i < cmus_state_dict_count(dict); i++) {
        const cmus_stored_tensor *tensor = cmus_state_dict_tensor(dict, i);
        for (size_t j = 0; j < sizeof biases / sizeof biases[0]; j++) {
            if (tensor->dimensions != 1 || !ends_with(tensor->name, biases[j]))
                continue;
            if (tensor->shape[0] > INT32_MAX || (classes && classes != tensor->shape[0]))
                return 0;
            classes = tensor->shape[0];
        }
    }
    return (int)classes;
}
