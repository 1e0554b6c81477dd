#include "cmus/weights_config.h"

#include <string.h>

#include "cmus/memory.h"
#include "cmus/weights.h"

char *cmus_weights_beside(const char *path, const char *name) {
    const char *slash = strrchr(path, '/');
    if (strcmp(slash ? slash + 1 : path, "weights.safetensors") != 0)
        return cmus_copy_string("");
    return slash ? cmus_format_string("%.*s/../%s", (int)(slash - path), path, name)
                 : cmus_format_string("../%s", name);
}

cmus_status cmus_weights_config_read(const cmus_state_dict *dict, cmus_config *config, bool *found, char **source) {
    const char *path = cmus_state_dict_path(dict), *metadata = cmus_state_dict_metadata(dict, CMUS_METADATA_CONFIG);
    char *beside = cmus_weights_beside(path, "config.yaml");
    char *in_file = cmus_format_string("%s, %s", path, CMUS_METADATA_CONFIG);
    cmus_status status = CMUS_OK;
    *found = metadata || cmus_file_exists(beside);
    if (source)
        *source = *found ? cmus_copy_string(metadata ? "the file's own configuration" : beside) : NULL;
    if (metadata)
        status = cmus_config_parse(metadata, in_file, NULL, 0, config);
    else if (*found)
        status = cmus_config_read(beside, NULL, 0, config);
    cmus_free(in_file);
    cmus_free(beside);
    return status;
}
