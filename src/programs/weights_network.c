#include "weights_network.h"

#include <string.h>

#include "cmus/memory.h"
#include "cmus/weight_tools.h"
#include "cmus/weights.h"

/* FOLDER/../config.yaml of a fold's FOLDER/weights.safetensors, "" of other files; free with cmus_free(). */
static char *config_beside(const char *file) {
    const char *slash = strrchr(file, '/');
    if (strcmp(slash ? slash + 1 : file, "weights.safetensors") != 0)
        return cmus_copy_string("");
    return slash ? cmus_format_string("%.*s/../config.yaml", (int)(slash - file), file)
                 : cmus_copy_string("../config.yaml");
}

static cmus_status read_own(const cmus_state_dict *dict, const char *metadata, const char *const *overrides,
                            size_t count, cmus_config *config, char **name) {
    *name = cmus_copy_string("the file's own configuration");
    char *source = cmus_format_string("%s, %s", cmus_state_dict_path(dict), CMUS_METADATA_CONFIG);
    cmus_status status = cmus_config_parse(metadata, source, overrides, count, config);
    cmus_free(source);
    return status;
}

/* Nothing says which network it is. */
static cmus_status read_published(const char *const *overrides, size_t count, cmus_config *config, char **name) {
    *name = cmus_copy_string("the published configuration");
    return cmus_config_parse("encoder: swin_b\n", "the published configuration", overrides, count, config);
}

static cmus_status read_config(const cmus_state_dict *dict, const char *path, const char *const *overrides,
                               size_t count, cmus_config *config, char **name) {
    const char *metadata = cmus_state_dict_metadata(dict, CMUS_METADATA_CONFIG);
    char *beside = config_beside(cmus_state_dict_path(dict));
    cmus_status status;
    if (!path && metadata) {
        status = read_own(dict, metadata, overrides, count, config, name);
    } else if (!path && !cmus_file_exists(beside)) {
        status = read_published(overrides, count, config, name);
    } else {
        *name = cmus_copy_string(path ? path : beside);
        status = cmus_config_read(*name, overrides, count, config);
    }
    cmus_free(beside);
    return status;
}

/* What the file says of itself against what was given. */
static cmus_status compare(const cmus_state_dict *dict, const cmus_config *given, cmus_weights_network *network) {
    const char *metadata = cmus_state_dict_metadata(dict, CMUS_METADATA_CONFIG);
    if (!metadata)
        return CMUS_OK;
    cmus_config own;
    CMUS_TRY(cmus_config_parse(metadata, cmus_state_dict_path(dict), NULL, 0, &own));
    network->differs = !cmus_config_same_network(&own, given);
    network->other_classes = given->class_count && !cmus_config_same_classes(&own, given);
    return CMUS_OK;
}

cmus_status cmus_weights_network_find(const cmus_state_dict *dict, const char *path, const char *const *overrides,
                                      size_t count, cmus_weights_network *network) {
    *network = (cmus_weights_network){0};
    cmus_config config;
    CMUS_TRY(read_config(dict, path, overrides, count, &config, &network->name));
    CMUS_TRY(compare(dict, &config, network));
    if (config.class_count) {
        network->config = cmus_config_results_text(&config);
    } else {
        int classes = cmus_weights_classes(dict);
        bool usable = classes >= 2 && classes <= CMUS_MAX_CLASSES;
        config.net.classes = usable ? classes : cmus_net_config_published().classes;
    }
    return cmus_net_describe(&config.net, &network->parameters);
}

void cmus_weights_network_free(cmus_weights_network *network) {
    cmus_free(network->name);
    cmus_free(network->config);
    cmus_parameters_free(&network->parameters);
}
